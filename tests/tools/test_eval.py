"""cbir-eval: scores against their definitions in NumPy, both output forms, and what it answers to wrong use."""
import fcntl
import json
import subprocess

import numpy

from cbirtest import BIN, ToolTest, main, xxh3


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
               'r_precision': found[count - 1] / count, 'class': label,
               'map@r': (relevant * found / at)[:count].sum() / count}
        for k in cutoffs:
            first = found[min(k, len(found)) - 1]
            gains = 1 / numpy.log2(at + 1)
            one |= {f'p@{k}': first / k, f'r@{k}': first / count, f'hit@{k}': float(first > 0),
                    f'ndcg@{k}': (relevant * gains)[:k].sum() / gains[:min(k, count)].sum()}
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


    def write_named(self, name, rows):
        """A set with these paths, without a manifest's word on the encoder."""
        vectors = numpy.array(list(rows.values()), numpy.float32)
        numpy.save(self.dir / f'{name}.npy', vectors)
        lines = ''.join(json.dumps({'path': path}) + '\n' for path in rows)
        (self.dir / f'{name}.rows.jsonl').write_text(lines)
        (self.dir / f'{name}.json').write_text(json.dumps({
            'format': 'cbir embedding set', 'version': 1, 'rows': len(rows), 'dim': vectors.shape[1], 'dtype': 'float32',
            'metric': 'cosine', 'normalization': 'none', 'encoder': '', 'fingerprint': '', 'preset': '',
            'npy_xxh3': xxh3((self.dir / f'{name}.npy').read_bytes()), 'rows_xxh3': xxh3(lines.encode())}))
        return name


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
                         'map\t1.000000\nmrr\t1.000000\nr_precision\t1.000000\nmap@r\t1.000000\np@1\t1.000000\n'
                         'r@1\t1.000000\nhit@1\t1.000000\nndcg@1\t1.000000\nqueries\t2\nqueries_unlabelled\t0\nqueries_alone\t1\nrows\t3\n'
                         'rows_unlabelled\t0\nclasses\t2\n'
                         'map\ta\t1.000000\nmrr\ta\t1.000000\nr_precision\ta\t1.000000\nmap@r\ta\t1.000000\n'
                         'p@1\ta\t1.000000\nr@1\ta\t1.000000\nhit@1\ta\t1.000000\nndcg@1\ta\t1.000000\n'
                         'queries\ta\t2\n')
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
        for wrong in (['-k', '0'], ['-k', 'x'], ['-k', '5,5'], ['--seed', '1'], ['--top', '3'], ['--metric', 'taxi'], ['--threads', '-1']):
            self.error('cbir-eval', 'labels', name, *wrong, expect=2)
        self.error('cbir-eval', 'labels', expect=2)
        (self.dir / 'damaged.cbir').write_bytes(b'x' * 5000)
        self.assertIn(self.run_tool('cbir-eval', 'labels', 'damaged.cbir', expect=None).returncode, (5, 6))

    def test_output_that_cannot_be_written(self):
        name, _, _ = self.random_set('a', rows=80)
        with open('/dev/full', 'w') as full:
            done = subprocess.run([BIN / 'cbir-eval', 'labels', self.dir / name], stdout=full, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 7, done.stderr)


