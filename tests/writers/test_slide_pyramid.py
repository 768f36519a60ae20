"""The tiles of a pyramid: a level is the mean of the one before, in whatever order fields come, and glass is zero."""

from __future__ import annotations

import zlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from unmix.writers import slide_pyramid
from unmix.writers.slide_pyramid import TilePyramid, halved


def levels_of(pyramid: TilePyramid) -> list[np.ndarray]:
    """Return the maps (map, height, width) of every level, put together from its deflated tiles."""
    levels = []
    for level, (height, width) in enumerate(pyramid.levels):
        down, across = -(-height // 16), -(-width // 16)
        seen = [np.frombuffer(zlib.decompress(one), np.uint8).reshape(16, 16) for one in pyramid.tiles(level)]
        tiles = np.cumsum(seen, axis=2, dtype=np.uint8).reshape(-1, down, across, 16, 16)
        levels.append(tiles.swapaxes(2, 3).reshape(-1, down * 16, across * 16)[:, :height, :width])
    return levels


@pytest.fixture
def small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slide_pyramid, "TILE", 16)
    monkeypatch.setattr(slide_pyramid, "_FIELD", 64)
    monkeypatch.setattr(slide_pyramid, "_SMALLEST", 16)


@pytest.mark.parametrize("shape", [(2, 200, 333), (1, 64, 64), (3, 130, 1)])
def test_levels_are_halves_in_any_order_of_the_fields(
    shape: tuple[int, int, int], small_tiles: None, tmp_path: Path
) -> None:
    maps = np.random.default_rng(3).integers(0, 256, shape).astype(np.uint8)
    maps[:, 64:192, :192] = 0  # several fields of glass, and with them a part of the levels without fields
    pyramid = TilePyramid(shape, tmp_path)
    for k, (rows, columns) in enumerate(reversed(pyramid.fields())):
        field = maps[:, rows, columns]
        pyramid.put_field((rows, columns), np.ascontiguousarray(field) if field.any() else None, k)
    pyramid.finish()
    found = levels_of(pyramid)
    np.testing.assert_array_equal(found[0], maps)
    for finer, coarser in pairwise(found):
        np.testing.assert_array_equal(coarser, [halved(np.ascontiguousarray(one)) for one in finer])
    assert max(found[-1].shape[1:]) <= 16
    assert pyramid.n_beyond == sum(range(len(pyramid.fields())))
