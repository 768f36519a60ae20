"""Every example runs, and says something true."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image


def load(root: Path, name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, root / "examples" / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_example_is_run_here(root: Path) -> None:
    names = {path.stem for path in (root / "examples").glob("*.py")}
    assert names == {
        "scene",
        "stained_slide",
        "lambda_stack",
        "why_nmf_works",
        "noise_becomes_spectra",
        "what_is_nmf_good_for",
        "residual_is_no_measure",
        "lab_one_slide",
        "lab_cohort",
        "lab_dab",
    }


def test_scene_finds_the_materials(root: Path, tmp_path: Path) -> None:
    assert load(root, "scene").main(str(tmp_path / "out")) < 2.0
    assert (tmp_path / "out" / "abundances.tif").is_file()


@pytest.mark.filterwarnings("ignore:the values look like brightfield")
def test_stained_slide_is_reconstructed(root: Path, tmp_path: Path) -> None:
    assert load(root, "stained_slide").main(str(tmp_path / "out")) < 0.05
    assert (tmp_path / "out" / "abundances.ome.tif").is_file()


def test_lambda_stack_finds_different_dyes(root: Path, tmp_path: Path) -> None:
    peaks = load(root, "lambda_stack").main(str(tmp_path / "out"))
    assert len(set(peaks)) == len(peaks)


def test_why_nmf_works(root: Path) -> None:
    assert load(root, "why_nmf_works").main() < 1e-5


def test_noise_becomes_spectra(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = load(root, "noise_becomes_spectra")
    monkeypatch.setattr(example, "FRAMES", 4)
    assert example.main(str(tmp_path), n_mixtures=600, n_samples=64, steps=100) < 4
    with Image.open(tmp_path / "animation.gif") as film:
        assert film.n_frames == 4
    with Image.open(tmp_path / "last_frame.png") as frame:
        assert np.asarray(frame).std() > 10


def test_lab_one_slide_keeps_the_labs_vectors(root: Path, tmp_path: Path) -> None:
    assert load(root, "lab_one_slide").main(folder=str(tmp_path / "out")) == "none"
    assert {"our_lab.json", "hematoxylin_only.png", "eosin_only.png"} <= {p.name for p in (tmp_path / "out").iterdir()}


def test_lab_cohort_measures_every_slide(root: Path, tmp_path: Path) -> None:
    assert load(root, "lab_cohort").main(folder=str(tmp_path)) == 4
    lines = (tmp_path / "densities.csv").read_text().splitlines()
    assert len(lines) == 5
    assert "hematoxylin_mean_od_log10" in lines[0]


def test_lab_dab_scores_cells(root: Path, tmp_path: Path) -> None:
    assert 0 < load(root, "lab_dab").main(folder=str(tmp_path)) < 300
    assert (tmp_path / "regions.csv").read_text().count("\n") == 3


def test_only_nmf_has_neither_negative_parts_nor_mixtures_called_pure(root: Path, tmp_path: Path) -> None:
    said = load(root, "what_is_nmf_good_for").main(str(tmp_path))
    for method in ("PCA", "ICA"):
        assert said[method]["negative in spectra"] > 0.02
        assert said[method]["negative in maps"] > 0.2
    for method in ("k-means", "NMF"):
        assert said[method]["negative in spectra"] == said[method]["negative in maps"] == 0
    assert said["NMF"]["angle"] < 2 < min(said[method]["angle"] for method in ("PCA", "ICA", "k-means"))
    assert (tmp_path / "figure.png").stat().st_size > 50_000


def test_a_residual_as_small_as_the_truth_may_be_far_from_it(root: Path, tmp_path: Path) -> None:
    found = load(root, "residual_is_no_measure").main(str(tmp_path))
    true_residual, _ = found["the true materials"]
    assert found["unmix"][1] < 2
    assert found["too large a simplex"][0] <= true_residual
    assert found["too large a simplex"][1] > 3
    assert found["plain NMF from a random start"][0] < 1.2 * true_residual
    assert found["plain NMF from a random start"][1] > 10
    assert found["one endmember too many"][0] <= found["unmix"][0] * 1.001
    assert (tmp_path / "figure.png").stat().st_size > 50_000
