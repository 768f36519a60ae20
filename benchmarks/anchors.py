"""Anchors: every method by name against one read, and ours against successive projection as the textbook writes it.

python benchmarks/anchors.py
"""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np
from measuring import Table, in_turn, mixtures, read

from unmix.nmf import find_anchors
from unmix.nmf.anchor_methods import ANCHOR_METHODS
from unmix.nmf.vca import best_by_volume


def textbook_spa(X: np.ndarray, r: int) -> list[int]:
    """Return the anchors by the algorithm as it is written: take the longest row, project all rows, repeat."""
    rest, chosen = X.astype(np.float64), []
    for _ in range(r):
        chosen.append(int(np.argmax((rest**2).sum(axis=1))))
        u = rest[chosen[-1]] / np.linalg.norm(rest[chosen[-1]])
        rest = rest - np.outer(rest @ u, u)
    return chosen


def by_name(n: int = 200_000, b: int = 200, r: int = 6, repeats: int = 3) -> Table:
    """Time every method; count the pure pixels it finds among mixtures of at most 80 %."""
    X, E = mixtures(n, b, r)
    at = np.linspace(0, n - 1, r).astype(int)
    X *= np.float32(0.8)
    X += np.float32(0.2) * E.mean(axis=0, dtype=np.float32)
    X[at] = E
    works = {"one read": partial(read, X), "textbook SPA, float64": partial(textbook_spa, X, r)}
    works |= {name: partial(find_anchors, X, r, name) for name in ANCHOR_METHODS}
    works["vca, best of 10"] = partial(best_by_volume, X, r)
    seconds = in_turn(works, repeats)
    rows = []
    for name, work in works.items():
        found = [] if name == "one read" else [int(i) for i in work()]
        exact = f"{len(set(at.tolist()) & set(found))} of {r}" if found else ""
        of_textbook = seconds["textbook SPA, float64"] / seconds[name]
        reads = seconds[name] / seconds["one read"]
        rows.append([name, f"{seconds[name]:.4f}", f"{reads:.1f}", f"{of_textbook:.1f}", exact])
    same = list(find_anchors(X, r, "spa")) == textbook_spa(X, r)
    note = f"Ours and the textbook's SPA choose {'the same pixels in the same order' if same else 'DIFFERENT pixels'}."
    columns = ("method", "seconds", "reads", "times the textbook's speed", "pure pixels found")
    return Table(f"Anchors, {n:,} pixels, {b} bands, r = {r}", columns, rows, note)


def tables() -> list[Table]:
    """Return all of it."""
    return [by_name()]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for table in tables():
        print(table.markdown())
