"""cbir-eval oxford: against a plain statement of the protocol, over a ground truth that is made up here and, where it is,
over the real one; and what it says of rankings that are not as they should be."""
import json
import random
import unittest

import numpy

from cbirtest import BIN, SHARED, ToolTest, main, xxh3

REAL = SHARED / 'oxford5k'


def compute_ap(positive, junk, ranking, standard=False):
    """The protocol in plain words. Trapezoids: precision starts at 1, recall at 0; every picture that is not junk is a point
    of the curve. Standard: the mean of the precisions at the ranks of the positive ones."""
    old_recall, old_precision, ap, found, position = 0.0, 1.0, 0.0, 0, 0
    for name in ranking:
        if name in junk:
            continue
        found += name in positive
        recall, precision = found / len(positive), found / (position + 1)
        ap += (recall - old_recall) * (precision if standard else (old_precision + precision) / 2)
        old_recall, old_precision = recall, precision
        position += 1
    return ap


class Truth:
    """The ground truth of a folder, read as plainly."""

    def __init__(self, folder):
        self.topics = {}
        for file in sorted(folder.glob('*_query.txt')):
            name = file.name[:-len('_query.txt')]
            lists = [set((folder / f'{name}_{kind}.txt').read_text().split()) for kind in ('good', 'ok', 'junk')]
            self.topics[name] = (file.read_text().split()[0].replace('oxc1_', ''), *lists)

    def scores(self, name, ranking, standard=False):
        _, good, ok, junk = self.topics[name]
        clean = [item for item in ranking if item not in junk]
        places = [rank for rank, item in enumerate(ranking, 1) if item in junk]
        scores = {'map': compute_ap(good | ok, junk, ranking, standard)}
        if good:
            scores['map_good'] = compute_ap(good, junk | ok, ranking, standard)
        if ok:
            scores['map_ok'] = compute_ap(ok, junk | good, ranking, standard)
        for k in 1, 5, 10:
            scores[f'p@{k}'] = sum(item in good | ok for item in clean[:k]) / k
        if places:
            scores['junk_rank'] = float(numpy.mean(places))
            scores['junk_share'] = float(numpy.mean(places)) / len(ranking)
        return scores


class OxfordTest(ToolTest):
    def make_truth(self, images=300, seed=1):
        """Three landmarks with two queries each: the second of a landmark has no junk, one has nothing good."""
        rng = random.Random(seed)
        names = [f'town_{i:06d}' for i in range(images)]
        folder = self.dir / 'gt'
        folder.mkdir()
        for landmark in 'castle', 'old_bridge', 'tower':
            for number in 1, 2:
                picked = rng.sample(names, 40)
                good, ok = picked[:8], picked[8:20]
                if (landmark, number) == ('tower', 2):
                    good = []
                junk = picked[20:] if number == 1 else []
                query = f'{landmark}_{number}'
                for kind, items in ('good', good), ('ok', ok), ('junk', junk):
                    (folder / f'{query}_{kind}.txt').write_text(''.join(item + '\n' for item in items))
                (folder / f'{query}_query.txt').write_text(f'oxc1_{(good + ok)[0]} 10.5 20 {30 + number} 40\n')
        return Truth(folder), names

    def write_run(self, rankings, name='run.tsv'):
        (self.dir / name).write_text(''.join(
            f'{query}\t{rank}\t{1 - rank / 10000:.6f}\t{item}\n'
            for query, ranking in rankings.items() for rank, item in enumerate(ranking, 1)))
        return name

    def per_query(self, *args, expect=0):
        """The measures of each query, and the whole of standard output as a dictionary."""
        done = self.run_tool('cbir-eval', 'oxford', '--groundtruth', 'gt', '--per-query', 'queries.tsv', '--force', '--json',
                             *args, expect=expect)
        lines = [line.split('\t') for line in (self.dir / 'queries.tsv').read_text().splitlines()]
        table = {line[0]: {key: float(value) for key, value in zip(lines[0][1:], line[1:], strict=True)
                           if value != '-' and key != 'group'} for line in lines[1:]}
        return table, json.loads(done.stdout), done.stderr.decode()

    def assert_scores(self, truth, rankings, *args, standard=False, expect=0):
        """Every query, and the means, are those of the plain statement."""
        table, found, _ = self.per_query(*args, expect=expect)
        self.assertEqual(set(table), set(truth.topics))
        plain = {name: truth.scores(name, rankings.get(name, []), standard) for name in truth.topics}
        for name, scores in plain.items():
            for measure, value in scores.items():
                self.assertAlmostEqual(table[name][measure], value, delta=1e-6, msg=f'{name} {measure}')
            self.assertEqual(set(table[name]) - {'relevant'}, set(scores), name)
        for measure in ('map', 'map_good', 'map_ok', 'p@1', 'p@10', 'junk_rank'):
            values = [scores[measure] for scores in plain.values() if measure in scores]
            if values:
                self.assertAlmostEqual(found[measure], numpy.mean(values), delta=1e-6, msg=measure)


