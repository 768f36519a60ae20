"""MATLAB files written by SciPy (5) and h5py (7.3)."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from scipy.io import savemat

import unmix
from unmix.errors import ReadError


@pytest.fixture
def cube() -> np.ndarray:
    return np.random.default_rng(0).random((4, 6, 5))


def as_matrix(cube: np.ndarray) -> np.ndarray:
    """Return bands x pixels, pixels down the columns, as the benchmarks store a scene."""
    return np.stack([cube[:, :, band].ravel(order="F") for band in range(cube.shape[2])])


def save_73(path, **arrays: np.ndarray) -> None:
    """Write arrays as MATLAB 7.3 does: HDF5 behind a text block of 512 bytes, axes reversed."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in arrays.items():
            file[name] = np.atleast_2d(value).T if np.ndim(value) < 3 else np.ascontiguousarray(value.T)
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512))


@pytest.fixture(params=["5", "7.3"])
def save(request):
    return savemat_5 if request.param == "5" else save_73


def savemat_5(path, **arrays):
    savemat(path, arrays, do_compression=True)


def test_a_scene_as_it_is(tmp_path, cube, save):
    save(tmp_path / "a.mat", paviaU=cube, paviaU_gt=np.ones((4, 6)))
    image = unmix.read(tmp_path / "a.mat")
    np.testing.assert_array_equal(image.values, cube)
    assert image.attrs["name"] == "a"
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.mat", region=(1, 2, 3, 5)).values, cube[1:3, 2:5])


@pytest.mark.parametrize("name", ["Y", "V"])
def test_benchmark_matrix_with_sizes(tmp_path, cube, save, name):
    save(
        tmp_path / "a.mat",
        **{name: as_matrix(cube)},
        nRow=np.array([[4.0]]),
        nCol=np.array([[6.0]]),
        maxValue=np.array([[9.0]]),
    )
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.mat").values, cube)
    save(tmp_path / "a.mat", **{name: as_matrix(cube).T}, nRow=np.array([[4.0]]), nCol=np.array([[6.0]]))
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.mat").values, cube)


def test_benchmark_matrix_of_a_square_scene(tmp_path, save):
    square = np.random.default_rng(1).random((7, 7, 5))
    save(tmp_path / "a.mat", Y=as_matrix(square), M=np.ones((5, 3)))
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.mat").values, square)
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.mat", key="Y", scale=2).values, square.astype("f4") / 2)


def test_wavelengths_come_along(tmp_path, cube, save):
    save(tmp_path / "a.mat", cube=cube, wavelengths=np.array([[400.0, 500, 600, 700, 800]]))
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.mat").coords["wavelength"], [400, 500, 600, 700, 800])


def test_what_is_not_clear_is_refused(tmp_path, cube, save):
    path = tmp_path / "a.mat"
    save(path, a=cube, b=cube)
    with pytest.raises(ReadError, match=r"Choose one by key=. It has a 4 x 6 x 5, b 4 x 6 x 5"):
        unmix.read(path)
    with pytest.raises(ReadError, match="no numeric array 'c'"):
        unmix.read(path, key="c")
    save(path, Y=as_matrix(cube)[:, :23])
    with pytest.raises(ReadError, match="5 x 23: without nRow and nCol"):
        unmix.read(path)
    save(path, Y=as_matrix(cube), nRow=np.array([[5.0]]), nCol=np.array([[6.0]]))
    with pytest.raises(ReadError, match="not 5 x 6 pixels"):
        unmix.read(path)


def test_hostile_files(tmp_path, cube, monkeypatch):
    path = tmp_path / "a.mat"
    savemat(path, {"s": {"x": 1}, "c": np.array([1, "a"], object)})
    with pytest.raises(ReadError, match="which array is the image"):
        unmix.read(path)
    savemat(path, {"Y": cube + 1j})
    with pytest.raises(ReadError, match="complex"):
        unmix.read(path)
    savemat(path, {"Y": cube})
    content = path.read_bytes()
    for keep in (100, 130, 200, 600):
        path.write_bytes(content[:keep])
        with pytest.raises(ReadError, match=r"a\.mat"):
            unmix.read(path)
    rng = np.random.default_rng(0)
    for _ in range(20):
        broken = bytearray(content)
        for place in rng.integers(128, 260, 4):
            broken[place] = rng.integers(256)
        path.write_bytes(broken)
        try:
            outcome = str(unmix.read(path).compute().shape)
        except unmix.errors.UnmixError as error:
            outcome = str(error)
        assert "\n" not in outcome
    monkeypatch.setattr("unmix.readers.limits.memory_limit", lambda: 500)
    path.write_bytes(content)
    with pytest.raises(ReadError, match="needs 960 bytes at once"):
        unmix.read(path)


def test_73_links_out_of_the_file_are_not_candidates(tmp_path, cube):
    save_73(tmp_path / "other.mat", Y=cube)
    save_73(tmp_path / "a.mat", b=np.ones((2, 2)))
    with h5py.File(tmp_path / "a.mat", "r+") as file:
        file["Y"] = h5py.ExternalLink(str(tmp_path / "other.mat"), "/Y")
    with pytest.raises(ReadError, match=r"Choose one by key=. It has b 2 x 2"):
        unmix.read(tmp_path / "a.mat")
    with pytest.raises(ReadError, match="no numeric array 'Y'"):
        unmix.read(tmp_path / "a.mat", key="Y")
