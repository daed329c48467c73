"""The published scores of the default encoder, from the archive to the score. Needs the pictures (CBIR_TEST_DATA)."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
from cbirtest import SHARED, SOURCE, ToolTest, main, need

import subprocess


class Published(ToolTest):
    def unpack(self, name):
        archive = SHARED / {'imagenette': 'imagenette-val-224.tar.zst', 'tiny-imagenet': 'tiny-imagenet-200.tar.zst'}[name]
        need(self, archive)
        if self.run_tool('cbir-models', 'verify', 'efficientnet-lite0', expect=None).returncode != 0:
            self.skipTest('the weights of efficientnet-lite0 are not here: cbir-models fetch efficientnet-lite0')
        subprocess.run([SOURCE / 'datasets/get', name, archive, self.dir / name], check=True)
        return self.dir / name

    def scores(self, *args):
        return {line.split('\t')[0]: float(line.split('\t')[1]) for line in self.out('cbir-eval', 'labels', *args).splitlines()}

    def check(self, scores, **expected):
        for name, value in expected.items():
            key = {'p1': 'p@1', 'p10': 'p@10'}.get(name, name)
            self.assertAlmostEqual(scores[key], value, delta=.001, msg=key)
        print(f'{self.id()}: ' + ', '.join(f'{k} {v:.4f}' for k, v in scores.items()), file=sys.stderr)

    def test_imagenette(self):
        self.out('cbir-extract', '-o', 'set', self.unpack('imagenette'))
        self.check(self.scores('set'), map=.8205, p1=.9710, p10=.9596)
        self.out('cbir-index', 'build', 'set', '-o', 'x.cbir')
        self.assertEqual(self.scores('set'), self.scores('x.cbir'))

    def test_tiny_imagenet_validation(self):
        folder = self.unpack('tiny-imagenet') / 'val'
        self.out('cbir-extract', '-o', 'set', '--label', folder / 'val_annotations.txt', folder / 'images')
        self.check(self.scores('set'), map=.1681, p1=.4305, p10=.3260)


if __name__ == '__main__':
    main()