def kinds_of_ranking(truth, names, rng):
    """Random, perfect, worst; junk first or last; cut short."""
    def ordered(first, last=frozenset()):
        shuffled = rng.sample(names, len(names))
        return sorted(shuffled, key=lambda item: (item not in first, item in last))
    topics = truth.topics.items()
    return {
        'random': {t: rng.sample(names, len(names)) for t, _ in topics},
        'perfect': {t: ordered(good | ok, junk) for t, (_, good, ok, junk) in topics},
        'reversed': {t: ordered(good | ok, junk)[::-1] for t, (_, good, ok, junk) in topics},
        'junk first': {t: ordered(junk) for t, (_, _, _, junk) in topics},
        'ok first': {t: ordered(ok) for t, (_, _, ok, _) in topics},
        'cut short': {t: rng.sample(names, len(names))[:rng.randrange(1, 60)] for t, _ in topics},
        'only wrong': {t: [item for item in names if item not in good | ok | junk][:50]
                       for t, (_, good, ok, junk) in topics},
    }


def compute_last(topic, ranking):
    """Precision where all that is relevant has been found."""
    _, good, ok, junk = topic
    clean = [item in good | ok for item in ranking if item not in junk]
    return sum(clean) / (len(clean) - clean[::-1].index(True))


class Scores(OxfordTest):
    def test_every_kind_of_ranking_scores_as_the_protocol_says(self):
        truth, names = self.make_truth()
        for kind, rankings in kinds_of_ranking(truth, names, random.Random(2)).items():
            with self.subTest(kind):
                self.assert_scores(truth, rankings, self.write_run(rankings))
                self.assert_scores(truth, rankings, 'run.tsv', '--ap', 'standard', standard=True)

    def test_perfect_is_one_and_the_two_kinds_of_average_precision_differ(self):
        truth, names = self.make_truth()
        rankings = kinds_of_ranking(truth, names, random.Random(2))
        self.write_run(rankings['perfect'])
        _, found, _ = self.per_query('run.tsv')
        self.assertEqual((found['map'], found['map_good'], found['p@10']), (1, found['map_good'], 1))
        self.write_run(rankings['random'])
        _, trapezoid, _ = self.per_query('run.tsv')
        _, standard, _ = self.per_query('run.tsv', '--ap', 'standard')
        self.assertNotAlmostEqual(trapezoid['map'], standard['map'], places=4)

    def test_by_hand(self):
        """good a, ok b, junk j. Ranking j x a b: without junk x a b. Trapezoids: a at rank 2, (0/1 + 1/2) / 2; b at 3,
        (1/2 + 2/3) / 2; their mean is 5/12."""
        folder = self.dir / 'gt'
        folder.mkdir()
        for kind, text in ('good', 'a\n'), ('ok', 'b\n'), ('junk', 'j\n'), ('query', 'oxc1_a 0 0 10 10\n'):
            (folder / f'hall_1_{kind}.txt').write_text(text)
        self.write_run({'hall_1': ['j', 'x', 'a', 'b']})
        done = self.out('cbir-eval', 'oxford', '--groundtruth', 'gt', 'run.tsv', '-k', '2', '--per-landmark')
        self.assertEqual(done, 'map\t0.416667\nmap_good\t0.250000\nmap_ok\t0.250000\np@2\t0.500000\njunk_rank\t1.000000\n'
                         'junk_share\t0.250000\nqueries\t1\nqueries_missing\t0\nqueries_empty\t0\nqueries_unknown\t0\n'
                         'items\t4\nitems_missing\t0\ndoubles\t0\n'
                         'map\thall\t0.416667\nmap_good\thall\t0.250000\nmap_ok\thall\t0.250000\np@2\thall\t0.500000\n'
                         'junk_rank\thall\t1.000000\njunk_share\thall\t0.250000\nqueries\thall\t1\n')

    def test_landmarks_are_means_over_their_queries(self):
        truth, names = self.make_truth()
        rankings = kinds_of_ranking(truth, names, random.Random(3))['random']
        table, found, _ = self.per_query(self.write_run(rankings), '--per-landmark')
        by_name = {entry['landmark']: entry for entry in found['per_landmark']}
        self.assertEqual(list(by_name), ['castle', 'old_bridge', 'tower'])
        self.assertAlmostEqual(by_name['old_bridge']['map'],
                               (table['old_bridge_1']['map'] + table['old_bridge_2']['map']) / 2)


