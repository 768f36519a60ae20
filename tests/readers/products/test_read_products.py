"""Products by their layout: values, wavelengths, good bands, what is empty, where they lie; hostile ones refused."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine

import unmix
from unmix.errors import OptionError, ReadError, UnmixError, UnmixWarning

from .conftest import write_raster

NM = np.array([450.0, 550.0, 650.0, 860.0, 1240.0, 1380.0, 1650.0, 1900.0, 2200.0, 2300.0])
UTM = Affine(30.0, 0.0, 400_000.0, 0.0, -30.0, 4_000_000.0)
LAND = np.ones((12, 9), bool)
LAND[0, 0] = False
WET = r"give.* no list of good bands: 2 bands within 1350-1433 and 1804-1968 nm"


def check(image, cube, tolerance=1e-6):
    """Hold an image to the scene it was written from: values, the empty pixel, lazily and in windows."""
    assert image.dims == ("y", "x", "band")
    assert image.chunks is not None
    assert image.attrs["quantity"] == "reflectance"
    assert "quantity_guessed" not in image.attrs
    values = image.values
    np.testing.assert_array_equal(image.coords["valid"].values, LAND)
    np.testing.assert_allclose(values[LAND], cube[LAND], atol=tolerance)
    assert np.isnan(values[0, 0, 0])


def test_emit(emit, cube):
    image = unmix.read(emit)
    cube[:, :, [5, 7]] = -0.01
    check(image, cube)
    np.testing.assert_allclose(image.coords["wavelength"], NM)
    np.testing.assert_allclose(image.coords["fwhm"], 8.5)
    assert np.flatnonzero(~image.coords["good_band"].values).tolist() == [5, 7]
    assert image.coords["latitude"].dims == ("y", "x")
    assert image.coords["longitude"].values[3, 0] == pytest.approx(-118 + 0.0015)
    assert "spatial_ref" not in image.coords
    assert unmix.image.pixel_size(image) is None
    part = unmix.read(emit, region=(2, 1, 7, 5), bands=(500, 1700))
    np.testing.assert_array_equal(part.values, image.values[2:7, 1:5, 1:7])
    assert part.coords["y"].values.tolist() == [2, 3, 4, 5, 6]
    np.testing.assert_array_equal(part.coords["latitude"], image.coords["latitude"][2:7, 1:5])


def test_aviris3(aviris3, cube):
    with pytest.warns(UnmixWarning, match=WET):
        image = unmix.read(aviris3)
    check(image, cube)
    assert image.rio.crs.to_epsg() == 32611
    assert image.rio.transform() == UTM
    assert np.flatnonzero(~image.coords["good_band"].values).tolist() == [5, 7]
    assert unmix.read(aviris3, water_bands="keep").coords["good_band"].values.all()
    result = unmix.unmix(image, endmembers=np.full((2, 10), 0.3) + np.eye(2, 10))
    assert '"water_bands": "left out"' in result.attrs["provenance"]


def test_aviris3_radiance_in_sensor_geometry(aviris3_radiance, cube):
    image = unmix.read(aviris3_radiance)
    assert image.attrs["quantity"] == "radiance"
    np.testing.assert_allclose(image.values, 10 * cube, rtol=1e-6)
    assert image.coords["good_band"].values.all()
    assert image.attrs["geolocation"] == "AVIRIS-3"


def test_prisma(prisma, cube):
    with pytest.warns(UnmixWarning, match=WET):
        image = unmix.read(prisma)
    order = [3, 2, 1, 0, -1, 9, 8, 7, 6, 5, 4, -1]
    there = [k for k, band in enumerate(order) if band >= 0]
    check(image.isel(band=there), cube[:, :, [order[k] for k in there]], tolerance=2e-5)
    np.testing.assert_allclose(image.coords["wavelength"].values[there], NM[[order[k] for k in there]])
    assert np.flatnonzero(~image.coords["good_band"].values).tolist() == [4, 7, 9, 11]
    assert image.coords["band_name"].values[[0, 5]].tolist() == ["VNIR 1", "SWIR 1"]
    assert image.rio.crs.to_epsg() == 32611
    assert image.rio.transform().almost_equals(UTM)
    part = unmix.read(prisma, bands=(600, 1300), water_bands="keep")
    np.testing.assert_allclose(part.coords["wavelength"], [860, 650, 1240])
    np.testing.assert_array_equal(part.values, image.values[:, :, [0, 1, 10]])


@pytest.mark.parametrize("kind", ["GRIDS", "SWATHS"])
def test_tanager(write_tanager, cube, kind):
    image = unmix.read(write_tanager(kind))
    check(image, cube)
    assert np.flatnonzero(~image.coords["good_band"].values).tolist() == [5, 7]
    assert np.argwhere(image.coords["cloud"].values).tolist() == [[3, 4], [5, 6]]
    if kind == "GRIDS":
        assert image.rio.crs.to_epsg() == 32611
        assert image.rio.transform() == UTM
    else:
        assert image.coords["latitude"].values[2, 0] == pytest.approx(36 - 0.0006)


def test_tanager_never_makes_wavelengths_up(write_tanager):
    with pytest.raises(ReadError, match=r"no attribute wavelengths, and none are made up. Give key="):
        unmix.read(write_tanager("SWATHS", wavelengths=None))
    with pytest.warns(UnmixWarning, match=WET):
        unmix.read(write_tanager("GRIDS", good_wavelengths=None))


def test_pace(pace, cube):
    with pytest.warns(UnmixWarning, match=WET):
        image = unmix.read(pace)
    check(image, cube, tolerance=2e-5)
    np.testing.assert_allclose(image.coords["wavelength"], NM)
    assert np.argwhere(image.coords["cloud"].values).tolist() == [[3, 4]]
    assert image.coords["longitude"].values[0, 2] == pytest.approx(-117.98, abs=1e-5)


def test_enmap_by_image_and_by_metadata(enmap, cube):
    for path in (enmap, enmap.with_name(enmap.name.replace("SPECTRAL_IMAGE.TIF", "METADATA.XML"))):
        with pytest.warns(UnmixWarning, match=WET):
            image = unmix.read(path)
        check(image, cube, tolerance=6e-5)
        np.testing.assert_allclose(image.coords["wavelength"], NM)
        np.testing.assert_allclose(image.coords["fwhm"], 7.5)
        assert np.flatnonzero(~image.coords["good_band"].values).tolist() == [5, 7, 9]
        assert image.rio.crs.to_epsg() == 32611


def beside(image, name, layer):
    write_raster(image.with_name(image.name.replace("SPECTRAL_IMAGE", name)), layer)


@pytest.mark.filterwarnings("ignore::unmix.errors.UnmixWarning")
def test_quality_layers_of_enmap_mark_background_cloud_and_shadow(enmap, cube):
    layers = {name: np.zeros((12, 9, 1), "u1") for name in ("CLASSES", "CLOUD", "CLOUDSHADOW", "CIRRUS", "HAZE")}
    layers["CLASSES"][...], layers["CLASSES"][2, 3] = 1, 3
    layers["CLOUD"][4, 5] = layers["CLOUDSHADOW"][6, 7] = layers["HAZE"][8, 8] = 1
    layers["CIRRUS"][9, :4, 0] = (0, 1, 2, 3)
    for name, layer in layers.items():
        beside(enmap, f"QL_QUALITY_{name}", layer)
    image = unmix.read(enmap)
    assert np.argwhere(~image.coords["valid"].values).tolist() == [[0, 0], [2, 3]]
    assert np.argwhere(image.coords["cloud"].values).tolist() == [[4, 5], [6, 7], [9, 2], [9, 3]]
    part = unmix.read(enmap, region=(4, 5, 7, 9))
    assert np.argwhere(part.coords["cloud"].values).tolist() == [[0, 0], [2, 2]]
    beside(enmap, "QL_QUALITY_CLOUD", np.zeros((5, 5, 1), "u1"))
    with pytest.raises(ReadError, match=r"QL_QUALITY_CLOUD.TIF: a layer of flags is 5 x 5; the image is 12 x 9"):
        unmix.read(enmap)


def test_quality_layer_of_desis_marks_cloud_and_shadow(desis):
    layer = np.zeros((12, 9, 10), "u1")
    for band in range(10):
        layer[band, 4, band] = 1
    beside(desis, "QL_QUALITY-2", layer)
    cloud = unmix.read(desis).coords["cloud"].values
    assert np.argwhere(cloud).tolist() == [[0, 4], [5, 4], [6, 4]]
    beside(desis, "QL_QUALITY-2", layer[:, :, :4])
    with pytest.raises(ReadError, match="has 4 bands of flags; 7 are needed"):
        unmix.read(desis)


def test_desis(desis, cube):
    image = unmix.read(desis)
    check(image, cube[:, :, :4], tolerance=6e-5)
    np.testing.assert_allclose(image.coords["wavelength"], NM[:4])
    np.testing.assert_allclose(image.coords["fwhm"], 3.5)


def test_sentinel2(sentinel2, cube):
    image = unmix.read(sentinel2)
    check(image, cube[:, :, :5], tolerance=6e-5)
    assert image.coords["band_name"].values.tolist() == ["B02", "B03", "B04", "B8A", "B11"]
    np.testing.assert_allclose(image.coords["wavelength"], [492.1, 559.0, 665.0, 864.0, 1610.4])
    assert np.argwhere(image.coords["cloud"].values).tolist() == [[3, 4], [5, 6]]
    assert image.rio.resolution() == (20, -20)
    fine = unmix.read(sentinel2, series="10m")
    assert fine.shape == (24, 18, 2)
    np.testing.assert_allclose(fine.values, 0.2, atol=1e-6)
    with pytest.raises(OptionError, match=r"series='60m': MTD_MSIL2A.xml has bands at '20m', '10m'"):
        unmix.read(sentinel2, series="60m")


def test_landsat(landsat, cube):
    image = unmix.read(landsat)
    check(image, cube[:, :, :7], tolerance=2e-5)
    assert image.coords["wavelength"].values[[0, 6]].tolist() == [442.96, 2200.73]
    assert image.coords["band_name"].values.tolist() == [f"SR_B{n}" for n in range(1, 8)]
    assert np.argwhere(image.coords["cloud"].values).tolist() == [[3, 4]]


def test_hyperspy_keeps_energy_loss(hspy, cube):
    image = unmix.read(hspy)
    np.testing.assert_array_equal(image.values, cube)
    assert "wavelength" not in image.coords
    axis = image.coords["spectral_axis"]
    assert (axis.attrs["long_name"], axis.attrs["units"]) == ("energy loss", "eV")
    np.testing.assert_allclose(axis, 280 + 0.5 * np.arange(10))
    assert image.coords["y"].values[1] - image.coords["y"].values[0] == pytest.approx(0.002)


def test_aviris_ng_header_without_a_fill_value(tmp_path, cube):
    values = cube.copy()
    values[0, 0] = -9999
    values.transpose(0, 2, 1).tofile(tmp_path / "ang20190624t230039_rfl_v2v2_img")
    (tmp_path / "ang20190624t230039_rfl_v2v2_img.hdr").write_text(
        "ENVI\nsamples = 9\nlines = 12\nbands = 10\nheader offset = 0\ndata type = 4\ninterleave = bil\n"
        "map info = {UTM, 1, 1, 400000, 4000000, 5, 5, 11, North, WGS-84, units=Meters, rotation=-41}\n"
        f"wavelength units = Nanometers\nwavelength = {{{', '.join(map(str, NM))}}}\n"
    )
    with pytest.warns(UnmixWarning, match=WET):
        image = unmix.read(tmp_path / "ang20190624t230039_rfl_v2v2_img")
    check(image, cube)
    assert image.rio.transform().b != 0


def write_envi(path, values, more):
    path.with_name(path.name + ".hdr").write_text(
        f"ENVI\nsamples = {values.shape[1]}\nlines = {values.shape[0]}\nbands = {values.shape[2]}\nheader offset = 0\n"
        f"data type = {3 if values.dtype.kind == 'i' else 4}\ninterleave = bip\n{more}"
    )
    values.tofile(path)
    return path


@pytest.mark.parametrize("rotation", [0, 30])
def test_aviris_ng_in_sensor_geometry_is_laid_out_by_the_table_beside_it(tmp_path, cube, rotation):
    path = write_envi(tmp_path / "ang20190624t230039_rfl_v2", cube.astype("f4"), "")
    table = np.zeros((11, 14, 2), "i4")
    y, x = np.mgrid[1:10, 1:13]
    table[1:10, 1:13, 0], table[1:10, 1:13, 1] = y, 13 - x  # sample, line: the ground is the image turned
    table[3, 4] *= -1
    place = f"map info = {{UTM, 1, 1, 400000, 4000000, 5, 5, 11, North, WGS-84, units=Meters, rotation={rotation}}}\n"
    glt = write_envi(tmp_path / "ang20190624t230039_rdn_glt", table, place)
    known = np.full((2, 10), 0.3) + np.eye(2, 10)
    result = unmix.unmix(path, endmembers=known)
    assert result["abundances"].shape == (2, 12, 9)
    unmix.write(result, tmp_path / "maps.tif")
    with rasterio.open(tmp_path / "maps.tif") as file:
        maps, transform = file.read(), file.transform
    np.testing.assert_array_equal(maps[:, 1:10, 1:13], np.rot90(result["abundances"].values, -1, axes=(1, 2)))
    assert np.isnan(maps[:, 0]).all()
    assert (transform.a == 5) == (rotation == 0)
    assert transform.a**2 + transform.d**2 == pytest.approx(25)
    xr.testing.assert_identical(unmix.open_result(unmix.write(result, tmp_path / "result.nc")[0]), result)
    table[5, 5, 1] = 13
    table.tofile(glt)
    with pytest.raises(ReadError, match="a line of the lookup table points to 13, outside 1 to 12"):
        unmix.unmix(path, endmembers=known)
    table.tofile(tmp_path / "ang20190624t230039_loc_glt")
    with pytest.raises(ReadError, match="has several lookup tables"):
        unmix.read(path)


def said_about(path) -> str:
    """Return what reading a file says against it, nothing where it is read."""
    try:
        unmix.read(path).compute()
    except UnmixError as error:
        return str(error)
    return ""


ALL = ["emit", "aviris3", "prisma", "pace", "enmap", "desis", "sentinel2", "landsat", "hspy"]


@pytest.mark.filterwarnings("ignore::unmix.errors.UnmixWarning")
@pytest.mark.parametrize("name", ALL)
def test_mutants_give_one_line_errors_and_nothing_else(request, name):
    """Cut, flip and swap bytes at fixed places: a product is read or refused, never a foreign error."""
    path = request.getfixturevalue(name)
    content = path.read_bytes()
    rng = np.random.default_rng(5)
    mutants = [content[: len(content) * k // 7] for k in range(1, 7)]
    for _ in range(24):
        mutant = bytearray(content)
        for place in rng.integers(0, len(content), 8):
            mutant[place] ^= 1 << int(rng.integers(8))
        mutants.append(bytes(mutant))
    half = len(content) // 2
    mutants.append(content[half:] + content[:half])
    for mutant in mutants:
        path.write_bytes(mutant)
        assert "\n" not in said_about(path)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("emit", lambda f: f.__delitem__("sensor_band_parameters/fwhm"), None),
        ("prisma", lambda f: f.attrs.__setitem__("L2ScaleVnirMax", -1.0), "L2ScaleVnirMax=-1 is not above"),
        ("prisma", lambda f: f.attrs.__setitem__("List_Cw_Vnir", np.ones(3)), "List_Cw_Vnir has 3 values for 5 bands"),
        ("prisma", lambda f: f.attrs.__setitem__("Epsg_Code", 1), "Epsg_Code=1 is not known"),
        ("prisma", lambda f: f.attrs.__delitem__("Epsg_Code"), "'Epsg_Code' is missing"),
        ("aviris3", lambda f: f["transverse_mercator"].attrs.__delitem__("GeoTransform"), "GeoTransform of transverse"),
    ],
)  # fmt: skip
def test_fields_that_are_missing_or_wrong(request, name, change, said):
    path = request.getfixturevalue(name)
    with h5py.File(path, "r+") as file:
        change(file)
    if said is None:
        assert "fwhm" not in unmix.read(path).coords
        return
    with pytest.raises(ReadError, match=said) as caught:
        unmix.read(path)
    assert "\n" not in str(caught.value)


def test_numbers_elsewhere_are_refused_in_products_too(emit, tmp_path):
    shutil.copy(emit, tmp_path / "other.nc")
    with h5py.File(emit, "r+") as file:
        del file["reflectance"]
        layout = h5py.VirtualLayout((12, 9, 10), "f4")
        layout[...] = h5py.VirtualSource(str(tmp_path / "other.nc"), "reflectance", (12, 9, 10))
        file.create_virtual_dataset("reflectance", layout)
    with pytest.raises(ReadError, match="is virtual"):
        unmix.read(emit)
    with h5py.File(emit, "r+") as file:
        del file["reflectance"]
        file["reflectance"] = h5py.ExternalLink(str(tmp_path / "other.nc"), "/reflectance")
    with pytest.raises(ReadError):
        unmix.read(emit)


@pytest.mark.parametrize("name", ["enmap", "sentinel2"])
def test_xml_with_a_document_type_is_refused(request, name):
    path = request.getfixturevalue(name)
    metadata = path if path.suffix == ".xml" else next(path.parent.glob("*METADATA.XML"))
    text = metadata.read_text()
    for bomb in ('<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>', "<!doctype x>"):
        metadata.write_text(text.replace("?>", f"?>{bomb}", 1))
        with pytest.raises(ReadError, match="declares a document type or entities, which are never followed"):
            unmix.read(path)


def test_files_named_outside_the_product_are_refused(sentinel2, landsat):
    text = sentinel2.read_text()
    sentinel2.write_text(text.replace("GRANULE/L2A_T32UQD_A033500_20230801T105629/", "../../elsewhere/"))
    with pytest.raises(ReadError, match=r"leads outside .*SAFE, and is never opened"):
        unmix.read(sentinel2)
    landsat.write_text(landsat.read_text().replace('"LC09', '"../LC09'))
    with pytest.raises(ReadError, match="which is not a file beside it"):
        unmix.read(landsat)


def test_incomplete_products_name_what_is_missing(sentinel2, landsat, enmap):
    next(sentinel2.parent.rglob("*B04_20m.tif")).unlink()
    with pytest.raises(ReadError, match=r"B04_20m.jp2: there is no such file .* the product is incomplete"):
        unmix.read(sentinel2)
    next(landsat.parent.glob("*SR_B3.TIF")).unlink()
    with pytest.raises(ReadError, match=r"SR_B3.TIF: there is no such file"):
        unmix.read(landsat)
    metadata = next(enmap.parent.glob("*METADATA.XML"))
    enmap.unlink()
    with pytest.raises(ReadError, match="its image is not beside it"):
        unmix.read(metadata)


def test_a_part_that_changes_is_noticed(landsat):
    image = unmix.read(landsat)
    band = next(landsat.parent.glob("*SR_B3.TIF"))
    band.write_bytes(band.read_bytes() + b"\0")
    with pytest.raises(ReadError, match=r"SR_B3.TIF has changed since it was opened"):
        image.compute()


def test_a_granule_is_unmixed_in_sensor_geometry_and_written_on_the_ground(emit, tmp_path):
    result = unmix.unmix(emit, endmembers=np.full((2, 10), 0.3) + np.eye(2, 10))
    assert result["abundances"].shape == (2, 12, 9)
    assert result.attrs["acquired"] == "2023-03-16T04:51:33Z"
    assert result["latitude"].dims == ("y", "x")
    assert result["glt_x"].shape == (11, 13)
    out = tmp_path / "maps"
    unmix.write(result, out, formats=["netcdf", "cog", "residual", "stac"])
    with rasterio.open(out / "abundances.cog.tif") as file:
        maps = file.read()
        assert file.crs.to_epsg() == 4326
        assert file.transform.almost_equals(Affine(0.0005, 0.0, -118.0, 0.0, -0.0005, 36.0))
    np.testing.assert_array_equal(maps[:, 1:10, :12], np.rot90(result["abundances"].values, axes=(1, 2)))
    assert np.isnan(maps[:, 0]).all()
    again = unmix.open_result(out / "result.nc")
    assert again.identical(result)
    part = unmix.unmix(unmix.read(emit, region=(2, 1, 7, 5)), endmembers=result["endmembers"].values)
    unmix.write(part, tmp_path / "part.tif")
    with rasterio.open(tmp_path / "part.tif") as file:
        piece = file.read()
    seen = np.isfinite(piece[0])
    assert seen.sum() == 5 * 4
    np.testing.assert_allclose(piece[:, seen], maps[:, seen], atol=1e-6)


@pytest.mark.parametrize(("value", "said"), [(13, "points to 13, outside 1 to 12"), (2.5, None)])
def test_a_table_that_does_not_belong_to_the_image_is_refused(emit, value, said):
    with h5py.File(emit, "r+") as file:
        table = file["location/glt_y"][()].astype("f8")
        table[4, 4] = value
        del file["location/glt_y"]
        file["location/glt_y"] = table
    with pytest.raises(ReadError, match=said or "points to") as caught:
        unmix.unmix(emit, endmembers=np.eye(2, 10) + 0.1)
    assert "\n" not in str(caught.value)


def test_clouds_are_dropped_when_asked(landsat, emit):
    known = np.full((2, 7), 0.3) + np.eye(2, 7)
    kept = unmix.unmix(landsat, endmembers=known)
    clear = unmix.unmix(landsat, endmembers=known, clouds="drop")
    assert np.isnan(clear["abundances"].values[0]).sum() == np.isnan(kept["abundances"].values[0]).sum() + 1
    assert np.isnan(clear["residual"].values[3, 4])
    with pytest.raises(OptionError, match="needs an image whose product marks clouds"):
        unmix.unmix(emit, endmembers=np.eye(2, 10), clouds="drop")
