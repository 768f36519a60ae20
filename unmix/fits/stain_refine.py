"""Sparse anchored refinement of stain vectors.

Papers write V = W H with pixels in columns; here a pixel is a row: density (n, 3) ~ H (n, r) W (r, 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MAX_ITERATIONS = 20
TOLERANCE = 1e-4
HUBER = 1.345 * 1.4826


@dataclass(frozen=True)
class Refined:
    """Stain vectors (r, 3), the share of each stain, the objective by iteration, and why the iteration stopped."""

    vectors: np.ndarray
    shares: np.ndarray
    objective: np.ndarray
    stop_reason: str


def refine_stain_vectors(
    density: np.ndarray,
    anchors: np.ndarray,
    references: np.ndarray,
    *,
    sparsity: float = 0.06,
    anchor_weight: float = 0.05,
    prior_weight: float = 0.01,
) -> Refined:
    """Refine stain vectors so that pixels need few stains, held to the data's hull and to the references.

    Minimises sum rho(|y - h W|) / 2 + sparsity |h|_1 + (m / 2) |W - anchors|^2 + (p / 2) |W - references|^2 over
    W and h >= 0 with unit rows of W, rho the Huber loss, m and p the two weights times the mean stain energy.

    Parameters
    ----------
    density : ndarray, shape (n, 3)
        Optical density of tissue pixels.
    anchors, references : ndarray, shape (r, 3)
        Unit vectors, row k of both for the same stain.
    sparsity, anchor_weight, prior_weight : float
        Weights of the one-norm, of the anchors and of the references.

    Returns
    -------
    Refined

    Notes
    -----
    Sparse stain factorisation: Vahadane et al., IEEE Trans Med Imaging 35:1962-1971, 2016; the anchor and the robust
    loss keep it from drawing the vectors together.
    """
    from .stain_refine_kernel import robust_sums, sparse_concentrations

    vectors = anchors.copy()
    r = len(vectors)
    h, distance = np.zeros((len(density), r)), np.empty(len(density))
    stain_energy, towards = np.empty((r, r)), np.empty((r, 3))
    objective = []
    stop_reason = "iteration limit"
    for _ in range(MAX_ITERATIONS):
        sparse_concentrations(density, vectors, vectors @ vectors.T, sparsity, h, distance)
        limit = max(HUBER * float(np.median(distance)), 1e-12)
        loss = robust_sums(density, h, distance, limit, stain_energy, towards)
        m, p = (share * np.trace(stain_energy) / r for share in (anchor_weight, prior_weight))
        pull = m * ((vectors - anchors) ** 2).sum() + p * ((vectors - references) ** 2).sum()
        objective.append(float(loss + sparsity * h.sum() + pull / 2))
        before = vectors.copy()
        for k in range(r):
            step = (
                towards[k]
                - stain_energy[k] @ vectors
                + m * (anchors[k] - vectors[k])
                + p * (references[k] - vectors[k])
            )
            moved = np.maximum(vectors[k] + step / max(stain_energy[k, k] + m + p, 1e-12), 0.0)
            if moved.any():
                vectors[k] = moved / np.linalg.norm(moved)
        if np.abs(vectors - before).max() < TOLERANCE:
            stop_reason = "converged"
            break
    total = h.sum(axis=0)
    shares = total / total.sum() if total.sum() > 0 else np.full(r, 1 / r)
    return Refined(vectors, shares, np.array(objective), stop_reason)
