"""Make the screenshots of the napari plugin: each sample opened, unmixed and looked at in a real window.

Run it under a display (Xvfb will do, Qt's offscreen platform draws the canvas black):

    xvfb-run -a -s "-screen 0 2400x1400x24 +extension GLX" python docs/make_screenshots.py FOLDER

Every state goes to FOLDER in several sizes and both themes; those that the pages show go to docs/screenshots, too, with
few colours and so small. ``--scale 1.25`` makes the window as a desktop at 125 % shows it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SAMPLES = ("tissue_he", "coast", "cells_lambda")
SIZES = {"": (1280, 800), "-large": (1920, 1080)}
SCALED_SIZE = (1536, 864)
SHOWN = {
    "tissue_he-unmixed", "coast-spectra", "coast-library", "cells_lambda-spectra-light", "tissue_he-threshold",
    "coast-colour", "cells_lambda-brushing", "tissue_he-profile",
}  # fmt: skip
"""What docs/napari.md shows."""
PATIENCE_S = 120
_COLOURS = 256
_MARGIN = 0.1


class Photographer:
    """Takes pictures of one window.

    Parameters
    ----------
    folder : Path
        Where they go.
    mark : str
        Ending of every name: how the desktop is scaled.
    """

    def __init__(self, viewer: Any, folder: Path, mark: str) -> None:
        self.viewer, self.folder, self.mark = viewer, folder, mark
        self.sizes = {"": SCALED_SIZE} if mark else SIZES

    def shoot(self, name: str) -> None:
        """Let the window draw itself, then save it; what is still held back would be missing."""
        pause(0.4)
        until(self.viewer.window._qt_window.centralWidget().updatesEnabled)
        self.viewer.reset_view(margin=_MARGIN)
        pause(0.4)
        save(self.viewer.screenshot(canvas_only=False, flash=False), self.path(name))

    def path(self, name: str) -> Path:
        """Return the file of a picture; what is scaled says so in its name."""
        return self.folder / f"{name}{self.mark}.png"

    def shoot_all(self, name: str) -> None:
        """Shoot the window in each size, and in the light theme too."""
        from napari.settings import get_settings

        for ending, size in self.sizes.items():
            self.viewer.window.resize(*size)
            self.shoot(f"{name}{ending}")
        self.viewer.window.resize(*self.sizes[""])
        get_settings().appearance.theme = "light"
        self.shoot(f"{name}-light")
        get_settings().appearance.theme = "dark"


def main() -> None:
    """Write every screenshot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--samples", nargs="*", default=SAMPLES, choices=SAMPLES)
    chosen = parser.parse_args()
    if chosen.scale != 1.0:
        os.environ["QT_SCALE_FACTOR"] = str(chosen.scale)
    mark = "" if chosen.scale == 1.0 else f"-{100 * chosen.scale:.0f}"
    chosen.folder.mkdir(parents=True, exist_ok=True)
    for sample in chosen.samples:
        show_sample(sample, chosen.folder, mark)


def show_sample(sample: str, folder: Path, mark: str) -> None:
    """Shoot one sample from opening to exploring."""
    viewer, panel = open_sample(sample)
    photographer = Photographer(viewer, folder, mark)
    viewer.window.resize(*photographer.sizes[""])
    photographer.shoot(f"{sample}-opened")
    panel.run_button.click()
    until(lambda: not panel.running)
    photographer.shoot_all(f"{sample}-unmixed")
    panel.options_toggle.click()
    photographer.shoot_all(f"{sample}-options")
    panel.options_toggle.click()
    if sample == "coast":
        show_quality(photographer)
    show_spectra(photographer, panel, sample)
    show_exploring(photographer, panel, sample)
    viewer.close()


def show_quality(photographer: Photographer) -> None:
    """Shoot the layers that are hidden at first."""
    viewer = photographer.viewer
    before = {layer: layer.visible for layer in viewer.layers}
    for shown in [layer for layer in viewer.layers if layer.name.endswith(("| residual", "| dominant"))]:
        for layer in viewer.layers:
            layer.visible = layer is shown
        viewer.layers.selection.active = shown
        photographer.shoot(f"coast-{shown.name.split('| ')[1]}")
    for layer, visible in before.items():
        layer.visible = visible


