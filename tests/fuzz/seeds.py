"""Writes a few sound files for every fuzz target to start from: seeds.py FOLDER makes FOLDER/TARGET/*.

cbir-index must be on the PATH; everything else is Debian's PyTorch, NumPy and Pillow.
"""
import gzip
import json
import pickle
import struct
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
    module = nn.Linear(2, 2)
    module.names, module.stride, module.yaml = {0: 'cat', 1: 'dog'}, torch.tensor([8., 16.]).half(), {'nc': 2, 'head': [[-1, 'Conv', None]]}
    for zipped in (True, False):
        torch.save({'model': module}, folder / f'attributes/{"zip" if zipped else "legacy"}.pt', _use_new_zipfile_serialization=zipped)
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
        for dim in ('2', '4'):
            subprocess.run(['cbir-index', 'whiten', scratch + '/graph.npy' if dim == '2' else scratch + '/x.npy', '-o',
                            f'{folder}/whitening/{dim}', '--dim', '2'], check=True, stdout=subprocess.DEVNULL)


def ground_truths(folder):
    truth = {'imlist': ['a', 'b', 'c'], 'qimlist': ['q'],
             'gnd': [{'bbx': [1.5, 2, 3, 4], 'easy': [0], 'hard': [1], 'junk': [2]}]}
    arrays = {**truth, 'imlist': np.array(truth['imlist']), 'gnd': [{k: np.array(v) for k, v in truth['gnd'][0].items()}]}
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (folder / f'groundtruth/lists-{protocol}').write_bytes(pickle.dumps(truth, protocol))
        (folder / f'groundtruth/arrays-{protocol}').write_bytes(pickle.dumps(arrays, protocol))
        (folder / f'pickle/arrays-{protocol}').write_bytes(pickle.dumps(arrays, protocol))
    (folder / 'groundtruth/json').write_text(json.dumps(truth))
    (folder / 'oxford/one').write_text('oxc1_all_souls_13 136.5 34.1 648.5 955.7\n\0a_1\nb_2\n\0c_3\n\0')
    (folder / 'groundtruth/qrels').write_text('t%201 0 a 1\nt%201 0 b -1\n')


def scores(folder):
    head = {'format': 'cbir scores', 'version': 1, 'protocol': 'labels', 'subject': 'x', 'measures': ['map', 'p@1'],
            'group_kind': 'class', 'queries': 2, 'totals': {'t': .5, 'none': None}, 'counts': {'rows': 3}, 'remarks': ['a'],
            'items': ['a', {'b64': '/w=='}], 'precision_at': [1, .5],
            'distribution': {'low': -1, 'high': 1, 'relevant': [0, 1], 'irrelevant': [2, 3]}}
    queries = [{'query': 'a', 'group': 'c', 'relevant': 1, 'values': [1, None], 'top': [[0, 1, .5, 1], [1, 2, .25, -1]]},
               {'query_b64': '/w==', 'relevant': 2, 'values': [.25, 0], 'missed': [[1, 0, 0, 1]]}]
    (folder / 'scores/all').write_text('\n'.join(json.dumps(line) for line in [head, *queries]) + '\n')
    (folder / 'scores/none').write_text(json.dumps({'format': 'cbir scores', 'version': 1, 'protocol': 'p', 'measures': [],
                                                    'queries': 0}) + '\n')


def onnx(folder):
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    axes = {'in': {0: 'n', 2: 'height'}}
    for name, options in (('fixed', {}), ('dynamic', {'input_names': ['in'], 'dynamic_axes': axes}),
                          ('listed', {'keep_initializers_as_inputs': True})):
        torch.onnx.export(net, torch.zeros(1, 3, 8, 8), str(folder / f'onnx/{name}'), **options)


def lists(folder):
    """What people write: rankings, manifests, boxes, pairs, labels, texts."""
    (folder / 'ranking/tsv').write_text('q\t1\t0.5\ta.jpg\nq\t2\t0.25\tb\\tc.jpg\nr\t1\t1\ta.jpg\t12\t1,0,0,0,1,0,0,0,1\n')
    (folder / 'ranking/trec').write_text('q Q0 a 0 .5 x\nq Q0 b 1 .25 x\n')
    (folder / 'ranking/manifest').write_text('a/1.jpg\tp/1.jpg\tcrop\t1\nb.jpg\t\tnone\n')
    (folder / 'tables/boxes').write_text('a\tp/1.jpg\t0\t0\t10.5\t9\nb\tp/1.jpg\t3\t4\t20\t18\tmore\n')
    (folder / 'tables/pairs').write_text('a.jpg\tb\\n.jpg\n\nc.jpg\td.jpg\tmore\n')
    (folder / 'tables/labels').write_text('a.jpg\tcat\n./in/b.jpg\t\tmore\n')
    (folder / 'tables/texts').write_bytes(b'\xef\xbb\xbfa red house\r\n\nzw\xc3\xb6lf\0nul\0')
    merges = ['a b', 'ab c</w>', 't h', '\u0120 \u0142']
    for count in range(len(merges) + 1):
        text = '\n'.join(['header', *merges[:count], '']).encode()
        for level in (0, 9):
            (folder / f'vocabulary/{count}-{level}').write_bytes(gzip.compress(text, level))
    for name, text in (('words', 'A photo of abc, thin &amp;amp; &#x41; it\'s 12!'), ('marks', '<|startoftext|>é…\u200d🙂 \x1b[31m'),
                       ('wide', 'ｆｕｌｌ ﬁ Å\u030a \u0130 ẞ')):
        (folder / 'tokenizer' / name).write_text(text)


