"""Rows and queries that the benchmarks of indexes make up."""
import numpy as np

QUERIES = 1024


def clustered(rows, dim, seed, latent=64, clusters=1000, make=np.empty):
    """Unit vectors around cluster centres in a space of 64 dimensions, of falling weight, and noise in all of them.

    make(shape, dtype) is where they are put: the rows, and after them the queries.
    """
    random = np.random.default_rng(seed)
    scale = (np.arange(1, latent + 1) ** -.35).astype(np.float32)
    centres = random.standard_normal((clusters, latent), dtype=np.float32) * scale
    basis = np.linalg.qr(random.standard_normal((dim, latent)))[0].T.astype(np.float32)
    noise = np.float32(.25 * np.sqrt((scale ** 2).sum() / dim))
    out = make((rows + QUERIES, dim), np.float32)
    for first in range(0, len(out), 50_000):
        part = out[first:first + 50_000]
        hidden = centres[random.integers(0, clusters, len(part))]
        hidden = hidden + np.float32(.8) * scale * random.standard_normal(hidden.shape, dtype=np.float32)
        part[:] = hidden @ basis + noise * random.standard_normal(part.shape, dtype=np.float32)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return out[:rows], out[rows:]
