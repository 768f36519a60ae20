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
import numpy as np
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
        shoot_sizes(viewer, folder, f"{sample}-unmixed")
        panel.options_toggle.click()
        shoot(viewer, folder / f"{sample}-options.png")
        panel.options_toggle.click()
        if sample == "coast":
            show_quality(viewer, folder)
        show_spectra(viewer, panel, folder, sample)
        show_exploring(viewer, panel, folder, sample)
        viewer.close()


def shoot_sizes(viewer: napari.Viewer, folder: Path, name: str, *, themes: bool = True) -> None:
    """Shoot the window in each size, and in the light theme too."""
    for ending, size in SIZES.items():
        viewer.window.resize(*size)
        shoot(viewer, folder / f"{name}{ending}.png")
    viewer.window.resize(*SIZES[""])
    if themes:
        get_settings().appearance.theme = "light"
        shoot(viewer, folder / f"{name}-light.png")
        get_settings().appearance.theme = "dark"


def show_spectra(viewer: napari.Viewer, panel: Any, folder: Path, sample: str) -> None:
    """Shoot the spectra dock: two regions drawn, one endmember renamed and pinned, the mouse on the image."""
    panel.results.spectra_button.click()
    dock = viewer.window.dock_widgets["unmix spectra"]
    until(lambda: dock.view is not None)
    source = panel.session.source
    height, width = (panel.session.current.result.sizes[axis] for axis in ("y", "x"))
    squares = [square(height * y, width * x, 0.06 * width) for y, x in ((0.3, 0.3), (0.6, 0.7))]
    viewer.add_shapes(
        squares, shape_type="rectangle", edge_color=["red", "yellow"], face_color="transparent", name="regions",
        edge_width=max(1, width / 150), scale=source.scale[-2:], translate=source.translate[-2:],
        units=source.units[-2:], axis_labels=source.axis_labels[-2:],
    )  # fmt: skip
    until(lambda: len(dock._measured) == 2)
    panel.session.pin(0, True)
    place = np.zeros(source.ndim)
    place[-2:] = 0.45 * height, 0.4 * width
    viewer.cursor.position = tuple(source.data_to_world(place))
    dock._look_here()
    shoot_sizes(viewer, folder, f"{sample}-spectra")
    panel.session.pin(0, False)
    dock.parent().close()
    viewer.layers["regions"].visible = False


def show_exploring(viewer: napari.Viewer, panel: Any, folder: Path, sample: str) -> None:
    """Shoot the four pages of the explore dock."""
    panel.results.explore_button.click()
    dock = viewer.window.dock_widgets["unmix explore"]
    height, width = (panel.session.current.result.sizes[axis] for axis in ("y", "x"))
    dock.colour.show_button.click()
    pause(1)
    shoot(viewer, folder / f"{sample}-colour.png")
    dock.colour.all_button.click()
    dock.tabs.setCurrentWidget(dock.threshold)
    dock.threshold.slider.setValue(200)
    pause(0.5)
    shoot(viewer, folder / f"{sample}-threshold.png")
    dock.threshold.show_box.setChecked(False)
    dock.tabs.setCurrentWidget(dock.profile)
    dock.profile.draw_button.click()
    line = viewer.layers["profile line"]
    line.add_lines(np.array([[0.2 * height, 0.2 * width], [0.8 * height, 0.7 * width]]))
    pause(0.5)
    shoot(viewer, folder / f"{sample}-profile.png")
    line.visible = False
    dock.tabs.setCurrentWidget(dock.scatter)
    dock.scatter.brush_button.click()
    pause(1)
    shoot_sizes(viewer, folder, f"{sample}-brushing")


def square(row: float, column: float, half: float) -> np.ndarray:
    """Return the corners of a square."""
    return np.array([[row - half, column - half], [row + half, column + half]])


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
