"""cbir-catalog as a user runs it, on pictures and videos that are drawn here. The encoder is that of tests/fake_nets, which sees
colours; so what verifies a finding are keypoints alone."""
import fcntl
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import cv2
import numpy as np

from cbirtest import BIN, SOURCE, ToolTest, main
from fake_encoder import make_encoders, make_plugins
from test_report import PageTest

WIDTH, HEIGHT = 320, 240
FPS = 5


def texture(seed, size=120):
    """A picture rich in corners, like no other of another seed."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (size // 8, size // 8, 3), np.uint8)
    return cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)


def scene(*items, level=90):
    """A frame in which pictures lie: (picture, x, y, degrees)."""
    frame = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
    for picture, x, y, degrees in items:
        size = len(picture)
        turn = cv2.getRotationMatrix2D((size / 2, size / 2), degrees, .9)
        turn[:, 2] += [x, y]
        mask = cv2.warpAffine(np.full((size, size), 255, np.uint8), turn, (WIDTH, HEIGHT))
        seen = cv2.warpAffine(picture, turn, (WIDTH, HEIGHT))
        frame[mask > 127] = seen[mask > 127]
    return frame


class CatalogTest(ToolTest):
    """A shop's catalogue of three items."""
    shop = None  # that catalogue: made by the first test that needs it, copied by those that follow

    def setUp(self):
        super().setUp()
        self.env = {**make_encoders(self.dir), 'CBIR_PLUGIN_DIR': make_plugins(self.dir / 'plugins', 'vision', 'codecs')}
        self.pictures = {name: texture(seed) for seed, name in enumerate(('vase', 'lamp', 'rug'))}
        for name, picture in self.pictures.items():
            (self.dir / 'items' / name).mkdir(parents=True)
            cv2.imwrite(str(self.dir / 'items' / name / 'front.png'), picture)

    def tool(self, *args, **kw):
        return self.run_tool('cbir-catalog', *args, env=self.env, **kw)

    def create(self, *args):
        self.tool('create', 'shop', '--model', 'blind', *args)
        return self.tool('add', 'shop', 'items')

    def make(self):
        if CatalogTest.shop is None:
            self.create()
            CatalogTest.shop = Path(tempfile.mkdtemp(prefix='cbir-tools-')) / 'shop'
            unittest.addModuleCleanup(shutil.rmtree, CatalogTest.shop.parent, ignore_errors=True)
            shutil.copytree(self.dir / 'shop', CatalogTest.shop)
        else:
            shutil.copytree(CatalogTest.shop, self.dir / 'shop')

    def items(self):
        return {line.split('\t')[0]: int(line.split('\t')[1]) for line in self.tool('list', 'shop').stdout.decode().splitlines()}

    def video(self, name, frames):
        writer = cv2.VideoWriter(str(self.dir / name), cv2.VideoWriter_fourcc(*'MJPG'), FPS, (WIDTH, HEIGHT))
        self.assertTrue(writer.isOpened())
        for frame in frames:
            writer.write(frame)
        writer.release()

    def make_scene(self):
        """two.png shows the vase and the rug."""
        cv2.imwrite(str(self.dir / 'two.png'), scene((self.pictures['vase'], 20, 30, 15), (self.pictures['rug'], 180, 90, -25)))

    def lines(self, *args, **kw):
        done = self.tool('identify', 'shop', *args, '--format', 'jsonl', **kw)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def shop_tour(self):
        """Two seconds of the vase, which moves; one of nothing; one of the rug, at rest."""
        tour = [scene((self.pictures['vase'], 20 + 8 * i, 40, 2 * i)) for i in range(2 * FPS)]
        return tour + [scene(level=40)] * FPS + [scene((self.pictures['rug'], 100, 60, 20))] * FPS


