"""Indexes of ours and of others on the same rows, in one run: see ./index.

Every index is built on both cores, then measured at a ladder of efforts: 1,024 queries at once, and one query at a time.
Recall is that of the 10 true nearest, which faiss's flat index finds. A rate is queries a second.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

if os.environ.get('CBIR_BENCH_TARGET') == 'avx2':
    os.environ['FAISS_OPT_LEVEL'] = 'avx2'

import faiss  # noqa: E402  (which looks at that when it is loaded)
import numpy as np  # noqa: E402

try:
    import usearch.index  # noqa: E402
except ModuleNotFoundError:  # Debian has none
    usearch = None

from index_data import QUERIES, clustered  # noqa: E402

SOURCE = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get('CBIR_BIN', SOURCE / 'build/tests/bin'))
K = 10
SECONDS = .6  # a measurement


def load(name, scale):
    if name == 'clustered-128':
        return clustered(int(1_000_000 * scale), 128, 1)
    if name == 'clustered-1280':
        return clustered(int(100_000 * scale), 1280, 2)
    rows = np.load(name).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    chosen = np.random.default_rng(1).permutation(len(rows))
    return np.ascontiguousarray(rows[chosen[QUERIES:]]), np.ascontiguousarray(rows[chosen[:QUERIES]])


def rate(search, queries, batch):
    """Median rate of rounds, and what the first round found. One query at a time is measured on some of them."""
    queries = queries if batch > 1 else queries[:256]
    rates, found, start = [], None, time.perf_counter()
    while not rates or time.perf_counter() - start < SECONDS:
        begin = time.perf_counter()
        parts = [search(queries[i:i + batch]) for i in range(0, len(queries), batch)]
        rates.append(len(queries) / (time.perf_counter() - begin))
        found = np.concatenate(parts) if found is None else found
        if time.perf_counter() - start > 20 * SECONDS:
            break
    return statistics.median(rates), found


class Run:
    def __init__(self, data, folder, results, only):
        self.data, self.folder, self.results, self.only = data, folder, results, only
        self.rows, self.queries, self.truth = None, None, None

    def wants(self, name):
        return not self.only or any(word in name for word in self.only)

    def note(self, **fields):
        fields = {'data': self.data, **fields}
        self.results.write(json.dumps(fields) + '\n')
        self.results.flush()
        print('  '.join(f'{key} {value:.4g}' if isinstance(value, float) else f'{key} {value}'
                        for key, value in fields.items() if key != 'data'), flush=True)

    def recall(self, found):
        truth = self.truth[:len(found)]
        return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found.tolist(), truth.tolist())]))

    def measure(self, name, effort, search, **facts):
        for batch in (QUERIES, 1):
            qps, found = rate(search, self.queries, batch)
            self.note(name=name, effort=effort, batch=batch, qps=qps, recall=self.recall(found), **facts)


def ladder_of_faiss(dim, rows):
    """Names of faiss's factory, and what is varied."""
    fine, coarse = dim // 2, dim // 4
    fast_scan = f'PQ{fine if dim <= 256 else coarse}x4fs'
    lists = 1024 if rows <= 200_000 else 4096
    probes, factors = (1, 2, 4, 8, 16, 32, 64, 128), (4, 10, 40)
    return [
        ('Flat', {}),
        (f'{fast_scan},RFlat', {'k_factor_rf': (4, 10, 40, 100)}),
        ('RaBitQfs,RFlat', {'k_factor_rf': (4, 10, 40, 100)}),
        (f'IVF1024,{fast_scan},RFlat', {'nprobe': probes, 'k_factor_rf': factors}),
        *([(f'IVF{lists},{fast_scan},RFlat', {'nprobe': probes, 'k_factor_rf': factors})] if lists != 1024 else []),
        ('IVF1024,Flat', {'nprobe': probes}),
        ('HNSW16,Flat', {'efSearch': (10, 20, 40, 80, 160, 320)}),
        ('HNSW16,SQ8', {'efSearch': (10, 20, 40, 80, 160)}),
        ('LSH,RFlat', {'k_factor_rf': (10, 40, 100, 200, 400)}),
    ]


