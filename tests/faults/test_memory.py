"""Under a memory limit, a cgroup's, runs are as wide as fits: the rows are those of a run without a limit, and the system need not
end anybody. What does not fit at all is said at once.

CBIR_FAULTS=100 takes pictures of 48 million pixels, and limits of 1.5, 1 and .7 GB; otherwise all is half as large."""
import json
import os
import resource
import subprocess
import time
from pathlib import Path

from PIL import Image

from cbirtest import BIN, main
from fake_encoder import preset, safetensors
from fakenet import FakeNetTest

MIB = 1 << 20
MANY = int(os.environ.get('CBIR_FAULTS', '0')) >= 100


class Cgroup:
    """A memory cgroup of one's own, of either version; `folder` is None where none can be made."""

    def __init__(self, limit):
        self.folder = None
        for root, name, self.version in ((Path('/sys/fs/cgroup/memory'), 'memory.limit_in_bytes', 1),
                                         (Path('/sys/fs/cgroup'), 'memory.max', 2)):
            folder = root / f'cbir-test-{os.getpid()}-{time.monotonic_ns()}'
            try:
                folder.mkdir()
            except OSError:
                continue
            try:
                (folder / name).write_text(str(limit))
                self.folder = folder
                return
            except OSError:
                folder.rmdir()

    def enter(self):
        (self.folder / 'cgroup.procs').write_text('0')

    def kills(self):
        """How often the system ended a process for its memory."""
        text = (self.folder / ('memory.oom_control' if self.version == 1 else 'memory.events')).read_text()
        return int(dict(line.split() for line in text.splitlines())['oom_kill'])

    def remove(self):
        if not self.folder:
            return
        for _ in range(200):  # what has ended may not be gone yet
            try:
                return self.folder.rmdir()
            except OSError:
                time.sleep(.05)


