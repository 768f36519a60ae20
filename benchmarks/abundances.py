"""Speed of the abundance solvers and of the whole run, as ratios to one read of the data taken in the same run.

    python benchmarks/abundances.py                 # 1e6 x 200 float32, two threads, medians of 5
    python benchmarks/abundances.py --linear        # time against the number of pixels, 1e4 to 4e6 at 100 bands

One read is the sum of all values by two threads, the least any method can do. The peers are run where they are
installed (scipy here; pysptools with its cvxopt only in an environment of its own) on as many pixels as they manage in
a few seconds, and compared by time a pixel.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np

import unmix
from unmix.nmf import solve_abundances
from unmix.nmf.abundances import abundance_problem

REPEATS = 5


@numba.njit(nogil=True, fastmath=True)
def total(values: np.ndarray) -> np.float32:
    s = np.float32(0)
    for value in values:
        s += value
    return s


def main() -> None:
    """Print every ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pixels", type=int, default=1_000_000)
    parser.add_argument("--bands", type=int, default=200)
    parser.add_argument("--linear", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    if args.linear:
        return linear()
    pool = ThreadPoolExecutor(2)
    for r in (6, 10):
        X, E = mixtures(args.pixels, args.bands, r)
        blocks = np.array_split(X, 16)
        for constraint in ("sum_to_one", "non_negative", "shade"):
            problem = abundance_problem(E, constraint)
            seconds, read = timed(lambda p=problem: list(pool.map(p.solve, blocks)), X, pool)
            print(
                f"r={r} {constraint:13} {seconds:.3f} s  {seconds / read:5.1f} reads  (read {read:.3f} s)", flush=True
            )
        image = unmix.as_image(X.reshape(1000, -1, args.bands), quantity="reflectance")
        for name, run in {
            "find_endmembers": lambda i=image, k=r: unmix.find_endmembers(i, k),
            "find_endmembers, anchors=robust": lambda i=image, k=r: unmix.find_endmembers(i, k, anchors="robust"),
            "unmix": lambda i=image, k=r: unmix.unmix(i, k),
        }.items():
            seconds, read = timed(run, X, pool)
            print(f"r={r} {name:32} {seconds:.3f} s  {seconds / read:5.1f} reads", flush=True)
        if r == 6:
            peers(X, E, seconds_a_pixel(lambda: solve_abundances(X[:200_000], E, "sum_to_one"), 200_000))
    return None


def mixtures(n: int, b: int, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy mixtures (n, b) of r smooth spectra, and the spectra."""
    rng = np.random.default_rng(0)
    E = np.abs(np.cumsum(rng.normal(size=(r, b)), axis=1)) + 0.5
    E /= E.max()
    X = rng.dirichlet(np.full(r, 0.5), n).astype(np.float32) @ E.astype(np.float32)
    for part in np.array_split(X, 32):
        part += rng.normal(0, 0.01, part.shape).astype(np.float32)
    return X, E


def timed(run: Callable[[], object], X: np.ndarray, pool: ThreadPoolExecutor) -> tuple[float, float]:
    """Return the median seconds of a warm run and of one read of X, taken in turn."""
    halves = np.array_split(X.reshape(-1), 2)
    run(), list(pool.map(total, halves))
    runs, reads = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        list(pool.map(total, halves))
        reads.append(time.perf_counter() - start)
        start = time.perf_counter()
        run()
        runs.append(time.perf_counter() - start)
    return float(np.median(runs)), float(np.median(reads))


def seconds_a_pixel(run: Callable[[], object], n: int) -> float:
    """Return the seconds a pixel of a warm run over n pixels."""
    run()
    start = time.perf_counter()
    run()
    return (time.perf_counter() - start) / n


def peers(X: np.ndarray, E: np.ndarray, ours: float) -> None:
    """Compare a single-threaded solve with the peers that are installed: time a pixel and largest difference."""
    from scipy.optimize import nnls

    few = X[:2000].astype(np.float64)
    answers = np.empty((len(few), len(E)))

    def in_a_loop() -> None:
        for k, x in enumerate(few):
            answers[k] = nnls(E.T, x)[0]

    theirs = seconds_a_pixel(in_a_loop, len(few))
    apart = np.abs(answers - solve_abundances(X[:2000], E, "non_negative")).max()
    print(f"scipy nnls in a loop: {theirs / ours:.0f} times our time a pixel, answers within {apart:.1e}")
    try:
        from pysptools.abundance_maps.amaps import FCLS
    except ImportError:
        print("pysptools FCLS: not installed here")
        return
    few = X[:100].astype(np.float64)
    found: list[np.ndarray] = []
    theirs = seconds_a_pixel(lambda: found.append(FCLS(few, E)), len(few))
    apart = np.abs(found[-1] - solve_abundances(X[:100], E, "sum_to_one")).max()
    print(f"pysptools FCLS: {theirs / ours:.0f} times our time a pixel, answers within {apart:.1e}")


def linear() -> None:
    """Print the slope of log time against log pixels of the whole run."""
    sizes = [10_000, 40_000, 160_000, 640_000, 2_560_000, 4_000_000]
    seconds = []
    for n in sizes:
        X, _ = mixtures(n, 100, 5)
        side = int(np.sqrt(n))
        image = unmix.as_image(X[: side * side].reshape(side, side, 100), quantity="reflectance")
        unmix.unmix(image, 5)
        times = []
        for _ in range(3):
            start = time.perf_counter()
            unmix.unmix(image, 5)
            times.append(time.perf_counter() - start)
        seconds.append(float(np.median(times)))
        print(f"{n:>9,} pixels  {seconds[-1]:.3f} s", flush=True)
    slope = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    print(f"slope {slope:.2f}")


if __name__ == "__main__":
    main()
