"""Which files are taken, what their outputs are called, and which names are refused before the start."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmix.batch import list_items, read_list
from unmix.errors import OptionError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.hdr", "a.img", "b.ome.tif", "notes.txt", ".hidden.tif", "2021/a.tif", ".git/x.tif", "out/old.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    (tmp_path / "cube.zarr" / "c").mkdir(parents=True)
    return tmp_path


def names(sources: list[str], out: Path) -> list[str]:
    return [item.name for item in list_items(sources, out)]


def test_a_folder_gives_its_images_by_their_path_below_it(folder: Path) -> None:
    assert names([str(folder)], folder / "out") == ["2021/a", "a", "b", "cube"]


def test_a_pattern_names_by_the_path_below_its_fixed_part(folder: Path) -> None:
    assert names([f"{folder}/*/a.tif"], folder / "out") == ["2021/a"]
    assert names([f"{folder}/2021/*.tif"], folder / "out") == ["a"]
    assert names([f"{folder}/**/*.tif"], folder / "out") == ["2021/a", "b"]


def test_a_file_by_itself_is_named_by_its_own_name_and_taken_once(folder: Path) -> None:
    assert names([f"{folder}/2021/a.tif", f"{folder}/2021/../2021/a.tif"], folder / "out") == ["a"]


def test_a_name_that_is_there_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "x[1].tif").write_bytes(b"1")
    assert names([f"{tmp_path}/x[1].tif"], tmp_path / "out") == ["x[1]"]


@pytest.mark.parametrize(
    ("files", "both"),
    [
        (("A.tif", "a.png"), ("A.tif", "a.png")),
        (("x.hdr", "x.tif"), ("x.hdr", "x.tif")),
        (("stra\u00dfe.tif", "STRASSE.tif"), ("STRASSE.tif", "stra\u00dfe.tif")),
        (("e\u0301.tif", "\u00e9.png"), ("\u00e9.png",)),
        (("y.tif", "y/z.tif"), ("y.tif", "y/z.tif")),
    ],
)
def test_names_that_collide_are_refused(tmp_path: Path, files: tuple[str, ...], both: tuple[str, ...]) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"1")
    with pytest.raises(OptionError, match="same name") as caught:
        list_items([tmp_path], tmp_path / "out")
    assert all(name in str(caught.value) for name in both)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["manifest.jsonl.tif", "batch.lock.tif", "Shared_Endmembers.tif", "x.partial.tif"])
def test_names_of_the_batch_itself_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"1")
    with pytest.raises(OptionError, match="for itself"):
        list_items([tmp_path / name], tmp_path / "out")


@pytest.mark.parametrize(
    ("source", "said"), [("nowhere.tif", "no such file"), ("none*.tif", "finds no file"), ("", "is empty")]
)
def test_what_is_not_there_is_refused(tmp_path: Path, source: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        list_items([str(tmp_path / source) if source else source], tmp_path / "out")


def test_one_path_is_enough_and_outputs_go_elsewhere(folder: Path) -> None:
    assert [item.name for item in list_items(folder / "2021", folder / "out")] == ["a"]
    with pytest.raises(OptionError, match="folder of inputs and of outputs"):
        list_items(folder, folder)


def test_a_list_leaves_out_comments_and_keeps_spaces() -> None:
    assert read_list(["# scenes\n", "\n", "a b.tif \r\n", "c.tif"]) == ["a b.tif ", "c.tif"]
