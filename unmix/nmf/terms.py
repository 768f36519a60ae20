"""What may be added to the loss: terms that each know their value and a simple bound on it.

A term f of a block M (abundances, one endmember a row; or endmembers) supplies a majoriser at M0,

    f(M) <= f(M0) + <G, M - M0> + |M - M0|^2_curvature / 2 + tr((M - M0)' coupling (M - M0)) / 2,

which every update can minimise together with the loss, so that terms compose freely and the objective never rises
(Hunter and Lange 2004, Am. Stat. 58(1), 30-37). G = slope + coupling M0.

Weights are pure numbers. A term of the abundances is multiplied by s = mean |e_k|^2 of the endmembers at the start and
by the typical size of an abundance then, a term of the endmembers by mean |a_k|^2 of the columns of the abundances;
both by the mean of X to the power beta - 2. So an answer does not depend on the unit of X or on the number of pixels:
`Sparsity(0.02)` shrinks an abundance by about 0.02 of its typical size, `SumToOne(1)` counts like one band as bright as
a whole endmember, `Anchored(1)` doubles the curvature that the data give to E.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, OptionError


@dataclass(frozen=True)
class Majoriser:
    """The bound above without its constant; slope and curvature (r, 1) or (r, m), coupling (r, r)."""

    slope: np.ndarray
    curvature: np.ndarray
    coupling: np.ndarray


@dataclass(frozen=True)
class Start:
    """What weights are measured against: the shape (n_pixels, r, n_bands), E at the start, and three scales."""

    shape: tuple[int, int, int]
    E: np.ndarray
    abundance_size: float
    pixel_scale: float
    endmember_scale: float


@dataclass(frozen=True)
class Term(ABC):
    """A penalty with a weight on one block, A or E.

    `shrinks` names the block that it draws towards zero, `limits` the blocks that it keeps from growing without end.
    """

    weight: float

    block: ClassVar[str] = "A"
    shrinks: ClassVar[str] = ""
    limits: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        require_weight(type(self).__name__, "weight", self.weight)

    def bound(self, start: Start) -> Self:
        """Return this term with its weight in the unit of the loss, checked against the start."""
        return replace(self, weight=self.weight * start.pixel_scale * start.abundance_size)

    @abstractmethod
    def value(self, M: np.ndarray) -> float:
        """Return the term's value at a block (r, m)."""

    @abstractmethod
    def majoriser(self, M: np.ndarray) -> Majoriser:
        """Return the term's bound around a block (r, m)."""

    def gradient(self, M: np.ndarray) -> np.ndarray:
        """Return the gradient at a block (r, m)."""
        bound = self.majoriser(M)
        return np.broadcast_to(bound.slope + bound.coupling @ M, M.shape)


@dataclass(frozen=True)
class Sparsity(Term):
    """The sum of all abundances: small ones become zero (L1; Hoyer 2002)."""

    shrinks = "A"
    limits = frozenset("A")

    def value(self, M: np.ndarray) -> float:
        """Return weight times the sum."""
        return self.weight * float(M.sum(dtype=np.float64))

    def majoriser(self, M: np.ndarray) -> Majoriser:
        """Return the term itself, which is linear."""
        return separable(len(M), np.full((len(M), 1), self.weight))


@dataclass(frozen=True)
class RootSparsity(Term):
    """The sum of the roots of the abundances, sparser than L1 (L1/2; Qian et al. 2011, IEEE TGRS 49(11), 4282-4297).

    Not convex: the answer depends on the start. `edge`, in typical abundances, rounds the root off near zero.
    """

    edge: float = 1e-4

    shrinks = "A"
    limits = frozenset("A")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_weight(type(self).__name__, "edge", self.edge, above_zero=True)

    def bound(self, start: Start) -> Self:
        """Return this term with its weight and edge in the units of the loss and the abundances."""
        size = start.abundance_size
        return replace(self, weight=self.weight * start.pixel_scale * size**1.5, edge=self.edge * size)

    def value(self, M: np.ndarray) -> float:
        """Return weight times the sum of the roots, zero at zero."""
        roots = np.sqrt(M + M.dtype.type(self.edge)).sum(dtype=np.float64)
        return self.weight * (float(roots) - M.size * float(np.sqrt(self.edge)))

    def majoriser(self, M: np.ndarray) -> Majoriser:
        """Return the tangent: the root is concave."""
        return separable(len(M), self.weight / (2 * np.sqrt(np.maximum(M, 0) + M.dtype.type(self.edge))))


