"""Writes a few sound files for every fuzz target to start from: seeds.py FOLDER makes FOLDER/TARGET/*.

cbir-index must be on the PATH; everything else is Debian's PyTorch, NumPy and Pillow.
"""
import json
import subprocess
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

SOURCE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / 'tests/parity'))
from test_checkpoints import Net, every_kind, write_safetensors  # noqa: E402

SMALL = {'w': torch.arange(6.).reshape(2, 3).t(), 'b': torch.tensor(1).half()}


def checkpoints(folder):
    whitening = {'meta': {'Lw': {'a': {'m': np.ones(2), 'P': np.asfortranarray(np.ones((2, 2), np.float32))}}}, 'state_dict': SMALL}
    values = {'small': SMALL, 'kinds': every_kind(), 'module': nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)),
              'yolo': {'model': nn.Linear(1, 1), 'ema': None, 'epoch': 3}, 'whitening': whitening,
              'parallel': {'module.' + name: tensor for name, tensor in SMALL.items()}}
    for name, value in values.items():
        for protocol in (2, 4):
            torch.save(value, folder / f'torch_zip/{name}-{protocol}.pt', pickle_protocol=protocol)
            torch.save(value, folder / f'legacy/{name}-{protocol}.pth', pickle_protocol=protocol,
                       _use_new_zipfile_serialization=False)
    net = Net().eval()
    torch.jit.save(torch.jit.script(net), folder / 'torch_zip/script.pt')
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), folder / 'torch_zip/trace.pt')
    for path in list((folder / 'torch_zip').iterdir()):
        with zipfile.ZipFile(path) as archive:
            pickled = next(name for name in archive.namelist() if name.endswith('/data.pkl'))
            (folder / 'pickle' / path.stem).write_bytes(archive.read(pickled))
    with zipfile.ZipFile(folder / 'torch_zip/small-2.pt') as old, \
            zipfile.ZipFile(folder / 'torch_zip/deflated.pt', 'w', zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            new.writestr(entry, old.read(entry))
    write_safetensors(folder / 'safetensors/small', SMALL, {'format': 'pt'})
    write_safetensors(folder / 'safetensors/kinds', every_kind())


def arrays(folder):
    for dtype in ('<f4', '<f2', '>f4', '<i8', '<U3', '|S2'):
        np.save(folder / f'npy/{dtype[1:]}-{ord(dtype[0])}.npy', np.ones((2, 3)).astype(dtype))
        np.save(folder / f'npy/{dtype[1:]}-{ord(dtype[0])}-1d.npy', np.ones(3).astype(dtype))


def index(folder, vectors, kind, metric, *options):
    """An index, and the same grown and shrunk."""
    for name in (f'{kind}-{metric}', f'{kind}-{metric}-changed'):
        path = f'{folder}/index/{name}'
        commands = [['build', vectors, '--metric', metric, '--type', kind, '-o', path, *options]]
        if name.endswith('changed'):
            commands += [['add', path, vectors, '--paths-from-ids'], ['remove', path, '--path', '1']]
        for command in commands:
            subprocess.run(['cbir-index', *command], check=True, stdout=subprocess.DEVNULL)


def sets_and_indexes(folder):
    row = {'path': 'a/b.jpg', 'label': 'a', 'seq': 0, 'bytes': 5, 'mtime': '2020-01-01T00:00:00Z', 'width': 3, 'height': 2, 'xxh3': '0' * 32}
    (folder / 'rows/row').write_text(json.dumps(row))
    (folder / 'rows/bytes').write_text(json.dumps({'path_b64': '/w=='}))
    (folder / 'rows/failed').write_text(json.dumps({'path': 'a.jpg', 'seq': 1, 'stage': 'decode', 'reason': 'truncated'}))
    with tempfile.TemporaryDirectory() as scratch:
        np.save(scratch + '/x.npy', np.random.default_rng(1).random((3, 4), np.float32))
        for metric in ('cosine', 'l2'):
            for kind in ('flat', 'ivf', 'lsh'):
                index(folder, scratch + '/x.npy', kind, metric)
        np.save(scratch + '/graph.npy', np.random.default_rng(1).random((4200, 2), np.float32))  # fewer have no graph
        index(folder, scratch + '/graph.npy', 'hnsw', 'l2', '--M', '2', '--ef-construction', '4')


def onnx(folder):
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    axes = {'in': {0: 'n', 2: 'height'}}
    for name, options in (('fixed', {}), ('dynamic', {'input_names': ['in'], 'dynamic_axes': axes}),
                          ('listed', {'keep_initializers_as_inputs': True})):
        torch.onnx.export(net, torch.zeros(1, 3, 8, 8), str(folder / f'onnx/{name}'), **options)


def pictures(folder):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (9, 14, 3), np.uint8))
    for kind in ('png', 'gif', 'webp', 'tiff', 'bmp', 'ppm'):
        image.save(folder / f'image/{kind}', kind)
    exif = Image.Exif()
    exif[0x112] = 6
    image.save(folder / 'image/exif', 'jpeg', exif=exif)
    image.convert('CMYK').save(folder / 'image/cmyk', 'jpeg', progressive=True)
    image.convert('L').save(folder / 'image/grey', 'jpeg', quality=20)


def main():
    folder = Path(sys.argv[1])
    for target in ('torch_zip', 'legacy', 'pickle', 'safetensors', 'npy', 'rows', 'index', 'preset', 'image', 'onnx'):
        (folder / target).mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    warnings.simplefilter('ignore')
    checkpoints(folder)
    arrays(folder)
    sets_and_indexes(folder)
    pictures(folder)
    onnx(folder)
    for preset in (SOURCE / 'models').glob('*.json'):
        (folder / 'preset' / preset.stem).write_text(preset.read_text())


if __name__ == '__main__':
    main()
