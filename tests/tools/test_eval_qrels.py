"""cbir-eval qrels: by hand, ties, names and wrong input. Beside other programs: tests/parity/test_qrels.py."""
import json

import numpy

from cbirtest import ToolTest, main

QRELS = """\
owls 0 a.jpg 2
owls 0 b.jpg 1
owls 0 c.jpg 0
cats 0 e.jpg 1
"""


class Qrels(ToolTest):
    def setUp(self):
        super().setUp()
        (self.dir / 'qrels').write_text(QRELS)

    def write_run(self, rankings, score=lambda rank: 10 - rank):
        (self.dir / 'run').write_text(''.join(
            f'{topic} Q0 {item} {rank} {score(rank)} x\n' for topic, items in rankings.items()
            for rank, item in enumerate(items.split(), 1)))

    def scores(self, *args, expect=0):
        done = self.run_tool('cbir-eval', 'qrels', 'qrels', *args, '--json', expect=expect)
        return json.loads(done.stdout), done.stderr.decode()

    def test_by_hand(self):
        """owls: b at 1, a at 3, with gains 1 and 2; cats: e at 2."""
        self.write_run({'owls': 'b.jpg c.jpg a.jpg', 'cats': 'a.jpg e.jpg'})
        ideal = 2 + 1 / numpy.log2(3)
        expected = {'map': ((1 + 2 / 3) / 2 + 1 / 2) / 2, 'mrr': (1 + 1 / 2) / 2, 'r_precision': (1 / 2 + 0) / 2,
                    'map@r': (1 / 2 + 0) / 2, 'p@3': (2 / 3 + 1 / 3) / 2, 'r@3': 1, 'hit@3': 1,
                    'ndcg@3': ((1 + 2 / 2) / ideal + 1 / numpy.log2(3)) / 2}
        self.assertEqual(self.out('cbir-eval', 'qrels', 'qrels', 'run', '-k', '3'),
                         ''.join(f'{name}\t{value:.6f}\n' for name, value in expected.items()) +
                         'queries\t2\nqueries_missing\t0\nqueries_empty\t0\nqueries_unknown\t0\nitems\t4\nitems_missing\t0\n'
                         'doubles\t0\n')

    def test_ranks_decide_where_scores_are_equal(self):
        """trec_eval, which does not look at ranks, would put b before a."""
        self.write_run({'cats': 'e.jpg f.jpg', 'owls': 'a.jpg x.jpg b.jpg'}, score=lambda rank: 1)
        self.assertEqual(self.scores('run')[0]['mrr'], 1)

    def test_the_least_grade_that_is_relevant(self):
        self.write_run({'owls': 'b.jpg a.jpg', 'cats': 'e.jpg'})
        found, said = self.scores('run', '--relevance', 2)
        self.assertEqual((found['mrr'], found['queries'], found['queries_empty']), (.5, 1, 1))
        self.assertIn('1 query has nothing relevant and is left out of the means: cats', said)

    def test_a_topic_without_a_ranking_found_nothing(self):
        self.write_run({'owls': 'a.jpg b.jpg', 'dogs': 'a.jpg'})
        found, said = self.scores('run', expect=3)
        self.assertEqual((found['map'], found['queries_missing'], found['queries_unknown']), (.5, 1, 1))

    def test_names_are_compared_as_documents_and_as_pictures(self):
        """db/a.png is a.jpg, which no other is; doc.1 is not doc.2, whose ends are no extensions."""
        self.write_run({'owls': 'db/a.png b.jpg', 'cats': 'E.JPG e.jpg'})
        found, said = self.scores('run')
        self.assertEqual((found['map'], found['items_missing']), (.75, 1))
        (self.dir / 'qrels').write_text('owls 0 doc.1 1\n')
        self.write_run({'owls': 'doc.2 doc.1'})
        self.assertEqual(self.scores('run')[0]['mrr'], .5)
        self.write_run({'owls': 'doc.2'})
        found, said = self.scores('run')
        self.assertEqual(found['mrr'], 0)
        self.assertIn('nothing in the rankings bears a name of the ground truth: they hold doc.2, it doc.1', said)

    def test_ids_are_percent_encoded_as_in_runs_of_cbir_query(self):
        (self.dir / 'qrels').write_text('a%20topic 0 a%20picture%25.jpg 1\n')
        self.write_run({'a%20topic': 'a%20picture%25.jpg'})
        self.assertEqual(self.scores('run')[0]['map'], 1)

    def test_a_set_queries_itself_without_answering_itself(self):
        numpy.save(self.dir / 'rows.npy', numpy.array([[1, 0], [1, .1], [0, 1]], numpy.float32))
        (self.dir / 'qrels').write_text('0 0 1 1\n2 0 1 1\n')
        found, _ = self.scores('rows.npy')
        self.assertEqual((found['map'], found['items'], found['queries']), (1, 3, 2))
        (self.dir / 'qrels').write_text('0 0 1 1\n0 0 0 0\n')  # unless it is judged to
        self.assertEqual(self.scores('rows.npy')[0]['map'], .5)

    def test_qrels_that_say_what_labels_say_score_as_labels(self):
        rng = numpy.random.default_rng(3)
        labels = rng.integers(0, 6, 80)
        numpy.save(self.dir / 'set_Embeddings.npy', rng.integers(-2, 3, (80, 5)).astype(numpy.float32))
        numpy.save(self.dir / 'set_Categories.npy', labels.astype(str))
        (self.dir / 'qrels').write_text(''.join(f'{q} 0 {i} 1\n' for q in range(80) for i in range(80)
                                                if q != i and labels[q] == labels[i]))
        common = ['set_Embeddings.npy', '--metric', 'dot', '-k', '3,20', '--json']
        by_labels = json.loads(self.run_tool('cbir-eval', 'labels', *common).stdout)
        by_qrels = json.loads(self.run_tool('cbir-eval', 'qrels', 'qrels', *common).stdout)
        shared = [name for name in by_labels if name in by_qrels]
        self.assertEqual(len(shared), 4 + 4 * 2 + 1)
        for name in shared:
            self.assertAlmostEqual(by_qrels[name], by_labels[name], places=12, msg=name)

    def test_wrong_input(self):
        self.write_run({'owls': 'a.jpg'})
        for text, message in (('owls 0 a\n', 'line 1: found 3 columns'), ('owls 0 a 1\nowls 0 b x\n', "line 2: 'x' is no grade"),
                              ('owls 0 a 1\nowls 0 a 1\n', 'a is judged twice for topic owls'),
                              ('owls 0 a 1.5\n', "'1.5' is no grade")):
            (self.dir / 'qrels').write_text(text)
            self.assertIn(message, self.error('cbir-eval', 'qrels', 'qrels', 'run', expect=5))
        (self.dir / 'qrels').write_text('')
        self.error('cbir-eval', 'qrels', 'qrels', 'run', expect=4)
        (self.dir / 'qrels').write_text('owls 0 a 0\n')
        self.assertIn('no query has anything relevant', self.error('cbir-eval', 'qrels', 'qrels', 'run', expect=4))
        (self.dir / 'qrels').write_text(QRELS)
        self.error('cbir-eval', 'qrels', 'qrels', expect=2)
        self.error('cbir-eval', 'qrels', '-', '-', expect=2)
        for wrong in ['-k', '0'], ['--relevance', '0'], ['--metric', 'dot']:
            self.error('cbir-eval', 'qrels', 'qrels', 'run', *wrong, expect=2)
        self.write_run({'dogs': 'a.jpg'})
        self.assertIn('it has dogs, the ground truth owls', self.error('cbir-eval', 'qrels', 'qrels', 'run', expect=6))


if __name__ == '__main__':
    main()
