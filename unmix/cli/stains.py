"""``unmix stains``: separate the stains of one slide or tile."""

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
    engine_flags,
    format_flag,
    option_flags,
    source_flags,
    source_keywords,
    stain_names,
)

_EPILOG = """Examples:

\b
  unmix stains tile.png --out tile_stains
  unmix stains slide.svs --out slide_stains
  unmix stains slide.svs --format ome_zarr --format preview --out slide_zarr
  unmix stains slide.svs --stains hematoxylin,dab --region 0,0,2048,2048 --out stains
  unmix stains next.svs --endmembers-from first/result.nc --out next_stains
"""


@click.command("stains", epilog=_EPILOG)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--stains", help="Two or three stains, or a set such as H-DAB.  [default: those given, else hematoxylin,eosin]"
)
@click.option(
    "--endmembers-from",
    "given_from",
    type=click.Path(path_type=Path),
    help="A result.nc or a stain set (JSON): its vectors are used as they are.",
)
@click.option("--out", "-o", type=Output(), required=True, help="Folder for the maps, tables and figure.")
@click.option("--mask", type=click.Path(path_type=Path), help="Image of the pixels to use: zero leaves a pixel out.")
@format_flag
@engine_flags
@click.option("--overwrite", is_flag=True, help="Replace earlier outputs in the folder.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@source_flags
@option_flags("stains")
def command(
    file: Path,
    stains: str | None,
    given_from: Path | None,
    out: Path,
    mask: Path | None,
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
    """Separate the stains of FILE."""
    options = chosen_options(given, "stains")
    keywords = source_keywords(key, series, level, region)
    with reported(str(file), debug), scratch_beside(out), engine(workers, scheduler):
        from ..pipeline import separate_stains
        from ..readers import read
        from ..readers.mask import read_mask
        from ..writers import plan_slide
        from .outputs import check_folder, print_result, write_folder

        check_folder(out, file, overwrite)
        reading = {name: options.pop(name) for name in ("quantity", "scale") if name in options}
        known = None if given_from is None else _given(given_from)
        names = _names(known) if stains is None else stain_names(stains)
        image = read(file, **keywords, **reading)
        pixels = None if mask is None else read_mask(mask, image)
        with progress_bar() as progress, plan_slide(out, formats):
            result = separate_stains(image, names, stain_matrix=known, mask=pixels, progress=progress, **options)
        print_result(result)
        write_folder(result, image, out, overwrite, formats, options.get("threads"))


def _given(path: Path) -> Any:
    """Return the stain vectors of a result or of a stain set."""
    if path.suffix.lower() == ".json":
        from ..materials.stain_sets import load_stain_set

        return load_stain_set(path)
    from ..readers.saved_result import open_endmembers

    return open_endmembers(path)


def _names(known: Any) -> Any:
    """Return the stains that are given, in their order; the usual two where none are."""
    if known is None:
        return ["hematoxylin", "eosin"]
    return [str(name) for name in known["endmember"].values] if hasattr(known, "data_vars") else known
