"""cbir-eval qrels beside pytrec_eval and ir-measures: every measure that they share, of every topic, over random qrels."""
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / 'tools'))
from cbirtest import ToolTest, main, peer_python  # noqa: E402

PEER = Path(__file__).resolve().with_name('qrels_peer.py')
TOPICS, DOCUMENTS = 60, 400


class Qrels(ToolTest):
    def setUp(self):
        super().setUp()
        self.python = peer_python(self, 'eval')

    def make_qrels(self, rng):
        """Topics with few or many documents judged, grades from -1 to 3; at least one of grade 2."""
        lines = []
        for topic in range(TOPICS):
            judged = rng.sample(range(DOCUMENTS), rng.choice([1, 3, 20, 150]))
            grades = [2] + [rng.choice([-1, 0, 0, 1, 1, 2, 3]) for _ in judged[1:]]
            lines += [f't{topic} 0 doc.{d} {grade}\n' for d, grade in zip(judged, grades, strict=True)]
        rng.shuffle(lines)
        (self.dir / 'qrels').write_text(''.join(lines))

    def make_run(self, rng):
        """Rankings of different lengths, in which no two scores are equal."""
        lines = []
        for topic in range(TOPICS):
            found = rng.sample(range(DOCUMENTS), rng.choice([1, 4, 50, DOCUMENTS]))
            lines += [f't{topic} Q0 doc.{d} {rank} {7 - rank / 128} x\n' for rank, d in enumerate(found, 1)]
        rng.shuffle(lines)
        (self.dir / 'run').write_text(''.join(lines))

    def theirs(self, run='run', relevance=1):
        done = subprocess.run([self.python, PEER, 'qrels', run, str(relevance)], capture_output=True, text=True, cwd=self.dir,
                              timeout=600)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def ours(self, *args, expect=0):
        done = self.run_tool('cbir-eval', 'qrels', 'qrels', *args, '-k', '1,5,10,100', '--per-query', '-', expect=expect)
        lines = [line.split('\t') for line in done.stdout.decode().splitlines()]
        return {line[0]: dict(zip(lines[0][1:], line[1:], strict=True)) for line in lines[1:]}

    def assert_same(self, ours, theirs):
        self.assertEqual(len(theirs), 2)
        compared = 0
        for peer in theirs:
            self.assertEqual(set(peer), set(ours))
            for topic, measures in peer.items():
                for measure, value in measures.items():
                    self.assertAlmostEqual(float(ours[topic][measure]), value, delta=1e-6, msg=f'{topic} {measure}')
                    compared += 1
        return compared

    def test_random_runs(self):
        for seed in range(5):
            with self.subTest(seed=seed):
                rng = random.Random(seed)
                self.make_qrels(rng)
                self.make_run(rng)
                self.assertEqual(self.assert_same(self.ours('run'), self.theirs()), TOPICS * (20 + 19))
                self.assert_same(self.ours('run', '--relevance', 2), self.theirs(relevance=2))

    def test_they_read_what_cbir_query_writes(self):
        """Points on a line, whose distances are all different and exact, also in six decimals."""
        rng = random.Random(9)
        points = numpy.random.default_rng(9).permutation(DOCUMENTS).astype(numpy.float32)
        numpy.save(self.dir / 'rows.npy', points[:, None])
        numpy.save(self.dir / 'queries.npy', points[:TOPICS, None] + .25)
        lines = [f'{t} 0 {d} 1\n' for t in range(TOPICS) for d in rng.sample(range(DOCUMENTS), 30)]
        (self.dir / 'qrels').write_text(''.join(lines))
        self.run_tool('cbir-index', 'build', 'rows.npy', '-o', 'rows.cbir', '--metric', 'l2')
        run = self.run_tool('cbir-query', 'rows.cbir', '--vectors', 'queries.npy', '-k', DOCUMENTS, '--format', 'trec').stdout
        (self.dir / 'run').write_bytes(run)
        theirs = self.theirs()
        self.assert_same(self.ours('run'), theirs)
        self.assert_same(self.ours('rows.cbir', '--queries', 'queries.npy'), theirs)  # by searching itself

    def test_they_read_other_protocols_as_runs_and_qrels(self):
        """Oxford without its junk, average precision as everybody counts it; equal scores in our order."""
        rng = random.Random(3)
        names = [f'a picture {i}' for i in range(200)]
        (self.dir / 'gt').mkdir()
        rankings = []
        for topic in 'hall_1', 'hall_2', 'tower_1':
            picked = rng.sample(names, 60)
            for kind, items in ('good', picked[:5]), ('ok', picked[5:30]), ('junk', picked[30:]):
                (self.dir / f'gt/{topic}_{kind}.txt').write_text(''.join(f'{item}\n' for item in items))
            (self.dir / f'gt/{topic}_query.txt').write_text('picture 0 0 9 9\n')
            rankings += [f'{topic}\t{rank}\t{.5 - rank // 40 / 10}\tdb/{item}.jpg\n'
                         for rank, item in enumerate(rng.sample(names, 150), 1)]
        (self.dir / 'run.tsv').write_text(''.join(rankings))
        done = self.run_tool('cbir-eval', 'oxford', '--groundtruth', 'gt', 'run.tsv', '--ap', 'standard', '--per-query', '-',
                             '--write-run', 'run', '--write-qrels', 'qrels', '-k', '1,5,10,100')
        lines = [line.split('\t') for line in done.stdout.decode().splitlines()]
        ours = {line[0]: dict(zip(lines[0][1:], line[1:], strict=True)) for line in lines[1:]}
        shared = {'map', 'p@1', 'p@5', 'p@10', 'p@100'}
        theirs = [{topic: {name: value for name, value in measures.items() if name in shared}
                   for topic, measures in peer.items()} for peer in self.theirs()]
        self.assertEqual(self.assert_same(ours, theirs), 2 * 3 * len(shared))


if __name__ == '__main__':
    main()
