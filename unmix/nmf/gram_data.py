"""The data as the squared error sees them: only X E', A'X and the error itself are ever needed.

Either all bands, walked through once an iteration in strips of rows that fit the cache, or coordinates: X ~ Y Q' with k
orthonormal columns Q, the leading axes of a fixed sample of rows, so that an iteration reads n x k numbers. In
coordinates E E', A'A and the constraint E >= 0 stay exact, on all bands; what is approximate is the data: X is replaced
by its projection X Q Q', and the energy lost is added to the objective. The error of the objective is the inner product
of A E with what was lost, zero where E lies in the span of Q.

Residuals R = X - A E are gathered, A'R and |R|^2, not A'X: differences of objectives keep their digits in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from .threads import side_by_side

_STRIP_BYTES = 800_000
_SAMPLE = 20_000
_LANES = 512
_PARTS = 8


@dataclass(frozen=True)
class Moments:
    """What an update of E and the objective need of A: A'R, A'A, |R|^2 / 2, with R = X - A E; A'B of an earlier B."""

    E: np.ndarray
    residual: np.ndarray
    gram: np.ndarray
    half_error: float
    cross: np.ndarray

    @property
    def data(self) -> np.ndarray:
        """A'X (r, n_bands)."""
        return self.residual + self.gram @ self.E

    def half_error_of(self, E: np.ndarray) -> float:
        """Return half the squared error with other endmembers."""
        moved = self.E - E
        return self.half_error + float(np.sum(self.residual * moved)) + 0.5 * float(np.sum((self.gram @ moved) * moved))

    def ahead(self, earlier: Moments, step: float) -> tuple[np.ndarray, np.ndarray]:
        """Return C'X and C'C of C = A + step (A - B), where B are the abundances of `earlier`."""
        mixed = (1 + step) * step * (self.cross + self.cross.T)
        gram = (1 + step) ** 2 * self.gram - mixed + step**2 * earlier.gram
        return (1 + step) * self.data - step * earlier.data, gram


class GramData(Protocol):
    """Data that a pass walks through in strips of rows; `energy` is |X|^2."""

    dtype: np.dtype
    n: int
    strip: int
    energy: float

    def prepare(self, E: np.ndarray) -> np.ndarray:
        """Return E in the form that `targets` and `gather` take."""

    def targets(self, prepared: np.ndarray, start: int, stop: int, T: np.ndarray) -> None:
        """Write E X[start:stop]' into T (r, stop - start)."""

    def blank(self, r: int) -> np.ndarray:
        """Return zeros for `gather` to add to."""

    def gather(self, prepared: np.ndarray, M: np.ndarray, start: int, stop: int, out: np.ndarray) -> float:
        """Add M R of these rows to out and return their |R|^2."""

    def complete(self, gathered: np.ndarray, error: float, gram: np.ndarray, E: np.ndarray) -> tuple[np.ndarray, float]:
        """Return A'R (r, n_bands) and |R|^2 from what was gathered."""


