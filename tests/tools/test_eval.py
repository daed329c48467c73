"""cbir-eval: scores against their definitions in NumPy, both output forms, and what it answers to wrong use."""
import json
import subprocess

import numpy

from cbirtest import BIN, ToolTest, main


def plain_scores(scores, labels, query_labels=None, cutoffs=(1, 5, 10)):
    """The definitions, by sorting: a list of dictionaries, one for each query that counts. Ties by position."""
    results = []
    for q, label in enumerate(labels if query_labels is None else query_labels):
        order = numpy.argsort(-scores[q], kind='stable')
        if query_labels is None:
            order = order[order != q]
        relevant = numpy.array([labels[i] == label for i in order])
        count = relevant.sum()
        if label is None or count == 0:
            continue
        found = relevant.cumsum()
        at = numpy.arange(1, len(order) + 1)
        one = {'map': (relevant * found / at).sum() / count, 'mrr': 1 / at[relevant][0],
               'r_precision': found[count - 1] / count, 'class': label}
        for k in cutoffs:
            first = found[min(k, len(found)) - 1]
            one |= {f'p@{k}': first / k, f'r@{k}': first / count, f'hit@{k}': float(first > 0)}
        results.append(one)
    return results


def means(results):
    names = [name for name in results[0] if name != 'class']
    return {name: float(numpy.mean([r[name] for r in results])) for name in names}


class EvalTest(ToolTest):
    def write_set(self, name, vectors, labels):
        """A pair of files as NumPy's users have them."""
        numpy.save(self.dir / f'{name}_Embeddings.npy', numpy.asarray(vectors, numpy.float32))
        numpy.save(self.dir / f'{name}_Categories.npy', numpy.array(labels))
        return f'{name}_Embeddings.npy'

    def random_set(self, name, rows=300, dim=40, classes=12, levels=2, seed=1):
        """Vectors of few values, so that many scores are equal, and exactly so: sums of small integers."""
        rng = numpy.random.default_rng(seed)
        labels = [f'class {c}' for c in rng.integers(0, classes, rows)]
        vectors = rng.integers(-levels, levels + 1, (rows, dim)).astype(numpy.float32)
        return self.write_set(name, vectors, labels), vectors, labels

    def scores(self, *args):
        """Means, and the scores by class."""
        lines = [line.split('\t') for line in self.out('cbir-eval', 'labels', *args).splitlines()]
        return ({line[0]: float(line[1]) for line in lines if len(line) == 2},
                {(line[1], line[0]): float(line[2]) for line in lines if len(line) == 3})

    def assert_means(self, found, results):
        for name, value in means(results).items():
            self.assertAlmostEqual(found[name], value, delta=6e-7, msg=name)
        self.assertEqual(found['queries'], len(results))


