"""Maps of a slide as codes: what is put comes back to half a code, whatever the order, and nothing put is zero."""

from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from unmix.stores import PER_UNIT
from unmix.stores.slide_maps import SlideMaps, view_behind
from unmix.writers.reduced import mean_and_largest, reduced

EDGES = (np.array([0, 30, 90, 100]), np.array([0, 50, 130]))
PIECES = ((slice(0, 30), slice(0, 50)), (slice(40, 80), slice(60, 121)), (slice(90, 100), slice(50, 130)))


def filled(maps: np.ndarray, folder: Path, order: tuple[int, ...] = (0, 1, 2)) -> SlideMaps:
    store = SlideMaps(maps.shape, EDGES, folder)
    for k in order:
        rows, columns = PIECES[k]

        def solve(strip: slice, out: np.ndarray, rows: slice = rows, columns: slice = columns) -> None:
            out[...] = maps[:, rows, columns][:, strip]

        store.put(rows, columns, solve)
    return store


@pytest.fixture
def maps() -> np.ndarray:
    """Return maps that are zero outside the pieces, with some invalid pixels."""
    values = np.zeros((3, 100, 130), np.float32)
    rng = np.random.default_rng(4)
    for rows, columns in PIECES:
        values[:, rows, columns] = rng.gamma(1.0, 0.7, values[:, rows, columns].shape)
    values[:, 45:47, 70:75] = np.nan
    return values


def test_windows_come_back_to_half_a_code(maps: np.ndarray, tmp_path: Path) -> None:
    lazy = filled(maps, tmp_path).lazy(slice(0, 2))
    assert lazy.shape == (2, 100, 130)
    assert lazy.dtype == np.float32
    for window in ((slice(None),) * 3, (slice(1, 2), slice(35, 95, 3), slice(40, 128)), (1, 46, slice(60, 90))):
        np.testing.assert_allclose(lazy[window].compute(), maps[:2][window], rtol=0, atol=0.5001 / PER_UNIT)


def test_order_of_pieces_changes_nothing(maps: np.ndarray, tmp_path: Path) -> None:
    stores = [filled(maps, tmp_path, order) for order in ((0, 1, 2), (2, 0, 1))]
    for k in range(3):
        np.testing.assert_array_equal(stores[0].overview(k), stores[1].overview(k))
        assert stores[0].mean(k) == stores[1].mean(k)
        assert stores[0].largest(k) == stores[1].largest(k)


def test_the_small_picture_is_the_mean_of_valid_pixels(
    maps: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("unmix.stores.slide_maps._OVERVIEW", 20)
    store = filled(maps, tmp_path)
    assert store.step == 8
    values = xr.DataArray(store.lazy(slice(0, 3)), dims=("endmember", "y", "x"))
    plain = xr.DataArray(values.values, dims=values.dims)
    np.testing.assert_allclose(reduced(values, 17), reduced(plain, 17), rtol=1e-5, atol=1e-6)
    means, largest = mean_and_largest(values)
    np.testing.assert_allclose(means, np.nanmean(plain.values, axis=(1, 2)), rtol=1e-6)
    np.testing.assert_allclose(largest, np.nanmax(plain.values, axis=(1, 2)))


def test_values_beyond_the_codes_are_the_largest_code(tmp_path: Path) -> None:
    maps = np.full((3, 100, 130), 1e6, np.float32)
    maps[:, 0, 0] = -1.0
    store = filled(maps, tmp_path)
    found = store.lazy(0)[:2, :2].compute()
    assert found[0, 0] == 0
    assert found[1, 1] == pytest.approx(64, abs=0.01)


def test_a_cut_array_is_no_longer_the_store(maps: np.ndarray, tmp_path: Path) -> None:
    lazy = filled(maps, tmp_path).lazy(slice(0, 2))
    assert view_behind(lazy) is not None
    assert view_behind(lazy[:, 5:]) is None
    assert view_behind(maps) is None
    del lazy
    gc.collect()
    assert list(tmp_path.iterdir()) == []
