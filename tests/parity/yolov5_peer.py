"""YOLOv5 by the model code of the package yolov5-sp, run by an interpreter that has it (tests/peers/environment detect).

    yolov5_peer.py make NAME CLASSES SEED OUT.pt PICTURE...   seeded random weights, made for pictures like these, saved as the
                                                      official checkpoints are
    yolov5_peer.py detect WEIGHTS.pt SIZE SQUARE CONFIDENCE OVERLAP MAX PICTURE...   one JSON list of boxes a picture
    yolov5_peer.py export WEIGHTS.pt SIZE v5|v8 OUT.onnx   the model as an ONNX file, its output as that release's exports have it
    yolov5_peer.py time WEIGHTS.pt THREADS PICTURE   milliseconds of the network, the median of some runs
"""
import importlib.util
import json
import os
import sys
import time
from copy import deepcopy
from pathlib import Path
from unittest import mock

os.environ['RANK'] = '1'  # else a font is downloaded
for name in ('pandas', 'requests', 'matplotlib', 'matplotlib.pyplot', 'seaborn', 'tqdm', 'pkg_resources'):  # of plots and training
    if name.split('.')[0] not in sys.modules or isinstance(sys.modules[name.split('.')[0]], mock.MagicMock):
        sys.modules[name] = mock.MagicMock()
package = Path(importlib.util.find_spec('yolov5_sp').submodule_search_locations[0])
sys.path.insert(0, str(package))  # checkpoints name its modules models.yolo and so on, as the original's do

import cv2
import numpy as np
import torch
from models.yolo import Model
from utils.augmentations import letterbox
from utils.general import non_max_suppression, scale_coords

WIDTHS_AND_DEPTHS = {'n': (.25, .33), 's': (.5, .33), 'm': (.75, .67), 'l': (1, 1), 'x': (1.25, 1.33)}
P5 = {'anchors': [[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]],
      'backbone': [[-1, 1, 'Conv', [64, 6, 2, 2]], [-1, 1, 'Conv', [128, 3, 2]], [-1, 3, 'C3', [128]], [-1, 1, 'Conv', [256, 3, 2]],
                   [-1, 6, 'C3', [256]], [-1, 1, 'Conv', [512, 3, 2]], [-1, 9, 'C3', [512]], [-1, 1, 'Conv', [1024, 3, 2]],
                   [-1, 3, 'C3', [1024]], [-1, 1, 'SPPF', [1024, 5]]],
      'head': [[-1, 1, 'Conv', [512, 1, 1]], [-1, 1, 'nn.Upsample', ['None', 2, 'nearest']], [[-1, 6], 1, 'Concat', [1]],
               [-1, 3, 'C3', [512, False]], [-1, 1, 'Conv', [256, 1, 1]], [-1, 1, 'nn.Upsample', ['None', 2, 'nearest']],
               [[-1, 4], 1, 'Concat', [1]], [-1, 3, 'C3', [256, False]], [-1, 1, 'Conv', [256, 3, 2]], [[-1, 14], 1, 'Concat', [1]],
               [-1, 3, 'C3', [512, False]], [-1, 1, 'Conv', [512, 3, 2]], [[-1, 10], 1, 'Concat', [1]],
               [-1, 3, 'C3', [1024, False]], [[17, 20, 23], 1, 'Detect', ['nc', 'anchors']]]}
P6 = {'anchors': [[19, 27, 44, 40, 38, 94], [96, 68, 86, 152, 180, 137], [140, 301, 303, 264, 238, 542], [436, 615, 739, 380, 925, 792]],
      'backbone': [[-1, 1, 'Conv', [64, 6, 2, 2]], [-1, 1, 'Conv', [128, 3, 2]], [-1, 3, 'C3', [128]], [-1, 1, 'Conv', [256, 3, 2]],
                   [-1, 6, 'C3', [256]], [-1, 1, 'Conv', [512, 3, 2]], [-1, 9, 'C3', [512]], [-1, 1, 'Conv', [768, 3, 2]],
                   [-1, 3, 'C3', [768]], [-1, 1, 'Conv', [1024, 3, 2]], [-1, 3, 'C3', [1024]], [-1, 1, 'SPPF', [1024, 5]]],
      'head': [[-1, 1, 'Conv', [768, 1, 1]], [-1, 1, 'nn.Upsample', ['None', 2, 'nearest']], [[-1, 8], 1, 'Concat', [1]],
               [-1, 3, 'C3', [768, False]], [-1, 1, 'Conv', [512, 1, 1]], [-1, 1, 'nn.Upsample', ['None', 2, 'nearest']],
               [[-1, 6], 1, 'Concat', [1]], [-1, 3, 'C3', [512, False]], [-1, 1, 'Conv', [256, 1, 1]],
               [-1, 1, 'nn.Upsample', ['None', 2, 'nearest']], [[-1, 4], 1, 'Concat', [1]], [-1, 3, 'C3', [256, False]],
               [-1, 1, 'Conv', [256, 3, 2]], [[-1, 20], 1, 'Concat', [1]], [-1, 3, 'C3', [512, False]], [-1, 1, 'Conv', [512, 3, 2]],
               [[-1, 16], 1, 'Concat', [1]], [-1, 3, 'C3', [768, False]], [-1, 1, 'Conv', [768, 3, 2]], [[-1, 12], 1, 'Concat', [1]],
               [-1, 3, 'C3', [1024, False]], [[23, 26, 29, 32], 1, 'Detect', ['nc', 'anchors']]]}


