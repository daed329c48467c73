"""cbir-eval revisited: against revisitop's definitions in plain words, ground truths as pickles of every protocol and as JSON,
and what it answers to ones that are damaged or hostile."""
import json
import pickle
import random

import numpy

from cbirtest import ToolTest, main

LEVELS = {'easy': (['easy'], ['junk', 'hard']), 'medium': (['easy', 'hard'], ['junk']), 'hard': (['hard'], ['junk', 'easy'])}
CUTOFFS = 1, 5, 10


def plain_scores(entry, ranking):
    """revisitop's evaluate.py: positions of the positive ones without junk, trapezoids, precision up to the last positive."""
    scores = {}
    for level, (positive, junk) in LEVELS.items():
        positive = {i for key in positive for i in entry[key]}
        junk = {i for key in junk for i in entry[key]}
        if not positive:
            continue
        clean = [i for i in ranking if i not in junk]
        positions = [p for p, i in enumerate(clean) if i in positive]
        ap = 0
        for found, position in enumerate(positions):
            before = 1 if position == 0 else found / position
            ap += (before + (found + 1) / (position + 1)) / 2 / len(positive)
        scores[f'map_{level}'] = ap
        for k in CUTOFFS:
            limit = min(k, positions[-1] + 1) if positions else k
            scores[f'mp@{k}_{level}'] = sum(p < limit for p in positions) / limit
    return scores


class RevisitedTest(ToolTest):
    IMAGES, QUERIES = 200, 8

    def setUp(self):
        super().setUp()
        rng = random.Random(1)
        self.images = [f'town_{i:06d}' for i in range(self.IMAGES)]
        self.pictures = [f'query_{i:06d}' for i in range(self.QUERIES)]
        self.gnd = []
        for q in range(self.QUERIES):
            picked = rng.sample(range(self.IMAGES), 60)
            sizes = [0 if q == 1 else 10, 0 if q == 2 else 15, 0 if q == 3 else 30]
            if q == 4:
                sizes[:2] = 0, 0  # asks for nothing
            cuts = numpy.cumsum([0, *sizes])
            self.gnd.append({'bbx': [1.5, 2.0, 30.25 + q, 40.0],
                             **{key: picked[cuts[i]:cuts[i + 1]] for i, key in enumerate(('easy', 'hard', 'junk'))}})
        self.rankings = [rng.sample(range(self.IMAGES), self.IMAGES) for _ in self.pictures]
        self.rankings[5] = self.rankings[5][:20]  # cut short

    def truth(self, convert=list):
        return {'imlist': self.images, 'qimlist': self.pictures,
                'gnd': [{key: convert(value) for key, value in entry.items()} for entry in self.gnd]}

    def write_run(self, form='{}.jpg', before=()):
        (self.dir / 'run.tsv').write_text(''.join(
            f'{form.format(self.pictures[q])}\t{rank}\t{-rank}\t{name}\n' for q, ranking in enumerate(self.rankings)
            for rank, name in enumerate([*before, *(form.format(self.images[i]) for i in ranking)], 1)))

    def per_query(self, *args, expect=0):
        done = self.run_tool('cbir-eval', 'revisited', *args, '--per-query', 'queries.tsv', '--force', '--json', expect=expect)
        lines = [line.split('\t') for line in (self.dir / 'queries.tsv').read_text().splitlines()]
        table = {line[0]: {key: float(value) for key, value in zip(lines[0][1:], line[1:], strict=True)
                           if value != '-' and key not in ('group', 'relevant')} for line in lines[1:]}
        return table, json.loads(done.stdout), done.stderr.decode()

    def assert_scores(self, groundtruth):
        table, found, _ = self.per_query('--groundtruth', groundtruth, 'run.tsv')
        plain = {self.pictures[q]: plain_scores(self.gnd[q], self.rankings[q]) for q in range(self.QUERIES)}
        plain = {name: scores for name, scores in plain.items() if scores}
        self.assertEqual(set(table), set(plain))
        for name, scores in plain.items():
            self.assertEqual(set(table[name]), set(scores))
            for measure, value in scores.items():
                self.assertAlmostEqual(table[name][measure], value, delta=1e-6, msg=f'{name} {measure}')
        for measure in plain[self.pictures[0]]:
            values = [scores[measure] for scores in plain.values() if measure in scores]
            self.assertAlmostEqual(found[measure], numpy.mean(values), delta=1e-6, msg=measure)


