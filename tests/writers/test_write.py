"""`unmix.write`: which files, where, and what is refused before anything is written."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
import xarray as xr
from affine import Affine

import unmix
from unmix.errors import DataError, OptionError, WriteError
from unmix.writers import FORMATS, Format, default_formats, plan_outputs

SCENE_FILES = ["result.nc", "endmembers.csv", "preview.png", "abundances.tif"]
MICROSCOPY_FILES = ["result.nc", "endmembers.csv", "preview.png", "abundances.ome.tif"]


def names_of(paths):
    return [path.name for path in paths]


def test_a_folder_gets_the_default_files(tmp_path, scene_result):
    folder = tmp_path / "new folder" / "水"
    written = unmix.write(scene_result, folder)
    assert names_of(written) == SCENE_FILES
    assert sorted(os.listdir(folder)) == sorted(SCENE_FILES)
    assert all(path.parent == folder for path in written)


def test_maps_of_microscopy_are_ome_tiff_and_all_others_geotiff(make):
    def chosen(**kind):
        return [one.name for one in default_formats(make(**kind))][-1]

    place = {"crs": "EPSG:32611", "transform": rasterio.Affine(30.0, 0, 0, 0, -30.0, 0)}
    assert chosen() == "geotiff"
    assert chosen(quantity="unknown") == "geotiff"
    assert chosen(pixel_size=2.0, pixel_unit="m") == "geotiff"
    assert chosen(pixel_size=0.5) == "ome_tiff"
    assert chosen(quantity="counts") == "ome_tiff"
    assert chosen(quantity="brightfield", n_bands=3) == "ome_tiff"
    assert chosen(**place) == "geotiff"
    assert chosen(quantity="counts", **place) == "geotiff"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.nc", "netcdf"), ("a.csv", "csv"), ("a.png", "preview"), ("a.tif", "geotiff"), ("a.TIFF", "geotiff"),
        ("a.ome.tif", "ome_tiff"), ("a.OME.TIFF", "ome_tiff"), ("a.cog.tif", "cog"), ("a.zarr", "zarr"),
    ],
)  # fmt: skip
def test_a_known_suffix_writes_that_one_file(tmp_path, stain_result, name, expected):
    path = tmp_path / "deeper" / name
    assert [one.name for one, _ in plan_outputs(stain_result, path)] == [expected]
    assert unmix.write(stain_result, str(path)) == [path]
    assert os.listdir(path.parent) == [name]


def test_formats_choose_what_a_folder_gets(tmp_path, scene_result):
    written = unmix.write(scene_result, tmp_path, formats=["brightness", "csv", "residual"])
    assert names_of(written) == ["endmembers.csv", "residual.tif", "brightness.tif"]
    assert sorted(os.listdir(tmp_path)) == ["brightness.tif", "endmembers.csv", "residual.tif"]
    assert names_of(unmix.write(scene_result, tmp_path, formats="netcdf")) == ["result.nc"]


def test_every_format_can_be_written_for_every_result(tmp_path, scene_result):
    formats = [one for one in FORMATS if one.name != "slide"]
    written = unmix.write(scene_result, tmp_path, formats=[one.name for one in formats])
    assert names_of(written) == [file.name for one in formats for file in one.files(tmp_path / one.file_name)]


def test_a_single_file_can_be_given_a_format_of_its_suffix(tmp_path, scene_result):
    path = tmp_path / "error.tif"
    assert unmix.write(scene_result, path, formats=["residual"]) == [path]
    with rasterio.open(path) as file:
        assert file.descriptions == ("residual",)
    with pytest.raises(OptionError, match=r"a\.tif is one geotiff file, but formats=netcdf"):
        unmix.write(scene_result, tmp_path / "a.tif", formats=["netcdf"])


def test_an_unknown_format_is_refused_with_the_known_ones(tmp_path, scene_result):
    with pytest.raises(OptionError, match=r"'bmp' is not known\. Use any of netcdf, csv, preview, ome_tiff, slide, "):
        unmix.write(scene_result, tmp_path / "out", formats=["netcdf", "bmp"])
    with pytest.raises(OptionError, match="formats is empty"):
        unmix.write(scene_result, tmp_path / "out", formats=[])
    assert not (tmp_path / "out").exists()


def test_a_map_that_is_not_there_is_refused(tmp_path, stain_result):
    with pytest.raises(OptionError, match="no brightness map"):
        unmix.write(stain_result, tmp_path / "out", formats=["netcdf", "brightness"])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["a.jpg", "result.h5", "maps.nc4", "table.xlsx", "scene.HDR"])
def test_a_file_of_another_kind_is_refused_not_made_a_folder(tmp_path, scene_result, name):
    with pytest.raises(OptionError, match=r"unmix does not write \.\w+ files"):
        unmix.write(scene_result, tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_a_folder_with_a_dot_in_its_name_is_a_folder(tmp_path, stain_result):
    assert unmix.write(stain_result, tmp_path / "run 2.1", formats="csv") == [tmp_path / "run 2.1" / "endmembers.csv"]
    (tmp_path / "scene.tif").mkdir()
    assert names_of(unmix.write(stain_result, tmp_path / "scene.tif", formats="csv")) == ["endmembers.csv"]


@pytest.mark.parametrize("last", MICROSCOPY_FILES)
def test_one_existing_file_stops_a_folder_before_anything_is_written(tmp_path, stain_result, last):
    (tmp_path / last).write_bytes(b"old")
    with pytest.raises(WriteError, match=f"{last} exists"):
        unmix.write(stain_result, tmp_path)
    assert os.listdir(tmp_path) == [last]
    assert (tmp_path / last).read_bytes() == b"old"
    assert sorted(names_of(unmix.write(stain_result, tmp_path, overwrite=True))) == sorted(MICROSCOPY_FILES)
    assert (tmp_path / last).read_bytes() != b"old"


def test_the_input_is_never_written_over(tmp_path, make):
    source = tmp_path / "abundances.tif"
    source.write_bytes(b"the scene")
    result = make(source=str(source))
    with pytest.raises(WriteError, match="is the input itself"):
        unmix.write(result, tmp_path, overwrite=True)
    assert os.listdir(tmp_path) == ["abundances.tif"]
    assert source.read_bytes() == b"the scene"


def test_a_linked_output_is_refused(tmp_path, scene_result):
    (tmp_path / "elsewhere.nc").write_bytes(b"precious")
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "result.nc").symlink_to(tmp_path / "elsewhere.nc")
    with pytest.raises(WriteError, match="symbolic link"):
        unmix.write(scene_result, folder, overwrite=True)
    assert (tmp_path / "elsewhere.nc").read_bytes() == b"precious"


def test_a_folder_below_a_file_is_refused(tmp_path, scene_result):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteError, match="is a file, not a folder"):
        unmix.write(scene_result, tmp_path / "file" / "out")


def test_what_is_no_result_is_refused(tmp_path, scene_result):
    with pytest.raises(DataError):
        unmix.write(scene_result.drop_vars("residual"), tmp_path / "out")
    with pytest.raises(DataError):
        unmix.write(np.zeros(3), tmp_path / "out")
    with pytest.raises(OptionError, match="empty"):
        unmix.write(scene_result, "")


@pytest.mark.parametrize("stage", ["fsync", "replace"])
@pytest.mark.parametrize("call", range(4))
def test_a_failure_at_the_nth_file_leaves_only_complete_files(tmp_path, stain_result, monkeypatch, stage, call):
    real, calls = getattr(os, stage), iter(range(100))
    per_file = {"fsync": 2, "replace": 1}[stage]

    def fail_at(*arguments):
        if next(calls) == call * per_file:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(os, stage, fail_at)
    with pytest.raises(WriteError, match="no space left"):
        unmix.write(stain_result, tmp_path)
    monkeypatch.undo()
    assert sorted(os.listdir(tmp_path)) == sorted(MICROSCOPY_FILES[:call])
    for name in MICROSCOPY_FILES[:call]:
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize(
    "name", [one.name for one in FORMATS if one.name not in ("slide", "stac")]
)  # need stains, others
def test_ctrl_c_while_a_file_is_checked_leaves_nothing(tmp_path, scene_result, stain_result, monkeypatch, name):
    result = stain_result if name == "slide" else scene_result
    final = "rename" if "zarr" in name else "replace"  # zarr's own thread replaces files while it writes
    monkeypatch.setattr(os, final, lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        unmix.write(result, tmp_path, formats=[name])
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", [".nc", ".csv", ".png", ".tif", ".ome.tif"])
def test_long_names_and_odd_names_are_files_like_any_other(tmp_path, stain_result, suffix):
    for stem in ("n" * (255 - len(suffix)), "-rf", "a b\n水!#%&'", "x" * 250 + suffix):
        name = (stem + suffix)[: 255 - len(suffix)] + suffix if len(stem + suffix) > 255 else stem + suffix
        path = tmp_path / name
        assert unmix.write(stain_result, path, overwrite=True) == [path]
        assert path.stat().st_size > 0
    assert not [name for name in os.listdir(tmp_path) if "partial" in name]


def test_a_disk_that_is_really_full_leaves_nothing(tmp_path, make):
    """A small memory disk: the libraries' own full-disk errors, which differ, become one line."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
    ) if sys.platform.startswith("linux") and os.geteuid() == 0 else None  # fmt: skip
    if mounted is None or mounted.returncode:
        pytest.skip("a memory disk cannot be mounted here")
    try:
        result = make(shape=(300, 300), brightness=True)
        for one in FORMATS:
            if one.name in ("csv", "envi_library", "slide", "stac"):  # fit on the disk; need stains, others
                continue
            with pytest.raises(WriteError, match="no space left") as caught:
                unmix.write(result, disk, formats=[one.name])
            assert "\n" not in str(caught.value)
            assert os.listdir(disk) == []
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("name", [one.name for one in FORMATS if "zarr" in one.name])
@pytest.mark.parametrize("end", ["full", "Ctrl-C", "Ctrl-C twice"])
def test_threads_that_still_write_do_not_bring_a_removed_folder_back(tmp_path, make, monkeypatch, name, end):
    result, replace, pressed = make(shape=(1100, 1100), brightness=True), os.replace, set()

    def press(chunk):
        if chunk not in pressed:
            pressed.add(chunk)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    def slow_but_for_one(old, new):
        chunk = Path(new).name.removeprefix("0.0.")
        if chunk == "1" and end == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if chunk == "1":
            press(chunk)
        time.sleep(0.2 if chunk == "2" else 0)
        if chunk == "2" and end == "Ctrl-C twice":
            press(chunk)
            time.sleep(0.2)
        replace(old, new)

    monkeypatch.setattr(os, "replace", slow_but_for_one)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # started in the background, it is ignored
    try:
        with pytest.raises(WriteError if end == "full" else KeyboardInterrupt):
            unmix.write(result, tmp_path, formats=[name])
    finally:
        signal.signal(signal.SIGINT, before)
    assert os.listdir(tmp_path) == []
    time.sleep(0.3)
    assert os.listdir(tmp_path) == []


