"""``unmix rank``: suggest how many endmembers there are, with the curves to judge it by."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from .console import print_table, progress_bar, reported
from .flags import Output, Range, source_flags, source_keywords

_EPILOG = """Examples:

\b
  unmix rank scene.hdr
  unmix rank cube.mat --max-rank 16 --bands 400-2450 --exclude 1340-1450 --out curves.png
"""


@click.command("rank", epilog=_EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--max-rank", type=click.IntRange(2, 40), default=12, show_default=True, help="Largest number to try.")
@click.option("--out", "-o", type=Output(), help="Figure to write [default: FILE_rank.png in this folder].")
@click.option("--restarts", type=click.IntRange(0, 1000), default=10, show_default=True, help="Random starts a number.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The same seed, the same answer.")
@click.option("--quantity", help="What the numbers are; taken from the file or guessed when not given.")
@click.option("--scale", type=float, help="Divide the values by this number.")
@click.option("--bands", type=Range(), help="Use only bands with a wavelength in this range [nm].")
@click.option("--exclude", type=Range(), multiple=True, help="Leave out bands in this range [nm]; may be repeated.")
@click.option("--mask", type=click.Path(path_type=Path), help="Image of the pixels to use: zero leaves a pixel out.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier figure.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@source_flags
def command(
    file: Path,
    max_rank: int,
    out: Path | None,
    restarts: int,
    seed: int,
    mask: Path | None,
    overwrite: bool,
    debug: bool,
    key: str | None,
    series: str | None,
    level: int,
    region: str | None,
    **given: Any,
) -> None:
    """Suggest how many endmembers FILE holds, print the curves behind it and draw them."""
    keywords = source_keywords(key, series, level, region)
    reading = {name: value for name, value in given.items() if value not in (None, ())}
    with reported(str(file), debug):
        from ..rank import estimate_rank
        from ..readers import read
        from ..readers.mask import read_mask
        from ..report.page import check_png_name
        from ..report.rank_curves import save_rank_figure
        from ..writers.commit import check_outputs

        figure = out or Path(f"{file.stem}_rank.png")
        check_png_name(figure)
        check_outputs([figure], overwrite=overwrite, source=file)
        image = read(file, **keywords, **reading)
        pixels = None if mask is None else read_mask(mask, image)
        with progress_bar() as progress:
            estimate = estimate_rank(image, max_rank, mask=pixels, restarts=restarts, seed=seed, progress=progress)
        _print(estimate, file.name)
        written = save_rank_figure(estimate, figure, name=file.name, overwrite=overwrite, source=file)
        click.echo(f"Written: {written}")


def _print(estimate: Any, name: str) -> None:
    """Print one row a number that was tried, then the suggestion and why."""
    headings = ["endmembers", "residual of the fit", "angle between halves (rad)", "consensus", ""]
    rows = []
    for k, rank in enumerate(estimate.ranks):
        cells = (estimate.fit_error[k], estimate.split_half_angle[k], estimate.cophenetic[k])
        shown = [
            f"{cell:{how}}" if np.isfinite(cell) else "-"
            for cell, how in zip(cells, (".3g", ".3f", ".3f"), strict=True)
        ]
        rows.append([str(rank), *shown, "suggested" if rank == estimate.suggested else ""])
    print_table(name, headings, rows, numeric=0)
    counts = estimate.counts
    click.echo(
        f"eigenvalues above the noise {counts.above_noise}, HFC {counts.hfc}, noise-whitened HFC {counts.nwhfc}, "
        f"HySime {counts.hysime}; knee {estimate.knee}; stay far below {estimate.most_parameters:.0f}"
    )
    click.echo(f"Suggested: {estimate.suggested} endmembers, {estimate.sure} confidence. {estimate.reason}")