class Revisited(RevisitedTest):
    def test_pickles_of_all_protocols_with_lists_and_arrays(self):
        self.write_run()
        conversions = {'lists': list, 'tuples': tuple, 'arrays': numpy.array, '32 bits': lambda v: numpy.array(v, 'float32' if
                       v and isinstance(v[0], float) else 'int32'), 'big-endian': lambda v: numpy.array(v, 'f8' if
                       v and isinstance(v[0], float) else '>u2'), 'scalars': lambda v: [numpy.array(i)[()] for i in v],
                       'objects': lambda v: numpy.array(v, object)}
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            for form, convert in conversions.items():
                with self.subTest(protocol=protocol, form=form):
                    (self.dir / 'gnd.pkl').write_bytes(pickle.dumps(self.truth(convert), protocol))
                    self.assert_scores('gnd.pkl')

    def test_names_as_bytes_and_as_arrays(self):
        self.write_run()
        for names in [n.encode() for n in self.images], numpy.array(self.images), numpy.array(self.images, 'S'):
            (self.dir / 'gnd.pkl').write_bytes(pickle.dumps({**self.truth(), 'imlist': names}, 2))
            self.assert_scores('gnd.pkl')

    def test_json_with_positions_or_names(self):
        self.write_run()
        (self.dir / 'gnd.json').write_text(json.dumps(self.truth()))
        self.assert_scores('gnd.json')
        named = self.truth()
        for entry in named['gnd']:
            del entry['bbx']
            for key in 'easy', 'hard', 'junk':
                entry[key] = [self.images[i] for i in entry[key]]
        (self.dir / 'gnd.json').write_text('\n ' + json.dumps(named, indent=1))
        self.assert_scores('gnd.json')

    def test_pictures_of_queries_are_taken_out_and_strangers_are_wrong(self):
        """The protocol's database has no query pictures; a folder of all pictures has."""
        (self.dir / 'gnd.json').write_text(json.dumps(self.truth()))
        self.write_run(before=[f'db/{name}.jpg' for name in self.pictures])
        self.assert_scores('gnd.json')
        self.write_run(before=['distractor_1.jpg'])
        table, found, said = self.per_query('--groundtruth', 'gnd.json', 'run.tsv')
        self.assertEqual(found['items_extra'], 1)
        self.assertIn('1 item is not of the collection and counts as a wrong answer: distractor_1.jpg', said)
        self.assertEqual(max(table[name].get('mp@1_medium', 0) for name in table), 0)

    def test_queries_without_positives_or_ranking(self):
        (self.dir / 'gnd.json').write_text(json.dumps(self.truth()))
        self.pictures[0] = 'query_unheard_of'
        self.write_run()
        table, found, said = self.per_query('--groundtruth', 'gnd.json', 'run.tsv', expect=3)
        self.assertEqual((found['queries'], found['queries_empty'], found['queries_missing'], found['queries_unknown']),
                         (7, 1, 1, 1))
        self.assertEqual(table['query_000000']['map_easy'], 0)
        self.assertNotIn('map_easy', table['query_000001'])  # which has no easy picture
        self.assertIn('1 query has nothing relevant and is left out of the means: query_000004', said)

    def test_boxes(self):
        (self.dir / 'gnd.pkl').write_bytes(pickle.dumps(self.truth(numpy.array), 2))
        lines = self.out('cbir-eval', 'revisited', '--groundtruth', 'gnd.pkl', '--write-boxes', '-').splitlines()
        self.assertEqual(lines[1], 'query_000001\tquery_000001\t1.5\t2\t31.25\t40')
        self.assertEqual(len(lines), self.QUERIES)
        del self.gnd[2]['bbx']
        (self.dir / 'gnd.json').write_text(json.dumps(self.truth()))
        self.assertIn('query_000002 has no box', self.error('cbir-eval', 'revisited', '--groundtruth', 'gnd.json',
                                                            '--write-boxes', '-', expect=4))

    def test_two_queries_of_one_picture_have_names_of_their_own(self):
        self.pictures[1] = self.pictures[0]
        (self.dir / 'gnd.json').write_text(json.dumps(self.truth()))
        lines = self.out('cbir-eval', 'revisited', '--groundtruth', 'gnd.json', '--write-boxes', '-').splitlines()
        self.assertEqual([line.split('\t')[0] for line in lines[:2]], ['query_000000', 'query_000000#2'])

    def test_damaged_and_hostile_files(self):
        class Hostile:
            def __reduce__(self):
                return print, ('run',)

        self.write_run()
        whole = pickle.dumps(self.truth(numpy.array), 2)
        deep = []
        for _ in range(200):
            deep = [deep, deep]
        files = {
            'hostile': (pickle.dumps({**self.truth(), 'imlist': Hostile()}), 6),
            'a tree without end': (pickle.dumps({**self.truth(), 'imlist': deep}), 6),
            'two dimensions': (pickle.dumps({**self.truth(), 'imlist': numpy.eye(2)}), 6),
            'complex': (pickle.dumps({**self.truth(), 'imlist': numpy.array([1j])}), 6),
            'cut short': (whole[:len(whole) // 2], 5),
            'text': (b'all_souls_000013\n', 5),
            'nothing': (b'', 5),
            'broken json': (b'{"imlist": [', 5),
            'another dict': (pickle.dumps({'a': 1}), 5),
            'a list': (pickle.dumps([1, 2]), 5),
            'position out of range': (json.dumps({**self.truth(), 'gnd': [{**e, 'easy': [200]} for e in self.gnd]}).encode(), 5),
            'negative position': (json.dumps({**self.truth(), 'gnd': [{**e, 'easy': [-1]} for e in self.gnd]}).encode(), 5),
            'unknown name': (json.dumps({**self.truth(), 'gnd': [{**e, 'easy': ['x']} for e in self.gnd]}).encode(), 5),
            'no junk': (json.dumps({**self.truth(), 'gnd': [{'easy': [], 'hard': []} for _ in self.gnd]}).encode(), 5),
            'a box of three': (json.dumps({**self.truth(), 'gnd': [{**e, 'bbx': [1, 2, 3]} for e in self.gnd]}).encode(), 5),
            'fewer queries': (json.dumps({**self.truth(), 'gnd': self.gnd[:3]}).encode(), 5),
            'a name twice': (json.dumps({**self.truth(), 'imlist': ['a', 'a']}).encode(), 5),
        }
        for name, (content, status) in files.items():
            with self.subTest(name):
                (self.dir / 'gnd').write_bytes(content)
                said = self.error('cbir-eval', 'revisited', '--groundtruth', 'gnd', 'run.tsv', expect=status)
                self.assertIn('gnd', said)
        self.error('cbir-eval', 'revisited', '--groundtruth', 'nothing', 'run.tsv', expect=4)


if __name__ == '__main__':
    main()
