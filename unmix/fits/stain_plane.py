"""The corners of the stain colours: a robust plane and its two edges, or a smoothed simplex for three stains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

PLANE_ROUNDS = 4
LEAST_OFF_PLANE_DEGREES = 2.0
TURNS = 36
TURN_PIXELS = 10_000
SHARED = 0.90
MUCH_BETTER = 0.7
TAIL_SHARE = 0.03
CORNER_SHARE = 0.015
CORNER_LEAST_PIXELS = 20
DENSE_QUANTILE = 0.25
MAX_SWEEPS = 8

_MAD_TO_SIGMA = 1.4826
_LONGEST_TAIL = 8


@dataclass(frozen=True)
class Corners:
    """Where the stain colours end.

    Parameters
    ----------
    vectors : ndarray, shape (r, 3)
        Anchor directions, non-negative, unit norm, in no order that means anything for three stains; for two, the
        one on the side of the first reference comes first.
    counts : ndarray of int, shape (r,)
        Pixels behind each corner.
    width_degrees : float
        Smallest angle between two corners.
    kept : ndarray of bool, shape (n,)
        False for pixels left out because they lie off the plane of two stains.
    """

    vectors: np.ndarray
    counts: np.ndarray
    width_degrees: float
    kept: np.ndarray

    @property
    def n_off_plane(self) -> int:
        return int((~self.kept).sum())


def find_edges(density: np.ndarray, references: np.ndarray) -> Corners:
    """Find the two edges of the fan that the densities (n, 3) of two stains fill in their common plane.

    The plane is fitted in rounds that leave out what lies far off it; an edge is the mean direction of the outer
    3 % of the density on its side, which noise and single pixels do not own.
    """
    axes, kept, norm = _robust_plane(density)
    angle = np.arctan2(density @ axes[1], density @ axes[0])
    first, second = np.arctan2(references @ axes[1], references @ axes[0])
    if first > second:
        axes, angle = axes * [[1.0], [-1.0]], -angle
    angle, weight = angle[kept], np.minimum(norm[kept], 2.0)
    low, n_low = _tail_mean(angle, weight)
    minus_high, n_high = _tail_mean(-angle, weight)
    vectors = np.array([np.cos(phi) * axes[0] + np.sin(phi) * axes[1] for phi in (low, -minus_high)])
    width = float(np.degrees(-minus_high - low))
    return Corners(_unit(np.maximum(vectors, 0.0)), np.array([n_low, n_high]), width, kept)


def find_corners(density: np.ndarray) -> Corners:
    """Find the three corners of the directions that the densities (n, 3) of three stains fill."""
    norm = _lengths(density)
    dense = norm >= np.quantile(norm, DENSE_QUANTILE)
    direction, weight = density[dense] / norm[dense, None], np.minimum(norm[dense], 2.0)
    lifted = _lift(direction, weight)
    p = min(len(direction), max(CORNER_LEAST_PIXELS, int(CORNER_SHARE * len(direction))))
    if lifted is None:
        vectors = np.repeat(_unit(weight @ direction)[None, :], 3, axis=0)
        return Corners(vectors, np.full(3, p), 0.0, np.ones(len(density), bool))
    groups = _smoothed_extremes(lifted, weight, p)
    groups = _grow_simplex(lifted, weight, groups, p)
    vectors = _unit(np.array([weight[group] @ direction[group] for group in groups]))
    return Corners(vectors, np.full(3, p), smallest_angle(vectors), np.ones(len(density), bool))


def smallest_angle(vectors: np.ndarray) -> float:
    """Return the smallest angle in degrees between any two of several unit vectors."""
    cosine = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    return float(np.degrees(np.arccos(np.clip(cosine.max(), -1.0, 1.0))))


def _robust_plane(density: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return two axes (2, 3) of the plane through the origin that most pixels share, which do, and their lengths."""
    from .stain_plane_kernel import lengths_and_bounded

    norm, bounded, kept = np.empty(len(density)), np.empty((len(density), 3)), np.ones(len(density), bool)
    lengths_and_bounded(density, 1.0, 0.3, norm, bounded)
    axes = _leading_axes(bounded, kept)
    kept = _near_plane(density, norm, _steadier_normal(density, norm, axes[2]), kept)
    for _ in range(PLANE_ROUNDS - 1):
        axes = _leading_axes(bounded, kept)
        kept = _near_plane(density, norm, axes[2], kept)
    plane = axes[:2].copy()
    if plane[0].sum() < 0:
        plane[0] *= -1
    return plane, kept, norm


def _leading_axes(bounded: np.ndarray, kept: np.ndarray) -> np.ndarray:
    from .stain_plane_kernel import products

    gram = np.empty((3, 3))
    products(bounded, kept, gram)
    return np.ascontiguousarray(np.linalg.eigh(gram)[1][:, ::-1].T)


