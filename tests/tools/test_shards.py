"""A list extracted in parts, by tasks of their own, and joined; an index that follows its set."""
import json
import os
import shutil
import subprocess

import numpy as np

from cbirtest import BIN, SOURCE, main
from fakenet import FakeNetTest


class Shards(FakeNetTest):
    """Twenty pictures and a broken one; `whole` is a set of them all."""
    N = 3

    def setUp(self):
        super().setUp()
        for i in range(20):
            self.put(f'in/{"ab"[i % 2]}/{i}.jpg', i)
        (self.dir / 'in/broken.jpg').write_text('this is no picture')
        self.extract('-o', 'whole')

    def extract(self, *args, expect=(0, 3)):
        done = self.run_tool('cbir-extract', '--model', 'colours', *args, 'in', expect=None)
        self.assertIn(done.returncode, expect, done.stderr)

    def shards(self, n=N):
        for i in range(1, n + 1):
            self.extract('-o', 'set', '--shard', f'{i}/{n}')

    def index(self, *args, expect=0):
        return self.run_tool('cbir-index', *args, expect=expect)

    def whole_index(self):
        self.index('build', 'whole', '-o', 'whole.cbir')
        return (self.dir / 'whole.cbir').read_bytes()

    def test_parts_make_up_the_list(self):
        self.shards()
        rows = {row['seq']: (row, vector.tobytes()) for i in range(1, 4)
                for row, vector in zip(self.rows(f'set.{i}-of-3'), np.load(self.dir / f'set.{i}-of-3.npy'))}
        whole = {row['seq']: (row, vector.tobytes()) for row, vector in zip(self.rows('whole'), np.load(self.dir / 'whole.npy'))}
        self.assertEqual(rows, whole)
        failed = [item for i in range(1, 4) for item in self.failed(f'set.{i}-of-3')]
        self.assertEqual(failed, self.failed('whole'))
        # The part of a path is a matter of its bytes alone.
        parts = {row['path']: i for i in range(1, 4) for row in self.rows(f'set.{i}-of-3')}
        for i in range(1, 4):
            self.run_tool('cbir-extract', '--model', 'colours', '-o', 'a', '--shard', f'{i}/3', 'in/a')
            self.assertEqual({row['path'] for row in self.rows(f'a.{i}-of-3')},
                             {path for path, part in parts.items() if part == i and path.startswith('in/a/')})

    def test_build_joins_parts_in_any_order(self):
        whole = self.whole_index()
        self.shards()
        for names in (['set.2-of-3', 'set.3-of-3.npy', 'set.1-of-3.json'], ['set.*-of-3']):
            self.index('build', *names, '-o', 'x.cbir', '--force')
            self.assertEqual((self.dir / 'x.cbir').read_bytes(), whole)
        self.assertNotIn(b'shards', self.index('info', 'x.cbir').stdout)

    def test_merge_joins_indexes_of_parts(self):
        whole = self.whole_index()
        self.shards()
        for i in (1, 2, 3):
            self.index('build', f'set.{i}-of-3', '-o', f'{i}.cbir', '--partial')
        self.assertIn(b'shards.parts\t[2]\nshards.of\t3\n', self.index('info', '2.cbir').stdout)
        self.index('merge', '3.cbir', '1.cbir', '2.cbir', '-o', 'x.cbir')
        self.assertEqual((self.dir / 'x.cbir').read_bytes(), whole)
        self.index('merge', '3.cbir', '1.cbir', '-o', 'two.cbir', '--partial')
        self.index('merge', '2.cbir', 'two.cbir', '-o', 'x.cbir', '--force')
        self.assertEqual((self.dir / 'x.cbir').read_bytes(), whole)
        message = self.error('cbir-index', 'merge', '3.cbir', '2.cbir', '-o', 'y.cbir', expect=4)
        self.assertIn('of 3 parts 1 is missing', message)
        self.index('verify', 'two.cbir')
        self.assertIn('waits to be merged', self.error('cbir-index', 'add', 'two.cbir', 'whole', expect=6))

    def test_missing_and_foreign_parts(self):
        self.shards()
        for name, args in (('1 is missing: set.2-of-3', ['set.1-of-3', 'set.3-of-3']),
                           ('2 are missing: set.1-of-3, set.2-of-3', ['set.3-of-3'])):
            self.assertIn(name, self.error('cbir-index', 'build', *args, '-o', 'x.cbir', expect=4))
        (self.dir / 'set.2-of-3.json').unlink()
        self.assertIn('1 is missing: set.2-of-3', self.error('cbir-index', 'build', 'set.*-of-3', '-o', 'x.cbir', expect=4))
        self.index('build', 'set.*-of-3', '-o', 'x.cbir', '--partial')
        self.assertIn('none of the parts', self.error('cbir-index', 'build', 'no.*-of-3', '-o', 'y.cbir', expect=4))
        self.assertIn('is none', self.error('cbir-index', 'build', 'set.1-of-3', 'whole', '-o', 'y.cbir', expect=6))
        self.assertIn('both hold part 1', self.error('cbir-index', 'build', 'set.1-of-3', 'set.1-of-3', '-o', 'y.cbir', expect=6))
        # A picture comes between two tasks: their lists are not the same.
        self.put('in/a/new.jpg', 40)
        self.extract('-o', 'set', '--shard', '2/3', '--force')
        message = self.error('cbir-index', 'build', 'set.*-of-3', '-o', 'y.cbir', expect=6)
        self.assertIn('parts of different lists (3 parts of 21 items, 3 of 22 items)', message)
        # An update of all parts makes them one again.
        for i in (1, 2, 3):
            self.extract('-o', 'set', '--shard', f'{i}/3', '--update')
        self.extract('-o', 'whole', '--update')
        self.index('build', 'set.*-of-3', '-o', 'y.cbir')
        self.assertEqual((self.dir / 'y.cbir').read_bytes(), self.whole_index())

    def test_parts_without_pictures(self):
        """More parts than pictures: some are empty, one has the broken one alone; all are done."""
        whole = self.whole_index()
        self.shards(40)
        self.assertIn(0, [len(self.rows(f'set.{i}-of-40')) for i in range(1, 41)])
        self.index('build', 'set.*-of-40', '-o', 'x.cbir')
        self.assertEqual((self.dir / 'x.cbir').read_bytes(), whole)

    def test_usage(self):
        for part in ('0/3', '4/3', '1', '1/0', 'a/b', '1/3/4', '-1/3', '1/1000001'):
            self.error('cbir-extract', '-o', 'set', '--model', 'colours', f'--shard={part}', 'in', expect=2)

    def test_texts_and_boxes(self):
        (self.dir / 'boxes').write_text(''.join(f'{i}\ta/{i % 20 // 2 * 2}.jpg\t0\t0\t{i + 3}\t9\n' for i in range(15)))
        for n in ([], ['--shard', '1/2'], ['--shard', '2/2']):
            self.run_tool('cbir-extract', '--model', 'colours', '-o', 'boxes', '--boxes', 'boxes', 'in', *n)
        for names, out in ((['boxes'], 'a'), (['boxes.*-of-2'], 'b')):
            self.index('build', *names, '-o', f'{out}.cbir')
        self.assertEqual((self.dir / 'a.cbir').read_bytes(), (self.dir / 'b.cbir').read_bytes())

    def test_gnu_parallel(self):
        """As docs/scaling.md has it."""
        if not shutil.which('parallel'):
            self.skipTest('GNU parallel is not here')
        whole = self.whole_index()
        lines = (SOURCE / 'docs/scaling.md').read_text().splitlines()
        command = next(line for line in lines if line.startswith('    parallel '))
        command = command.replace('-o photos', '-o set --model colours').replace('~/Pictures', 'in')
        subprocess.run(['bash', '-c', command], cwd=self.dir, check=True, capture_output=True,
                       env={**self.environ(), 'PATH': f'{BIN}:{os.environ["PATH"]}', 'SHELL': '/bin/bash', 'HOME': str(self.dir / '.net')})
        self.index('build', 'set.*-of-4', '-o', 'x.cbir')
        self.assertEqual((self.dir / 'x.cbir').read_bytes(), whole)


