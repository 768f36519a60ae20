"""OME-Zarr: every level is the mean of the one before, whichever it was made from and wherever windows end."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
import zarr

from unmix.writers.ome_zarr import write_ome_zarr
from unmix.writers.reduced import block_mean


@pytest.mark.parametrize("quantity", ["brightfield", "reflectance"])
@pytest.mark.parametrize("lazy", [False, True])
def test_levels_are_means_of_levels(make, tmp_path, monkeypatch, quantity, lazy):
    for name, value in (("_CHUNK", 8), ("_WINDOW", (16, 32)), ("_SMALLEST", 10)):
        monkeypatch.setattr(f"unmix.writers.ome_zarr.{name}", value)
    result = make(quantity=quantity, n_bands=3, shape=(53, 75))
    path = write_ome_zarr(result.chunk({"y": 10}) if lazy else result, tmp_path / "maps.ome.zarr")
    group = zarr.open_group(str(path), mode="r")
    levels = [group[one["path"]][:] for one in group.attrs["multiscales"][0]["datasets"]]
    assert [one.shape for one in levels] == [(3, 53, 75), (3, 27, 38), (3, 14, 19), (3, 7, 10)]
    dtype = np.float16 if quantity == "brightfield" else np.float32
    np.testing.assert_array_equal(levels[0], result["abundances"].values.astype(dtype))
    for below, above in pairwise(levels):
        np.testing.assert_array_equal(above, block_mean(xr.DataArray(below), 2).astype(dtype))
