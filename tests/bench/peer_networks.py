"""The networks as their original implementations state them: weights for our encoders, ONNX files for ONNX Runtime.

Weights are random: speed does not depend on them, as long as activations neither vanish nor overflow; so batch norm is
given the statistics of what it sees.
"""
import sys
import warnings
from pathlib import Path

import numpy as np
import torch
import torchvision
from torch.utils._python_dispatch import TorchDispatchMode

SOURCE = Path(__file__).resolve().parents[2]
OUT = SOURCE / 'build/bench'
sys.path[:0] = [str(SOURCE / 'tests/parity'), str(SOURCE / 'tests/tools')]


def settled(network):
    """Batch norm with the statistics of its input, so that activations keep their size from layer to layer."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network.train()(torch.randn(4, 3, 224, 224))
    return network.eval()


def efficientnet():
    import reference
    import test_encoder_parity

    class Network(torch.nn.Module):
        def __init__(self, state):
            super().__init__()
            self.plain = reference.Reference(state)

        def forward(self, x):
            return self.plain(x)

    state = test_encoder_parity.random_state(1)
    return Network(state), state


def resnet50():
    network = settled(torchvision.models.resnet50())
    state = network.state_dict()
    network.fc = torch.nn.Identity()
    return network, state


def mobilenet():
    network = settled(torchvision.models.mobilenet_v3_large())
    state = network.state_dict()
    network.classifier = torch.nn.Identity()
    return network, state


NETWORKS = {'efficientnet-lite0': efficientnet, 'resnet50': resnet50, 'mobilenet-v3-large': mobilenet}


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


def made(name):
    """The ONNX file, the weights file, and the operations for one picture; made where they are not there yet."""
    onnx, weights, operations = (OUT / f'{name}.{suffix}' for suffix in ('onnx', 'pth', 'operations'))
    if not operations.exists():
        OUT.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(1)
        network, state = NETWORKS[name]()
        torch.save(state, weights)
        picture = torch.randn(1, 3, 224, 224)
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            torch.onnx.export(network, picture, onnx, opset_version=14, input_names=['pictures'], output_names=['vectors'],
                              dynamic_axes={'pictures': {0: 'batch'}, 'vectors': {0: 'batch'}})
        with torch.no_grad(), Count() as count:
            network(picture)
        operations.write_text(str(count.operations))
    return onnx, weights, int(operations.read_text())


def pictures(count):
    return np.random.default_rng(5).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)
