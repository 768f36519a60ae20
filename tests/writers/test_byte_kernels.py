"""Tiles of 8-bit maps as differences between neighbours."""

from __future__ import annotations

import numpy as np

from unmix.writers.byte_kernels import differ


def test_a_tile_at_the_edge_is_taken_out_with_zeros_beyond() -> None:
    values = np.random.default_rng(1).integers(0, 256, (10, 13)).astype(np.uint8)
    differences = np.full((8, 8), 99, np.uint8)
    for top, left in ((0, 0), (8, 8), (8, 0), (0, 8)):
        assert differ(values, top, left, differences)
        whole = np.zeros((8, 8), np.uint8)
        part = values[top : top + 8, left : left + 8]
        whole[: part.shape[0], : part.shape[1]] = part
        assert np.array_equal(np.cumsum(differences, axis=1, dtype=np.uint8), whole)
    assert not differ(np.zeros((10, 13), np.uint8), 0, 0, differences)
    assert not differences.any()
