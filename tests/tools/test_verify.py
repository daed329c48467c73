"""Results proved by keypoints: cbir-query --verify, cbir-extract --local."""
import json
import os
import signal
import subprocess
import time
import unittest

import numpy as np
from PIL import Image

from cbirtest import BIN, ToolTest, main, xxh3
from fake_encoder import FAKE, make_encoders, make_plugins
from test_match import blots


BLOTS = [blots(seed, 280, 220) for seed in range(10)]


class Verify(ToolTest):
    """A set whose vectors say the opposite of the truth: what is most like the query is something else."""

    def setUp(self):
        super().setUp()
        original = BLOTS[1]
        pictures = {'query.png': original, 'like.png': BLOTS[2], 'alike.png': BLOTS[3],
                    'copy.jpg': original.crop((40, 30, 260, 200)), 'turned.png': original.rotate(30, expand=True)}
        for name, picture in pictures.items():
            picture.save(self.dir / name)
        angles = np.radians([0, 1, 2, 40, 60])
        self.make('x', np.stack([np.cos(angles), np.sin(angles)], 1), [{'path': name} for name in pictures])

    def make(self, name, vectors, rows):
        np.save(self.dir / f'{name}.npy', np.asarray(vectors, np.float32))
        lines = ''.join(json.dumps(row, separators=(',', ':')) + '\n' for row in rows)
        (self.dir / f'{name}.rows.jsonl').write_text(lines)
        manifest = {'format': 'cbir embedding set', 'version': 1, 'rows': len(rows), 'dim': np.shape(vectors)[1], 'dtype': 'float32',
                    'metric': 'cosine', 'normalization': 'l2', 'failed': 0, 'npy_xxh3': xxh3((self.dir / f'{name}.npy').read_bytes()),
                    'rows_xxh3': xxh3(lines.encode())}
        (self.dir / f'{name}.json').write_text(json.dumps(manifest))
        self.run_tool('cbir-index', 'build', name, '-o', f'{name}.cbir')

    def paths(self, *args, **kw):
        return [line.split('\t')[3] for line in self.out('cbir-query', 'x.cbir', '--row', 0, *args, **kw).splitlines()]

    def test_what_is_proved_comes_first(self):
        plain = ['query.png', 'like.png', 'alike.png', 'copy.jpg', 'turned.png']
        self.assertEqual(self.paths(), plain)
        self.assertEqual(set(self.paths('--verify')[:3]), {'query.png', 'copy.jpg', 'turned.png'})
        self.assertEqual(self.paths('--verify')[3:], ['like.png', 'alike.png'])  # the others by similarity, as before
        self.assertEqual(self.paths('--verify', '-k', 1), ['query.png'])
        self.assertEqual(set(self.paths('--verify', 'orb', '-k', 3)), {'query.png', 'copy.jpg', 'turned.png'})
        self.assertEqual(self.paths('--verify', '--verify-top', 3), plain)  # those behind are not looked at
        self.assertEqual(set(self.paths('--verify', '--min-score', 12)), {'query.png', 'copy.jpg', 'turned.png'})
        self.assertNotIn('query.png', self.paths('--verify', '--exclude-self'))

    def test_columns(self):
        rows = [line.split('\t') for line in self.out('cbir-query', 'x.cbir', '--row', 0, '--verify').splitlines()]
        scores = [float(row[2]) for row in rows]
        self.assertEqual(scores, sorted(scores, reverse=True))
        self.assertTrue(all(len(row) == 6 for row in rows))
        self.assertGreater(int(rows[1][4]), 20)
        self.assertEqual(len(rows[1][5].split(',')), 9)
        self.assertEqual((rows[4][4], rows[4][5]), ('0', '-'))
        results = [json.loads(line) for line in
                   self.out('cbir-query', 'x.cbir', '--row', 0, '--verify', '--format', 'jsonl').splitlines()]
        self.assertEqual([r['verified'] for r in results], [True, True, True, False, False])
        copy = next(r for r in results if r['path'] == 'copy.jpg')
        self.assertAlmostEqual(copy['similarity'], np.cos(np.radians(40)), places=5)
        self.assertAlmostEqual(copy['score'], copy['verification'] + 1, delta=.01)
        np.testing.assert_allclose(copy['model'], [1, 0, -40, 0, 1, -30, 0, 0, 1], atol=.5)
        self.assertIsNone(results[-1]['model'])

    def test_a_ranking_is_judged_by_what_is_proved(self):
        (self.dir / 'manifest.tsv').write_text('query.png\tcopy.jpg\tcrop\n')
        for options, first in ((), '0.000000'), (('--verify',), '1.000000'):
            ranking = self.out('cbir-query', 'x.cbir', '--row', 0, '--exclude-self', *options)
            ranking = ''.join(line + '\n' for line in ranking.splitlines() if 'turned.png' not in line)
            ranks = ''.join(f'{q}\t{i}\t{rest}' for i, (q, _, rest) in
                            enumerate((line.split('\t', 2) for line in ranking.splitlines(True)), 1))
            scores = self.run_tool('cbir-eval', 'copies', '-', '--manifest', 'manifest.tsv', stdin=ranks.encode()).stdout.decode()
            self.assertIn(f'first\t{first}\n', scores)

    def test_page_draws_where_the_query_lies(self):
        self.run_tool('cbir-query', 'x.cbir', '--row', 0, '--verify', '--format', 'html', '-o', 'page.html')
        page = (self.dir / 'page.html').read_text()
        self.assertEqual(page.count('class="overlay"'), 3)
        self.assertEqual(page.count('class="outline"'), 3)
        self.assertGreater(page.count('<circle '), 60)
        self.assertEqual(page.count('the same thing; '), 3)
        self.assertIn('Verified by', page)

    def test_a_part_of_a_picture(self):
        self.make('parts', np.eye(2), [{'path': 'whole', 'picture': 'query.png'},
                                       {'path': 'part', 'picture': 'query.png', 'box': [60, 50, 240, 200]}])
        rows = self.out('cbir-query', 'parts.cbir', '--row', 0, '--verify', '--format', 'jsonl').splitlines()
        part = next(row for row in map(json.loads, rows) if row['path'] == 'part')
        self.assertTrue(part['verified'])
        np.testing.assert_allclose(part['model'], np.eye(3).ravel(), atol=.5)  # in pixels of the whole picture

    def test_mirror_images(self):
        flipped = BLOTS[1].transpose(Image.FLIP_LEFT_RIGHT)
        flipped.save(self.dir / 'turned.png')
        self.assertEqual(set(self.paths('--verify')[:2]), {'query.png', 'copy.jpg'})
        self.assertEqual(self.paths('--verify')[4], 'turned.png')
        self.assertEqual(set(self.paths('--verify', '--verify-mirror')[:3]), {'query.png', 'copy.jpg', 'turned.png'})
        self.assertEqual(self.paths('--verify', '--verify-mirror')[3:], ['like.png', 'alike.png'])
        results = self.out('cbir-query', 'x.cbir', '--row', 0, '--verify', '--verify-mirror', '--format', 'jsonl').splitlines()
        model = next(r['model'] for r in map(json.loads, results) if r['path'] == 'turned.png')
        np.testing.assert_allclose(model, [-1, 0, flipped.width - 1, 0, 1, 0, 0, 0, 1], atol=.5)

    def test_pictures_that_are_gone(self):
        os.remove(self.dir / 'copy.jpg')
        done = self.run_tool('cbir-query', 'x.cbir', '--row', 0, '--verify', '-k', 2)
        self.assertEqual({line.split(b'\t')[3] for line in done.stdout.splitlines()}, {b'query.png', b'turned.png'})
        self.assertIn(b'1 picture could not be looked at and proves nothing, the first: copy.jpg: ', done.stderr)

    def test_pictures_that_were_moved(self):
        (self.dir / 'new').mkdir()
        for name in ('query.png', 'like.png', 'alike.png', 'copy.jpg', 'turned.png'):
            os.rename(self.dir / name, self.dir / 'new' / name)
        self.assertEqual(set(self.paths('--verify', '-k', 3, '--root', 'new')), {'query.png', 'copy.jpg', 'turned.png'})

    def test_wrong_use(self):
        np.save(self.dir / 'q.npy', np.ones((1, 2), np.float32))
        for args in (['--row', 0, '--verify', 'x.png'], ['--row', 0, '--verify-top', 5], ['--row', 0, '--verify-mirror'], ['--vectors', 'q.npy', '--verify'],
                     ['--row', 0, '--verify', '-0'], ['--serve-stdin', '--verify'], ['--text', 'a', '--verify'],
                     ['--row', 0, '--verify', '--verify-top', 0]):
            with self.subTest(args):
                self.error('cbir-query', 'x.cbir', *args, expect=2)
        self.error('cbir-query', 'x.cbir', '--row', 0, '--verify', 'none.local', expect=4)
        (self.dir / 'x.local').write_bytes(b'x' * 500)
        self.assertIn('x.local: no file of local features', self.error('cbir-query', 'x.cbir', '--row', 0, '--verify', expect=6))


