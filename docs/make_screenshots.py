"""Make the screenshots of the napari plugin: each sample opened, unmixed and shown in a real window.

Run it under a display (Xvfb will do, Qt's offscreen platform draws the canvas black):

    xvfb-run -a -s "-screen 0 2000x1200x24 +extension GLX" python docs/make_screenshots.py FOLDER
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import napari
from napari.settings import get_settings
from qtpy.QtWidgets import QApplication

SAMPLES = ("tissue_he", "coast", "cells_lambda")
SIZES = {"": (1280, 800), "-large": (1920, 1080)}
PATIENCE_S = 120


def main(folder: Path) -> None:
    """Write every screenshot to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES:
        viewer, panel = open_sample(sample)
        shoot(viewer, folder / f"{sample}-opened.png")
        panel.run_button.click()
        until(lambda panel=panel: not panel.running)
        for ending, size in SIZES.items():
            viewer.window.resize(*size)
            shoot(viewer, folder / f"{sample}-unmixed{ending}.png")
        viewer.window.resize(*SIZES[""])
        panel.options_toggle.click()
        shoot(viewer, folder / f"{sample}-options.png")
        if sample == "coast":
            show_quality(viewer, folder)
            get_settings().appearance.theme = "light"
            shoot(viewer, folder / f"{sample}-light.png")
            get_settings().appearance.theme = "dark"
        viewer.close()


def open_sample(sample: str) -> tuple[napari.Viewer, Any]:
    """Return a viewer with the sample and the panel, both opened through the plugin."""
    viewer = napari.Viewer(show=True)
    viewer.window.resize(*SIZES[""])
    _, panel = viewer.window.add_plugin_dock_widget("unmix", "Unmix")
    viewer.open_sample("unmix", sample)
    return viewer, panel


def show_quality(viewer: napari.Viewer, folder: Path) -> None:
    """Shoot the layers that are hidden at first."""
    hidden = [layer for layer in viewer.layers if layer.name.endswith(("| residual", "| dominant"))]
    for shown in hidden:
        before = {layer: layer.visible for layer in viewer.layers}
        for layer in viewer.layers:
            layer.visible = layer is shown
        viewer.layers.selection.active = shown
        shoot(viewer, folder / f"coast-{shown.name.split('| ')[1]}.png")
        for layer, visible in before.items():
            layer.visible = visible


def shoot(viewer: napari.Viewer, path: Path) -> None:
    """Let the window draw itself, then save it."""
    pause(0.4)
    viewer.reset_view()
    pause(0.4)
    iio.imwrite(path, viewer.screenshot(canvas_only=False, flash=False))


def until(done: Callable[[], bool]) -> None:
    """Keep the window alive until something is done."""
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"not done after {PATIENCE_S} s")
        pause(0.05)


def pause(seconds: float) -> None:
    """Keep the window alive for a while."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.instance().processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
