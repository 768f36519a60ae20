"""Refinement against scikit-learn's NMF: time an iteration, and time to the same objective.

    python benchmarks/refinement.py

Every solver starts from the same A and E, minimises the same plain squared error, and is judged by one function on all
bands in float64. The time of one iteration is the difference between a long and a short run, so that what is done once
does not count; the time to the same objective counts all.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
from measuring import Table, in_turn, read
from sklearn.decomposition import NMF

from unmix.nmf import refine, solve_abundances

BANDS, R, NOISE = 200, 6, 0.02
SHORT, LONG, LONGER = 2, 22, 62
CD = "scikit-learn cd"
BEST_AFTER, MOST, WITHIN = 80, 160, 1.001

Solver = Callable[[int], tuple[np.ndarray, np.ndarray]]


def tables(n: int = 200_000, repeats: int = 5) -> list[Table]:
    """Return both tables."""
    X, E = scene(n)
    compared = solvers(X, solve_abundances(X, E), E)
    return [an_iteration(X, compared, repeats), to_the_same_objective(X, compared)]


def scene(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mixtures (n, bands) of smooth spectra, float32, 2 % noise, and endmembers to start from."""
    rng = np.random.default_rng(0)
    E = np.abs(np.cumsum(rng.standard_normal((R, BANDS)), axis=1)) / 10
    A = rng.dirichlet(np.full(R, 0.5), n)
    X = np.maximum(A @ E + NOISE * E.mean() * rng.standard_normal((n, BANDS)), 0).astype(np.float32)
    return X, np.maximum(E * (1 + 0.2 * rng.standard_normal(E.shape)), 1e-3)


def solvers(X: np.ndarray, A: np.ndarray, E: np.ndarray) -> dict[str, Solver]:
    """Return what is compared, as functions of the number of iterations."""

    def theirs(solver: str, iterations: int) -> tuple[np.ndarray, np.ndarray]:
        model = NMF(R, init="custom", solver=solver, max_iter=iterations, tol=0)
        return model.fit_transform(X, W=A.copy(), H=E.astype(X.dtype)), model.components_

    def ours(update: str, k: int | None, iterations: int) -> tuple[np.ndarray, np.ndarray]:
        settings = {"anchor_weight": 0, "tolerance": 0, "update": update, "n_coordinates": k}
        found = refine(X, E, A=A, max_iterations=iterations, **settings)
        return found.A, found.E

    compared: dict[str, Solver] = {f"scikit-learn {name}": partial(theirs, name) for name in ("cd", "mu")}
    for update in ("hals", "extrapolated_hals", "fast_gradient", "multiplicative"):
        compared[f"{update}, all bands"] = partial(ours, update, None)
    for update in ("hals", "extrapolated_hals", "fast_gradient"):
        compared[f"{update}, {R + 2} coordinates"] = partial(ours, update, R + 2)
    return compared


def an_iteration(X: np.ndarray, compared: dict[str, Solver], repeats: int) -> Table:
    """Return the time of an iteration of each."""
    works: dict[str, Callable[[], object]] = {"one read": partial(read, X)}
    lengths = {name: LONGER if name.endswith("coordinates") else LONG for name in compared}
    for name, run in compared.items():
        works[name + " before"] = works[name + " short"] = partial(
            run, SHORT
        )  # the first of a kind asks for its memory
        works[name] = partial(run, lengths[name])
    seconds = in_turn(works, repeats)
    each = {name: (seconds[name] - seconds[name + " short"]) / (lengths[name] - SHORT) for name in compared}
    rows = [
        [name, f"{1e3 * took:.1f}", f"{took / each[CD]:.2f}", f"{took / seconds['one read']:.1f}"]
        for name, took in each.items()
    ]
    title = f"Refinement, {len(X):,} pixels, {BANDS} bands, float32, r = {R}"
    return Table(title, ("update", "ms an iteration", "of scikit-learn cd", "reads"), rows)


def to_the_same_objective(X: np.ndarray, compared: dict[str, Solver]) -> Table:
    """Return how long each takes to what scikit-learn cd reaches, within a thousandth."""
    best = half_squared_error(X, *compared[CD](BEST_AFTER))
    rows = []
    for name in (CD, "extrapolated_hals, all bands", f"extrapolated_hals, {R + 2} coordinates"):
        iterations = 10
        while half_squared_error(X, *compared[name](iterations)) > WITHIN * best and iterations < MOST:
            iterations += iterations // 2
        reached = half_squared_error(X, *compared[name](iterations)) / best
        seconds = in_turn({name: partial(compared[name], iterations)}, 1)[name]
        rows.append([name, iterations, f"{reached:.5f}", f"{seconds:.2f}"])
    note = (
        f"Until the objective is within {WITHIN - 1:.1%} of what scikit-learn's cd reaches in {BEST_AFTER} iterations."
    )
    return Table(
        "Refinement to the same objective", ("update", "iterations", "objective", "seconds in all"), rows, note
    )


def half_squared_error(X: np.ndarray, A: np.ndarray, E: np.ndarray) -> float:
    """Return half the squared error on all bands in float64."""
    parts = (slice(i, i + 4096) for i in range(0, len(X), 4096))
    E = E.astype(np.float64)
    return 0.5 * sum(float(((X[p] - A[p].astype(np.float64) @ E) ** 2).sum()) for p in parts)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for table in tables():
        print(table.markdown())