class MemoryLimit(FakeNetTest):
    def setUp(self):
        super().setUp()
        cgroup = Cgroup(100 * MIB)
        cgroup.remove()
        if not cgroup.folder:
            self.skipTest('no memory cgroup can be made here')
        plugins = self.dir / '.plugins'
        plugins.mkdir()
        for library in (Path(self.env['CBIR_PLUGIN_DIR']) / 'libcbir_nets.so', BIN.parent / 'lib/libcbir_codecs.so'):
            (plugins / library.name).symlink_to(library)
        self.env['CBIR_PLUGIN_DIR'] = str(plugins)

    def add_network(self, name, **tensors):
        (self.dir / f'.net/models/{name}.safetensors').write_bytes(safetensors(**tensors))
        (self.dir / f'.net/presets/{name}.json').write_text(json.dumps(preset(name)))

    def run_within(self, limit, *args, expect):
        """Runs cbir-extract below a limit. Nobody may be ended for it. Returns standard error and seconds of processor
        time."""
        cgroup = Cgroup(limit)
        try:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            done = subprocess.run([str(BIN / 'cbir-extract'), *args], cwd=self.dir, env=self.environ(), capture_output=True,
                                  preexec_fn=cgroup.enter, timeout=600)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            self.assertEqual(cgroup.kills(), 0)
        finally:
            cgroup.remove()
        self.assertEqual(done.returncode, expect, done.stderr.decode(errors='replace'))
        return done.stderr.decode(errors='replace'), seconds

    def test_large_pictures(self):
        """Each takes 70 MB to decode, or 140 MB if it is progressive; eight at once would take more than 800 MB."""
        size, limits = ((8000, 6000), (1500, 1000, 700)) if MANY else ((5600, 4200), (750, 400))
        (self.dir / 'photos').mkdir()
        for i in range(8):
            picture = Image.linear_gradient('L').resize(size).convert('RGB')
            picture.paste((30 * i, 200 - 20 * i, 100), (0, 0, 4000, 3000))
            picture.save(self.dir / f'photos/{i}.jpg', quality=60, progressive=i % 2 == 1)
        args = ('photos', '--model', 'colours', '--batch', '1', '--threads', '8')
        self.run_tool('cbir-extract', '-o', 'free', *args)
        for limit in limits:
            with self.subTest(limit=limit):
                name = f'a{limit}'
                self.run_within(limit * MIB, '-o', name, *args, expect=0)
                self.assertEqual(self.content(name), self.content('free'))

    def test_local_features_of_large_pictures(self):
        """Eight threads would take 2 GB to look at them."""
        (self.dir / '.plugins/libcbir_vision.so').symlink_to(BIN.parent / 'lib/libcbir_vision.so')
        (self.dir / 'photos').mkdir()
        for i in range(4):
            Image.effect_noise((700, 525), 60 + i).resize((5600, 4200)).convert('RGB').save(
                self.dir / f'photos/{i}.jpg', quality=60, progressive=True)
        args = ('photos', '--model', 'colours', '--batch', '1', '--threads', '8', '--local', 'sift')
        self.run_tool('cbir-extract', '-o', 'free', *args)
        said, _ = self.run_within(900 * MIB, '-v', '-o', 'narrow', *args, expect=0)
        self.assertRegex(said, "finding features 'sift' takes .* for a picture: [1-7] of 8 threads")
        self.assertEqual((self.dir / 'narrow.local').read_bytes(), (self.dir / 'free.local').read_bytes())
        said, _ = self.run_within(450 * MIB, '-o', 'none', *args, expect=9)
        self.assertRegex(said, "finding features 'sift', one picture at a time, takes about .* of memory")

    def test_a_large_network(self):
        """It takes 150 MB a thread."""
        self.add_network('wide', scratch=150, delay=50)
        for i in range(16):
            self.put(f'photos/{i:02}.jpg', i)
        args = ('photos', '--model', 'wide', '--batch', '2', '--threads', '8')
        self.run_tool('cbir-extract', '-o', 'free', *args)
        for limit in (1000, 400):
            with self.subTest(limit=limit):
                name = f'a{limit}'
                said, _ = self.run_within(limit * MIB, '-v', '-o', name, *args, expect=0)
                self.assertIn('of 8 threads', said)
                self.assertEqual(self.content(name), self.content('free'))

    def test_what_does_not_fit(self):
        self.add_network('wider', scratch=250)
        self.put('photos/1.jpg', 1)
        said, seconds = self.run_within(300 * MIB, '-o', 'a', 'photos', '--model', 'wider', expect=9)
        self.assertIn("'wider'", said)
        self.assertIn('whose limit is 315 MB', said)
        self.assertLess(seconds, 10)

    def test_weights_that_do_not_fit(self):
        """A file of 105 MB of which three times as much is made."""
        size = 100 * MIB
        header = json.dumps({'hoard': {'dtype': 'U8', 'shape': [300, 0], 'data_offsets': [0, 0]},
                             'weights': {'dtype': 'U8', 'shape': [size], 'data_offsets': [0, size]}}).encode()
        with open(self.dir / '.net/models/heavy.safetensors', 'wb') as file:
            file.write(len(header).to_bytes(8, 'little') + header)
            file.truncate(8 + len(header) + size)
        (self.dir / '.net/presets/heavy.json').write_text(json.dumps(preset('heavy')))
        self.put('photos/1.jpg', 1)
        said, seconds = self.run_within(250 * MIB, '-o', 'a', 'photos', '--model', 'heavy', expect=9)
        self.assertIn("loading encoder 'heavy' takes more memory than", said)
        self.assertIn('whose limit is 262 MB', said)
        self.assertLess(seconds, 10)
        self.run_within(700 * MIB, '-o', 'a', 'photos', '--model', 'heavy', expect=0)

    def test_a_picture_that_does_not_fit_is_tried_again_where_there_is_more(self):
        (self.dir / 'photos').mkdir()
        Image.new('1', (12000, 9000)).save(self.dir / 'photos/large.png')
        self.put('photos/small.jpg', 1)
        self.set_age('photos/large.png', 100)
        self.run_within(400 * MIB, '-o', 'a', 'photos', '--model', 'colours', expect=3)
        failed, = self.failed('a')
        self.assertRegex(failed['reason'], '^out of memory: decoding takes about .* and .* are there')
        self.run_tool('cbir-extract', '-o', 'a', 'photos', '--model', 'colours', '--update')
        self.assertEqual(self.failed('a'), [])


if __name__ == '__main__':
    main()
