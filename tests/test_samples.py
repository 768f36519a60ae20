"""The sample images are found where they are, with their truth, or refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from unmix import samples
from unmix.errors import OptionError, ReadError
from unmix.samples import sample_path, sample_truth


@pytest.mark.parametrize("name", ["coast", "coast.hdr", "coast.img", "tissue_he.png", "cells_lambda"])
def test_samples_are_found_with_or_without_their_ending(name: str) -> None:
    path = sample_path(name)
    assert path.is_file()
    assert path.name.startswith(name.partition(".")[0])


def test_samples_inside_the_package_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside, beside = tmp_path / "unmix" / "sample_images", tmp_path / "sample_images"
    for folder in (inside, beside):
        shutil.copytree(sample_path("coast").parent, folder)
    monkeypatch.setattr(samples, "__file__", str(tmp_path / "unmix" / "samples.py"))
    assert sample_path("coast").parent == inside
    shutil.rmtree(inside)
    assert sample_path("coast").parent == beside
    shutil.rmtree(beside)
    with pytest.raises(ReadError, match=r"coast\.hdr did not come with this installation\. Make it"):
        sample_path("coast")


def test_unknown_sample_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"no sample 'mountain'\. Use one of tissue_he, coast, cells_lambda"):
        sample_path("mountain")


@pytest.mark.parametrize("damage", ["cut", "emptied", "missing array", "pickled"])
def test_damaged_truth_is_refused(damage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "unmix" / "sample_images"
    folder.mkdir(parents=True)
    content = sample_path("coast").with_name("coast.truth.npz").read_bytes()
    target = folder / "coast.truth.npz"
    if damage == "missing array":
        np.savez(target, names=np.array(["water"]))
    elif damage == "pickled":
        keys = ("endmembers", "names", "abundances", "abundance_step")
        np.savez(target, **{key: np.array([{}], dtype=object) for key in keys})
    else:
        target.write_bytes(content[: len(content) // 2] if damage == "cut" else b"")
    monkeypatch.setattr(samples, "__file__", str(tmp_path / "unmix" / "samples.py"))
    with pytest.raises(ReadError, match="is damaged"):
        sample_truth("coast")
