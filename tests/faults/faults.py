"""What the tests of bad luck share: indexes, and the question which of two states one is in."""
import json
import os
import subprocess

import numpy as np

from cbirtest import BIN, ToolTest, xxh3

ATTEMPTS = int(os.environ.get('CBIR_FAULTS', '4'))  # at each thing that may go wrong
MANY = ATTEMPTS >= 100  # by hand
TYPES = [t for t in ('flat', 'ivf', 'hnsw', 'lsh')
         if t in subprocess.run([BIN / 'cbir-index', 'build', '--help'], capture_output=True, text=True).stdout]
DIM = 32


class IndexFaultTest(ToolTest):
    def make_set(self, name, rows, seed):
        """A set with labels, whose paths begin with its name."""
        array = np.random.default_rng(seed).standard_normal((rows, DIM)).astype(np.float32)
        np.save(self.dir / f'{name}.npy', array)
        lines = [json.dumps({'path': f'{name}/{i}.jpg', 'label': 'even' if i % 2 == 0 else 'odd'}) for i in range(rows)]
        text = ''.join(line + '\n' for line in lines)
        (self.dir / f'{name}.rows.jsonl').write_text(text)
        (self.dir / f'{name}.json').write_text(json.dumps({
            'format': 'cbir embedding set', 'version': 1, 'rows': rows, 'dim': DIM, 'dtype': 'float32',
            'metric': 'cosine', 'normalization': 'none', 'failed': 0,
            'npy_xxh3': xxh3((self.dir / f'{name}.npy').read_bytes()), 'rows_xxh3': xxh3(text.encode())}))
        return array

    def rows(self, name='x.cbir'):
        """Verifies the index, every byte of it, and counts its rows."""
        self.assertIn('sound', self.run_tool('cbir-index', 'verify', name).stdout.decode())
        return json.loads(self.run_tool('cbir-index', 'info', name, '--json').stdout)['rows']