class FullBands:
    """The data as they are (n, n_bands)."""

    def __init__(self, X: np.ndarray) -> None:
        self.X, self.dtype, self.n = X, X.dtype, len(X)
        self.strip = max(64, _STRIP_BYTES // (X.shape[1] * X.itemsize))
        self.energy = sum(energy(X[i : i + self.strip]) for i in range(0, self.n, self.strip))

    def prepare(self, E: np.ndarray) -> np.ndarray:
        """Return E with rows of zeros, as the kernels want it."""
        from .kernels import padded_endmembers

        return padded_endmembers(E, self.dtype)

    def targets(self, prepared: np.ndarray, start: int, stop: int, T: np.ndarray) -> None:
        """Write E X[start:stop]' into T (r, stop - start)."""
        from .kernels import dot_new_rows

        dot_new_rows(self.X[start:stop], prepared[: len(T)], T[:, : stop - start].T)

    def blank(self, r: int) -> np.ndarray:
        """Return zeros (r, n_bands)."""
        return np.zeros((r, self.X.shape[1]))

    def gather(self, prepared: np.ndarray, M: np.ndarray, start: int, stop: int, out: np.ndarray) -> float:
        """Add M R of these rows to out and return their |R|^2."""
        from .full_band_kernels import ROWS, gather_rows

        work, sums = np.empty((ROWS, self.X.shape[1]), self.dtype), np.empty_like(prepared)
        return float(gather_rows(self.X, start, stop, M, prepared, work, sums, out))

    def complete(self, gathered: np.ndarray, error: float, gram: np.ndarray, E: np.ndarray) -> tuple[np.ndarray, float]:
        """Return what was gathered."""
        return gathered, error


class Coordinates:
    """The data in k coordinates, held one coordinate a row: Y' (k, n)."""

    def __init__(self, X: np.ndarray, k: int) -> None:
        sample = X[_spread_rows(len(X))].astype(np.float64)
        self.Q = np.ascontiguousarray(np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, :k])
        self.Y, self.dtype, self.n = np.empty((k, len(X)), X.dtype), X.dtype, len(X)
        rows = FullBands(X)
        prepared, T = rows.prepare(self.Q.T), np.empty((k, rows.strip), X.dtype)
        for i in range(0, self.n, rows.strip):
            stop = min(i + rows.strip, self.n)
            rows.targets(prepared, i, stop, T)
            self.Y[:, i:stop] = T[:, : stop - i]
        self.energy = rows.energy
        self.lost = max(self.energy - energy(self.Y), 0.0)
        self.strip = max(_LANES, _STRIP_BYTES // (k * X.itemsize))

    def prepare(self, E: np.ndarray) -> np.ndarray:
        """Return E Q (r, k)."""
        return np.ascontiguousarray(E @ self.Q, self.dtype)

    def targets(self, prepared: np.ndarray, start: int, stop: int, T: np.ndarray) -> None:
        """Write E Q Y[:, start:stop] into T (r, stop - start)."""
        from .refine_kernels import targets_of_columns

        targets_of_columns(self.Y, start, stop, prepared, T)

    def blank(self, r: int) -> np.ndarray:
        """Return zeros (r, k)."""
        return np.zeros((r, len(self.Y)))

    def gather(self, prepared: np.ndarray, M: np.ndarray, start: int, stop: int, out: np.ndarray) -> float:
        """Add M D' to out, D the residual in coordinates, and return |D|^2."""
        from .refine_kernels import gather_residuals

        work = np.empty((1, _LANES), self.dtype)
        return float(gather_residuals(self.Y, start, stop, M, prepared, work, out))

    def complete(self, gathered: np.ndarray, error: float, gram: np.ndarray, E: np.ndarray) -> tuple[np.ndarray, float]:
        """Add what lies outside the span of Q: the endmembers' part, and the energy lost."""
        outside = E - (E @ self.Q) @ self.Q.T
        missed = gram @ outside
        return gathered @ self.Q.T - missed, error + float(np.sum(missed * outside)) + self.lost


def moments(
    data: GramData,
    M: np.ndarray,
    E: np.ndarray,
    threads: int,
    earlier: np.ndarray | None = None,
    visit: Callable[[np.ndarray, int, int, np.ndarray], None] | None = None,
) -> Moments:
    """Return the moments of abundances M (r, n) with E, in one pass; each strip may be visited (improved) first.

    The pass is cut into the same parts, added up in the same order, whatever the number of threads.
    """
    E = E.astype(data.dtype).astype(np.float64)
    prepared, r = data.prepare(E), len(M)

    def walk(span: tuple[int, int]) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
        return _walk(data, M, prepared, *span, earlier, visit)

    edges = np.linspace(0, data.n, min(_PARTS, -(-data.n // data.strip)) + 1).astype(np.int64).tolist()
    parts = side_by_side(walk, list(pairwise(edges)), threads)
    gathered, error, gram, cross = data.blank(r), 0.0, np.zeros((r, r)), np.zeros((r, r))
    for part in parts:
        gathered, error, gram, cross = gathered + part[0], error + part[1], gram + part[2], cross + part[3]
    residual, error = data.complete(gathered, error, gram, E)
    return Moments(E, residual, gram, 0.5 * error, cross)


def _walk(
    data: GramData,
    M: np.ndarray,
    prepared: np.ndarray,
    low: int,
    high: int,
    earlier: np.ndarray | None,
    visit: Callable[[np.ndarray, int, int, np.ndarray], None] | None,
) -> tuple[np.ndarray, float, np.ndarray, np.ndarray]:
    """Walk through rows low to high: what `gather` gives, the error, A'A and A'B."""
    from .refine_kernels import gather_gram, gather_products

    r = len(M)
    gathered, error, gram, cross = data.blank(r), 0.0, np.zeros((r, r)), np.zeros((r, r))
    T = np.empty((r, data.strip), M.dtype)
    for start in range(low, high, data.strip):
        stop = min(start + data.strip, high)
        if visit is not None:
            visit(prepared, start, stop, T)
        error += data.gather(prepared, M, start, stop, gathered)
        gather_gram(M, start, stop, gram)
        if earlier is not None:
            gather_products(M, earlier, start, stop, cross)
    return gathered, error, gram, cross


def _spread_rows(n: int) -> np.ndarray:
    """Return up to _SAMPLE rows, one at random from each stretch of the same length: always the same ones."""
    edges = np.linspace(0, n, min(n, _SAMPLE) + 1).astype(np.int64)
    return edges[:-1] + np.floor(np.random.default_rng(0).random(len(edges) - 1) * np.diff(edges)).astype(np.int64)


def energy(values: np.ndarray) -> float:
    """Return the sum of squares in float64."""
    return float(np.einsum("ij,ij->", values, values, dtype=np.float64))