@dataclass(frozen=True)
class SumToOne(Term):
    """Half the squared distance of each pixel's abundance sum from one (softly; Heinz and Chang 2001 with a weight)."""

    limits = frozenset("AE")

    def bound(self, start: Start) -> Self:
        """Return this term with its weight in the unit of the loss."""
        return replace(self, weight=self.weight * start.pixel_scale)

    def value(self, M: np.ndarray) -> float:
        """Return weight / 2 times the summed squares."""
        return 0.5 * self.weight * float(((M.sum(axis=0) - 1) ** 2).sum(dtype=np.float64))

    def majoriser(self, M: np.ndarray) -> Majoriser:
        """Return the term itself, which is quadratic and couples the endmembers of a pixel."""
        r = len(M)
        return Majoriser(np.full((r, 1), -self.weight), np.zeros((r, 1)), np.full((r, r), self.weight))


@dataclass(frozen=True)
class Anchored(Term):
    """Half the squared distance of E from given endmembers, from those at the start where none are given."""

    to: ArrayLike | None = None

    block = "E"
    limits = frozenset("AE")

    def bound(self, start: Start) -> Self:
        """Return this term with its target."""
        target = np.array(start.E if self.to is None else self.to, np.float64)
        if target.shape != start.E.shape:
            raise DataError(f"Anchored(to=...) has shape {target.shape}; the endmembers have {start.E.shape}.")
        if not np.isfinite(target).all():
            raise DataError("Anchored(to=...) has a value that is not finite.")
        return replace(self, weight=self.weight * start.endmember_scale, to=target)

    def value(self, M: np.ndarray) -> float:
        """Return weight / 2 times the summed squares."""
        return 0.5 * self.weight * float(((M - self.to) ** 2).sum())

    def majoriser(self, M: np.ndarray) -> Majoriser:
        """Return the term itself, which is quadratic."""
        return separable(len(M), self.weight * (M - self.to), np.full((len(M), 1), self.weight))


@dataclass(frozen=True)
class SmoothBands(Term):
    """Half the squared differences between neighbouring bands of E; `breaks` are bands that start a new detector."""

    breaks: tuple[int, ...] = ()

    block = "E"
    shrinks = "E"

    def bound(self, start: Start) -> Self:
        """Return this term with its weight in the unit of the loss."""
        n_bands = start.shape[2]
        if not all(0 < b < n_bands for b in self.breaks):
            raise OptionError(f"SmoothBands(breaks={self.breaks!r}) must be bands between 1 and {n_bands - 1}.")
        return replace(self, weight=self.weight * start.endmember_scale)

    def value(self, M: np.ndarray) -> float:
        """Return weight / 2 times the summed squares."""
        return 0.5 * self.weight * float((self._differences(M) ** 2).sum())

    def majoriser(self, M: np.ndarray) -> Majoriser:
        """Return De Pierro's bound, which takes the neighbours apart."""
        steps = self._differences(M)
        slope = np.zeros_like(M)
        slope[:, 1:] += steps
        slope[:, :-1] -= steps
        joined = np.ones(M.shape[1] - 1)
        joined[[b - 1 for b in self.breaks]] = 0
        degree = np.append(joined, 0) + np.append(0, joined)
        return separable(len(M), self.weight * slope, np.tile(2 * self.weight * degree, (len(M), 1)))

    def _differences(self, M: np.ndarray) -> np.ndarray:
        steps = np.diff(M, axis=1)
        steps[:, [b - 1 for b in self.breaks]] = 0
        return steps


