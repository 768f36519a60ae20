"""Results written by xarray's h5netcdf engine and opened again."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.errors import ReadError
from unmix.result import Endmembers, make_endmember_set, make_result


@pytest.fixture
def result() -> xr.Dataset:
    """Return a small result with every kind of coordinate."""
    rng = np.random.default_rng(0)
    image = unmix.as_image(
        rng.random((6, 5, 4)).astype("f4"),
        wavelengths=[400, 500, 600, np.nan],
        good_bands=[True, True, True, False],
        band_names=["a", "b", "ç", "dd"],
        pixel_size=0.5,
        quantity="reflectance",
    )
    found = Endmembers(
        rng.random((2, 4)), ("Träume", "soil"), anchor_row=np.array([1, -1]), objective=np.array([3.0, 2.0])
    )
    maps = {
        "abundances": rng.random((2, 6, 5)).astype("f4"),
        "residual": rng.random((6, 5)).astype("f4"),
        "brightness": np.ones((6, 5), "f4"),
    }
    maps["abundances"][:, 0, 0] = np.nan
    attrs = {"relative_error": 0.25, "n_valid": 29, "stop_reason": "literal"}
    return make_result(image, make_endmember_set(image, found), maps, attrs, {"options": {"a": [1, 2]}, "name": "ü"})


def save(result: xr.Dataset, path) -> None:
    result.to_netcdf(path, engine="h5netcdf")


def test_a_result_comes_back_identical(tmp_path, result):
    save(result, tmp_path / "result.nc")
    found = unmix.open_result(tmp_path / "result.nc")
    xr.testing.assert_identical(found, result)
    for name, variable in result.variables.items():
        assert found[name].dtype.kind == variable.dtype.kind
        assert found[name].chunks is None
    assert found.coords["good_band"].dtype == bool
    assert found.coords["endmember"].dtype.kind == "U"
    assert json.loads(found.attrs["provenance"])["name"] == "ü"
    (tmp_path / "result.nc").unlink()
    assert float(found["abundances"].sum()) > 0


def test_a_georeferenced_result_comes_back(tmp_path, result):
    import rioxarray  # noqa: F401

    placed = result.rio.write_crs(32633)
    save(placed, tmp_path / "result.nc")
    found = unmix.open_result(tmp_path / "result.nc")
    xr.testing.assert_identical(found.drop_attrs(deep=True), placed.drop_attrs(deep=True))
    assert found.rio.crs.to_epsg() == 32633


def test_lazy_until_closed(tmp_path, result):
    save(result, tmp_path / "result.nc")
    found = unmix.open_result(tmp_path / "result.nc", chunks={"y": 2})
    assert found["abundances"].chunks[1] == (2, 2, 2)
    xr.testing.assert_identical(found.compute(), result)
    found.close()


def test_what_is_no_result(tmp_path, result):
    path = tmp_path / "a.nc"
    with pytest.raises(ReadError, match="no such file"):
        unmix.open_result(path)
    with pytest.raises(ReadError, match="is a folder"):
        unmix.open_result(tmp_path)
    with pytest.raises(ReadError, match="is a URL"):
        unmix.open_result("http://a.b/result.nc")
    path.write_bytes(b"nothing")
    with pytest.raises(ReadError, match=r"a.nc is damaged or not an HDF5 file"):
        unmix.open_result(path)
    save(result.drop_vars("residual"), path)
    with pytest.raises(ReadError, match=r"a.nc is not an unmix result: a result has 'residual'"):
        unmix.open_result(path)
    save(result, path)
    with pytest.raises(ReadError, match=r"is an unmix result, not an image. Open it by unmix.open_result"):
        unmix.read(path)
    content = path.read_bytes()
    for keep in (50, len(content) // 2):
        path.write_bytes(content[:keep])
        with pytest.raises(ReadError, match="damaged"):
            unmix.open_result(path)


def test_links_out_of_the_file_are_refused(tmp_path, result):
    save(result, tmp_path / "a.nc")
    save(result, tmp_path / "b.nc")
    with h5py.File(tmp_path / "a.nc", "r+") as file:
        del file["residual"]
        file["residual"] = h5py.ExternalLink(str(tmp_path / "b.nc"), "/residual")
    with pytest.raises(ReadError, match="'residual' is a link to another place"):
        unmix.open_result(tmp_path / "a.nc")
