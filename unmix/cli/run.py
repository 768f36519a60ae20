"""``unmix run``: find endmembers and map their abundances in one image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..scratch import scratch_beside
from .console import progress_bar, reported
from .engine import engine
from .flags import (
    Output,
    chosen_options,
    endmembers_flag,
    engine_flags,
    format_flag,
    library_flags,
    option_flags,
    reading_options,
    source_flags,
    source_keywords,
)

_EPILOG = """Examples:

\b
  unmix run scene.hdr --endmembers 4 --out scene_unmixed
  unmix run cube.mat --endmembers 5 --bands 400-2450 --exclude 1340-1450 --exclude 1800-1950 --out maps
  unmix run cells.lsm --endmembers 5 --quantity counts --out dyes
  unmix run scene.hdr --out named --library minerals.csv --uncertainty 50
  unmix run scene.hdr --endmembers 5 --library minerals.csv --known water,kaolinite --out partly_known
  unmix run scene.hdr --library bundles.sli --known all --most-per-pixel 3 --out mesma
"""


@click.command("run", epilog=_EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@endmembers_flag
@click.option("--out", "-o", type=Output(), required=True, help="Folder for the maps, tables and figure.")
@click.option("--mask", type=click.Path(path_type=Path), help="Image of the pixels to use: zero leaves a pixel out.")
@library_flags
@format_flag
@engine_flags
@click.option("--overwrite", is_flag=True, help="Replace earlier outputs in the folder.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@source_flags
@option_flags("run")
def command(
    file: Path,
    n_endmembers: int | None,
    out: Path,
    mask: Path | None,
    library: Path | None,
    known: str | None,
    library_scale: float | None,
    formats: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    overwrite: bool,
    debug: bool,
    key: str | None,
    series: str | None,
    level: int,
    region: str | None,
    **given: Any,
) -> None:
    """Find the endmembers of FILE and map their abundances."""
    if library is None and known is not None:
        raise click.UsageError("--known names spectra of a library: give --library too.")
    options = chosen_options(given, "run")
    keywords = source_keywords(key, series, level, region)
    with reported(str(file), debug), scratch_beside(out), engine(workers, scheduler):
        from ..library_names import known_spectra
        from ..pipeline import unmix
        from ..readers import read
        from ..readers.mask import read_mask
        from ..writers import plan_slide
        from .library import named_result, open_library
        from .outputs import check_folder, print_result, write_folder

        check_folder(out, file, overwrite)
        image = read(file, **keywords, **reading_options(options))
        pixels = None if mask is None else read_mask(mask, image)
        spectra = open_library(library, library_scale)
        endmembers = known_spectra(spectra, known)
        with progress_bar() as progress, plan_slide(out, formats):
            result = unmix(image, n_endmembers, endmembers=endmembers, mask=pixels, progress=progress, **options)
        result = named_result(result, spectra)
        print_result(result)
        write_folder(result, image, out, overwrite, formats, options.get("threads"))
