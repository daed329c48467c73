"""Encoders out of .onnx files against PyTorch, which wrote them."""
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from cbirtest import SOURCE, ToolTest, main
import pictures

torch.set_num_threads(2)
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


def fields(message):
    """Field number and content of each field of a message of Protocol Buffers, if it is text, bytes or a message."""
    at = 0

    def varint():
        nonlocal at
        number, shift = 0, 0
        while True:
            byte, at = message[at], at + 1
            number, shift = number | (byte & 127) << shift, shift + 7
            if byte < 128:
                return number

    while at < len(message):
        tag = varint()
        size = {0: 0, 1: 8, 2: 0, 5: 4}[tag & 7]
        if tag & 7 == 0:
            varint()
        elif tag & 7 == 2:
            size = varint()
            yield tag >> 3, message[at:at + size]
        at += size


class Squeeze(nn.Module):
    """Squeeze and excitation: a branch that comes back by multiplication."""
    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 8, 1), nn.Conv2d(8, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3), keepdim=True)))))


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
                                  nn.BatchNorm2d(channels), nn.Hardswish(), Squeeze(channels), nn.Conv2d(channels, channels, 1))

    def forward(self, x):
        return torch.relu(x + self.body(x))


class TwoOutputs(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        y = self.body(x)
        return y, y.mean((2, 3))


def randomised(network, seed):
    """Batch norms as after training, or they would do nothing."""
    torch.manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, .5, 1.5)
            nn.init.normal_(module.bias, 0, .3)
            nn.init.normal_(module.running_mean, 0, .3)
            nn.init.uniform_(module.running_var, .5, 1.5)
    return network.eval()


def small(head=nn.Identity()):
    torch.manual_seed(1)
    return randomised(nn.Sequential(nn.Conv2d(3, 24, 5, 2, 2), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(3, 2, 1), Residual(24),
                                    nn.Conv2d(24, 48, 3, 2, 1), nn.BatchNorm2d(48), nn.ReLU6(), Residual(48), head), 2)


def vector_head():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(48, 20))