def _near_plane(density: np.ndarray, norm: np.ndarray, normal: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return which pixels lie near a plane, as seen by how far the pixels `among` them lie off it."""
    from .stain_plane_kernel import sines_off_plane

    off = np.empty(len(density))
    sines_off_plane(density, norm, normal, off)
    limit = max(3 * _MAD_TO_SIGMA * float(_degrees(_median(off.compress(among)))), LEAST_OFF_PLANE_DEGREES)
    return off < np.sin(np.radians(min(limit, 90.0)))


def _median(values: np.ndarray) -> float:
    """Return the median of numbers (n,); NumPy's own looks for NaN as well, which takes eight times as long."""
    middle = len(values) // 2
    parted = np.partition(values, middle)
    return float(parted[middle] if len(values) % 2 else (parted[:middle].max() + parted[middle]) / 2)


def _lengths(vectors: np.ndarray) -> np.ndarray:
    """Return the length of every vector (n, 3)."""
    lengths: np.ndarray = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return lengths


def _degrees(sine: Any) -> Any:
    """Return the angles in degrees whose sines these are."""
    return np.degrees(np.arcsin(np.minimum(sine, 1.0)))


def _steadier_normal(density: np.ndarray, norm: np.ndarray, principal: np.ndarray) -> np.ndarray:
    """Return the normal of the principal plane, or of one through the median colour that far more pixels share.

    A little dense ink off the plane turns the principal plane towards itself. A quantile does not see it; a rare stain
    is not seen either, and kept, because no other plane is then much better for the rest.
    """
    from .stain_plane_kernel import count_near

    rows = slice(None, None, max(1, len(density) // TURN_PIXELS))
    direction = (density[rows] / norm[rows, None]).T.astype(np.float32, order="C")
    middle = np.array([_median(channel) for channel in direction], np.float64)
    around = np.linalg.svd(_unit(middle)[None, :])[2][1:]
    turn = np.pi * np.arange(TURNS) / TURNS
    normals = np.vstack([principal, np.cos(turn)[:, None] * around[0] + np.sin(turn)[:, None] * around[1]])
    normals, counts = normals.astype(np.float32), np.empty(len(normals), np.int64)
    shared = int(SHARED * (direction.shape[1] - 1))
    limit = MUCH_BETTER * float(_degrees(_smallest(np.abs(normals[0] @ direction), shared)))
    count_near(direction, normals, np.float32(np.sin(np.radians(limit))), counts)
    better = np.flatnonzero(counts > shared)
    if not len(better):
        return principal
    off = [_smallest(np.abs(normals[k] @ direction), shared) for k in better]
    return normals[better[int(np.argmin(off))]].astype(np.float64)


def _smallest(values: np.ndarray, k: int) -> float:
    """Return the value that k others are smaller than."""
    return float(np.partition(values, k)[k])


def _tail_mean(angle: np.ndarray, weight: np.ndarray) -> tuple[float, int]:
    """Return the weighted mean of the angles that make the first 3 % of the weight, and how many pixels that is."""
    share = TAIL_SHARE * float(weight.sum())
    nearly = len(angle) // _LONGEST_TAIL
    tail = angle <= np.partition(angle, nearly)[nearly]
    if weight[tail].sum() > share:  # what is sorted need not be all
        angle, weight = angle.compress(tail), weight.compress(tail)
    order = np.argsort(angle)
    angle, weight = angle[order], weight[order]
    n = max(1, int(np.searchsorted(np.cumsum(weight), share)))
    return float(np.average(angle[:n], weights=weight[:n])), n


def _lift(direction: np.ndarray, weight: np.ndarray) -> np.ndarray | None:
    """Return the two leading principal coordinates, whitened, with a constant one; None where there is no spread."""
    centred = direction - np.average(direction, axis=0, weights=weight)
    variance, axes = np.linalg.eigh((centred * weight[:, None]).T @ centred / weight.sum())
    if variance[1] <= 1e-12:
        return None
    plane = centred @ axes[:, :0:-1] / np.sqrt(variance[:0:-1])
    return np.column_stack([plane, np.ones(len(plane))])


def _smoothed_extremes(lifted: np.ndarray, weight: np.ndarray, p: int) -> list[np.ndarray]:
    """Find vertices one by one: of the p-pixel means at both ends of every free axis, the farthest from those found."""
    groups: list[np.ndarray] = []
    free = np.eye(3)
    for _ in range(3):
        candidates = [_outermost(sense * (lifted @ axis), p) for axis in free for sense in (1.0, -1.0)]
        means = np.array([np.average(lifted[group], axis=0, weights=weight[group]) for group in candidates])
        best = int(np.argmax(np.linalg.norm(means @ free.T, axis=1)))
        groups.append(candidates[best])
        vertices = np.array([np.average(lifted[group], axis=0, weights=weight[group]) for group in groups])
        free = np.linalg.svd(vertices)[2][len(groups) :]
    return groups


def _grow_simplex(lifted: np.ndarray, weight: np.ndarray, groups: list[np.ndarray], p: int) -> list[np.ndarray]:
    """Move each vertex in turn to the p-pixel mean that makes the triangle largest, until none moves."""
    vertices = np.array([np.average(lifted[group], axis=0, weights=weight[group]) for group in groups])
    groups = list(groups)
    for _ in range(MAX_SWEEPS):
        moved = False
        for k in range(3):
            others = np.delete(vertices, k, axis=0)
            normal = np.cross(others[0], others[1])
            now = abs(normal @ vertices[k])
            for sense in (1.0, -1.0):
                group = _outermost(sense * (lifted @ normal), p)
                mean = np.average(lifted[group], axis=0, weights=weight[group])
                if abs(normal @ mean) > now * (1 + 1e-9):
                    vertices[k], groups[k], now, moved = mean, group, abs(normal @ mean), True
        if not moved:
            break
    return groups


def _outermost(coordinate: np.ndarray, p: int) -> np.ndarray:
    """Return the positions of the p largest values, ascending; a fixed choice among equals."""
    return np.sort(np.argpartition(-coordinate, p - 1)[:p])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