class Names(OxfordTest):
    """Rankings that are not as they should be: each has one answer, and is told."""

    def setUp(self):
        super().setUp()
        self.truth, self.names = self.make_truth()
        self.rankings = kinds_of_ranking(self.truth, self.names, random.Random(4))['random']

    def test_paths_extensions_and_prefixes_do_not_matter(self):
        for form in 'db/{}.jpg', './x/oxc1_{}.JPEG', 'oxc1_{}', '{}.png':
            with self.subTest(form):
                self.write_run({f'crops/{q}.jpg': [form.format(item) for item in r] for q, r in self.rankings.items()})
                self.assert_scores(self.truth, self.rankings, 'run.tsv')

    def test_queries_may_be_named_by_their_pictures(self):
        self.write_run({f'oxc1_{self.truth.topics[q][0]}.jpg': r for q, r in self.rankings.items()})
        self.assert_scores(self.truth, self.rankings, 'run.tsv')

    def test_of_doubles_the_first_counts(self):
        doubled = {q: [item for i, item in enumerate(r) for item in ([item] if i % 7 else [item, r[0]])]
                   for q, r in self.rankings.items()}
        self.write_run(doubled)
        self.assert_scores(self.truth, self.rankings, 'run.tsv')
        _, found, said = self.per_query('run.tsv')
        self.assertEqual(found['doubles'], 6 * 43)
        self.assertIn('258 results in a ranking that holds the same item before are left out', said)

    def test_one_picture_under_two_names_is_a_double(self):
        """a.jpg and a.png are both a; what is called a itself is no other's."""
        good = sorted(self.truth.topics['castle_1'][1])[0]
        ranking = [item for item in self.rankings['castle_1'] if item != good]
        twice = {**self.rankings, 'castle_1': [f'{good}.jpg', *ranking[:5], f'{good}.png', *ranking[5:]]}
        self.rankings['castle_1'] = [good, *ranking]
        others = [q for q in self.rankings if q != 'castle_1']
        for q in others:
            self.rankings[q] = twice[q] = [item for item in self.rankings[q] if item != good]
        self.write_run(twice)
        self.assert_scores(self.truth, self.rankings, 'run.tsv')
        self.assertEqual(self.per_query('run.tsv')[1]['doubles'], 1)

    def test_names_that_differ_in_case_are_different_names(self):
        good = sorted(self.truth.topics['castle_1'][1])[0]
        rankings = {q: [item.upper() if item == good else item for item in r] for q, r in self.rankings.items()}
        self.write_run(rankings)
        self.assert_scores(self.truth, rankings, 'run.tsv')
        self.assertIn(f'1 item differs only in case from a name of the ground truth, and is another therefore: {good.upper()}',
                      self.per_query('run.tsv')[2])

    def test_unknown_items_are_wrong_answers(self):
        rankings = {q: ['stranger.jpg', *r] for q, r in self.rankings.items()}
        self.write_run(rankings)
        self.assert_scores(self.truth, rankings, 'run.tsv')

    def test_missing_and_extra_pictures_are_told(self):
        (self.dir / 'images.txt').write_text(''.join(f'{name}.jpg\n' for name in self.names))
        gone = self.names[:2]
        self.write_run({q: ['extra', *(item for item in r if item not in gone)] for q, r in self.rankings.items()})
        _, found, said = self.per_query('run.tsv', '--images', 'images.txt')
        self.assertEqual((found['items'], found['items_missing'], found['items_extra']), (299, 2, 1))
        self.assertIn('2 items that the ground truth names are in no ranking: town_00000', said)
        self.assertIn('1 item is not of the collection and counts as a wrong answer: extra', said)

    def test_a_query_without_a_ranking_found_nothing(self):
        del self.rankings['tower_1']
        self.rankings['who'] = ['x']
        self.write_run(self.rankings)
        table, found, said = self.per_query('run.tsv', expect=3)
        self.assertEqual(table['tower_1']['map'], 0)
        self.assertEqual((found['queries'], found['queries_missing'], found['queries_unknown']), (6, 1, 1))
        self.assertIn('1 query of the ground truth has no ranking and counts as if nothing were found: tower_1', said)
        self.assertIn('1 query that the ground truth does not name is left out: who', said)

    def test_a_query_that_asks_for_nothing_is_left_out(self):
        for kind in 'good', 'ok':
            (self.dir / f'gt/tower_2_{kind}.txt').write_text('')
        self.write_run(self.rankings)
        table, found, said = self.per_query('run.tsv')
        self.assertNotIn('tower_2', table)
        self.assertEqual((found['queries'], found['queries_empty']), (5, 1))
        self.assertIn('1 query has nothing relevant and is left out of the means: tower_2', said)

    def test_a_query_that_asks_for_nothing_is_not_missed(self):
        for kind in 'good', 'ok':
            (self.dir / f'gt/tower_2_{kind}.txt').write_text('')
        del self.rankings['tower_2']
        self.write_run(self.rankings)
        _, found, _ = self.per_query('run.tsv')
        self.assertEqual((found['queries_missing'], found['queries_empty']), (0, 1))

    def test_of_two_rankings_of_one_query_the_first_counts(self):
        self.write_run({**{f'a/{q}.jpg': r for q, r in self.rankings.items()}, 'b/castle_1.jpg': self.names})
        self.assert_scores(self.truth, self.rankings, 'run.tsv')
        self.assertIn('1 query is one that another ranking answers already, and is left out: b/castle_1.jpg',
                      self.per_query('run.tsv')[2])

    def test_what_is_junk_and_good_is_asked_for_and_never_found(self):
        """As the original program has it."""
        good = sorted(self.truth.topics['castle_1'][1])[0]
        with open(self.dir / 'gt/castle_1_junk.txt', 'a') as junk:
            junk.write(f'{good}\n')
        truth = Truth(self.dir / 'gt')
        self.write_run(self.rankings)
        self.assert_scores(truth, self.rankings, 'run.tsv')
        self.assertIn('the junk of 1 query holds what is to be found', self.per_query('run.tsv')[2])

    def test_files_of_windows(self):
        for file in (self.dir / 'gt').iterdir():
            file.write_bytes(file.read_bytes().replace(b'\n', b'\r\n') + b'\r\n')
        self.write_run(self.rankings)
        self.assert_scores(self.truth, self.rankings, 'run.tsv')

    def test_details_mark_what_is_relevant_junk_and_missed(self):
        doubled = {q: [r[0], *r] for q, r in self.rankings.items()}
        self.write_run(doubled)
        self.run_tool('cbir-eval', 'oxford', '--groundtruth', 'gt', 'run.tsv', '--save', 'scores.jsonl', '--top', '30')
        head, *queries = [json.loads(line) for line in (self.dir / 'scores.jsonl').read_text().splitlines()]
        irrelevant = found = 0
        for query in queries:
            ranking = self.rankings[query['query']]
            _, good, ok, junk = self.truth.topics[query['query']]
            marks = [1 if item in good | ok else -1 if item in junk else 0 for item in ranking]
            self.assertEqual([(head['items'][item], rank, mark) for item, rank, _, mark in query['top']],
                             list(zip(ranking, range(1, 31), marks)))
            self.assertEqual([(head['items'][item], rank) for item, rank, _, _ in query['missed']],
                             [(item, rank) for rank, item in enumerate(ranking, 1) if rank > 30 and item in good | ok][:20])
            irrelevant += marks.count(0)
            found += marks.count(1)
        self.assertEqual((sum(head['distribution']['irrelevant']), sum(head['distribution']['relevant'])), (irrelevant, found))
        last = [compute_last(self.truth.topics[q], r) for q, r in self.rankings.items()]
        self.assertAlmostEqual(head['precision_at'][100], numpy.mean(last), places=6)

    def test_wrong_input(self):
        run = self.write_run(self.rankings)
        self.assertIn('holds no query', self.error('cbir-eval', 'oxford', '--groundtruth', '.', run, expect=4))
        self.assertIn('No such file', self.error('cbir-eval', 'oxford', '--groundtruth', 'nowhere', run, expect=4))
        self.error('cbir-eval', 'oxford', '--groundtruth', 'gt', 'nothing.tsv', expect=4)
        self.error('cbir-eval', 'oxford', '--groundtruth', 'gt', expect=2)
        self.error('cbir-eval', 'oxford', run, expect=2)
        self.error('cbir-eval', 'oxford', '--groundtruth', 'gt', run, '--ap', 'round', expect=2)
        self.assertIn('is a run', self.error('cbir-eval', 'oxford', '--groundtruth', 'gt', run, '--queries', 'x.npy',
                                             expect=2))
        self.write_run({'a': ['b']}, 'other.tsv')
        self.assertIn('it has a, the ground truth castle_1, which is town_',
                      self.error('cbir-eval', 'oxford', '--groundtruth', 'gt', 'other.tsv', expect=6))
        (self.dir / 'gt/castle_1_ok.txt').unlink()
        self.assertIn('castle_1_ok.txt', self.error('cbir-eval', 'oxford', '--groundtruth', 'gt', run, expect=4))
        (self.dir / 'gt/castle_1_ok.txt').write_text('')
        for box in 'oxc1_x 1 2 3', 'oxc1_x 1 2 3 four', 'oxc1_x 5 5 5 9', '':
            (self.dir / 'gt/castle_1_query.txt').write_text(box)
            self.assertIn('castle_1_query.txt', self.error('cbir-eval', 'oxford', '--groundtruth', 'gt', run, expect=5))


