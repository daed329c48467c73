"""CLIP's towers and DINOv2 against plain PyTorch, and against open_clip's own model code."""
import ctypes
import importlib
import json
import sys
import types
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from cbirtest import SOURCE, ToolTest, main, peer_python  # noqa: E402
from test_checkpoints import write_safetensors  # noqa: E402
from transformers_reference import Chance, clip_image, clip_text, dinov2, hugging_face  # noqa: E402
import pictures  # noqa: E402

torch.set_num_threads(2)
for option, size in ((-3, 32 << 20), (-1, 256 << 20)):  # M_MMAP_THRESHOLD, M_TRIM_THRESHOLD: memory that is freed is kept
    ctypes.CDLL(None).mallopt(option, size)

NO_BF16 = 'this CPU has no bfloat16'


def scenes(count, side=224):
    return [pictures.scene(side, side, 500 + i) for i in range(count)]


def texts(count):
    """Rows of 77 tokens: start, words, end, zeros; of all lengths, the longest without zeros."""
    random = np.random.default_rng(3)
    rows = np.zeros((count, 77), np.int32)
    for i, row in enumerate(rows):
        words = (0, 75, 6, 1, 30, 14)[i] if i < 6 else int(random.integers(1, 75))
        row[0], row[1:1 + words], row[1 + words] = 49406, random.integers(1, 49000, words), 49407
    return rows


class Module(torch.nn.Module):
    """A module whose parameters have the names given, as deep as the dots say."""

    def __init__(self, tensors):
        super().__init__()
        inner = {}
        for name, tensor in tensors.items():
            head, _, rest = name.partition('.')
            if rest:
                inner.setdefault(head, {})[rest] = tensor
            elif tensor.is_floating_point():
                self.register_parameter(head, torch.nn.Parameter(tensor))
            else:
                self.register_buffer(head, tensor)
        for name, parts in inner.items():
            self.add_module(name, Module(parts))

    def forward(self, x):
        return x


