"""The sample images in the tree are the ones the makers make."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from unmix.errors import WriteError
from unmix.samples import sample_abundances, sample_names, sample_truth
from unmix.synthetic import Scene, sample_images
from unmix.synthetic.sample_images import NODATA, REFLECTANCE_SCALE, SAMPLE_FILES, make_samples, sample_files

LIMIT = 1_500_000
ODD_VALUES = 1e-4
"""Share of values another machine's mathematical library may round the other way."""


MAKERS = {"tissue_he": "tissue_sample", "coast": "coast_sample", "cells_lambda": "cells_sample"}


@pytest.fixture(scope="module")
def scenes() -> dict[str, Scene]:
    return {name: getattr(sample_images, maker)() for name, maker in MAKERS.items()}


@pytest.fixture(scope="module")
def made(scenes: dict[str, Scene]) -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        for name, maker in MAKERS.items():
            patch.setattr(sample_images, maker, lambda name=name: scenes[name])
        return sample_files()


@pytest.fixture(scope="module")
def committed(root_folder: Path) -> Path:
    return root_folder / "sample_images"


@pytest.fixture(scope="module")
def root_folder() -> Path:
    return Path(__file__).resolve().parents[2]


def decoded(name: str, content: bytes) -> np.ndarray:
    if name.endswith(".png"):
        from PIL import Image

        return np.asarray(Image.open(io.BytesIO(content)))
    if name.endswith(".tif"):
        import tifffile

        return tifffile.imread(io.BytesIO(content))
    return np.frombuffer(content, "<i2")


def assert_same_but_for_rounding(first: np.ndarray, second: np.ndarray) -> None:
    assert first.shape == second.shape
    assert first.dtype == second.dtype
    assert (first != second).mean() <= ODD_VALUES


@pytest.mark.parametrize("name", ["tissue_he.png", "coast.img", "cells_lambda.tif"])
def test_rebuilt_pictures_are_the_committed_ones(name: str, made: dict[str, bytes], committed: Path) -> None:
    assert_same_but_for_rounding(decoded(name, made[name]), decoded(name, (committed / name).read_bytes()))


@pytest.mark.parametrize("name", ["tissue_he", "coast", "cells_lambda"])
def test_rebuilt_truth_is_the_committed_one(name: str, made: dict[str, bytes], committed: Path) -> None:
    with (
        np.load(io.BytesIO(made[f"{name}.truth.npz"]), allow_pickle=False) as new,
        np.load(committed / f"{name}.truth.npz", allow_pickle=False) as old,
    ):
        assert set(new.files) == set(old.files)
        assert new["names"].tolist() == old["names"].tolist()
        np.testing.assert_allclose(new["endmembers"], old["endmembers"], rtol=1e-9)
        np.testing.assert_allclose(new["abundance_step"], old["abundance_step"], rtol=1e-9)
        assert_same_but_for_rounding(new["abundances"], old["abundances"])


def test_every_sample_has_a_maker() -> None:
    assert sample_names() == tuple(MAKERS)


@pytest.mark.parametrize("name", MAKERS)
def test_truth_is_that_of_the_scene_behind_it(name: str, scenes: dict[str, Scene]) -> None:
    scene = scenes[name]
    endmembers, names = sample_truth(name)
    assert names == scene.names
    assert endmembers.dtype == np.float64
    np.testing.assert_allclose(endmembers, scene.endmembers, rtol=1e-9)
    step = scene.abundances.max(axis=(1, 2), keepdims=True) / 255
    assert (np.abs(sample_abundances(name) - scene.abundances) <= 0.501 * step).all()


def test_rebuilt_header_is_the_committed_one(made: dict[str, bytes], committed: Path) -> None:
    assert made["coast.hdr"] == (committed / "coast.hdr").read_bytes()


def test_files_are_small(committed: Path) -> None:
    sizes = {path.name: path.stat().st_size for path in committed.iterdir()}
    assert sizes
    assert max(sizes.values()) < LIMIT, sizes


def test_coast_file_opens_elsewhere_with_place_and_nodata(committed: Path, scenes: dict[str, Scene]) -> None:
    import rasterio

    from unmix.synthetic.coast import swath_edge

    scene = scenes["coast"]
    with rasterio.open(committed / "coast.img") as file:
        values = file.read()
        assert file.driver == "ENVI"
        assert file.nodata == NODATA
        assert file.crs.to_epsg() == 32631
        assert tuple(file.transform)[:6] == (20, 0, 500000, 0, -20, 4650000)
        tags = file.tags(ns="ENVI")
    inside = swath_edge(scene.image.shape[:2])
    np.testing.assert_array_equal((values == NODATA).all(axis=0), ~inside)
    assert not (values[:, inside] == NODATA).any()
    reflectance = values.transpose(1, 2, 0)[inside] / REFLECTANCE_SCALE
    np.testing.assert_allclose(reflectance, scene.image.values[inside], atol=0.5001 / REFLECTANCE_SCALE)
    wavelength = [float(text) for text in tags["wavelength"].strip("{}").split(",")]
    np.testing.assert_allclose(wavelength, scene.image["wavelength"].values)
    flags = [int(text) for text in tags["bbl"].strip("{}").split(",")]
    np.testing.assert_array_equal(flags, scene.image["good_band"].values)


def test_stack_file_names_wavelengths_and_pixel_size(committed: Path, scenes: dict[str, Scene]) -> None:
    from xml.etree import ElementTree

    import tifffile

    scene = scenes["cells_lambda"]
    with tifffile.TiffFile(committed / "cells_lambda.tif") as file:
        assert file.is_ome
        assert file.series[0].axes == "CYX"
        np.testing.assert_array_equal(file.asarray().transpose(1, 2, 0), scene.image.values)
        tree = ElementTree.fromstring(file.ome_metadata)
    space = {"ome": "http://www.openmicroscopy.org/Schemas/OME/2016-06"}
    channels = tree.findall(".//ome:Channel", space)
    np.testing.assert_allclose(
        [float(c.get("EmissionWavelength", "nan")) for c in channels], scene.image["wavelength"].values
    )
    pixels = tree.find(".//ome:Pixels", space)
    assert pixels is not None
    assert (pixels.get("PhysicalSizeX"), pixels.get("PhysicalSizeXUnit")) == ("0.25", "µm")


def test_slide_file_is_eight_bit_rgb(committed: Path, scenes: dict[str, Scene]) -> None:
    values = decoded("tissue_he.png", (committed / "tissue_he.png").read_bytes())
    assert values.dtype == np.uint8
    assert_same_but_for_rounding(values, scenes["tissue_he"].image.values)


def test_existing_samples_are_kept_unless_told_otherwise(
    tmp_path: Path, made: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample_images, "sample_files", lambda: made)
    paths = make_samples(tmp_path / "new")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == sorted(SAMPLE_FILES)
    with pytest.raises(WriteError, match=r"exists\. Give overwrite=True"):
        make_samples(tmp_path / "new")
    paths[0].write_bytes(b"")
    make_samples(tmp_path / "new", overwrite=True)
    assert paths[0].read_bytes() == made[paths[0].name]


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(WriteError, match="cannot be written"):
        make_samples(tmp_path / "taken")