class Boxes(OxfordTest):
    def test_boxes_are_written_for_cbir_extract(self):
        truth, _ = self.make_truth()
        lines = [line.split('\t') for line in
                 self.out('cbir-eval', 'oxford', '--groundtruth', 'gt', '--write-boxes', '-').splitlines()]
        self.assertEqual([line[0] for line in lines], sorted(truth.topics))
        self.assertEqual(lines[0], ['castle_1', truth.topics['castle_1'][0], '10.5', '20', '31', '40'])

    def test_boxes_of_a_ground_truth_that_is_named_alone_are_printed(self):
        self.make_truth()
        self.assertEqual(self.out('cbir-eval', 'oxford', '--write-boxes', 'gt'),
                         self.out('cbir-eval', 'oxford', '--groundtruth', 'gt', '--write-boxes', '-'))

    def test_pictures_are_looked_for_below_a_folder(self):
        truth, _ = self.make_truth()
        for name, (picture, *_) in truth.topics.items():
            (self.dir / 'db' / name).mkdir(parents=True)
            (self.dir / 'db' / name / f'{picture}.png').write_text('')
        self.out('cbir-eval', 'oxford', '--groundtruth', 'gt', '--write-boxes', 'boxes.tsv', '--pictures', 'db')
        first = (self.dir / 'boxes.tsv').read_text().splitlines()[0].split('\t')
        self.assertEqual(first[1], f'db/castle_1/{truth.topics["castle_1"][0]}.png')
        self.error('cbir-eval', 'oxford', '--groundtruth', 'gt', '--write-boxes', 'boxes.tsv', expect=7)
        (self.dir / first[1]).unlink()
        self.assertIn('1 query picture is not below db', self.error(
            'cbir-eval', 'oxford', '--groundtruth', 'gt', '--write-boxes', '-', '--pictures', 'db', expect=4))


