"""How time grows with pixels, bands and endmembers: the solver alone, the search, and the whole run.

    python benchmarks/growth.py

The search judges a large image by a fixed number of pixels, so that a small image costs it as much as a large one: the
whole run is a fixed time plus a time a pixel, and its slope on a log-log plot is below one. The solver's slope is one
on one thread; what is prepared for a call and waking a second thread take as long as some thousand pixels.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial

import numpy as np
from measuring import Table, in_turn, mixtures, read, slope

import unmix
from unmix.nmf import solve_abundances

PIXELS = (10_000, 40_000, 160_000, 640_000, 2_560_000, 4_000_000)
BANDS = (25, 50, 100, 200, 400)
RANKS = (2, 4, 6, 8, 10, 12, 16)
WHAT = ("one read", "shade", "shade, one thread", "find_endmembers", "unmix")


def timed(n: int, b: int, r: int, repeats: int) -> dict[str, float]:
    """Return seconds of a read, the solver, the search and the whole run."""
    X, E = mixtures(n, b, r)
    image = unmix.as_image(X.reshape(-1, int(np.sqrt(n)) if int(np.sqrt(n)) ** 2 == n else 1000, b))
    image.attrs["quantity"] = "reflectance"
    return in_turn(
        {
            "one read": partial(read, X),
            "shade": partial(solve_abundances, X, E, "shade"),
            "shade, one thread": partial(solve_abundances, X, E, "shade", threads=1),
            "find_endmembers": partial(unmix.find_endmembers, image, r),
            "unmix": partial(unmix.unmix, image, r),
        },
        repeats,
    )


def growth(name: str, sizes: Sequence[int], seconds: Sequence[dict[str, float]], fixed: str) -> Table:
    """Return the times and, below, the slopes of log time against log size."""
    rows = [
        [f"{size:,}", *(f"{took[what]:.4f}" for what in WHAT), f"{took['unmix'] / took['one read']:.0f}"]
        for size, took in zip(sizes, seconds, strict=True)
    ]
    rows.append(["slope", *(f"{slope(sizes, [took[what] for took in seconds]):.2f}" for what in WHAT), ""])
    if name == "pixels":
        a, c = np.polyfit(sizes, [took["unmix"] for took in seconds], 1, w=1 / np.array([t["unmix"] for t in seconds]))
        fixed += f" The whole run is about {c:.2f} s plus {1e6 * a:.2f} us a pixel."
    columns = (name, *(f"{what}, s" for what in WHAT), "unmix, reads")
    return Table(f"Growth with {name}", columns, rows, fixed)


def tables(
    pixels: Sequence[int] = PIXELS,
    bands: Sequence[int] = BANDS,
    ranks: Sequence[int] = RANKS,
    n: int = 250_000,
    repeats: int = 3,
) -> list[Table]:
    """Return growth with pixels, bands and endmembers."""
    by_pixels = [timed(size, 100, 5, repeats) for size in pixels]
    by_bands = [timed(n, size, 5, repeats) for size in bands]
    by_rank = [timed(n, 100, size, repeats) for size in ranks]
    return [
        growth("pixels", pixels, by_pixels, "100 bands, r = 5."),
        growth("bands", bands, by_bands, f"{n:,} pixels, r = 5."),
        growth("endmembers", ranks, by_rank, f"{n:,} pixels, 100 bands; beyond 12 there is no table of sets."),
    ]


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    for table in tables():
        print(table.markdown())
