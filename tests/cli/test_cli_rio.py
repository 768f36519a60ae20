"""``rio unmix``: registered as rasterio expects, light to load, and a map that rasterio opens."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import rasterio
from click.testing import CliRunner, Result

import unmix
from unmix.synthetic import separable_scene

HEAVY = {"xarray", "numba", "dask", "scipy", "sklearn", "skimage", "matplotlib", "h5py", "tifffile", "pandas"}


def rio(*arguments: object) -> Result:
    from rasterio.rio.main import main_group

    from unmix.cli.rio import command

    main_group.add_command(command)  # in place of the installed one, which may be older
    return CliRunner().invoke(main_group, ["unmix", *map(str, arguments)])


def scene(folder: Path) -> Path:
    cube = separable_scene(seed=3, n_endmembers=3, n_bands=12, shape=(20, 24)).image.values
    path = folder / "a scene.tif"
    about = {"driver": "GTiff", "dtype": "float32", "count": 12, "height": 20, "width": 24, "crs": "EPSG:32633",
             "transform": rasterio.Affine(30, 0, 500_000, 0, -30, 5_800_000)}  # fmt: skip
    with rasterio.open(path, "w", **about) as file:
        file.write(np.moveaxis(cube, 2, 0).astype(np.float32))
    return path


def test_it_is_registered_under_its_own_name(root: Path) -> None:
    entry = tomllib.loads((root / "pyproject.toml").read_text())["project"]["entry-points"]["rasterio.rio_plugins"]
    module, name = entry["unmix"].split(":")
    assert getattr(importlib.import_module(module), name).name == "unmix"


def test_every_rio_loads_it_so_it_loads_nothing_heavy() -> None:
    code = "import sys, click, rasterio; old = set(sys.modules); import unmix.cli.rio; print(*(set(sys.modules) - old))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "unmix.cli.rio" in loaded
    assert not HEAVY & loaded
    assert len(loaded) < 60


def test_maps_and_spectra_are_written_as_rasterio_expects(tmp_path: Path) -> None:
    source, target, spectra = scene(tmp_path), tmp_path / "maps.tif", tmp_path / "spectra.csv"
    done = rio(source, target, "-n", 3, "--quantity", "reflectance", "--spectra", spectra)
    assert done.exit_code == 0, done.output
    with rasterio.open(target) as file:
        assert (file.count, file.crs.to_epsg(), file.transform.a) == (3, 32633, 30)
        assert file.descriptions == ("endmember 1", "endmember 2", "endmember 3")
        maps = file.read()
    np.testing.assert_array_equal(maps, unmix.unmix(source, 3, quantity="reflectance")["abundances"].values)
    assert spectra.read_text().startswith("band,wavelength_nm,good")
    again = rio(source, "-o", target, "-n", 3, "--quantity", "reflectance")
    assert (again.exit_code, "exists" in again.output) == (1, True)
    assert rio(source, "-o", target, "-n", 3, "--quantity", "reflectance", "--overwrite").exit_code == 0


def test_wrong_use_is_said() -> None:
    assert rio("one.tif").exit_code == 2
    missing = rio("nowhere.tif", "out.tif", "-n", 3)
    assert (missing.exit_code, "nowhere.tif" in missing.output) == (1, True)
