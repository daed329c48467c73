"""What the checkpoint reader finds in files that PyTorch wrote, beside what PyTorch finds in them: names, types, shapes, bytes."""
import collections
import hashlib
import json
import pickle
import struct
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from cbirtest import ToolTest, main  # noqa: E402
import reference  # noqa: E402

TYPES = {torch.float32: 'F32', torch.float16: 'F16', torch.bfloat16: 'BF16', torch.float64: 'F64', torch.int64: 'I64',
         torch.int32: 'I32', torch.int16: 'I16', torch.int8: 'I8', torch.uint8: 'U8', torch.bool: 'BOOL'}


def raw(tensor):
    """The dense bytes; NumPy has no bfloat16."""
    return tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def every_kind():
    """All types of number, views, strides, one storage under two names, an empty tensor, scalars."""
    base = torch.arange(60, dtype=torch.float32).reshape(3, 4, 5)
    return {'base': base, 'transposed': base.permute(2, 0, 1), 'slice': base[1:, ::2, 3], 'expanded': base[0, 0, :1].expand(7),
            'scalar': torch.tensor(3.5), 'empty': torch.zeros(0, 4), 'parameter': nn.Parameter(torch.ones(3)),
            'half': torch.randn(3).half(), 'bf16': torch.randn(4, 2).bfloat16().t(), 'double': torch.randn(2).double(),
            'int64': torch.tensor([-1, 1 << 40]), 'int32': torch.tensor([7], dtype=torch.int32),
            'int16': torch.tensor([-2], dtype=torch.int16), 'int8': torch.tensor([-3], dtype=torch.int8),
            'uint8': torch.tensor([200], dtype=torch.uint8), 'bool': torch.tensor([True, False])}


def write_safetensors(path, state, metadata=None):
    """The format, stated plainly: length, JSON, numbers."""
    header, numbers = ({'__metadata__': metadata} if metadata else {}), b''
    for name, tensor in state.items():
        data = raw(tensor)
        header[name] = {'dtype': TYPES[tensor.dtype], 'shape': list(tensor.shape),
                        'data_offsets': [len(numbers), len(numbers) + len(data)]}
        numbers += data
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    path.write_bytes(struct.pack('<Q', len(text)) + text + numbers)