class Output(EvalTest):
    """What the sub-commands have in common, shown on labels."""

    def test_intervals_hold_the_mean_and_come_from_the_seed(self):
        name, _, _ = self.random_set('a')
        plain, _ = self.scores(name)
        found, _ = self.scores(name, '--intervals', '--resamples', 1000)
        for measure in 'map', 'p@5', 'ndcg@10':
            self.assertLess(found[f'{measure}_low'], plain[measure])
            self.assertGreater(found[f'{measure}_high'], plain[measure])
            self.assertEqual(found[measure], plain[measure])
        call = ['cbir-eval', 'labels', name, '--intervals', '--resamples', 1000, '--json']
        self.assertEqual(self.out(*call), self.out(*call, '--seed', 1, '--threads', 1))
        self.assertNotEqual(self.out(*call), self.out(*call, '--seed', 2))

    def test_interval_agrees_with_numpy(self):
        name, vectors, labels = self.random_set('a')
        found, _ = self.scores(name, '--metric', 'dot', '--intervals')
        values = numpy.array([r['map'] for r in plain_scores(vectors @ vectors.T, labels)])
        rng = numpy.random.default_rng(1)
        resampled = values[rng.integers(0, len(values), (10000, len(values)))].mean(1)
        low, high = numpy.percentile(resampled, [2.5, 97.5])
        self.assertAlmostEqual(found['map_low'], low, delta=(high - low) / 20)
        self.assertAlmostEqual(found['map_high'], high, delta=(high - low) / 20)

    def test_a_table_of_queries(self):
        name, vectors, labels = self.random_set('a')
        text = self.out('cbir-eval', 'labels', name, '--metric', 'dot', '-k', '3', '--per-query', 'queries.tsv')
        self.assertIn('map\t', text)
        lines = [line.split('\t') for line in (self.dir / 'queries.tsv').read_text().splitlines()]
        self.assertEqual(lines[0], ['query', 'group', 'relevant', 'map', 'mrr', 'r_precision', 'map@r', 'p@3', 'r@3',
                                    'hit@3', 'ndcg@3'])
        results = plain_scores(vectors @ vectors.T, labels, cutoffs=[3])
        self.assertEqual(len(lines) - 1, len(results))
        for i, (line, result) in enumerate(zip(lines[1:], results)):
            self.assertEqual(line[:3], [str(i), result['class'], str(labels.count(result['class']) - 1)])
            for measure, value in zip(lines[0][3:], line[3:]):
                self.assertAlmostEqual(float(value), result[measure], delta=6e-7)

    def test_saved_scores_hold_rankings_and_curves(self):
        name, vectors, labels = self.random_set('a')
        self.out('cbir-eval', 'labels', name, '--metric', 'dot', '--save', 'a.jsonl', '--top', 5)
        head, *queries = [json.loads(line) for line in (self.dir / 'a.jsonl').read_text().splitlines()]
        self.assertEqual((head['format'], head['version'], head['protocol'], head['queries']),
                         ('cbir scores', 1, 'labels', 300))
        self.assertEqual(head['subject'], name)
        products = vectors @ vectors.T
        results = plain_scores(products, labels)
        for q in 0, 7, 299:
            order = numpy.argsort(-products[q], kind='stable')
            order = order[order != q]
            self.assertEqual([(int(head['items'][i]), rank, score, mark) for i, rank, score, mark in queries[q]['top']],
                             [(i, rank, products[q, i], labels[i] == labels[q])
                              for rank, i in enumerate(order[:5], 1)])
            missed = [(i, rank) for rank, i in enumerate(order, 1) if rank > 5 and labels[i] == labels[q]][:20]
            self.assertEqual([(int(head['items'][i]), rank) for i, rank, _, mark in queries[q]['missed']], missed)
            self.assertAlmostEqual(queries[q]['values'][0], results[q]['map'], delta=1e-12)
        relevant = sum(labels.count(label) - 1 for label in labels)
        self.assertEqual(sum(head['distribution']['relevant']), relevant)
        self.assertEqual(sum(head['distribution']['irrelevant']), 300 * 299 - relevant)
        self.assertEqual(len(head['precision_at']), 101)
        self.assertEqual(sorted(head['precision_at'], reverse=True), head['precision_at'])

    def test_files_are_not_replaced_unasked_and_not_the_input(self):
        name, _, _ = self.random_set('a', rows=80)
        (self.dir / 'old').write_text('old')
        for option in '--per-query', '--save':
            self.assertIn('--force', self.error('cbir-eval', 'labels', name, option, 'old', expect=7))
            self.error('cbir-eval', 'labels', name, option, name, '--force', expect=2)
            self.error('cbir-eval', 'labels', name, option, 'no/folder', expect=7)
            self.assertEqual((self.dir / 'old').read_text(), 'old')
        self.error('cbir-eval', 'labels', name, '--per-query', 'x', '--save', 'x', expect=2)
        self.out('cbir-eval', 'labels', name, '--save', 'old', '--force')
        self.assertTrue((self.dir / 'old').read_text().startswith('{"format":"cbir scores"'))

    def test_a_file_on_standard_output_takes_the_place_of_the_scores(self):
        name, _, _ = self.random_set('a', rows=80)
        self.out('cbir-eval', 'labels', name, '--save', 'a.jsonl', '--per-query', 'a.tsv')
        self.assertEqual(self.out('cbir-eval', 'labels', name, '--save', '-'), (self.dir / 'a.jsonl').read_text())
        self.assertEqual(self.out('cbir-eval', 'labels', name, '--per-query', '-'), (self.dir / 'a.tsv').read_text())