class Labels(EvalTest):
    def test_scores_are_those_of_the_definitions(self):
        name, vectors, labels = self.random_set('a')
        exact = vectors.astype(numpy.float64)
        squares = (exact ** 2).sum(1)
        for metric, scores in [('dot', exact @ exact.T),
                               ('l2', -(squares[:, None] + squares - 2 * exact @ exact.T))]:
            with self.subTest(metric):
                results = plain_scores(scores, labels)
                found, classes = self.scores(name, '--metric', metric, '--per-class')
                self.assert_means(found, results)
                self.assertEqual(len({c for c, _ in classes}), 12)
                for label in set(labels):
                    of_class = [r for r in results if r['class'] == label]
                    self.assertAlmostEqual(classes[label, 'map'], means(of_class)['map'], delta=6e-7)
                    self.assertEqual(classes[label, 'queries'], len(of_class))

    def test_cosine_of_random_floats(self):
        rng = numpy.random.default_rng(2)
        labels = [str(c) for c in rng.integers(0, 7, 400)]
        vectors = rng.normal(size=(400, 33)).astype(numpy.float32)
        unit = vectors.astype(numpy.float64) / numpy.linalg.norm(vectors.astype(numpy.float64), axis=1)[:, None]
        found, _ = self.scores(self.write_set('f', vectors, labels))
        self.assert_means(found, plain_scores(unit @ unit.T, labels))

    def test_queries_of_their_own(self):
        database, vectors, labels = self.random_set('database')
        queries, query_vectors, query_labels = self.random_set('queries', rows=70, classes=14, seed=3)
        results = plain_scores(query_vectors @ vectors.T, labels, query_labels, cutoffs=(2, 400))
        self.assertLess(len(results), 70)
        done = self.run_tool('cbir-eval', 'labels', database, '--queries', queries, '--metric', 'dot', '-k', '2,400', '--json')
        found = json.loads(done.stdout)
        self.assert_means(found, results)
        self.assertEqual(found['queries_alone'], 70 - len(results))
        self.assertIn(f'{70 - len(results)} queries whose labels no other row has are left out', done.stderr.decode())

    def test_any_number_of_threads_gives_the_same_bytes(self):
        name, _, _ = self.random_set('a', rows=500)
        one = self.out('cbir-eval', 'labels', name, '--per-class', '--json', '--threads', 1)
        for threads in 2, 4:
            self.assertEqual(self.out('cbir-eval', 'labels', name, '--per-class', '--json', '--threads', threads), one)

    def test_a_set_and_its_index_score_alike(self):
        if not (BIN / 'cbir-index').exists():
            self.skipTest('cbir-index is not built')
        rng = numpy.random.default_rng(4)
        name = self.write_set('a', rng.normal(size=(500, 100)), [str(c) for c in rng.integers(0, 9, 500)])
        for metric in 'cosine', 'dot', 'l2':
            self.run_tool('cbir-index', 'build', name, '-o', f'{metric}.cbir', '--metric', metric)
            self.assertEqual(self.out('cbir-eval', 'labels', f'{metric}.cbir', '--json'),
                             self.out('cbir-eval', 'labels', name, '--metric', metric, '--json'))
        self.error('cbir-eval', 'labels', 'dot.cbir', '--metric', 'l2', expect=6)

    def test_output_by_hand(self):
        """Two of a kind lie together, the third does not."""
        name = self.write_set('tiny', [[1, 0], [1, 0.1], [0, 1]], ['a', 'a', 'b'])
        done = self.run_tool('cbir-eval', 'labels', name, '-k', '1', '--per-class')
        self.assertEqual(done.stdout.decode(),
                         'map\t1.000000\nmrr\t1.000000\nr_precision\t1.000000\np@1\t1.000000\nr@1\t1.000000\n'
                         'hit@1\t1.000000\nqueries\t2\nqueries_unlabelled\t0\nqueries_alone\t1\nrows\t3\n'
                         'rows_unlabelled\t0\nclasses\t2\n'
                         'map\ta\t1.000000\nmrr\ta\t1.000000\nr_precision\ta\t1.000000\np@1\ta\t1.000000\n'
                         'r@1\ta\t1.000000\nhit@1\ta\t1.000000\nqueries\ta\t2\n')
        self.assertEqual(done.stderr, b'cbir-eval: warning: 1 query whose label no other row has is left out of the means\n')

    def test_json_has_the_names_of_the_table(self):
        name, _, _ = self.random_set('a')
        found = json.loads(self.out('cbir-eval', 'labels', name, '--json', '--per-class'))
        table, _ = self.scores(name)
        classes = found.pop('per_class')
        self.assertEqual(list(found), list(table))
        self.assertEqual([c['class'] for c in classes], [f'class {i}' for i in range(12)])  # natural order
        for key, value in table.items():
            self.assertAlmostEqual(found[key], value, delta=6e-7)

    def test_options_may_stand_before_the_database(self):
        name, _, _ = self.random_set('a', rows=50)
        found = json.loads(self.out('cbir-eval', 'labels', '-k', '3,7', '--json', name, '--quiet'))
        self.assertEqual([key for key in found if key.startswith('p@')], ['p@3', 'p@7'])

    def test_labels_from_a_table(self):
        rng = numpy.random.default_rng(5)
        numpy.save(self.dir / 'bare.npy', rng.normal(size=(20, 8)).astype(numpy.float32))
        (self.dir / 'labels.tsv').write_text(''.join(f'{i}\t{"even" if i % 2 == 0 else "odd"}\n' for i in range(20)))
        found, _ = self.scores('bare.npy', '--labels', 'labels.tsv')
        self.assertEqual(found['classes'], 2)
        self.assertEqual(found['queries'], 20)
        (self.dir / 'short.tsv').write_text('0\teven\n')
        self.error('cbir-eval', 'labels', 'bare.npy', '--labels', 'short.tsv', expect=6)

    def test_wrong_input(self):
        numpy.save(self.dir / 'bare.npy', numpy.eye(4, dtype=numpy.float32))
        self.assertIn('4 have no label', self.error('cbir-eval', 'labels', 'bare.npy', expect=4))
        self.error('cbir-eval', 'labels', 'nothing', expect=4)
        self.error('cbir-eval', 'labels', 'nothing.cbir', expect=4)
        name = self.write_set('alone', numpy.eye(3), ['a', 'b', 'c'])
        self.assertIn('3 share theirs with no other row', self.error('cbir-eval', 'labels', name, expect=4))
        name = self.write_set('zero', [[1, 0], [0, 0]], ['a', 'a'])
        self.assertIn('row 1', self.error('cbir-eval', 'labels', name, expect=6))
        self.run_tool('cbir-eval', 'labels', name, '--metric', 'l2', '-k', '1')
        name = self.write_set('nan', [[1, 0], [0, numpy.nan]], ['a', 'a'])
        self.assertIn('row 1', self.error('cbir-eval', 'labels', name, expect=5))
        other = self.write_set('other', [[1, 0, 0]], ['a'])
        name = self.write_set('good', [[1, 0], [0, 1]], ['a', 'a'])
        self.error('cbir-eval', 'labels', name, '--queries', other, expect=6)
        for wrong in (['-k', '0'], ['-k', 'x'], ['--metric', 'taxi'], ['--threads', '-1']):
            self.error('cbir-eval', 'labels', name, *wrong, expect=2)
        self.error('cbir-eval', 'labels', expect=2)
        (self.dir / 'damaged.cbir').write_bytes(b'x' * 5000)
        self.assertIn(self.run_tool('cbir-eval', 'labels', 'damaged.cbir', expect=None).returncode, (5, 6))

    def test_output_that_cannot_be_written(self):
        name, _, _ = self.random_set('a', rows=30)
        with open('/dev/full', 'w') as full:
            done = subprocess.run([BIN / 'cbir-eval', 'labels', self.dir / name], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 7, done.stderr)