class Onnx(ToolTest):
    def export(self, network, name='net.onnx', side=64, any_size=False, **kw):
        kw.setdefault('output_names', ['vector'])
        axes = {'picture': {0: 'n', **({2: 'height', 3: 'width'} if any_size else {})}}
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            torch.onnx.export(network, torch.zeros(1, 3, side, side), str(self.dir / name), input_names=['picture'],
                              dynamic_axes=axes, opset_version=13, **kw)

    def preset(self, dimension, file='net.onnx', side=64, pool='none', layer='auto', crop='center', **fields):
        preset = {'name': 'net', 'network': 'onnx', 'layer': layer, 'pool': pool, 'dimension': dimension,
                  'preprocessing': {'resize': side * 8 // 7, 'filter': 'bilinear', 'resize_rounding': 'floor', 'crop': side,
                                    'crop_mode': crop, 'crop_rounding': 'round', 'mean': MEAN, 'std': STD},
                  'normalization': 'l2', 'metric': 'cosine', 'weights': {'file': file, 'licence': 'none'}, **fields}
        (self.dir / 'net.json').write_text(json.dumps(preset))

    def ours(self, inputs, batch=3, threads=2):
        pictures.write_records(self.dir / 'crops', inputs)
        self.out('encode_tool', 'net.json', '-', 'crops', 'rows', batch, threads)
        return np.fromfile(self.dir / 'rows', np.float32).reshape(len(inputs), -1)

    def compare(self, network, inputs, flip=False):
        rows = []
        with torch.no_grad():
            for picture in inputs:
                x = (torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() - torch.tensor(MEAN)[:, None, None])
                x = x / torch.tensor(STD)[:, None, None]
                total = sum(nn.functional.normalize(network(y)) for y in ([x, x.flip(3)] if flip else [x]))
                rows.append(nn.functional.normalize(total)[0].numpy())
        theirs, ours = np.stack(rows), self.ours(inputs)
        cosine, error = (ours * theirs).sum(1).min(), np.abs(ours - theirs).max() / np.abs(theirs).max()
        print(f'{self.id()}: least cosine {cosine:.8f}, largest relative error {error:.1e} of {len(inputs)}', file=sys.stderr)
        self.assertGreaterEqual(cosine, .9999)
        self.assertLessEqual(error, 1e-3)
        spread = np.abs(theirs - theirs.mean(0)).max()
        self.assertLess(np.abs(ours - theirs).max(), spread / 100, 'the pictures are too alike to test anything')

    def scenes(self, count, side=64):
        return [pictures.scene(side, side, 10 + i) for i in range(count)]

    def test_small_network(self):
        network = small(vector_head())
        for any_size in (False, True):
            for flip in (False, True):
                with self.subTest(any_size=any_size, flip=flip):
                    self.export(network, any_size=any_size)
                    self.preset(20, flip=flip)
                    self.compare(network, self.scenes(7), flip)

    def test_pictures_of_any_shape(self):
        network = small(vector_head())
        self.export(network, any_size=True)
        self.preset(20, crop='none')
        self.compare(network, [pictures.scene(width, height, seed) for seed, (width, height) in
                               enumerate(((64, 64), (97, 64), (64, 131), (97, 64), (200, 65), (64, 64)))])

    def test_maps_are_pooled(self):
        network = small()
        self.export(network, any_size=True)
        for pool, pooled in (('avg', lambda x: x.mean((2, 3))), ('max', lambda x: x.amax((2, 3))),
                             ('gem', lambda x: x.clamp_min(1e-6).pow(3).mean((2, 3)).pow(1 / 3))):
            with self.subTest(pool):
                self.preset(48, pool=pool)
                self.compare(lambda x: pooled(network(x)), self.scenes(5))

    def test_of_two_outputs_the_one_that_is_a_vector(self):
        network = TwoOutputs(small()).eval()
        self.export(network, output_names=['map', 'mean'])
        for layer in ('auto', 'mean'):
            with self.subTest(layer):
                self.preset(48, layer=layer)
                self.compare(lambda x: network(x)[1], self.scenes(5))
        self.preset(48, layer='map', pool='max')
        self.compare(lambda x: network(x)[0].amax((2, 3)), self.scenes(5))

    def test_resnet18(self):
        torch.manual_seed(3)
        network = randomised(torchvision.models.resnet18(), 4)
        self.export(network, side=224)
        inputs = self.scenes(5, 224)
        self.preset(1000, side=224)
        self.compare(network, inputs)
        # Before the classifier: a value inside the graph, by the name that the exporter gave it.
        self.preset(512, side=224, layer=self.input_of(b'Flatten'))
        body = nn.Sequential(*list(network.children())[:-1]).eval()
        self.compare(lambda x: body(x).flatten(1), inputs)

    def input_of(self, operator):
        """The name of what the only node of a kind reads."""
        graph = dict(fields((self.dir / 'net.onnx').read_bytes()))[7]
        nodes = [list(fields(content)) for number, content in fields(graph) if number == 1]
        node, = (n for n in nodes if (4, operator) in n)
        return dict(reversed(node))[1].decode()

    def test_as_a_user_does_it(self):
        """The preset that the refusal shows, with its dimension put right, beside torchvision's own preprocessing."""
        torch.manual_seed(3)
        network = randomised(torchvision.models.resnet18(), 4)
        self.export(network, 'my.onnx', side=224)
        (self.dir / 'in').mkdir()
        for i, (width, height) in enumerate(((300, 260), (257, 400), (640, 480))):
            Image.fromarray(np.asarray(pictures.scene(width, height, i))).save(self.dir / f'in/{i}.png')
        refused = self.error('cbir-extract', '-o', 'set', '--model', 'my.onnx', 'in', expect=2)
        shown = json.loads(refused[refused.index('{'):])
        (self.dir / 'my.json').write_text(json.dumps(shown))
        wrong = self.error('cbir-extract', '-o', 'set', '--model', 'my.json', 'in', expect=6)
        self.assertRegex(wrong, r"my.onnx: does not make encoder 'my': output 'vector' is 1 x 1000 .* 'dimension': 512")
        (self.dir / 'my.json').write_text(json.dumps({**shown, 'dimension': 1000}))
        self.run_tool('cbir-extract', '-o', 'set', '--model', 'my.json', 'in')
        ours = np.load(self.dir / 'set.npy')
        transforms = torchvision.transforms.Compose([
            torchvision.transforms.Resize(256), torchvision.transforms.CenterCrop(224), torchvision.transforms.ToTensor(),
            torchvision.transforms.Normalize((.485, .456, .406), (.229, .224, .225))])
        for i, row in enumerate(ours):
            with torch.no_grad():
                theirs = nn.functional.normalize(network(transforms(Image.open(self.dir / f'in/{i}.png'))[None]))[0].numpy()
            self.assertGreaterEqual(float(row @ theirs), .9999)
            self.assertLessEqual(np.abs(row - theirs).max(), 1e-3 * np.abs(theirs).max())

        # A query by picture needs no option: the index knows the preset, and the weights are where it says.
        self.run_tool('cbir-index', 'build', 'set', '-o', 'set.cbir')
        found = self.run_tool('cbir-query', 'set.cbir', 'in/1.png', '-k', '1', env={'CBIR_MODELS': str(self.dir)}).stdout
        self.assertIn(b'in/1.png\t1\t1.000000\tin/1.png', found)

    def test_neither_batch_nor_threads_change_a_bit(self):
        self.export(small(vector_head()))
        self.preset(20)
        inputs = self.scenes(21)
        alone = self.ours(inputs, batch=1, threads=1)
        for batch, threads in ((1, 4), (8, 1), (5, 3), (21, 1)):
            with self.subTest(batch=batch, threads=threads):
                self.assertEqual(self.ours(inputs, batch, threads).tobytes(), alone.tobytes())

    def test_damage_is_named(self):
        self.export(small(vector_head()))
        whole = (self.dir / 'net.onnx').read_bytes()
        self.preset(20)
        pictures.write_records(self.dir / 'crops', self.scenes(1))
        for content in (whole[:len(whole) // 2], b'', b'not a network', whole[:-1]):
            (self.dir / 'net.onnx').write_bytes(content)
            done = self.run_tool('encode_tool', 'net.json', '-', 'crops', 'rows', 1, 1, expect=5)
            self.assertIn(b"net.onnx: does not make encoder 'net': not a", done.stderr)

    def test_the_documented_preset_is_one(self):
        text = (SOURCE / 'docs/formats.md').read_text()
        start = text.index('{', text.index('### Any .onnx file'))
        example = json.JSONDecoder().raw_decode(text[start:])[0]
        torch.manual_seed(3)
        network = randomised(torchvision.models.resnet18(), 4)
        self.export(network, example['weights']['file'], side=224, output_names=['logits'])
        example['dimension'] = 1000
        (self.dir / 'net.json').write_text(json.dumps(example))
        self.compare(network, self.scenes(4, 224))


if __name__ == '__main__':
    main()