class Compare(EvalTest):
    def saved(self, name, vectors, labels):
        """The file of scores of these vectors."""
        self.run_tool('cbir-eval', 'labels', self.write_set(name, vectors, labels), '--metric', 'dot', '--save',
                      f'{name}.jsonl')
        return f'{name}.jsonl'

    def setUp(self):
        super().setUp()
        rng = numpy.random.default_rng(8)
        self.labels = [str(c) for c in rng.integers(0, 6, 200)]
        middles = rng.normal(size=(6, 16))[[int(c) for c in self.labels]]
        self.a = self.saved('a', middles * .3 + rng.normal(size=(200, 16)), self.labels)
        self.b = self.saved('b', middles * .5 + rng.normal(size=(200, 16)), self.labels)

    def values(self, name, measure='map'):
        head, *queries = [json.loads(line) for line in (self.dir / name).read_text().splitlines()]
        return numpy.array([query['values'][head['measures'].index(measure)] for query in queries])

    def test_means_interval_and_test_agree_with_numpy(self):
        found = json.loads(self.out('cbir-eval', 'compare', self.a, self.b, '--json'))
        one = found['measures'][0]
        a, b = self.values(self.a), self.values(self.b)
        self.assertEqual((one['measure'], one['queries'], found['only_a'], found['only_b']), ('map', 200, [], []))
        self.assertAlmostEqual(one['a'], a.mean(), delta=1e-12)
        self.assertAlmostEqual(one['difference'], (b - a).mean(), delta=1e-12)
        self.assertEqual((one['better'], one['worse']), ((b > a).sum(), (b < a).sum()))
        rng = numpy.random.default_rng(1)
        resampled = (b - a)[rng.integers(0, 200, (10000, 200))].mean(1)
        low, high = numpy.percentile(resampled, [2.5, 97.5])
        self.assertAlmostEqual(one['low'], low, delta=(high - low) / 20)
        self.assertAlmostEqual(one['high'], high, delta=(high - low) / 20)
        signs = rng.choice([-1, 1], (10000, 200))
        far = (numpy.abs((signs * (b - a)).mean(1)) >= abs((b - a).mean()) - 1e-12).mean()
        self.assertAlmostEqual(one['p'], far, delta=.03)
        self.assertFalse(one['exact'])

    def test_a_run_against_itself_and_the_other_way_round(self):
        same = json.loads(self.out('cbir-eval', 'compare', self.a, self.a, '--json'))['measures'][0]
        self.assertEqual((same['difference'], same['low'], same['high'], same['p'], same['equal']), (0, 0, 0, 1, 200))
        there, back = [json.loads(self.out('cbir-eval', 'compare', *pair, '--json'))['measures'][0]
                       for pair in [(self.a, self.b), (self.b, self.a)]]
        self.assertEqual((there['difference'], there['p'], there['better']),
                         (-back['difference'], back['p'], back['worse']))

    def test_tables(self):
        text = self.out('cbir-eval', 'compare', self.a, self.b, '--moved', 3, '--measure', 'ndcg@10')
        measures, moved = [[line.split('\t') for line in table.splitlines()] for table in text.split('\n\n')]
        self.assertEqual(measures[0], ['measure', 'a', 'b', 'difference', 'low', 'high', 'p', 'better', 'worse', 'equal',
                                       'queries'])
        self.assertEqual([line[0] for line in measures[1:5]], ['map', 'mrr', 'r_precision', 'map@r'])
        self.assertEqual(moved[0], ['query', 'a', 'b', 'difference'])
        a, b = self.values(self.a, 'ndcg@10'), self.values(self.b, 'ndcg@10')
        order = numpy.argsort(-abs(b - a), kind='stable')
        for line, query in zip(moved[1:], order[:3]):
            self.assertAlmostEqual(abs(float(line[3])), abs(b - a)[query], delta=6e-7)
        self.assertEqual(len(moved), 4)

    def test_any_number_of_threads_gives_the_same_bytes(self):
        one = self.out('cbir-eval', 'compare', self.a, self.b, '--threads', 1)
        self.assertEqual(self.out('cbir-eval', 'compare', self.a, self.b, '--threads', 4), one)
        self.assertNotEqual(self.out('cbir-eval', 'compare', self.a, self.b, '--seed', 2), one)

    def test_queries_of_one_alone_are_named_and_left_out(self):
        lines = (self.dir / self.b).read_text().splitlines(keepends=True)
        (self.dir / 'short.jsonl').write_text(lines[0].replace('"queries":200', '"queries":198') + ''.join(lines[3:]))
        done = self.run_tool('cbir-eval', 'compare', self.a, 'short.jsonl', '--json', expect=3)
        self.assertIn(b'2 queries in a.jsonl alone are left out: 0, 1', done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual((found['queries'], found['only_a'], found['measures'][0]['queries']), (198, ['0', '1'], 198))

    def test_one_of_the_two_from_standard_input(self):
        text = (self.dir / self.a).read_bytes()
        self.assertEqual(self.out('cbir-eval', 'compare', '-', self.b, stdin=text),
                         self.out('cbir-eval', 'compare', self.a, self.b))

    def test_wrong_input(self):
        text = (self.dir / self.a).read_text()
        (self.dir / 'cut.jsonl').write_text(text[:-200])
        (self.dir / 'fewer.jsonl').write_text(text[:text.rindex('\n', 0, -1) + 1])
        (self.dir / 'other.jsonl').write_text(text.replace('"protocol":"labels"', '"protocol":"copies"'))
        (self.dir / 'strange.jsonl').write_text(text.replace('"query":"', '"query":"x'))
        (self.dir / 'run.tsv').write_text('q\t1\t0.5\tp\n')
        self.assertIn('cut.jsonl, line 201', self.error('cbir-eval', 'compare', self.a, 'cut.jsonl', expect=5))
        self.assertIn('cut short', self.error('cbir-eval', 'compare', 'fewer.jsonl', self.a, expect=5))
        self.assertIn('run.tsv, line 1', self.error('cbir-eval', 'compare', self.a, 'run.tsv', expect=5))
        self.assertIn('of copies', self.error('cbir-eval', 'compare', self.a, 'other.jsonl', expect=6))
        self.assertIn('no query in common', self.error('cbir-eval', 'compare', self.a, 'strange.jsonl', expect=6))
        self.error('cbir-eval', 'compare', self.a, 'nothing.jsonl', expect=4)
        self.error('cbir-eval', 'compare', self.a, expect=2)
        self.error('cbir-eval', 'compare', '-', '-', expect=2)
        self.error('cbir-eval', 'compare', self.a, self.b, '--measure', 'map', expect=2)
        self.assertIn('there are map, ', self.error('cbir-eval', 'compare', self.a, self.b, '--moved', 1, '--measure',
                                                    'fame', expect=2))


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
        # Right are .99, with two wrong pairs of other queries, and .96, with ten.
        self.assertEqual(text, ''.join(f'{line}\n' for line in (
            'first\t0.333333', 'mrr\t0.416667', 'r@10\t0.666667', 'micro_ap\t0.166667', 'recall@p90\t0.000000', 'queries\t3',
            'first_count\t1', 'distractors\t0', 'queries_missing\t0', 'queries_unknown\t0',
            'first\tcrop\t0.500000', 'mrr\tcrop\t0.500000', 'r@10\tcrop\t0.500000', 'micro_ap\tcrop\t0.250000',
            'recall@p90\tcrop\t0.000000', 'queries\tcrop\t2', 'first_count\tcrop\t1',
            'first\tmirror\t0.000000', 'mrr\tmirror\t0.250000', 'r@10\tmirror\t1.000000', 'micro_ap\tmirror\t0.250000',
            'recall@p90\tmirror\t0.000000', 'queries\tmirror\t1', 'first_count\tmirror\t0')))
        found = json.loads(self.out('cbir-eval', 'copies', 'run.tsv', '--manifest', 'manifest.tsv', '--json'))
        self.assertEqual([a['attack'] for a in found['per_attack']], ['crop', 'mirror'])

    def test_a_search_of_its_own(self):
        """Two originals and another row; the copies are nearest to their originals, a distractor to the other row."""
        self.write_named('rows', {'set/a/x.png': [1, 0, 0], 'set/a/y.png': [0, 1, 0], 'set/c/0.png': [0, 0, 1]})
        self.write_named('copies', {'out/a/x.png.crop.jpg': [.9, .3, 0], 'out/a/y.png.mirror.jpg': [.3, .9, 0],
                                    'out/d/w.png.crop.jpg': [.1, .1, .8], 'stray.jpg': [1, 1, 1]})
        (self.dir / 'manifest.tsv').write_text(self.MANIFEST[:self.MANIFEST.index('b/z')] + 'd/w.png.crop.jpg\t\tcrop\t1\n')
        self.run_tool('cbir-index', 'build', 'rows', '-o', 'rows.cbir')
        args = '--queries', 'copies', '--manifest', 'manifest.tsv'
        done = self.run_tool('cbir-eval', 'copies', 'rows.cbir', *args)
        self.assertIn(b'1 query that the manifest does not name is left out', done.stderr)
        text = done.stdout.decode()
        # The distractor's best pair scores .985, the right pairs .949.
        self.assertTrue(text.startswith('first\t1.000000\nmrr\t1.000000\nr@10\t1.000000\nmicro_ap\t0.666667\n'), text)
        self.assertIn('distractors\t1\n', text)
        self.assertEqual(self.run_tool('cbir-eval', 'copies', 'rows', *args, '--threads', 1).stdout.decode(), text)
        self.assertIn('--queries', self.error('cbir-eval', 'copies', 'rows.cbir', '--manifest', 'manifest.tsv', expect=2))
        self.write_named('flat', {'out/a/x.png.crop.jpg': [1, 0]})
        self.error('cbir-eval', 'copies', 'rows', '--queries', 'flat', '--manifest', 'manifest.tsv', expect=6)

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



class Cutoff(EvalTest):
    def labelled(self):
        """Vectors about the middles of eight classes, some of which lie near each other."""
        rng = numpy.random.default_rng(6)
        labels = rng.integers(0, 8, 400)
        vectors = rng.normal(size=(400, 12)) + 2 * rng.normal(size=(8, 12))[labels]
        return self.write_set('x', vectors, labels.astype(str)), vectors, labels

    def expected(self, vectors, labels, precision):
        """By sorting all pairs: the lowest score of a right pair from which on enough are right."""
        unit = vectors.astype(numpy.float32).astype(numpy.float64)
        unit /= numpy.linalg.norm(unit, axis=1)[:, None]
        others = ~numpy.eye(len(labels), dtype=bool)
        scores, right = (unit @ unit.T)[others], (labels[:, None] == labels)[others]
        order = numpy.argsort(-scores, kind='stable')
        scores, right = scores[order], right[order]
        held = numpy.flatnonzero(right & (right.cumsum() / numpy.arange(1, len(right) + 1) >= precision))
        return (scores[held[-1]], right[:held[-1] + 1].sum() / right.sum()) if len(held) else None

    def cutoff(self, *args, **kw):
        return dict(line.split('\t') for line in self.out('cbir-eval', 'cutoff', *args, **kw).splitlines())

    def test_by_labels_as_sorting_all_pairs_finds_it(self):
        name, vectors, labels = self.labelled()
        for precision in .2, .5, .8, .95:
            score, recall = self.expected(vectors, labels, precision)
            found = self.cutoff(name, '--precision', precision)
            self.assertAlmostEqual(float(found['cutoff']), score, delta=1e-6)
            self.assertAlmostEqual(float(found['recall']), recall, delta=1e-4)
            self.assertGreaterEqual(float(found['precision']), precision)
            self.assertEqual((found['queries'], found['all_pairs']), ('400', str(400 * 399)))
            for threads in 1, 2, 3:
                self.assertEqual(self.cutoff(name, '--precision', precision, '--threads', threads), found)

    def test_stored_and_used(self):
        name, vectors, labels = self.labelled()
        self.run_tool('cbir-index', 'build', name, '-o', 'x.cbir')
        self.assertIn('--store', self.error('cbir-query', 'x.cbir', '--row', 0, '--min-score', 'auto', expect=6))
        found = self.cutoff('x.cbir', '--precision', .8, '--store')
        self.assertIn(f"cutoff.score\t{found['cutoff']}\ncutoff.precision\t0.8\n", self.out('cbir-index', 'info', 'x.cbir'))
        for other in ['--center'], ['--expand', 3]:
            self.error('cbir-query', 'x.cbir', '--row', 0, '--min-score', 'auto', *other, expect=2)
        # All pairs that are found with it, and no others, are those that were counted.
        lines = self.run_tool('cbir-query', 'x.cbir', *(a for row in range(400) for a in ('--row', row)), '-k', 400, '--exclude-self',
                              '--min-score', 'auto').stdout.decode().splitlines()
        self.assertEqual(len(lines), int(found['pairs']))
        right = sum(labels[int(line.split('\t')[0])] == labels[int(line.split('\t')[3])] for line in lines)
        self.assertAlmostEqual(right / len(lines), float(found['precision']), delta=1e-6)

    def test_it_stays_through_changes_and_goes_with_a_merge(self):
        name, _, _ = self.labelled()
        self.run_tool('cbir-index', 'build', name, '-o', 'x.cbir')
        found = self.cutoff('x.cbir', '--precision', .5, '--store')['cutoff']
        stored = f'cutoff.score\t{found}\n'
        self.run_tool('cbir-index', 'remove', 'x.cbir', '--path', '7')
        self.assertIn(stored, self.out('cbir-index', 'info', 'x.cbir'))
        self.run_tool('cbir-index', 'compact', 'x.cbir')
        self.assertIn(stored, self.out('cbir-index', 'info', 'x.cbir'))
        done = self.run_tool('cbir-index', 'merge', 'x.cbir', '-o', 'y.cbir')
        self.assertIn(b'cbir-eval cutoff finds one', done.stderr)
        self.assertNotIn('cutoff', self.out('cbir-index', 'info', 'y.cbir'))

    def test_a_precision_that_nothing_holds_is_told_and_nothing_stored(self):
        name = self.write_set('x', [[1, 0], [1, 0], [1, 0], [0, 1]], ['a', 'b', 'a', 'b'])
        self.run_tool('cbir-index', 'build', name, '-o', 'x.cbir')
        before = (self.dir / 'x.cbir').read_bytes()
        message = self.error('cbir-eval', 'cutoff', 'x.cbir', '--precision', .9, '--store', expect=4)
        self.assertIn('no cut-off holds a precision of 0.9; 0.333333 is reached, by the 6 pairs that score 1 or more (recall 0.5', message)
        self.assertEqual((self.dir / 'x.cbir').read_bytes(), before)
        self.assertEqual(self.cutoff('x.cbir', '--precision', .3)['cutoff'], '0.0')  # 4 of 12 are right

    def test_by_a_manifest(self):
        self.write_named('rows', {'set/a/x.png': [1, 0, 0], 'set/a/y.png': [0, 1, 0], 'set/c/0.png': [0, 0, 1]})
        self.write_named('copies', {'a/x.png.crop.jpg': [.9, .3, 0], 'a/y.png.crop.jpg': [0, .5, .5], 'w.jpg': [0, 0, 1]})
        (self.dir / 'manifest.tsv').write_text('a/x.png.crop.jpg\tset/a/x.png\tcrop\na/y.png.crop.jpg\tset/a/y.png\tcrop\n'
                                               'w.jpg\t\tcrop\ngone.jpg\tset/c/0.png\tcrop\n')
        done = self.run_tool('cbir-eval', 'cutoff', 'rows', '--queries', 'copies', '--manifest', 'manifest.tsv', '--precision', .5)
        found = dict(line.split('\t') for line in done.stdout.decode().splitlines())
        self.assertIn(b'1 of 4 copies of the manifest is no query and counts as not found', done.stderr)
        # 1.0 wrong, .949 right, .707 right and wrong
        self.assertEqual({name: found[name] for name in ('precision', 'recall', 'pairs', 'relevant_pairs', 'queries')},
                         {'precision': '0.500000', 'recall': '0.666667', 'pairs': '4', 'relevant_pairs': '3', 'queries': '3'})
        self.assertAlmostEqual(float(found['cutoff']), .5 ** .5, delta=1e-6)

    def test_wrong_use(self):
        name, _, _ = self.labelled()
        self.run_tool('cbir-index', 'build', name, '-o', 'x.cbir')
        for wrong in (['--precision', 0], ['--precision', 1.1], ['--precision', 'nan'], [], ['--precision', .5, '--manifest', 'm'],
                      ['--precision', .5, '--queries', name, '--manifest', 'm', '--labels', 'l']):
            self.error('cbir-eval', 'cutoff', 'x.cbir', *wrong, expect=2)
        self.error('cbir-eval', 'cutoff', name, '--precision', .5, '--store', expect=2)
        self.error('cbir-eval', 'cutoff', 'nothing.cbir', '--precision', .5, '--store', expect=4)
        numpy.save(self.dir / 'bare.npy', numpy.eye(4, dtype=numpy.float32))
        self.assertIn('nothing', self.error('cbir-eval', 'cutoff', 'bare.npy', '--precision', .5, expect=4))
        with open(self.dir / 'x.cbir') as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            self.error('cbir-eval', 'cutoff', 'x.cbir', '--precision', .5, '--store', expect=8)
            self.cutoff('x.cbir', '--precision', .5)


if __name__ == '__main__':
    main()
