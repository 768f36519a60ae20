"""``unmix report``: one HTML page about one result or many."""

from __future__ import annotations

from pathlib import Path

import click

from ..errors import ReadError
from .console import reported
from .flags import Output

_EPILOG = """Examples:

\b
  unmix report scene_unmixed --out scene.html
  unmix report scene_unmixed --image scene.hdr --out scene.html
  unmix report slides_out --out slides.html
"""


@click.command("report", epilog=_EPILOG)
@click.argument("paths", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--out", "-o", type=Output(), required=True, help="The .html file to write.")
@click.option("--image", type=click.Path(path_type=Path), help="The image of a single result, shown beside its maps.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier report.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(paths: tuple[Path, ...], out: Path, image: Path | None, overwrite: bool, debug: bool) -> None:
    """Write a page about the results in PATHS: .nc files, or folders that hold result.nc files."""
    if out.suffix.lower() not in (".html", ".htm"):
        raise click.BadParameter(f"{out} is not a .html file.", param_hint="--out")
    with reported(str(paths[0]), debug):
        from ..readers import read
        from ..report import write_report

        files = _result_files(paths)
        if image is not None and len(files) > 1:
            raise click.UsageError(f"--image belongs to one result; {len(files)} were found.")
        shown = None if image is None else read(image)
        written = write_report(files, out, image=shown, overwrite=overwrite)
        click.echo(f"Written: {written} ({len(files)} result{'' if len(files) == 1 else 's'})")


def _result_files(paths: tuple[Path, ...]) -> list[Path]:
    """Return the files themselves, and for a folder every result.nc in it, by name."""
    files: list[Path] = []
    for path in paths:
        found = sorted(path.rglob("result.nc")) if path.is_dir() else [path]
        if not found:
            raise ReadError(f"{path}: there is no result.nc in this folder. Name a result, or the --out of a run.")
        files += found
    return files
