"""Time and memory of our indexes as rows grow: see ./index."""
import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np

from index_data import QUERIES, clustered

SOURCE = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get('CBIR_BIN', SOURCE / 'build/tests/bin'))
K = 10
DIM = 128
SECONDS = 1  # a measurement
RUNS = 20    # of a whole process


def run(*command):
    """The largest resident size, in bytes: by time(1), since a child of this process begins as large as it."""
    done = subprocess.run(['/usr/bin/time', '-f', '%M', *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True)
    if done.returncode:
        raise SystemExit(f'{command[0]}: status {done.returncode}: {done.stderr}')
    return int(done.stderr.splitlines()[-1]) * 1024


def seconds_of(*command):
    start = time.perf_counter()
    process = os.posix_spawn(command[0], [str(word) for word in command], os.environ,
                             file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)])
    _, status = os.waitpid(process, 0)
    if status:
        raise SystemExit(f'{command[0]}: wait status {status}')
    return time.perf_counter() - start


def make_rows(rows, folder):
    """rows.npy, a part of a larger file that is written as it is made, and queries.npy."""
    whole = folder / 'whole.npy'
    made = clustered(rows, DIM, 1, make=lambda shape, dtype: np.lib.format.open_memmap(whole, 'w+', dtype, shape))
    np.save(folder / 'rows.npy', made[0])
    np.save(folder / 'queries.npy', made[1])
    np.save(folder / 'query.npy', made[1][:1])
    del made
    whole.unlink()


def truth_of(flat, folder):
    """The nearest rows as the exact index finds them, for bench_search."""
    found = subprocess.run([BIN / 'cbir-query', flat, '--vectors', folder / 'queries.npy', '-k', str(K)], check=True,
                           capture_output=True, text=True).stdout
    ids = np.array([line.split('\t')[3] for line in found.splitlines()], np.int64)
    ids.tofile(folder / 'truth.i64')


def rates(index, folder):
    """Queries a second and recall, many at once and one at a time."""
    lines = ''.join(f'{batch} {SECONDS} 0 0 0 0\n' for batch in (QUERIES, 1))
    done = subprocess.run([BIN / 'bench_search', index, folder / 'queries.npy', folder / 'truth.i64', str(K)], check=True,
                          input=lines, capture_output=True, text=True).stdout
    (many, recall, *_), (alone, *_) = (map(float, line.split()) for line in done.splitlines())
    return many, alone, recall


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rows', default='10000,100000,1000000')
    parser.add_argument('--types', default='flat,ivf,hnsw,lsh')
    parser.add_argument('-o', '--output', type=Path, default=SOURCE / 'build/bench/growth')
    arguments = parser.parse_args()
    folder = arguments.output
    folder.mkdir(parents=True, exist_ok=True)
    print(f'rows x {DIM} | type | build, s | largest resident, MB | bytes a row | {QUERIES} queries at once, a second | '
          'one at a time | recall@10 | opening process, ms | process of one query, ms', flush=True)
    for rows in map(int, arguments.rows.split(',')):
        make_rows(rows, folder)
        for kind in ['flat', *(kind for kind in arguments.types.split(',') if kind != 'flat')]:
            index = folder / f'{kind}.cbir'
            start = time.perf_counter()
            memory = run(BIN / 'cbir-index', 'build', folder / 'rows.npy', '-o', index, '--type', kind, '--force')
            seconds = time.perf_counter() - start
            if kind == 'flat':
                truth_of(index, folder)
            many, alone, recall = rates(index, folder)
            opening = statistics.median(seconds_of(BIN / 'cbir-index', 'info', index) for _ in range(RUNS))
            query = statistics.median(seconds_of(BIN / 'cbir-query', index, '--vectors', folder / 'query.npy') for _ in range(RUNS))
            print(f'{rows:,} | {kind} | {seconds:.1f} | {memory / 1e6:,.0f} | {index.stat().st_size / rows:.0f} | {many:,.0f} | '
                  f'{alone:,.0f} | {recall:.4f} | {opening * 1e3:.1f} | {query * 1e3:.1f}', flush=True)
            index.unlink()
        for name in ('rows.npy', 'queries.npy', 'query.npy', 'truth.i64'):
            (folder / name).unlink()


if __name__ == '__main__':
    main()