class Sync(FakeNetTest):
    """An index of ten pictures that follows its set."""

    def setUp(self):
        super().setUp()
        for i in range(10):
            self.put(f'in/{i}.jpg', i)
        self.update()
        self.run_tool('cbir-index', 'build', 'set', '-o', 'x.cbir')

    def update(self, *args):
        self.run_tool('cbir-extract', '-o', 'set', '--model', 'colours', '--update', *args, 'in')

    def sync(self, *names):
        return self.run_tool('cbir-index', 'sync', 'x.cbir', *(names or ['set'])).stdout.decode()

    def index_rows(self):
        self.run_tool('cbir-index', 'export', 'x.cbir', '-o', 'out', '--force')
        self.run_tool('cbir-index', 'verify', 'x.cbir')
        return {(row['path'], row['xxh3'], vector.tobytes()) for row, vector in
                zip(self.rows('out'), np.load(self.dir / 'out.npy'))}

    def set_rows(self):
        return {(row['path'], row['xxh3'], vector.tobytes()) for row, vector in
                zip(self.rows('set'), np.load(self.dir / 'set.npy'))}

    def ids(self):
        lines = [json.loads(line) for line in self.run_tool(
            'cbir-query', 'x.cbir', 'in/2.jpg', '-k', 50, '--format', 'jsonl').stdout.splitlines()]
        return {line['path']: line['id'] for line in lines}

    def test_nothing_to_do(self):
        before = (self.dir / 'x.cbir').stat()
        self.put('in/1.jpg', 1, age=0)  # touched
        self.update()
        self.assertIn('0 added, 0 changed, 0 moved, 0 removed, 10 unchanged; 10 rows', self.sync())
        after = (self.dir / 'x.cbir').stat()
        self.assertEqual((before.st_mtime_ns, before.st_size, before.st_ino), (after.st_mtime_ns, after.st_size, after.st_ino))

    def test_changes_are_carried_over(self):
        before = self.ids()
        self.put('in/00.jpg', 20)
        self.put('in/1.jpg', 21)
        (self.dir / 'in/3.jpg').rename(self.dir / 'in/zebra.jpg')
        (self.dir / 'in/5.jpg').unlink()
        self.update()
        self.assertIn('1 added, 1 changed, 1 moved, 1 removed, 7 unchanged; 10 rows', self.sync())
        self.assertEqual(self.index_rows(), self.set_rows())
        after = self.ids()
        kept = {f'in/{i}.jpg' for i in (0, 2, 4, 6, 7, 8, 9)}
        self.assertEqual({path: after[path] for path in kept}, {path: before[path] for path in kept})
        self.assertFalse({after[path] for path in after.keys() - kept} & set(before.values()))
        self.assertIn('0 added, 0 changed, 0 moved, 0 removed, 10 unchanged', self.sync())

    def test_only_removals(self):
        (self.dir / 'in/5.jpg').unlink()
        self.update()
        self.assertIn('1 removed, 9 unchanged', self.sync())
        self.assertEqual(self.index_rows(), self.set_rows())

    def test_labels(self):
        self.update('--label', 'none')
        self.assertIn('0 added, 10 changed, 0 moved, 0 removed, 0 unchanged', self.sync())
        self.assertEqual(self.index_rows(), self.set_rows())

    def test_sets_of_parts(self):
        for i in (1, 2):
            self.run_tool('cbir-extract', '-o', 'set', '--model', 'colours', '--shard', f'{i}/2', 'in')
        self.assertIn('10 unchanged', self.sync('set.*-of-2'))
        self.assertIn('1 is missing', self.error('cbir-index', 'sync', 'x.cbir', 'set.1-of-2', expect=4))

    def test_what_does_not_belong_together(self):
        np.save(self.dir / 'other.npy', np.ones((2, 4), np.float32))
        self.error('cbir-index', 'sync', 'x.cbir', 'other', expect=6)
        self.error('cbir-index', 'sync', 'no.cbir', 'set', expect=4)
        self.error('cbir-index', 'sync', 'x.cbir', 'no', expect=4)

    def test_every_type(self):
        for seed, kind in enumerate(('ivf', 'hnsw', 'lsh'), 50):
            self.run_tool('cbir-index', 'build', 'set', '-o', 'x.cbir', '--type', kind, '--force')
            self.put(f'in/{kind}.jpg', seed)
            (self.dir / 'in/2.jpg').unlink()
            self.put('in/2.jpg', 10 + seed)
            self.update()
            self.assertIn('1 added, 1 changed', self.sync())
            self.assertEqual(self.index_rows(), self.set_rows())


if __name__ == '__main__':
    main()
