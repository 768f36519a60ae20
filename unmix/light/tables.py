"""Concentrations of stains straight from 8- or 16-bit light, by tables: a whole slide at about the cost of decoding it.

A channel has 256 or 65536 values, so its optical density d is a table. The programme
min |d - a E|^2, a >= 0 is solved in closed form, many pixels at a time and without a branch: with two stains, where an
unconstrained a is negative, it is zero (E >= 0); with three, what lies outside their cone is nearest to a face.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..nmf.abundances import AbundanceProblem
from .additive import Additive
from .beer_lambert import optical_density_table

_CONDITION_LIMIT = {2: 1e6, 3: 1e4}
_UNIT = 1e-9
_ALL_VALID = np.ones((0, 0), bool)
NO_PIXELS = np.empty((0, 0, 0), np.uint8)


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

    @property
    def all_clear(self) -> bool:
        """Whether there is nothing else in the block."""
        rows, columns = self.down, self.across
        return len(rows) > 0 and bool(self.cells[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all())

    def part(self, rows: slice, columns: slice) -> ClearCells:
        """Return what is clear in some rows and columns of the block."""
        return ClearCells(self.cells, self.down[rows], self.across[columns])


NOTHING_CLEAR = ClearCells(np.zeros((1, 1), bool), np.zeros(0, np.int64), np.zeros(0, np.int64))


@dataclass(frozen=True)
class LightTables:
    """Everything a pixel is solved from.

    Parameters
    ----------
    density : ndarray of float32, shape (3, 256 or 65536)
        Optical density of each value of each channel.
    E : ndarray, shape (r, 3)
        Two or three stains.
    """

    density: np.ndarray
    E: np.ndarray

    def solve(
        self, values: np.ndarray, valid: np.ndarray, clear: ClearCells, maps: np.ndarray
    ) -> tuple[float, float, int, int]:
        """Fill maps (r + 1, h, w): abundances and residual; NaN where not valid, zero where clear.

        Returns the sum of squared residuals, the sum of squared densities, and how many pixels were solved and clear.
        """
        from .table_kernel import solve

        misfit, squares, n_solved, n_clear = solve(values, _where(valid, clear), self.density, self._stains, maps)
        for k, length in enumerate(self._lengths):
            if abs(length - 1.0) > _UNIT:
                maps[k] /= length
        return float(misfit), float(squares), int(n_solved), int(n_clear)

    def add_to(
        self,
        into: tuple[np.ndarray, np.ndarray, np.ndarray],
        values: np.ndarray,
        valid: np.ndarray,
        clear: ClearCells,
        *,
        place: tuple[int, int, int],
        per_unit: int,
        most: int,
        pixels: np.ndarray = NO_PIXELS,
        pixels_per_unit: int = 1,
    ) -> tuple[float, float, int, int, int]:
        """Solve a block, and only add its maps up, in whole numbers.

        Returns what `solve` returns, and how many `pixels` were larger than 255.

        Parameters
        ----------
        into : (ndarray, ndarray, ndarray)
            Sums (r + 1, Y, X) over the cells of a coarse grid, the number (Y, X) of pixels that are not valid, both
            uint32, and the largest number (r + 1,) of each map.
        values, valid, clear
            As in `solve`.
        place : (int, int, int)
            Row and column of the block's first pixel in the first of these cells; pixels on a side of a cell.
        per_unit, most : int
            Numbers to a concentration of one, and the most one pixel adds.
        pixels : ndarray of uint8, shape (r, h, w)
            Where the abundances are also put, rounded, zero where clear or not valid; zero before. Nowhere when empty.
        pixels_per_unit : int
            What a concentration of one is there.
        """
        from .table_sums import sum_maps

        scale = (per_unit / self._lengths_of_maps).astype(np.float32)
        in_pixels = (pixels_per_unit / self._lengths).astype(np.float32)
        misfit, squares, n_solved, n_clear, n_beyond = sum_maps(
            values, _where(valid, clear), self.density, self._stains, scale, np.float32(most), into, place,
            pixels, in_pixels,
        )  # fmt: skip
        return float(misfit), float(squares), int(n_solved), int(n_clear), int(n_beyond)

    @cached_property
    def _lengths(self) -> np.ndarray:
        """Return the lengths of the stains, which are solved as unit vectors."""
        return np.linalg.norm(self.E, axis=1)

    @cached_property
    def _lengths_of_maps(self) -> np.ndarray:
        """Return what every map, the residual last, is divided by."""
        return np.append(self._lengths, 1.0)

    @cached_property
    def _stains(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return, for each two neighbours, an orthonormal frame and their angle; and what undoes three stains.

        The frame is along the first stain, beside it in the plane of both, and across that plane, so that nothing is
        lost to rounding where the residual is small.
        """
        unit = self.E / self._lengths[:, None]
        pairs = [(k % len(unit), (k + 1) % len(unit)) for k in range(3)]
        frames, angles = np.empty((3, 3, 3)), np.empty((3, 3))
        for k, (i, j) in enumerate(pairs):
            cos = float(unit[i] @ unit[j])
            beside = unit[j] - cos * unit[i]
            sin = float(np.linalg.norm(beside))
            frames[k] = unit[i], beside / sin, np.cross(unit[i], beside / sin)
            angles[k] = cos, sin, 1.0 / sin
        inverse = np.linalg.inv(unit.T) if len(unit) == 3 else np.eye(3)
        return frames.astype(np.float32), angles.astype(np.float32), inverse.astype(np.float32)


def _where(valid: np.ndarray, clear: ClearCells) -> tuple[np.ndarray, ...]:
    """Return what says of every pixel whether it is solved, clear or invalid."""
    whole = valid.size > 0 and valid.strides == (0, 0) and bool(valid[0, 0])
    return (_ALL_VALID if whole else valid), clear.cells, clear.down, clear.across


def light_tables(rule: Additive, problem: AbundanceProblem, dtype: np.dtype) -> LightTables | None:
    """Return the tables of light in whole numbers, three bands and two or three stains, or None for all else."""
    plain = rule.quantity == "brightfield" and rule.n_bands == len(rule.good) == 3 and dtype in (np.uint8, np.uint16)
    if not (
        plain and problem.constraint == "non_negative" and len(problem.E) in (2, 3) and problem.programme.use_table
    ):
        return None
    G = problem.E @ problem.E.T
    if (G < 0).any() or np.linalg.cond(G) > _CONDITION_LIMIT[len(G)] or rule.white_point is None:
        return None
    return LightTables(optical_density_table(dtype, rule.white_point), problem.E)
