"""The command line: what it prints, what it writes, how it fails; as a process where that is what is proved."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from click.testing import Result

import unmix
from unmix.options import Options
from unmix.samples import sample_path
from unmix.synthetic import separable_scene

Call = Callable[..., Result]
PROGRAM = (sys.executable, "-m", "unmix")


def one_line(code: int, errors: str) -> str:
    """Return the last line of standard error, which must be the only one that is not a note or a stage."""
    assert code == 1, errors
    assert "Traceback" not in errors
    lines = [line for line in errors.splitlines() if line.startswith("unmix: ")]
    assert len(lines) == 1, errors
    return lines[0]


def refused(answer: Result) -> str:
    return one_line(answer.exit_code, answer.stderr)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a small cube in a file whose name has a space."""
    path = tmp_path_factory.mktemp("a folder") / "small cube.npz"
    scene = separable_scene(seed=1, n_endmembers=3, n_bands=12, shape=(20, 24))
    np.savez(path, cube=np.asarray(scene.image.values, np.float32), wavelengths=np.linspace(400, 2400, 12))
    return path


def test_help_lists_the_commands_and_answers_without_heavy_imports() -> None:
    code = "import sys; from unmix.cli import main; main(['--help'], standalone_mode=False); print(sorted(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(name in answer.stdout for name in ("demo", "info", "run", "stains"))
    assert not {"'xarray'", "'numba'", "'dask'", "'rasterio'", "'matplotlib'"} & set(
        answer.stdout.splitlines()[-1].strip("[]").split(", ")
    )


@pytest.mark.parametrize("door", ["run", "stains"])
def test_every_option_of_a_door_is_a_flag(call: Call, door: str) -> None:
    text = call(door, "--help").stdout
    for knob in fields(Options):
        flag = "--" + knob.name.replace("_", "-")
        assert (flag + " " in text) == (door in knob.metadata["doors"]), flag


def test_a_wrong_option_is_a_usage_error(call: Call, cube: Path) -> None:
    for arguments in (["--nonsense"], ["--bands", "abc"], ["--quantity", "colour"], ["--endmembers", "0"]):
        answer = call("run", cube, "--out", "x", "-n", "2", *arguments)
        assert answer.exit_code == 2
        assert "Error" in answer.stderr
    assert not Path("x").exists()


def test_run_as_a_process_writes_what_python_gives(cube: Path, tmp_path: Path) -> None:
    out = tmp_path / "out folder"
    command = [*PROGRAM, "run", str(cube), "--endmembers", "3", "--quantity", "reflectance", "--bands", "400-2200"]
    answer = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, timeout=300, check=False)
    assert answer.returncode == 0, answer.stderr
    names = {path.name for path in out.iterdir()}
    assert names == {"result.nc", "endmembers.csv", "preview.png", "abundances.tif", "figure.png"}
    expected = unmix.unmix(unmix.read(cube, quantity="reflectance", bands=(400, 2200)), 3)
    found = unmix.open_result(out / "result.nc")
    np.testing.assert_array_equal(found["abundances"], expected["abundances"])
    assert found.sizes["band"] == 10
    with rasterio.open(out / "abundances.tif") as maps:
        assert maps.descriptions == ("endmember 1", "endmember 2", "endmember 3")
        np.testing.assert_array_equal(maps.read(), expected["abundances"])


def test_existing_outputs_are_refused_before_any_work(call: Call, cube: Path, tmp_path: Path) -> None:
    (tmp_path / "endmembers.csv").write_text("mine")
    answer = call("run", cube, "-n", 3, "--quantity", "reflectance", "--out", tmp_path)
    assert "endmembers.csv exists already" in refused(answer)
    assert "--overwrite" in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["endmembers.csv"]
    assert (tmp_path / "endmembers.csv").read_text() == "mine"
    answer = call("run", cube, "-n", 3, "--quantity", "reflectance", "--out", tmp_path, "--overwrite")
    assert answer.exit_code == 0
    assert (tmp_path / "endmembers.csv").read_text() != "mine"


def test_a_mask_leaves_pixels_out(call: Call, cube: Path, tmp_path: Path) -> None:
    mask = np.zeros((20, 24), np.uint8)
    mask[:, :15] = 1
    np.save(tmp_path / "mask.npy", mask)
    answer = call(
        "run", cube, "-n", 2, "--quantity", "reflectance", "--mask", tmp_path / "mask.npy", "--out", tmp_path / "o"
    )
    assert answer.exit_code == 0, answer.stderr
    maps = unmix.open_result(tmp_path / "o" / "result.nc")["abundances"]
    assert maps.attrs is not None
    assert np.isfinite(maps[:, :, :15]).all()
    assert np.isnan(maps[:, :, 15:]).all()


def test_stains_of_the_sample(call: Call, tmp_path: Path) -> None:
    answer = call("stains", sample_path("tissue_he"), "--stains", "eosin,hematoxylin", "--out", tmp_path / "o")
    assert answer.exit_code == 0, answer.stderr
    result = unmix.open_result(tmp_path / "o" / "result.nc")
    assert list(result["endmember"].values) == ["eosin", "hematoxylin"]
    assert float(result["endmembers"][1, 0]) > float(result["endmembers"][0, 0])


def test_info_says_what_the_reader_sees(call: Call) -> None:
    text = call("info", sample_path("coast")).stdout
    assert "80 rows x 84 columns x 108 bands" in text
    assert "95 of 108" in text
    assert "nm" in text