@dataclass(frozen=True)
class MinimumVolume(Term):
    """log det(E E' + delta I) / 2, delta in mean |e_k|^2: draws the endmembers together until the data hold them apart.

    Leplat, Ang and Gillis 2019, IEEE ICASSP, 3402-3406. It shrinks E, so something must keep A from growing in return.
    """

    delta: float = 0.1

    block = "E"
    shrinks = "E"
    limits = frozenset("E")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_weight(type(self).__name__, "delta", self.delta, above_zero=True)

    def bound(self, start: Start) -> Self:
        """Return this term with its weight and delta in the units of the loss and of E."""
        size = float(np.mean(np.sum(start.E**2, axis=1)))
        return replace(self, weight=self.weight * start.endmember_scale * size, delta=self.delta * size)

    def value(self, M: np.ndarray) -> float:
        """Return weight / 2 times the logarithm of the volume, zero at E = 0."""
        return 0.5 * self.weight * float(np.linalg.slogdet(np.eye(len(M)) + M @ M.T / self.delta)[1])

    def majoriser(self, M: np.ndarray) -> Majoriser:
        """Return the tangent of log det, which is concave in E E'."""
        r = len(M)
        coupling = self.weight * np.linalg.inv(M @ M.T + self.delta * np.eye(r))
        return Majoriser(np.zeros((r, 1)), np.zeros((r, 1)), 0.5 * (coupling + coupling.T))


@dataclass(frozen=True)
class FixedRows:
    """Endmembers that do not move, by row number; no penalty but a constraint."""

    rows: tuple[int, ...]

    def mask(self, r: int) -> np.ndarray:
        """Return which of r endmembers are fixed (r,)."""
        rows = np.asarray(self.rows)
        if rows.size and (rows.dtype.kind not in "iu" or rows.ndim != 1 or rows.min() < 0 or rows.max() >= r):
            raise OptionError(f"FixedRows(rows={self.rows!r}) must be row numbers from 0 to {r - 1}.")
        fixed = np.zeros(r, bool)
        fixed[rows.astype(np.int64)] = True
        return fixed


def separable(r: int, slope: np.ndarray, curvature: np.ndarray | None = None) -> Majoriser:
    """Return a majoriser that takes every element by itself."""
    return Majoriser(slope, np.zeros((r, 1)) if curvature is None else curvature, np.zeros((r, r)))


def summed(terms: tuple[Term, ...], M: np.ndarray) -> Majoriser:
    """Return the majoriser of all terms together around a block (r, m); slope and curvature of one width."""
    r = len(M)
    slope, curvature, coupling = np.zeros((r, 1)), np.zeros((r, 1)), np.zeros((r, r))
    for term in terms:
        part = term.majoriser(M)
        slope, curvature, coupling = slope + part.slope, curvature + part.curvature, coupling + part.coupling
    if slope.shape != curvature.shape:
        slope, curvature = (np.ascontiguousarray(a) for a in np.broadcast_arrays(slope, curvature))
    return Majoriser(slope, curvature, coupling)


def uncoupled(bound: Majoriser, M: np.ndarray) -> Majoriser:
    """Return a looser bound around M that takes every element by itself."""
    slope = bound.slope + bound.coupling @ M if bound.coupling.any() else bound.slope
    curvature = bound.curvature + np.abs(bound.coupling).sum(axis=1, keepdims=True)
    if slope.shape != curvature.shape:
        slope, curvature = (np.ascontiguousarray(a) for a in np.broadcast_arrays(slope, curvature))
    return Majoriser(slope, curvature, np.zeros_like(bound.coupling))


def require_weight(owner: str, name: str, value: float, *, above_zero: bool = False) -> None:
    """Refuse a weight that is no finite number, negative, or zero where it may not be."""
    number = isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)
    if not number or not np.isfinite(value) or value < 0 or (above_zero and value == 0):
        raise OptionError(f"{owner}({name}={value!r}) must be a finite number, {'above 0' if above_zero else '>= 0'}.")
