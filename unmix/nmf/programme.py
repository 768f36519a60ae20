"""What the quadratic programmes of all pixels share, prepared from their endmembers in one compiled call."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiled import exact_kernel
from .endmember_geometry import inverse_of, solutions_with_all
from .pivot_tables import no_table, pivot_table

UNCONSTRAINED, NON_NEGATIVE, SUM_TO_ONE, SHADE = 0, 1, 2, 3


class Programme(NamedTuple):
    """What every pixel's programme shares: E = R'Q, G = R'R, and the tables without and with sum one.

    M y and M1 y + m1 are the solutions with all endmembers present, without and with sum one, H and H1 the inverses of
    G that go with them; `direct` where they can be trusted. `most` above zero bounds the number of endmembers in a
    pixel; the tables must be there then.

    All arrays are in C order: numba 0.60 mixes up variants that differ in the order of a field alone.
    """

    R: np.ndarray
    G: np.ndarray
    M: np.ndarray
    M1: np.ndarray
    m1: np.ndarray
    H: np.ndarray
    H1: np.ndarray
    free: tuple[np.ndarray, np.ndarray]
    one: tuple[np.ndarray, np.ndarray]
    constraint: int
    direct: bool
    use_table: bool
    most: int


@exact_kernel
def programme_for(R, G, constraint, direct, use_table):
    """Return the `Programme` of R (rank, r) and G, with the solutions and tables that its constraint needs."""
    rank, r = R.shape
    M, M1, m1 = np.zeros((r, rank)), np.zeros((r, rank)), np.zeros(r)
    if direct:
        M, M1, m1 = solutions_with_all(R)
    free, one = no_table(), no_table()
    if use_table and constraint in (NON_NEGATIVE, SHADE):
        free = pivot_table(G, False)
    if use_table and constraint in (SUM_TO_ONE, SHADE):
        one = pivot_table(G, True)
    return Programme(
        R, G, M, M1, m1, inverse_of(M), inverse_of(M1), free, one, constraint, direct, use_table, 0
    )  # fmt: skip
