"""A set that is kept up to date, and runs that are stopped: whatever happens in between, the result is a fresh run's."""
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import numpy as np

from cbirtest import BIN, SOURCE, main
from fakenet import FakeNetTest


def counts(added=0, changed=0, moved=0, deleted=0, unchanged=0):
    return {'added': added, 'changed': changed, 'moved': moved, 'deleted': deleted, 'unchanged': unchanged}


class UpdateTest(FakeNetTest):
    """Ten pictures and a broken one in `in`, and a set of them."""

    def setUp(self):
        super().setUp()
        for i in range(10):
            self.put(f'in/{"even" if i % 2 == 0 else "odd"}/{i}.jpg', i)
        (self.dir / 'in/broken.jpg').write_text('this is no picture')
        self.set_age('in/broken.jpg', 100)

    def extract(self, *args, name='set', expect=3, model='colours', paths=('in',)):
        done = self.run_tool('cbir-extract', '-o', name, '--model', model, '--batch', 4, '--json', *args, *paths,
                             expect=expect)
        return {**json.loads(done.stdout), 'stderr': done.stderr.decode()}

    def update(self, *args, expect=3, **kw):
        return self.extract('--update', *args, expect=expect, **kw)

    def check_fresh(self, name='set', **kw):
        """The set is that of a fresh run."""
        self.extract('--force', name='fresh', expect=None, **kw)
        self.assertEqual(self.content(name), self.content('fresh'))

    def assert_counts(self, report, encoded, **expected):
        self.assertEqual({key: report[key] for key in counts()}, counts(**expected), report['stderr'])
        self.assertEqual(report['encoded'], encoded)
        self.assertIn('{added} added, {changed} changed, {moved} moved, {deleted} deleted, {unchanged} unchanged'.format(
            **report), report['stderr'])

    def written(self):
        """What would tell that something was written."""
        return {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in sorted(self.dir.glob('set.*')) if path.is_file()}