def random_model(name, classes, seed, paths):
    """Batch norm gets random scales and shifts, and statistics near those of what goes through it; the last layer is such
    that a few places in a thousand hold something."""
    torch.manual_seed(seed)
    width, depth = WIDTHS_AND_DEPTHS[name[0]]
    model = Model({'nc': classes, 'depth_multiple': depth, 'width_multiple': width, **deepcopy(P6 if name.endswith('6') else P5)})
    model.names = [f'class {i} \u00e9' for i in range(classes)]
    norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    with torch.no_grad():
        for norm in norms:
            norm.weight.uniform_(.7, 1.3)
            norm.bias.normal_(0, .2)
            norm.momentum = 1
        inputs = torch.cat([network_input(read(path), 256, 'square') for path in paths])
        model.train()(inputs)
        for norm in norms:
            norm.momentum = .03
        detect, seen = model.model[-1], {}
        for conv in detect.m:
            conv.weight.normal_(0, 1)
            conv.register_forward_hook(lambda conv, inputs, output: seen.update({conv: output.std()}))
        model.eval()(inputs)
        for conv in detect.m:
            conv._forward_hooks.clear()
            conv.weight /= seen[conv]
            conv.weight.view(detect.na, detect.no, -1)[:, :4] *= .3  # sizes near the anchors'
            bias = conv.bias.view(detect.na, -1)
            bias[:, :4].uniform_(-.5, .5)
            bias[:, 4] = -4
            bias[:, 5:].normal_(0, 1)
    return model.eval()


def save(model, path):
    """As train.py's strip_optimizer leaves a checkpoint."""
    for parameter in model.parameters():
        parameter.requires_grad = False
    torch.save({'epoch': -1, 'best_fitness': None, 'model': model.half(), 'ema': None, 'updates': None, 'optimizer': None,
                'wandb_id': None, 'date': '2022-11-22T00:00:00'}, path)


def load(path):
    return torch.load(path, map_location='cpu')['model'].float().fuse().eval()


def network_input(picture, size, square):
    image = letterbox(picture, size, stride=64 if size % 64 == 0 and square == 'p6' else 32, auto=square != 'square')[0]
    image = np.ascontiguousarray(image.transpose((2, 0, 1))[::-1])  # BGR to RGB
    return torch.from_numpy(image).float()[None] / 255


def read(path):
    return cv2.imread(path)


def detect(model, path, size, square, confidence, overlap, most):
    picture = read(path)
    x = network_input(picture, size, square)
    found = non_max_suppression(model(x)[0], confidence, overlap, max_det=most)[0]
    found[:, :4] = scale_coords(x.shape[2:], found[:, :4], picture.shape)
    return found.tolist()


class V8(torch.nn.Module):
    """Boxes and the classes' confidences, transposed."""
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        y = self.model(x)[0]
        return torch.cat((y[..., :4], y[..., 5:] * y[..., 4:5]), 2).transpose(1, 2)


class V5(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        return self.model(x)[0]


def export(model, size, layout, out):
    model.model[-1].inplace = False
    x = torch.zeros(1, 3, size, size)
    model(x)  # makes the grids, as export.py does
    torch.onnx.export((V8 if layout == 'v8' else V5)(model), x, out, opset_version=12, input_names=['images'], output_names=['output0'])
    # What export.py adds: metadata_props (field 14) of key and value.
    field = lambda number, content: bytes([number << 3 | 2]) + varint(len(content)) + content
    names = repr(dict(enumerate(model.names))).encode()
    with open(out, 'ab') as file:
        file.write(field(14, field(1, b'names') + field(2, names)))


def varint(number):
    out = b''
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def main(command, *arguments):
    torch.set_num_threads(1)
    if command == 'make':
        name, classes, seed, out = arguments[:4]
        save(random_model(name, int(classes), int(seed), arguments[4:]), out)
        return
    with torch.no_grad():
        model = load(arguments[0])
        if command == 'detect':
            size, square, confidence, overlap, most = arguments[1:6]
            for path in arguments[6:]:
                print(json.dumps(detect(model, path, int(size), square, float(confidence), float(overlap), int(most))))
            return
        if command == 'export':
            export(model, int(arguments[1]), *arguments[2:])
            return
        torch.set_num_threads(int(arguments[1]))
        x = network_input(read(arguments[2]), 640, 'rectangle')
        times = []
        for _ in range(12):
            begin = time.perf_counter()
            model(x)
            times.append(time.perf_counter() - begin)
        print(1000 * sorted(times)[len(times) // 2])


if __name__ == '__main__':
    main(*sys.argv[1:])
