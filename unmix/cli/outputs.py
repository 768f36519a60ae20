"""What a command leaves in its output folder, and the checks made before any work is done."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click
import numpy as np
import xarray as xr

from ..errors import WriteError
from ..nmf.threads import at_most_threads
from ..readers.pyramid import pyramid_of
from ..report.figures import save_figure
from ..writers import FORMATS, write
from ..writers.commit import check_outputs
from ..writers.reduced import mean_and_largest
from .console import print_table, stop_if_interrupted

FIGURE = "figure.png"
_SHOWN = 1000


def check_folder(folder: Path, source: Path, overwrite: bool) -> None:
    """Refuse a folder that holds earlier outputs or cannot be written to, before anything is read."""
    names = [file.name for one in FORMATS for file in one.files(folder / one.file_name)] + [FIGURE]
    existing = [folder / name for name in names if (folder / name).exists()]
    if existing and not overwrite:
        raise WriteError(f"{existing[0]} exists already. Choose another --out, or say --overwrite.")
    check_outputs([folder / name for name in names], overwrite=overwrite, source=source)
    parent = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not parent.is_dir():
        raise WriteError(f"{parent} is a file, so {folder} cannot be a folder. Choose another --out.")
    try:
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise WriteError(f"cannot write in {parent}: {error.strerror or error}. Choose another --out.") from error


def write_folder(
    result: xr.Dataset,
    image: xr.DataArray,
    folder: Path,
    overwrite: bool,
    formats: tuple[str, ...] = (),
    threads: int | None = None,
) -> list[Path]:
    """Write a result and its figure into a folder; a folder made for it goes again if nothing could be written."""
    stop_if_interrupted()
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with at_most_threads(threads):
            written = write(result, folder, formats=formats or None, overwrite=overwrite)
        written.append(save_figure(result, folder / FIGURE, image=_shown(image), overwrite=overwrite))
    except BaseException:
        if made and not any(folder.iterdir()):
            folder.rmdir()
        raise
    click.echo(f"Written to {folder}: {', '.join(path.name for path in written)}")
    return written


def _shown(image: xr.DataArray) -> xr.DataArray:
    """Return the smallest level of a slide that still fills the figure; other images as they are."""
    pyramid = pyramid_of(image)
    if pyramid is None:
        return image
    levels = range(pyramid.level, len(pyramid.shapes))
    return pyramid.open(
        max(level for level in levels if level == pyramid.level or max(pyramid.shapes[level]) >= _SHOWN)
    )


def print_result(result: xr.Dataset, angles: np.ndarray | None = None) -> None:
    """Print what was found: one row an endmember, then one line about the fit."""
    headings = ["endmember", "mean", "largest", "pixels behind it", "nearest pixel (row, col)"]
    rows = []
    means, largest = mean_and_largest(result["abundances"])
    for k, name in enumerate(result["endmember"].values):
        mean, most = float(means[k]), float(largest[k])
        row, col, count = (int(result[v][k]) for v in ("anchor_row", "anchor_col", "anchor_count"))
        where = f"{row}, {col}" if row >= 0 else "-"
        rows.append([str(name), f"{mean:.3f}", f"{most:.3f}", str(count) if count else "-", where])
    if angles is not None:
        headings.append("angle to truth (deg)")
        for row_cells, angle in zip(rows, np.degrees(angles), strict=True):
            row_cells.append(f"{angle:.2f}" if np.isfinite(angle) else "-")
    print_table(str(result.attrs.get("name", "")), headings, rows)
    facts = result.attrs
    pixels = f"{facts['n_valid']:,} pixels" + (f" ({facts['n_invalid']:,} invalid)" if facts["n_invalid"] else "")
    closest = f"closest pair {facts['smallest_angle']:.1f} degrees apart"
    click.echo(
        f"{facts['quantity']}, {facts['constraint']}; {pixels}; relative error {facts['relative_error']:.4f}; {closest}"
    )
