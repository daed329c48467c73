"""Outputs that have nowhere to go: a disk that is full, files that may not grow, a folder that may not be written, /dev/full, a
standard output that is closed. Every program ends with status 7 and a message, and what it leaves is complete or not there."""
import os
import resource
import subprocess

from cbirtest import BIN, main
from faults import ATTEMPTS
from writers import Command, Writers

TENTHS = [0, 3, 6, 9] if ATTEMPTS < 10 else range(10)  # of the room that is needed
PAGE = 4096


class Outputs(Writers):
    def run_limited(self, command, prefix=(), **kw):
        done = subprocess.run([*prefix, str(BIN / command[0]), *map(str, command[1:])], cwd=self.dir, env={**os.environ, **self.env},
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600, **kw)
        self.assertGreaterEqual(done.returncode, 0, done)
        return done

    def check(self, done, wanted, statuses=(0, 7)):
        """Ended well with all that was wanted, or told and left nothing that is not whole."""
        found = self.contents()
        self.assertIn(done.returncode, statuses, done.stderr)
        self.assertEqual([name for name, data in found.items() if wanted.get(name) != data], [])
        if done.returncode == 0:
            self.assertEqual(found.keys(), wanted.keys())
        else:
            self.assertIn(b': error: ', done.stderr)

    def wanted(self, command):
        """What it writes undisturbed."""
        self.run_tool(*command.args, env=self.env)
        wanted = self.contents()
        self.empty()
        return wanted

    def mount(self, size):
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', self.work], capture_output=True)
        if done.returncode != 0:
            self.skipTest(f'a tmpfs cannot be mounted: {done.stderr.decode().strip()}')
        self.addCleanup(subprocess.run, ['umount', '--lazy', self.work], capture_output=True)

    def on_a_full_disk(self, command, check):
        if os.geteuid() != 0:
            self.skipTest('only root can mount a tmpfs')
        wanted = self.wanted(command)
        needed = sum(-(-len(data) // PAGE) * PAGE for data in wanted.values())
        self.mount(2 * needed + (4 << 20))
        ballast = self.work / 'ballast'
        for tenth in TENTHS:
            free = os.statvfs(self.work)
            ballast.write_bytes(bytes(free.f_bavail * free.f_bsize - needed * tenth // 10 // PAGE * PAGE))
            with self.subTest(command=command.args, tenth=tenth):
                done = self.run_limited(command.args)
                self.assertNotEqual((tenth, done.returncode), (0, 0))
                check(done, wanted)
            self.empty()
        done = self.run_limited(command.args)
        self.assertEqual(done.returncode, 0, done.stderr)
        check(done, wanted)
        subprocess.run(['umount', self.work], check=True)

    def with_limited_files(self, command, check):
        wanted = self.wanted(command)
        largest = max(map(len, wanted.values()))
        for tenth in TENTHS:
            def limit():
                resource.setrlimit(resource.RLIMIT_FSIZE, (largest * tenth // 10,) * 2)
            with self.subTest(command=command.args, tenth=tenth):
                done = self.run_limited(command.args, preexec_fn=limit)
                self.assertNotEqual(done.returncode, 0)
                check(done, wanted)
            self.empty()

    def in_a_folder_of_others(self, command):
        """Root may write everywhere, unless it lays its capabilities down."""
        prefix = ['setpriv', '--inh-caps=-all', '--bounding-set=-all'] if os.geteuid() == 0 else []
        self.work.chmod(0o555)
        with self.subTest(command=command.args):
            self.check(self.run_limited(command.args, prefix), {}, (7,))
        self.work.chmod(0o755)

    def on_a_full_device(self, command):
        """Other files may be written besides."""
        wanted = self.wanted(command)
        full = ['/dev/full' if arg == command.output else arg for arg in command.args]
        with self.subTest(command=full):
            self.check(self.run_limited(full), wanted, (7,))
        self.empty()

    def try_everything(self, commands):
        for command in commands:
            self.with_limited_files(command, self.check)
            self.in_a_folder_of_others(command)
            if command.output.endswith(('.tsv', '.html', '.jsonl', '.cbir')):
                self.on_a_full_device(command)
        for command in commands:
            self.on_a_full_disk(command, self.check)

    def test_rankings_scores_and_pages(self):
        self.try_everything(self.answers() + self.made_of_indexes())

    def test_what_is_made_of_pictures(self):
        self.try_everything(self.of_pictures())

    def test_what_is_seen_of_a_catalogue(self):
        self.try_everything([self.catalogue()])

    def test_weights(self):
        """The program that fetches them has a file of its own, elsewhere."""
        command = self.fetching()
        self.in_a_folder_of_others(command)
        self.on_a_full_disk(command, self.check)

    def test_a_set(self):
        """What was done when the disk was full is in the state, with which the next run goes on."""
        self.blots(*(f'p/{i}.jpg' for i in range(30)))
        command = Command(['cbir-extract', '-o', 'work/a', 'p', '--model', 'colours', '--batch', '2', '--threads', '2'], 'work/a')

        def check(done, wanted):
            found = self.contents()
            self.assertIn(done.returncode, (0, 7), done.stderr)
            self.assertEqual('a.json' in found, done.returncode == 0)
            if done.returncode == 7:
                self.assertIn(b': error: ', done.stderr)
                (self.work / 'ballast').unlink(missing_ok=True)
                self.run_tool(*command.args, env=self.env)
            sets = [{name: data for name, data in files.items() if '/' not in name} for files in (self.contents(), wanted)]
            self.assertEqual(*sets)

        self.with_limited_files(command, check)
        self.in_a_folder_of_others(command)
        self.on_a_full_disk(command, check)

    def test_standard_output(self):
        """That it is full, or closed, is seen, and no file is written into instead."""
        self.answers()
        self.catalogue()
        self.blots('p/a.png', 'p/b.jpg')
        commands = [['cbir-query', 'a.cbir', '--row', '1'], ['cbir-query', 'a.cbir', '--row', '1', '--format', 'html'],
                    ['cbir-eval', 'labels', 'a.cbir'], ['cbir-eval', 'compare', 'a.jsonl', 'same.jsonl'],
                    ['cbir-eval', 'report', 'a.jsonl'], ['cbir-dedup', 'a.cbir', '-t', '.6'],
                    ['cbir-index', 'info', 'a.cbir'], ['cbir-index', 'verify', 'a.cbir'],
                    ['cbir-index', 'build', 'base', '-o', 'work/x.cbir'], ['cbir-index', 'compact', 'b.cbir'],
                    ['cbir-models', 'list'], ['cbir-models', 'show', 'colours', '--json'], ['cbir-models', 'verify', 'blind'],
                    ['cbir-match', 'p/a.png', 'p/b.jpg'], ['cbir-detect', '--proposals=grid', 'p'], ['cbir-doctor', '--list'],
                    ['cbir-catalog', 'list', 'shop'], ['cbir-catalog', 'identify', 'shop', 'first/vase/front.png', '--no-proposals'],
                    ['cbir-extract', '-o', 'work/a', 'p', '--model', 'colours', '--json'],
                    ['cbir-extract', '-o', 'work/b', 'p', '--model', 'colours', '--estimate']]
        for command in commands:
            done = self.run_tool(*command, env=self.env)
            self.assertNotEqual(done.stdout, b'', command)
            self.empty()
            before = {path: path.read_bytes() for path in self.dir.glob('*.cbir') if path.name != 'b.cbir'}
            for how, closed in ('full', ()), ('closed', (1,)), ('closed with others', (0, 1, 2)):
                with self.subTest(command=command, how=how), open('/dev/full', 'wb') as full:
                    done = subprocess.run([BIN / command[0], *command[1:]], cwd=self.dir, env={**os.environ, **self.env}, stdout=full,
                                          stderr=subprocess.PIPE, preexec_fn=lambda: [os.close(fd) for fd in closed])
                    self.assertEqual(done.returncode, 7, done.stderr)
                    if 2 not in closed:
                        self.assertIn(b'standard output: cannot be written', done.stderr)
                    self.assertEqual({path: path.read_bytes() for path in before}, before)
                    for index in *self.dir.glob('*.cbir'), *self.work.glob('*.cbir'):
                        self.run_tool('cbir-index', 'verify', index)
                self.empty()


if __name__ == '__main__':
    main()
