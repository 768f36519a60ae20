"""Files to layers: what is claimed after a look at its first bytes, and what comes out."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

import unmix
from unmix.samples import sample_path
from unmix.viewer.metadata import known_by
from unmix.viewer.reader import get_reader, open_layers
from unmix.viewer.samples import get_sample

pytest.importorskip("napari")

NOT_OURS = {
    "radiance.hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n",
    "analyze.hdr": (348).to_bytes(4, "little") + bytes(344),
    "empty.npz": b"",
    "old.mat": b"just some text",
    "other.nc": b"CDF\x01" + bytes(60),
    "text.svs": b"not a slide",
    "notes.txt": b"ENVI",
    "shopping.txt": b"milk, 2\nbread, 1\n",
    "table.txt": b"x\ty\tz\n1\t2\t3\n",
    "page.xml": b"<?xml version='1.0'?><html><body>level</body></html>",
    "empty.xml": b"",
    "spectrum.imzML": b"<?xml version='1.0'?><note/>",
    "other.hspy": b"text",
}


@pytest.mark.parametrize("name", NOT_OURS)
def test_files_of_others_are_left_to_them(tmp_path, name):
    (tmp_path / name).write_bytes(NOT_OURS[name])
    assert get_reader(str(tmp_path / name)) is None


def test_a_missing_file_a_folder_and_an_empty_list_are_not_claimed(tmp_path):
    (tmp_path / "folder.npz").mkdir()
    assert get_reader(str(tmp_path / "missing.hdr")) is None
    assert get_reader(str(tmp_path / "folder.npz")) is None
    assert get_reader([]) is None


OURS = {
    "S2/MTD_MSIL2A.xml": b"<?xml version='1.0'?>\n<n1:Level-2A_User_Product xmlns:n1='urn:x'>",
    "ENMAP-METADATA.XML": b"<?xml version='1.0' encoding='UTF-8'?><level_X><base>",
    "DESIS-METADATA.xml": b"<?xml version='1.0'?><hsi_doc xmlns='urn:d'>",
    "LC08_MTL.txt": b"GROUP = LANDSAT_METADATA_FILE\n",
    "map.txt": b"#X\t#Y\t#Wave\t#Intensity\n1\t2\t500\t7\n",
    "ions.imzML": b"<?xml version='1.0'?>\n<mzML version='1.1'>",
}


@pytest.mark.parametrize("name", OURS)
def test_metadata_of_products_and_maps_as_text_are_claimed(tmp_path, name):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(OURS[name])
    assert get_reader(str(path)) is not None


def test_a_zarr_store_is_claimed_only_when_it_is_a_result_or_holds_a_cube(tmp_path):
    zarr = pytest.importorskip("zarr")
    values = np.random.default_rng(0).random((8, 9, 6)).astype(np.float32)
    (tmp_path / "folder.zarr").mkdir()
    flat = zarr.open_group(tmp_path / "flat.zarr", mode="w")
    flat.create_array("table", data=values[0])
    picture = zarr.open_group(tmp_path / "picture.zarr", mode="w", attributes={"multiscales": [{"version": "0.4"}]})
    picture.create_array("0", data=values)
    for name in ("folder", "flat", "picture"):
        assert get_reader(str(tmp_path / f"{name}.zarr")) is None, name
    unmix.as_image(values, quantity="reflectance").to_dataset(name="cube").to_zarr(tmp_path / "a cube.zarr")
    ((data, _, _),) = get_reader(str(tmp_path / "a cube.zarr"))(str(tmp_path / "a cube.zarr"))
    np.testing.assert_array_equal(np.asarray(data), values.transpose(2, 0, 1))
    unmix.write(unmix.unmix(unmix.as_image(values, quantity="reflectance"), 2), tmp_path / "result.zarr")
    names = [
        keywords["name"] for _, keywords, _ in get_reader(str(tmp_path / "result.zarr"))(str(tmp_path / "result.zarr"))
    ]
    assert any(name.endswith("| endmember 2") for name in names)


@pytest.mark.parametrize("name", ["some.nc", "some.he5", "some.h5", "some.hspy"])
def test_an_hdf5_file_is_claimed_only_when_it_is_a_result_or_holds_a_cube(tmp_path, name):
    with h5py.File(tmp_path / name, "w") as file:
        file["temperature"] = np.zeros((3, 4))
        file["elsewhere"] = h5py.ExternalLink("other.h5", "/cube")
    assert get_reader(str(tmp_path / name)) is None
    with h5py.File(tmp_path / name, "a") as file:
        file["swath/data/cube"] = np.random.default_rng(0).random((6, 7, 8)).astype(np.float32)
    with pytest.warns(unmix.errors.UnmixWarning, match="which axis holds the bands"):
        ((data, _, _),) = get_reader(str(tmp_path / name))(str(tmp_path / name))
    assert data.shape == (8, 6, 7)


def test_envi_opens_as_a_lazy_stack_whatever_the_case_of_its_name(tmp_path):
    header = sample_path("coast")
    shutil.copy(header, tmp_path / "Scene.HDR")
    shutil.copy(header.with_suffix(".img"), tmp_path / "Scene.img")
    reader = get_reader(str(tmp_path / "Scene.HDR"))
    ((data, keywords, kind),) = reader(str(tmp_path / "Scene.HDR"))
    image = unmix.read(header)
    assert (kind, keywords["name"], data.shape) == ("image", "Scene", (108, 80, 84))
    assert hasattr(data, "dask")
    np.testing.assert_array_equal(np.asarray(data), image.values.transpose(2, 0, 1))
    assert image.coords["good_band"].values[known_by((data, keywords, kind))["telling_band"]]


def test_several_files_at_once(tmp_path):
    paths = [str(tmp_path / f"{name}.npz") for name in "ab"]
    for path in paths:
        np.savez(path, cube=np.random.default_rng(0).random((5, 6, 7)))
    layers = get_reader(paths)(paths)
    assert [keywords["name"] for _, keywords, _ in layers] == ["a", "b"]


def test_a_damaged_file_is_refused_in_one_sentence(tmp_path):
    header = sample_path("coast")
    shutil.copy(header, tmp_path / "cut.hdr")
    (tmp_path / "cut.img").write_bytes(header.with_suffix(".img").read_bytes()[:1000])
    with pytest.raises(unmix.errors.ReadError) as error:
        open_layers(str(tmp_path / "cut.hdr"))
    assert "\n" not in str(error.value)


def test_a_saved_result_opens_with_all_its_maps(tmp_path, scene):
    _, result = scene
    unmix.write(result.assign_attrs(name="field"), tmp_path / "field.nc")
    path = str(tmp_path / "field.nc")
    layers = get_reader(path)(path)
    assert [keywords["name"] for _, keywords, _ in layers][:3] == [
        "field | brightness",
        "field | residual",
        "field | dominant",
    ]
    maps = [(data, keywords) for data, keywords, _ in layers if keywords["metadata"]["unmix"]["role"] == "abundance"]
    for (data, keywords), expected in zip(maps, result["abundances"].values, strict=True):
        np.testing.assert_array_equal(data, expected)
        assert keywords["scale"] == (30.0, 20.0)


@pytest.mark.parametrize(
    ("name", "quantity", "count"),
    [("tissue_he", "brightfield", 2), ("coast", "reflectance", 5), ("cells_lambda", "counts", 5)],
)
def test_samples_know_what_they_are(name, quantity, count):
    address = f"unmix-sample://{name}"
    (layer,) = get_sample(address)(address)
    known = known_by(layer)
    assert known["image"].attrs["quantity"] == quantity
    assert known["suggested_endmembers"] == count


@pytest.mark.parametrize(
    "address", ["coast", "unmix-sample://", "unmix-sample://../x", "other://coast", ["unmix-sample://coast"]]
)
def test_what_is_no_sample_is_left_to_others(address):
    assert get_sample(address) is None
