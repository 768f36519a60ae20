"""``unmix view``: a result, or an image to be unmixed, in napari."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click

from ..errors import OptionError, ReadError
from .console import reported
from .flags import Output

_EPILOG = """Examples:

\b
  unmix view scene_unmixed/result.nc
  unmix view scene.hdr
  unmix view result.nc --screenshot result.png
"""
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
_NEEDED = ("napari", "qtpy", "pyqtgraph")


@click.command("view", epilog=_EPILOG)
@click.argument("files", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--screenshot", type=Output(), help="Save a picture of the window to this PNG file and end.")
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
        viewer = [*_display(screenshot), sys.executable, "-m", "unmix.viewer", *words]
        ended = subprocess.run(viewer, check=False).returncode
        if ended < 0 or ended > 128:
            raise OptionError("the window went down with the program that draws it; is the display in DISPLAY there?")
    sys.exit(ended)


def _display(screenshot: Path | None) -> list[str]:
    """Return the words that give the viewer a display where there is none; Qt takes the process down without one."""
    if sys.platform != "linux" or any(os.environ.get(name) for name in _DISPLAYS):
        return []
    if screenshot is None:
        raise OptionError("there is no display to open a window on. --screenshot FILE.png draws it without one.")
    if shutil.which("xvfb-run") is None:
        raise OptionError("there is no display; a screenshot without one needs Xvfb: apt install xvfb xauth.")
    return ["xvfb-run", "-a", "-s", "-screen 0 1600x1000x24 +extension GLX"]


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
