"""cbir-eval text: recall and ranks both ways, against NumPy; several texts a picture; what has no partner."""
import json

import numpy

from cbirtest import ToolTest, main, xxh3


class TextEval(ToolTest):
    def setUp(self):
        super().setUp()
        rng = numpy.random.default_rng(1)
        self.images = rng.normal(size=(60, 32)).astype(numpy.float32)
        self.image_of = rng.integers(0, 60, 200)  # some pictures have several texts, some none
        self.texts = (self.images[self.image_of] + 1.5 * rng.normal(size=(200, 32))).astype(numpy.float32)
        self.captions = [f'text {i}, of\tpicture {image}' for i, image in enumerate(self.image_of)]
        self.paths = [f'photos/{i}.jpg' for i in range(60)]
        self.write_set('images', self.images, [{'path': path} for path in self.paths])
        self.write_set('texts', self.texts, [{'path': text, 'text': True} for text in self.captions])
        self.write_pairs('{}.jpg')

    def write_pairs(self, form):
        """Pictures by their base names, or whole paths; texts escaped as all TSV fields."""
        (self.dir / 'pairs.tsv').write_text(''.join(
            form.format(image) + '\t' + text.replace('\t', '\\t') + '\n'
            for image, text in zip(self.image_of, self.captions, strict=True)))

    def write_set(self, name, vectors, rows):
        numpy.save(self.dir / f'{name}.npy', vectors)
        (self.dir / f'{name}.rows.jsonl').write_text(''.join(json.dumps(row) + '\n' for row in rows))
        (self.dir / f'{name}.json').write_text(json.dumps(
            {'format': 'cbir embedding set', 'version': 1, 'rows': len(rows), 'dim': vectors.shape[1], 'dtype': 'float32',
             'metric': 'cosine', 'normalization': 'none', 'failed': 0,
             'npy_xxh3': xxh3((self.dir / f'{name}.npy').read_bytes()),
             'rows_xxh3': xxh3((self.dir / f'{name}.rows.jsonl').read_bytes())}))

    def plain(self, relevant, queries, database):
        """Ranks of the first relevant row of each query that has one."""
        unit = [v.astype(numpy.float64) / numpy.linalg.norm(v.astype(numpy.float64), axis=1)[:, None]
                for v in (queries, database)]
        scores = unit[0] @ unit[1].T
        ranks = []
        for row, wanted in zip(scores, relevant, strict=True):
            if wanted.any():
                order = numpy.argsort(-row, kind='stable')
                ranks.append(1 + int(numpy.flatnonzero(wanted[order])[0]))
        return numpy.array(ranks)

    def expected(self, relevant):
        found = {}
        for name, ranks in (('t2i', self.plain(relevant, self.texts, self.images)),
                            ('i2t', self.plain(relevant.T, self.images, self.texts))):
            for k in 1, 5, 10:
                found[f'{name}_hit@{k}'] = float((ranks <= k).mean())
            found[f'{name}_rank'] = float(ranks.mean())
            found[f'{name}_median_rank'] = float(numpy.median(ranks))
        return found

    def scores(self, *args):
        done = self.run_tool('cbir-eval', 'text', *args, '--json')
        return json.loads(done.stdout), done.stderr.decode()

    def assert_scores(self, found, relevant):
        for name, value in self.expected(relevant).items():
            self.assertAlmostEqual(found[name], value, delta=1e-6, msg=name)

    def test_both_ways_with_pairs_of_a_file(self):
        relevant = self.image_of[:, None] == numpy.arange(60)
        found, said = self.scores('texts', 'images', '--pairs', 'pairs.tsv')
        self.assert_scores(found, relevant)
        lonely = 60 - len(set(self.image_of))
        self.assertGreater(lonely, 0)
        self.assertEqual((found['texts'], found['images'], found['texts_unpaired'], found['images_unpaired']),
                         (200, 60, 0, lonely))
        self.assertEqual(found['queries'], 260 - lonely)
        self.assertIn(f'{lonely} picture', said)
        one = self.run_tool('cbir-eval', 'text', 'texts', 'images', '--pairs', 'pairs.tsv', '--threads', 1).stdout
        self.assertEqual(self.run_tool('cbir-eval', 'text', 'texts', 'images', '--pairs', 'pairs.tsv', '--threads', 4).stdout, one)

    def test_a_text_of_several_pictures_is_right_for_each(self):
        self.captions[:40] = ['the same words'] * 40
        self.write_set('texts', self.texts, [{'path': text, 'text': True} for text in self.captions])
        self.write_pairs('photos/{}.jpg')
        relevant = self.image_of[:, None] == numpy.arange(60)
        relevant[:40] = relevant[:40].any(axis=0)
        self.assert_scores(self.scores('texts', 'images', '--pairs', 'pairs.tsv')[0], relevant)

    def test_labels_make_pairs(self):
        image_labels, text_labels = numpy.arange(60) % 7, self.image_of % 9  # labels 7 and 8 are of texts alone
        self.write_set('images', self.images, [{'path': p, 'label': str(k)} for p, k in zip(self.paths, image_labels)])
        self.write_set('texts', self.texts, [{'path': t, 'label': str(k)} for t, k in zip(self.captions, text_labels)])
        self.run_tool('cbir-index', 'build', 'images', '-o', 'images.cbir')
        relevant = text_labels[:, None] == image_labels
        found, said = self.scores('texts', 'images.cbir')
        self.assert_scores(found, relevant)
        self.assertEqual(found['texts_unpaired'], int((text_labels > 6).sum()))

    def test_pairs_that_neither_set_has_are_told(self):
        with open(self.dir / 'pairs.tsv', 'a') as pairs:
            pairs.write('nowhere.jpg\tno such text\n0.jpg\tnor this one\n')
        found, said = self.scores('texts', 'images', '--pairs', 'pairs.tsv')
        self.assertEqual(found['pairs_missing'], 2)
        self.assertIn('2 pairs are left out, whose picture or text the sets lack: nowhere.jpg, nor this one', said)

    def test_each_query_is_in_the_table_with_its_direction(self):
        self.run_tool('cbir-eval', 'text', 'texts', 'images', '--pairs', 'pairs.tsv', '--per-query', 'queries.tsv')
        lines = [line.split('\t') for line in (self.dir / 'queries.tsv').read_text().splitlines()]
        self.assertEqual({line[1] for line in lines[1:]}, {'text to image', 'image to text'})

    def test_wrong_input(self):
        self.assertIn('--pairs FILE.tsv says', self.error('cbir-eval', 'text', 'texts', 'images', expect=4))
        (self.dir / 'pairs.tsv').write_text('photos/1.jpg\n')
        self.assertIn('line 1: found one column', self.error('cbir-eval', 'text', 'texts', 'images', '--pairs', 'pairs.tsv',
                                                             expect=5))
        (self.dir / 'pairs.tsv').write_text('a\tb\n')
        self.assertIn('no line names', self.error('cbir-eval', 'text', 'texts', 'images', '--pairs', 'pairs.tsv', expect=4))
        (self.dir / 'pairs.tsv').write_text('')
        self.error('cbir-eval', 'text', 'texts', 'images', '--pairs', 'pairs.tsv', expect=4)
        self.error('cbir-eval', 'text', 'texts', expect=2)
        numpy.save(self.dir / 'other.npy', numpy.eye(5, dtype=numpy.float32))
        self.error('cbir-eval', 'text', 'other.npy', 'images', expect=6)


if __name__ == '__main__':
    main()
