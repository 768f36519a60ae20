"""Anchors whose smoothing follows the noise of the image: one pixel a vertex where it is clean, many where it is not.

Pixels (linear signal coordinates y, shape (rows, columns, r)) are divided by their brightness g, so that shade does
not matter, and lifted: z = y / g, f = B (z - median), B whitening the r-1 leading axes. The noise of a pixel then
grows as nu = 1 / g. A 3x3 filter keeps a pixel's own value as far as it stands out of that noise. Each vertex is the
median of the pixels that go as far as the farthest one within the noise, judged by a lower confidence score, so that
dark, noisy pixels do not pass for materials.

It is exact without noise and keeps rare materials; it fails where two odd but bright pixels go farthest: look at the
number of pixels behind each vertex.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .anchors import grow_by, median_of_rows

_CONFIDENCE = 2.0
_REACH = 3.0
_MOST_SHARE = 0.01
_NOISE_EXPONENT = 0.75
_SWEEPS = 5
_LOOK = 4096


@dataclass(frozen=True)
class BrightnessLift:
    """Pixels at equal brightness in whitened coordinates, and how to return to signal coordinates.

    Parameters
    ----------
    F : ndarray, shape (rows, columns, r - 1)
        Whitened coordinates, NaN where invalid.
    relative_noise : ndarray, shape (rows, columns)
        Noise of a pixel relative to one of mean brightness.
    centre : ndarray, shape (r,)
    axes : ndarray, shape (r, r - 1)
        ``centre + axes @ f`` is the pixel in signal coordinates at brightness one.
    whiten : ndarray, shape (r - 1, r)
    darkest : float
        Brightness below which pixels are divided by this instead.
    """

    F: np.ndarray
    relative_noise: np.ndarray
    centre: np.ndarray
    axes: np.ndarray
    whiten: np.ndarray
    darkest: float


@dataclass(frozen=True)
class AdaptiveAnchors:
    """Vertices in lifted coordinates (r, r), the flat pixels behind each, and the noise of each abundance (r,)."""

    vertices: np.ndarray
    members: list[np.ndarray]
    tau: np.ndarray


@dataclass(frozen=True)
class JudgedSimplex:
    """How a simplex encloses the pixels: the noise of each coordinate (r,) and the share of pixels outside beyond it.

    With it the lifted points (n, r) and their relative noise (n,) that were judged.
    """

    tau: np.ndarray
    outside: float
    points: np.ndarray
    relative_noise: np.ndarray


def lift_at_equal_brightness(Y: np.ndarray, mean: np.ndarray) -> BrightnessLift:
    """Divide signal coordinates Y (rows, columns, r) by their brightness and whiten them; `mean` (r,) is their mean."""
    from .kernels import mean_3x3

    r = Y.shape[2]
    Y = np.asarray(Y, np.float64)
    g = Y @ (mean / (mean @ mean))
    local = np.empty((*g.shape, 1))
    mean_3x3(g[..., None], 1, local)
    darkest = 0.05 * float(np.nanmedian(g))
    g = np.maximum(np.maximum(g, 0.3 * local[..., 0]), darkest)
    Z = Y / g[..., None]
    flat, weight = Z.reshape(-1, r), np.minimum(1.0, g.ravel()) ** 2
    known = np.isfinite(flat[:, 0])
    centre = median_of_rows(flat[known])
    centred = flat[known] - centre
    covariance = (centred * weight[known, None]).T @ centred / weight[known].sum()
    values, vectors = np.linalg.eigh(covariance)
    scale = np.sqrt(np.maximum(values[::-1][: r - 1], 1e-30 * max(values[-1], 1e-300)))
    leading = vectors[:, ::-1][:, : r - 1]
    whiten = leading.T / scale[:, None]
    return BrightnessLift((Z - centre) @ whiten.T, 1.0 / g, centre, leading * scale, whiten, darkest)


def adaptive_anchors(lift: BrightnessLift, noise: float, misfit: float) -> AdaptiveAnchors:
    """Find r anchors at a smoothing that follows the noise.

    Parameters
    ----------
    lift : BrightnessLift
    noise : float
        Variance of the white noise in signal coordinates.
    misfit : float
        Variance along the first direction that r endmembers leave out.
    """
    k = lift.F.shape[2]
    spread = lift.whiten @ lift.whiten.T
    flat = filter_by_noise(lift.F, lift.relative_noise, noise * spread).reshape(-1, k)
    known = np.flatnonzero(np.isfinite(flat[:, 0]))
    nu = lift.relative_noise.ravel()[known]
    typical = float(np.median(nu))
    S = np.zeros((k + 1, k + 1))
    S[:k, :k] = (noise / 4 + misfit) * spread
    search = _Search(
        np.column_stack([flat[known], np.ones(len(known))]), S, typical * (nu / typical) ** _NOISE_EXPONENT
    )
    vertices, members = grow_by(search.farthest, *search.project_successively(), _SWEEPS)
    return AdaptiveAnchors(vertices, [known[rows] for rows in members], _noise_of_coordinates(vertices, S, typical))


def judge_simplex(lift: BrightnessLift, vertices: np.ndarray, noise: float, misfit: float) -> JudgedSimplex:
    """Ask how a simplex with these lifted vertices (r, r) encloses the pixels; noise and misfit as in the search."""
    k = lift.F.shape[2]
    spread = lift.whiten @ lift.whiten.T
    flat = filter_by_noise(lift.F, lift.relative_noise, noise * spread).reshape(-1, k)
    known = np.isfinite(flat[:, 0])
    points = np.column_stack([flat[known], np.ones(int(known.sum()))])
    nu = lift.relative_noise.ravel()[known]
    typical = float(np.median(nu))
    S = np.zeros((k + 1, k + 1))
    S[:k, :k] = (noise / 4 + misfit) * spread
    tau = _noise_of_coordinates(vertices, S, typical)
    H = points @ np.linalg.inv(vertices)
    allowed = 0.02 + 3 * tau * (nu / typical)[:, None]
    outside = float((allowed + H < 0).any(axis=1).mean())
    return JudgedSimplex(tau, outside, points, nu / typical)


def _noise_of_coordinates(vertices: np.ndarray, S: np.ndarray, typical: float) -> np.ndarray:
    """Return the standard deviation of each barycentric coordinate of a typical pixel."""
    inverse = np.linalg.inv(vertices)
    return typical * np.sqrt(np.einsum("ik,ij,jk->k", inverse, S, inverse))


def filter_by_noise(F: np.ndarray, relative_noise: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """Average each pixel with its neighbours as far as its difference from them is noise; without noise, not at all."""
    from .kernels import mean_3x3

    k = F.shape[2]
    if not np.any(noise) or np.linalg.cond(noise) > 1e12:
        return F
    mean = np.empty_like(F)
    mean_3x3(F, 1, mean)
    D = F - mean
    q = np.einsum("yxi,ij,yxj->yx", D, np.linalg.inv(noise), D) / relative_noise**2
    for _ in range(2):
        box = np.empty((*q.shape, 1))
        mean_3x3(q[..., None], 1, box)
        q = box[..., 0]
    q = q * 9 / 8
    keep = np.clip(1 - k / np.maximum(q, 1e-300), 0, 1)
    return mean + keep[..., None] * D


@dataclass(frozen=True)
class _Search:
    """Lifted points Z (n, r), their noise: covariance S (r, r) times a size a point (n,)."""

    Z: np.ndarray
    S: np.ndarray
    size: np.ndarray

    def farthest(self, direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the median of the pixels that go as far as the farthest within the noise, and those pixels."""
        sigma = float(np.sqrt(direction @ self.S @ direction))
        score = self.Z @ direction - _CONFIDENCE * sigma * self.size
        rows = _highest(score, max(5, int(_MOST_SHARE * len(score))))
        reach = _REACH * sigma * float(np.median(self.size[rows[:5]]))
        rows = rows[score[rows] >= score[rows[0]] - reach]
        return median_of_rows(self.Z[rows]), rows

    def project_successively(self) -> tuple[np.ndarray, list[np.ndarray]]:
        r = self.Z.shape[1]
        P = np.eye(r)
        vertices, members = [], []
        for step in range(r):
            noise = np.sqrt(max(0.0, float(np.trace(P @ self.S @ P))) / (r - step))
            rest = self.Z @ P
            start = np.sqrt(np.einsum("ij,ij->i", rest, rest)) - _CONFIDENCE * noise * self.size
            direction = rest[int(np.argmax(start))]
            vertex, rows = self.farthest(direction / max(float(np.linalg.norm(direction)), 1e-300))
            vertices.append(vertex)
            members.append(rows)
            v = P @ vertex
            P = P - np.outer(v, v) / max(float(v @ v), 1e-300)
        return np.array(vertices), members


def _highest(score: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the `count` highest scores, highest first; a strided look bounds what has to be ordered."""
    step = max(1, len(score) // _LOOK)
    look = score[::step]
    place = max(0, len(look) - 1 - (2 * count // step + 16))
    rows = np.flatnonzero(score >= np.partition(look, place)[place])
    if len(rows) < count:
        rows = np.arange(len(score))
    return rows[np.lexsort((rows, -score[rows]))][:count]
