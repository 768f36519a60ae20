"""``unmix report``: a folder of results, a wrong name, an earlier page."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

import unmix

Call = Callable[..., Result]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_folder_of_results_becomes_a_page(call: Call, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("one scene", "another"):
        cube = rng.dirichlet([0.3] * 2, (8, 9)) @ np.array([[0.9, 0.2, 0.4, 0.1], [0.1, 0.5, 0.3, 0.8]])
        unmix.write(unmix.unmix(cube, 2, quantity="reflectance"), tmp_path / "many results" / name / "result.nc")
    done = call("report", "many results", "--out", "page one.html")
    assert done.exit_code == 0, done.stderr
    assert "2 results" in done.stdout
    assert (tmp_path / "page one.html").read_text(encoding="utf-8").count("<article") == 2
    again = call("report", "many results", "--out", "page one.html")
    assert again.exit_code == 1
    assert "exists" in again.stderr
    two = call("report", "many results", "--image", "scene.hdr", "--out", "two.html")
    assert two.exit_code == 2
    assert "one result" in two.stderr


def test_what_cannot_be_reported_on_is_one_line(call: Call, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, code, words in [
        (("empty", "--out", "r.html"), 1, "no result.nc"),
        (("missing.nc", "--out", "r.html"), 1, "no such file"),
        (("missing.nc", "--out", "r.pdf"), 2, "not a .html file"),
    ]:
        done = call("report", *arguments)
        assert done.exit_code == code
        assert words in done.stderr
        assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
