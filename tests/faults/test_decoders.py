"""Decoders that crash, hang and swallow memory: the picture is a failure with a true reason, its neighbours are the rows that they
are without it, and no process is left behind."""
import io
import json
import os
import signal
import subprocess
import time
from pathlib import Path

from PIL import Image

from cbirtest import BIN, main
from fakenet import FakeNetTest, colours

SHIM = BIN.parent / 'misbehave/libcbir_misbehave.so'
REASONS = {
    'crash': r'^the decoder crashed \(signal 11, SIGSEGV\)$',
    'exit': r'^the decoder ended its process with status 3$',
    'swallow': r'^decoding needs more than [0-9.]+ .B of memory$',
    'killed': r'^the decoder was killed \(signal 9\), as the system does when memory runs out$',
}


def marked(seed, how):
    """A sound JPEG to everybody but the preloaded library."""
    out = io.BytesIO()
    colours(seed).save(out, 'JPEG', quality=90)
    data, comment = out.getvalue(), f'misbehave:{how}\n'.encode()
    return data[:2] + b'\xff\xfe' + (len(comment) + 2).to_bytes(2, 'big') + comment + data[2:]


class Decoders(FakeNetTest):
    def setUp(self):
        super().setUp()
        if not SHIM.exists():
            self.skipTest(f'{SHIM} is not here')
        plugins = self.dir / '.plugins'
        plugins.mkdir()
        for library in (Path(self.env['CBIR_PLUGIN_DIR']) / 'libcbir_nets.so', BIN.parent / 'lib/libcbir_codecs.so'):
            (plugins / library.name).symlink_to(library)
        self.mark = f'CBIR_TEST_RUN={os.getpid()}-{time.monotonic_ns()}'  # by which processes of this test are known
        name, value = self.mark.split('=')
        self.env |= {'CBIR_PLUGIN_DIR': str(plugins), 'LD_PRELOAD': str(SHIM), 'MISBEHAVE_ONCE': str(self.dir / '.once'),
                     name: value}

    def left_behind(self):
        """Processes of the programs that this test has run, and that are still there."""
        found = []
        for path in Path('/proc').glob('[0-9]*/environ'):
            try:
                if self.mark.encode() in path.read_bytes().split(b'\0'):
                    found.append(path.parent.name)
            except OSError:  # it has ended, or is somebody else's
                pass
        return found

    def wait_for_end_of_all(self):
        end = time.monotonic() + 60
        while self.left_behind() and time.monotonic() < end:
            time.sleep(.02)
        self.assertEqual(self.left_behind(), [])

    def pictures(self, count=40):
        for i in range(count):
            self.put(f'photos/{i:03}.jpg', i)
        for i, (ending, options) in enumerate([('png', {}), ('gif', {}), ('webp', {'lossless': True}), ('tif', {}), ('bmp', {})]):
            colours(100 + i).convert('RGB').save(self.dir / f'photos/other{i}.{ending}', **options)
        (self.dir / 'photos/cut.jpg').write_bytes(marked(7, 'no')[:300])

    def test_rows_are_those_of_decoding_in_the_process_itself(self):
        self.pictures()
        Image.new('RGB', (3000, 2000), (10, 200, 30)).save(self.dir / 'photos/large.png')
        boxes = ''.join(f'box{i}\tphotos/{i // 2:03}.jpg\t0\t0\t{10 + i}\t{9 + i}\n' for i in range(12))
        (self.dir / 'boxes.tsv').write_text(boxes)
        for name, args in (('a', ['photos']), ('box', ['--boxes', 'boxes.tsv']),
                           ('grid', ['--regions', 'grid', '--max-regions', '4', 'photos/001.jpg', 'photos/large.png'])):
            with self.subTest(args=args):
                status = 3 if name == 'a' else 0
                for isolate in ('on', 'off'):
                    self.run_tool('cbir-extract', '-o', name + isolate, *args, '--model', 'colours', '--isolate', isolate,
                                  '--threads', '3', expect=status)
                self.assertEqual(self.content(name + 'on'), self.content(name + 'off'))
        self.assertEqual(self.left_behind(), [])

    def test_misbehaviour_costs_the_picture_alone(self):
        self.pictures()
        self.run_tool('cbir-extract', '-o', 'good', 'photos', '--model', 'colours', expect=3)
        for how in REASONS:
            (self.dir / f'photos/020-{how}.jpg').write_bytes(marked(200, how))
            self.set_age(f'photos/020-{how}.jpg', 100)
        (self.dir / 'photos/021-once.jpg').write_bytes(marked(201, 'once'))
        for threads in ('1', '3'):
            with self.subTest(threads=threads):
                name = 'all' + threads
                (self.dir / '.once').unlink(missing_ok=True)
                self.run_tool('cbir-extract', '-o', name, 'photos', '--model', 'colours', '--threads', threads, expect=3)
                failed = {Path(item['path']).stem: item for item in self.failed(name)}
                self.assertEqual(failed.keys(), {'cut', *(f'020-{how}' for how in REASONS)})
                for how, reason in REASONS.items():
                    self.assertEqual(failed[f'020-{how}']['stage'], 'decode')
                    self.assertRegex(failed[f'020-{how}']['reason'], reason)
                rows = {row['path']: row for row in self.rows(name)}
                self.assertIn('photos/021-once.jpg', rows)  # whoever was killed by the system gets a second chance
                del rows['photos/021-once.jpg']
                self.assertEqual([{**row, 'seq': 0} for row in rows.values()],
                                 [{**row, 'seq': 0} for row in self.rows('good')])
                self.assertEqual(self.left_behind(), [])
        # An update tries again what the system's lack of memory did, and leaves the rest as it was.
        self.run_tool('cbir-extract', '-o', 'all1', 'photos', '--model', 'colours', '--update', env={'LD_PRELOAD': ''}, expect=3)
        self.assertEqual({Path(item['path']).stem for item in self.failed('all1')},
                         {'cut', '020-crash', '020-exit', '020-swallow'})

    def test_a_decoder_that_hangs(self):
        self.put('photos/000.jpg', 1)
        for i in range(3):
            (self.dir / f'photos/{i}-hang.jpg').write_bytes(marked(i, 'hang'))
        self.put('photos/999.jpg', 2)
        self.run_tool('cbir-extract', '-o', 'a', 'photos', '--model', 'colours', '--decode-timeout', '3', expect=3)
        reasons = {Path(item['path']).stem: item['reason'] for item in self.failed('a')}
        for i in range(3):
            self.assertEqual(reasons[f'{i}-hang'], 'decoding took more than 3 s')
        self.assertEqual(self.left_behind(), [])

    def test_without_processes_of_their_own_a_crash_ends_the_run(self):
        self.pictures(3)
        (self.dir / 'photos/001-crash.jpg').write_bytes(marked(1, 'crash'))
        done = self.run_tool('cbir-extract', '-o', 'a', 'photos', '--model', 'colours', '--isolate', 'off', expect=None)
        self.assertEqual(done.returncode, -signal.SIGSEGV)

    def test_the_other_programs(self):
        """What is asked, compared, looked into or proved by goes the same way."""
        (self.dir / '.plugins/libcbir_vision.so').symlink_to(BIN.parent / 'lib/libcbir_vision.so')
        self.pictures(4)
        self.run_tool('cbir-extract', '-o', 'a', 'photos', '--model', 'colours', expect=3)
        self.run_tool('cbir-index', 'build', 'a', '-o', 'a.cbir')
        (self.dir / 'crash.jpg').write_bytes(marked(1, 'crash'))
        lines = ['photos/001.jpg', 'crash.jpg', 'photos/002.jpg']
        asked = '\n'.join(lines).encode() + b'\n'
        for program, args in (('cbir-query', ['a.cbir', '--files-from', '-', '-k', '1']),
                              ('cbir-detect', ['--proposals=grid', '--max', '1', '--files-from', '-'])):
            with self.subTest(program=program):
                done = self.run_tool(program, *args, stdin=asked, expect=3)
                rows = [line.split('\t')[0].split('#')[0] for line in done.stdout.decode().splitlines()]
                self.assertTrue({lines[0], lines[2]} <= set(rows), rows)
                self.assertIn('crash.jpg: ', done.stderr.decode())
                self.assertIn('the decoder crashed (signal 11, SIGSEGV)', done.stderr.decode())
                crashed = self.run_tool(program, *args, '--isolate', 'off', stdin=asked, expect=None)
                self.assertEqual(crashed.returncode, -signal.SIGSEGV)
        served = self.run_tool('cbir-query', 'a.cbir', '--serve-stdin', '-k', '1', expect=3,
                               stdin=''.join(json.dumps({'image': path}) + '\n' for path in lines).encode())
        self.assertEqual(len([line for line in served.stdout.decode().splitlines() if 'photos/' in line]), 2, served)
        pairs = f'{lines[0]}\tcrash.jpg\n{lines[0]}\t{lines[2]}\n'.encode()
        matched = self.run_tool('cbir-match', '--pairs', '-', '--features', 'orb', stdin=pairs, expect=3)
        self.assertIn('crash.jpg: the decoder crashed', matched.stderr.decode())
        self.run_tool('cbir-catalog', 'create', 'shop', '--model', 'colours', '--features', 'orb')
        for args in (('add', 'shop', 'item', *lines), ('identify', 'shop', *lines)):
            said = self.run_tool('cbir-catalog', *args, expect=3).stderr.decode()
            self.assertIn('crash.jpg: decode: the decoder crashed', said)
            self.assertNotIn('photos', said)
        # Local features, of a picture that has changed since.
        (self.dir / 'photos/001.jpg').write_bytes((self.dir / 'crash.jpg').read_bytes())
        kept = self.run_tool('cbir-extract', '-o', 'a', 'photos', '--model', 'colours', '--local', 'orb', '--force', expect=3)
        self.assertIn('the decoder crashed', kept.stderr.decode())
        self.assertEqual(self.left_behind(), [])

    def test_only_misbehaving_pictures(self):
        (self.dir / 'photos').mkdir()
        for i in range(40):
            (self.dir / f'photos/{i}.jpg').write_bytes(marked(i, 'crash'))
        self.assertIn('all 40 items failed', self.error('cbir-extract', '-o', 'a', 'photos', '--model', 'colours', expect=4))

    def start(self, *args):
        return subprocess.Popen([str(BIN / 'cbir-extract'), *args], cwd=self.dir, env=self.environ(), start_new_session=True,
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)

    def wait_for_journal(self, name):
        """Until the first batch is recorded."""
        journal, end = self.dir / f'{name}.state/journal', time.monotonic() + 60
        while not (journal.exists() and journal.stat().st_size > 0) and time.monotonic() < end:
            time.sleep(.01)

    def test_a_signal_to_all_processes_of_the_group(self):
        self.pictures(150)
        args = ['photos', '--model', 'slow', '--batch', '4', '--threads', '2']
        self.run_tool('cbir-extract', '-o', 'whole', *args, expect=3)
        for number in (signal.SIGINT, signal.SIGTERM):
            name = f'a{number}'
            run = self.start('-o', name, *args)
            self.wait_for_journal(name)
            os.killpg(run.pid, number)
            _, said = run.communicate(timeout=60)
            self.assertEqual(run.returncode, 128 + number, said)
            self.assertEqual(self.left_behind(), [])
            self.run_tool('cbir-extract', '-o', name, *args, expect=3)
            self.assertEqual(self.content(name), self.content('whole'))

    def test_nothing_is_left_of_a_run_that_is_killed(self):
        self.pictures(40)
        for where in ('between', 'hanging'):
            with self.subTest(where=where):
                run = self.start('-o', where, 'photos', '--model', 'slow', '--batch', '4')
                if where == 'between':
                    self.wait_for_journal(where)
                run.kill()
                run.communicate()
                self.wait_for_end_of_all()
                (self.dir / 'photos/000-hang.jpg').write_bytes(marked(1, 'hang'))


if __name__ == '__main__':
    main()