def catalogue(folder):
    """Its checksum is zeros: nobody looks at it."""
    preset = json.loads((SOURCE / 'models/efficientnet-lite0.json').read_text())
    (folder / 'catalog/all').write_text(json.dumps({
        'format': 'cbir catalogue', 'version': 1, 'encoder': preset, 'fingerprint': 'f' * 64,
        'local': {'features': 'sift', 'kind': 'sift', 'fingerprint': 'a' * 64, 'dim': 128, 'binary': False, 'keypoints': 1000,
                  'max_side': 256},
        'thresholds': {'score': 12.5, 'similarity': .8}, 'xxh3': '0' * 32}))
    keypoints = 3
    body = struct.pack('<8I', 9, 9, 1, 0, 9, 8, 2, 0) + struct.pack('<4f', 1, 2, 3, 4) * keypoints + b'\x11' * (32 * keypoints)
    body += struct.pack('<2f', .5, .5)
    head = b'\x89CBKC\r\n\x1a' + struct.pack('<HHIQQQQII', 1, 0, 0x01020304, 2, keypoints, 128 + len(body), 3, 2, 256)
    (folder / 'codes/two').write_bytes(head.ljust(128, b'\0') + body)


def pictures(folder):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 255, (9, 14, 3), np.uint8))
    modes = {mode: image.convert(mode) for mode in ('RGB', 'RGBA', 'L', 'P', '1', 'CMYK')}
    modes['16'] = Image.fromarray(np.arange(0, 126 * 500, 500, np.uint16).reshape(9, 14))
    for kind in ('png', 'gif', 'webp', 'tiff', 'bmp', 'ppm'):
        image.save(folder / f'image/{kind}', kind)
        for mode, of_mode in modes.items():
            path = folder / f'codecs/{kind}-{mode}'
            try:
                of_mode.save(path, kind)
            except (OSError, ValueError):  # no such picture in this format
                path.unlink(missing_ok=True)
    for name, kind, options in (('lossless', 'webp', {'lossless': True}), ('moving', 'webp', {'save_all': True, 'append_images': [image]}),
                                ('moving', 'gif', {'save_all': True, 'append_images': [image.rotate(90)]}),
                                *((method, 'tiff', {'compression': method}) for method in
                                  ('tiff_lzw', 'jpeg', 'packbits', 'tiff_adobe_deflate'))):
        image.save(folder / f'codecs/{kind}-{name}', kind, **options)
    exif = Image.Exif()
    exif[0x112] = 6
    image.save(folder / 'image/exif', 'jpeg', exif=exif)
    image.convert('CMYK').save(folder / 'image/cmyk', 'jpeg', progressive=True)
    image.convert('L').save(folder / 'image/grey', 'jpeg', quality=20)


def local_features(folder):
    """Checksums are zeros: nobody looks at them."""
    for name, storage, dim, bytes_each in (('sift', 1, 3, 3), ('orb', 2, 4, 4), ('xfeat', 0, 2, 4)):
        records, offsets = b'', []
        for row, count in enumerate((2, 0, 1)):
            offsets.append(256 + len(records))
            body = struct.pack('<QIIIfI4iI16x', 0, count, 640, 480, 1.5, 1, 0, 0, 0, 0, 0)
            body += struct.pack('<5f', 1, 2, 3, 4, 5) * count + b'\x11' * (bytes_each * count) + b'abc'[row:row + 1]
            records += body + bytes(-len(body) % 8)
        index = struct.pack('<3Q', *offsets) + b''.join(struct.pack('<QQ', 0, row) for row in range(3))
        head = b'\x89CBLF\r\n\x1a' + struct.pack('<HHIQQQQIIII', 1, 0, 0x01020304, 3, 3, 256 + len(records),
                                                256 + len(records) + len(index), dim, storage, 500, 1024)
        head += name.encode().ljust(32, b'\0') + b'a' * 64
        (folder / 'local' / name).write_bytes(head.ljust(256, b'\0') + records + index)


def main():
    folder = Path(sys.argv[1])
    for target in ('torch_zip', 'legacy', 'attributes', 'pickle', 'safetensors', 'npy', 'rows', 'index', 'preset', 'image', 'local', 'onnx',
                   'scores', 'groundtruth', 'oxford', 'ranking', 'tables', 'vocabulary', 'tokenizer', 'catalog', 'codes', 'whitening',
                   'codecs'):
        (folder / target).mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    warnings.simplefilter('ignore')
    checkpoints(folder)
    arrays(folder)
    sets_and_indexes(folder)
    pictures(folder)
    local_features(folder)
    onnx(folder)
    scores(folder)
    ground_truths(folder)
    lists(folder)
    catalogue(folder)
    for preset in (SOURCE / 'models').glob('*.json'):
        (folder / 'preset' / preset.stem).write_text(preset.read_text())


if __name__ == '__main__':
    main()