def show_spectra(photographer: Photographer, panel: Any, sample: str) -> None:
    """Shoot the spectra dock: two regions drawn, one endmember pinned, the mouse on the image; then a library."""
    viewer = photographer.viewer
    panel.results.spectra_button.click()
    until(lambda: "unmix spectra" in viewer.window.dock_widgets)
    dock = viewer.window.dock_widgets["unmix spectra"]
    until(lambda: dock.view is not None)
    source = panel.session.source
    draw_squares(viewer, panel)
    until(lambda: len(dock.regions.means) == 2 and not dock.regions.busy)
    panel.session.pin(0, True)
    height, width = (panel.session.current.result.sizes[axis] for axis in ("y", "x"))
    place = np.zeros(source.ndim)
    place[-2:] = 0.45 * height, 0.4 * width
    viewer.cursor.position = tuple(source.data_to_world(place))
    dock.mouse.look()
    if sample == "coast":
        dock.table.choose(dock.table.key_of(dock.table.rowCount() - 1))
        dock.draw_curves()
        dock.mouse.look()
    photographer.shoot_all(f"{sample}-spectra")
    panel.session.pin(0, False)
    viewer.layers["regions"].visible = False
    if sample == "coast":
        show_library(photographer, dock)
    dock.parent().close()
    viewer.layers.remove("regions")


def draw_squares(viewer: Any, panel: Any) -> None:
    """Draw two squares with the dock's own tool, so that each has a colour of its own."""
    viewer.window.dock_widgets["unmix spectra"].draw_button.click()
    layer = layer_to_draw_in(viewer, "regions")
    height, width = (panel.session.current.result.sizes[axis] for axis in ("y", "x"))
    for y, x in ((0.3, 0.3), (0.6, 0.7)):
        layer.add_rectangles(square(height * y, width * x, 0.06 * width))
    layer.mode = "pan_zoom"


def show_library(photographer: Photographer, dock: Any) -> None:
    """Shoot the window that compares the endmembers with a library, over the main window."""
    from qtpy.QtCore import QPoint

    with tempfile.TemporaryDirectory() as folder:
        dock.library.open(library_file(Path(folder), dock.view.image))
        until(lambda: dock.library.dialog is not None)
    dialog = dock.library.dialog
    pause(0.4)
    window = photographer.viewer.screenshot(canvas_only=False, flash=False)
    ratio = dialog.devicePixelRatioF()
    picture = as_array(dialog.grab())
    top, left = (round(ratio * part) for part in (150, 330))
    framed = window.copy()
    framed[top - 2 : top + picture.shape[0] + 2, left - 2 : left + picture.shape[1] + 2] = 120
    framed[top : top + picture.shape[0], left : left + picture.shape[1], :3] = picture
    dialog.move(QPoint(0, 0))
    save(framed, photographer.path("coast-library"))
    dialog.take_button.click()
    photographer.shoot_all("coast-named")


def library_file(folder: Path, image: Any) -> Path:
    """Write a small spectral library: the materials of the synthetic scenes, a little brighter and bent."""
    from unmix.synthetic import MATERIALS, material_spectrum

    nm = np.arange(380.0, 2520.0, 10.0)
    lines = ["name," + ",".join(f"{one:g}" for one in nm)]
    for name in MATERIALS:
        spectrum = material_spectrum(name, nm) * np.linspace(1.12, 1.0, len(nm))
        lines.append(f"{name}," + ",".join(f"{one:.5f}" for one in spectrum))
    path = folder / "minerals.csv"
    path.write_text("\n".join(lines))
    return path


