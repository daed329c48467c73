"""cbir-match as a user runs it."""
import json
import os
import subprocess
import unittest

import numpy as np
from PIL import Image

from cbirtest import BIN, SHARED, ToolTest, main, need

HOMOGRAPHY = SHARED / 'homography'


def blots(seed, width=420, height=320):
    """Rectangles of random size and brightness: much to see, nothing twice."""
    random = np.random.default_rng(seed)
    picture = np.full((height, width), 128, np.uint8)
    for _ in range(width * height // 300):
        x, y, w, h = random.integers((0, 0, 4, 4), (width, height, 30, 30))
        picture[y:y + h, x:x + w] = random.integers(256)
    return Image.fromarray(picture).convert('RGB')


class Match(ToolTest):
    def setUp(self):
        super().setUp()
        self.first = blots(1)
        self.first.save(self.dir / 'a.png')
        self.first.crop((60, 40, 360, 280)).resize((450, 360), Image.BICUBIC).save(self.dir / 'part.jpg', quality=90)
        blots(2).save(self.dir / 'other.png')

    def match(self, *args, **kw):
        """One pair's line, as a list."""
        return self.out('cbir-match', *args, **kw).rstrip('\n').split('\t')

    def test_a_part_is_found_with_its_place(self):
        for features in 'sift', 'orb':
            with self.subTest(features):
                a, b, in_a, in_b, matches, inliers, score, model = self.match('a.png', 'part.jpg', '--features', features)
                self.assertEqual((a, b), ('a.png', 'part.jpg'))
                self.assertGreater(int(inliers), 50)
                self.assertGreaterEqual(int(matches), int(inliers))
                self.assertLessEqual(max(int(in_a), int(in_b)), 1000)
                self.assertGreater(float(score), 60)
                place = np.array([float(x) for x in model.split(',')]).reshape(3, 3) @ [210, 160, 1]
                self.assertLess(np.abs(place[:2] / place[2] - [225, 180]).max(), 1)

    def test_other_pictures_share_nothing(self):
        *_, score, model = self.match('a.png', 'other.png')
        self.assertLess(float(score), 12)

    def test_a_mirror_image_is_proved_where_that_is_asked_for(self):
        self.first.transpose(Image.FLIP_LEFT_RIGHT).save(self.dir / 'mirrored.png')
        self.assertLess(float(self.match('a.png', 'mirrored.png')[6]), 12)
        found = json.loads(self.out('cbir-match', 'a.png', 'mirrored.png', '--mirror', '--format', 'jsonl', '--points'))
        self.assertEqual((found['verified'], found['mirrored']), (True, True))
        right = self.first.width - 1
        np.testing.assert_allclose(found['transform'], [-1, 0, right, 0, 1, 0, 0, 0, 1], atol=.5)
        for x, y, seen_x, seen_y in found['points']:  # inliers of both, where they are
            self.assertLess(max(abs(right - x - seen_x), abs(y - seen_y)), 4)
        self.assertEqual(self.match('a.png', 'part.jpg', '--mirror'), self.match('a.png', 'part.jpg'))  # no need
        self.assertLess(float(self.match('a.png', 'other.png', '--mirror')[6]), 12)

    @unittest.skipUnless((BIN.parent / 'lib/libcbir_nets.so').exists(), 'this build has no networks')
    def test_presets_are_known_by_name(self):
        nowhere = {'CBIR_MODELS': str(self.dir)}
        for args in ['--features', 'aliked-n32'], ['--features', 'aliked-t16']:
            self.assertIn(args[1], self.error('cbir-match', 'a.png', 'part.jpg', *args, expect=4, env=nowhere))
        message = self.error('cbir-match', 'a.png', 'part.jpg', '--matcher', 'superglue-indoor', expect=6, env=nowhere)
        self.assertIn("'superglue-indoor' was made for 'superpoint'", message)
        self.assertIn('aliked-n32', self.error('cbir-match', 'a.png', 'part.jpg', '--features', 'surf', expect=2))

    def test_the_same_answer_every_time(self):
        lines = {self.out('cbir-match', 'a.png', 'part.jpg', '--threads', threads) for threads in (1, 2, 1, 0)}
        self.assertEqual(len(lines), 1)

    def test_every_model(self):
        for model in 'homography', 'affine', 'fundamental':
            found = json.loads(self.out('cbir-match', 'a.png', 'part.jpg', '--model', model, '--format', 'jsonl'))
            self.assertEqual(found['model'], model)
            self.assertTrue(found['verified'])
            self.assertEqual(len(found['transform']), 9)

    def test_json_lines_with_points(self):
        found = json.loads(self.out('cbir-match', 'a.png', 'part.jpg', '--format', 'jsonl', '--points'))
        self.assertEqual(found['features'], 'sift')
        self.assertEqual(found['matcher'], 'nn')
        self.assertEqual(len(found['points']), found['inliers'])
        for x, y, u, v in found['points']:
            self.assertLess(abs((x - 60) * 1.5 - u), 5)
            self.assertLess(abs((y - 40) * 1.5 - v), 5)
        self.assertNotIn('points', json.loads(self.out('cbir-match', 'a.png', 'part.jpg', '--format', 'jsonl')))

    def test_where_there_is_nothing_to_see_nothing_is_proved(self):
        Image.new('RGB', (300, 200), 'white').save(self.dir / 'wall.png')
        Image.new('RGB', (1, 1)).save(self.dir / 'dot.png')
        tile = np.asarray(blots(3, 40, 40))
        Image.fromarray(np.tile(tile, (8, 10, 1))).save(self.dir / 'texture.png')
        for picture in 'wall.png', 'dot.png':
            for pair in (picture, picture), (picture, 'a.png'), ('a.png', picture):
                *_, matches, inliers, score, model = self.match(*pair)
                self.assertEqual((matches, inliers, score, model), ('0', '0', '0.000', '-'))
        self.assertEqual(len(self.match('texture.png', 'texture.png')), 8)

    def test_a_picture_and_itself(self):
        _, _, in_a, in_b, matches, inliers, _, model = self.match('a.png', 'a.png')
        self.assertEqual((in_a, matches), (in_b, inliers))
        np.testing.assert_allclose([float(x) for x in model.split(',')], np.eye(3).ravel(), atol=1e-3)

    def test_50_megapixels(self):
        self.first.resize((8660, 5774), Image.BICUBIC).save(self.dir / 'large.jpg', quality=80)
        *_, score, model = self.match('a.png', 'large.jpg')
        self.assertGreater(float(score), 60)
        self.assertAlmostEqual(float(model.split(',')[0]), 8660 / 420, delta=.3)  # in its own pixels

    def test_drawn(self):
        for name in 'x.png', 'x.jpg':
            self.match('a.png', 'part.jpg', '-o', name)
            with Image.open(self.dir / name) as drawn:
                self.assertEqual(drawn.size, (420 + 8 + 450, 360))
                self.assertGreater(np.ptp(np.asarray(drawn.convert('RGB')).astype(int), axis=2).max(), 100)  # lines have colours
        self.assertIn('--force', self.error_after('x.png'))
        self.match('a.png', 'part.jpg', '-o', 'x.png', '--force')

    def error_after(self, name):
        done = self.run_tool('cbir-match', 'a.png', 'part.jpg', '-o', name, expect=7)
        return done.stderr.decode()

    def test_page(self):
        (self.dir / 'pairs.tsv').write_text('a.png\tpart.jpg\nother.png\ta.png\nnone.png\ta.png\n')
        done = self.run_tool('cbir-match', '--pairs', 'pairs.tsv', '--html', 'page.html', expect=3)
        self.assertEqual(len(done.stdout.splitlines()), 2)
        page = (self.dir / 'page.html').read_text()
        inliers = int(done.stdout.split(b'\t')[5])
        self.assertGreaterEqual(page.count('<path stroke'), inliers)
        self.assertEqual(page.count('class="outline"'), 1)
        self.assertEqual(page.count('<image '), 3)  # one a picture, however often it is shown
        self.assertIn('3 pairs, 1 verified', page)
        self.assertIn('none.png: ', page)

    def test_pairs(self):
        listed = 'a.png\tpart.jpg\tmore\n\na.png\tother.png\n'
        lines = self.out('cbir-match', '--pairs', '-', stdin=listed.encode()).splitlines()
        self.assertEqual([line.split('\t')[1] for line in lines], ['part.jpg', 'other.png'])
        (self.dir / 'tab\there.png').write_bytes((self.dir / 'a.png').read_bytes())
        line, = self.out('cbir-match', '--pairs', '-', stdin=b'tab\\there.png\ta.png\n').splitlines()
        self.assertTrue(line.startswith('tab\\there.png\ta.png\t'))
        self.assertIn('line 2', self.error('cbir-match', '--pairs', '-', stdin=b'a.png\tb.png\nalone\n', expect=5))
        self.assertIn('names no pairs', self.error('cbir-match', '--pairs', '-', expect=4))

    def test_a_picture_that_cannot_be_read(self):
        self.assertIn('none.jpg: ', self.error('cbir-match', 'none.jpg', 'a.png', expect=4))
        whole = (self.dir / 'part.jpg').read_bytes()
        (self.dir / 'cut.jpg').write_bytes(whole[:len(whole) // 2])
        self.assertIn('cut.jpg: truncated JPEG', self.error('cbir-match', 'a.png', 'cut.jpg', expect=4))
        done = self.run_tool('cbir-match', '--pairs', '-', '--format', 'jsonl', stdin=b'a.png\tcut.jpg\na.png\ta.png\n', expect=3)
        first, second = (json.loads(line) for line in done.stdout.splitlines())
        self.assertEqual((first['a'], first['b']), ('a.png', 'cut.jpg'))
        self.assertIn('truncated', first['error'])
        self.assertTrue(second['verified'])
        self.assertIn(b'1 of 2 pairs skipped', done.stderr)

    def test_wrong_use(self):
        for args in ([], ['a.png'], ['a.png', 'part.jpg', 'other.png'], ['a.png', 'part.jpg', '--pairs', '-'],
                     ['--pairs', '-', '-o', 'x.png'], ['a.png', 'part.jpg', '--points'],
                     ['a.png', 'part.jpg', '--model', 'perspective'], ['a.png', 'part.jpg', '--features', 'surf'],
                     ['a.png', 'part.jpg', '--matcher', 'flann'], ['a.png', 'part.jpg', '--threshold', '0'],
                     ['a.png', 'part.jpg', '-o', 'a.png', '--force'], ['a.png', 'part.jpg', '--html', 'a.png', '--force']):
            with self.subTest(args):
                self.error('cbir-match', *args, expect=2)

    def test_a_plug_in_that_is_not_installed(self):
        os.mkdir(self.dir / 'none')
        message = self.error('cbir-match', 'a.png', 'a.png', env={'CBIR_PLUGIN_DIR': self.dir / 'none'}, expect=4)
        self.assertIn("plug-in 'vision' cannot be loaded", message)

    def test_no_other_program_loads_opencv(self):
        for program in 'cbir-match', 'cbir-query', 'cbir-extract':
            linked = subprocess.run(['ldd', BIN / program], capture_output=True, text=True).stdout
            self.assertNotIn('opencv', linked)


class Published(ToolTest):
    """Pictures whose relation is known."""

    def test_graffiti_and_box(self):
        need(self, HOMOGRAPHY)
        *_, score, model = self.out('cbir-match', HOMOGRAPHY / 'graf1.png', HOMOGRAPHY / 'graf3.png').split('\t')
        found = np.array([float(x) for x in model.split(',')]).reshape(3, 3)
        true = np.array([.76285898, -.29922929, 225.67123, .33443473, 1.0143901, -76.999973, 3.4663091e-4, -1.4364524e-5, 1])
        corners = np.array([[0, 0, 1], [799, 0, 1], [799, 639, 1], [0, 639, 1]]).T
        at = [h @ corners for h in (found, true.reshape(3, 3))]
        error = np.linalg.norm(at[0][:2] / at[0][2] - at[1][:2] / at[1][2], axis=0).mean()
        self.assertLess(error, 10)
        *_, score, _ = self.out('cbir-match', HOMOGRAPHY / 'box.png', HOMOGRAPHY / 'box_in_scene.png').split('\t')
        self.assertGreater(float(score), 60)
        *_, score, _ = self.out('cbir-match', HOMOGRAPHY / 'box.png', HOMOGRAPHY / 'graf1.png').split('\t')
        self.assertLess(float(score), 12)


if __name__ == '__main__':
    main()
