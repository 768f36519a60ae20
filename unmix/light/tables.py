"""Concentrations of stains straight from 8-bit light, by tables: a whole slide at about the cost of decoding it.

An 8-bit channel has 256 values, so its optical density d and whatever is linear in d are tables. The programme
min |d - a E|^2, a >= 0 is then solved from three sums a pixel, exactly: in closed form for two stains (with E >= 0,
where an unconstrained a is negative, it is zero), by the table of passive sets for three.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..nmf.abundances import AbundanceProblem
from .additive import Additive
from .beer_lambert import optical_density_table

_CONDITION_LIMIT = 1e6
_ALL_VALID = np.ones((0, 0), bool)


@dataclass(frozen=True)
class ClearCells:
    """Which pixels of a block are known to hold nothing: those whose cell is True.

    Parameters
    ----------
    cells : ndarray of bool
        Cells of a coarse picture.
    down, across : ndarray of int
        The cell of every row and of every column of the block; empty where nothing is clear.
    """

    cells: np.ndarray
    down: np.ndarray
    across: np.ndarray


NOTHING_CLEAR = ClearCells(np.zeros((1, 1), bool), np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True)
class LightTables:
    """Everything a pixel is solved from.

    Parameters
    ----------
    density : ndarray of float64, shape (3, 256)
        Optical density of each value of each channel.
    E : ndarray, shape (r, 3)
        Two or three stains.
    sets : tuple of ndarray
        The table of passive sets, see `pivot_table`.
    """

    density: np.ndarray
    E: np.ndarray
    sets: tuple[np.ndarray, np.ndarray]

    @cached_property
    def _arguments(self) -> tuple[Any, ...]:
        return self._of_two() if len(self.E) == 2 else self._of_three()

    def solve(
        self, values: np.ndarray, valid: np.ndarray, clear: ClearCells, maps: np.ndarray
    ) -> tuple[float, float, int, int]:
        """Fill maps (r + 1, h, w): abundances and residual; NaN where not valid, zero where clear.

        Returns the sum of squared residuals, the sum of squared densities, and how many pixels were solved and clear.
        """
        from .table_kernel import solve_three, solve_two

        whole = valid.size > 0 and valid.strides == (0, 0) and bool(valid[0, 0])
        where = (_ALL_VALID if whole else valid, clear.cells, clear.down, clear.across)
        solver = solve_two if len(self.E) == 2 else solve_three
        misfit, squares, n_solved, n_clear = solver(values, *where, *self._arguments, maps)
        for k, length in self._lengths:
            maps[k] /= length
        return float(misfit), float(squares), int(n_solved), int(n_clear)

    @cached_property
    def _lengths(self) -> list[tuple[int, np.float32]]:
        """Return which of two stains is no unit vector, and its length: they are solved as unit vectors."""
        lengths = np.linalg.norm(self.E, axis=1) if len(self.E) == 2 else np.ones(0)
        return [(k, np.float32(length)) for k, length in enumerate(lengths) if abs(length - 1.0) > 1e-9]

    def _of_two(self) -> tuple[np.ndarray, np.float32, np.float32]:
        """Return the density of each value in an orthonormal frame, and cosine and sine between the stains."""
        first, second = self.E / np.linalg.norm(self.E, axis=1, keepdims=True)
        cos = float(first @ second)
        beside = second - cos * first
        sin = float(np.linalg.norm(beside))
        axes = np.stack([first, beside / sin, np.cross(first, beside / sin)], axis=1)
        frame = np.zeros((3, 256, 4), np.float32)
        frame[:, :, :3] = self.density[:, :, None] * axes[:, None, :]
        return frame, np.float32(cos), np.float32(sin)

    def _of_three(self) -> tuple[np.ndarray, ...]:
        """Return the products of each value with the stains, its square, and the products of the stains."""
        G = self.E @ self.E.T
        products = np.ascontiguousarray(self.density[:, :, None] * self.E.T[:, None, :])
        return products, self.density**2, G, np.linalg.inv(G), *self.sets


def light_tables(rule: Additive, problem: AbundanceProblem, dtype: np.dtype) -> LightTables | None:
    """Return the tables of 8-bit transmitted light in three bands and two or three stains, or None for all else."""
    plain = rule.quantity == "brightfield" and rule.n_bands == len(rule.good) == 3 and dtype == np.uint8
    if not (plain and problem.constraint == "non_negative" and len(problem.E) in (2, 3) and problem.use_table):
        return None
    G = problem.E @ problem.E.T
    if (G < 0).any() or np.linalg.cond(G) > _CONDITION_LIMIT or rule.white_point is None:
        return None
    density = optical_density_table(dtype, rule.white_point).astype(np.float64)
    return LightTables(density, problem.E, problem.free)
