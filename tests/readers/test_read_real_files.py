"""Every real file: shape, wavelengths, quantity and valid pixels, and pixels against an independent reader."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

import unmix
from unmix.errors import ReadError, UnmixWarning

pytestmark = pytest.mark.realdata


def read(path: Path, said: str | None = None, **options):
    """Read a file, expecting a warning or none."""
    if said is None:
        return unmix.read(path, **options)
    with pytest.warns(UnmixWarning, match=said):
        return unmix.read(path, **options)


FILES = {
    "formats/hippo_image.hdr": ((38, 23, 450), "reflectance", (378.190002, 2503.72998), 874, None),
    "formats/emit_unmix_ex.hdr": (
        (10, 10, 285),
        "reflectance",
        (381.0055927, 2492.9238809),
        100,
        "taken as nanometres",
    ),
    "formats/emit_unmix_ex": ((10, 10, 285), "reflectance", (381.0055927, 2492.9238809), 100, "taken as nanometres"),
    "formats/enmap_potsdam_tile_128_128.tif": ((32, 32, 224), "reflectance", (418.24, 2445.53), 1024, None),
    "formats/delmic_test_hyperspectral.h5": ((4, 4, 512), "unknown", (376.31634521484375, 820.8825073242189), 16, None),
    "formats/landsat_rgb_byte.tif": ((718, 791, 3), "unknown", None, 383115, None),
    "hyperspectral/samson.npz": ((95, 95, 156), "reflectance", (401, 889), 9025, None),
    "hyperspectral/jasper_ridge.npz": ((100, 100, 198), "reflectance", (408.52017937, 2452.46636771), 10000, None),
    "hyperspectral/dc1.npz": ((75, 75, 224), "reflectance", None, 5625, None),
    "hyperspectral/sim1_no_pure.npz": ((105, 105, 224), "reflectance", None, 11025, None),
    "hyperspectral/salton_sea.npz": (
        (51, 56, 224),
        "reflectance",
        (365.9136593, 2496.2236593),
        2856,
        "taken as micrometres",
    ),
    "hyperspectral/jasperRidge2_R198.mat": ((100, 100, 198), "unknown", None, 10000, None),
    "histology/torchstain_source.png": ((438, 584, 3), "brightfield", None, 438 * 584, None),
    "histology/torchstain_target.png": ((441, 587, 3), "brightfield", None, 441 * 587, None),
    "histology/tia_TCGA-HE-7130-01Z-00-DX1.png": ((1000, 1000, 3), "brightfield", None, 10**6, None),
    "histology/tiatoolbox_target.png": ((1000, 1000, 3), "brightfield", None, 10**6, None),
    "histology/warwick_toolbox_image1.tif": ((512, 512, 3), "brightfield", None, 512**2, None),
    "histology/henorm_example1.png": ((1024, 1024, 3), "brightfield", None, 1024**2, None),
    "histology/bksvd_hist0.png": ((256, 256, 3), "brightfield", None, 256**2, None),
    "histology/bksvd_hist1.png": ((256, 256, 3), "brightfield", None, 256**2, None),
    "histology/bksvd_hist2.png": ((256, 256, 3), "brightfield", None, 256**2, None),
    "histology/bcdsg_region.png": ((297, 299, 3), "brightfield", None, 297 * 299, None),
    "histology/deepliif_train_Bladder1.png": ((512, 3072, 3), "brightfield", None, 512 * 3072, None),
    "histology/CMU-1-Small-Region.svs": ((2967, 2220, 3), "brightfield", None, 2967 * 2220, None),
    "histology/openslide_boxes.tiff": ((250, 300, 3), "brightfield", None, 75000, None),
    "histology/test3-DAPI-2-387.ndpi": ((4864, 3968, 3), "unknown", None, None, None),
    **{
        f"fluorescence/{name}.lsm": ((256, 256, 28), "counts", ends, 65536, None)
        for name, ends in {
            "33_mixture": (422.8088, 692.8088),
            "38_mixture": (422.8088, 692.8088),
            "spectral_cell_mask": (422.8088, 692.8088),
            "spectral_golgi": (423.013295, 693.013295),
            "spectral_hoehst": (422.8088, 692.8088),
            "spectral_lyso_tracker_green": (422.8088, 692.8088),
            "spectral_mito_tracker": (423.013295, 693.013295),
        }.items()
    },
}


@pytest.mark.parametrize("name", FILES)
def test_shape_wavelengths_quantity_and_valid(real_data, name):
    shape, quantity, ends, n_valid, said = FILES[name]
    image = read(real_data / name, said)
    assert image.shape == shape
    assert image.attrs["quantity"] == quantity
    assert ("wavelength" in image.coords) == (ends is not None)
    if ends is not None:
        np.testing.assert_allclose(image.coords["wavelength"].values[[0, -1]], ends)
    if n_valid is not None:
        assert int(image.coords["valid"].sum()) == n_valid


def test_every_real_file_is_read_or_refused(real_data):
    for folder in ("formats", "hyperspectral", "histology", "fluorescence"):
        for path in sorted((real_data / folder).iterdir()):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UnmixWarning)
                try:
                    outcome = np.asarray(unmix.read(path, region=(0, 0, 4, 4)).data).shape[:2]
                except ReadError as error:
                    outcome = str(error)
            assert outcome == (4, 4) or "\n" not in outcome


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("formats/library_berlin.hdr", "spectral library, not an image"),
        ("formats/library_berlin.sli", "spectral library, not an image"),
        ("formats/emit_basic_endmember_library.csv", "of no format unmix reads"),
        ("hyperspectral/jasper_end4.mat", "Choose one by key="),
        ("hyperspectral/urban_gt_only.npz", "has no image"),
        ("hyperspectral/usgs_1995.npz", "has no image"),
    ],
)
def test_what_is_no_image_is_refused_by_name(real_data, name, said):
    with pytest.raises(ReadError, match=said):
        unmix.read(real_data / name)


def test_cathodoluminescence_cube_is_bands_first(real_data):
    image = unmix.read(real_data / "formats/delmic_test_hyperspectral.h5")
    assert image.identical(
        unmix.read(real_data / "formats/delmic_test_hyperspectral.h5", key="Acquisition2/ImageData/Image")
    )
    assert image.shape == (4, 4, 512)
    assert image.coords["y"].attrs["units"] == "um"
    np.testing.assert_allclose(image.coords["wavelength"].values[[0, -1]], [376.31634521, 820.88250732])
    assert (int(image.min()), int(image.max())) == (262, 364)


@pytest.mark.parametrize("name", ["hippo_image.dat", "emit_unmix_ex"])
def test_raw_cubes_against_gdal(real_data, name):
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    path = real_data / "formats" / name
    image = read(path, "taken as nanometres" if name.startswith("emit") else None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, driver="ENVI") as file:
            expected = file.read().transpose(1, 2, 0).astype("f4")
    scale = np.float32(65535 if name.startswith("hippo") else 1)
    np.testing.assert_array_equal(image.values, expected / scale)


def test_enmap_place_scale_and_bad_bands(real_data):
    image = unmix.read(real_data / "formats/enmap_potsdam_tile_128_128.tif")
    assert image.rio.crs.to_epsg() == 32633
    assert tuple(image.coords[axis].values[0] for axis in "xy") == (366030.0, 5806110.0)
    assert int(image.coords["good_band"].sum()) == 218
    assert 0.3 < float(image.max()) < 0.6


def test_the_benchmark_and_its_matlab_original_agree(real_data):
    folder = real_data / "hyperspectral"
    original = unmix.read(folder / "jasperRidge2_R198.mat", scale=5000)
    converted = unmix.read(folder / "jasper_ridge.npz")
    np.testing.assert_allclose(original.values, converted.values, atol=1e-6)
    assert original.attrs["quantity"] == "reflectance"
    assert int(read(folder / "salton_sea.npz", "micrometres").coords["good_band"].sum()) == 204


@pytest.mark.parametrize("level", [0, 1, 3])
def test_slides_against_tifffile(real_data, level):
    import tifffile

    names = ["CMU-1-Small-Region.svs"] if level == 0 else ["openslide_boxes.tiff", "test3-DAPI-2-387.ndpi"]
    for name in names:
        path = real_data / "histology" / name
        with tifffile.TiffFile(path) as file:
            expected = file.series[0].levels[level].asarray()
        np.testing.assert_array_equal(unmix.read(path, level=level).values, expected)
        if level < 2:
            down = 2**level
            part = unmix.read(path, level=level, region=(11 * down, 5 * down, 28 * down, 36 * down))
            np.testing.assert_array_equal(part.values, expected[11:28, 5:36])


def test_pixel_sizes(real_data):
    slide = unmix.read(real_data / "histology/CMU-1-Small-Region.svs")
    assert slide.coords["x"].values[0] == pytest.approx(0.499 / 2)
    assert slide.coords["y"].attrs["units"] == "um"
    stack = unmix.read(real_data / "fluorescence/33_mixture.lsm")
    assert float(np.diff(stack.coords["x"].values[:2])[0]) == pytest.approx(0.13178822554981574)
    fluorescence = unmix.read(real_data / "histology/test3-DAPI-2-387.ndpi", level=2)
    assert float(np.diff(fluorescence.coords["x"].values[:2])[0]) == pytest.approx(4 * 1e4 / 43826)


def test_lambda_stack_against_tifffile(real_data):
    import tifffile

    path = real_data / "fluorescence/33_mixture.lsm"
    image = unmix.read(path)
    np.testing.assert_array_equal(image.values, tifffile.imread(path, series=0).transpose(1, 2, 0))
    np.testing.assert_allclose(image.coords["fwhm"], 10)


def test_transparency_of_pictures_is_dropped(real_data):
    from PIL import Image

    path = real_data / "histology/bksvd_hist0.png"
    with Image.open(path) as picture:
        expected = np.asarray(picture.convert("RGBA"))
    image = unmix.read(path)
    np.testing.assert_array_equal(image.values, expected[..., :3])
    np.testing.assert_array_equal(image.coords["valid"].values, expected[..., 3] > 0)