def combinations(parameters):
    if not parameters:
        return [{}]
    (name, values), *rest = parameters.items()
    return [{name: value, **others} for value in values for others in combinations(dict(rest))]


def run_faiss(run):
    faiss.omp_set_num_threads(2)
    rows, dim = run.rows.shape
    for factory, parameters in ladder_of_faiss(dim, rows):
        name = f'faiss {factory}'
        if not run.wants(name):
            continue
        start = time.perf_counter()
        if factory == 'LSH,RFlat':
            # Sign codes compare by Hamming distance, which knows no inner product; for unit vectors l2 ranks alike.
            coarse = faiss.IndexLSH(dim, 256, True, False)
            index = faiss.IndexRefineFlat(coarse)
        else:
            try:
                index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
            except RuntimeError as error:  # an older faiss
                print(f'{name} is not measured: {str(error).splitlines()[-1]}')
                continue
        train = run.rows[np.random.default_rng(1).permutation(rows)[:min(rows, 100_000)]]
        index.train(train)
        index.add(run.rows)
        seconds = time.perf_counter() - start
        size = len(faiss.serialize_index(index)) / rows
        for effort in combinations(parameters):
            for key, value in effort.items():
                set_faiss(index, factory, key, value)
            run.measure(name, ' '.join(f'{k}={v}' for k, v in effort.items()), lambda q: index.search(q, K)[1],
                        build=seconds, bytes=size)
        del index


def set_faiss(index, factory, key, value):
    if factory == 'LSH,RFlat':
        index.k_factor = value
    else:
        faiss.ParameterSpace().set_index_parameter(index, key, value)


class Server:
    """A bench program that answers a line by a line."""

    def __init__(self, *command):
        self.process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f'{self.process.args[0]} ended with status {self.process.wait()}')
        return line.split()

    def ask(self, *words):
        print(*words, file=self.process.stdin, flush=True)
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def run_hnswlib(run):
    rows_file, queries_file = run.folder / 'rows.f32', run.folder / 'queries.f32'
    for links in (16, 32):
        name = f'hnswlib M={links}'
        if not run.wants(name):
            continue
        run.rows.tofile(rows_file)
        run.queries.tofile(queries_file)
        server = Server(BIN / 'bench_hnswlib', rows_file, queries_file, run.rows.shape[1], links, 200, 2)
        build, size = map(float, server.read())
        for ef in (10, 20, 40, 80, 160, 320):
            for batch in (QUERIES, 1):
                qps, *ids = server.ask(batch, SECONDS, ef)
                found = np.array(ids, np.int64).reshape(-1, K)
                run.note(name=name, effort=f'ef={ef}', batch=batch, qps=float(qps), recall=run.recall(found), build=build,
                         bytes=size / len(run.rows))
        server.close()
    for path in (rows_file, queries_file):
        path.unlink(missing_ok=True)


def run_usearch(run):
    for kind in ('f32', 'i8'):
        name = f'USearch {kind}'
        if not run.wants(name):
            continue
        index = usearch.index.Index(ndim=run.rows.shape[1], metric='ip', dtype=kind)
        start = time.perf_counter()
        index.add(np.arange(len(run.rows)), run.rows, threads=2)
        seconds = time.perf_counter() - start
        for ef in (10, 20, 40, 80, 160, 320):
            index.expansion_search = ef
            run.measure(name, f'ef={ef}', lambda q: index.search(q, K, threads=2).keys.reshape(-1, K).astype(np.int64),
                        build=seconds, bytes=index.memory_usage / len(run.rows))
        del index


OURS = [  # name; options of cbir-index build; efforts: exact, probe, candidates, ef
    ('flat', ['--type', 'flat'], [(0, 0, 0, 0), (1, 0, 0, 0)]),
    ('ivf', ['--type', 'ivf'], [(0, probe, candidates, 0) for probe in (1, 2, 4, 8, 16, 32, 64, 128)
                                for candidates in (20, 40, 100, 300)]),
    ('hnsw', ['--type', 'hnsw'], [(0, 0, 0, ef) for ef in (10, 15, 20, 30, 40, 60, 80, 120, 160, 320)]),
    ('lsh', ['--type', 'lsh'], [(0, 0, candidates, 0) for candidates in (50, 100, 200, 400, 1000, 2000)]),
    *((f'auto {target}', ['--type', 'auto', '--target-recall', str(target)], [(0, 0, 0, 0)]) for target in (.95, .99, .999)),
]