class Searches(OxfordTest):
    def setUp(self):
        super().setUp()
        if not (BIN / 'cbir-index').exists():
            self.skipTest('cbir-index is not built')
        self.truth, self.names = self.make_truth()
        rng = numpy.random.default_rng(5)
        self.vectors = rng.normal(size=(300, 24)).astype(numpy.float32)
        self.write_set('db', [f'photos/{name}.jpg' for name in self.names], self.vectors)

    def write_set(self, name, paths, vectors):
        numpy.save(self.dir / f'{name}.npy', vectors)
        (self.dir / f'{name}.rows.jsonl').write_text(''.join(json.dumps({'path': path}) + '\n' for path in paths))
        (self.dir / f'{name}.json').write_text(json.dumps(
            {'format': 'cbir embedding set', 'version': 1, 'rows': len(paths), 'dim': vectors.shape[1], 'dtype': 'float32',
             'metric': 'cosine', 'normalization': 'none', 'failed': 0,
             'npy_xxh3': xxh3((self.dir / f'{name}.npy').read_bytes()),
             'rows_xxh3': xxh3((self.dir / f'{name}.rows.jsonl').read_bytes())}))

    def ranked(self, queries):
        unit = [v.astype(numpy.float64) / numpy.linalg.norm(v.astype(numpy.float64), axis=1)[:, None]
                for v in (queries, self.vectors)]
        return [[self.names[i] for i in numpy.argsort(-row, kind='stable')] for row in unit[0] @ unit[1].T]

    def test_a_set_or_index_is_searched_exactly_with_queries_of_their_own(self):
        queries = numpy.random.default_rng(6).normal(size=(6, 24)).astype(numpy.float32)
        self.write_set('queries', list(self.truth.topics), queries)
        rankings = dict(zip(self.truth.topics, self.ranked(queries)))
        self.run_tool('cbir-index', 'build', 'db', '-o', 'db.cbir')
        for source in 'db', 'db.cbir', 'db.npy', 'db.json':
            self.assert_scores(self.truth, rankings, source, '--queries', 'queries')
        one = self.out('cbir-eval', 'oxford', '--groundtruth', 'gt', 'db', '--queries', 'queries', '--threads', 1, '--json')
        self.assertEqual(self.out('cbir-eval', 'oxford', '--groundtruth', 'gt', 'db', '--queries', 'queries', '--threads', 4,
                                  '--json'), one)

    def test_without_queries_the_pictures_themselves_query_and_that_is_told(self):
        rows = [self.names.index(topic[0]) for topic in self.truth.topics.values()]
        rankings = dict(zip(self.truth.topics, self.ranked(self.vectors[rows])))
        self.assert_scores(self.truth, rankings, 'db')
        self.assertIn('the queries are whole pictures, which the protocol crops', self.per_query('db')[2])

    def test_a_run_of_cbir_query_scores_as_the_search(self):
        if not (BIN / 'cbir-query').exists():
            self.skipTest('cbir-query is not built')
        self.run_tool('cbir-index', 'build', 'db', '-o', 'db.cbir')
        paths = [f'photos/{topic[0]}.jpg' for topic in self.truth.topics.values()]
        args = [arg for path in paths for arg in ('--path', path)]
        for form in 'tsv', 'trec':
            run = self.run_tool('cbir-query', 'db.cbir', *args, '-k', '300', '--format', form).stdout
            (self.dir / 'run').write_bytes(run)
            self.assertEqual({k: v for k, v in self.per_query('run')[1].items() if k.startswith('map')},
                             {k: v for k, v in self.per_query('db.cbir')[1].items() if k.startswith('map')})


