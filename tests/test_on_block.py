"""Maps as they arrive: every pixel is told of once, with the values it will have at the end."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.errors import Cancelled, UnmixWarning
from unmix.synthetic import separable_scene, stained_slide

NOTHING = slice(0, 0)


class Watching:
    """Keeps what it is told, from whichever thread."""

    def __init__(self) -> None:
        self.windows: list[tuple[slice, slice]] = []
        self.seen: dict[str, np.ndarray] = {}
        self.times: np.ndarray | None = None
        self._lock = threading.Lock()

    def __call__(self, result: xr.Dataset, rows: slice, columns: slice) -> None:
        with self._lock:
            self.windows.append((rows, columns))
            self.result = result
            if self.times is None:
                self.times = np.zeros((result.sizes["y"], result.sizes["x"]), int)
                self.first = result.copy(deep=True)
            self.times[rows, columns] += 1
            for name in ("abundances", "residual", "brightness"):
                if name in result:
                    kept = self.seen.setdefault(name, np.zeros(result[name].shape, np.float32))
                    kept[..., rows, columns] = result[name].data[..., rows, columns]


def lazy(image: xr.DataArray, chunks: tuple[int, int, int]) -> xr.DataArray:
    import dask.array as da

    return unmix.as_image(da.from_array(image.values, chunks=chunks), quantity=image.attrs["quantity"])


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    image = separable_scene(seed=3, n_endmembers=3, n_bands=10, shape=(50, 40)).image
    image.values[5:9, 3:20] = np.nan
    return lazy(unmix.as_image(image.values, quantity="reflectance"), (20, 17, 10))


@pytest.mark.parametrize(
    "options", [{}, {"memory": 0}, {"constraint": "non_negative", "threads": 3}, {"most_per_pixel": 2}]
)
def test_every_pixel_once_with_its_final_values(scene: xr.DataArray, options: dict) -> None:
    watching = Watching()
    if "memory" in options:
        with pytest.warns(UnmixWarning, match="scratch file"):
            result = unmix.unmix(scene, 3, on_block=watching, **options)
    else:
        result = unmix.unmix(scene, 3, on_block=watching, **options)
    assert watching.windows[0] == (NOTHING, NOTHING)
    assert watching.windows.count((NOTHING, NOTHING)) == 1
    assert (watching.times == 1).all()
    assert set(watching.seen) == {"abundances", "residual", "brightness"} & set(result)
    for name, values in watching.seen.items():
        np.testing.assert_array_equal(values, result[name].values)
    xr.testing.assert_identical(watching.result["endmembers"], result["endmembers"])
    for name in ("anchor_row", "anchor_col"):
        np.testing.assert_array_equal(watching.first[name], result[name])
    assert watching.result.attrs["constraint"] == result.attrs["constraint"]


def test_the_endmembers_are_told_before_any_map(scene: xr.DataArray) -> None:
    watching = Watching()
    unmix.unmix(scene, 3, on_block=watching)
    assert (watching.first["abundances"].values == 0).all()
    assert np.isfinite(watching.first["endmembers"].values).all()


def test_stains() -> None:
    watching = Watching()
    image = lazy(stained_slide(seed=5, shape=(90, 80)).image, (40, 30, 3))
    result = unmix.separate_stains(image, on_block=watching)
    assert (watching.times == 1).all()
    np.testing.assert_array_equal(watching.seen["abundances"], result["abundances"].values)
    assert list(watching.result["endmember"].values) == ["hematoxylin", "eosin"]


def test_it_can_stop_the_run(scene: xr.DataArray) -> None:
    told = []

    def stop(result: xr.Dataset, rows: slice, columns: slice) -> None:
        told.append(rows)
        if len(told) == 2:
            raise Cancelled("seen enough")

    with pytest.raises(Cancelled, match="seen enough"):
        unmix.unmix(scene, 3, on_block=stop, threads=1)
    assert len(told) == 2
