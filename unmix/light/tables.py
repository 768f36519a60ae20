"""Concentrations of stains straight from 8-bit light, by tables: a whole slide at about the cost of decoding it.

An 8-bit channel has 256 values, so its optical density d, its products with the endmembers E d and its square are
tables. The programme min |d - a E|^2, a >= 0 is then solved from r sums a pixel, exactly: in closed form for two stains
(with E >= 0, where an unconstrained a is negative, it is zero), by the table of passive sets beyond.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..nmf.abundances import AbundanceProblem
from .additive import Additive
from .beer_lambert import optical_density_table

_MOST_STAINS = 3
_CONDITION_LIMIT = 1e6


@dataclass(frozen=True)
class LightTables:
    """Everything a pixel is solved from.

    Parameters
    ----------
    products : ndarray, shape (3, 256, r)
        Optical density of each value of each channel, times the endmembers.
    squares : ndarray, shape (3, 256)
        Its square.
    G, inverse : ndarray, shape (r, r)
        Products of the endmembers, and their inverse.
    sets : tuple of ndarray
        The table of passive sets, see `pivot_table`.
    """

    products: np.ndarray
    squares: np.ndarray
    G: np.ndarray
    inverse: np.ndarray
    sets: tuple[np.ndarray, np.ndarray]

    def solve(
        self, values: np.ndarray, valid: np.ndarray, clear: np.ndarray, maps: np.ndarray
    ) -> tuple[float, float, int, int]:
        """Fill maps (r + 1, h, w): abundances and residual; NaN where not valid, zero where clear.

        Returns the sum of squared residuals, the sum of squared densities, and how many pixels were solved and clear.
        """
        from .table_kernel import solve_light

        misfit, squares, n_solved, n_clear = solve_light(
            values, valid, clear, self.products, self.squares, self.G, self.inverse, self.sets, maps
        )
        return float(misfit), float(squares), int(n_solved), int(n_clear)


def light_tables(rule: Additive, problem: AbundanceProblem, dtype: np.dtype) -> LightTables | None:
    """Return the tables of 8-bit transmitted light in three bands and at most three stains, or None for all else."""
    r = len(problem.E)
    plain = rule.quantity == "brightfield" and rule.n_bands == len(rule.good) == 3 and dtype == np.uint8
    if not (plain and problem.constraint == "non_negative" and 2 <= r <= _MOST_STAINS and problem.use_table):
        return None
    G = problem.E @ problem.E.T
    if (G < 0).any() or np.linalg.cond(G) > _CONDITION_LIMIT or rule.white_point is None:
        return None
    density = optical_density_table(dtype, rule.white_point).astype(np.float64)
    products = np.ascontiguousarray(density[:, :, None] * problem.E.T[:, None, :])
    return LightTables(products, density**2, G, np.linalg.inv(G), problem.free)
