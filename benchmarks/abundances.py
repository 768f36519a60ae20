"""Abundances: against one read of the data, and against pysptools, scipy and cvxopt on the same pixels.

    python benchmarks/abundances.py

Peers are given as many pixels as they manage in a second or two, as float64, and are compared by time a pixel. That
both solve the same problem is checked: the largest difference of an abundance is in the table.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
from measuring import Table, in_turn, mixtures, read, spans
from scipy.optimize import nnls

import unmix
from unmix.nmf import solve_abundances
from unmix.nmf.kernels import dot_new_rows

SAME = 1e-4
Solver = Callable[[np.ndarray, np.ndarray], np.ndarray]


def against_one_read(n: int = 1_000_000, b: int = 200, ranks: tuple[int, ...] = (6, 10), repeats: int = 5) -> Table:
    """Time the solvers, the search and the whole run in units of one read."""
    rows: list[list[object]] = []
    for r in ranks:
        X, E = mixtures(n, b, r)
        image = unmix.as_image(X.reshape(-1, min(n, 1000), b), quantity="reflectance")
        Q, Y = np.linalg.qr(E.T)[0].T.astype(np.float32), np.empty((n, r), np.float32)
        Q = np.ascontiguousarray(Q)
        works: dict[str, Callable[[], object]] = {
            "one read": partial(read, X),
            "product with r directions": lambda X=X, Q=Q, Y=Y: spans(lambda s: dot_new_rows(X[s], Q, Y[s]), len(X)),
            "FCLS": partial(solve_abundances, X, E, "sum_to_one"),
            "NNLS": partial(solve_abundances, X, E, "non_negative"),
            "shade": partial(solve_abundances, X, E, "shade"),
            "unconstrained": partial(solve_abundances, X, E, "unconstrained"),
            "find_endmembers": partial(unmix.find_endmembers, image, r),
            "find_endmembers, anchors=robust": partial(unmix.find_endmembers, image, r, anchors="robust"),
            "unmix, with residual and brightness maps": partial(unmix.unmix, image, r),
        }
        seconds = in_turn(works, repeats)
        for name, took in seconds.items():
            rows.append([r, name, f"{took:.3f}", f"{took / seconds['one read']:.1f}"])
    title = f"{n:,} pixels, {b} bands, float32, two threads"
    return Table(title, ("r", "what", "seconds", "reads"), rows, "A read is the sum of all values on two threads.")


def against_others(n: int = 1_000_000, b: int = 200, r: int = 6, few: int = 2_000) -> Table:
    """Compare with the peers that are installed, by time a pixel and by largest difference."""
    X, E = mixtures(n, b, r)
    rows = []
    for name, (constraint, peer, share) in peers().items():
        if peer is None:
            rows.append([constraint, name, "not installed", "", "", "", ""])
            continue
        pixels = X[: max(2, int(few * share))].astype(np.float64)
        seconds = in_turn(
            {
                "theirs": partial(peer, pixels, E),
                "one thread": partial(solve_abundances, X, E, constraint, threads=1),
                "ours": partial(solve_abundances, X, E, constraint),
            }
        )
        apart = float(np.abs(peer(pixels, E) - solve_abundances(pixels, E, constraint)).max())
        theirs, one, ours = seconds["theirs"] / len(pixels), seconds["one thread"] / n, seconds["ours"] / n
        same = f"{apart:.0e}" + ("" if apart <= SAME else ", NOT the same")
        times = f"{theirs / one:,.0f}", f"{theirs / ours:,.0f}"
        rows.append([constraint, name, f"{1e6 * theirs:.1f}", f"{1e6 * ours:.3f}", *times, same])
    columns = (
        "constraint",
        "peer",
        "their us a pixel",
        "ours",
        "times, one thread",
        "times, two",
        "largest difference",
    )
    return Table(f"Against others, {b} bands, r = {r}", columns, rows)


def of_libraries(sizes: tuple[int, ...] = (16, 30, 60, 150, 240, 500), b: int = 200, few: int = 100) -> Table:
    """Compare NNLS with scipy's where the endmembers are a spectral library and five of them are in a pixel."""
    rng = np.random.default_rng(0)
    rows = []
    for r in sizes:
        E = np.abs(np.cumsum(rng.normal(size=(r, b)), axis=1)) + 0.5
        E /= E.max()
        n = 500_000 // r
        A = np.zeros((n, r))
        np.put_along_axis(A, rng.random((n, r)).argpartition(5, axis=1)[:, :5], rng.dirichlet(np.ones(5), n), axis=1)
        X = A @ E + 0.005 * rng.standard_normal((n, b))
        solver, constraint = peers()["scipy nnls in a loop"][1], "non_negative"
        assert solver is not None
        seconds = in_turn(
            {"theirs": partial(solver, X[:few], E), "ours": partial(solve_abundances, X, E, constraint)}, repeats=3
        )
        theirs, ours = seconds["theirs"] / few, seconds["ours"] / n
        apart = float(np.abs(solver(X[:few], E) - solve_abundances(X[:few], E, constraint)).max())
        same = f"{apart:.0e}" + ("" if apart <= SAME else ", NOT the same")
        rows.append([r, f"{1e6 * theirs:.0f}", f"{1e6 * ours:.2f}", f"{theirs / ours:.0f}", same])
    columns = ("endmembers", "scipy nnls, us a pixel", "ours, two threads", "times", "largest difference")
    return Table(f"Libraries: NNLS, {b} bands, float64, five endmembers in a pixel", columns, rows)


def peers() -> dict[str, tuple[str, Solver | None, float]]:
    """Return what is compared: constraint, solver (None where not installed), and share of the pixels it is given."""

    def with_scipy(X: np.ndarray, E: np.ndarray) -> np.ndarray:
        return np.array([nnls(E.T, x)[0] for x in X])

    return {
        "scipy nnls in a loop": ("non_negative", with_scipy, 1.0),
        "pysptools FCLS": ("sum_to_one", with_pysptools(), 0.1),
        "cvxopt qp in a loop": ("sum_to_one", with_cvxopt(), 0.1),
    }


def with_pysptools() -> Solver | None:
    """Return FCLS of pysptools, or None; its NNLS minimises |E E' a - E x|, another problem, so it is left out."""
    try:
        from pysptools.abundance_maps.amaps import FCLS
    except ImportError:
        return None
    return lambda X, E: np.asarray(FCLS(X, E))


def with_cvxopt() -> Solver | None:
    """Return FCLS as a quadratic programme of cvxopt a pixel, or None."""
    try:
        from cvxopt import matrix, solvers
    except ImportError:
        return None
    solvers.options.update(show_progress=False, abstol=1e-10, reltol=1e-10, feastol=1e-10)

    def solve(X: np.ndarray, E: np.ndarray) -> np.ndarray:
        r = len(E)
        P, below, zero = matrix(E @ E.T), matrix(-np.eye(r)), matrix(np.zeros(r))
        ones, one = matrix(np.ones((1, r))), matrix(1.0)
        found = [solvers.qp(P, matrix(-E @ x), below, zero, ones, one)["x"] for x in X]
        return np.array(found).reshape(len(X), r)

    return solve


def tables() -> list[Table]:
    """Return all of it."""
    return [against_one_read(), against_others(), of_libraries()]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for table in tables():
        print(table.markdown())
