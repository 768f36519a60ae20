"""Refinement against scikit-learn's NMF: time an iteration and time to the same objective, side by side in one run.

Run as ``python benchmarks/refine.py [pixels]``. Every solver starts from the same A and E, minimises the same plain
squared error, and is judged by one function on all bands in float64. The time of one iteration is the difference
between a long and a short run, so that what is done once does not count, and the median of five, the solvers in turn;
the time to the same objective counts all, once. Ratios are what to read on a machine that is not quiet.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
from sklearn.decomposition import NMF

from unmix.nmf import refine, solve_abundances

BANDS, R, NOISE = 200, 6, 0.02
SHORT, LONG, LONGER, TIMES = 2, 8, 42, 5
MOST = 160
BEST_AFTER = 80
WITHIN = 1.001
RACE = ("scikit-learn cd", "extrapolated hals, all bands", f"extrapolated hals, {R + 2} coordinates")

Solver = Callable[[int], tuple[np.ndarray, np.ndarray]]


def scene(n_pixels: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mixtures (n, bands) of smooth spectra, float32, 2 % noise, and endmembers to start from."""
    rng = np.random.default_rng(0)
    E = np.abs(np.cumsum(rng.standard_normal((R, BANDS)), axis=1)) / 10
    A = rng.dirichlet(np.full(R, 0.5), n_pixels)
    X = np.maximum(A @ E + NOISE * E.mean() * rng.standard_normal((n_pixels, BANDS)), 0).astype(np.float32)
    return X, np.maximum(E * (1 + 0.2 * rng.standard_normal(E.shape)), 1e-3)


def solvers(X: np.ndarray, A: np.ndarray, E: np.ndarray) -> dict[str, Solver]:
    """Return what is compared, as functions of the number of iterations."""

    def sklearn(solver: str) -> Solver:
        def run(iterations: int) -> tuple[np.ndarray, np.ndarray]:
            model = NMF(R, init="custom", solver=solver, max_iter=iterations, tol=0)
            return model.fit_transform(X, W=A.copy(), H=E.astype(X.dtype)), model.components_

        return run

    def ours(update: str, n_coordinates: int | None) -> Solver:
        def run(iterations: int) -> tuple[np.ndarray, np.ndarray]:
            found = refine(
                X, E, A=A, update=update, anchor_weight=0, n_coordinates=n_coordinates, max_iterations=iterations,
                tolerance=0,
            )  # fmt: skip
            return found.A, found.E

        return run

    return {
        "scikit-learn cd": sklearn("cd"),
        "scikit-learn mu": sklearn("mu"),
        "hals, all bands": ours("hals", None),
        "extrapolated hals, all bands": ours("extrapolated_hals", None),
        "fast gradient, all bands": ours("fast_gradient", None),
        "multiplicative, all bands": ours("multiplicative", None),
        f"hals, {R + 2} coordinates": ours("hals", R + 2),
        f"extrapolated hals, {R + 2} coordinates": ours("extrapolated_hals", R + 2),
        f"fast gradient, {R + 2} coordinates": ours("fast_gradient", R + 2),
    }


def seconds(run: Callable[[], object]) -> float:
    """Return how long a call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def half_squared_error(X: np.ndarray, A: np.ndarray, E: np.ndarray) -> float:
    """Return half the squared error on all bands in float64."""
    parts = (slice(i, i + 4096) for i in range(0, len(X), 4096))
    E = E.astype(np.float64)
    return 0.5 * sum(float(((X[p] - A[p].astype(np.float64) @ E) ** 2).sum()) for p in parts)


def an_iteration(compared: dict[str, Solver]) -> dict[str, float]:
    """Return seconds an iteration: medians over rounds in which every solver has its turn."""
    for run in compared.values():
        run(1)
    rounds: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(TIMES):
        for name, run in compared.items():
            long = LONGER if name.endswith("coordinates") else LONG
            more = seconds(partial(run, long)) - seconds(partial(run, SHORT))
            rounds[name].append(more / (long - SHORT))
    return {name: float(np.median(values)) for name, values in rounds.items()}


def to_objective(run: Solver, goal: float, judge: Callable[..., float]) -> tuple[int, float, float]:
    """Return the first of a growing series of iterations that reaches the goal, its objective and its seconds."""
    iterations = 10
    while True:
        start = time.perf_counter()
        factors = run(iterations)
        took, reached = time.perf_counter() - start, judge(*factors)
        if reached <= goal or iterations >= MOST:
            return iterations, reached, took
        iterations += iterations // 2


def main(n_pixels: int = 200_000) -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    X, E = scene(n_pixels)
    A = solve_abundances(X, E)
    compared = solvers(X, A, E)
    read = float(np.median([seconds(X.sum) for _ in range(TIMES)]))
    times = an_iteration(compared)
    cd = times["scikit-learn cd"]

    def judge(A: np.ndarray, E: np.ndarray) -> float:
        return half_squared_error(X, A, E)

    print(f"{n_pixels} x {BANDS} float32, r={R}; one read {read * 1e3:.1f} ms")
    print(f"{'':34} ms/iteration  of cd  reads")
    for name in compared:
        print(f"{name:34} {times[name] * 1e3:12.2f} {times[name] / cd:6.2f} {times[name] / read:6.1f}")
    best = judge(*compared["scikit-learn cd"](BEST_AFTER))
    print(f"to {WITHIN:g} times the objective of scikit-learn cd after {BEST_AFTER} iterations, {best:.6g}:")
    print(f"{'':34}   iterations  objective/best  seconds in all")
    for name in RACE:
        iterations, reached, whole = to_objective(compared[name], WITHIN * best, judge)
        print(f"{name:34} {iterations:12d} {reached / best:15.5f} {whole:15.2f}")


if __name__ == "__main__":
    main(*(int(value) for value in sys.argv[1:2]))
