"""From file to embedding, against the reference: pictures of mixed sizes, modes and orientations go through cbir-extract,
and as upright 8-bit RGB through plain PyTorch. Row by row the cosine is at least .9999."""
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from cbirtest import ToolTest, main
import pictures
import reference

COUNT = 325


class EndToEnd(ToolTest):
    def compare(self, alpha):
        weights = self.run_tool('cbir-models', 'verify', 'efficientnet-lite0', expect=None)
        if weights.returncode != 0:
            self.skipTest('the weights of efficientnet-lite0 are not here: cbir-models fetch efficientnet-lite0')
        (self.dir / 'in').mkdir()
        upright = []
        for name, data, picture in pictures.variants(COUNT):
            (self.dir / 'in' / name).write_bytes(data)
            upright.append(pictures.upright_rgb(picture, alpha))
        self.out('cbir-extract', '-o', 'set', '--alpha', alpha, 'in')
        ours = np.load(self.dir / 'set.npy')
        self.assertEqual(len(ours), COUNT)
        theirs = reference.embed(upright)
        cosine = (ours * theirs).sum(1)
        worst = int(cosine.argmin())
        print(f'{self.id()}: least cosine {cosine.min():.7f} of {COUNT}, row {worst}', file=sys.stderr)
        self.assertGreaterEqual(cosine.min(), .9999)
        different = ours @ theirs.T
        np.fill_diagonal(different, -1)
        self.assertLess(np.median(different.max(1)), .995, 'the pictures are too alike to test anything')

    def test_alpha_on_white(self):
        self.compare('white')

    def test_alpha_dropped(self):
        self.compare('drop')


if __name__ == '__main__':
    main()
