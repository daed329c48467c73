#!/usr/bin/env python3
"""Reads a .cbir index by docs/formats.md and searches it by brute force:  read_index.py X.cbir Q.npy [K]

Prints query, rank, score and path as cbir-query --vectors does. Checks sections if Python's xxhash is installed."""
import base64
import json
import struct
import sys

import numpy as np

try:
    import xxhash
except ImportError:
    xxhash = None
META, VECTORS, IDS, OFFSETS, ROWS, TOMBSTONES = 2, 3, 4, 5, 6, 8


def read(path):
    """What the index says of itself, and vectors, ids and descriptions of the rows that are left."""
    data = np.memmap(path, np.uint8, 'r')
    magic, major, _, endian, required = struct.unpack_from('<8sHHIQ', data, 0)
    if magic != b'\x89CBIR\r\n\x1a' or major != 1 or endian != 0x01020304 or required & ~1:
        raise SystemExit(f'{path}: not an index that this program reads')
    newest = max((512, 1024), key=lambda at: struct.unpack_from('<Q', data, at + 8))  # generation
    (table, length), found = struct.unpack_from('<QQ', data, newest + 24), {}
    for at in range(table, table + length, 64):
        segment, kind, _, _, start, size = struct.unpack_from('<IIIIQQ', data, at)
        whole = data[start:start + (size + 4095) // 4096 * 4096]
        if xxhash and xxhash.xxh3_128_digest(whole) != bytes(data[at + 32:at + 48]):
            raise SystemExit(f'{path}: the section at {start} is damaged')
        found[segment, kind] = whole[:size]
    meta = json.loads(bytes(found[0, META]))
    vectors, ids, rows = [], [], []
    for segment in sorted({segment for segment, _ in found} - {0}):
        own, offsets, text = found[segment, IDS].view('<u8'), found[segment, OFFSETS].view('<u8'), found[segment, ROWS]
        removed = found.get((segment, TOMBSTONES), np.zeros((len(own) + 7) // 8, np.uint8))
        left = np.flatnonzero(np.unpackbits(removed, bitorder='little')[:len(own)] == 0)
        vectors.append(found[segment, VECTORS].view('<f4').reshape(len(own), -1)[left, :meta['dim']])
        ids.append(own[left])
        rows += [json.loads(bytes(text[offsets[i]:offsets[i + 1]])) for i in left]
    return meta, np.concatenate(vectors), np.concatenate(ids), rows


def search(meta, vectors, queries, k):
    """Positions and scores of the best rows for each query: higher is better, ties in order of ids."""
    for query in queries.astype(np.float64):
        scores = vectors @ (query / np.linalg.norm(query) if meta['metric'] == 'cosine' else query)
        if meta['metric'] == 'l2':
            scores = -((vectors - query) ** 2).sum(axis=1)
        best = np.argsort(-scores, kind='stable')[:k]
        yield best, scores[best]


if __name__ == '__main__':
    meta, vectors, ids, rows = read(sys.argv[1])
    for number, (best, scores) in enumerate(search(meta, vectors, np.load(sys.argv[2]), int((sys.argv + [10])[3]))):
        for rank, (i, score) in enumerate(zip(best, scores), 1):
            path = rows[i].get('path') or base64.b64decode(rows[i]['path_b64']).decode(errors='replace')
            print(number, rank, f'{score:.6f}', path, sep='\t')
