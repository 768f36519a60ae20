"""``unmix run``: find endmembers and map their abundances in one image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .console import progress_bar, reported
from .flags import chosen_options, option_flags, source_flags, source_keywords

_EPILOG = """Examples:

\b
  unmix run scene.hdr --endmembers 4 --out scene_unmixed
  unmix run cube.mat --endmembers 5 --bands 400-2450 --exclude 1340-1450 --exclude 1800-1950 --out maps
  unmix run cells.lsm --endmembers 5 --quantity counts --out dyes
"""


@click.command("run", epilog=_EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--endmembers", "-n", "n_endmembers", type=click.IntRange(1), required=True, help="How many endmembers to find."
)
@click.option(
    "--out", "-o", type=click.Path(path_type=Path), required=True, help="Folder for the maps, tables and figure."
)
@click.option("--mask", type=click.Path(path_type=Path), help="Image of the pixels to use: zero leaves a pixel out.")
@click.option("--overwrite", is_flag=True, help="Replace earlier outputs in the folder.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@source_flags
@option_flags("run")
def command(
    file: Path,
    n_endmembers: int,
    out: Path,
    mask: Path | None,
    overwrite: bool,
    debug: bool,
    key: str | None,
    series: int | None,
    level: int,
    region: str | None,
    **given: Any,
) -> None:
    """Find the endmembers of FILE and map their abundances."""
    options = chosen_options("run", given)
    keywords = source_keywords(key, series, level, region)
    with reported(str(file), debug):
        from ..pipeline import unmix
        from ..readers import read
        from ..readers.mask import read_mask
        from .outputs import check_folder, print_result, write_folder

        check_folder(out, file, overwrite)
        reading = {name: options.pop(name) for name in ("quantity", "scale", "bands", "exclude") if name in options}
        image = read(file, **keywords, **reading)
        pixels = None if mask is None else read_mask(mask)
        with progress_bar() as progress:
            result = unmix(image, n_endmembers, mask=pixels, progress=progress, **options)
        print_result(result)
        write_folder(result, image, out, overwrite)
