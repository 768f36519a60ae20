"""A disk that is full: the item fails and says so, what was done before stays whole, and it goes on with more room."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from unmix.batch import run_batch
from unmix.errors import UnmixError

from .conftest import RECIPE, maps_of

KILOBYTES = (12, 24, 40, 64)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk of a few kilobytes, or skip visibly where that is not allowed."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={KILOBYTES[0]}k", "tmpfs", str(disk)]
    try:
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("no small disk can be mounted here (it needs root)")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def reasons_of_a_run(scenes: Path, out: Path) -> list[str]:
    """Return why items failed, or why the batch was refused; nothing where all went well."""
    try:
        return [failure.reason for failure in run_batch([scenes], out, RECIPE).failures]
    except UnmixError as error:
        return [str(error)]


def test_ever_more_room_and_never_half_an_item(scenes: Path, small_disk: Path, tmp_path: Path) -> None:
    run_batch([scenes], tmp_path / "straight", RECIPE)
    expected, out, refused = maps_of(tmp_path / "straight"), small_disk / "out", 0
    for kilobytes in (*KILOBYTES, 400):
        subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", str(small_disk)], check=True)
        said = reasons_of_a_run(scenes, out)
        assert all("space" in text for text in said)
        refused += bool(said)
        if out.exists():
            assert maps_of(out).items() <= expected.items()
            assert not list(out.glob("*.partial"))
            assert not (out / "batch.lock").exists()
    assert refused >= 2
    assert maps_of(out) == expected
