"""cbir-dedup as a user runs it."""
import json
import os
import re
import subprocess
import unittest

import numpy as np
from PIL import Image

from cbirtest import BIN, SHARED, ToolTest, main, need, xxh3


def at(*degrees):
    """Unit vectors at these angles."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)


class Dedup(ToolTest):
    def make(self, name, vectors, rows):
        """A set of these vectors and rows (dicts)."""
        np.save(self.dir / f'{name}.npy', np.asarray(vectors, np.float32))
        lines = ''.join(json.dumps(row, separators=(',', ':')) + '\n' for row in rows)
        (self.dir / f'{name}.rows.jsonl').write_text(lines)
        manifest = {'format': 'cbir embedding set', 'version': 1, 'rows': len(rows), 'dim': np.shape(vectors)[1], 'dtype': 'float32',
                    'metric': 'cosine', 'normalization': 'l2', 'failed': 0, 'npy_xxh3': xxh3((self.dir / f'{name}.npy').read_bytes()),
                    'rows_xxh3': xxh3(lines.encode())}
        manifest['xxh3'] = xxh3(json.dumps(manifest, separators=(',', ':')).encode())
        (self.dir / f'{name}.json').write_text(json.dumps(manifest, indent=2))

    def photos(self):
        """Two groups, of three and of two, and a row that is alone."""
        self.make('photos', at(0, 90, 2, 180, 3, 91), [
            {'path': 'a.jpg', 'bytes': 10, 'mtime': 3, 'width': 4, 'height': 4},
            {'path': 'tab\there\n.jpg', 'bytes': 10, 'mtime': 2, 'width': 4, 'height': 4},
            {'path': 'c.jpg', 'bytes': 10, 'mtime': 1, 'width': 8, 'height': 4},
            {'path': 'alone.jpg'},
            {'path': 'e.jpg', 'label': 'cat', 'bytes': 11, 'mtime': 1, 'width': 4, 'height': 8},
            {'path': '-rf', 'bytes': 12, 'mtime': 9, 'width': 4, 'height': 4}])

    def test_groups(self):
        self.photos()
        cos = [f'{np.cos(np.radians(d)):.6f}' for d in range(4)]
        self.assertEqual(self.out('cbir-dedup', 'photos'),
                         f'1\tkeep\t1.000000\t{cos[3]}\te.jpg\n1\tduplicate\t{cos[3]}\t{cos[3]}\ta.jpg\n'
                         f'1\tduplicate\t{cos[1]}\t{cos[3]}\tc.jpg\n'
                         f'2\tkeep\t1.000000\t{cos[1]}\t-rf\n2\tduplicate\t{cos[1]}\t{cos[1]}\ttab\\there\\n.jpg\n')

    def test_paths_for_xargs(self):
        self.photos()
        self.assertEqual(self.run_tool('cbir-dedup', '-0', 'photos').stdout, b'a.jpg\0c.jpg\0tab\there\n.jpg\0')
        self.assertEqual(self.run_tool('cbir-dedup', '-0', 'photos', '--keep', 'oldest').stdout, b'a.jpg\0e.jpg\0-rf\0')
        self.assertEqual(self.run_tool('cbir-dedup', '-0', 'photos', '--keep', 'first').stdout, b'c.jpg\0e.jpg\0-rf\0')
        for name in ('a.jpg', 'c.jpg', 'e.jpg', '-rf', 'alone.jpg', 'tab\there\n.jpg'):
            (self.dir / name).write_text(name)
        subprocess.run(f'{BIN}/cbir-dedup -0 photos | xargs -0 rm --', shell=True, cwd=self.dir, check=True)
        left = {name for name in os.listdir(self.dir) if not name.startswith('photos.')}
        self.assertEqual(left, {'e.jpg', 'alone.jpg', '-rf'})

    def test_json_lines(self):
        self.photos()
        groups = [json.loads(line) for line in self.out('cbir-dedup', 'photos', '--format', 'jsonl').splitlines()]
        self.assertEqual(groups[0]['keep'], {'id': 4, 'score': 1, 'path': 'e.jpg', 'label': 'cat', 'bytes': 11, 'mtime': 1, 'width': 4,
                                             'height': 8})
        self.assertEqual([row['path'] for row in groups[0]['duplicates']], ['a.jpg', 'c.jpg'])
        self.assertEqual([group['group'] for group in groups], [1, 2])
        self.make('more', at(179), [{'path_b64': 'bm90/3V0Zg=='}])
        groups = [json.loads(line) for line in self.out('cbir-dedup', 'photos', 'more', '--format', 'jsonl').splitlines()]
        self.assertEqual(groups[2]['keep'], {'source': 'photos', 'id': 3, 'score': 1, 'path': 'alone.jpg'})
        self.assertEqual(groups[2]['duplicates'][0]['path_b64'], 'bm90/3V0Zg==')
        self.assertEqual(groups[2]['duplicates'][0]['source'], 'more')

    def test_an_index_and_thresholds(self):
        self.photos()
        self.out('cbir-index', 'build', 'photos', '-o', 'photos.cbir')
        self.assertEqual(self.out('cbir-dedup', 'photos.cbir'), self.out('cbir-dedup', 'photos'))
        pairs = self.out('cbir-dedup', 'photos.cbir', '-t', np.cos(np.radians(1.5)))
        self.assertEqual(re.findall('keep.*\t(.*)', pairs), ['-rf', 'e.jpg'])
        everything = self.out('cbir-dedup', 'photos', '--metric', 'l2', '-t', -4)
        self.assertEqual(everything.count('\n'), 6)
        self.assertEqual(everything.count('keep'), 1)

    def test_against(self):
        self.photos()
        self.make('have', at(91.5, 181), [{'path': 'x.jpg'}, {'path': 'y.jpg'}])
        found = [line.split('\t') for line in self.out('cbir-dedup', 'photos', '--against', 'have').splitlines()]
        self.assertEqual([[f[0], f[1], f[4]] for f in found],
                         [['1', 'keep', 'x.jpg'], ['1', 'duplicate', 'tab\\there\\n.jpg'], ['1', 'duplicate', '-rf'],
                          ['2', 'keep', 'y.jpg'], ['2', 'duplicate', 'alone.jpg']])

    def test_nothing_found(self):
        self.make('s', at(0, 90), [{'path': 'a'}, {'path': 'b'}])
        done = self.run_tool('cbir-dedup', 's')
        self.assertEqual((done.stdout, done.stderr), (b'', b'cbir-dedup: warning: no two rows score 0.95 or more\n'))
        np.save(self.dir / 'bare.npy', at(0, 1))
        done = self.run_tool('cbir-dedup', 'bare.npy')
        self.assertEqual(done.stdout.decode().split('\t')[-1], '1\n')
        self.assertIn(b'no row says what --keep largest goes by', done.stderr)

    def test_the_same_file_is_not_offered(self):
        (self.dir / 'a').write_text('x')
        (self.dir / 'link').symlink_to('a')
        self.make('s', at(0, 1, 2), [{'path': 'link'}, {'path': 'a'}, {'path': 'b'}])
        done = self.run_tool('cbir-dedup', '-0', 's')
        self.assertEqual(done.stdout, b'b\0')
        self.assertIn(b'1 row left out', done.stderr)

    def test_wrong_use(self):
        self.photos()
        for args in (['photos', '-t', 1.5], ['photos', '-t', 0], ['photos', '-t', 'nan'], ['photos', '--metric', 'l2'],
                     ['photos', '--metric', 'l2', '-t', .5], ['photos', '--metric', 'dot'], ['photos', '--keep', 'best'],
                     ['photos', '-0', '--format', 'jsonl'], ['photos', '--root', 'x'], ['photos', '-o', 'photos.npy', '--force']):
            with self.subTest(args):
                self.error('cbir-dedup', *args, expect=2)
        self.error('cbir-dedup', 'none', expect=4)
        self.assertIn('pairs of rows score 0.95 or more', self.error('cbir-dedup', 'photos', '--max-pairs', 3, expect=9))
        self.make('wide', np.eye(3), [{'path': 'a'}, {'path': 'b'}, {'path': 'c'}])
        self.error('cbir-dedup', 'photos', 'wide', expect=6)
        self.make('zero', [[0, 0], [1, 0]], [{'path': 'a'}, {'path': 'b'}])
        self.assertIn('row 0', self.error('cbir-dedup', 'zero', expect=6))
        self.out('cbir-dedup', 'photos', '-o', 'groups.tsv')
        self.assertIn('--force', self.error('cbir-dedup', 'photos', '-o', 'groups.tsv', expect=7))

    def test_any_number_of_threads(self):
        random = np.random.default_rng(1)
        vectors = np.repeat(random.normal(size=(1000, 64)), 4, 0) + .2 * random.normal(size=(4000, 64))
        np.save(self.dir / 'x.npy', vectors.astype(np.float32))
        outputs = {self.run_tool('cbir-dedup', 'x.npy', '--threads', n, '-q').stdout for n in (1, 2, 3)}
        self.assertEqual(len(outputs), 1)
        self.assertGreater(outputs.pop().count(b'keep'), 500)


class Page(ToolTest):
    def setUp(self):
        super().setUp()
        small = np.random.default_rng(1).integers(0, 256, (2, 6, 8, 3), dtype=np.uint8)
        for i, pixels in enumerate(small):
            picture = Image.fromarray(pixels).resize((160, 120), Image.BICUBIC)
            picture.save(self.dir / f'{i}.jpg')
            picture.resize((80, 60)).save(self.dir / f'{i}<b>.jpg')
        Dedup.make(self, 's', at(0, 90, 1, 91, 2), [
            {'path': '0.jpg', 'bytes': 2000, 'mtime': 1700000000000000000, 'width': 160, 'height': 120}, {'path': '1.jpg'},
            {'path': '0<b>.jpg', 'width': 80, 'height': 60}, {'path': '1<b>.jpg'}, {'path': 'gone.jpg'}])

    def test_page(self):
        done = self.run_tool('cbir-dedup', 's', '--format', 'html', '-o', 'page.html')
        self.assertIn(b'1 of 5 pictures cannot be shown', done.stderr)
        page = (self.dir / 'page.html').read_text()
        self.assertEqual(page.count('data:image/jpeg;base64,'), 4)
        self.assertEqual(page.count('<section class="query"'), 2)
        self.assertIn('160 × 120 · 2.00 kB · 2023-11-14', re.sub('</?span[^>]*>', '', page))
        for never in ('<b>.jpg', 'http:', 'https:', 'url('):
            self.assertEqual(page.count(never), 0, never)
        moved = self.dir / 'moved'
        moved.mkdir()
        (self.dir / '0.jpg').rename(moved / '0.jpg')
        self.run_tool('cbir-dedup', 's', '--format', 'html', '--root', 'moved', '-o', 'moved.html')
        self.assertEqual((self.dir / 'moved.html').read_text().count('data:image/jpeg;base64,'), 1)

    def test_page_of_nothing(self):
        self.run_tool('cbir-dedup', 's', '-t', 1, '--format', 'html', '-o', 'page.html')
        self.assertIn('No pair of pictures is that similar.', (self.dir / 'page.html').read_text())


class TinyImageNet(ToolTest):
    """The exact duplicates of Tiny ImageNet, if embeddings of it are at hand: TINY_TRAIN and TINY_VAL name the sets."""

    def test_its_duplicates(self):
        train, val = os.environ.get('TINY_TRAIN'), os.environ.get('TINY_VAL')
        if not train or not val:
            raise unittest.SkipTest('TINY_TRAIN and TINY_VAL name no sets of Tiny ImageNet')
        self.assertEqual(self.out('cbir-dedup', train, '-t', .99).count('keep'), 20)
        self.assertEqual(self.out('cbir-dedup', train, val, '-t', .99).count('keep'), 27)
        self.assertEqual(self.out('cbir-dedup', val, '--against', train, '-t', .99).count('keep'), 7)


if __name__ == '__main__':
    main()
