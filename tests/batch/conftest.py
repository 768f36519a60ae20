"""Small scenes in files, and the recipe they are unmixed by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unmix.batch import Recipe
from unmix.synthetic import separable_scene

RECIPE = Recipe(3, formats=("csv", "geotiff"), options={"quantity": "reflectance"})


def save_scene(path: Path, seed: int, shape: tuple[int, int] = (16, 20)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = separable_scene(seed=seed, n_endmembers=3, n_bands=12, shape=shape).image
    np.save(path, np.asarray(image.values, np.float32))
    return path


@pytest.fixture
def scenes(tmp_path: Path) -> Path:
    """Return a folder with three scenes, one of them in a folder of its own and with a space in its name."""
    folder = tmp_path / "scenes"
    for seed, name in enumerate(("a.npy", "b.npy", "east/c d.npy")):
        save_scene(folder / name, seed)
    return folder


def maps_of(out: Path) -> dict[str, bytes]:
    """Return the bytes of every file of maps and every table below a folder, by name."""
    files = sorted([*out.rglob("*.tif"), *out.rglob("*.csv")])
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}