class Update(UpdateTest):
    def test_a_missing_set_is_made(self):
        self.assert_counts(self.update(), encoded=10, added=11)
        self.check_fresh()
        self.assertEqual(sorted(p.name for p in (self.dir / 'set.state').iterdir()),
                         sorted(p.name for p in (self.dir / 'fresh.state').iterdir()))

    def test_nothing_changed(self):
        self.extract()
        before = self.written()
        report = self.update(expect=0)
        self.assert_counts(report, encoded=0, unchanged=11)
        self.assertTrue(report['nothing_to_do'])
        self.assertEqual(self.written(), before)
        # Permissions and the environment's time zone are none of the picture's.
        os.chmod(self.dir / 'in/even/0.jpg', 0o600)
        for zone in ('UTC', 'Pacific/Kiritimati', 'America/St_Johns'):
            self.env['TZ'] = zone
            self.assert_counts(self.update(expect=0), encoded=0, unchanged=11)
        self.assertEqual(self.written(), before)

    def test_every_kind_of_change(self):
        self.update()
        self.put('in/even/00.jpg', 50)                                            # added, and all after it move on
        self.put('in/odd/1.jpg', 51)                                              # changed
        (self.dir / 'in/odd/3.jpg').rename(self.dir / 'in/zebra.jpg')             # moved
        (self.dir / 'in/odd/5.jpg').unlink()                                      # deleted
        shutil.copy(self.dir / 'in/odd/7.jpg', self.dir / 'in/odd/copy.jpg')      # added, but known
        os.utime(self.dir / 'in/odd/9.jpg')                                       # unchanged, though its row says when
        self.assert_counts(self.update(), encoded=2, added=2, changed=1, moved=1, deleted=1, unchanged=8)
        self.check_fresh()
        self.assertEqual({row['seq'] for row in self.rows('set')} | {item['seq'] for item in self.failed('set')},
                         set(range(12)))
        # A plain call sees the same finished set, and so does the next update.
        self.assertTrue(self.extract(expect=0)['nothing_to_do'])
        self.assertTrue(self.update(expect=0)['nothing_to_do'])

    def test_pictures_change_places(self):
        self.update()
        first, second = self.dir / 'in/odd/1.jpg', self.dir / 'in/odd/3.jpg'
        first.rename(self.dir / 'x')
        second.rename(first)
        (self.dir / 'x').rename(second)
        self.assert_counts(self.update(), encoded=0, changed=2, unchanged=9)
        self.check_fresh()

    def test_another_disk(self):
        """All inodes are new: contents are compared once, the set is left alone."""
        self.update()
        before = self.written()
        shutil.copytree(self.dir / 'in', self.dir / 'copy')  # keeps times
        shutil.rmtree(self.dir / 'in')
        (self.dir / 'copy').rename(self.dir / 'in')
        stamps = (self.dir / 'set.state/inputs').read_bytes()
        self.assert_counts(self.update(expect=None), encoded=0, unchanged=11)
        self.assertNotEqual((self.dir / 'set.state/inputs').read_bytes(), stamps)
        self.assertEqual(self.written(), before)
        self.assert_counts(self.update(expect=0), encoded=0, unchanged=11)

    def test_content_behind_an_unchanged_face(self):
        """Same size, time and inode: only --checksum can tell."""
        self.update()
        self.update(expect=0)
        path = self.dir / 'in/odd/1.jpg'
        status, data = path.stat(), bytearray(path.read_bytes())
        data[-20] ^= 1
        with open(path, 'r+b') as file:
            file.write(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.assert_counts(self.update(expect=0), encoded=0, unchanged=11)
        self.assert_counts(self.update('--checksum'), encoded=1, changed=1, unchanged=10)
        self.check_fresh()
        self.assert_counts(self.update('--checksum', expect=None), encoded=0, unchanged=11)

    def test_broken_files(self):
        self.update()
        (self.dir / 'in/odd/new.jpg').write_text('text')
        self.set_age('in/odd/new.jpg', 100)
        self.assert_counts(self.update(), encoded=0, added=1, unchanged=11)
        self.check_fresh()
        reasons = {item['path'] for item in self.failed('set')}
        self.assertEqual(reasons, {'in/broken.jpg', 'in/odd/new.jpg'})
        self.put('in/broken.jpg', 60)
        self.assert_counts(self.update(), encoded=1, changed=1, unchanged=11)
        (self.dir / 'in/even/0.jpg').write_text('not any more')
        self.assert_counts(self.update(), encoded=0, changed=1, unchanged=11)
        self.check_fresh()

    def test_broken_files_are_not_decoded_every_night(self):
        """What was told of an unchanged file stays told, until somebody wants it tried again."""
        self.update()
        state = self.dir / 'set.failed.jsonl'
        state.write_text(state.read_text().replace('"reason":"', '"reason":"as of old: '))
        self.put('in/even/new.jpg', 70)
        self.update()
        self.assertIn('as of old', self.failed('set')[0]['reason'])
        self.assert_counts(self.update('--retry-failed'), encoded=0, unchanged=12)
        self.check_fresh()

    def test_a_picture_that_can_be_read_again(self):
        if os.geteuid() == 0:
            path = self.dir / 'in/odd/1.jpg'
            path.rename(self.dir / 'there.jpg')
            path.symlink_to('../../elsewhere.jpg')  # what root cannot read, either
            self.update()
            (self.dir / 'there.jpg').rename(self.dir / 'elsewhere.jpg')
        else:
            os.chmod(self.dir / 'in/odd/1.jpg', 0)
            self.update()
            os.chmod(self.dir / 'in/odd/1.jpg', 0o644)
        self.assert_counts(self.update(), encoded=1, changed=1, unchanged=10)
        self.check_fresh()

    def test_labels(self):
        table = self.dir / 'labels.tsv'
        table.write_text(''.join(f'{i}.jpg\tno {i}\n' for i in range(10)) + 'broken.jpg\tx\n')
        self.update('--label', 'labels.tsv')
        table.write_text(table.read_text().replace('no 3', 'three'))
        self.assert_counts(self.update('--label', 'labels.tsv'), encoded=0, unchanged=11)
        self.extract('--label', 'labels.tsv', name='fresh')
        self.assertEqual(self.content('set'), self.content('fresh'))
        self.assertIn('three', [row['label'] for row in self.rows('set')])

    def test_other_arguments_are_refused(self):
        self.extract()
        before = self.content('set')
        for args in (['--dtype', 'float16'], ['--alpha', 'drop'], ['--batch', '5'], ['--flip']):
            message = self.error('cbir-extract', '-o', 'set', '--model', 'colours', '--batch', 4, '--update', 'in', *args,
                                 expect=2 if '--batch' in args else 6)
            if '--batch' not in args:
                self.assertIn('--update keeps to the arguments that a set was made with', message)
        self.error('cbir-extract', '-o', 'set', '--update', '--force', 'in', expect=2)
        self.error('cbir-extract', '-o', 'set', '--checksum', 'in', expect=2)
        self.assertEqual(self.content('set'), before)
        np.save(self.dir / 'theirs.npy', np.zeros((2, 4), np.float32))
        self.assertIn('no set that was made here', self.error('cbir-extract', '-o', 'theirs', '--model', 'colours',
                                                              '--update', 'in', expect=7))

    def test_a_folder_that_is_not_mounted(self):
        self.update()
        (self.dir / 'in').rename(self.dir / 'disk')
        (self.dir / 'in').mkdir()
        before = self.content('set')
        self.error('cbir-extract', '-o', 'set', '--model', 'colours', '--batch', 4, '--update', 'in', expect=4)
        self.assertEqual(self.content('set'), before)

    def test_arrays_beside_the_set(self):
        self.update('--npy-labels')
        self.put('in/odd/11.jpg', 80)
        self.update('--npy-labels')
        self.assertEqual(len(np.load(self.dir / 'set_Categories.npy')), 11)
        np.testing.assert_array_equal(np.load(self.dir / 'set_Embeddings.npy'), np.load(self.dir / 'set.npy'))

    def test_boxes(self):
        boxes = ['a\teven/0.jpg\t0\t0\t10\t10', 'b\teven/0.jpg\t3\t4\t20\t18', 'c\tbroken.jpg\t0\t0\t5\t5',
                 'd\todd/1.jpg\t0\t0\t9\t9', 'e\todd/3.jpg\t90\t90\t95\t95']
        (self.dir / 'boxes').write_text('\n'.join(boxes) + '\n')
        self.update('--boxes', 'boxes')
        boxes[1] = 'b\teven/0.jpg\t3\t4\t21\t18'
        self.put('in/odd/1.jpg', 90)
        (self.dir / 'boxes').write_text('\n'.join(['z\todd/5.jpg\t1\t1\t8\t8'] + boxes) + '\n')
        self.assert_counts(self.update('--boxes', 'boxes'), encoded=3, added=1, changed=2, unchanged=3)
        self.extract('--boxes', 'boxes', name='fresh')
        self.assertEqual(self.content('set'), self.content('fresh'))

    def test_texts_are_made_anew(self):
        self.assertIn('about pictures', self.error('cbir-extract', '-o', 'set', '--text-file', '-', '--update', expect=2))

    def test_odd_names(self):
        names = [b'new\nline.jpg', b'tab\t.jpg', b'not\xffutf8.jpg', b'"quotes".jpg', b'x' * 251 + b'.jpg']
        folder = os.fsencode(self.dir / 'in')
        for i, name in enumerate(names):
            self.put('in/plain.jpg', 100 + i)
            os.rename(self.dir / 'in/plain.jpg', os.path.join(folder, name))
        self.update()
        for i, name in enumerate(names):
            os.rename(os.path.join(folder, name), os.path.join(folder, b'%d-' % i + name[-200:]))
        self.assert_counts(self.update(), encoded=0, moved=5, unchanged=11)
        self.check_fresh()

    def test_the_same_path_twice(self):
        paths = ('in/odd', 'in/even/0.jpg', 'in/odd/3.jpg', 'in/odd')
        self.update(paths=paths, expect=0)
        self.assert_counts(self.update(paths=paths, expect=0), encoded=0, unchanged=12)
        self.put('in/odd/3.jpg', 33)
        self.update(paths=paths, expect=0)
        self.check_fresh(paths=paths)


class Times(UpdateTest):
    """Size, time and inode say little of a file that was changed just before it was read, or by another clock."""

    def test_a_change_within_the_same_tick(self):
        path = self.dir / 'in/odd/1.jpg'
        self.put('in/odd/1.jpg', 1, age=0)
        self.update()
        status, data = path.stat(), bytearray(path.read_bytes())
        data[-20] ^= 1
        with open(path, 'r+b') as file:  # as a file system with coarse times would show it
            file.write(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.assert_counts(self.update(), encoded=1, changed=1, unchanged=10)
        self.check_fresh()

    def test_times_in_the_future(self):
        self.put('in/odd/1.jpg', 1, age=-1e6)
        self.update()
        self.assert_counts(self.update(expect=0), encoded=0, unchanged=11)
        self.put('in/odd/1.jpg', 32, age=-1e6)
        self.assert_counts(self.update(), encoded=1, changed=1, unchanged=10)
        self.put('in/odd/1.jpg', 33, age=0)
        self.assert_counts(self.update(), encoded=1, changed=1, unchanged=10)
        self.check_fresh()

    def test_times_go_back(self):
        """A copy of an older picture, with its time, as of a backup: older than the set, and changed."""
        self.update()
        self.put('in/odd/1.jpg', 32, age=1e8)
        self.assert_counts(self.update(), encoded=1, changed=1, unchanged=10)
        os.utime(self.dir / 'in/odd/1.jpg', ns=(-10 ** 9, -10 ** 9))  # before 1970
        self.assert_counts(self.update(), encoded=0, unchanged=11)
        self.check_fresh()


class EveryNight(UpdateTest):
    """The lines of docs/scaling.md, with a faster network."""

    def setUp(self):
        super().setUp()
        self.env['PATH'] = f'{BIN}:{os.environ["PATH"]}'
        self.update()
        self.run_tool('cbir-index', 'build', 'set', '-o', 'set.cbir')
        self.put('in/odd/11.jpg', 80)
        self.document = (SOURCE / 'docs/scaling.md').read_text()

    def run_line(self, line):
        line = line.replace('cbir-extract ', 'cbir-extract --model colours --batch 4 ')
        return subprocess.run(['sh', '-c', line], cwd=self.dir, env=self.environ(), capture_output=True)

    def check(self):
        self.check_fresh()
        self.assertEqual(json.loads(self.run_tool('cbir-index', 'info', 'set.cbir', '--json').stdout)['rows'], 11)

    def test_the_line_for_cron(self):
        line = next(line for line in self.document.splitlines() if line.startswith('    17 3 * * *'))
        line = line.removeprefix('    17 3 * * *').replace('/srv/photos', 'set').replace('/srv/pictures', 'in')
        self.assertNotIn('%', line)  # a newline to cron
        for _ in range(2):
            done = self.run_line(line)
            self.assertEqual((done.returncode, done.stderr), (0, b''))
            self.check()

    def test_the_systemd_units(self):
        text = re.sub('^    ', '', self.document, flags=re.MULTILINE)
        service = text[text.index('[Unit]\nDescription=Keep'):text.index('[Unit]\nDescription=Every')]
        timer = text[text.index('[Unit]\nDescription=Every'):text.index('systemctl --user')]
        self.assertIn('SuccessExitStatus=3\n', service)
        commands = re.findall('^ExecStart=(.*)$', service, re.MULTILINE)
        for command, status in zip(commands, (3, 0), strict=True):
            done = self.run_line(command.replace('%h/photos', 'set').replace('%h/Pictures', 'in'))
            self.assertEqual(done.returncode, status, done.stderr)
        self.check()
        if not shutil.which('systemd-analyze'):
            self.skipTest('systemd-analyze is not here')
        (self.dir / 'photos.service').write_text(service.replace('ExecStart=', f'ExecStart={BIN}/'))
        (self.dir / 'photos.timer').write_text(timer)
        done = subprocess.run(['systemd-analyze', 'verify', './photos.service', './photos.timer'], cwd=self.dir,
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ''))


class Estimate(UpdateTest):
    def estimate(self, *args, name='set', expect=0, model='slow'):
        done = self.run_tool('cbir-extract', '-o', name, '--model', model, '--batch', 4, '--estimate', '--json', *args, 'in',
                             expect=expect)
        return json.loads(done.stdout) if expect == 0 else done.stderr.decode()

    def test_what_a_run_will_take(self):
        for i in range(10, 50):
            self.put(f'in/more/{i}.jpg', i)
        before = sorted(os.listdir(self.dir))
        found = self.estimate('--threads', 2)
        self.assertEqual(sorted(os.listdir(self.dir)), before)
        files = [path for path in (self.dir / 'in').rglob('*') if path.is_file()]
        self.assertEqual((found['images'], found['to_do'], found['bytes']),
                         (51, 51, sum(path.stat().st_size for path in files)))
        # Two batches of four in a tenth of a second, less what a busy machine makes of it.
        self.assertGreater(found['images_per_second'], 1)
        self.assertLess(found['images_per_second'], 81)
        self.assertAlmostEqual(found['seconds'], 51 / found['images_per_second'], delta=1)
        self.assertGreater(found['memory'], 1e6)
        lines = self.run_tool('cbir-extract', '-o', 'set', '--model', 'colours', '--estimate', 'in').stdout.decode()
        self.assertEqual([line.split('\t')[0] for line in lines.splitlines()],
                         ['images', 'bytes', 'to_do', 'images_per_second', 'seconds', 'memory', 'disk', 'disk_free'])
        self.extract('--dtype', 'float16', '--npy-labels')
        written = sum(path.stat().st_size for path in self.dir.glob('set*') if path.is_file())
        found = self.estimate('--dtype', 'float16', '--npy-labels', name='other')
        self.assertGreater(found['disk'], written)
        self.assertLess(found['disk'], written + 100_000)

    def test_an_update_costs_what_changed(self):
        self.update()
        self.put('in/odd/1.jpg', 71)
        self.put('in/odd/11.jpg', 72)
        self.assertEqual(self.estimate('--update', model='colours')['to_do'], 2)

    def test_a_disk_that_is_too_small(self):
        if os.geteuid() != 0:
            self.skipTest('only root can mount a tmpfs')
        disk = self.dir / 'disk'
        disk.mkdir()
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', disk], capture_output=True)
        if done.returncode != 0:
            self.skipTest(f'a tmpfs cannot be mounted: {done.stderr.decode().strip()}')
        self.addCleanup(subprocess.run, ['umount', disk], check=True)
        message = self.estimate(name='disk/new/set', expect=9)
        self.assertIn('are free there', message)
        self.assertEqual(list(disk.iterdir()), [])
        subprocess.run(['mount', '-o', 'remount,size=200k', disk], check=True)
        self.assertEqual(self.estimate(name='disk/new/set')['disk_free'], 200 << 10)


class Stopping(UpdateTest):
    """Runs that are met at work: 38 batches of four on two threads, at most four of which are on their way at a time."""

    def setUp(self):
        super().setUp()
        for i in range(10, 150):
            self.put(f'in/more/{i}.jpg', i)

    def start(self, *args, model='colours'):
        return subprocess.Popen([str(BIN / 'cbir-extract'), '-o', 'set', '--model', model, '--batch', '4', '--threads', '2',
                                 *args, 'in'], cwd=self.dir, env=self.environ(), stdout=subprocess.DEVNULL,
                                stderr=subprocess.PIPE)

    def batches(self):
        """That the journal records."""
        try:
            return (self.dir / 'set.state/journal').stat().st_size // 128
        except FileNotFoundError:  # not begun, or at its very end
            return 0

    def start_and_meet(self, batches, *args, **kw):
        """A run that has recorded so many batches more than were there, or some more, and has a thread that stands still in
        the network until release()."""
        self.hold(batches + 5)  # of the calls before, three may be of batches that wait for one before them
        before = self.batches()
        process = self.start(*args, **kw)
        self.addCleanup(process.__exit__, None, None, None)  # closes its pipes, and waits
        self.addCleanup(process.kill)
        self.wait_for(process, lambda: self.batches() >= before + batches and self.held())
        return process

    def kill(self, process):
        process.send_signal(signal.SIGKILL)
        process.communicate()
        self.assertEqual(process.returncode, -signal.SIGKILL)
        self.release()

    def send(self, process, number):
        """Sends a signal, and waits until it has come."""
        process.send_signal(number)
        pending = re.compile('^(?:Sig|Shd)Pnd:\\s*(\\w+)$', re.MULTILINE)

        def taken():
            masks = pending.findall(Path(f'/proc/{process.pid}/status').read_text())
            return not any(int(mask, 16) & 1 << number - 1 for mask in masks)
        self.wait_for(process, taken)

    def test_signals_end_a_run_in_good_order(self):
        self.extract('--threads', 8, name='whole', model='slow')
        done = 0
        for number in (signal.SIGINT, signal.SIGTERM):
            process = self.start_and_meet(2, model='slow')
            self.send(process, number)
            self.release()
            stderr = process.communicate(timeout=300)[1].decode()
            self.assertEqual(process.returncode, 128 + number, stderr)
            self.assertIn(f'stopped by {number.name} after ', stderr)
            self.assertIn('the same command goes on with the rest', stderr)
            before, done = done, int(stderr.split(' after ')[-1].split()[0])
            self.assertGreater(done, before)
            self.assertLess(done, 151)
            self.assertFalse((self.dir / 'set.json').exists())
        report = self.extract('--threads', 2, model='slow')
        self.assertIn(f'going on after {done} of 151 items', report['stderr'])
        self.assertEqual((report['resumed'], report['encoded']), (done, 150 - max(0, done - 1)))  # one is broken
        self.assertEqual(self.content('set'), self.content('whole'))

    def test_a_second_signal_ends_it_at_once(self):
        process = self.start_and_meet(2)
        self.send(process, signal.SIGTERM)
        process.send_signal(signal.SIGTERM)  # a run that stands still does not end in good order
        stderr = process.communicate(timeout=300)[1]
        self.assertEqual(process.returncode, 128 + signal.SIGTERM, stderr)
        self.assertNotIn(b'stopped by', stderr)

    def test_an_ignored_signal_stays_ignored(self):
        self.hold(3)
        process = subprocess.Popen(['nohup', 'sh', '-c', 'trap "" INT; exec "$@"', 'sh', str(BIN / 'cbir-extract'), '-o', 'set',
                                    '--model', 'colours', '--batch', '4', '--threads', '1', 'in'], cwd=self.dir,
                                   env=self.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.wait_for(process, lambda: self.batches() == 2)
        process.send_signal(signal.SIGINT)
        self.release()
        self.assertEqual((process.communicate(timeout=300)[1], process.returncode)[1], 3)

    def test_updates_that_are_killed(self):
        """Killed again and again while files change, an update still gets done, and encodes few pictures more than once."""
        self.extract()
        for i in range(100):
            self.put(f'in/early/{i}.jpg', 200 + i)
        before = self.content('set')
        self.encoded()
        for turn in range(4):
            self.kill(self.start_and_meet(1, '--update'))
            self.assertEqual(self.content('set'), before)  # the old set stays
            self.put(f'in/a-new-one-{turn}.jpg', 300 + turn)  # at the beginning of the list
        report = self.update()
        self.assertEqual({key: report[key] for key in counts()}, counts(added=104, unchanged=151))
        self.assertLessEqual(self.encoded(), 104 + 4 * 12)
        self.check_fresh()
        self.assertEqual(sorted(p.name for p in (self.dir / 'set.state').iterdir()),
                         ['arguments', 'arithmetic', 'finished', 'inputs', 'lock'])

    def test_a_first_run_that_is_killed_every_night(self):
        """It gets done although the list is never the same: what was recorded is not encoded again."""
        done = 0
        for turn in range(3):
            self.hold(8)
            process = self.start('--update')
            self.wait_for(process, lambda: self.batches() >= done // 4 + 3)
            self.kill(process)
            done = self.batches() * 4
            self.put(f'in/0-{turn}.jpg', 400 + turn)
        report = self.update()
        self.assertLessEqual(report['encoded'], 154 - done)
        self.assertIn('what it did is used', report['stderr'])
        self.check_fresh()

    def test_what_was_finished_is_not_done_twice(self):
        """Killed while one thread is at work on a batch, and the other has done all that may wait for that."""
        self.hold(1, 1)
        process = self.start()
        kept = self.dir / 'set.state/early'
        self.wait_for(process, lambda: kept.exists() and sum(path.stat().st_size > 0 for path in kept.iterdir()) == 3)
        self.kill(process)
        before = self.encoded()
        self.assertGreaterEqual(before, 3 * 4 - 1)  # one is broken
        report = self.extract('--threads', 2)
        self.assertEqual((report['encoded'], report['resumed']), (self.encoded(), before + (before % 4 != 0)))
        self.assertEqual(before + report['encoded'], 150)
        self.check_fresh()

    def test_one_run_at_a_time(self):
        process = self.start_and_meet(1, '--update')
        self.error('cbir-extract', '-o', 'set', '--model', 'colours', '--batch', 4, '--update', 'in', expect=8)
        process.kill()
        process.communicate()


if __name__ == '__main__':
    main()
