"""A disk that is full: exit status 7, the old index as it was, byte by byte, and no rubbish left."""
import os
import shutil
import subprocess

from cbirtest import BIN, main
from faults import TYPES, IndexFaultTest

LEVELS = 10


class FullDisk(IndexFaultTest):
    def setUp(self):
        super().setUp()
        self.make_set('base', 3000, 1)
        self.make_set('more', 2000, 2)

    def check_failure(self, done, index, before):
        self.assertEqual(done.returncode, 7, done.stderr)
        self.assertIn(b'x.cbir', done.stderr)
        if before is None:
            self.assertFalse(index.exists())
        else:
            self.assertEqual(index.read_bytes(), before)
        self.assertEqual([p.name for p in index.parent.iterdir() if p.name not in ('x.cbir', 'ballast')], [])

    def mount(self, size):
        disk = self.dir / 'disk'
        disk.mkdir(exist_ok=True)
        done = subprocess.run(['mount', '-t', 'tmpfs', '-o', f'size={size}', 'tmpfs', disk], capture_output=True)
        if done.returncode != 0:
            self.skipTest(f'a tmpfs cannot be mounted: {done.stderr.decode().strip()}')
        self.addCleanup(subprocess.run, ['umount', disk], check=True)
        return disk

    def test_small_disk(self):
        """The commands on a small disk that is more and more full already."""
        if os.geteuid() != 0:
            self.skipTest('only root can mount a tmpfs')
        for kind in TYPES:
            self.run_tool('cbir-index', 'build', 'base', '-o', 'old.cbir', '--type', kind, '--force')
            old = (self.dir / 'old.cbir').stat().st_size
            shutil.copy(self.dir / 'old.cbir', self.dir / 'new.cbir')
            self.run_tool('cbir-index', 'add', 'new.cbir', 'more')
            grown = (self.dir / 'new.cbir').stat().st_size - old
            disk = self.mount(4 * (old + grown))
            index = disk / 'x.cbir'
            for args, needed in ((['build', 'base', '-o', index, '--type', kind], old),
                                 (['add', index, 'more'], grown),
                                 (['remove', index, '--where-label', 'odd'], 8192),
                                 (['compact', index], old)):
                before = None
                if args[0] != 'build':
                    shutil.copy(self.dir / 'old.cbir', index)
                    before = index.read_bytes()
                for level in range(LEVELS):
                    free = os.statvfs(disk)
                    room = needed * level // LEVELS // 4096 * 4096
                    (disk / 'ballast').write_bytes(bytes(free.f_bavail * free.f_bsize - room))
                    with self.subTest(type=kind, command=args[0], room=room):
                        self.check_failure(self.run_tool('cbir-index', *args, expect=None), index, before)
                    (disk / 'ballast').unlink()
                self.run_tool('cbir-index', *args)
                self.run_tool('cbir-index', 'verify', index)
                index.unlink()

    def test_limited_file(self):
        """The same without a disk of one's own: the file may not grow beyond a limit."""
        folder = self.dir / 'folder'
        folder.mkdir()
        index = folder / 'x.cbir'
        self.run_tool('cbir-index', 'build', 'base', '-o', index)
        before = index.read_bytes()
        limit = len(before) // 512
        for level in range(LEVELS):
            done = subprocess.run(
                ['sh', '-c', f'ulimit -f {limit + level * 40}; exec "$@"', 'sh', BIN / 'cbir-index', 'add', index, 'more'],
                cwd=self.dir, capture_output=True)
            with self.subTest(level=level):
                self.check_failure(done, index, before)
        self.run_tool('cbir-index', 'add', index, 'more')
        self.assertEqual(self.rows(index), 5000)


if __name__ == '__main__':
    main()
