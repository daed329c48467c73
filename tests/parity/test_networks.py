"""Convolutional networks beside torchvision, with random weights: the same numbers out of the same pictures."""
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from cbirtest import SOURCE, ToolTest, main
try:
    import torchvision
    from PIL import Image

    import networks
    import pictures
except ImportError as error:
    print(f'skipped: test_networks: {error}; Debian has it in python3-torchvision')
    sys.exit(77)

torch.set_num_threads(1)  # several wait for each other in loops, which on a busy machine takes minutes
SIZES = [(224, 224), (193, 301), (160, 97)]  # width, height
SQUARES = 7


def scenes(sizes, seed):
    return [pictures.scene(width, height, seed * 100 + i) for i, (width, height) in enumerate(sizes)]


def changed_preset(name, crop='center', side=224, **changes):
    """A preset that came with the toolkit, but its vectors are as the network gives them."""
    preset = {**json.loads((SOURCE / 'models' / f'{name}.json').read_text()), 'name': 'changed', 'normalization': 'none', **changes}
    preset['preprocessing'].update(crop_mode=crop, crop=side)
    preset['weights'] = {'file': 'weights.pth', 'licence': 'none'}
    return preset


class Networks(ToolTest):
    def setUp(self):
        super().setUp()
        self.precision = 'float32'

    def save(self, state, legacy=False):
        torch.save(state, self.dir / 'weights.pth', _use_new_zipfile_serialization=not legacy)

    def ours(self, preset, inputs, batch=1, expect=0):
        (self.dir / 'changed.json').write_text(json.dumps(preset))
        pictures.write_records(self.dir / 'inputs', inputs)
        done = self.run_tool('encode_tool', 'changed.json', 'weights.pth', 'inputs', 'rows', batch, 1, 1, self.precision, expect=None)
        message = done.stderr.decode()
        if done.returncode == 9 and self.precision == 'bfloat16':
            self.skipTest(message.strip())
        self.assertEqual(done.returncode, expect, message)
        return message if expect else np.fromfile(self.dir / 'rows', np.float32).reshape(len(inputs), -1)

    def close(self, ours, theirs, cosine=.9999, error=1e-3):
        """Row by row: the angle, and the largest difference beside the largest number."""
        theirs = torch.cat(theirs).numpy() if isinstance(theirs, list) else theirs
        self.assertEqual(ours.shape, theirs.shape)
        lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        cosines = (ours * theirs).sum(1) / lengths
        errors = np.abs(ours - theirs).max(1) / np.abs(theirs).max(1)
        print(f'{self.id()}: least cosine {cosines.min():.7f}, largest relative error {errors.max():.1e} of {len(ours)}', file=sys.stderr)
        self.assertGreaterEqual(cosines.min(), cosine)
        self.assertLessEqual(errors.max(), error)
        units = theirs / np.linalg.norm(theirs, axis=1, keepdims=True)
        others = units @ units.T - 2 * np.eye(len(units))
        self.assertLess(np.median(others.max(1)), .999, 'the pictures are too alike to test anything')

    def same_order(self, ours, theirs, margin=.02):
        """Every picture as a query: of two others the one that is nearer by more than the margin is so in both."""
        scores = [np.corrcoef(rows) for rows in (ours, theirs)]
        ahead = [s[:, :, None] - s[:, None, :] for s in scores]
        self.assertTrue((ahead[0][ahead[1] > margin] > 0).all())

    def same(self, name, reference, side=128, squares=SQUARES, **changes):
        """Squares one by one and together, and pictures of all shapes."""
        with torch.no_grad():
            inputs = scenes([(side, side)] * squares, 1)
            theirs = [reference(networks.network_input(p)) for p in inputs]
            for batch in (1, squares):
                with self.subTest(batch=batch):
                    self.close(self.ours(changed_preset(name, side=side, **changes), inputs, batch), theirs)
            inputs = scenes(SIZES, 2)
            theirs = [reference(networks.network_input(p)) for p in inputs]
            with self.subTest(crop='none'):
                self.close(self.ours(changed_preset(name, 'none', **changes), inputs, len(inputs)), theirs)

    def test_mobilenet_v3_large(self):
        model = networks.random_model('mobilenet_v3_large', 1)
        self.save(model.state_dict(), legacy=True)
        self.same('mobilenet-v3-large', lambda x: networks.pooled(model, x), side=224)
        self.same('mobilenet-v3-large-1280', lambda x: networks.before_classifier(model, x), side=224)

    def test_resnets_with_any_number_of_classes(self):
        for depth, preset, dimension in ((18, 'resnet34', 512), (34, 'resnet34', 512), (50, 'resnet50', 2048)):
            model = networks.random_model(f'resnet{depth}', depth, num_classes=7)
            state = model.state_dict()
            if depth == 18:  # as training on several devices leaves it
                state = {'epoch': 3, 'state_dict': {'module.' + name: value for name, value in state.items()}}
            self.save(state, legacy=depth == 34)
            with self.subTest(depth=depth):
                self.same(preset, lambda x: networks.pooled(model, x), network=f'resnet{depth}', dimension=dimension)

    def test_vgg16(self):
        model = networks.random_model('vgg16', 3)
        state = {name: value for name, value in model.state_dict().items() if not name.startswith('classifier.3')}
        state['classifier.6.weight'], state['classifier.6.bias'] = torch.zeros(5, 4096), torch.zeros(5)
        self.save(state)
        self.same('vgg16-pool', lambda x: networks.pooled(model, x), side=96)
        self.same('vgg16-fc6', lambda x: networks.fc6(model, x), side=96, squares=9)  # one more than are run together
        small = [pictures.scene(31, 64, 1)]
        self.assertIn('32 x 32 pixels and more', self.ours(changed_preset('vgg16-pool', 'none'), small, expect=6))

    def retrieval(self, name, reference, scales=(1,), count=SQUARES):
        self.save(reference.checkpoint())
        inputs = scenes(([(128, 128)] * 4 + SIZES)[:count], 4)
        preset = changed_preset(name, 'none', normalization='l2', scales=list(scales), gem_p=5)
        with torch.no_grad():
            theirs = [reference(networks.network_input(p), scales) for p in inputs]
        for batch in {1, count} if count == SQUARES else {count}:
            self.close(self.ours(preset, inputs, batch), theirs)

    def test_networks_for_retrieval(self):
        layer = torch.nn.Linear(2048, 2048)
        for name, depth in (('resnet50-gem', 'resnet50'), ('resnet101-gem', 'resnet101')):
            model = networks.random_model(depth, 5)
            with self.subTest(name):
                self.retrieval(name, networks.Retrieval(model, 2.9, layer))

    def test_scales_of_networks_for_retrieval(self):
        model, layer = networks.random_model('resnet50', 6), torch.nn.Linear(2048, 2048)
        for whitening in (None, layer):
            with self.subTest(whitening=whitening):
                self.retrieval('resnet50-gem', networks.Retrieval(model, 2.4, whitening), (1, .707), count=3)

    def test_whitening_that_was_fitted_afterwards(self):
        model = networks.random_model('resnet50', 6)
        with torch.no_grad():
            vectors = [networks.Retrieval(model, 3.).pooled(networks.network_input(p)) for p in scenes([(64, 64)] * 8, 5)]
        mean = torch.cat(vectors).mean(0)[:, None].double().numpy()
        random = np.random.default_rng(6)
        for kind in ('ss', 'ms'):
            fitted = {key: {'m': mean * factor, 'P': np.asfortranarray(random.normal(size=(2048, 2048)))}
                      for key, factor in (('ss', 1), ('ms', .9))}
            with self.subTest(kind):
                self.retrieval('resnet50-gem', networks.Retrieval(model, 3.3, whitening=fitted),
                               (1,) if kind == 'ss' else (1, .707), count=3)

    def test_bfloat16_where_the_cpu_has_it(self):
        self.precision = 'bfloat16'
        inputs = scenes([(160, 160)] * 4, 1)
        for name, presets in (
                ('mobilenet_v3_large', {'mobilenet-v3-large': networks.pooled, 'mobilenet-v3-large-1280': networks.before_classifier}),
                ('resnet50', {'resnet50': networks.pooled}),
                ('vgg16', {'vgg16-pool': networks.pooled, 'vgg16-fc6': networks.fc6})):
            model = networks.random_model(name, 7, branch=.5)
            self.save(model.state_dict())
            for preset, reference in presets.items():
                with self.subTest(preset), torch.no_grad():
                    ours = self.ours(changed_preset(preset, side=160), inputs)
                    theirs = torch.cat([reference(model, networks.network_input(p)) for p in inputs]).numpy()
                    self.close(ours, theirs, cosine=.999, error=.1)
                    self.same_order(ours, theirs)

    def extracted(self, preset, files):
        """cbir-extract's embeddings of files, of length 1."""
        (self.dir / 'changed.json').write_text(json.dumps(preset))
        (self.dir / 'in').mkdir(exist_ok=True)
        for name, picture in files.items():
            picture.save(self.dir / 'in' / name)
        self.out('cbir-extract', '--model', 'changed.json', '-o', f'set{time.monotonic_ns()}', 'in')
        return np.load(max(self.dir.glob('set*.npy')))

    def test_from_the_file_as_torchvision_prepares_it(self):
        model = networks.random_model('mobilenet_v3_large', 8)
        self.save(model.state_dict())
        sizes = [(500, 375), (375, 500), (640, 427), (1003, 701), (97, 331), (256, 256), (200, 201)]
        files = {f'{i}.png': Image.fromarray(p) for i, p in enumerate(scenes(sizes, 9))}
        versions = torchvision.models.MobileNet_V3_Large_Weights
        for name, weights in (('mobilenet-v3-large', versions.IMAGENET1K_V1), ('mobilenet-v3-large-v2', versions.IMAGENET1K_V2)):
            with self.subTest(name), torch.no_grad():
                prepare = weights.transforms()
                theirs = [networks.unit(networks.pooled(model, prepare(p)[None])) for p in files.values()]
                self.close(self.extracted(changed_preset(name, normalization='l2'), files), theirs)

    def test_from_the_file_as_for_retrieval(self):
        model = networks.Retrieval(networks.random_model('resnet50', 10), 3.)
        self.save(model.checkpoint())
        preset = changed_preset('resnet50-gem', 'none', normalization='l2')
        side = preset['preprocessing']['resize'] = 200
        files = {f'{i}.png': Image.fromarray(p) for i, p in enumerate(scenes([(500, 375), (375, 501), (333, 97), (120, 80)], 11))}
        theirs = []
        for picture in files.values():
            small = picture.copy()
            small.thumbnail((side, side), Image.LANCZOS, reducing_gap=None)
            with torch.no_grad():
                theirs.append(model(networks.network_input(small)))
        self.close(self.extracted(preset, files), theirs)

    def refused(self, name, state, expect, *words, **changes):
        self.save(state)
        crop = 'none' if name.endswith('-gem') else 'center'
        message = self.ours(changed_preset(name, crop, **changes), scenes([(224, 224)], 1), expect=expect)
        for word in words:
            self.assertIn(word, message)

    def test_parameters_that_do_not_fit_are_named(self):
        resnet = networks.random_model('resnet18', 1).state_dict()
        small = {'network': 'resnet18'}
        self.refused('resnet34', resnet, 6, 'layer1.2.conv1.weight (64x64x3x3) is missing')
        self.refused('resnet50', resnet, 6, 'layer1.0.conv1.weight is 64x64x3x3, 64x64x1x1 was expected')
        self.refused('resnet34', networks.random_model('resnet34', 1).state_dict(), 6, 'layer1.2.bn1.bias (64) is not one of', **small)
        self.refused('resnet34', {**resnet, 'layer5.weight': torch.ones(2)}, 6, 'layer5.weight (2) is not one of', **small)
        self.refused('resnet50-gem', resnet, 6, 'features.0.weight (64x3x7x7) is missing')
        self.refused('vgg16-pool', resnet, 6, 'features.0.weight (64x3x3x3) is missing')
        self.refused('mobilenet-v3-large', resnet, 6, 'features.0.0.weight (16x3x3x3) is missing')
        mobilenet = networks.random_model('mobilenet_v3_large', 1).state_dict()
        self.refused('mobilenet-v3-large', {**mobilenet, 'features.4.block.2.fc1.bias': torch.zeros(18)}, 6,
                     'features.4.block.2.fc1.bias is 18, 24 was expected')
        self.refused('mobilenet-v3-large', {**mobilenet, 'features.1.block.0.1.running_var': torch.full((16,), -1.)}, 5,
                     'features.1.block.0.1.running_var')
        retrieval = networks.Retrieval(networks.random_model('resnet50', 1), 0.).checkpoint()
        self.refused('resnet50-gem', retrieval, 5, 'pool.p is 0.0')
        retrieval['state_dict']['pool.p'] = torch.ones(2048) * 3
        self.refused('resnet50-gem', retrieval, 6, 'pool.p is 2048, 1 was expected')
        retrieval['state_dict'].update({'pool.p': torch.ones(1) * 3, 'pool.whiten.bias': torch.ones(2048)})
        self.refused('resnet50-gem', retrieval, 6, 'pool.whiten.bias (2048) is not one of')

    def test_layers_and_pools_that_are_not_there(self):
        state = {'nothing': torch.ones(1)}
        self.refused('mobilenet-v3-large', state, 6, "mobilenet-v3-large has the layer 'pooled' or 'classifier', not 'fc7'", layer='fc7')
        self.refused('mobilenet-v3-large', state, 6, "layer 'pooled' of mobilenet-v3-large has dimension 960, not 1280", dimension=1280)
        self.refused('resnet34', state, 6, "has no pool 'none'", pool='none')
        self.refused('vgg16-fc6', state, 6, "pool is 'gem', not 'none'", pool='gem')

    def test_every_preset_names_a_network_and_what_it_has(self):
        self.save({'nothing': torch.ones(1)})
        for name in ('mobilenet-v3-large', 'mobilenet-v3-large-v2', 'mobilenet-v3-large-1280', 'resnet34', 'resnet50', 'resnet50-gem',
                     'resnet101-gem', 'vgg16-fc6', 'vgg16-pool'):
            with self.subTest(name):
                pictures.write_records(self.dir / 'inputs', [])
                done = self.run_tool('encode_tool', name, 'weights.pth', 'inputs', 'rows', 1, 1, expect=6)
                self.assertRegex(done.stderr.decode(), r'parameter [a-z0-9.]+\.weight \([0-9x]+\) is missing')


if __name__ == '__main__':
    main()