def test_demo_finds_the_truth(call: Call, tmp_path: Path) -> None:
    answer = call("demo", "--out", tmp_path / "demo")
    assert answer.exit_code == 0, answer.stderr
    rows = [
        line.split()
        for line in answer.stdout.splitlines()
        if line.strip().startswith(("tissue_he ", "coast ", "cells"))
    ]
    angles = {" ".join(row[:-2]): float(row[-2]) for row in rows if row[-1][0] in "01"}
    assert len(angles) == 12
    assert max(angles.values()) < 10
    for name in ("tissue_he", "coast", "cells_lambda"):
        assert xr.open_dataset(tmp_path / "demo" / name / "result.nc", engine="h5netcdf").sizes["y"] > 0


def _truncated(folder: Path) -> Path:
    header, data = sample_path("coast"), sample_path("coast").with_suffix(".img")
    (folder / "cut.hdr").write_bytes(header.read_bytes())
    (folder / "cut.img").write_bytes(data.read_bytes()[:-100])
    return folder / "cut.hdr"


def _too_long(folder: Path) -> Path:
    path = _truncated(folder)
    (folder / "cut.img").write_bytes(sample_path("coast").with_suffix(".img").read_bytes() + b"more")
    return path


def _pickled(folder: Path) -> Path:
    np.save(folder / "objects.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    return folder / "objects.npy"


def _virtual(folder: Path) -> Path:
    path = folder / "renamed.tif"
    path.write_text(
        '<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1"/></VRTDataset>'
    )
    return path


def _array(values: np.ndarray) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        np.save(folder / "array.npy", values)
        return folder / "array.npy"

    return make


RANDOM = np.random.default_rng(0).random((9, 9, 5), np.float32)
BROKEN = {
    "truncated ENVI": (_truncated, 2, "1,451,520|1451520"),
    "longer ENVI": (_too_long, 2, "1,451,524|1451524"),
    "pickle": (_pickled, 2, "pickle|object"),
    "VRT renamed": (_virtual, 2, "VRT|virtual|not a|formats"),
    "more endmembers than bands": (_array(RANDOM), 7, "--endmembers 7 needs at least 7 bands; the image has 5"),
    "all invalid": (_array(np.full((9, 9, 5), np.nan, np.float32)), 2, "no valid pixel|no good band"),
    "constant": (_array(np.full((9, 9, 5), 0.3, np.float32)), 2, "same spectrum"),
    "missing": (lambda folder: folder / "nothing here.hdr", 2, "nothing here.hdr"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_input_is_one_line_and_leaves_nothing(call: Call, name: str, tmp_path: Path) -> None:
    import re

    make, n_endmembers, expected = BROKEN[name]
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    answer = call("run", path, "-n", n_endmembers, "--quantity", "reflectance", "--out", tmp_path / "out")
    line = refused(answer)
    assert re.search(expected, line), line
    assert path.name in line
    assert sorted(tmp_path.iterdir()) == before


def test_an_unwritable_folder_is_refused_before_reading(call: Call, cube: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    line = refused(call("run", cube, "-n", 2, "--quantity", "reflectance", "--out", tmp_path / "file" / "out"))
    assert "is a file" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_debug_shows_the_traceback(call: Call, tmp_path: Path) -> None:
    answer = call("run", tmp_path / "nothing.hdr", "-n", 2, "--out", tmp_path / "out", "--debug")
    assert answer.exit_code == 1
    assert "Traceback" in answer.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="signals of this kind are POSIX")
def test_ctrl_c_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    cube = np.random.default_rng(0).random((300, 300, 80), np.float32)
    np.save(tmp_path / "large.npy", cube)
    command = [*PROGRAM, "run", "large.npy", "-n", "5", "--quantity", "reflectance", "--out", "out"]
    process = subprocess.Popen(
        command, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(("Finding", "Mapping")):
            break
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "interrupted" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["large.npy"]


def test_an_empty_output_name_is_not_the_current_folder(
    call: Call, cube: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = call("run", cube, "--endmembers", 3, "--out", "")
    assert answer.exit_code == 2
    assert "the name is empty" in answer.stderr
    assert not list(tmp_path.iterdir())


def test_a_place_on_further_axes_is_chosen_as_in_python(call: Call, tmp_path: Path) -> None:
    import tifffile

    stack = np.random.default_rng(0).integers(1, 200, (3, 4, 32, 32), np.uint16)
    tifffile.imwrite(tmp_path / "time.ome.tif", stack, metadata={"axes": "TCYX"}, ome=True)
    assert "t=" in refused(call("info", tmp_path / "time.ome.tif"))
    assert "x 4 bands" in call("info", tmp_path / "time.ome.tif", "--series", "t=2").stdout
    assert "colour" in refused(call("info", tmp_path / "time.ome.tif", "--series", "colour"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_nobody_can_take_is_one_line(unbuffered: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    command = [*PROGRAM, "info", str(sample_path("coast"))]
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    assert "No space left" in one_line(answer.returncode, answer.stderr)
    closed = subprocess.run(
        ["sh", "-c", 'exec "$@" >&-', "sh", *command], stderr=subprocess.PIPE, text=True, timeout=300, check=False
    )
    assert closed.returncode == 0, closed.stderr