class Catalog(CatalogTest):

    def test_items_come_and_go(self):
        self.assertEqual(self.create().stdout, b'shop: 3 pictures added, 0 removed, 3 now\n')
        self.assertEqual(self.items(), {'lamp': 1, 'rug': 1, 'vase': 1})
        shutil.copy(self.dir / 'items/vase/front.png', self.dir / 'side.png')
        self.tool('add', 'shop', 'vase', 'side.png')
        self.assertEqual(self.items()['vase'], 2)
        self.assertIn(b'1 picture added, 1 removed, 4 now', self.tool('add', 'shop', 'vase', 'side.png').stdout)
        self.tool('remove', 'shop', 'vase', 'rug')
        self.assertEqual(self.items(), {'lamp': 1})
        self.assertIn('vase', self.error('cbir-catalog', 'remove', 'shop', 'vase', env=self.env, expect=4))
        self.tool('remove', 'shop', 'lamp')
        self.assertEqual(self.items(), {})
        self.assertEqual([p.name for p in sorted((self.dir / 'shop').iterdir())], ['catalog.json', 'index.cbir', 'lock'])
        self.tool('add', 'shop', 'items')
        self.assertEqual(len(self.items()), 3)

    def test_what_a_picture_shows_and_where(self):
        self.make()
        self.make_scene()
        found = {f['item']: f for f in self.lines('two.png')}
        self.assertEqual(sorted(found), ['rug', 'vase'])
        for item, (x, y) in {'vase': (20 + 60, 30 + 60), 'rug': (180 + 60, 90 + 60)}.items():
            x1, y1, x2, y2 = found[item]['box']
            self.assertLess(abs((x1 + x2) / 2 - x), 4)
            self.assertLess(abs((y1 + y2) / 2 - y), 4)
            self.assertGreater(found[item]['inliers'], 10)
            self.assertEqual(found[item]['picture'], f'items/{item}/front.png')
        line = self.tool('identify', 'shop', 'two.png').stdout.decode().splitlines()[0].split('\t')
        self.assertEqual((line[0], line[1], len(line)), ('two.png', '-', 10))

    def test_nothing_of_the_catalogue(self):
        self.make()
        cv2.imwrite(str(self.dir / 'other.png'), scene((texture(99), 60, 60, 10)))
        cv2.imwrite(str(self.dir / 'wall.png'), scene())
        cv2.imwrite(str(self.dir / 'dot.png'), np.zeros((1, 1, 3), np.uint8))
        done = self.tool('identify', 'shop', 'other.png', 'wall.png', 'dot.png')
        self.assertEqual((done.stdout, done.stderr), (b'', b'cbir-catalog: warning: no item of the catalogue was found\n'))

    def test_an_empty_catalogue_finds_nothing(self):
        self.tool('create', 'shop', '--model', 'blind')
        cv2.imwrite(str(self.dir / 'a.png'), scene((self.pictures['vase'], 20, 30, 15)))
        self.assertEqual(self.lines('a.png'), [])
        self.assertEqual(self.lines('a.png', '--no-verify'), [])

    def test_the_same_bytes_with_any_number_of_threads(self):
        self.make()
        self.make_scene()
        self.assertEqual(self.lines('two.png', '--threads', 1), self.lines('two.png', '--threads', 3))

    def test_by_embeddings_alone(self):
        self.make()
        found = self.lines('items/lamp/front.png', '--no-verify', '--no-proposals', '--min-score', .999)
        self.assertEqual([(f['item'], f['inliers']) for f in found], [('lamp', 0)])
        self.error('cbir-catalog', 'identify', 'shop', 'x.png', '--no-verify', '--matcher', 'nn', env=self.env, expect=2)

    def test_by_keypoints_alone(self):
        """No embeddings: neither a finding nor, of all that says so, the encoder is there."""
        for features in 'sift', 'orb':
            with self.subTest(features):
                shutil.rmtree(self.dir / 'shop', ignore_errors=True)
                self.create('--features', features)
                self.make_scene()
                found = {f['item']: f for f in self.lines('two.png', '--candidates', 0)}
                self.assertEqual(sorted(found), ['rug', 'vase'])
                self.assertNotIn('similarity', found['rug'])
                x1, y1, x2, y2 = found['rug']['box']
                self.assertLess(abs((x1 + x2) / 2 - 240), 4)
                self.assertLess(abs((y1 + y2) / 2 - 150), 4)
        line = self.tool('identify', 'shop', 'two.png', '--candidates', 0).stdout.decode().splitlines()[0].split('\t')
        self.assertEqual((len(line), line[9]), (10, '-'))
        self.assertEqual(len(self.lines('two.png', '--candidates', 0, '--votes', 1)), 1)
        self.error('cbir-catalog', 'identify', 'shop', 'two.png', '--candidates', 0, '--votes', 0, env=self.env, expect=2)
        self.error('cbir-catalog', 'identify', 'shop', 'two.png', '--candidates', 0, '--no-verify', env=self.env, expect=2)

    def test_what_lies_behind_an_item_does_not_matter(self):
        """A plain shape on transparent ground, whose only keypoints are at its outline."""
        shape = np.zeros((160, 160, 4), np.uint8)
        random = np.random.default_rng(4)
        angles, lengths = np.linspace(0, 2 * np.pi, 28, endpoint=False), random.uniform(30, 78, 28)
        corners = np.int32(np.round(80 + np.stack([lengths * np.cos(angles), lengths * np.sin(angles)], 1)))
        cv2.fillPoly(shape, [corners], (128, 128, 128, 255))
        (self.dir / 'items/star').mkdir()
        cv2.imwrite(str(self.dir / 'items/star/0.png'), shape)
        self.create()
        for level in 20, 235:
            frame = np.full((HEIGHT, WIDTH, 3), level, np.uint8)
            frame[40:200, 80:240][shape[..., 3] > 0] = 128
            cv2.imwrite(str(self.dir / 'plain.png'), frame)
            self.assertEqual([f['item'] for f in self.lines('plain.png', '--min-score', 3)], ['star'], level)

    def test_a_video(self):
        self.make()
        self.video('tour.avi', self.shop_tour())
        found = self.lines('tour.avi')
        vase = [f for f in found if f['item'] == 'vase']
        self.assertEqual({f['item'] for f in found}, {'vase', 'rug'})
        self.assertGreaterEqual(len(vase), 2 * FPS - 1)
        self.assertEqual(vase[3]['time'], vase[3]['frame'] / FPS)
        self.assertEqual(len([f for f in found if f['item'] == 'rug']), 1)  # it rests, and is looked at once
        first, second = self.lines('tour.avi', '--summary')
        self.assertEqual((first['item'], second['item']), ('vase', 'rug'))
        self.assertLess(first['from'], .3)
        self.assertGreater(first['to'], 1.7)
        self.assertAlmostEqual(second['from'], 3)
        self.assertAlmostEqual(second['to'], 3.8)  # unchanged frames count
        line = self.tool('identify', 'shop', 'tour.avi', '--summary', '--candidates', 0).stdout.decode().splitlines()[1].split('\t')
        self.assertEqual(line[:4], ['tour.avi', 'rug', '3.000', '3.800'])

    def test_which_frames(self):
        self.make()
        self.video('tour.avi', self.shop_tour())

        def tour(*args):
            return self.lines('tour.avi', '--candidates', 0, *args)  # as to frames it does not matter how items are found
        second = tour('--every', 5)
        self.assertEqual([f['frame'] for f in second], [0, 5, 15])
        self.assertEqual(tour('--fps', 1), second)
        self.assertEqual({f['item'] for f in tour('--every', 'auto')}, {'vase', 'rug'})
        self.assertEqual({f['item'] for f in tour('--until', 1.5)}, {'vase'})
        self.assertEqual(len([f for f in tour('--change', 0) if f['item'] == 'rug']), FPS)
        done = self.tool('identify', 'shop', 'tour.avi', '--timings', '--every', 5)
        stages = dict(line.split('\t')[:2] for line in done.stderr.decode().splitlines())
        self.assertEqual(stages['frames'], '20')
        for stage in ('decode', 'crops', 'embed', 'search', 'features', 'votes', 'verify', 'all'):
            self.assertGreater(float(stages[stage]), 0)

    def test_a_page(self):
        self.make()
        self.video('tour.avi', self.shop_tour())
        cv2.imwrite(str(self.dir / '<b>.png'), scene((self.pictures['lamp'], 100, 60, 20)))
        self.tool('identify', 'shop', '<b>.png', 'tour.avi', '--html', 'page.html')
        page = (self.dir / 'page.html').read_text()
        self.assertEqual(page.count('<rect '), 3)
        for word in ('vase', 'rug', 'lamp', '&lt;b&gt;.png', '0:03.0 to 0:03.8'):
            self.assertIn(word, page)
        self.assertNotIn('http', page.replace('http-equiv', ''))
        self.error('cbir-catalog', 'identify', 'shop', 'tour.avi', '--html', 'page.html', env=self.env, expect=7)

    def test_what_cannot_be_read_loses_nothing_else(self):
        self.make()
        self.video('tour.avi', self.shop_tour())
        whole = (self.dir / 'tour.avi').read_bytes()
        (self.dir / 'cut.avi').write_bytes(whole[:len(whole) // 3])
        (self.dir / 'noise.mp4').write_bytes(np.random.default_rng(1).bytes(5000))
        self.video('none.avi', [])
        cv2.imwrite(str(self.dir / 'a.png'), scene((self.pictures['lamp'], 100, 60, 20)))
        (self.dir / 'half.png').write_bytes((self.dir / 'a.png').read_bytes()[:2000])
        done = self.tool('identify', 'shop', 'cut.avi', 'noise.mp4', 'none.avi', 'half.png', 'a.png', expect=3)
        items = {line.split('\t')[2] for line in done.stdout.decode().splitlines()}
        self.assertEqual(items, {'vase', 'lamp'})
        said = done.stderr.decode().splitlines()
        self.assertEqual(len(said), 4, said)
        self.assertRegex(said[0], r'cut\.avi: video: it ends after \d+ of 20 frames')
        self.assertRegex(said[1], r'noise\.mp4: video: neither a picture nor a video')
        self.assertRegex(said[2], r'none\.avi: video: ')
        self.assertRegex(said[3], r'half\.png: decode: ')
        self.assertIn('could not be read', self.tool('identify', 'shop', 'none.avi', expect=4).stderr.decode())
        self.error('cbir-catalog', 'identify', 'shop', 'nowhere.mp4', env=self.env, expect=4)

    def test_pictures_that_cannot_be_added_are_named(self):
        self.tool('create', 'shop', '--model', 'blind')
        (self.dir / 'items/rug/front.png').write_bytes(b'\x89PNG\r\n\x1a\nrubbish')
        done = self.tool('add', 'shop', 'items', expect=3)
        self.assertIn(b'items/rug/front.png', done.stderr)
        self.assertEqual(sorted(self.items()), ['lamp', 'vase'])
        self.error('cbir-catalog', 'add', 'shop', 'rug', 'items/rug', env=self.env, expect=4)
        self.error('cbir-catalog', 'add', 'shop', 'items/rug/front.png', env=self.env, expect=2)

    def test_calibration(self):
        self.make()
        (self.dir / 'others').mkdir()
        for i in range(20):
            cv2.imwrite(str(self.dir / f'others/{i}.png'), scene((texture(1000 + i), 20, 30, 15)))
        said = dict(line.split('\t') for line in self.tool('calibrate', 'shop', 'others').stdout.decode().splitlines())
        self.assertEqual(said['pictures'], '20')
        stored = json.loads((self.dir / 'shop/catalog.json').read_text())['thresholds']
        self.assertAlmostEqual(stored['score'], float(said['score']), places=3)
        self.assertGreaterEqual(stored['score'], float(said['highest_score']))
        self.error('cbir-catalog', 'calibrate', 'shop', 'others/1.png', env=self.env, expect=2)

    def test_damage_and_strangers(self):
        self.make()
        settings = self.dir / 'shop/catalog.json'
        sound = settings.read_text()
        settings.write_text(sound.replace('"keypoints": 1000', '"keypoints": 1001'))
        self.error('cbir-catalog', 'list', 'shop', env=self.env, expect=5)
        settings.write_text(sound)
        for name in ('index.cbir', 'features-1.local'):
            path = self.dir / 'shop' / name
            data = path.read_bytes()
            path.write_bytes(data[:len(data) // 2])
            self.error('cbir-catalog', 'list', 'shop', env=self.env, expect=5)
            path.write_bytes(data)
        self.make_scene()
        codes = self.dir / 'shop/features-1.codes'
        data = bytearray(codes.read_bytes())
        data[len(data) // 2] ^= 1
        codes.write_bytes(data)
        self.assertIn('features-1.codes: damaged codes',
                      self.error('cbir-catalog', 'identify', 'shop', 'two.png', '--candidates', 0, env=self.env, expect=5))
        (self.dir / 'shop/features-1.local').unlink()
        self.assertIn('add the picture again', self.error('cbir-catalog', 'list', 'shop', env=self.env, expect=5))
        self.error('cbir-catalog', 'list', 'items', env=self.env, expect=4)
        self.error('cbir-catalog', 'create', 'items', '--model', 'blind', env=self.env, expect=7)

    def test_what_keypoints_vote_by_is_stored_or_computed(self):
        self.make()
        self.make_scene()
        found = self.lines('two.png', '--candidates', 0)
        self.assertEqual(len(found), 2)
        codes = self.dir / 'shop/features-1.codes'
        codes.unlink()  # as in a catalogue of an older version
        self.assertEqual(self.lines('two.png', '--candidates', 0), found)
        (self.dir / 'star').mkdir()
        cv2.imwrite(str(self.dir / 'star/0.png'), texture(40))
        self.tool('add', 'shop', 'star', 'star/0.png')
        self.assertTrue(codes.exists())
        self.assertEqual(self.lines('two.png', '--candidates', 0), found)
        shutil.copy(codes, self.dir / 'shop/features-2.codes')  # of other features: as if there were none
        self.assertEqual(self.lines('two.png', '--candidates', 0), found)
        self.tool('remove', 'shop', 'star')
        self.assertEqual(sorted(p.name for p in (self.dir / 'shop').iterdir()),
                         ['catalog.json', 'features-1.codes', 'features-1.local', 'index.cbir', 'lock'])

    def test_one_writer_at_a_time(self):
        self.make()
        with open(self.dir / 'shop/lock') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for args in (['add', 'shop', 'items'], ['remove', 'shop', 'rug']):
                self.assertIn('locked by another run', self.error('cbir-catalog', *args, env=self.env, expect=8))
            self.assertEqual(len(self.items()), 3)  # readers do not wait

    def test_a_change_that_is_killed_is_there_or_not(self):
        self.make()
        shutil.copytree(self.dir / 'shop', self.dir / 'before')
        for i in range(8):
            (self.dir / 'more' / str(i)).mkdir(parents=True)
            cv2.imwrite(str(self.dir / 'more' / str(i) / '0.png'), texture(50 + i))
        start = time.monotonic()
        self.tool('add', 'shop', 'more')
        whole = time.monotonic() - start
        random = np.random.default_rng(1)
        for attempt in range(4):
            shutil.rmtree(self.dir / 'shop')
            shutil.copytree(self.dir / 'before', self.dir / 'shop')
            process = subprocess.Popen([BIN / 'cbir-catalog', 'add', 'shop', 'more'], cwd=self.dir, stdout=subprocess.DEVNULL,
                                       stderr=subprocess.DEVNULL, env={**os.environ, **self.env})
            time.sleep(random.uniform(.3, 1.1) * whole)
            process.send_signal(signal.SIGKILL)
            process.wait()
            with self.subTest(attempt=attempt):
                self.assertIn(len(self.items()), (3, 11))
                self.assertRegex(self.tool('add', 'shop', 'more').stdout, b'8 pictures added, [08] removed, 11 now')
                names = [p.name for p in (self.dir / 'shop').iterdir()]
                self.assertEqual([n for n in names if n.startswith('adding')], [])
                self.assertEqual(len([n for n in names if n.endswith('.local')]), 2)


class Page(PageTest, CatalogTest):
    """The page of findings, in a browser."""
    evil = '<img src=x onerror=alert(1)>'
    made = None  # the page and what it tells: made once, since no test changes it

    def setUp(self):
        super().setUp()
        if Page.made is None:
            self.make_page()
            Page.made = [(name, (self.dir / name).read_bytes()) for name in ('page.html', 'found.jsonl')]
        for name, data in Page.made:
            (self.dir / name).write_bytes(data)
        self.found = [json.loads(line) for line in (self.dir / 'found.jsonl').read_text().splitlines()]

    def make_page(self):
        self.make()
        self.video('tour.avi', self.shop_tour())
        (self.dir / 'items-2' / self.evil).mkdir(parents=True)
        cv2.imwrite(str(self.dir / 'items-2' / self.evil / '0.png'), texture(31))
        self.tool('add', 'shop', 'items-2')
        cv2.imwrite(str(self.dir / '<b>.png'), scene((self.pictures['lamp'], 160, 40, 20), (texture(31), 20, 40, 0)))
        cv2.imwrite(str(self.dir / 'wall.png'), scene())
        self.tool('identify', 'shop', '<b>.png', 'wall.png', 'tour.avi', '--html', 'page.html', '-o', 'found.jsonl', '--format', 'jsonl')

    def test_frames_lie_where_items_were_found(self):
        self.open('page.html')
        places = self.browser.run("""[...document.querySelectorAll('svg.shot')].slice(0, 1).flatMap(svg => {
            const all = svg.querySelector('image').getBoundingClientRect();
            return [...svg.querySelectorAll('rect')].map(rect => { const box = rect.getBoundingClientRect();
              return [(box.x - all.x) / all.width, (box.y - all.y) / all.height, box.width / all.width, box.height / all.height]; }); })""")
        boxes = [f['box'] for f in self.found if f['path'] == '<b>.png']
        self.assertEqual(len(places), 2)
        for (x, y, w, h), (x1, y1, x2, y2) in zip(places, boxes):
            np.testing.assert_allclose([x, y, w, h], [x1 / WIDTH, y1 / HEIGHT, (x2 - x1) / WIDTH, (y2 - y1) / HEIGHT], atol=.02)
        names = [f['item'] for f in self.found if f['path'] == '<b>.png']
        self.assertEqual(self.texts('.shots li:first-child td:first-child'), names)
        self.assertEqual(self.texts('.shots:not(h2 ~ .shots) li:nth-child(2) .note'), ['nothing found'])
        self.assert_self_contained('page.html')

    def test_names_lie_over_no_other_and_numbers_stay_whole(self):
        self.open('page.html')
        inside, first, second = self.browser.run("""(() => { const svg = document.querySelector('svg.shot');
            return [svg, ...svg.querySelectorAll('text')].map(e => { const b = e.getBoundingClientRect();
              return [b.left, b.top, b.right, b.bottom]; }); })()""")
        for name in first, second:
            self.assertTrue(name[0] >= inside[0] - 1 and name[1] >= inside[1] - 3 and name[2] <= inside[2] + 1 and name[3] <= inside[3] + 3)
        apart = first[2] <= second[0] or second[2] <= first[0] or first[3] <= second[1] + 2 or second[3] <= first[1] + 2
        self.assertTrue(apart, (first, second))
        self.assertEqual(self.browser.run("getComputedStyle(document.querySelector('.shots th.n')).whiteSpace"), 'nowrap')

    def test_names_cannot_become_markup(self):
        self.open('page.html')
        self.assertEqual(self.browser.run('document.querySelectorAll("img, main b b").length'), 0)
        self.assertIn(self.evil, self.texts('.shots td'))
        self.assertIn('<b>.png', self.browser.names('image'))

    def test_a_video_is_told_by_appearances(self):
        self.open('page.html')
        self.assertEqual(self.texts('h2'), ['tour.avi'])
        self.assertEqual(self.texts('h2 ~ .shots .line b'), ['vase', 'rug'])
        self.assertEqual(self.texts('h2 ~ .shots .line .score')[1], '0:03.0 to 0:03.8')

    def test_it_is_readable_on_any_screen_by_day_and_night(self):
        for width in 360, 1280:
            self.browser.resize(width, 900)
            self.open('page.html')
            self.assertLessEqual(self.browser.run('document.documentElement.scrollWidth'), width)
            for letters in self.browser.run("[...document.querySelectorAll('svg.shot text')].map(t => t.getBoundingClientRect().height)"):
                self.assertGreater(letters, 8)
        for scheme in 'light', 'dark':
            self.browser.prefer(prefers_color_scheme=scheme)
            self.open('page.html')
            colours = self.browser.run("""['.shots td', 'h1', '.note'].map(s => getComputedStyle(document.querySelector(s)).color)
                .concat([getComputedStyle(document.querySelector('.shots .card')).backgroundColor])""")
            luminance = [sum(int(c) for c in colour[colour.index('(') + 1:-1].split(',')[:3]) / 3 for colour in colours]
            for text in luminance[:3]:
                self.assertGreater(abs(text - luminance[3]), 80, (scheme, colours))


class Scenes(ToolTest):
    def test_the_same_seed_makes_the_same_pictures(self):
        stamps = self.dir / 'stamps'
        stamps.mkdir()
        for i in range(4):
            cutout = np.dstack([texture(i), np.full((120, 120), 255, np.uint8)])
            cutout[:, :20, 3] = 0
            cv2.imwrite(str(stamps / f'{i}.png'), cutout)
        for name in ('a', 'b'):
            subprocess.run([SOURCE / 'datasets/scenes', 'make', name, '--stamps', stamps, '--backgrounds', 'generated', '--items', '4',
                            '--scenes', '1', '--calibration', '1', '--more', '1', '--video', '1'], cwd=self.dir, check=True,
                           stdout=subprocess.DEVNULL, env={**os.environ, 'PYTHONDONTWRITEBYTECODE': '1'})
        subprocess.run(['diff', '-r', '-x', 'video.mp4', 'a', 'b'], cwd=self.dir, check=True)
        truth = [json.loads(line) for line in (self.dir / 'a/truth.jsonl').read_text().splitlines()]
        self.assertEqual(len(truth), 4)
        # What finds everything, and one thing that is not there.
        scene_of = next(scene for scene in truth if scene['items'])
        with open(self.dir / 'found.jsonl', 'w') as found:
            for scene in truth:
                for item in scene['items']:
                    found.write(json.dumps({'path': f'a/{scene["picture"]}', 'score': 9, **item}) + '\n')
            found.write(json.dumps({'path': f'a/{scene_of["picture"]}', 'score': 9, 'item': 'x', 'box': [0, 0, 1, 1]}) + '\n')
        done = subprocess.run([SOURCE / 'datasets/scenes', 'evaluate', 'a/truth.jsonl', 'found.jsonl'], cwd=self.dir, check=True,
                              capture_output=True, text=True)
        scores = {line.split('\t')[0]: line.split('\t')[1:] for line in done.stdout.splitlines()[1:]}
        kind = scene_of['picture'].split('/')[0]
        self.assertEqual(float(scores[kind][1]), 1)
        self.assertEqual(scores[kind][3], '1')
        self.assertEqual(float(scores[kind][5]), 1)


if __name__ == '__main__':
    main()
