#!/usr/bin/env python3
"""Milliseconds for a picture and for a pair of local features' networks, ours and the authors' code, in turns, each on one thread.

  CBIR_BIN=build/release/bin tests/bench/bench_local.py PICTURE OTHER [ROUNDS]

The pictures show something in common, and are used at 640 x 480. The peer's interpreter is that of tests/peers/local.txt, whose
PyTorch is Debian's; PEER_PYTHON=python names another one, with PyTorch and torchvision from pip. Weights are those in CBIR_MODELS
(cbir-models fetch xfeat lighterglue aliked lightglue), and seeded random ones of SuperPoint and SuperGlue. With random weights
SuperGlue runs all of its layers as with others: it knows no early end.
"""
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

SOURCE = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get('CBIR_BIN', SOURCE / 'build/release/bin')).resolve()
PEER = SOURCE / 'tests/parity/local_peer.py'
NETWORKS = [('xfeat', 'lighterglue'), ('aliked', 'lightglue'), ('superpoint', 'superglue')]
SIZE, KEYPOINTS = (640, 480), 1000


def main(first, second, rounds=6):
    python = os.environ.get('PEER_PYTHON') or subprocess.run([SOURCE / 'tests/peers/environment', 'local'], check=True,
                                                             capture_output=True, text=True).stdout.strip()
    with tempfile.TemporaryDirectory(prefix='cbir-bench-') as folder:
        def run(*command):
            return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True, cwd=folder,
                                  env={**os.environ, 'OMP_NUM_THREADS': '1'}).stdout.strip()

        with open(f'{folder}/pictures', 'wb') as out:
            for path in first, second:
                out.write(np.array(SIZE[::-1], np.uint32).tobytes())
                out.write(np.asarray(Image.open(path).convert('RGB').resize(SIZE, Image.BICUBIC)).tobytes())
        print(run(python, '-c', 'import torch; print("PyTorch", torch.__version__)'))
        print(f'{"":12} {"ours":>8} {"theirs":>8}  ms, the least of {rounds} rounds, one thread')
        for features, matcher in NETWORKS:
            ours = {}
            for name in features, matcher:
                ours[name] = name
                if features == 'superpoint':
                    run(python, PEER, 'random', name, f'{name}.pth')
                    preset = json.loads((SOURCE / 'models' / f'{name}.json').read_text())
                    Path(folder, f'{name}.json').write_text(json.dumps({**preset, 'weights': {'file': f'{name}.pth', 'licence': 'none'}}))
                    ours[name] = f'{name}.json'
            times = {}
            for _ in range(2):  # in turns
                for name, command in {
                        (features, 0): (BIN / 'local_tool', 'extract', ours[features], 'pictures', 'found', KEYPOINTS, rounds),
                        (features, 1): (python, PEER, 'features', features, f'{features}.pth', 'pictures', 'theirs', KEYPOINTS, rounds),
                        (matcher, 0): (BIN / 'local_tool', 'match', ours[matcher], features, 'found', 'matched', rounds),
                        (matcher, 1): (python, PEER, 'matches', matcher, f'{matcher}.pth', 'found', 'theirs', rounds)}.items():
                    times[name] = min(times.get(name, 1e9), float(run(*command)))
            for name in features, matcher:
                print(f'{name:12} {times[name, 0]:8.1f} {times[name, 1]:8.1f}  {times[name, 1] / times[name, 0]:.1f} times', flush=True)


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
