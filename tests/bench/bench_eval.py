"""Leave-one-out evaluation: cbir-eval labels beside NumPy that measures the same. Prints seconds and their ratios.

tests/bench/bench_eval.py SET.npy LABELS.tsv          a set of vectors, and lines of path and label
tests/bench/bench_eval.py [ROWS [DIM [CLASSES]]]      random vectors

Ours is the whole process. NumPy's time is without its start and without reading the vectors. Two ways are measured: sorting
the database for each query, as one writes it, and sorting the scores alone, in which the relevant ones are looked up (which
leaves ties to chance). Run it with the Python whose NumPy is to be compared; CBIR_BIN says where the programs are.
"""
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

BIN = Path(os.environ.get('CBIR_BIN', Path(__file__).resolve().parents[2] / 'build/release/bin'))
CUTOFFS = 1, 5, 10
BLOCK = 500  # queries at a time


def blocks_of_scores(vectors):
    """The first query of each block, and its scores; a query's own is the lowest of all."""
    unit = vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)
    for begin in range(0, len(unit), BLOCK):
        scores = unit[begin:begin + BLOCK] @ unit.T
        own = numpy.arange(len(scores))
        scores[own, begin + own] = -numpy.inf
        yield begin, scores


def by_sorting_rows(vectors, labels):
    """All measures as one writes them, of arrays of a block of queries."""
    at = numpy.arange(1, len(labels))
    gains = 1 / numpy.log2(at + 1)
    ideal = gains.cumsum()
    sums = {}
    for begin, scores in blocks_of_scores(vectors):
        order = numpy.argsort(-scores, axis=1, kind='stable')[:, :-1]
        relevant = labels[order] == labels[begin:begin + len(scores), None]
        found = relevant.cumsum(axis=1)
        count = found[:, -1]
        precisions = relevant * (found / at)
        within = at <= count[:, None]
        measures = {'map': precisions.sum(axis=1) / count,
                    'mrr': 1 / (relevant.argmax(axis=1) + 1),
                    'r_precision': numpy.take_along_axis(found, count[:, None] - 1, 1)[:, 0] / count,
                    'map@r': (precisions * within).sum(axis=1) / count}
        for k in CUTOFFS:
            measures |= {f'p@{k}': found[:, k - 1] / k, f'r@{k}': found[:, k - 1] / count,
                         f'hit@{k}': found[:, k - 1] > 0,
                         f'ndcg@{k}': relevant[:, :k] @ gains[:k] / ideal[numpy.minimum(count, k) - 1]}
        for name, values in measures.items():
            sums[name] = sums.get(name, 0) + values.sum()
    return {name: value / len(labels) for name, value in sums.items()}


def by_sorting_scores(vectors, labels):
    """The same from the ranks of the relevant, a query at a time."""
    members = {label: numpy.flatnonzero(labels == label) for label in numpy.unique(labels)}
    at = numpy.arange(1, 1 + max(len(rows) for rows in members.values()))
    ideal = (1 / numpy.log2(numpy.arange(2, 2 + max(CUTOFFS)))).cumsum()
    sums = {}
    for begin, scores in blocks_of_scores(vectors):
        ascending = numpy.sort(scores, axis=1)
        for q in range(len(scores)):
            rows = members[labels[begin + q]]
            rows = rows[rows != begin + q]
            count = len(rows)
            ranks = numpy.sort(len(labels) - numpy.searchsorted(ascending[q], scores[q, rows], side='right') + 1)
            precisions = at[:count] / ranks
            within = numpy.searchsorted(ranks, [count, *CUTOFFS], side='right')
            measures = {'map': precisions.sum() / count, 'mrr': 1 / ranks[0], 'r_precision': within[0] / count,
                        'map@r': precisions[:within[0]].sum() / count}
            for k, found in zip(CUTOFFS, within[1:]):
                gain = (1 / numpy.log2(ranks[:found] + 1)).sum()
                measures |= {f'p@{k}': found / k, f'r@{k}': found / count, f'hit@{k}': found > 0,
                             f'ndcg@{k}': gain / ideal[min(count, k) - 1]}
            for name, value in measures.items():
                sums[name] = sums.get(name, 0) + value
    return {name: value / len(labels) for name, value in sums.items()}


def read_labels(table, rows_file):
    """One a row, by the last component of its path."""
    label_of = dict(line.split('\t')[:2] for line in Path(table).read_text().splitlines())
    return [label_of[os.path.basename(json.loads(line)['path'])] for line in Path(rows_file).read_text().splitlines()]


def random_set(folder, rows, dim, classes):
    rng = numpy.random.default_rng(1)
    labels = numpy.arange(rows) % classes
    vectors = (rng.normal(size=(classes, dim))[labels] * .3 + rng.normal(size=(rows, dim))).astype(numpy.float32)
    numpy.save(f'{folder}/x_Embeddings.npy', vectors)
    numpy.save(f'{folder}/x_Categories.npy', labels.astype(str))
    return vectors, labels, [f'{folder}/x_Embeddings.npy']


def seconds(run):
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def main():
    with tempfile.TemporaryDirectory() as folder:
        if len(sys.argv) > 2 and sys.argv[1].endswith('.npy'):
            name, table = sys.argv[1:]
            call = [name, '--labels', table]
            vectors = numpy.load(name)
            labels = numpy.unique(read_labels(table, name[:-4] + '.rows.jsonl'), return_inverse=True)[1]
        else:
            vectors, labels, call = random_set(folder, *[int(a) for a in sys.argv[1:]],
                                               *[10000, 1280, 200][len(sys.argv) - 1:])

        def ours():
            text = subprocess.run([BIN / 'cbir-eval', 'labels', *call, '--json'], check=True, capture_output=True).stdout
            return json.loads(text)

        best = min((seconds(ours) for _ in range(5)), key=lambda pair: pair[0])
        print(f'{vectors.shape[0]} x {vectors.shape[1]}, {labels.max() + 1} classes: cbir-eval {best[0]:.2f} s, '
              f'NumPy {numpy.__version__}', end='')
        for how, run in [('rows sorted', by_sorting_rows), ('scores sorted', by_sorting_scores)]:
            took, measures = seconds(lambda: run(vectors, labels))
            for measure, value in measures.items():
                assert abs(value - best[1][measure]) < 2e-5, (how, measure, value, best[1][measure])
            print(f', {how}: {took:.2f} s, {took / best[0]:.1f} times', end='', flush=True)
        print()


if __name__ == '__main__':
    main()
