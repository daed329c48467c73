"""From the files of a folder to a set of EfficientNet-Lite0's vectors, beside a careful Python script: see ./extract.

Both take turns over the same files, which one round before the first measured one brings into memory. Of cbir-extract the
whole process counts, with loading and writing; of the script (dataloader.py) only its loop over the pictures.
"""
import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import peer_networks
import reference  # of tests/parity

BIN = Path(os.environ.get('CBIR_BIN', peer_networks.SOURCE / 'build/tests/bin'))
SCRIPT = Path(__file__).parent / 'dataloader.py'


class FromBytes(torch.nn.Module):
    """The network with its published weights, behind the normalisation."""

    def __init__(self):
        super().__init__()
        self.network = peer_networks.EfficientNet(torch.load(reference.weights_path(), map_location='cpu'))

    def forward(self, pictures):
        return self.network((pictures.float() - 127) / 128)


def exported():
    onnx = peer_networks.OUT / 'efficientnet-lite0-published.onnx'
    if not onnx.exists():
        onnx.parent.mkdir(parents=True, exist_ok=True)
        peer_networks.export(FromBytes(), torch.zeros(1, 3, 224, 224, dtype=torch.uint8), onnx)
    return onnx


def resident(pid):
    """The largest resident size so far, in MB. What wait() tells counts this script's size, too, from before exec()."""
    lines = dict(line.split(':', 1) for line in Path(f'/proc/{pid}/status').read_text().splitlines())
    return int(lines.get('VmHWM', '0 kB').split()[0]) / 1000


def ours(listed, out, *options):
    """Pictures a second, and the largest resident size in MB."""
    count, size = len(listed.read_text().splitlines()), 0
    start = time.perf_counter()
    process = subprocess.Popen([BIN / 'cbir-extract', '--files-from', listed, '-o', out, '--force', '-q', *options])
    while process.poll() is None:
        size = max(size, resident(process.pid))
        time.sleep(.02)
    if process.returncode != 0:
        sys.exit(f'cbir-extract ended with {process.returncode}')
    return count / (time.perf_counter() - start), size


def theirs(onnx, listed, out):
    done = subprocess.run([sys.executable, SCRIPT, onnx, listed, out], check=True, capture_output=True, text=True)
    return float(done.stdout)


def main():
    parser = argparse.ArgumentParser(prog='tests/bench/extract files')
    parser.add_argument('folder', type=Path, help='of JPEG files')
    parser.add_argument('--count', type=int, default=2000, help='how many of them, evenly spread')
    parser.add_argument('--rounds', type=int, default=3)
    options = parser.parse_args()
    files = sorted(str(p) for p in options.folder.rglob('*') if p.suffix.lower() in ('.jpg', '.jpeg'))
    if not files:
        parser.error(f'{options.folder}: no JPEG files')
    files = [files[i * len(files) // options.count] for i in range(options.count)] if len(files) > options.count else files
    onnx = exported()
    with tempfile.TemporaryDirectory() as folder:
        listed, our_out, their_out = (Path(folder) / name for name in ('list', 'ours', 'theirs.npy'))
        listed.write_text('\n'.join(files) + '\n')
        rates = {'float32': [], 'auto': []}
        for i in range(options.rounds + 1):
            peer = theirs(onnx, listed, their_out)
            for precision, values in rates.items():
                rate, size = ours(listed, our_out, '--precision', precision)
                if i > 0:
                    values.append((rate, peer, size))
                if i == 0 and precision == 'float32':
                    cosine = (np.load(f'{our_out}.npy') * np.load(their_out)).sum(1)
                    print(f'{len(files)} files; least cosine between ours and theirs {cosine.min():.6f}')
    for precision, values in rates.items():
        our_rate, their_rate, size = (statistics.median(value[i] for value in values) for i in range(3))
        ratio = statistics.median(a / b for a, b, _ in values)
        print(f'{precision:8} cbir-extract {our_rate:6.1f} pictures/s, {size:.0f} MB; DataLoader and ONNX Runtime '
              f'{their_rate:6.1f} pictures/s; ratio {ratio:.2f}')


main()
