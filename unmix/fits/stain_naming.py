"""Which vector is which stain: one to one, by the angles to published vectors, and how sure that is."""

from __future__ import annotations

from itertools import permutations

import numpy as np


def best_order(vectors: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Return which vector belongs to each reference: one to one, with the smallest sum of squared angles."""
    return np.array(min(permutations(range(len(vectors))), key=lambda order: misfit(vectors[list(order)], references)))


def misfit(vectors: np.ndarray, references: np.ndarray) -> float:
    """Return the root mean square angle in degrees between vectors and references, row by row."""
    return float(np.sqrt(np.mean(angles_to_references(vectors, references) ** 2)))


def reversed_misfit(vectors: np.ndarray, references: np.ndarray) -> float:
    """Return how well the vectors fit the references, in their best order, if the channels came as blue, green, red."""
    turned = vectors[:, ::-1]
    return misfit(turned[best_order(turned, references)], references)


def naming_margin(vectors: np.ndarray, references: np.ndarray) -> float:
    """Return by how many degrees (root mean square) the next best order of the names fits worse than this one."""
    others = list(permutations(range(len(vectors))))[1:]
    return min(misfit(vectors[list(order)], references) for order in others) - misfit(vectors, references)


def angles_to_references(vectors: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Return the angle in degrees between unit vectors, row by row."""
    return np.degrees(np.arccos(np.clip(np.sum(vectors * references, axis=1), -1.0, 1.0)))
