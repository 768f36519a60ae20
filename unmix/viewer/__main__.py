"""``python -m unmix.viewer FILE...``: napari with the panel, the spectra and the files; ``unmix view`` starts it."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from ..errors import UnmixError
from ..writers.commit import commit_bytes
from .docks import open_dock
from .reader import get_reader

_SETTLE_S = 1.5


def main(arguments: list[str] | None = None) -> int:
    """Open files in a new viewer; with ``--screenshot`` save a picture of the window and end."""
    parser = argparse.ArgumentParser(prog="unmix view", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--screenshot", type=Path)
    chosen = parser.parse_args(arguments)
    import napari

    viewer = napari.Viewer(title="unmix")
    try:
        open_files(viewer, chosen.files)
    except UnmixError as error:
        sys.stderr.write(f"unmix: {error}\n")
        viewer.close()
        return 1
    if chosen.screenshot is not None:
        _wait(_SETTLE_S)
        _save(viewer.screenshot(canvas_only=False, flash=False), chosen.screenshot)
        viewer.close()
    else:
        napari.run()
    return 0


def open_files(viewer: Any, files: list[Path]) -> Any:
    """Dock the panel, open the files, and show the spectra where there is a run; return the panel.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to.
    files : list of Path
        Results and images that `unmix.read` opens.
    """
    from napari.layers import Layer

    from ..readers import read
    from .entrance import PanelEntrance
    from .session import session_of
    from .sources import layer_of_image

    entrance = PanelEntrance(viewer)
    viewer.window.add_dock_widget(entrance, name="Unmix (unmix)", area="right")
    panel = entrance.content
    for file in files:
        opener = get_reader(str(file))
        layers = opener(str(file)) if opener is not None else [layer_of_image(read(file))]
        for layer in layers:
            viewer.add_layer(Layer.create(*layer))
    if session_of(viewer).current is not None:
        open_dock(viewer, "Spectra")
    return panel


def _save(picture: Any, path: Path) -> None:
    """Write a picture of the window; the command line has asked before a file is replaced."""
    import imageio.v3 as iio

    commit_bytes(path, iio.imwrite("<bytes>", picture, extension=".png"), overwrite=True)


def _wait(seconds: float) -> None:
    """Let the window draw itself."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    sys.exit(main())
