"""Time of every anchor method, as a ratio to one read of the data.

    python benchmarks/anchors.py                               # 1e6 pixels x 200 bands, r = 6
    python benchmarks/anchors.py --pixels 100000 --rank 10

The data are float32 mixtures with a little noise and one pure pixel a material. One read is a float32 sum over the
rows, on one thread. Each method is warmed on a few rows first, timed `--repeats` times, and its median is shown, with
how many of the pure pixels it found.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from unmix.nmf import find_anchors
from unmix.nmf.anchor_methods import ANCHOR_METHODS
from unmix.nmf.kernels import project_rows
from unmix.nmf.vca import best_by_volume

NOISE = 0.005


def main() -> None:
    """Time every method and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=1_000_000)
    parser.add_argument("--bands", type=int, default=200)
    parser.add_argument("--rank", type=int, default=6)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    X, pure = mixtures(chosen.pixels, chosen.bands, chosen.rank)
    read = median_seconds(lambda: X.sum(axis=1), chosen.repeats)
    print(f"{platform.machine()}, {os.cpu_count()} cores, numpy {np.__version__}")
    print(f"{chosen.pixels} x {chosen.bands} float32, r = {chosen.rank}; one read {read:.3f} s\n")
    print("| method | seconds | reads | pure pixels found |\n|---|---|---|---|")
    axes, onto = np.ones((chosen.rank, chosen.bands), X.dtype), np.empty((len(X), chosen.rank), X.dtype)
    offset = np.zeros(chosen.rank, X.dtype)
    project_rows(X[:10], axes, offset, onto[:10])
    projection = median_seconds(lambda: project_rows(X, axes, offset, onto), chosen.repeats)
    print(f"| projection onto {chosen.rank} directions | {projection:.3f} | {projection / read:.1f} | |")
    for name, method in methods(chosen.rank).items():
        method(X[: 50 * chosen.rank])
        found = method(X)
        seconds = median_seconds(lambda method=method: method(X), chosen.repeats)
        exact = len(pure & set(found.tolist()))
        print(f"| {name} | {seconds:.3f} | {seconds / read:.1f} | {exact} of {chosen.rank} |", flush=True)


def methods(r: int) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """Return what is timed, by name."""
    named: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        name: (lambda X, name=name: find_anchors(X, r, name)) for name in ANCHOR_METHODS
    }
    return named | {"vca, best of 10": lambda X: best_by_volume(X, r)}


def mixtures(n_pixels: int, n_bands: int, r: int) -> tuple[np.ndarray, set[int]]:
    """Return noisy float32 mixtures and where the pure pixels are."""
    rng = np.random.default_rng(0)
    E = rng.uniform(0.05, 0.9, (r, n_bands)).astype(np.float32)
    at = rng.permutation(n_pixels)[:r]
    X = np.empty((n_pixels, n_bands), np.float32)
    for top in range(0, n_pixels, 50_000):
        part = X[top : top + 50_000]
        A = 0.8 * rng.dirichlet(np.full(r, 0.7), len(part)).astype(np.float32) + np.float32(0.2 / r)
        np.matmul(A, E, out=part)
        part += NOISE * rng.standard_normal(part.shape, dtype=np.float32)
    X[at] = E
    return X, set(at.tolist())


def median_seconds(work: Callable[[], Any], repeats: int) -> float:
    """Return the median time of several runs."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


if __name__ == "__main__":
    main()
