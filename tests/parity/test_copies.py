"""cbir-eval copies and cutoff beside scikit-learn: micro-averages, recall at a precision and its threshold."""
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
from cbirtest import ToolTest, main, peer_python  # noqa: E402

PEER = Path(__file__).resolve().with_name('pairs_peer.py')
ATTACKS = ['crop', 'mirror', 'blur:strong']


class Pairs(ToolTest):
    def setUp(self):
        super().setUp()
        self.peer = peer_python(self, 'eval')

    def theirs(self, scores, right, precision=.9):
        """scikit-learn's, of pairs: average precision, and the highest recall of a precision with its threshold."""
        np.savez(self.dir / 'pairs.npz', scores=scores, right=right)
        done = subprocess.run([self.peer, PEER, self.dir / 'pairs.npz', str(precision)], capture_output=True, text=True,
                              timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)


class Copies(Pairs):
    """Originals of few whole numbers, so that many scores are equal and all are exact; copies are noisy; the last of them
    have no original."""

    ROWS, COPIES, DISTRACTORS, DIM = 400, 120, 40, 6

    def setUp(self):
        super().setUp()
        rng = np.random.default_rng(11)
        self.rows = rng.integers(-3, 4, (self.ROWS, self.DIM)).astype(np.float32)
        self.original = rng.permutation(self.ROWS)[:self.COPIES]
        noise = rng.integers(-2, 3, (self.COPIES, self.DIM))
        strangers = rng.integers(-3, 4, (self.DISTRACTORS, self.DIM))
        self.queries = np.concatenate([self.rows[self.original] + noise, strangers]).astype(np.float32)
        self.scores = self.queries @ self.rows.T
        self.right = np.zeros(self.scores.shape, bool)
        self.right[np.arange(self.COPIES), self.original] = True
        # Rows of a bare array are called by their numbers.
        np.save(self.dir / 'rows.npy', self.rows)
        np.save(self.dir / 'queries.npy', self.queries)
        self.attack = [ATTACKS[i % 3] for i in range(len(self.queries))]
        self.write_manifest(list(self.original))

    def write_manifest(self, originals):
        (self.dir / 'manifest.tsv').write_text(''.join(
            f'{i}\t{originals[i] if i < len(originals) else ""}\t{attack}\t1\n' for i, attack in enumerate(self.attack)))

    def ours(self, *args, **kw):
        return json.loads(self.run_tool('cbir-eval', 'copies', *args, '--manifest', 'manifest.tsv', '--json', **kw).stdout)

    def compare(self, ours, theirs, share=1.0):
        """`share`: of the right pairs, those that are in the list; scikit-learn's recall is of these alone."""
        self.assertAlmostEqual(ours['micro_ap'], theirs['average_precision'] * share, delta=1e-6)
        self.assertAlmostEqual(ours['recall@p90'], theirs['recall'] * share, delta=1e-6)
        if theirs['recall'] > 0:
            self.assertAlmostEqual(ours['threshold@p90'], theirs['threshold'], delta=1e-6)
        else:
            self.assertNotIn('threshold@p90', ours)

    def test_all_pairs(self):
        for index in False, True:
            if index:
                self.run_tool('cbir-index', 'build', 'rows.npy', '-o', 'rows.cbir', '--metric', 'dot')
            found = self.ours('rows.cbir' if index else 'rows.npy', '--queries', 'queries.npy', '--metric', 'dot')
            self.compare(found, self.theirs(self.scores, self.right))
            for attack in found['per_attack']:
                mine = np.array([a == attack['attack'] for a in self.attack])
                self.compare(attack, self.theirs(self.scores[mine], self.right[mine]))

    def test_cutoff(self):
        for precision in .05, .2, .5, .9:
            done = self.run_tool('cbir-eval', 'cutoff', 'rows.npy', '--queries', 'queries.npy', '--metric', 'dot', '--manifest',
                                 'manifest.tsv', '--precision', precision, '--json', expect=None)
            theirs = self.theirs(self.scores, self.right, precision)
            if theirs['recall'] == 0:
                self.assertEqual(done.returncode, 4)
                continue
            ours = json.loads(done.stdout)
            self.assertAlmostEqual(ours['recall'], theirs['recall'], delta=1e-6)
            self.assertAlmostEqual(ours['cutoff'], theirs['threshold'], delta=1e-6)

    def test_pairs_that_were_never_retrieved(self):
        """Rankings of ten: pairs below are in nobody's list, and the originals among them are not found."""
        order = np.argsort(-self.scores, axis=1, kind='stable')[:, :10]
        (self.dir / 'run.tsv').write_text(''.join(
            f'{q}\t{rank}\t{self.scores[q, row]:.6f}\t{row}\n' for q in range(len(order)) for rank, row in enumerate(order[q], 1)))
        scores = np.take_along_axis(self.scores, order, axis=1)
        right = np.take_along_axis(self.right, order, axis=1)
        self.assertLess(right.sum(), self.COPIES)
        self.compare(self.ours('run.tsv'), self.theirs(scores, right), right.sum() / self.COPIES)

    def test_originals_that_are_not_there(self):
        """Every fourth original was left out of the collection: its copy's pairs are all wrong."""
        originals = [f'gone/{row}' if i % 4 == 0 else row for i, row in enumerate(self.original)]
        self.right[:self.COPIES:4] = False
        self.write_manifest(originals)
        self.compare(self.ours('rows.npy', '--queries', 'queries.npy', '--metric', 'dot'),
                     self.theirs(self.scores, self.right), self.right.sum() / self.COPIES)


class Labels(Pairs):
    def test_cutoff_of_random_floats(self):
        rng = np.random.default_rng(5)
        labels = rng.integers(0, 20, 600)
        vectors = rng.normal(size=(600, 16)) + 1.5 * rng.normal(size=(20, 16))[labels]
        vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
        np.save(self.dir / 'x_Embeddings.npy', vectors)
        np.save(self.dir / 'x_Categories.npy', labels.astype(str))
        scores = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
        others = ~np.eye(600, dtype=bool)
        right = labels[:, None] == labels
        for precision in .3, .6, .8:
            theirs = self.theirs(scores[others], right[others], precision)
            ours = json.loads(self.out('cbir-eval', 'cutoff', 'x_Embeddings.npy', '--precision', precision, '--json'))
            self.assertAlmostEqual(ours['recall'], theirs['recall'], delta=2e-5)  # scores are rounded to float32
            self.assertAlmostEqual(ours['cutoff'], theirs['threshold'], delta=1e-5)
            self.assertGreaterEqual(ours['precision'], precision)


if __name__ == '__main__':
    main()
