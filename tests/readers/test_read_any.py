"""The registry: what a file is, what is refused, and how arguments are checked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import unmix
from unmix.errors import OptionError, ReadError, UnmixError

CUBE = np.linspace(0, 1, 60, dtype=np.float32).reshape(3, 4, 5)


@pytest.fixture
def npy(tmp_path) -> Path:
    np.save(tmp_path / "a.npy", CUBE)
    return tmp_path / "a.npy"


REFUSED = {
    "hdf4": (b"\x0e\x03\x13\x01" + bytes(60), "an HDF4 file, which unmix does not read"),
    "netcdf 3": (b"CDF\x01" + bytes(60), "a NetCDF 3 file"),
    "gzip": (b"\x1f\x8b\x08" + bytes(60), "compressed \\(gzip\\). Unpack it first"),
    "imagine": (b"EHFA_HEADER_TAG" + bytes(60), "an ERDAS Imagine file"),
    "gif": (b"GIF89a" + bytes(60), "a GIF"),
    "czi": (b"ZISRAWFILE" + bytes(60), "damaged or incomplete"),
    "pickle": (b"\x80\x05" + bytes(60), "a Python pickle, which is never opened"),
    "empty": (b"", "is empty \\(0 bytes\\)"),
    "text": (b"wavelength, a, b\n1, 2, 3\n", "Formats: ENVI; PNG; JPEG; TIFF"),
    "matlab 4": (bytes(64), "Formats: ENVI"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_read_is_named(tmp_path, kind):
    content, said = REFUSED[kind]
    (tmp_path / "a.dat").write_bytes(content)
    with pytest.raises(ReadError, match=said) as caught:
        unmix.read(tmp_path / "a.dat")
    assert "a.dat" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_name_that_lies(tmp_path, npy):
    npy.rename(tmp_path / "a.png")
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.png").values, CUBE)
    (tmp_path / "b.tif").write_bytes(b"nothing of the kind")
    with pytest.raises(ReadError, match=r"b.tif is named like TIFF .* but does not begin like one"):
        unmix.read(tmp_path / "b.tif")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("/vsicurl/http://a.b/c.tif", "virtual file name"),
        ("/vsizip/a.zip/b.tif", "virtual file name"),
        ("http://a.b/c.tif", "is a URL"),
        ("s3://a/c.tif", "is a URL"),
        ("file:///etc/hostname", "is a URL"),
        ('HDF5:"x"://y', "connection string"),
        ("NETCDF:x.nc:y", "connection string"),
        ("GTIFF_DIR:1:x.tif", "connection string"),
        ("there is none.tif", "there is no such file"),
        ("", "not the name of a file"),
        ("a\0b", "not the name of a file"),
        (3, "a file name is needed; got int"),
        (b"a.tif", "a file name is needed; got bytes"),
        ("x" * 5000, "cannot be opened"),
    ],
)
def test_sources_that_are_no_local_file(source, said):
    with pytest.raises(ReadError, match=said) as caught:
        unmix.read(source)
    assert "\n" not in str(caught.value)


def test_folders_pipes_and_forbidden_files(tmp_path, npy, monkeypatch):
    with pytest.raises(ReadError, match=r"is a folder. Give one file in it"):
        unmix.read(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ReadError, match="not a regular file"):
        unmix.read(tmp_path / "pipe")
    plain = Path.open

    def forbidden(self, *args, **kwargs):
        if self == npy:
            raise PermissionError(13, "Permission denied")
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(ReadError, match=r"a.npy may not be read: permission denied"):
        unmix.read(npy)


@pytest.mark.parametrize(
    "name", ["with space.npy", "-leading.npy", "ünï😀.npy", "a:b.npy", "new\nline.npy", "q?x=1#y.npy"]
)
def test_odd_names(tmp_path, npy, name, monkeypatch):
    npy.rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    image = unmix.read(name)
    np.testing.assert_array_equal(image.values, CUBE)
    assert image.attrs["source"] == name
    (tmp_path / name).write_bytes(b"\x93NUMPY")
    with pytest.raises(ReadError) as caught:
        unmix.read(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"level": -1}, "level=-1"),
        ({"level": 1.5}, "level=1.5"),
        ({"level": True}, "level=True"),
        ({"level": 1}, "nothing to choose by level="),
        ({"series": 0}, "nothing to choose by series="),
        ({"key": "a"}, "nothing to choose by key="),
        ({"region": (0, 0, 1)}, "is not \\(y0, x0, y1, x1\\)"),
        ({"region": (2, 0, 2, 3)}, "is empty"),
        ({"region": 5}, "is not \\(y0"),
        ({"region": (0, 0, 4, 4)}, "3 rows and 4 columns"),
        ({"region": (-1, 0, 2, 2)}, "whole number"),
        ({"quantity": "colour"}, "quantity='colour' is not known"),
        ({"scale": 0}, "scale=0"),
        ({"scale": float("nan")}, "scale=nan"),
        ({"scale": "2"}, "scale='2'"),
        ({"bands": (400, 700)}, "need wavelengths"),
        ({"bands": 3}, "bands=3"),
        ({"bands": (7, 4)}, "bands="),
        ({"exclude": [(1, 2)]}, "need wavelengths"),
        ({"exclude": 3}, "exclude=3"),
        ({"exclude": [3]}, "exclude=3"),
    ],
)
def test_arguments_are_checked_by_name(npy, options, said):
    with pytest.raises(OptionError, match=said):
        unmix.read(npy, **options)


def test_arguments_reach_the_image(npy):
    image = unmix.read(npy, quantity="counts", scale=2, region=(1, 1, 3, 3))
    assert image.attrs["quantity"] == "counts"
    assert "quantity_guessed" not in image.attrs
    np.testing.assert_array_equal(image.values, CUBE[1:3, 1:3] / 2)
    assert unmix.read(npy).attrs["quantity_guessed"] == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from(
        [
            b"\x89PNG\r\n\x1a\n",
            b"\xff\xd8\xff",
            b"II*\0",
            b"MM\0*",
            b"II+\0",
            b"\x89HDF\r\n\x1a\n",
            b"PK\x03\x04",
            b"\x93NUMPY\x01\0",
            b"MATLAB 5.0 MAT-file",
            b"MATLAB 7.3 MAT-file",
            b"ENVI\n",
            b"\0\0\0\x0cjP  ",
            b"",
        ]
    ),
    rest=st.binary(max_size=200),
)
def test_any_bytes_give_an_image_or_an_unmix_error(tmp_path, start, rest):
    (tmp_path / "a.bin").write_bytes(start + rest)
    with pytest.raises(UnmixError) as caught:
        unmix.read(tmp_path / "a.bin")
    assert "\n" not in str(caught.value)


def test_many_reads_leave_no_open_file(npy, tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "a.tif", np.zeros((16, 16, 3), np.uint8), photometric="rgb", compression="zlib")
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("this system does not list open files")
    images = [unmix.read(path) for path in [npy, tmp_path / "a.tif"] * 3]
    before = len(list(folder.iterdir()))
    images += [unmix.read(path) for path in [npy, tmp_path / "a.tif"] * 10]
    for image in images:
        image.compute()
    assert len(list(folder.iterdir())) <= before


def test_importing_the_readers_is_light():
    code = (
        "import sys, unmix.readers; "
        "heavy = ('numpy', 'xarray', 'dask', 'h5py', 'rasterio', 'tifffile', 'scipy', 'PIL'); "
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
