"""Better rankings without labels, as a user gets them: augment, whiten, --center, --whiten, --expand."""
import json

import numpy as np

from cbirtest import ToolTest, main, xxh3


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def groups(rows=240, dim=32, of=6, noise=.22, seed=1):
    """Noisy rows of some groups, all of which have much in common, and the group of each."""
    random = np.random.default_rng(seed)
    centres, label = unit(random.standard_normal((of, dim))), np.arange(rows) % of
    found = centres[label] + noise * random.standard_normal((rows, dim)) + 1.
    return unit(found).astype(np.float32), label


class Better(ToolTest):
    def save(self, name='a', **kw):
        rows, label = groups(**kw)
        np.save(self.dir / f'{name}_Embeddings.npy', rows)
        np.save(self.dir / f'{name}_Categories.npy', np.array([f'g{x}' for x in label]))
        return f'{name}_Embeddings.npy'

    def scores(self, *args):
        text = self.run_tool('cbir-eval', 'labels', *args).stdout.decode()
        return {name: float(value) for name, value in (line.split('\t') for line in text.splitlines())}

    def ranking(self, *args):
        return [line.split('\t') for line in self.out('cbir-query', *args).splitlines()]

    def set_of_encoder(self, name, encoder, seed=1):
        """A set with a manifest, of an encoder of this letter."""
        rows, label = groups(seed=seed)
        np.save(self.dir / f'{name}.npy', rows)
        lines = ''.join(json.dumps({'path': f'{name}/{i}.jpg', 'label': f'g{label[i]}'}) + '\n' for i in range(len(rows)))
        (self.dir / f'{name}.rows.jsonl').write_text(lines)
        (self.dir / f'{name}.json').write_text(json.dumps({
            'format': 'cbir embedding set', 'version': 1, 'rows': len(rows), 'dim': rows.shape[1], 'dtype': 'float32',
            'metric': 'cosine', 'normalization': 'l2', 'encoder': encoder, 'fingerprint': encoder * 64,
            'npy_xxh3': xxh3((self.dir / f'{name}.npy').read_bytes()), 'rows_xxh3': xxh3(lines.encode())}))
        return name


class Augment(Better):
    def test_rankings_are_better_and_say_that_rows_took_part(self):
        a = self.save()
        said = dict(line.split('\t') for line in self.out('cbir-index', 'augment', a, '-o', 'b').splitlines())
        self.assertEqual(said['neighbours'], '100')
        self.assertGreater(float(said['agreement']), .25)
        raw, better = self.scores(a), self.scores('b')
        self.assertGreater(better['map'], raw['map'] + .1)
        done = self.run_tool('cbir-eval', 'labels', 'b')
        self.assertIn(b'took part', done.stderr)

        # What --augment scores is the same, and a split that did not take part is better than without, too.
        both = self.scores(a, '--augment')
        self.assertEqual(both['map'], better['map'])
        self.assertGreater(both['split_map'], both['split_raw_map'] + .05)
        self.assertEqual(both, self.scores(a, '--augment', '--threads', '1'))

    def test_the_index_of_it_answers_queries_as_they_are(self):
        a = self.set_of_encoder('a', 'e')
        self.out('cbir-index', 'augment', a, '-o', 'b')
        self.out('cbir-index', 'build', 'b', '-o', 'b.cbir')
        info = json.loads(self.out('cbir-index', 'info', 'b.cbir', '--json'))
        self.assertEqual(info['fingerprint'], 'e' * 64)
        self.assertIn('"iterations"', info['augmentation'])
        found = self.ranking('b.cbir', '--vectors', 'a.npy', '-k', '10')
        right = np.mean([int(query) % 6 == int(path.split('/')[1][:-4]) % 6 for query, _, _, path in found])
        self.assertGreater(right, .9)
        self.assertIn('took part', self.run_tool('cbir-eval', 'labels', 'b.cbir').stderr.decode())

    def test_augmented_rows_do_not_mix_with_others(self):
        self.set_of_encoder('a', 'e')
        self.out('cbir-index', 'augment', 'a', '-o', 'b')
        self.assertIn('are not augmented', self.error('cbir-index', 'build', 'a', 'b', '-o', 'x.cbir', expect=6))
        self.out('cbir-index', 'build', 'a', '-o', 'a.cbir')
        self.error('cbir-index', 'add', 'a.cbir', 'b', expect=6)
        self.error('cbir-query', 'a.cbir', '--vectors', 'b', expect=6)
        self.error('cbir-eval', 'labels', 'a', '--queries', 'b', expect=6)
        self.assertIn('augmented already', self.error('cbir-index', 'augment', 'b', '-o', 'c', expect=6))
        self.assertIn('augmented already', self.error('cbir-eval', 'labels', 'b', '--augment', expect=6))

    def test_noise_is_left_as_it_is(self):
        random = np.random.default_rng(5)
        np.save(self.dir / 'a.npy', unit(random.standard_normal((400, 64))).astype(np.float32))
        self.assertIn('left as they are', self.out('cbir-index', 'augment', 'a.npy', '-o', 'b'))
        np.testing.assert_array_equal(np.load(self.dir / 'b.npy'), np.load(self.dir / 'a.npy'))
        self.assertNotIn('augmentation', json.loads((self.dir / 'b.json').read_text()))
        self.assertIn('iterations\t2', self.out('cbir-index', 'augment', 'a.npy', '-o', 'c', '--iterations', '2'))

    def test_the_same_input_gives_the_same_bytes(self):
        a = self.save()
        for threads in ('1', '3'):
            self.out('cbir-index', 'augment', a, '-o', f'b{threads}', '--threads', threads)
        for end in ('.npy', '.json', '.rows.jsonl'):
            self.assertEqual((self.dir / f'b1{end}').read_bytes(), (self.dir / f'b3{end}').read_bytes())

    def test_what_is_there_is_not_replaced(self):
        a = self.save()
        self.out('cbir-index', 'augment', a, '-o', 'b', '--quiet')
        self.error('cbir-index', 'augment', a, '-o', 'b', expect=7)
        self.out('cbir-index', 'augment', a, '-o', 'b', '--quiet', '--force')
        self.error('cbir-index', 'augment', 'nothing', '-o', 'c', expect=4)
        np.save(self.dir / 'zero.npy', np.zeros((5, 4), np.float32))
        self.error('cbir-index', 'augment', 'zero.npy', '-o', 'c', expect=6)