class Attribute(nn.Module):
    """A layer with all that a module may hold; a plain tensor is no part of its state."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.scale = nn.Parameter(torch.rand(3, 3).t())
        self.register_buffer('count', torch.tensor(7))
        self.register_parameter('none', None)
        self.plain = torch.ones(3)

    def forward(self, x):
        return self.linear(x) @ self.scale + self.plain + self.count


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([Attribute(), Attribute()])
        self.tail = nn.Sequential(collections.OrderedDict(norm=nn.BatchNorm1d(3), act=nn.ReLU()))
        self.register_buffer('grid', torch.arange(3), persistent=False)

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return self.tail(x) + self.grid


class CheckpointParity(ToolTest):
    def setUp(self):
        super().setUp()
        torch.manual_seed(1)

    def listed(self, path):
        lines = self.out('tensors_tool', path).splitlines()
        return {name: tuple(rest) for name, *rest in (line.split('\t') for line in lines)}

    def same(self, path, state):
        expected = {name: (str(tensor.dtype).replace('torch.', ''), 'x'.join(map(str, tensor.shape)),
                           hashlib.sha256(raw(tensor)).hexdigest()) for name, tensor in state.items()}
        self.assertEqual(self.listed(path), expected)

    def saved(self, value, state, legacy_too=True, protocols=(2, 3, 4)):
        """`value`, written in every way, is read as `state`."""
        for zipped in (True, False) if legacy_too else (True,):
            for protocol in protocols:
                with self.subTest(zip=zipped, protocol=protocol), warnings.catch_warnings():
                    warnings.simplefilter('ignore')  # no source code for a test's own class
                    torch.save(value, self.dir / 'x.pth', pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
                    self.same('x.pth', state)

    def test_types_views_and_shared_storages(self):
        state = every_kind()
        self.saved(state, state)

    def test_safetensors(self):
        state = every_kind()
        write_safetensors(self.dir / 'x.safetensors', state, {'format': 'pt'})
        self.same('x.safetensors', state)
        write_safetensors(self.dir / 'x.safetensors', {'a/b c': torch.ones(2)})
        self.same('x.safetensors', {'a/b c': torch.ones(2)})

    def test_a_state_dict_and_checkpoints_around_it(self):
        state = Net().state_dict()
        self.saved(state, state)
        optimizer = {'state': {0: {'momentum': torch.ones(3)}}, 'param_groups': [{'lr': .1}]}
        for key in ('state_dict', 'model_state_dict', 'model'):
            self.saved({'epoch': 3, 'optimizer': optimizer, 'best': 1.5, key: state}, state, protocols=(2,))
        parallel = {'module.' + name: tensor for name, tensor in state.items()}
        self.saved({'state_dict': parallel}, state, protocols=(2,))
        mixed = {**state, 'module.x': torch.ones(1)}
        self.saved(mixed, mixed, protocols=(2,))

    def test_a_pickled_module(self):
        net = Net().half()
        state = net.state_dict()
        self.assertNotIn('grid', state)
        self.saved(net, state)
        # As YOLOv5 saves it: the average of the weights, if there is one, is the model.
        self.saved({'epoch': -1, 'model': net, 'ema': None, 'optimizer': None, 'date': 'today'}, state)
        self.saved({'model': Net(), 'ema': net, 'updates': 5}, state, protocols=(2,))
        self.saved(nn.DataParallel(net), state, protocols=(2,))
        shared = nn.Sequential(net, net)
        self.saved(shared, shared.state_dict(), protocols=(2,))

    def test_tensors_with_attributes(self):
        marked = torch.ones(3)
        marked.note = 'kept'
        parameter = nn.Parameter(torch.zeros(2))
        parameter.note = {'split': 1}
        self.saved({'marked': marked, 'parameter': parameter}, {'marked': marked, 'parameter': parameter}, legacy_too=False)

    def test_torchscript(self):
        net = Net().eval()
        for module in (torch.jit.script(net), torch.jit.trace(net, torch.ones(1, 3))):
            torch.jit.save(module, self.dir / 'x.pt')
            state = torch.jit.load(self.dir / 'x.pt').state_dict()
            self.assertIn('blocks.1.linear.weight', state)
            self.assertNotIn('blocks.1.plain', state)
            self.same('x.pt', state)
        with zipfile.ZipFile(self.dir / 'x.pt') as archive:
            self.assertTrue(any(entry.compress_type == zipfile.ZIP_DEFLATED for entry in archive.infolist()))

    def test_an_archive_zipped_again(self):
        state = Net().state_dict()
        torch.save(state, self.dir / 'x.pth')
        with zipfile.ZipFile(self.dir / 'x.pth') as old, zipfile.ZipFile(self.dir / 'y.pth', 'w', zipfile.ZIP_DEFLATED) as new:
            for entry in old.namelist():
                new.writestr(entry, old.read(entry))
        self.same('y.pth', state)
        with zipfile.ZipFile(self.dir / 'x.pth') as old, zipfile.ZipFile(self.dir / 'z.pth', 'w', zipfile.ZIP_BZIP2) as new:
            for entry in old.namelist():
                new.writestr(entry, old.read(entry))
        self.assertIn('compressed by method 12', self.run_tool('tensors_tool', 'z.pth', expect=6).stderr.decode())

    def test_whitening_in_numpy_arrays(self):
        state = {'features.weight': torch.ones(2, 2)}
        whitening = {'m': np.arange(3.).reshape(3, 1), 'P': np.asfortranarray(np.arange(200, 209, dtype=np.float32).reshape(3, 3))}
        meta = {'architecture': 'resnet101', 'outputdim': 2048, 'mean': [.5], 'Lw': {'sfm': {'ss': whitening}}, 'rate': np.float64(.5)}
        expected = {**state, 'meta.rate': torch.tensor(.5, dtype=torch.float64),
                    **{f'meta.Lw.sfm.ss.{key}': torch.from_numpy(value) for key, value in whitening.items()}}
        self.saved({'meta': meta, 'state_dict': state}, expected)

    def test_what_is_no_dense_tensor_is_refused_by_name(self):
        for value in (torch.eye(3).to_sparse(), torch.quantize_per_tensor(torch.ones(3), .1, 0, torch.qint8)):
            torch.save({'layer.weight': value}, self.dir / 'x.pth')
            message = self.run_tool('tensors_tool', 'x.pth', expect=6).stderr.decode()
            self.assertRegex(message, "layer.weight|QInt8Storage")
        torch.save({'w': torch.ones(2, dtype=torch.complex64)}, self.dir / 'x.pth')
        self.assertIn('ComplexFloatStorage', self.run_tool('tensors_tool', 'x.pth', expect=6).stderr.decode())

    def test_published_weights(self):
        if not reference.weights_path().exists():
            self.skipTest(f'{reference.weights_path()} is not here: cbir-models fetch efficientnet-lite0')
        self.same(reference.weights_path(), torch.load(reference.weights_path()))

    def test_other_files(self):
        (self.dir / 'plain.pkl').write_bytes(pickle.dumps({'w': 1}, protocol=2))
        self.assertIn('torch.save did not write', self.run_tool('tensors_tool', 'plain.pkl', expect=6).stderr.decode())
        np.savez(self.dir / 'arrays.npz', w=np.ones(3))
        self.assertIn('FOLDER/data.pkl', self.run_tool('tensors_tool', 'arrays.npz', expect=6).stderr.decode())

    def test_a_damaged_number_is_found_in_a_zip(self):
        torch.save({'w': torch.full((64,), 1.5)}, self.dir / 'x.pth')
        data = bytearray((self.dir / 'x.pth').read_bytes())
        data[bytes(data).index(struct.pack('<f', 1.5) * 3) + 5] ^= 1
        (self.dir / 'x.pth').write_bytes(data)
        self.assertIn('CRC-32', self.run_tool('tensors_tool', 'x.pth', expect=5).stderr.decode())


if __name__ == '__main__':
    main()
