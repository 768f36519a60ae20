"""``unmix view``: a result, or an image to be unmixed, in napari."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import click

from ..errors import OptionError, ReadError
from .console import reported

_EPILOG = """Examples:

\b
  unmix view scene_unmixed/result.nc
  unmix view scene.hdr
  unmix view result.nc --screenshot result.png
"""
_NEEDED = ("napari", "qtpy", "pyqtgraph")


@click.command("view", epilog=_EPILOG)
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option(
    "--screenshot", type=click.Path(path_type=Path), help="Save a picture of the window to this PNG file and end."
)
@click.option("--overwrite", is_flag=True, help="Replace the screenshot if it exists.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def command(files: tuple[Path, ...], screenshot: Path | None, overwrite: bool, debug: bool) -> None:
    """Open FILES, results or images, in napari with the unmix panel."""
    with reported(str(files[0]), debug):
        _check(files, screenshot, overwrite)
        words = [str(file.absolute()) for file in files]
        if screenshot is not None:
            words += ["--screenshot", str(screenshot.absolute())]
        # a process of its own: the rooms of the command line and of the viewer do not know each other
        ended = subprocess.run([sys.executable, "-m", "unmix.viewer", *words], check=False)
    sys.exit(ended.returncode)


def _check(files: tuple[Path, ...], screenshot: Path | None, overwrite: bool) -> None:
    """Refuse what cannot be shown before a window is opened."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise OptionError(f"the viewer needs {', '.join(missing)}. Install it: pip install 'unmix[all]'.")
    for file in files:
        if not file.is_file():
            raise ReadError(f"{file}: there is no such file.")
    if screenshot is not None and screenshot.suffix.lower() != ".png":
        raise OptionError(f"{screenshot}: a screenshot is a .png file.")
    if screenshot is not None and screenshot.exists() and not overwrite:
        raise OptionError(f"{screenshot} exists already. Choose another name, or say --overwrite.")
