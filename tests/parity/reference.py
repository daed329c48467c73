"""EfficientNet-Lite0 stated in plain PyTorch and Pillow: what cbir-extract must agree with.

The network: M. Tan's EfficientNet-Lite (TensorFlow TPU repository) with TensorFlow's 'SAME' padding, which is asymmetric at
stride 2; batch norm with eps 1e-3; ReLU6; no squeeze-and-excitation. Input: short side to 256 by Pillow's bicubic, centre
224 x 224, (x - 127) / 128.
"""
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

# stride, kernel, expansion, channels in, out, of each block in order
STAGES = [(1, 3, 1, 32, 16, 1), (2, 3, 6, 16, 24, 2), (2, 5, 6, 24, 40, 2), (2, 3, 6, 40, 80, 3), (1, 5, 6, 80, 112, 3),
          (2, 5, 6, 112, 192, 4), (1, 3, 6, 192, 320, 1)]
BLOCKS = [(stride if r == 0 else 1, kernel, expansion, before if r == 0 else after, after)
          for stride, kernel, expansion, before, after, repeats in STAGES for r in range(repeats)]


class Reference:
    def __init__(self, tensors):
        self.tensors = tensors

    def conv(self, name, x, stride=1, depthwise=False):
        weight = self.tensors[name + '.weight']
        for axis in (3, 2):
            size = x.shape[axis]
            missing = max(0, (-(-size // stride) - 1) * stride + weight.shape[axis] - size)
            x = F.pad(x, ((0, 0) if axis == 2 else ()) + (missing // 2, missing - missing // 2))
        return F.conv2d(x, weight, stride=stride, groups=x.shape[1] if depthwise else 1)

    def norm(self, name, x):
        t = self.tensors
        return F.batch_norm(x, t[name + '.running_mean'], t[name + '.running_var'], t[name + '.weight'], t[name + '.bias'],
                            eps=1e-3)

    def __call__(self, x):
        return self.features(x).mean((2, 3))

    def features(self, x):
        x = F.relu6(self.norm('_bn0', self.conv('_conv_stem', x, 2)))
        for i, (stride, _, expansion, before, after) in enumerate(BLOCKS):
            block, y = f'_blocks.{i}.', x
            if expansion > 1:
                y = F.relu6(self.norm(block + '_bn0', self.conv(block + '_expand_conv', y)))
            y = F.relu6(self.norm(block + '_bn1', self.conv(block + '_depthwise_conv', y, stride, depthwise=True)))
            y = self.norm(block + '_bn2', self.conv(block + '_project_conv', y))
            x = x + y if stride == 1 and before == after else y
        return F.relu6(self.norm('_bn1', self.conv('_conv_head', x)))


def regions(height, width, levels=3):
    """R-MAC's squares (Tolias et al. 2016): (top, left, side), about 40 % of a square shared with its neighbour."""
    short, long = sorted((height, width))
    extra = 0 if short == long else min(range(1, 7), key=lambda n: abs((short ** 2 - short * (long - short) / n) / short ** 2 - .4))
    for level in range(1, levels + 1):
        side = 2 * short // (level + 1)
        rows, columns = level + extra * (height > width), level + extra * (width > height)
        starts = lambda count, size: [int(i * (size - side) / max(1, count - 1)) for i in range(count)]
        yield from ((top, left, side) for top in starts(rows, height) for left in starts(columns, width) if side)


def pooled(x, pool):
    if pool == 'avg':
        return x.mean((2, 3))
    if pool == 'max':
        return x.amax((2, 3))
    if pool == 'gem':
        return x.clamp(min=1e-6).pow(3).mean((2, 3)).pow(1 / 3)
    parts = [x] + [x[:, :, t:t + s, l:l + s] for t, l, s in regions(*x.shape[2:])]
    return sum(v / (v.norm(dim=1, keepdim=True) + 1e-6) for v in (p.amax((2, 3)) for p in parts))


def described(network, picture, pool, scales, flip):
    """The vector of an 8-bit picture of any shape, averaged over scales and mirrored copies."""
    x = (torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() - 127) / 128
    total = 0
    with torch.no_grad():
        for scale in scales:
            y = x if scale == 1 else F.interpolate(x, scale_factor=scale, mode='bilinear', align_corners=False)
            for z in ([y, y.flip(3)] if flip else [y]):
                total = total + F.normalize(pooled(network.features(z), pool))
    return F.normalize(total)[0].numpy()


def prepare(picture):
    """An upright RGB picture as the network's input: 224 x 224 x 3, 8 bits."""
    scale = 256 / min(picture.size)
    width, height = (max(256, round(side * scale)) for side in picture.size)
    picture = picture.resize((width, height), Image.BICUBIC)
    left, top = (width - 224) // 2, (height - 224) // 2
    return np.asarray(picture.crop((left, top, left + 224, top + 224)))


def weights_path():
    cache = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'cbir/models'
    return Path(os.environ.get('CBIR_MODELS') or cache) / 'efficientnet-lite0-57934424.pth'


def embed(pictures, batch=32, tensors=None):
    """L2-normalised embeddings of upright RGB Pillow pictures, one a row."""
    network = Reference(tensors or torch.load(weights_path(), map_location='cpu'))
    rows = []
    with torch.no_grad():
        for i in range(0, len(pictures), batch):
            x = torch.from_numpy(np.stack([prepare(p) for p in pictures[i:i + batch]])).permute(0, 3, 1, 2).float()
            rows.append(F.normalize(network((x - 127) / 128)))
    return torch.cat(rows).numpy()
