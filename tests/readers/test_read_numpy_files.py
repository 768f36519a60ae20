"""``.npy`` and ``.npz`` files written by NumPy, and hostile ones by hand."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import unmix
from unmix.errors import ReadError, UnmixError, UnmixWarning


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cube=hnp.arrays(
        st.sampled_from([np.dtype(code) for code in ("u1", "<u2", ">i2", "<i4", "<f4", ">f8", "<f2")]),
        st.tuples(*[st.integers(1, 5)] * 3),
        elements=st.integers(0, 100),
    ),
    fortran=st.booleans(),
)
def test_npy_gives_the_numbers_back(tmp_path, cube, fortran):
    np.save(tmp_path / "a.npy", np.asfortranarray(cube) if fortran else cube)
    image = unmix.read(tmp_path / "a.npy")
    assert image.chunks is not None
    np.testing.assert_array_equal(image.values, cube)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.integers(1, 3))
def test_any_npy_header_gives_an_image_or_an_unmix_error(tmp_path, text, version):
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY" + bytes([version, 0]) + size + text + bytes(64))
    with pytest.raises(UnmixError):
        unmix.read(tmp_path / "a.npy")


def npy(shape: str, descr: str = "'<f4'", body: bytes = b"") -> bytes:
    """Return a .npy file that declares a shape and a type."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (npy("(1000000, 1000000, 100)", body=bytes(64)), "expected 4000000.* found .*: it is damaged or cut short"),
        (npy("(2, 2, 2)", body=bytes(31)), r"expected \d+ bytes .*found"),
        (npy("(2, 2, 2)", body=bytes(33)), r"expected \d+ bytes .*found"),
        (npy("(-2, -2, 2)", body=bytes(32)), "declares the shape"),
        (npy("(2, 4)", body=bytes(32)), "three axes"),
        (npy("(0, 4, 2)"), "three axes"),
        (npy("(2, 2, 2)", "'|O'", bytes(64)), "pickled Python objects, which are never loaded"),
        (npy("(2, 2, 2)", "'<c8'", bytes(64)), "holds complex64"),
        (npy("(2, 2, 1)", "[('a', '<f4')]", bytes(16)), "real numbers"),
        (b"\x93NUMPY\x09\x00" + bytes(50), "version 9.0"),
        (b"\x93NUM", "a.npy"),
        (b"", "is empty"),
        (b"\x80\x04\x95", "Python pickle, which is never opened"),
    ],
)
def test_hostile_npy(tmp_path, content, said):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ReadError, match=said) as caught:
        unmix.read(tmp_path / "a.npy")
    assert "\n" not in str(caught.value)


def test_pickled_npy_and_npz_run_nothing(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    bomb = np.empty((1, 1, 2), object)
    bomb[...] = Bomb()
    np.save(tmp_path / "a.npy", bomb, allow_pickle=True)
    np.savez(tmp_path / "a.npz", Y=bomb)
    for name in ("a.npy", "a.npz"):
        with pytest.raises(ReadError, match="never loaded"):
            unmix.read(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_npz_companions(tmp_path):
    cube = np.arange(24, dtype="u2").reshape(2, 3, 4)
    np.savez(
        tmp_path / "a.npz",
        Y=cube,
        scale=100.0,
        wavelengths=[400, 500, 600, 700],
        fwhm=[1, 2, 3, 4],
        bbl=[1, 1, 0, 1],
        band_names=list("abcd"),
        other=np.zeros((2, 3, 4)),
    )
    image = unmix.read(tmp_path / "a.npz")
    np.testing.assert_array_equal(image.values, cube.astype("f4") / np.float32(100))
    np.testing.assert_array_equal(image.coords["wavelength"], [400, 500, 600, 700])
    np.testing.assert_array_equal(image.coords["good_band"], [True, True, False, True])
    assert list(image.coords["band_name"].values) == list("abcd")
    assert image.encoding["scale"] == 0.01
    assert not unmix.read(tmp_path / "a.npz", key="other").values.any()
    assert unmix.read(tmp_path / "a.npz", bands=(450, 650)).shape == (2, 3, 2)


def test_npz_micrometres_are_said(tmp_path):
    np.savez(tmp_path / "a.npz", cube=np.ones((2, 2, 3)), wavelength=[0.4, 0.5, 0.6])
    with pytest.warns(UnmixWarning, match="taken as micrometres"):
        image = unmix.read(tmp_path / "a.npz")
    np.testing.assert_allclose(image.coords["wavelength"], [400, 500, 600])


def test_npz_names_of_endmembers_are_not_names_of_bands(tmp_path):
    np.savez(tmp_path / "a.npz", Y=np.ones((2, 2, 3)), E=np.ones((3, 3)), names=list("abc"))
    assert "band_name" not in unmix.read(tmp_path / "a.npz").coords
    np.savez(tmp_path / "a.npz", Y=np.ones((2, 2, 3)), names=list("abc"))
    assert list(unmix.read(tmp_path / "a.npz").coords["band_name"].values) == list("abc")


@pytest.mark.parametrize(
    ("arrays", "key", "said"),
    [
        (
            {"a": np.ones((2, 2, 3)), "b": np.ones((2, 2, 3))},
            None,
            r"choose one by key=. It has a 2 x 2 x 3, b 2 x 2 x 3",
        ),
        ({"a": np.ones((2, 3))}, None, "has no image"),
        ({"A": np.ones((2, 2, 3)), "E": np.ones((3, 2))}, None, "has no image"),
        ({"a": np.ones((2, 2, 3))}, "b", "has no array 'b'"),
        ({"a": np.ones((2, 2, 3)), "b": np.ones((2, 2))}, "b", "three axes"),
        ({"Y": np.ones((2, 2, 3)), "wavelengths": np.ones(2)}, None, "'wavelengths' has 2 values for 3 bands"),
        ({"Y": np.ones((2, 2, 3)), "scale": np.zeros(1)}, None, "'scale' is not one positive number"),
    ],
)
def test_npz_is_refused_by_name(tmp_path, arrays, key, said):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ReadError, match=said):
        unmix.read(tmp_path / "a.npz", key=key)


def test_npz_that_lies_about_its_size(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Y.npy", npy("(100000, 100000, 100)", body=bytes(1000)))
    with pytest.raises(ReadError, match=r"array 'Y': expected 4000000000128 bytes .* found 1128"):
        unmix.read(tmp_path / "a.npz")


def test_npz_bomb_is_refused_by_its_header(tmp_path, monkeypatch):
    monkeypatch.setattr("unmix.readers.limits.memory_limit", lambda: 1_000_000)
    np.savez_compressed(tmp_path / "a.npz", Y=np.zeros((200, 200, 30)))
    assert (tmp_path / "a.npz").stat().st_size < 50_000
    with pytest.raises(ReadError, match="needs 9,600,000 bytes at once; the limit is 1,000,000"):
        unmix.read(tmp_path / "a.npz")


def test_npz_that_is_damaged(tmp_path):
    buffer = io.BytesIO()
    np.savez_compressed(buffer, Y=np.random.default_rng(0).random((10, 10, 5)))
    content = bytearray(buffer.getvalue())
    (tmp_path / "a.npz").write_bytes(content[:-30])
    with pytest.raises(ReadError, match=r"a.npz is damaged"):
        unmix.read(tmp_path / "a.npz")
    content[1000] ^= 0xFF
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(ReadError, match=r"a.npz is damaged"):
        unmix.read(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "b.npz", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ReadError, match="zip file with 0 NumPy arrays"):
        unmix.read(tmp_path / "b.npz")
