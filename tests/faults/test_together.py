"""Several at once: writers exclude each other, readers neither wait nor see half a change."""
import fcntl
import subprocess

import numpy as np

from cbirtest import BIN, main
from faults import ATTEMPTS, TYPES, IndexFaultTest


class Together(IndexFaultTest):
    def start(self, program, *args):
        return subprocess.Popen([str(BIN / program), *map(str, args)], cwd=self.dir, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE)

    def test_writers(self):
        """Of writers that come at once each is either refused (8) or done (0), and what is done is there."""
        self.make_set('base', 100, 1)
        self.run_tool('cbir-index', 'build', 'base', '-o', 'x.cbir')
        expected = 100
        for turn in range(ATTEMPTS):
            writers = {}
            for writer in range(6):
                name = f'set-{turn}-{writer}'
                self.make_set(name, 200, turn * 10 + writer)
                writers[name] = self.start('cbir-index', 'add', 'x.cbir', name)
            compacting = self.start('cbir-index', 'compact', 'x.cbir')
            done = []
            for name, process in writers.items():
                stderr = process.communicate()[1]
                self.assertIn(process.returncode, (0, 8), stderr)
                if process.returncode == 8:
                    self.assertIn(b'locked by another run', stderr)
                else:
                    done.append(name)
            compacting.communicate()
            self.assertIn(compacting.returncode, (0, 8))
            expected += 200 * len(done)
            self.assertEqual(self.rows(), expected)
            for name in done:
                self.run_tool('cbir-query', 'x.cbir', '--path', f'{name}/7.jpg')
        # Whether those met is chance; this one is always met.
        with open(self.dir / 'x.cbir') as index:
            fcntl.flock(index, fcntl.LOCK_EX)
            for args in (['add', 'x.cbir', 'base'], ['compact', 'x.cbir']):
                self.assertIn('locked by another run', self.error('cbir-index', *args, expect=8))
        self.assertEqual(self.rows(), expected)

    def test_readers(self):
        """Ten readers, while the index grows, shrinks and is compacted: every answer is that of one generation."""
        for kind in TYPES:
            base = self.make_set('base', 500, 1)
            np.save(self.dir / 'q.npy', base[:3])
            self.run_tool('cbir-index', 'build', 'base', '-o', 'x.cbir', '--type', kind, '--force')
            sets = [f'more-{i}' for i in range(6)]
            for i, name in enumerate(sets):
                self.make_set(name, 300, 10 + i)

            def answer():
                return self.run_tool('cbir-query', 'x.cbir', '--vectors', 'q.npy', '-k', '5').stdout

            # The answers that there can be: one a generation; the first rows of base are always there.
            steps = [(['add', 'x.cbir', name]) for name in sets]
            steps += [['remove', 'x.cbir', '--path', 'more-0/5.jpg'], ['compact', 'x.cbir'],
                      ['remove', 'x.cbir', '--path', 'more-1/5.jpg', '--path', 'base/499.jpg'], ['compact', 'x.cbir']]
            readers, seen = [], []

            def look():
                for reader in list(readers):
                    if reader.poll() is None:
                        continue
                    stdout, stderr = reader.communicate()
                    self.assertEqual(reader.returncode, 0, stderr)
                    seen.append(stdout)
                    readers.remove(reader)
                while len(readers) < 10:
                    readers.append(self.start('cbir-query', 'x.cbir', '--vectors', 'q.npy', '-k', '5'))

            allowed = {answer()}
            for step in steps:
                writer = self.start('cbir-index', *step)
                while writer.poll() is None:
                    look()
                self.assertEqual(writer.returncode, 0, writer.stderr.read())
                writer.communicate()
                allowed.add(answer())
            look()
            for reader in readers:
                stdout, stderr = reader.communicate()
                self.assertEqual(reader.returncode, 0, stderr)
                seen.append(stdout)
            self.assertGreaterEqual(len(seen), 10)
            self.assertLessEqual(set(seen), allowed)
            self.rows()


if __name__ == '__main__':
    main()
