"""Maps of a slide: what is read is what is solved, nothing solved is zero, and the small picture is its mean."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import xarray as xr

from unmix.stores import LARGEST_NUMBER, PER_UNIT
from unmix.stores.overview import Overview
from unmix.stores.slide_maps import SlideMaps, view_behind
from unmix.writers.reduced import mean_and_largest, reduced

EDGES = (np.array([0, 30, 90, 100]), np.array([0, 50, 130]))
PIECES = ((slice(0, 30), slice(0, 50)), (slice(40, 80), slice(60, 121)), (slice(90, 100), slice(50, 130)))


def overview_of(maps: np.ndarray, order: tuple[int, ...] = (0, 1, 2)) -> Overview:
    """Return the small picture of maps, its windows put in an order, each pixel added on its own."""
    overview = Overview((len(maps), *maps.shape[1:]))
    for k in order:
        rows, columns = PIECES[k]
        part = overview.part(rows, columns)
        top, left, step = part.place
        for y in range(rows.stop - rows.start):
            for x in range(columns.stop - columns.start):
                cell = (top + y) // step, (left + x) // step
                values = maps[:, rows.start + y, columns.start + x]
                if np.isnan(values[0]):
                    part.n_invalid[cell] += 1
                    continue
                numbers = np.minimum(np.rint(values * PER_UNIT), LARGEST_NUMBER).astype(np.uint32)
                part.totals[:, *cell] += numbers
                np.maximum(part.largest, numbers.astype(np.uint16), out=part.largest)
        overview.add(part, rows, columns)
    return overview


def slide_of(maps: np.ndarray) -> SlideMaps:
    """Return maps that are solved by cutting them out of an array, a few rows of each piece at a time."""

    def solver(rows: slice, columns: slice) -> Iterator[tuple[slice, slice, np.ndarray]]:
        for down, across in PIECES:
            y0, y1 = max(rows.start, down.start), min(rows.stop, down.stop)
            x0, x1 = max(columns.start, across.start), min(columns.stop, across.stop)
            for top in range(y0, y1 if x0 < x1 else y0, 7):
                strip = slice(top, min(top + 7, y1))
                yield strip, slice(x0, x1), maps[:, strip, x0:x1]

    return SlideMaps(EDGES, solver, overview_of(maps))


@pytest.fixture
def maps() -> np.ndarray:
    """Return maps that are zero outside the pieces, with some invalid pixels."""
    values = np.zeros((3, 100, 130), np.float32)
    rng = np.random.default_rng(4)
    for rows, columns in PIECES:
        values[:, rows, columns] = rng.gamma(1.0, 0.7, values[:, rows, columns].shape)
    values[:, 45:47, 70:75] = np.nan
    return values


def test_windows_are_what_is_solved(maps: np.ndarray) -> None:
    slide = slide_of(maps)
    lazy = slide.lazy(slice(0, 2))
    assert lazy.shape == (2, 100, 130)
    assert lazy.dtype == np.float32
    assert lazy.chunks[0] == (2,)
    for window in ((slice(None),) * 3, (slice(1, 2), slice(35, 95, 3), slice(40, 128)), (1, 46, slice(60, 90))):
        np.testing.assert_array_equal(lazy[window].compute(), maps[:2][window])
    np.testing.assert_array_equal(slide.lazy(2).compute(), maps[2])


def test_order_of_windows_changes_nothing(maps: np.ndarray) -> None:
    seen = [overview_of(maps, order) for order in ((0, 1, 2), (2, 0, 1))]
    for k in range(3):
        np.testing.assert_array_equal(seen[0].picture(k), seen[1].picture(k))
        assert seen[0].mean(k) == seen[1].mean(k)
        assert seen[0].largest(k) == seen[1].largest(k)


def test_the_small_picture_is_the_mean_of_valid_pixels(maps: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmix.stores.overview._LONGEST_SIDE", 20)
    slide = slide_of(maps)
    assert slide.overview.step == 8
    values = xr.DataArray(slide.lazy(slice(0, 3)), dims=("endmember", "y", "x"))
    plain = xr.DataArray(values.values, dims=values.dims)
    np.testing.assert_allclose(reduced(values, 17), reduced(plain, 17), atol=0.5001 / PER_UNIT)
    means, largest = mean_and_largest(values)
    np.testing.assert_allclose(means, np.nanmean(plain.values, axis=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(largest, np.nanmax(plain.values, axis=(1, 2)), atol=0.5001 / PER_UNIT)


def test_a_small_picture_nearly_as_fine_as_wanted_is_enough_and_no_tile_is_decoded(maps, monkeypatch) -> None:
    """Cells are powers of two: a side of 12,288 wants cells of 6 pixels and has some of 8."""
    monkeypatch.setattr("unmix.stores.overview._LONGEST_SIDE", 20)
    asked: list[tuple[slice, slice]] = []

    def nothing(*window: slice) -> Iterator[tuple[slice, slice, np.ndarray]]:
        asked.append(window)
        return iter(())

    slide = SlideMaps(EDGES, nothing, overview_of(maps))
    values = xr.DataArray(slide.lazy(slice(0, 3)), dims=("endmember", "y", "x"))
    for limit in (20, 26):
        np.testing.assert_allclose(reduced(values, limit)[0], slide.overview.picture(0))
    assert slide.overview.step == 8
    assert not asked
    reduced(values, 65)
    assert asked


def test_a_cell_without_valid_pixels_is_no_number(maps: np.ndarray) -> None:
    picture = overview_of(maps).picture(0)
    assert np.isnan(picture[45:47, 70:75]).all()
    assert np.isfinite(picture).sum() == picture.size - 10


def test_a_cut_array_is_no_longer_the_slide(maps: np.ndarray) -> None:
    lazy = slide_of(maps).lazy(slice(0, 2))
    assert view_behind(lazy) is not None
    assert view_behind(lazy[:, 5:]) is None
    assert view_behind(maps) is None
