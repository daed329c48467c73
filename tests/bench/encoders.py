"""Encoders from memory to memory, beside ONNX Runtime on the same networks: see ./extract.

Ours and theirs take turns, round by round, as neighbours on a machine change what it can do; ratios are medians over the
rounds of ratios within one. Rates are pictures a second. Ours start at 8-bit pixels and end at unit vectors; ONNX Runtime
gets what it reads, float32 in its own order. Of batch 1 we run two at a time, one a thread, ONNX Runtime one on both threads.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime

import peer_networks
import pictures  # of tests/parity

BIN = Path(os.environ.get('CBIR_BIN', peer_networks.SOURCE / 'build/tests/bin'))
PICTURES = 64


class Ours:
    def __init__(self, preset, weights, inputs, folder):
        self.preset, self.weights, self.inputs, self.out = preset, weights, inputs, folder / 'rows'
        self.rates = {}

    def rate(self, batch, threads, precision, seconds):
        """Pictures a second over about so many seconds."""
        key = (batch, threads, precision)
        if key not in self.rates:
            self.rates[key] = self.run(*key, 2)
        return self.run(*key, 2 + int(seconds * self.rates[key] / PICTURES))

    def run(self, batch, threads, precision, rounds):
        command = [BIN / 'encode_tool', self.preset, self.weights, self.inputs, self.out, batch, threads, rounds, precision]
        return float(subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout)


class Theirs:
    def __init__(self, onnx, batch, threads):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_free_dimension_override_by_name('batch', batch)  # static shapes, which it optimises better
        options.add_session_config_entry('session.intra_op.allow_spinning', '1' if threads > 1 else '0')
        self.session = onnxruntime.InferenceSession(onnx, options, providers=['CPUExecutionProvider'])
        self.x = np.random.default_rng(1).standard_normal((batch, 3, 224, 224), dtype=np.float32)
        self.session.run(None, {'pictures': self.x})

    def rate(self, seconds):
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < seconds:
            self.session.run(None, {'pictures': self.x})
            done += len(self.x)
        return done / (time.perf_counter() - start)


def peak(threads):
    return float(subprocess.run([str(BIN / 'bench_peak'), str(threads)], check=True, capture_output=True, text=True).stdout)


CASES = [  # title; batch, threads and precision of ours; batch and threads of theirs
    ('float32, batch 16, two threads', (16, 2, 'float32'), (16, 2)),
    ('float32, batch 1, two threads', (1, 2, 'float32'), (1, 2)),
    ('float32, one picture, one thread', (1, 1, 'float32'), (1, 1)),
    ('auto, batch 16, two threads', (16, 2, 'auto'), (16, 2)),
    ('auto, batch 1, two threads', (1, 2, 'auto'), (1, 2)),
]


def least_cosine(ours, theirs, name):
    """Between both results for the first pictures: that both run the same network."""
    inputs = json.loads((peer_networks.SOURCE / f'models/{name}.json').read_text())['preprocessing']
    count = len(theirs.x)
    x = (peer_networks.pictures(PICTURES)[:count] - np.float32(inputs['mean'])) / np.float32(inputs['std'])
    rows = theirs.session.run(None, {'pictures': np.ascontiguousarray(x.transpose(0, 3, 1, 2), np.float32)})[0]
    ours.run(count, 1, 'float32', 2)
    own = np.fromfile(ours.out, np.float32).reshape(PICTURES, -1)[:count]
    return ((own * rows).sum(1) / np.linalg.norm(rows, axis=1)).min()


def compare(name, rounds, seconds, folder):
    onnx, weights, operations = peer_networks.made(name)
    inputs = folder / 'pictures'
    pictures.write_records(inputs, peer_networks.pictures(PICTURES))
    ours = Ours(name, weights, inputs, folder)
    theirs = {key: Theirs(str(onnx), *key) for key in {case[2] for case in CASES}}
    cosine = least_cosine(ours, theirs[16, 2], name)
    peaks, rates = {1: [], 2: []}, {title: [] for title, _, _ in CASES}
    for _ in range(rounds):
        for threads, values in peaks.items():
            values.append(peak(threads))
        measured = {}
        for title, our_case, their_case in CASES:
            if their_case not in measured:
                measured[their_case] = theirs[their_case].rate(seconds)
            rates[title].append((ours.rate(*our_case, seconds), measured[their_case]))
    print(f'{name}: {operations / 1e9:.2f} GFLOP a picture, peak of two threads {statistics.median(peaks[2]):.0f} GFLOP/s; '
          f'least cosine between both {cosine:.6f}')
    for title, (_, threads, _), _ in CASES:
        our_rate, their_rate = (statistics.median(pair[i] for pair in rates[title]) for i in (0, 1))
        ratio = statistics.median(a / b for a, b in rates[title])
        share = our_rate * operations / 1e9 / statistics.median(peaks[threads])
        print(f'  {title:33} ours {our_rate:7.1f}/s, ONNX Runtime {their_rate:7.1f}/s, ratio {ratio:.2f}; '
              f'{100 * share:.0f} % of the float32 peak', flush=True)


def main():
    parser = argparse.ArgumentParser(prog='tests/bench/extract encoders')
    parser.add_argument('names', nargs='*', metavar='NAME', help=f'of {", ".join(peer_networks.NETWORKS)}; all if none')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=2, help='of each measurement')
    options = parser.parse_args()
    names = options.names or list(peer_networks.NETWORKS)
    for name in names:
        if name not in peer_networks.NETWORKS:
            parser.error(f'{name} is not one of {", ".join(peer_networks.NETWORKS)}')
    print(f'ONNX Runtime {onnxruntime.__version__}; medians of {options.rounds} rounds')
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            compare(name, options.rounds, options.seconds, Path(folder))


main()
