"""Files to layers: what is claimed after a look at its first bytes, and what comes out."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

import unmix
from unmix.samples import sample_path
from unmix.viewer.reader import get_reader, open_layers
from unmix.viewer.samples import open_cells, open_coast, open_tissue
from unmix.viewer.sources import known_by

pytest.importorskip("napari")

NOT_OURS = {
    "radiance.hdr": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n",
    "analyze.hdr": (348).to_bytes(4, "little") + bytes(344),
    "empty.npz": b"",
    "old.mat": b"just some text",
    "other.nc": b"CDF\x01" + bytes(60),
    "text.svs": b"not a slide",
    "notes.txt": b"ENVI",
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


@pytest.mark.parametrize("name", ["some.nc", "some.he5", "some.h5"])
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
    ("opener", "quantity", "count"),
    [(open_tissue, "brightfield", 2), (open_coast, "reflectance", 5), (open_cells, "counts", 5)],
)
def test_samples_know_what_they_are(opener, quantity, count):
    (layer,) = opener()
    known = known_by(layer)
    assert known["image"].attrs["quantity"] == quantity
    assert known["suggested_endmembers"] == count
