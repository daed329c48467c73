"""An encoder for tests of what lies around networks: that of tests/fake_nets, which sees colours and reads their names, so that
what must come out can be said in advance and no weights are needed."""
import functools
import gzip
import itertools
import json
import struct

from cbirtest import BIN

FAKE = BIN.parent / 'fake_nets'


@functools.cache
def vocabulary():
    """A file of CLIP's 48894 merges, none of which joins letters of ASCII."""
    shown = [chr(c) for c in range(0xa1, 0x100) if c != 0xad]
    pairs = (f'{a} {b}{end}' for a in shown for b in shown for end in ('', '</w>'))
    triples = (f'{a}{b} {c}' for a in shown for b in shown for c in shown)
    return gzip.compress('\n'.join(itertools.chain(['header'], itertools.islice(itertools.chain(pairs, triples), 48894),
                                                   [''])).encode())


def safetensors(**shapes):
    """A checkpoint of empty tensors."""
    header = json.dumps({name: {'dtype': 'U8', 'shape': [length, 0], 'data_offsets': [0, 0]}
                         for name, length in shapes.items()}).encode()
    return struct.pack('<Q', len(header)) + header


def preset(name, **more):
    return {'name': name, 'network': 'fake', 'layer': 'mean', 'pool': 'none', 'dimension': 4, 'preprocessing': {
                'resize': 8, 'filter': 'bicubic', 'resize_rounding': 'round', 'crop': 8, 'crop_rounding': 'floor',
                'mean': [0, 0, 0], 'std': [1, 1, 1]},
            'normalization': 'l2', 'metric': 'cosine', 'weights': {'file': f'{name}.safetensors', 'licence': 'none'}, **more}


def make_plugins(folder, *real):
    """A folder of plug-ins: the encoder's, and those of the build itself that are named. Returns its path."""
    folder.mkdir()
    (folder / 'libcbir_nets.so').symlink_to(FAKE / 'libcbir_nets.so')
    for name in real:
        (folder / f'libcbir_{name}.so').symlink_to(BIN.parent / f'lib/libcbir_{name}.so')
    return str(folder)


def make_encoders(folder):
    """Makes the encoders 'colours', which reads text, and 'blind', which does not, in a folder; returns the environment in
    which programs find them."""
    models, presets = folder / 'models', folder / 'presets'
    models.mkdir()
    presets.mkdir()
    text = {'context': 77, 'tokenizer': 'clip', 'vocabulary': {'file': 'words.gz', 'licence': 'none'}}
    (models / 'words.gz').write_bytes(vocabulary())
    (models / 'colours.safetensors').write_bytes(safetensors(token_embedding=49408, context=77))
    (models / 'blind.safetensors').write_bytes(safetensors(other=1))
    (presets / 'colours.json').write_text(json.dumps(preset('colours', text=text)))
    (presets / 'blind.json').write_text(json.dumps(preset('blind')))
    return {'CBIR_PLUGIN_DIR': str(FAKE), 'CBIR_MODELS': str(models), 'CBIR_PRESETS': str(presets),
            'XDG_CACHE_HOME': str(folder / 'cache')}
