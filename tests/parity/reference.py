"""EfficientNet-Lite0 in plain PyTorch, with Pillow's preprocessing: what the native encoder must agree with.

Nothing is folded, fused or reordered here: convolution, batch norm and activation stand one after another, as in training."""
import os
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

WEIGHTS = 'efficientnet-lite0-57934424.pth'
SIZE = 224
SHORT_SIDE = 256
# kernel, stride of the first, expansion, input, output channels, blocks
STAGES = ((3, 1, 1, 32, 16, 1), (3, 2, 6, 16, 24, 2), (5, 2, 6, 24, 40, 2), (3, 2, 6, 40, 80, 3), (5, 1, 6, 80, 112, 3),
          (5, 2, 6, 112, 192, 4), (3, 1, 6, 192, 320, 1))


def blocks():
    """(kernel, stride, expansion, input, output) of each block."""
    for kernel, stride, expansion, cin, cout, repeat in STAGES:
        for i in range(repeat):
            yield (kernel, stride if i == 0 else 1, expansion, cin if i == 0 else cout, cout)


def convolve(x, weight, stride=1, depthwise=False):
    """TensorFlow's 'SAME': ceil(size / stride) outputs; of an odd number of padding pixels, the extra one comes last."""
    kernel = weight.shape[-1]
    sides = []
    for size in (x.shape[3], x.shape[2]):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        sides += [total // 2, total - total // 2]
    return F.conv2d(F.pad(x, sides), weight, stride=stride, groups=weight.shape[0] if depthwise else 1)


def network(state, x):
    """Pooled features of normalised NCHW pictures."""
    def norm(x, name):
        return F.batch_norm(x, state[name + '.running_mean'], state[name + '.running_var'], state[name + '.weight'],
                            state[name + '.bias'], eps=1e-3)

    x = F.relu6(norm(convolve(x, state['_conv_stem.weight'], 2), '_bn0'))
    for i, (_, stride, expansion, cin, cout) in enumerate(blocks()):
        block, y = f'_blocks.{i}.', x
        if expansion > 1:
            y = F.relu6(norm(convolve(y, state[block + '_expand_conv.weight']), block + '_bn0'))
        y = F.relu6(norm(convolve(y, state[block + '_depthwise_conv.weight'], stride, depthwise=True), block + '_bn1'))
        y = norm(convolve(y, state[block + '_project_conv.weight']), block + '_bn2')
        x = x + y if stride == 1 and cin == cout else y
    x = F.relu6(norm(convolve(x, state['_conv_head.weight']), '_bn1'))
    return x.mean(dim=(2, 3))


def random_state(seed):
    """Weights of the right names and shapes whose activations neither vanish nor all saturate."""
    generator = torch.Generator().manual_seed(seed)
    state = {}

    def conv(name, cout, cin, kernel):
        fan_in = cin * kernel * kernel
        state[name + '.weight'] = torch.randn(cout, cin, kernel, kernel, generator=generator) * (2 / fan_in) ** .5

    def norm(name, channels):
        state[name + '.weight'] = torch.rand(channels, generator=generator) + .5
        state[name + '.bias'] = torch.randn(channels, generator=generator) * .5
        state[name + '.running_mean'] = torch.randn(channels, generator=generator) * .3
        state[name + '.running_var'] = torch.rand(channels, generator=generator) + .5
        state[name + '.num_batches_tracked'] = torch.tensor(1000)

    conv('_conv_stem', 32, 3, 3)
    norm('_bn0', 32)
    for i, (kernel, _, expansion, cin, cout) in enumerate(blocks()):
        block, wide = f'_blocks.{i}.', cin * expansion
        if expansion > 1:
            conv(block + '_expand_conv', wide, cin, 1)
            norm(block + '_bn0', wide)
        conv(block + '_depthwise_conv', wide, 1, kernel)
        norm(block + '_bn1', wide)
        conv(block + '_project_conv', cout, wide, 1)
        norm(block + '_bn2', cout)
    conv('_conv_head', 1280, 320, 1)
    norm('_bn1', 1280)
    state['_fc.weight'], state['_fc.bias'] = torch.randn(10, 1280, generator=generator), torch.zeros(10)
    return state


def weights_path():
    folder = os.environ.get('CBIR_MODELS')
    if not folder:
        folder = Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'cbir/models'
    return Path(folder) / WEIGHTS


def crop(picture):
    """The network's input as an array of 8-bit RGB: short side to 256 (bicubic), then the centre."""
    scale = SHORT_SIDE / min(picture.size)
    width, height = (max(SHORT_SIDE, round(side * scale)) for side in picture.size)
    left, top = (width - SIZE) // 2, (height - SIZE) // 2
    return np.asarray(picture.resize((width, height), Image.BICUBIC).crop((left, top, left + SIZE, top + SIZE)))


def encode(state, crops):
    """Unit rows for an array of crops (n x 224 x 224 x 3, 8-bit)."""
    rows = []
    with torch.no_grad():
        for i in range(0, len(crops), 16):
            x = (torch.from_numpy(crops[i:i + 16]).permute(0, 3, 1, 2).float() - 127) / 128
            rows.append(F.normalize(network(state, x)))
    return torch.cat(rows).numpy()


def embed(pictures, state=None):
    """Unit rows for upright 8-bit RGB Pillow pictures, with the published weights."""
    return encode(state or torch.load(weights_path(), map_location='cpu'), np.stack([crop(p) for p in pictures]))
