"""The native encoder against plain PyTorch."""
import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from cbirtest import ToolTest, main
import pictures
import reference

torch.set_num_threads(2)


def random_state(seed):
    """Weights of the right names and shapes whose activations neither vanish nor all saturate."""
    generator = torch.Generator().manual_seed(seed)
    state = {}

    def conv(name, norm, cout, cin, kernel):
        state[name + '.weight'] = torch.randn(cout, cin, kernel, kernel, generator=generator) * (2 / (cin * kernel * kernel)) ** .5
        state[norm + '.weight'] = torch.rand(cout, generator=generator) + .5
        state[norm + '.bias'] = torch.randn(cout, generator=generator) * .5
        state[norm + '.running_mean'] = torch.randn(cout, generator=generator) * .3
        state[norm + '.running_var'] = torch.rand(cout, generator=generator) + .5
        state[norm + '.num_batches_tracked'] = torch.tensor(1000)

    conv('_conv_stem', '_bn0', 32, 3, 3)
    for i, (_, kernel, expansion, cin, cout) in enumerate(reference.BLOCKS):
        block, wide = f'_blocks.{i}.', cin * expansion
        if expansion > 1:
            conv(block + '_expand_conv', block + '_bn0', wide, cin, 1)
        conv(block + '_depthwise_conv', block + '_bn1', wide, 1, kernel)
        conv(block + '_project_conv', block + '_bn2', cout, wide, 1)
    conv('_conv_head', '_bn1', 1280, 320, 1)
    state['_fc.weight'], state['_fc.bias'] = torch.randn(10, 1280, generator=generator), torch.zeros(10)
    return state


def crops(count, seed):
    """Scenes, noise, and flat pictures."""
    out = [pictures.scene(224, 224, seed * 1000 + i) for i in range(count - 4)]
    out.append(np.random.default_rng(seed).integers(0, 256, (224, 224, 3), dtype=np.uint8))
    out += [np.full((224, 224, 3), v, np.uint8) for v in (0, 127, 255)]
    return np.stack(out)


class EncoderParity(ToolTest):
    def ours(self, weights, inputs, batch=16, threads=1):
        pictures.write_records(self.dir / 'crops', inputs)
        self.out('encode_tool', 'efficientnet-lite0', weights, 'crops', 'rows', batch, threads)
        return np.fromfile(self.dir / 'rows', np.float32).reshape(len(inputs), -1)

    def compare(self, state, weights, count):
        inputs = crops(count, 1)
        with torch.no_grad():
            x = (torch.from_numpy(inputs).permute(0, 3, 1, 2).float() - 127) / 128
            theirs = torch.nn.functional.normalize(reference.Reference(state)(x)).numpy()
        ours = self.ours(weights, inputs)
        cosine = (ours * theirs).sum(1)
        print(f'{self.id()}: least cosine {cosine.min():.8f} of {count}', file=sys.stderr)
        self.assertGreaterEqual(cosine.min(), .9999)
        others = ours @ theirs.T
        np.fill_diagonal(others, -1)
        self.assertLess(np.median(others.max(1)), .9999, 'the pictures are too alike to test anything')
        np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, atol=1e-6)

    def test_pools_scales_and_mirrored(self):
        state = random_state(4)
        torch.save(state, self.dir / 'random.pth', _use_new_zipfile_serialization=False)
        inputs = [pictures.scene(width, height, 70 + width) for width, height in ((224, 224), (193, 224), (224, 97), (150, 331))]
        for pool, scales, flip in (('avg', [1], True), ('max', [1], False), ('gem', [1], False), ('rmac', [1], False),
                                   ('gem', [1, .707, .5], True), ('rmac', [1, 1.41], False)):
            preset = json.loads((Path(__file__).parents[2] / 'models/efficientnet-lite0.json').read_text())
            preset.update(name='changed', pool=pool, scales=scales, flip=flip)
            preset['preprocessing']['crop_mode'] = 'none'
            (self.dir / 'changed.json').write_text(json.dumps(preset))
            pictures.write_records(self.dir / 'crops', inputs)
            self.out('encode_tool', 'changed.json', 'random.pth', 'crops', 'rows', 2, 1)
            ours = np.fromfile(self.dir / 'rows', np.float32).reshape(len(inputs), -1)
            for row, picture in zip(ours, inputs):
                theirs = reference.described(reference.Reference(state), picture, pool, scales, flip)
                with self.subTest(pool=pool, scales=scales, flip=flip, shape=picture.shape):
                    self.assertGreaterEqual(float(row @ theirs), .9999)
                    self.assertLess(np.abs(row - theirs).max(), 1e-3 * np.abs(theirs).max())

    def test_random_weights(self):
        for seed in (1, 2):
            state = random_state(seed)
            torch.save(state, self.dir / 'random.pth', _use_new_zipfile_serialization=False)
            self.compare(state, 'random.pth', 24)

    def test_half_precision_weights_and_a_training_checkpoint(self):
        state = {k: v.half() if v.is_floating_point() else v for k, v in random_state(3).items()}
        torch.save({'epoch': 7, 'state_dict': state}, self.dir / 'half.pth', _use_new_zipfile_serialization=False)
        self.compare({k: v.float() for k, v in state.items()}, 'half.pth', 12)

    def test_published_weights(self):
        if not reference.weights_path().exists():
            self.skipTest(f'{reference.weights_path()} is not here: cbir-models fetch efficientnet-lite0')
        self.compare(torch.load(reference.weights_path()), reference.weights_path(), 48)

    def test_neither_batch_nor_threads_change_a_bit(self):
        torch.save(random_state(4), self.dir / 'r.pth', _use_new_zipfile_serialization=False)
        inputs = crops(21, 2)
        alone = self.ours('r.pth', inputs, batch=1, threads=1)
        for batch, threads in ((1, 4), (8, 1), (5, 3), (21, 1)):
            with self.subTest(batch=batch, threads=threads):
                self.assertEqual(self.ours('r.pth', inputs, batch, threads).tobytes(), alone.tobytes())

    def refused(self, change, expect, *words):
        state = random_state(5)
        change(state)
        torch.save(state, self.dir / 'wrong.pth', _use_new_zipfile_serialization=False)
        pictures.write_records(self.dir / 'crops', crops(4, 1))
        done = self.run_tool('encode_tool', 'efficientnet-lite0', 'wrong.pth', 'crops', 'rows', 1, 1, expect=expect)
        for word in words:
            self.assertIn(word, done.stderr.decode())

    def test_parameters_that_do_not_fit_are_named(self):
        self.refused(lambda s: s.pop('_blocks.3._bn1.bias'), 6, 'wrong.pth', '_blocks.3._bn1.bias (144) is missing')
        self.refused(lambda s: s.update({'_se.weight': torch.zeros(2, 3)}), 6, '_se.weight (2x3) is not one of this network')
        self.refused(lambda s: s.update({'_conv_stem.weight': torch.zeros(32, 3, 5, 5)}), 6,
                     '_conv_stem.weight is 32x3x5x5, 32x3x3x3 was expected')
        self.refused(lambda s: s.update({'_bn1.weight': torch.zeros(1280, dtype=torch.int32)}), 6, '_bn1.weight is of type int32')
        self.refused(lambda s: s['_bn1.weight'].fill_(float('nan')), 5, '_bn1.weight holds a NaN')
        self.refused(lambda s: s['_bn1.running_var'].fill_(-5), 5, '_bn1.running_var')
        self.refused(lambda s: (s['_bn1.weight'].zero_(), s['_bn1.bias'].zero_()), 5, 'all zeros')


if __name__ == '__main__':
    main()
