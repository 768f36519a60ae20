"""HDF5 cubes written by h5py, friendly and hostile."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import unmix
from unmix.errors import ReadError, UnmixWarning


@pytest.fixture
def cube() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 1000, (12, 10, 7), np.uint16)


def test_labels_say_which_axis_is_which(tmp_path, cube):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("g/Image", data=cube.transpose(2, 0, 1)[:, None, None], chunks=(7, 1, 1, 4, 5))
        for axis, label in enumerate("CTZYX"):
            data.dims[axis].label = label
        file["g/C"] = np.linspace(400e-9, 700e-9, 7)
        file["g/C"].attrs["UNIT"] = "m"
        file["g/C"].make_scale("C")
        data.dims[0].attach_scale(file["g/C"])
    image = unmix.read(tmp_path / "a.h5")
    np.testing.assert_array_equal(image.values, cube)
    np.testing.assert_allclose(image.coords["wavelength"], np.linspace(400, 700, 7))
    part = unmix.read(tmp_path / "a.h5", region=(3, 2, 9, 8), bands=(450, 650))
    np.testing.assert_array_equal(part.values, cube[3:9, 2:8, 1:6])


def test_cf_scale_and_fill_are_applied_once(tmp_path, cube):
    cube[0, 0] = 999
    with h5py.File(tmp_path / "a.nc", "w") as file:
        file["reflectance"] = cube.transpose(2, 0, 1)
        file["reflectance"].attrs.update({"scale_factor": 0.001, "add_offset": 0.1, "_FillValue": np.uint16(999)})
        file["wavelength"] = np.linspace(400, 700, 7)
        file["wavelength"].attrs["units"] = "nm"
        file["good_wavelengths"] = np.array([1, 1, 1, 0, 1, 1, 1], np.uint8)
    image = unmix.read(tmp_path / "a.nc").compute()
    np.testing.assert_allclose(image.values[1:], cube[1:] * np.float32(0.001) + np.float32(0.1), rtol=1e-6)
    assert not image.coords["valid"].values[0, 0]
    assert int(image.coords["good_band"].sum()) == 6
    assert image.encoding["scale"] == 0.001


def test_the_last_axis_is_a_guess_and_said(tmp_path, cube):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = cube
    with pytest.warns(UnmixWarning, match="does not say which axis holds the bands; the last one, of length 7"):
        image = unmix.read(tmp_path / "a.h5")
    np.testing.assert_array_equal(image.values, cube)


def test_several_are_chosen_by_key(tmp_path, cube):
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as file:
        for name in ("a", "g/b"):
            file[name] = cube
            file[name].dims[2].label = "bands"
        file["flat"] = np.ones((3, 4))
    with pytest.raises(ReadError, match=r"choose one by key=. It has a 12 x 10 x 7, g/b 12 x 10 x 7"):
        unmix.read(tmp_path / "a.h5")
    for key in ("g/b", "/g/b"):
        np.testing.assert_array_equal(unmix.read(tmp_path / "a.h5", key=key).values, cube)
    with pytest.raises(ReadError, match="no dataset 'c' of its own"):
        unmix.read(tmp_path / "a.h5", key="c")
    with pytest.raises(ReadError, match="is 3 x 4; an image has three axes"):
        unmix.read(tmp_path / "a.h5", key="flat")


def test_numbers_elsewhere_are_refused(tmp_path, cube):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = cube
    cube.tofile(tmp_path / "raw.bin")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["external"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
        file["soft"] = h5py.SoftLink("/g/real")
        file["loop"] = h5py.SoftLink("/loop")
        file.create_group("g")["up"] = file["/"]
        file.create_dataset("raw", cube.shape, cube.dtype, external=[(str(tmp_path / "raw.bin"), 0, cube.nbytes)])
        layout = h5py.VirtualLayout(cube.shape, cube.dtype)
        layout[...] = h5py.VirtualSource(str(tmp_path / "other.h5"), "x", cube.shape)
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("bomb", (10**6, 10**6, 12), "f4", chunks=(100, 100, 12))
    for key, said in [
        ("external", "links are not followed"),
        ("soft", "links are not followed"),
        ("loop", "links are not followed"),
        ("raw", "in another file, which is never opened"),
        ("virtual", "is virtual"),
        ("bomb", "and holds none"),
    ]:
        with (
            pytest.raises(ReadError, match=said),
            pytest.warns(UnmixWarning) if key in ("raw", "virtual", "bomb") else _quiet(),
        ):
            unmix.read(tmp_path / "a.h5", key=key)


def _quiet():
    import contextlib

    return contextlib.nullcontext()


def test_a_giant_chunk_is_refused(tmp_path, monkeypatch):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=np.zeros((100, 100, 10)), chunks=(100, 100, 10), compression="gzip").dims[
            2
        ].label = "band"
    monkeypatch.setattr("unmix.readers.limits.memory_limit", lambda: 10_000)
    with pytest.raises(ReadError, match=r"one chunk of '/x' \(100 x 100 x 10, float64\) needs 800,000 bytes"):
        unmix.read(tmp_path / "a.h5")


def test_damaged_files(tmp_path, cube):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("x", data=cube, chunks=(4, 5, 7), compression="gzip", fletcher32=True).dims[
            2
        ].label = "band"
    content = (tmp_path / "a.h5").read_bytes()
    for keep in (8, 100, len(content) // 2, len(content) - 10):
        (tmp_path / "a.h5").write_bytes(content[:keep])
        with pytest.raises(ReadError, match=r"a\.h5") as caught:
            unmix.read(tmp_path / "a.h5").compute()
        assert "\n" not in str(caught.value)
    flipped = bytearray(content)
    flipped[content.index(b"\x78\x5e") + 40 if b"\x78\x5e" in content else -900] ^= 0xFF
    (tmp_path / "a.h5").write_bytes(flipped)
    with pytest.raises(ReadError, match=r"a\.h5: a window cannot be read|a\.h5 "):
        unmix.read(tmp_path / "a.h5").compute()