class Copies(EvalTest):
    MANIFEST = ('a/x.png.crop.jpg\tset/a/x.png\tcrop\t1\n'
                'a/y.png.mirror.jpg\tset/a/y.png\tmirror\t1\n'
                'b/z.png.crop.jpg\tset/b/z.png\tcrop\t1\n')

    def ranking(self, *rankings):
        return ''.join(f'{query}\t{rank}\t{1 - rank / 100:.6f}\t{path}\n' for query, results in rankings
                       for rank, path in enumerate(results, 1))

    def setUp(self):
        super().setUp()
        (self.dir / 'manifest.tsv').write_text(self.MANIFEST)
        others = [f'set/c/{i}.png' for i in range(10)]
        self.rankings = [('copies/a/x.png.crop.jpg', ['set/a/x.png'] + others),
                         ('copies/a/y.png.mirror.jpg', others[:3] + ['set/a/y.png'] + others[3:]),
                         ('copies/b/z.png.crop.jpg', others)]

    def test_first_mrr_and_recall_in_all_and_by_attack(self):
        (self.dir / 'run.tsv').write_text(self.ranking(*self.rankings))
        text = self.out('cbir-eval', 'copies', 'run.tsv', '--manifest', 'manifest.tsv')
        self.assertTrue(text.startswith('first\t0.333333\nmrr\t0.416667\nr@10\t0.666667\nfirst_count\t1\nqueries\t3\n'), text)
        self.assertIn('first\tcrop\t0.500000\n', text)
        self.assertIn('mrr\tmirror\t0.250000\n', text)
        found = json.loads(self.out('cbir-eval', 'copies', 'run.tsv', '--manifest', 'manifest.tsv', '--json'))
        self.assertEqual([a['attack'] for a in found['per_attack']], ['crop', 'mirror'])

    def test_trec_run_from_standard_input(self):
        lines = [line.split('\t') for line in self.ranking(*self.rankings).splitlines()]
        trec = ''.join(f'{query} Q0 {path} {rank} {score} cbir\n' for query, rank, score, path in lines)
        (self.dir / 'run.tsv').write_text(self.ranking(*self.rankings))
        self.assertEqual(self.out('cbir-eval', 'copies', '-', '--manifest', 'manifest.tsv', stdin=trec.encode()),
                         self.out('cbir-eval', 'copies', 'run.tsv', '--manifest', 'manifest.tsv'))

    def test_missing_queries_are_named_and_count_as_misses(self):
        (self.dir / 'run.tsv').write_text(self.ranking(self.rankings[0], ('stray.jpg', ['set/a/x.png'])))
        done = self.run_tool('cbir-eval', 'copies', 'run.tsv', '--manifest', 'manifest.tsv', expect=3)
        self.assertIn(b'first\t0.333333\n', done.stdout)
        self.assertIn(b'queries_missing\t2\nqueries_unknown\t1\n', done.stdout)
        self.assertIn(b'a/y.png.mirror.jpg, b/z.png.crop.jpg', done.stderr)
        self.assertIn(b'1 query that the manifest does not name is left out', done.stderr)

    def test_wrong_input(self):
        (self.dir / 'run.tsv').write_text(self.ranking(*self.rankings))
        (self.dir / 'other.tsv').write_text('p.jpg\tq.png\tcrop\n')
        (self.dir / 'empty.tsv').write_text('')
        (self.dir / 'torn.tsv').write_text(self.ranking(*self.rankings)[:-20])
        self.error('cbir-eval', 'copies', 'run.tsv', '--manifest', 'other.tsv', expect=6)
        self.error('cbir-eval', 'copies', 'run.tsv', '--manifest', 'nothing.tsv', expect=4)
        self.error('cbir-eval', 'copies', 'run.tsv', '--manifest', 'empty.tsv', expect=4)
        self.error('cbir-eval', 'copies', 'empty.tsv', '--manifest', 'manifest.tsv', expect=4)
        self.assertIn('line 32', self.error('cbir-eval', 'copies', 'torn.tsv', '--manifest', 'manifest.tsv', expect=5))
        self.error('cbir-eval', 'copies', 'run.tsv', expect=2)


if __name__ == '__main__':
    main()
