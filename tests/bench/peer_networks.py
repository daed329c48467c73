"""The networks as their original implementations state them: weights for our encoders, ONNX files for ONNX Runtime.

They are those of the parity tests. Weights are random: speed does not depend on them, as long as activations neither vanish
nor overflow.
"""
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

SOURCE = Path(__file__).resolve().parents[2]
OUT = SOURCE / 'build/bench'
sys.path[:0] = [str(SOURCE / 'tests/parity'), str(SOURCE / 'tests/tools')]
import networks
import reference
import test_encoder_parity
import transformers_reference


class Padded(torch.autograd.Function):
    """A convolution with padding that differs from side to side (top, left, bottom, right), which ONNX's Conv has and
    PyTorch's has not. ONNX Runtime spends a sixth of the network's time on padding by an operator of its own."""

    @staticmethod
    def forward(context, x, weight, pads, stride, groups):
        top, left, bottom, right = pads
        return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, stride=stride, groups=groups)

    @staticmethod
    def symbolic(graph, x, weight, pads, stride, groups):
        return graph.op('Conv', x, weight, pads_i=pads, strides_i=[stride, stride], group_i=groups)


class EfficientNet(torch.nn.Module):
    def __init__(self, state):
        super().__init__()
        self.plain = reference.Reference(state)
        self.plain.conv = self.conv

    def conv(self, name, x, stride=1, depthwise=False):
        weight = self.plain.tensors[name + '.weight']
        missing = [max(0, (-(-int(n) // stride) - 1) * stride + int(k) - int(n)) for n, k in zip(x.shape[2:], weight.shape[2:])]
        pads = [n // 2 for n in missing] + [n - n // 2 for n in missing]
        return Padded.apply(x, weight, pads, stride, int(x.shape[1]) if depthwise else 1)

    def forward(self, x):
        return self.plain(x)


class Clip(torch.nn.Module):
    def __init__(self, state):
        super().__init__()
        self.state = state

    def forward(self, x):
        return transformers_reference.clip_image(self.state, x)


def efficientnet():
    state = test_encoder_parity.random_state(1)
    return EfficientNet(state), state


def resnet():
    network = networks.random_model('resnet50', 1)
    state = network.state_dict()
    network.fc = torch.nn.Identity()
    return network, state


def mobilenet():
    network = networks.random_model('mobilenet_v3_large', 1)
    state = network.state_dict()
    network.classifier = torch.nn.Identity()
    return network, state


def clip():
    chance = transformers_reference.Chance(1)
    state = {**chance.clip_image(32, 768, 12, 512), **chance.clip_text(512, 12, 512)}
    return Clip(state), state


NETWORKS = {'efficientnet-lite0': efficientnet, 'mobilenet-v3-large': mobilenet, 'resnet50': resnet, 'clip-vit-b-32': clip}


class Count(TorchDispatchMode):
    """Adds up the multiplications and additions of convolutions and products of matrices."""

    def __init__(self):
        super().__init__()
        self.operations = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        name = function.overloadpacket.__name__
        if name == 'convolution':
            self.operations += 2 * out.numel() * args[1][0].numel()
        elif name in ('mm', 'bmm'):
            self.operations += 2 * out.numel() * args[0].shape[-1]
        elif name == 'addmm':
            self.operations += 2 * out.numel() * args[1].shape[-1]
        return out


def export(network, picture, path):
    """With a batch of any size."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter('ignore')
        torch.onnx.export(network, picture, path, opset_version=17, input_names=['pictures'], output_names=['vectors'],
                          dynamic_axes={'pictures': {0: 'batch'}, 'vectors': {0: 'batch'}})


def made(name):
    """The ONNX file, the weights file, and the operations for one picture; made where they are not there yet."""
    onnx, weights, operations = (OUT / f'{name}.{suffix}' for suffix in ('onnx', 'pth', 'operations'))
    if not operations.exists():
        OUT.mkdir(parents=True, exist_ok=True)
        network, state = NETWORKS[name]()
        torch.save(state, weights)
        picture = torch.randn(1, 3, 224, 224)
        export(network, picture, onnx)
        with torch.no_grad(), Count() as count:
            network(picture)
        operations.write_text(str(count.operations))  # last: all is there
    return onnx, weights, int(operations.read_text())


def pictures(count):
    return np.random.default_rng(5).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)