class Transformers(ToolTest):
    def preset(self, name, side=None, **changes):
        """A preset of the toolkit, whose vectors keep their length, as a file here."""
        preset = json.loads((SOURCE / f'models/{name}.json').read_text())
        preset.update(name='changed', normalization='none', **changes)
        if side:
            preset['preprocessing'].update(resize=side, crop=side)
        (self.dir / 'changed.json').write_text(json.dumps({k: v for k, v in preset.items() if v is not None}))
        return {key: torch.tensor(preset['preprocessing'][key]) for key in ('mean', 'std')}

    def images(self, weights, inputs, batch, precision='float32'):
        pictures.write_records(self.dir / 'pictures', inputs)
        self.out('encode_tool', 'changed.json', weights, 'pictures', 'rows', batch, 2, 1, precision)
        return np.fromfile(self.dir / 'rows', np.float32).reshape(len(inputs), -1)

    def texts(self, weights, tokens, batch, precision='float32'):
        tokens.tofile(self.dir / 'tokens')
        self.out('text_tool', 'changed.json', weights, 'tokens', 'rows', batch, precision)
        return np.fromfile(self.dir / 'rows', np.float32).reshape(len(tokens), -1)

    def compare(self, what, ours, theirs, cosine=.9999, error=1e-3):
        theirs = theirs.numpy() if torch.is_tensor(theirs) else theirs
        unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (ours, theirs)]
        least = (unit[0] * unit[1]).sum(1).min()
        worst = np.abs(ours - theirs).max() / np.abs(theirs).max()
        print(f'{what}: least cosine {least:.8f}, largest relative error {worst:.1e}, of {len(ours)}', file=sys.stderr)
        self.assertGreaterEqual(least, cosine)
        self.assertLessEqual(worst, error)
        if len(ours) > 1:
            others = unit[1] @ unit[1].T
            np.fill_diagonal(others, -1)
            self.assertLess(np.median(others.max(1)), .99, 'the inputs are too alike to test anything')

    def compare_images(self, what, weights, inputs, theirs):
        """One at a time, and all at once; returns the latter."""
        for batch in (1, len(inputs)):
            ours = self.images(weights, inputs, batch)
            self.compare(f'{what}, batch {batch}', ours, theirs)
        return ours

    def input(self, inputs, preset):
        x = torch.from_numpy(np.stack(inputs)).float()
        return ((x - preset['mean']) / preset['std']).permute(0, 3, 1, 2)

    def test_clip_in_the_names_of_openai_open_clip_and_hugging_face(self):
        chance = Chance(1, torch.half)
        state = {**chance.clip_image(32, 768, 12, 512), **chance.clip_text(512, 12, 512)}
        exact = {name: tensor.float() for name, tensor in state.items()}
        extra = {'input_resolution': torch.tensor(224), 'context_length': torch.tensor(77), 'vocab_size': torch.tensor(49408)}
        torch.jit.save(torch.jit.trace(Module({**state, **extra}), torch.ones(1)), self.dir / 'ViT-B-32.pt')
        preset, inputs, tokens = self.preset('clip-vit-b-32'), scenes(7), texts(7)
        with torch.no_grad():
            images = clip_image(exact, self.input(inputs, preset))
            sentences = clip_text(exact, torch.from_numpy(tokens).long())
        first = self.compare_images('CLIP ViT-B/32, pictures', 'ViT-B-32.pt', inputs, images)
        for batch in (1, 7):
            words = self.texts('ViT-B-32.pt', tokens, batch)
            self.compare(f'CLIP ViT-B/32, texts, batch {batch}', words, sentences)

        torch.save({'state_dict': {'module.' + k: v for k, v in state.items()}}, self.dir / 'open_clip.pt')
        write_safetensors(self.dir / 'model.safetensors', hugging_face(state))
        for weights in ('open_clip.pt', 'model.safetensors'):
            with self.subTest(weights=weights):
                self.assertEqual(self.images(weights, inputs, 7).tobytes(), first.tobytes())
                self.assertEqual(self.texts(weights, tokens, 7).tobytes(), words.tobytes())

    def test_open_clip(self):
        """Its model code, with the activation that LAION's weights were trained with, and layer norms that are not 1."""
        folder = next(Path(peer_python(self)).parents[1].glob('lib/python3*/site-packages/open_clip'))
        package = types.ModuleType('open_clip')  # without its __init__, which wants packages that nothing here needs
        package.__path__ = [str(folder)]
        sys.modules['open_clip'] = package
        config = json.loads((folder / 'model_configs/ViT-B-32.json').read_text())
        torch.manual_seed(5)
        model = importlib.import_module('open_clip.model').CLIP(**config).eval()
        for name, parameter in model.named_parameters():
            if 'ln_' in name:
                parameter.data.add_(torch.randn_like(parameter) * .2)
            elif name.startswith('visual.transformer') and name.endswith('weight'):
                parameter.data.mul_(2)
        torch.save(model.state_dict(), self.dir / 'open_clip.pt')
        preset, inputs, tokens = self.preset('clip-vit-b-32-laion2b'), scenes(7), texts(7)
        with torch.no_grad():
            images = model.encode_image(self.input(inputs, preset))
            sentences = model.encode_text(torch.from_numpy(tokens).long())
        self.compare("open_clip's ViT-B-32, pictures", self.images('open_clip.pt', inputs, 7), images)
        self.compare("open_clip's ViT-B-32, texts", self.texts('open_clip.pt', tokens, 7), sentences)

    def test_clip_b16_and_l14(self):
        """A preset without texts passes over the text tower."""
        for name, patch, width, layers, dimension, count in (('b-16', 16, 768, 12, 512, 7), ('l-14', 14, 1024, 24, 768, 2)):
            state = Chance(2, torch.half).clip_image(patch, width, layers, dimension)
            torch.save({**state, 'ln_final.weight': torch.ones(3)}, self.dir / 'clip.pt')
            preset, inputs = self.preset(f'clip-vit-{name}', text=None), scenes(count)
            with torch.no_grad():
                theirs = clip_image({k: v.float() for k, v in state.items()}, self.input(inputs, preset))
            self.compare_images(f'CLIP ViT-{name}', 'clip.pt', inputs, theirs)

    def test_dinov2(self):
        for name, width, side, count in (('vits14', 384, 224, 7), ('vits14', 384, 518, 2), ('vits14', 384, 98, 7),
                                         ('vitb14', 768, 224, 2)):
            state = Chance(3).dinov2(width)
            torch.save(state, self.dir / 'dinov2.pth')
            preset, inputs = self.preset(f'dinov2-{name}', side), scenes(count, side)
            with torch.no_grad():
                theirs = dinov2(state, self.input(inputs, preset))
            self.compare_images(f'DINOv2 {name}, {side} x {side}', 'dinov2.pth', inputs, theirs)

    def test_bfloat16(self):
        chance = Chance(4)
        cases = {'clip-vit-b-32': {**chance.clip_image(32, 768, 12, 512), **chance.clip_text(512, 12, 512)},
                 'dinov2-vits14': chance.dinov2(384)}
        for name, state in cases.items():
            torch.save(state, self.dir / 'weights.pth')
            preset, inputs = self.preset(name), scenes(7)
            pictures.write_records(self.dir / 'pictures', inputs)
            done = self.run_tool('encode_tool', 'changed.json', 'weights.pth', 'pictures', 'rows', 7, 1, 1, 'bfloat16',
                                 expect=None)
            if NO_BF16 in done.stderr.decode():
                self.skipTest(done.stderr.decode().strip())
            self.assertEqual(done.stderr, b'')
            ours = np.fromfile(self.dir / 'rows', np.float32).reshape(7, -1)
            with torch.no_grad():
                theirs = (clip_image if 'clip' in name else dinov2)(state, self.input(inputs, preset))
                self.compare(f'{name}, bfloat16', ours, theirs, .999, 5e-2)
                if 'clip' in name:
                    tokens = texts(7)
                    theirs = clip_text(state, torch.from_numpy(tokens).long())
                    self.compare(f'{name}, texts, bfloat16', self.texts('weights.pth', tokens, 7, 'bfloat16'), theirs, .999, 5e-2)

    def refused(self, state, *words):
        torch.save(state, self.dir / 'wrong.pth')
        pictures.write_records(self.dir / 'pictures', scenes(1))
        message = self.run_tool('encode_tool', 'changed.json', 'wrong.pth', 'pictures', 'rows', 1, 1, expect=6).stderr.decode()
        for word in words:
            self.assertIn(word, message)

    def test_parameters_that_do_not_fit_are_named(self):
        chance = Chance(5, torch.half)
        state = chance.clip_image(32, 768, 12, 512)
        self.preset('clip-vit-b-32', text=None)
        block = 'visual.transformer.resblocks.3.'
        self.refused({k: v for k, v in state.items() if k != block + 'mlp.c_proj.bias'}, 'wrong.pth',
                     block + 'mlp.c_proj.bias (768) is missing')
        self.refused({**state, block + 'attn.in_proj_weight': torch.zeros(768, 768)},
                     block + 'attn.in_proj_weight is 768x768, 2304x768 was expected')
        self.refused({**state, 'visual.attnpool.k_proj.bias': torch.zeros(8)},
                     'visual.attnpool.k_proj.bias (8) is not one of this network')
        self.refused({'visual.conv1.weight': torch.zeros(768, 3, 16, 16)}, 'visual.conv1.weight is 768x3x16x16, 768x3x32x32 was')
        self.refused({k.replace('embeddings.class_embedding', 'x'): v for k, v in hugging_face(state).items()},
                     'vision_model.embeddings.class_embedding (768) is missing')
        self.preset('clip-vit-b-32')
        self.refused(state, 'token_embedding.weight (49408x512) is missing')
        self.preset('clip-vit-b-32', 256, text=None)
        self.refused(state, 'visual.positional_embedding is for pictures of 224 x 224 pixels, the preset makes 256 x 256')
        self.preset('dinov2-vits14')
        dino = Chance(6).dinov2(384)
        self.refused({**dino, 'register_tokens': torch.zeros(1, 4, 384)}, 'register_tokens (1x4x384) is not one of this network')
        self.refused({k: v for k, v in dino.items() if k != 'blocks.11.ls2.gamma'}, 'blocks.11.ls2.gamma (384) is missing')
        self.refused(Chance(6).dinov2(768), 'patch_embed.proj.weight is 768x3x14x14, 384x3x14x14 was expected')

    def test_what_a_preset_cannot_ask_for(self):
        state = {'visual.conv1.weight': torch.zeros(1)}
        for name, side, changes, words in (
                ('dinov2-vits14', 230, {}, 'multiples of 14 pixels, not 230'),
                ('dinov2-vits14', None, {'activation': 'quick_gelu'}, 'has one activation'),
                ('dinov2-vits14', None, {'scales': [1, .5]}, 'takes pictures of one size'),
                ('clip-vit-b-32', None, {'pool': 'avg'}, "has no positions to pool: pool is 'avg'"),
                ('clip-vit-b-32', None, {'layer': 'pooled'}, "has the layer 'projection', not 'pooled'"),
                ('clip-vit-b-32', None, {'dimension': 768}, 'has dimension 512, not 768')):
            with self.subTest(words=words):
                self.preset(name, side, **changes)
                self.refused(state, words)


if __name__ == '__main__':
    main()
