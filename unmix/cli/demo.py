"""``unmix demo``: the main job on the three sample images, scored against their known truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from .console import print_table, progress_bar, reported
from .flags import Output

SAMPLES = {
    "tissue_he": "a stained slide (hematoxylin, eosin)",
    "coast": "a hyperspectral scene (reflectance)",
    "cells_lambda": "a fluorescence lambda stack (counts)",
}


@click.command("demo")
@click.option(
    "--out",
    "-o",
    type=Output(),
    default=Path("demo_output"),
    show_default=True,
    help="Folder for the results.",
)
@click.option("--overwrite", is_flag=True, help="Replace the results of an earlier demo.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(out: Path, overwrite: bool, debug: bool) -> None:
    """Unmix the three sample images and compare what is found with their known truth."""
    rows: list[list[str]] = []
    with reported("demo", debug):
        for name, kind in SAMPLES.items():
            click.echo(f"{name}: {kind}")
            rows += _unmix_sample(name, out / name, overwrite)
        headings = ["sample", "true endmember", "found as", "angle to the truth (deg)", "abundance correlation"]
        print_table("Found, against the known truth", headings, rows, numeric=3)
        click.echo(f"Maps, figure, endmember table and result.nc of each are in {out}. Look at figure.png first.")


def _unmix_sample(name: str, folder: Path, overwrite: bool) -> list[list[str]]:
    """Unmix one sample, write its results, and return one row an endmember of what was found."""
    from ..pipeline import separate_stains, unmix
    from ..readers import read
    from ..samples import sample_path, sample_truth
    from .outputs import check_folder, write_folder

    path = sample_path(name)
    check_folder(folder, path, overwrite)
    truth, names = sample_truth(name)
    image = read(path)
    with progress_bar() as progress:
        if image.attrs["quantity"] == "brightfield":
            result = separate_stains(image, names, progress=progress)
        else:
            result = unmix(image, len(names), progress=progress)
    write_folder(result, image, folder, overwrite)
    return _compared(name, result, truth, names)


def _compared(name: str, result: Any, truth: np.ndarray, names: tuple[str, ...]) -> list[list[str]]:
    """Match what was found with the truth: one row a true endmember."""
    from ..metrics import match_endmembers
    from ..samples import sample_abundances

    order, angles = match_endmembers(result["endmembers"].values, truth)
    A, true_A = result["abundances"].values, sample_abundances(name)
    rows = []
    for k, (found, angle) in enumerate(zip(order, angles, strict=True)):
        known = np.isfinite(A[found]) & np.isfinite(true_A[k])
        alike = np.corrcoef(A[found][known], true_A[k][known])[0, 1]
        label = str(result["endmember"].values[found])
        rows.append([name, names[k], label, f"{np.degrees(angle):.2f}", f"{alike:.3f}"])
    return rows