def test_the_registry_names_every_file_once():
    assert all(isinstance(one, Format) for one in FORMATS)
    for values in ([one.name for one in FORMATS], [one.file_name for one in FORMATS]):
        assert len({value.lower() for value in values}) == len(values)
    suffixes = [suffix for one in FORMATS for suffix in one.suffixes]
    assert len(set(suffixes)) == len(suffixes)


def test_importing_the_writers_imports_no_file_library():
    program = (
        "import sys, unmix.writers\n"
        "heavy = {'rasterio', 'tifffile', 'imagecodecs', 'h5py', 'h5netcdf', 'dask', 'matplotlib', 'numba'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_everything_written_tells_the_same(tmp_path, stain_result):
    unmix.write(stain_result, tmp_path)
    with (
        tifffile.TiffFile(tmp_path / "abundances.ome.tif") as file,
        xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf") as saved,
    ):
        np.testing.assert_array_equal(file.asarray(), saved["abundances"].values)
    head = Path(tmp_path / "endmembers.csv").read_text(encoding="utf-8").splitlines()[0]
    assert head == "band,wavelength_nm,good,hematoxylin,eosin"


def test_files_of_maps_are_the_same_bytes_whenever_they_were_made(tmp_path, make):
    stains = {"quantity": "brightfield", "names": ("hematoxylin", "eosin"), "n_bands": 3, "pixel_size": (0.5, 0.5)}
    scene = {"brightness": True, "crs": "EPSG:32611", "transform": Affine(30.0, 0.0, 4e5, 0.0, -30.0, 4e6)}
    maps = ["cog", "geotiff", "residual", "ome_tiff", "ome_zarr", "envi", "envi_library", "csv", "preview"]
    for kind, result, more in (("scene", make(**scene), ["brightness"]), ("stains", make(**stains), ["slide"])):
        told = json.loads(result.attrs["provenance"])
        for day, threads in (("1", 1), ("2", 8)):
            options = {**told["options"], "threads": threads, "memory": threads / 4}
            when = {"created": f"2026-01-0{day}T00:00:00+00:00", "seconds": {"maps": threads}, "options": options}
            result.attrs["provenance"] = json.dumps(told | when)
            unmix.write(result, tmp_path / kind / day, formats=maps + more)
        first, second = ({p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()}
                         for f in (tmp_path / kind / "1", tmp_path / kind / "2"))  # fmt: skip
        assert len(first) > len(maps)
        assert [name for name in first.keys() | second.keys() if first.get(name) != second.get(name)] == []
