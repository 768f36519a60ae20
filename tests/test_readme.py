"""The Python that the README shows runs as it stands there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from unmix.samples import sample_path


@pytest.mark.filterwarnings("ignore:the values look like brightfield")
def test_the_python_of_the_readme_runs(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    blocks = re.findall(r"```python\n(.*?)```", (root / "README.md").read_text(encoding="utf-8"), re.S)
    assert len(blocks) == 1
    names = {"scene.hdr": "coast", "tile.png": "tissue_he", "cells.lsm": "cells_lambda"}
    for name, sample in names.items():
        shutil.copy(sample_path(sample), tmp_path / name)
    shutil.copy(sample_path("coast").with_suffix(".img"), tmp_path / "scene.img")
    monkeypatch.chdir(tmp_path)
    with matplotlib.rc_context({"backend": "agg"}):
        exec(compile(blocks[0], "README.md", "exec"), {})
    assert {path.name for path in (tmp_path / "scene_unmixed").iterdir()} >= {"abundances.tif", "result.nc"}
