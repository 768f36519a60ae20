"""The smallest simplex that softly encloses the pixels: for clean images in which no pixel is pure.

Over vertices M (r, r), rows (f_k, 1) in lifted coordinates, with barycentric coordinates H = Z M^-1:

    min  w log|det M| + mean over pixels of sum_k -log(e + (1 - e) Phi(h_ik / t_ik)),   t_ik^2 = (a^2 + tau_k^2) s_i^2

Phi is the logistic approximation of the normal distribution, tau_k the noise of coordinate k, s_i that of pixel i.
The width a is annealed from 0.05 to 0.001: started narrow, the search sticks at the pixels it starts from. Those count
as pixels too, so that a rare vertex cannot be cut off. In the spirit of SISAL (Bioucas-Dias 2009) and of
log-determinant NMF (Leplat, Ang and Gillis 2019). It fails where spectra vary within a material: variability is taken
for volume. Use it behind the gate of `fits.no_pure_pixels` only.
"""

from __future__ import annotations

import numpy as np

_VOLUME_WEIGHT = 0.1
_OUTLIER_SHARE = 1e-4
_LOGISTIC = 1.702
_ANNEALING = np.geomspace(0.05, 0.001, 5)
_STEPS = 60
_VERTEX_WEIGHT = 0.02


def enclose_softly(Z: np.ndarray, vertices: np.ndarray, tau: np.ndarray, relative_noise: np.ndarray) -> np.ndarray:
    """Move the vertices of a simplex outwards until it softly encloses the points, and no further.

    Parameters
    ----------
    Z : ndarray, shape (n, r)
        Lifted points, last column one; a few thousand are enough.
    vertices : ndarray, shape (r, r)
        Where to start, last column one.
    tau : ndarray, shape (r,)
        Noise of each barycentric coordinate of a typical point.
    relative_noise : ndarray, shape (n,)
        Noise of each point, 1 for a typical one.

    Returns
    -------
    ndarray, shape (r, r)
        The vertices, last column one.
    """
    from scipy.optimize import minimize

    r = len(vertices)
    points = np.vstack([Z, vertices]).astype(np.float64)
    weights = np.concatenate([np.full(len(Z), 1.0 / len(Z)), np.full(r, _VERTEX_WEIGHT)])
    spread = np.maximum(np.concatenate([relative_noise, np.ones(r)]), 0.3)
    M = vertices.astype(np.float64).copy()
    for width in _ANNEALING:
        t = np.sqrt(width**2 + tau[None] ** 2) * spread[:, None]
        answer = minimize(
            _objective,
            M[:, : r - 1].ravel(),
            (points, weights, t),
            method="L-BFGS-B",
            jac=True,
            options={"maxiter": _STEPS},
        )
        M[:, : r - 1] = answer.x.reshape(r, r - 1)
    return M


def _objective(free: np.ndarray, points: np.ndarray, weights: np.ndarray, t: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the objective and its gradient in the free columns of M."""
    r = points.shape[1]
    M = np.column_stack([free.reshape(r, r - 1), np.ones(r)])
    sign, logdet = np.linalg.slogdet(M)
    if sign == 0 or not np.isfinite(logdet):
        return 1e12, np.zeros_like(free)
    inverse = np.linalg.inv(M)
    H = points @ inverse
    inside = 1.0 / (1.0 + np.exp(-np.clip(_LOGISTIC * H / t, -60, 60)))
    likelihood = _OUTLIER_SHARE + (1 - _OUTLIER_SHARE) * inside
    value = _VOLUME_WEIGHT * logdet - float(weights @ np.log(likelihood).sum(axis=1))
    slope = -(1 - _OUTLIER_SHARE) * inside * (1 - inside) * _LOGISTIC / (t * likelihood) * weights[:, None]
    gradient = _VOLUME_WEIGHT * inverse.T - (H.T @ slope) @ inverse.T
    return value, gradient[:, : r - 1].ravel()
