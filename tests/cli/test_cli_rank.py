"""``unmix rank`` and ``unmix run`` without a number."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import unmix
from unmix.synthetic import hyperspectral_scene

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def cube(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rank") / "four materials.npz"
    scene = hyperspectral_scene(2, 4, n_bands=40, shape=(40, 40), snr=40)
    np.savez(path, cube=scene.image.values, wavelengths=scene.image["wavelength"].values)
    return path


def test_rank_prints_the_table_and_draws_the_figure(call: Call, cube: Path, tmp_path: Path) -> None:
    answer = call("rank", cube, "--max-rank", 6, "--restarts", 2, "--quantity", "reflectance")
    assert answer.exit_code == 0, answer.stderr
    rows = [line.split() for line in answer.stdout.splitlines() if line.strip()[:1].isdigit()]
    assert [int(row[0]) for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row[0] for row in rows if row[-1] == "suggested"] == ["4"]
    assert "Suggested: 4 endmembers" in answer.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["four materials_rank.png"]
    refused = call("rank", cube, "--quantity", "reflectance")
    assert refused.exit_code == 1
    assert "exists" in refused.stderr


def test_run_without_a_number_says_which_it_took(call: Call, cube: Path, tmp_path: Path) -> None:
    answer = call("run", cube, "--quantity", "reflectance", "--out", tmp_path / "out")
    assert answer.exit_code == 0, answer.stderr
    assert "note: n_endmembers is not given: 4 suggested" in answer.stderr
    assert unmix.open_result(tmp_path / "out" / "result.nc").sizes["endmember"] == 4


def test_run_with_a_library_names_fixes_and_doubts(call: Call, tmp_path: Path) -> None:
    scene = hyperspectral_scene(2, 4, n_bands=40, shape=(40, 40), snr=40)
    wavelengths = scene.image["wavelength"].values
    np.savez(tmp_path / "scene.npz", cube=scene.image.values, wavelengths=wavelengths)
    rows = [",".join(["name", *map(str, wavelengths)])]
    rows += [",".join([name, *map(str, row)]) for name, row in zip(scene.names, scene.endmembers, strict=True)]
    (tmp_path / "library.csv").write_text("\n".join(rows))
    shared = ("run", "scene.npz", "--quantity", "reflectance", "--library", "library.csv")
    answer = call(*shared, "-n", 4, "--uncertainty", 10, "--out", "named")
    assert answer.exit_code == 0, answer.stderr
    assert "runner-up" in answer.stdout
    result = unmix.open_result(tmp_path / "named" / "result.nc")
    assert set(result["endmember"].values) == set(scene.names)
    assert {"endmembers_low", "abundances_std", "library_margin"} <= set(result.data_vars)
    answer = call(*shared, "-n", 4, "--known", ",".join(scene.names[:2]), "--out", "partly")
    assert answer.exit_code == 0, answer.stderr
    result = unmix.open_result(tmp_path / "partly" / "result.nc")
    np.testing.assert_allclose(result["endmembers"].values[:2], scene.endmembers[:2], rtol=1e-9)
    answer = call(*shared, "--known", "all", "--most-per-pixel", 2, "--out", "mesma")
    assert answer.exit_code == 0, answer.stderr
    assert "model" in unmix.open_result(tmp_path / "mesma" / "result.nc")
    answer = call("run", "scene.npz", "--known", "water", "--out", "x")
    assert answer.exit_code == 2
    assert "--library" in answer.stderr