class Whiten(Better):
    def test_it_is_what_numpy_makes_of_the_covariance(self):
        a = self.save()
        rows = np.load(self.dir / a).astype(np.float64)
        said = self.out('cbir-index', 'whiten', a, '-o', 'w', '--dim', '10', '--shrinkage', '0.5')
        self.assertIn('rows\t240\ndim\t10\n', said)
        rest = rows - rows.mean(0)
        values, axes = np.linalg.eigh(rest.T @ rest / len(rows))
        values, axes = values[::-1][:10], axes[:, ::-1][:, :10]
        y = unit(rest @ axes / np.sqrt(values + .5 * values[0]))
        expected = np.argsort(-(y[:20] @ y.T), axis=1, kind='stable')[:, :8]
        self.out('cbir-index', 'build', a, '-o', 'a.cbir')
        found = self.ranking('a.cbir', '--whiten', 'w', '--vectors', a, '-k', '8')
        self.assertEqual([int(path) for query, _, _, path in found if int(query) < 20], expected.ravel().tolist())
        scores = [float(score) for query, _, score, _ in found if int(query) < 20]
        np.testing.assert_allclose(scores, np.take_along_axis(y[:20] @ y.T, expected, 1).ravel(), atol=2e-5)

    def test_it_goes_with_its_encoder_alone(self):
        self.set_of_encoder('a', 'a')
        self.set_of_encoder('b', 'b')
        self.out('cbir-index', 'whiten', 'a', '-o', 'w')
        self.out('cbir-index', 'build', 'b', '-o', 'b.cbir')
        self.assertIn('encoder a', self.error('cbir-query', 'b.cbir', '--row', '0', '--whiten', 'w', expect=6))
        self.error('cbir-eval', 'labels', 'b', '--whiten', 'w', expect=6)
        self.out('cbir-eval', 'labels', 'b', '--whiten', 'w', '--allow-mismatch')
        self.out('cbir-eval', 'labels', 'a', '--whiten', 'w')

    def test_a_damaged_one_is_noticed(self):
        self.set_of_encoder('a', 'a')
        self.out('cbir-index', 'whiten', 'a', '-o', 'w')
        data = bytearray((self.dir / 'w').read_bytes())
        data[len(data) // 2] ^= 1
        (self.dir / 'w').write_bytes(data)
        self.error('cbir-eval', 'labels', 'a', '--whiten', 'w', expect=5)
        self.error('cbir-eval', 'labels', 'a', '--whiten', 'a.npy', expect=6)
        self.error('cbir-index', 'whiten', 'a', '-o', 'w', expect=7)


class Search(Better):
    def setUp(self):
        super().setUp()
        self.rows = np.load(self.dir / self.save()).astype(np.float64)
        self.out('cbir-index', 'build', 'a_Embeddings.npy', '-o', 'a.cbir')

    def test_center(self):
        y = unit(self.rows - self.rows.mean(0))
        expected = np.argsort(-(y[7] @ y.T), kind='stable')[:5].tolist()
        self.assertEqual([int(line[3]) for line in self.ranking('a.cbir', '--row', '7', '-k', '5', '--center')], expected)

    def test_center_and_filter(self):
        y = unit(self.rows - self.rows.mean(0))
        expected = [i for i in np.argsort(-(y[7] @ y.T), kind='stable').tolist() if i % 6 == 2][:5]
        found = self.ranking('a.cbir', '--row', '7', '-k', '5', '--center', '--where-label', 'g2')
        self.assertEqual([int(line[3]) for line in found], expected)

    def test_expand(self):
        similar = self.rows @ self.rows[7]
        similar[7] = -1
        nearest = np.argsort(-similar, kind='stable')[:4]
        query = self.rows[7] + (similar[nearest, None] ** 2 * self.rows[nearest]).sum(0)
        expected = np.argsort(-(self.rows @ query), kind='stable')[:6].tolist()
        found = self.ranking('a.cbir', '--row', '7', '-k', '6', '--expand', '4', '--expand-alpha', '2')
        self.assertEqual([int(line[3]) for line in found], expected)

    def test_eval_scores_what_query_finds(self):
        raw, centred = self.scores('a_Embeddings.npy'), self.scores('a_Embeddings.npy', '--center')
        expanded = self.scores('a_Embeddings.npy', '--center', '--expand', '20')
        self.assertLess(raw['map'], centred['map'] + .002)
        self.assertLess(centred['map'], expanded['map'])
        self.assertEqual(centred, self.scores('a.cbir', '--center'))
        ranking = self.ranking('a.cbir', *sum((['--row', str(i)] for i in range(240)), []), '-k', '2', '--center', '--expand',
                               '20', '--exclude-self')
        first = np.mean([int(query) % 6 == int(path) % 6 for query, rank, _, path in ranking if rank == '1'])
        self.assertAlmostEqual(first, expanded['p@1'], delta=1e-6)

    def test_every_protocol_scores_it(self):
        self.set_of_encoder('a', 'a')
        self.set_of_encoder('b', 'a', seed=2)
        self.out('cbir-index', 'build', 'a', '-o', 'of-files.cbir')
        self.out('cbir-index', 'whiten', 'a', '-o', 'w')
        for asking in 'ab':
            (self.dir / f'{asking}.qrels').write_text(''.join(
                f'{asking}/{i}.jpg 0 a/{j}.jpg 1\n' for i in range(240) for j in range(i % 6, 240, 6) if (asking, i) != ('a', j)))
        better = ['--center', '--expand', '20'], ['--whiten', 'w'], ['--expand', '5', '--expand-alpha', '1']
        for queries in [], ['--queries', 'b']:
            for flags in better:
                labels = self.scores('a', *queries, *flags)
                for database in 'a', 'of-files.cbir':
                    said = self.out('cbir-eval', 'qrels', f'{"b" if queries else "a"}.qrels', database, *queries, *flags)
                    judged = dict(line.split('\t') for line in said.splitlines())
                    for measure in 'map', 'p@10':
                        self.assertAlmostEqual(float(judged[measure]), labels[measure], delta=2e-6)

        (self.dir / 'manifest.tsv').write_text(''.join(f'b/{i}.jpg\ta/{i}.jpg\tnoise\n' for i in range(240)))
        a, b = (np.load(self.dir / f'{name}.npy').astype(np.float64) for name in 'ab')
        nearest = np.argmax(unit(b - a.mean(0)) @ unit(a - a.mean(0)).T, axis=1)
        said = self.out('cbir-eval', 'copies', 'a', '--queries', 'b', '--manifest', 'manifest.tsv', '--center')
        self.assertIn(f'first_count\t{np.sum(nearest == np.arange(240))}\n', said)

        (self.dir / 'run').write_text('a/0.jpg Q0 a/6.jpg 1 .5 x\n')
        for flags in better:
            self.assertIn('is a run', self.error('cbir-eval', 'qrels', 'a.qrels', 'run', *flags, expect=2))
            self.error('cbir-eval', 'copies', 'run', '--manifest', 'manifest.tsv', *flags, expect=2)
        self.error('cbir-eval', 'qrels', 'a.qrels', 'a', '--center', '--whiten', 'w', expect=2)
        self.out('cbir-index', 'build', 'a', '-o', 'far.cbir', '--metric', 'l2')
        self.assertIn('compared by l2', self.error('cbir-eval', 'qrels', 'a.qrels', 'far.cbir', '--center', expect=6))

    def test_usage(self):
        for flags in (['--center', '--whiten', 'w'], ['--expand-alpha', '2'], ['--expand', '0'], ['--center', '--exact'],
                      ['--center', '--expand', '3', '--expand-alpha', '-1']):
            self.error('cbir-query', 'a.cbir', '--row', '7', *flags, expect=2)
        self.error('cbir-eval', 'labels', 'a.cbir', '--center', '--whiten', 'w', expect=2)
        self.error('cbir-query', 'a.cbir', '--row', '7', '--whiten', 'nowhere', expect=4)
        self.out('cbir-index', 'build', 'a_Embeddings.npy', '-o', 'l2.cbir', '--metric', 'l2')
        self.assertIn('compared by l2', self.error('cbir-query', 'l2.cbir', '--row', '7', '--center', expect=6))


if __name__ == '__main__':
    main()
