"""From a text to its vector through the programs, beside the original tokenizer and CLIP's text tower in plain PyTorch."""
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
sys.path.insert(0, str(Path(__file__).resolve().parent))
from cbirtest import SOURCE, ToolTest, main, peer_python  # noqa: E402
from transformers_reference import Chance, clip_text  # noqa: E402
import pictures  # noqa: E402
from texts import texts  # noqa: E402

PEER = Path(__file__).resolve().with_name('tokens_peer.py')
LINES = 200


class Text(ToolTest):
    def setUp(self):
        super().setUp()
        self.python = peer_python(self)
        vocabulary = subprocess.run([self.python, PEER, 'vocabulary'], capture_output=True, text=True, check=True).stdout.strip()
        shutil.copy(vocabulary, self.dir)  # beside the preset it is found
        chance = Chance(7, torch.half)
        self.state = {**chance.clip_image(32, 768, 12, 512), **chance.clip_text(512, 12, 512)}
        torch.save(self.state, self.dir / 'clip.pt')
        shutil.copy(SOURCE / 'models/clip-vit-b-32.json', self.dir / 'clip.json')
        self.encoder = ('--model', 'clip.json', '--weights', 'clip.pt')

    def expected(self, lines):
        """Unit vectors of those lines whose encoding the original does not repair, and their positions."""
        hexadecimal = '\n'.join(line.encode().hex() for line in lines)
        done = subprocess.run([self.python, PEER], input=hexadecimal, capture_output=True, text=True, check=True)
        original = [json.loads(line) for line in done.stdout.splitlines()]
        kept = [i for i, line in enumerate(original) if not line['mojibake']]
        rows = torch.tensor([original[i]['row'] for i in kept])
        with torch.no_grad():
            vectors = clip_text({name: tensor.float() for name, tensor in self.state.items()}, rows).numpy()
        return kept, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    def test_texts_through_the_programs(self):
        lines = [line for line in texts(LINES, seed=5) if line.strip(' \t\r\n\f\v')]
        self.run_tool('cbir-extract', '-o', 'texts', '--text-file', '-', '-0', *self.encoder,
                      stdin='\0'.join(lines).encode() + b'\0')
        kept, theirs = self.expected(lines)
        ours = np.load(self.dir / 'texts.npy')
        rows = [json.loads(line) for line in (self.dir / 'texts.rows.jsonl').read_text().splitlines()]
        self.assertEqual([row['path'] for row in rows], lines)
        cosines = (ours[kept] * theirs).sum(1)
        alike = theirs @ theirs.T
        np.fill_diagonal(alike, -1)
        print(f'{len(kept)} of {len(lines)} texts: least cosine {cosines.min():.8f}, median to the nearest other '
              f'{np.median(alike.max(1)):.3f}', file=sys.stderr)
        self.assertGreater(len(kept), .9 * len(lines))
        self.assertGreaterEqual(cosines.min(), .9999)
        self.assertLess(np.median(alike.max(1)), .999, 'the texts are too alike to test anything')

        # Two prompts, averaged, against an index of pictures of the same encoder.
        from PIL import Image
        (self.dir / 'in').mkdir()
        for i in range(5):
            Image.fromarray(pictures.scene(224, 224, i)).save(self.dir / f'in/{i}.png')
        self.out('cbir-extract', '-o', 'photos', 'in', *self.encoder)
        self.out('cbir-index', 'build', 'photos', '-o', 'photos.cbir')
        _, prompts = self.expected(['a photo of a dog', 'dog in the snow'])
        query = prompts.sum(0) / np.linalg.norm(prompts.sum(0))
        lines = self.out('cbir-query', 'photos.cbir', '--text', 'dog', '--template', 'a photo of a {}', '--template',
                         '{} in the snow', *self.encoder).splitlines()
        scores = {line.split('\t')[3]: float(line.split('\t')[2]) for line in lines}
        for row, vector in zip((self.dir / 'photos.rows.jsonl').read_text().splitlines(), np.load(self.dir / 'photos.npy')):
            self.assertAlmostEqual(scores[json.loads(row)['path']], float(vector @ query), delta=1e-4)


if __name__ == '__main__':
    main()