def run_ours(run):
    rows_file, queries_file, truth_file = (run.folder / name for name in ('rows.npy', 'queries.npy', 'truth.i64'))
    for kind, options, efforts in OURS:
        name = f'cbir {kind}'
        if not run.wants(name):
            continue
        np.save(rows_file, run.rows)
        np.save(queries_file, run.queries)
        run.truth.astype(np.int64).tofile(truth_file)
        output = run.folder / 'ours.cbir'
        start = time.perf_counter()
        subprocess.run([BIN / 'cbir-index', 'build', rows_file, '-o', output, '--force', *options], check=True)
        build = time.perf_counter() - start
        server = Server(BIN / 'bench_search', output, queries_file, truth_file, K, 2)
        for exact, probe, candidates, ef in efforts:
            words = dict(exact=exact, probe=probe, candidates=candidates, ef=ef)
            for batch in (QUERIES, 256, 1) if kind == 'flat' else (QUERIES, 1):
                qps, recall, compared, scored = map(float, server.ask(batch, SECONDS, exact, probe, candidates, ef))
                run.note(name=name, effort=' '.join(f'{k}={v}' for k, v in words.items() if v), batch=batch, qps=qps,
                         recall=recall, build=build, bytes=output.stat().st_size / len(run.rows), compared=compared,
                         scored=scored)
        server.close()
        output.unlink()
    for path in (rows_file, queries_file, truth_file):
        path.unlink(missing_ok=True)


def best(results, recall, ours):
    """Highest rate at that recall or more, and whose."""
    fitting = [r for r in results if r['recall'] >= recall and r['name'].startswith('cbir') == ours
               and not r['name'].startswith('cbir auto')]
    return max(fitting, key=lambda r: r['qps'], default=None)


def summarise(results):
    """A table of the best of ours and of the others for each recall; auto beside it."""
    for data in dict.fromkeys(r['data'] for r in results):
        for batch in (QUERIES, 1):
            for recall in (.95, .99, .999, 1.0):
                part = [r for r in results if r['data'] == data and r['batch'] == batch]
                ours, theirs = best(part, recall, True), best(part, recall, False)
                auto = next((r for r in part if r['name'] == f'cbir auto {recall}'), None)
                described = [f"{r['name']} {r['effort']} {r['qps']:.0f}/s @{r['recall']:.4f}" if r else 'none'
                             for r in (ours, theirs, auto)]
                ratio = f"{ours['qps'] / theirs['qps']:.2f}" if ours and theirs else '-'
                print(f'{data} batch {batch} recall {recall}: ours {described[0]} | theirs {described[1]} | ratio {ratio} | '
                      f'auto {described[2]}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--data', default='clustered-128,clustered-1280')
    parser.add_argument('--scale', type=float, default=1)
    parser.add_argument('--only', default='', help='names of indexes, or parts of names, separated by commas')
    parser.add_argument('-o', '--output', type=Path, default=SOURCE / 'build/bench/index')
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    path = arguments.output / 'results.jsonl'
    with path.open('w') as results:
        for data in arguments.data.split(','):
            run = Run(Path(data).stem, arguments.output, results, [word for word in arguments.only.split(',') if word])
            run.rows, run.queries = load(data, arguments.scale)
            print(f'{data}: {run.rows.shape[0]} x {run.rows.shape[1]}, faiss {faiss.__version__} {faiss.get_compile_options().strip()}')
            flat = faiss.IndexFlatIP(run.rows.shape[1])
            flat.add(run.rows)
            run.truth = flat.search(run.queries, K)[1]
            del flat
            for measure in (run_ours, run_faiss, run_hnswlib) + ((run_usearch,) if usearch else ()):
                measure(run)
    summarise([json.loads(line) for line in path.read_text().splitlines()])


if __name__ == '__main__':
    main()