@unittest.skipUnless(REAL.exists(), f'{REAL} is not here')
class RealGroundTruth(OxfordTest):
    """All 55 queries over the names of all 5,063 pictures."""

    def setUp(self):
        super().setUp()
        (self.dir / 'gt').symlink_to(REAL / 'groundtruth')
        self.truth = Truth(REAL / 'groundtruth')
        self.names = (REAL / 'imlist_5063.txt').read_text().split()

    def test_as_the_original_program_counts(self):
        self.assertEqual(len(self.truth.topics), 55)
        for kind, rankings in kinds_of_ranking(self.truth, self.names, random.Random(7)).items():
            with self.subTest(kind):
                self.assert_scores(self.truth, rankings, self.write_run(rankings))
        self.write_run(kinds_of_ranking(self.truth, self.names, random.Random(7))['perfect'])
        table, found, said = self.per_query('run.tsv', '--images', str(REAL / 'imlist_5063.txt'))
        self.assertEqual((found['map'], found['items'], found['items_missing'], found['items_extra'], said),
                         (1, 5063, 0, 0, ''))
        self.assertEqual(sum(query['relevant'] for query in table.values()),
                         sum(len(good | ok) for _, good, ok, _ in self.truth.topics.values()))

    def test_boxes(self):
        lines = self.out('cbir-eval', 'oxford', '--groundtruth', 'gt', '--write-boxes', '-').splitlines()
        self.assertEqual(len(lines), 55)
        self.assertEqual(lines[0], 'all_souls_1\tall_souls_000013\t136.5\t34.1\t648.5\t955.7')


if __name__ == '__main__':
    main()