@unittest.skipUnless(FAKE.exists(), f'{FAKE} is not here')
class Stored(ToolTest):
    def setUp(self):
        super().setUp()
        self.env = {**make_encoders(self.dir), 'CBIR_PLUGIN_DIR': make_plugins(self.dir / 'plugins', 'vision', 'codecs')}
        (self.dir / 'in').mkdir()
        BLOTS[1].save(self.dir / 'in/1.png')
        BLOTS[1].crop((40, 30, 260, 200)).save(self.dir / 'in/2.jpg')
        for i in range(3, 7):
            BLOTS[i].save(self.dir / f'in/{i}.png')
        Image.new('RGB', (90, 90), 'white').save(self.dir / 'in/wall.png')

    def run_tool(self, *args, **kw):
        return super().run_tool(*args, env=self.env, **kw)

    def extract(self, *args, **kw):
        return self.run_tool('cbir-extract', '--model', 'blind', '-o', 'set', 'in', *args, **kw)

    def local(self):
        return (self.dir / 'set.local').read_bytes()

    def test_kept_and_used(self):
        self.extract('--local', 'sift', '--keypoints', 300)
        self.run_tool('cbir-index', 'build', 'set', '-o', 'set.cbir')
        opened = self.out('cbir-query', 'set.cbir', '--row', 0, '--verify', 'orb', '--format', 'jsonl')
        for name in os.listdir(self.dir / 'in'):
            os.remove(self.dir / 'in' / name)  # keypoints are read from the file
        for features in [], ['sift'], ['set.local']:
            first, second, third = self.out('cbir-query', 'set.cbir', '--row', 0, '-k', 3, '--verify', *features).splitlines()
            self.assertIn('in/1.png', first)
            self.assertIn('in/2.jpg', second)
            self.assertTrue(third.endswith('\t0\t-') or float(third.split('\t')[2]) <= 1)
        self.assertEqual(sum(json.loads(line)['verified'] for line in opened.splitlines()), 2)

    def test_the_same_bytes_whatever_happened(self):
        self.extract('--local', 'sift')
        whole = self.local()
        self.assertEqual(whole[:8], b'\x89CBLF\r\n\x1a')
        self.extract('--local', 'sift')  # nothing to do
        self.assertEqual(self.local(), whole)
        os.remove(self.dir / 'set.local')
        self.extract('--local', 'sift', '--threads', 1)  # of a finished set
        self.assertEqual(self.local(), whole)
        self.extract('--local', 'sift', '--force', '--threads', 2)
        self.assertEqual(self.local(), whole)

    def test_killed_and_run_again(self):
        self.extract('--local', 'sift')
        whole, kills = self.local(), 0
        os.remove(self.dir / 'set.local')
        for attempt in range(40):
            running = subprocess.Popen([BIN / 'cbir-extract', '--model', 'blind', '-o', 'set', 'in', '--local', 'sift', '--threads', '1'],
                                       cwd=self.dir, env={**os.environ, **self.env}, stderr=subprocess.DEVNULL)
            time.sleep(.02 * attempt)
            running.kill()
            kills += running.wait() == -signal.SIGKILL
            if (self.dir / 'set.local').exists():
                break
        self.extract('--local', 'sift')
        self.assertGreater(kills, 0)
        self.assertEqual(self.local(), whole)

    def test_a_run_that_was_cut_short_anywhere(self):
        self.extract('--local', 'orb')
        whole = self.local()
        part = self.dir / 'set.state/local'
        for length in (0, 100, 256, 300, 5000, len(whole) // 2, len(whole)):
            with self.subTest(length):
                os.remove(self.dir / 'set.local')
                part.write_bytes(whole[:length])  # the head of a finished file, as a crash while finishing leaves it
                self.extract('--local', 'orb')
                self.assertEqual(self.local(), whole)
                self.assertFalse(part.exists())

    def test_other_features_are_not_replaced_unasked(self):
        self.extract('--local', 'sift')
        self.assertIn(b'--force replaces it', self.extract('--local', 'orb', expect=7).stderr)
        self.assertIn(b'--force replaces it', self.extract('--local', 'sift', '--keypoints', 10, expect=7).stderr)
        self.extract('--local', 'orb', '--force')
        self.assertIn(b'orb', self.local()[:256])

    def test_a_damaged_file_is_damage(self):
        self.extract('--local', 'sift')
        self.run_tool('cbir-index', 'build', 'set', '-o', 'set.cbir')
        whole = bytearray(self.local())
        whole[400] ^= 1
        (self.dir / 'set.local').write_bytes(whole)
        self.assertIn('set.local: damaged features: record 0',
                      self.error('cbir-query', 'set.cbir', '--row', 0, '--verify', expect=5))

    def test_a_file_of_other_pictures_does_not_belong(self):
        self.extract('--local', 'sift')
        np.save(self.dir / 'x.npy', np.eye(3, dtype=np.float32))
        self.run_tool('cbir-index', 'build', 'x.npy', '-o', 'x.cbir')
        self.assertIn('does not belong to x.cbir',
                      self.error('cbir-query', 'x.cbir', '--row', 0, '--verify', 'set.local', expect=6))

    def test_a_set_that_changed(self):
        self.extract('--local', 'sift')
        BLOTS[9].save(self.dir / 'in/9.png')
        self.extract('--local', 'sift', '--force')
        changed = self.local()
        os.remove(self.dir / 'set.local')
        self.extract('--local', 'sift')
        self.assertEqual(self.local(), changed)

    def test_wrong_use(self):
        (self.dir / 'texts').write_text('a\n')
        for args in (['--keypoints', 5], ['--local', 'surf'], ['--local', 'sift', '--keypoints', 0]):
            self.error('cbir-extract', '--model', 'blind', '-o', 'other', 'in', *args, expect=2)
        self.assertFalse((self.dir / 'other.npy').exists())


if __name__ == '__main__':
    main()
