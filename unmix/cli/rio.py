"""``rio unmix``: rasterio's command line maps abundances too. Loaded by every ``rio``, so it imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rasterio.rio import options as rio_options

from .console import progress_bar, reported
from .flags import (
    chosen_options,
    endmembers_flag,
    engine_flags,
    library_flags,
    option_flags,
    source_flags,
    source_keywords,
)

_EPILOG = """Examples:

\b
  rio unmix scene.tif abundances.tif --endmembers 5
  rio unmix scene.hdr -o abundances.tif -n 5 --bands 400-2450 --spectra endmembers.csv
"""


@click.command("unmix", epilog=_EPILOG, short_help="Find pure spectra and map how much of each is in every pixel.")
@click.argument("files", nargs=-1, required=True, metavar="INPUT OUTPUT", type=click.Path(path_type=Path))
@rio_options.output_opt
@endmembers_flag
@click.option("--spectra", type=click.Path(path_type=Path), help="Write the endmembers to this CSV file too.")
@rio_options.overwrite_opt
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@library_flags
@engine_flags
@source_flags
@option_flags("run")
@click.pass_context
def command(
    ctx: click.Context,
    /,
    files: tuple[Path, ...],
    output: str | None,
    n_endmembers: int | None,
    spectra: Path | None,
    overwrite: bool,
    debug: bool,
    **given: Any,
) -> None:
    """Find the endmembers of INPUT, any image unmix reads, and write their abundance maps to OUTPUT.

    OUTPUT is a GeoTIFF with one named band an endmember; a name that ends in .nc holds the whole result, see
    'unmix run' for folders with everything.
    """
    paths = [*files, *([] if output is None else [Path(output)])]
    if len(paths) != 2:
        raise click.UsageError("give one INPUT and one OUTPUT, the latter as the last name or with -o.")
    source, target = paths
    reading = source_keywords(given["key"], given["series"], given["level"], given["region"])
    with reported(str(source), debug), (ctx.obj or {}).get("env") or _no_env():
        _write(source, target, n_endmembers, spectra, overwrite, reading, given)


def _write(
    source: Path,
    target: Path,
    n_endmembers: int | None,
    spectra: Path | None,
    overwrite: bool,
    reading: dict[str, Any],
    given: dict[str, Any],
) -> None:
    """Unmix a file and write what was asked for."""
    from ..library_names import known_spectra
    from ..pipeline import unmix
    from ..readers import read
    from ..scratch import scratch_beside
    from ..writers import write
    from ..writers.commit import check_outputs
    from .engine import engine
    from .library import named_result, open_library

    wanted = [target] if spectra is None else [target, spectra]
    check_outputs(wanted, overwrite=overwrite, source=source)
    options = chosen_options(given, "run")
    reading |= {name: options.pop(name) for name in ("quantity", "scale", "bands", "exclude") if name in options}
    library = open_library(given["library"], given["library_scale"])
    with scratch_beside(target), engine(given["workers"], given["scheduler"]):
        image = read(source, **reading)
        known = known_spectra(library, given["known"])
        with progress_bar() as progress:
            result = unmix(image, n_endmembers, endmembers=known, progress=progress, **options)
        result = named_result(result, library)
        for path in wanted:
            write(result, path, overwrite=overwrite)


def _no_env() -> Any:
    import rasterio

    return rasterio.Env()
