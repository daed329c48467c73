"""What holds for every program: help with an example, version, exit statuses, man page, completion."""
import os
import re
import shutil
import subprocess

from cbirtest import BIN, SOURCE, ToolTest, main

PROGRAMS = ['cbir-extract', 'cbir-index', 'cbir-query', 'cbir-eval', 'cbir-dedup', 'cbir-detect', 'cbir-match', 'cbir-models',
            'cbir-doctor', 'cbir-catalog']
OPTION = re.compile(r'(?<![\w-])--[a-z][a-z0-9-]*')


def helps(test, program):
    """The help of a program and of each of its sub-commands."""
    text = test.out(program, '--help')
    listed = re.search(r'^Subcommands:\n((?:  .*\n?)+)', text, re.M)
    names = re.findall(r'^  ([a-z]+)', listed.group(1), re.M) if listed else []
    return {'': text, **{name: test.out(program, name, '--help') for name in names}}


class Conventions(ToolTest):
    def test_help_has_an_example_that_names_the_program(self):
        for program in PROGRAMS:
            with self.subTest(program):
                text = self.out(program, '--help')
                self.assertRegex(text, rf'Example:\n +.*{program}')
                self.assertIn('See also:', text)

    def test_version(self):
        for program in PROGRAMS:
            with self.subTest(program):
                self.assertRegex(self.out(program, '--version'), rf'^{program} \d+\.\d+\.\d+\n$')

    def test_wrong_use_is_status_2_and_one_line(self):
        for program in PROGRAMS:
            with self.subTest(program):
                message = self.error(program, '--no-such-option', expect=2)
                self.assertIn('--help', message)
                self.assertEqual(message.count('\n'), 1)
                self.error(program, expect=2)

    def test_what_cannot_be_printed_is_status_7(self):
        for program in PROGRAMS:
            for option in '--help', '--version':
                with self.subTest(program, option=option), open('/dev/full', 'wb') as full:
                    done = subprocess.run([BIN / program, option], stdout=full, stderr=subprocess.PIPE)
                    self.assertEqual(done.returncode, 7, done.stderr)

    def test_unknown_sub_command_is_named(self):
        for program in 'cbir-index', 'cbir-eval', 'cbir-models', 'cbir-catalog':
            with self.subTest(program):
                self.assertIn("no sub-command is named 'frobnicate'", self.error(program, 'frobnicate', expect=2))

    def test_numbers_out_of_range(self):
        for call in (['cbir-extract', '-o', 'x', 'p', '--batch'], ['cbir-extract', '-o', 'x', 'p', '--max-pixels'],
                     ['cbir-query', 'x.cbir', '--row'], ['cbir-query', 'x.cbir', '-k'], ['cbir-doctor', 'p', '--seed'],
                     ['cbir-eval', 'labels', 'x', '-k'], ['cbir-index', 'build', 'x', '-o', 'y', '--threads'],
                     ['cbir-dedup', 'x', '--max-pairs'], ['cbir-match', 'a', 'b', '--keypoints']):
            for number in '-1', '1.5', 'many', '99999999999999999999':
                with self.subTest(call=call, number=number):
                    self.assertIn(f"found '{number}', expected a whole number from ", self.error(*call, number, expect=2))

    def test_no_option_stands_twice(self):
        for program in PROGRAMS:
            for name, text in helps(self, program).items():
                with self.subTest(program, subcommand=name):
                    defined = re.findall(r'^  (?:-\w,)?(--[a-z][a-z0-9-]*)', text, re.M)
                    self.assertEqual(sorted(defined), sorted(set(defined)))

    def test_man_page_names_every_option_and_no_other(self):
        for program in PROGRAMS:
            with self.subTest(program):
                page = BIN.parent / 'man' / f'{program}.1'
                self.assertTrue(page.exists(), f'{page} is missing')
                source = (BIN.parent / 'man' / f'{program}.1.md').read_text()
                known = set(OPTION.findall(' '.join(helps(self, program).values())))
                described = set(re.findall(r'^`.*', source, re.M) and
                                OPTION.findall('\n'.join(re.findall(r'^`.*', source, re.M))))
                self.assertEqual(known - described, set(), 'not in the man page')
                self.assertEqual(described - known, set(), 'only in the man page')

    def test_completion_offers_the_options(self):
        script = f'''source {SOURCE}/tools/completion.bash
compopt() {{ :; }}
COMP_WORDS=(cbir-query x.cbir --for) COMP_CWORD=2
_cbir cbir-query --for x.cbir; echo "${{COMPREPLY[@]}}"
COMP_WORDS=(cbir-query --format "") COMP_CWORD=2
_cbir cbir-query "" --format; echo "${{COMPREPLY[@]}}"
COMP_WORDS=(cbir-index ver) COMP_CWORD=1
_cbir cbir-index ver cbir-index; echo "${{COMPREPLY[@]}}"
COMP_WORDS=(cbir-index build --met) COMP_CWORD=2
_cbir cbir-index --met build; echo "${{COMPREPLY[@]}}"
'''
        done = subprocess.run([shutil.which('bash'), '-c', script], capture_output=True, text=True,
                              env={**os.environ, 'PATH': f'{BIN}:{os.environ["PATH"]}'})
        self.assertEqual(done.stdout.splitlines(), ['--force --format', 'tsv jsonl trec html', 'verify', '--metric'],
                         done.stderr)


if __name__ == '__main__':
    main()
