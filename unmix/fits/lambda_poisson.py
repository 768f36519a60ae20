"""Poisson (Kullback-Leibler) factorisation of photon counts by multiplicative updates, and merging what is one dye.

X ~ A E, pixels as rows: X (n, bands), A (n, k), E (k, bands). Papers write the transpose.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FIXED_ITERATIONS = 15
JOINT_ITERATIONS = 40
_SMALLEST = 1e-12


@dataclass(frozen=True)
class Factors:
    """Maps A (n, k), spectra E (k, bands) with rows that sum to one, and the divergence after each iteration."""

    maps: np.ndarray
    spectra: np.ndarray
    objective: np.ndarray


def factorise_counts(X: np.ndarray, spectra: np.ndarray) -> Factors:
    """Fit non-negative maps to counts, first with the spectra held, then with both free.

    Parameters
    ----------
    X : ndarray, shape (n, bands)
        Counts, non-negative. The divergence is scale-free: the gain of the detector is not needed.
    spectra : ndarray, shape (k, bands)
        Starting spectra, rows sum to one.

    Returns
    -------
    Factors

    Notes
    -----
    Multiplicative updates of Lee and Seung (NIPS 2000); the divergence never rises. Stopped early on purpose: on real
    stacks, further iterations lower the divergence and move the spectra away from the dyes'.
    """
    E = np.maximum(spectra, _SMALLEST)
    E = E / E.sum(axis=1, keepdims=True)
    A = np.repeat(X.sum(axis=1, keepdims=True) / len(E), len(E), axis=1)
    model = _model(A, E)
    objective = []
    for iteration in range(FIXED_ITERATIONS + JOINT_ITERATIONS):
        A = A * ((X / model) @ E.T)
        if iteration >= FIXED_ITERATIONS:
            E = E * (A.T @ (X / _model(A, E))) / np.maximum(A.sum(axis=0), _SMALLEST)[:, None]
            scale = np.maximum(E.sum(axis=1), _SMALLEST)
            A, E = A * scale, E / scale[:, None]
        model = _model(A, E)
        objective.append(kullback_leibler(X, model))
    return Factors(A, E, np.array(objective))


def kullback_leibler(X: np.ndarray, model: np.ndarray) -> float:
    """Return the generalised Kullback-Leibler divergence of counts (n, bands) from a positive model."""
    logs = X * np.log(np.maximum(X, _SMALLEST) / model)
    return float(logs.sum() - X.sum() + model.sum())


@dataclass(frozen=True)
class Merged:
    """Spectra (r, bands) and maps (n, r) after merging, the parts behind each, and the similarities that decided."""

    maps: np.ndarray
    spectra: np.ndarray
    parts: tuple[tuple[int, ...], ...]
    accepted: tuple[float, ...]
    refused: float | None


def merge_components(maps: np.ndarray, spectra: np.ndarray, r: int) -> Merged:
    """Join the two most similar components until r are left.

    The similarity is the cosine between two rank-one images: that of the spectra times that of the maps. Fragments of
    one dye share pixels, two dyes with overlapping spectra do not; the angle between spectra cannot tell them apart.
    """
    A, E = maps, spectra
    parts: list[tuple[int, ...]] = [(k,) for k in range(len(E))]
    accepted = []
    while len(E) > r:
        i, j, similarity = _most_similar(A, E)
        accepted.append(similarity)
        photons = A[:, [i, j]].sum(axis=0)
        joint = photons @ E[[i, j]] / max(float(photons.sum()), _SMALLEST)
        A = np.column_stack([np.delete(A, [i, j], axis=1), A[:, i] + A[:, j]])
        E = np.vstack([np.delete(E, [i, j], axis=0), joint / max(float(joint.sum()), _SMALLEST)])
        parts = [part for k, part in enumerate(parts) if k not in (i, j)] + [parts[i] + parts[j]]
    refused = _most_similar(A, E)[2] if r > 1 else None
    return Merged(A, E, tuple(parts), tuple(accepted), refused)


def _most_similar(A: np.ndarray, E: np.ndarray) -> tuple[int, int, float]:
    """Return the pair of components whose rank-one images have the largest cosine."""
    similarity = _cosines(E) * _cosines(A.T)
    similarity[np.tril_indices(len(E))] = -1.0
    i, j = divmod(int(np.argmax(similarity)), len(E))
    return i, j, float(similarity[i, j])


def _cosines(rows: np.ndarray) -> np.ndarray:
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), _SMALLEST)
    return unit @ unit.T


def _model(A: np.ndarray, E: np.ndarray) -> np.ndarray:
    return np.maximum(A @ E, _SMALLEST)