def show_exploring(photographer: Photographer, panel: Any, sample: str) -> None:
    """Shoot the four pages of the explore dock."""
    viewer = photographer.viewer
    panel.results.explore_button.click()
    until(lambda: "unmix explore" in viewer.window.dock_widgets)
    dock = viewer.window.dock_widgets["unmix explore"]
    maps = panel.session.current.result["abundances"].values
    height, width = maps.shape[1:]
    (dock.colour.density_button if sample == "tissue_he" else dock.colour.show_button).click()
    until(lambda: bool(dock.colour.said_label.text()))
    photographer.shoot_all(f"{sample}-colour")
    dock.colour.all_button.click()
    dock.tabs.setCurrentWidget(dock.threshold)
    dock.threshold.slider.setValue(200)
    until(lambda: shows(viewer, "threshold"))
    photographer.shoot_all(f"{sample}-threshold")
    dock.threshold.show_box.setChecked(False)
    dock.tabs.setCurrentWidget(dock.profile)
    dock.profile.draw_button.click()
    line = layer_to_draw_in(viewer, "profile line")
    line.add_lines(np.array([[0.2 * height, 0.2 * width], [0.8 * height, 0.7 * width]]))
    line.mode = "pan_zoom"
    pause(0.5)
    photographer.shoot_all(f"{sample}-profile")
    line.visible = False
    dock.tabs.setCurrentWidget(dock.scatter)
    until(lambda: dock.scatter.scatter is not None)
    (left, right), (low, high) = dock.scatter.scatter.x_limits, dock.scatter.scatter.y_limits
    turn = np.linspace(0, 2 * np.pi, 60)
    x, y = 0.66 + 0.3 * np.cos(turn), 0.13 + 0.12 * np.sin(turn) + 0.02 * np.sin(3 * turn)
    dock.scatter.lasso.set_corners(np.column_stack([left + x * (right - left), low + y * (high - low)]))
    until(lambda: shows(viewer, "brushed"))
    photographer.shoot_all(f"{sample}-brushing")


def shows(viewer: Any, overlay: str) -> bool:
    """Say whether an overlay of the sample is in the viewer."""
    return any(layer.name.endswith(f"| {overlay}") for layer in viewer.layers)


def layer_to_draw_in(viewer: Any, name: str) -> Any:
    """Return the layer of this name once it waits for what is drawn."""
    until(lambda: name in viewer.layers and viewer.layers[name].mode.startswith("add"))
    return viewer.layers[name]


def square(row: float, column: float, half: float) -> np.ndarray:
    """Return the corners of a square."""
    return np.array([[row - half, column - half], [row + half, column + half]])


def open_sample(sample: str) -> tuple[Any, Any]:
    """Return a viewer with the sample and the panel, both opened through the plugin."""
    import napari

    viewer = napari.Viewer(show=True)
    panel = viewer.window.add_plugin_dock_widget("unmix", "Unmix")[1].content
    viewer.open_sample("unmix", sample)
    return viewer, panel


def save(picture: np.ndarray, path: Path) -> None:
    """Save a picture, and with few colours where the pages show it."""
    from PIL import Image

    whole = Image.fromarray(np.asarray(picture)[..., :3])
    whole.save(path, optimize=True)
    if path.stem in SHOWN:
        kept = Path(__file__).parent / "screenshots" / path.name
        kept.parent.mkdir(exist_ok=True)
        few = whole.quantize(_COLOURS, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE)
        few.save(kept, optimize=True)


def as_array(pixmap: Any) -> np.ndarray:
    """Return the picture of a widget as (rows, columns, 3)."""
    from qtpy.QtGui import QImage

    image = pixmap.toImage().convertToFormat(QImage.Format.Format_RGB888)
    bits = image.constBits()
    values = np.frombuffer(bits.asstring(image.sizeInBytes()) if hasattr(bits, "asstring") else bits, np.uint8)
    return values.reshape(image.height(), image.bytesPerLine())[:, : 3 * image.width()].reshape(
        image.height(), image.width(), 3
    )


def until(done: Callable[[], bool]) -> None:
    """Keep the window alive until something is done."""
    end = time.monotonic() + PATIENCE_S
    while not done():
        if time.monotonic() > end:
            raise TimeoutError(f"not done after {PATIENCE_S} s")
        pause(0.05)


def pause(seconds: float) -> None:
    """Keep the window alive for a while."""
    from qtpy.QtWidgets import QApplication

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        QApplication.instance().processEvents()
        time.sleep(0.01)


if __name__ == "__main__":
    main()
