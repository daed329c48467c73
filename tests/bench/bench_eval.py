"""Leave-one-out evaluation: cbir-eval beside a NumPy script that does the same. Prints seconds and their ratio.

/usr/bin/python3 tests/bench/bench_eval.py [ROWS [DIM [CLASSES]]]      (CBIR_BIN: where the programs are)
"""
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

BIN = Path(os.environ.get('CBIR_BIN', Path(__file__).resolve().parents[2] / 'build/release/bin'))


def numpy_scores(vectors, labels, block=500):
    """Mean average precision and P@10 as one writes them: blocks of scores, sorted."""
    unit = vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)
    rows = len(unit)
    at = numpy.arange(1, rows)
    precision, first = [], []
    for begin in range(0, rows, block):
        scores = unit[begin:begin + block] @ unit.T
        scores[numpy.arange(len(scores)), numpy.arange(begin, begin + len(scores))] = -numpy.inf
        order = numpy.argsort(-scores, axis=1, kind='stable')[:, :-1]
        relevant = labels[order] == labels[begin:begin + block, None]
        found = relevant.cumsum(axis=1)
        count = found[:, -1]
        sums = (relevant * (found / at)).sum(axis=1)
        precision += list(sums[count > 0] / count[count > 0])
        first += list(found[count > 0, 9] / 10)
    return numpy.mean(precision), numpy.mean(first)


def seconds(run, times):
    best = float('inf')
    for _ in range(times):
        start = time.perf_counter()
        result = run()
        best = min(best, time.perf_counter() - start)
    return best, result


def main():
    rows, dim, classes = [int(a) for a in sys.argv[1:]] + [10000, 1280, 100][len(sys.argv) - 1:]
    rng = numpy.random.default_rng(1)
    labels = rng.integers(0, classes, rows)
    vectors = (rng.normal(size=(classes, dim))[labels] * .3 + rng.normal(size=(rows, dim))).astype(numpy.float32)
    with tempfile.TemporaryDirectory() as folder:
        numpy.save(f'{folder}/x_Embeddings.npy', vectors)
        numpy.save(f'{folder}/x_Categories.npy', labels.astype(str))

        def ours():
            text = subprocess.run([BIN / 'cbir-eval', 'labels', f'{folder}/x_Embeddings.npy'], check=True,
                                  capture_output=True, text=True).stdout
            return {line.split('\t')[0]: float(line.split('\t')[1]) for line in text.splitlines()}

        us, scores = seconds(ours, 3)
        them, (mean, first) = seconds(lambda: numpy_scores(vectors, labels), 1)
    assert abs(scores['map'] - mean) < 1e-5 and abs(scores['p@10'] - first) < 1e-5, (scores, mean, first)
    product = 2 * rows * rows * dim / us / 1e9
    print(f'{rows} x {dim}, {classes} classes: cbir-eval {us:.2f} s ({product:.0f} GFLOP/s in all), '
          f'NumPy {them:.2f} s, ratio {them / us:.1f}')


if __name__ == '__main__':
    main()
