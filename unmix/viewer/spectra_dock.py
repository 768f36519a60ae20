"""The spectra dock: curves of the endmembers and of drawn regions, and the spectrum under the mouse."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog, QWidget

from ..errors import UnmixError
from ..materials.stains import nearest_stain
from ..quantity import UNITS
from .curves import Curve
from .drawing import start_drawing
from .latest import Latest
from .layers import STAINED
from .regions import Region, is_drawing, regions_of
from .session import session_of
from .sources import is_source, source_of_layer
from .spectra_controls import SpectraControls
from .spectra_files import KINDS, export_curves
from .spectral_values import Measured, SpectralView, view_of

if TYPE_CHECKING:
    import napari.viewer

HERE, FIT = "here", "fit"
_THROTTLE_MS = 40
_REGIONS_MS = 250


class SpectraDock(SpectraControls):
    """Spectra of what was found, of what is under the mouse, and of what is drawn on the image.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer the dock is in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(session_of(napari_viewer), napari_viewer.theme, parent)
        self.viewer = napari_viewer
        self.session = session_of(napari_viewer)
        self.view: SpectralView | None = None
        self._source: Any = None
        self._here: tuple[int, int] | None = None
        self._measured: dict[str, tuple[Region, Measured]] = {}
        self._connect()
        self._watch()
        self.look_again()

    # following the viewer

    def _connect(self) -> None:
        self.plot.curve_clicked.connect(self.show_origin)
        self.table.row_chosen.connect(self._on_row)
        self.draw_button.clicked.connect(self._draw)
        self.use_button.clicked.connect(self.add_region)
        self.pin_button.clicked.connect(self._pin_all)
        self.delete_button.clicked.connect(self._delete)
        self.export_button.clicked.connect(self._export)
        self.height_box.currentIndexChanged.connect(self._draw_curves)
        self.square_box.currentIndexChanged.connect(self._on_mouse)
        self._mouse = _once(self, _THROTTLE_MS, self._look_here)
        self._drawn = _once(self, _REGIONS_MS, self._measure_regions)
        self._views, self._means, self._pixels = Latest(self), Latest(self), Latest(self)

    def _watch(self) -> None:
        viewer, session, held = self.viewer, self.session, weakref.ref(self)

        def moved(_viewer: Any, _event: Any) -> None:
            if (dock := held()) is not None:
                dock._on_mouse()

        viewer.mouse_move_callbacks.append(moved)
        watched = [(viewer.layers.events, self._on_layers), (viewer.events.theme, self._on_theme)]
        watched.append((viewer.layers.selection.events.active, self._on_active))
        heard = [(session.run_changed, self.look_again), (session.endmembers_changed, self._on_endmembers)]
        for emitter, slot in watched:
            emitter.connect(slot)
        for signal, listener in heard:
            signal.connect(listener)
        self._followed: dict[Any, Any] = {}
        for layer in viewer.layers:
            self._follow(layer)
        followed, again = self._followed, self._again

        def farewell() -> None:
            if moved in viewer.mouse_move_callbacks:
                viewer.mouse_move_callbacks.remove(moved)
            for emitter, slot in watched:
                emitter.disconnect(slot)
            for signal, listener in heard:
                signal.disconnect(listener, missing_ok=True)
            for layer in followed.values():
                for emitter in _changes_of(layer):
                    emitter.disconnect(again)

        self.destroyed.connect(farewell)

    def _follow(self, layer: Any) -> None:
        if is_drawing(layer) and id(layer) not in self._followed:
            self._followed[id(layer)] = layer
            for emitter in _changes_of(layer):
                emitter.connect(self._again)

    def _again(self, _event: Any = None) -> None:
        self._drawn.start()

    def _on_layers(self, event: Any) -> None:
        if event.type == "inserted":
            self._follow(event.value)
        if event.type == "removed" and self._followed.pop(id(event.value), None) is not None:
            for emitter in _changes_of(event.value):
                emitter.disconnect(self._again)
        if event.type in ("inserted", "removed"):
            self._again()
            if self._source_layer() is not self._source:
                self.look_again()

    def _on_active(self, _event: Any) -> None:
        if self.session.current is None and self._source_layer() is not self._source:
            self.look_again()

    def _on_theme(self, _event: Any) -> None:
        self.plot.set_theme(self.viewer.theme)
        self._draw_curves()

    def _source_layer(self) -> Any:
        """Return the layer whose spectra are shown: that of the current run, else the selected one, else any."""
        if self.session.current is not None:
            return self.session.source
        selected = self.viewer.layers.selection.active
        if selected is not None and is_source(selected):
            return selected
        return next((layer for layer in reversed(self.viewer.layers) if is_source(layer)), None)

    def look_again(self) -> None:
        """Take up the current run and its source; the image is understood in a worker."""
        self._source = self._source_layer()
        run = self.session.current
        self.view = None
        self._measured = {}
        self._bands()
        if self._source is not None:
            source = source_of_layer(self._source)
            self._views.ask(lambda: _or_reason(lambda: view_of(source, run)), self._take_view)

    def _take_view(self, view: SpectralView | str) -> None:
        if isinstance(view, str):
            show_error(view)
            return
        self.view = view
        self._bands()
        self._again()

    def _bands(self) -> None:
        """Say what the bands are, from the image or, without one, from the run."""
        run = self.session.current
        quantity = run.quantity if run is not None else self.view.rule.quantity if self.view is not None else "unknown"
        unit = "optical density" if quantity in STAINED else UNITS.get(quantity, "")
        if self.view is not None:
            wavelengths, good = self.view.wavelengths, self.view.good
        elif run is not None:
            spectra = run.result["endmembers"].values
            wavelengths = run.result.coords["wavelength"].values if "wavelength" in run.result.coords else None
            wavelengths = wavelengths if wavelengths is not None and np.isfinite(wavelengths).all() else None
            good = np.isfinite(spectra).all(axis=0)
        else:
            wavelengths, good = None, np.zeros(0, bool)
        with_counts = quantity == "counts" and run is not None
        self.height_box.setCurrentIndex(1 if with_counts else 0)
        self.plot.set_bands(wavelengths, good, quantity if unit in ("", "1") else unit)
        self._draw_curves()

    def curves(self) -> list[Curve]:
        """Return the curves of endmembers and regions, in values."""
        chosen = self.table.key_of(self.table.currentRow()) if self.table.currentRow() >= 0 else ""
        found = []
        for pure in self.session.endmembers:
            key = f"endmember/{pure.name}"
            width = 3.5 if key == chosen else 2.0
            found.append(Curve(key, pure.name, pure.spectrum, pure.colour, width, low=pure.low, high=pure.high))
        for key, (region, measured) in self._measured.items():
            found.append(
                Curve(key, region.name, measured.spectrum, region.colour, 3.0 if key == chosen else 1.5, dashed=True)
            )
        return found

    def _draw_curves(self, *_: Any) -> None:
        live = [key for key in self.plot.keys if key in (HERE, FIT)]
        self.plot.set_curves([self._scaled(curve) for curve in self.curves()])
        if live:
            self._on_mouse()

    def _scaled(self, curve: Curve, by: float | None = None) -> Curve:
        """Return a curve as it is drawn: as it is, or divided by its largest value."""
        if self.height_box.currentData() == "values":
            return curve
        return curve.divided(by if by is not None else _largest(curve.values))

    def _on_endmembers(self) -> None:
        self.table.refresh()
        menu: Any = self.replace_button.menu()
        menu.clear()
        for index, pure in enumerate(self.session.endmembers):
            menu.addAction(pure.name).triggered.connect(lambda *_, at=index: self.use_region_for(at))
        self._draw_curves()

    def _on_row(self, key: str) -> None:
        self._draw_curves()
        if key.startswith("endmember/"):
            layer = self.session.map_of(key.removeprefix("endmember/"))
            if layer is not None:
                self.viewer.layers.selection.active = layer

    def show_origin(self, key: str) -> None:
        """Show where a curve comes from: select its row, and bring its pixel or region into view."""
        self.table.choose(key)
        self._draw_curves()
        if key in self._measured:
            region = self._measured[key][0]
            self._bring_into_view(*region.centre)
            owner = next((one for one in self.viewer.layers if str(one.unique_id) == region.layer_id), None)
            if owner is not None:
                self.viewer.layers.selection.active = owner
            return
        pure = next((one for one in self.session.endmembers if key == f"endmember/{one.name}"), None)
        if pure is None:
            return
        if pure.place is None:
            origin = f"was measured on {pure.region}" if pure.region else "stands for no single pixel"
            show_info(f"{pure.name} {origin}.")
            return
        self._bring_into_view(*pure.place)
        self.here_label.setText(f"{pure.name}: row {pure.place[0]}, column {pure.place[1]}")
        for layer in self.session.layers("anchors"):
            layer.visible = True
            layer.selected_data = {list(layer.features["endmember"]).index(pure.name)}
            self.viewer.layers.selection.active = layer

    def _bring_into_view(self, row: float, column: float) -> None:
        if self._source is None:
            return
        place = np.zeros(self._source.ndim)
        place[-2:] = row, column
        world = np.asarray(self._source.data_to_world(place))
        centre = np.array(self.viewer.scene.camera.center, float)
        centre[-2:] = world[-2:]
        self.viewer.scene.camera.center = tuple(centre)

    # under the mouse

    def _on_mouse(self, *_: Any) -> None:
        if not self._mouse.isActive():
            self._mouse.start()

    def _look_here(self) -> None:
        """Show the spectrum under the mouse; a file is read in a worker, memory is looked at at once."""
        view, source = self.view, self._source
        if view is None or source is None or source not in self.viewer.layers or not self.isVisibleTo(self.window()):
            return
        place = np.rint(np.asarray(source.world_to_data(self.viewer.cursor.position))[-2:])
        self._here = int(place[0]), int(place[1])
        row, column, width = *self._here, self.square_box.currentData()
        if view.in_memory:
            self._show_here(view.around(row, column, width))
        else:
            self._pixels.ask(lambda: view.around(row, column, width), self._show_here)

    def _show_here(self, measured: Measured | None) -> None:
        if measured is None or self.view is None or self._here is None:
            for key in (HERE, FIT):
                self.plot.drop_curve(key)
            self.table.show_amounts(None)
            self.here_label.setText("")
            return
        explained = self.view.explain(measured.spectrum)
        by = _largest(measured.spectrum)
        self.plot.set_curve(self._scaled(Curve(HERE, "here", measured.spectrum, self.plot.ink, 1.5), by))
        said = f"row {self._here[0]}, column {self._here[1]}"
        if explained is not None:
            fit = Curve(FIT, "its fit", explained.spectrum, self.plot.ink, 1.5, dashed=True)
            self.plot.set_curve(self._scaled(fit, by))
            if explained.brightness is not None:
                said += f", brightness {explained.brightness:.2f}"
        self.here_label.setText(said)
        self.table.show_amounts(None if explained is None else explained.amounts)

    # regions

    def _measure_regions(self) -> None:
        view, source = self.view, self._source
        if view is None or source is None or source not in self.viewer.layers:
            return
        regions = regions_of(list(self.viewer.layers), source, (view.image.sizes["y"], view.image.sizes["x"]))
        if regions or self._measured:
            self._means.ask(lambda: [(one, view.of_pixels(one.pixels)) for one in regions], self._take_means)

    def _take_means(self, means: list[tuple[Region, Measured | None]]) -> None:
        self._measured = {region.key: (region, measured) for region, measured in means if measured is not None}
        self.table.refresh([region for region, _ in self._measured.values()])
        self._draw_curves()

    def _chosen_mean(self) -> tuple[Region, Measured] | None:
        """Return the selected region, or the only one, else say what to do."""
        region = self.table.chosen_region
        if region is None and len(self._measured) == 1:
            return next(iter(self._measured.values()))
        if region is None or region.key not in self._measured:
            show_info("Draw a region on the image and select it in the list first.")
            return None
        return self._measured[region.key]

    def add_region(self, *_: Any) -> None:
        """Make the selected region a pinned endmember."""
        chosen = self._chosen_mean()
        if chosen is None or self.view is None:
            return
        region, measured = chosen
        spectrum, name = measured.spectrum, region.name
        if self.view.rule.quantity in STAINED:
            spectrum = spectrum / np.linalg.norm(np.nan_to_num(spectrum))
            if len(spectrum) == 3:
                name = nearest_stain(spectrum)
        self.session.add(name, spectrum, region.name, region.colour)

    def use_region_for(self, index: int) -> None:
        """Give an endmember or a stain the spectrum of the selected region."""
        chosen = self._chosen_mean()
        if chosen is None or self.view is None:
            return
        region, measured = chosen
        spectrum = measured.spectrum
        if self.view.rule.quantity in STAINED:
            spectrum = spectrum / np.linalg.norm(np.nan_to_num(spectrum))
        self.session.measure_again(index, spectrum, region.name)

    def _draw(self, *_: Any) -> None:
        if self._source is not None:
            start_drawing(self.viewer, self._source, len(self.session.endmembers))

    def _pin_all(self, *_: Any) -> None:
        self.session.pin_all(not all(pure.pinned for pure in self.session.endmembers))

    def _delete(self, *_: Any) -> None:
        index = self.table.chosen_endmember
        if index is None:
            show_info("Select an endmember in the list first.")
        else:
            self.session.delete(index)

    def _export(self, *_: Any) -> None:
        name, kind = QFileDialog.getSaveFileName(self, "Export spectra", "spectra.csv", KINDS)
        if not name:
            return
        path = Path(name)
        if not path.suffix:
            path = path.with_suffix(kind[kind.index("*") + 1 : -1] if "*" in kind else ".csv")
        try:
            export_curves(path, self.curves(), None if self.view is None else self.view.wavelengths, self.plot)
        except UnmixError as error:
            show_error(str(error))
            return
        show_info(f"Saved {path.name}.")


def _once(parent: QWidget, after_ms: int, what: Any) -> QTimer:
    """Return a timer that calls once, some time after it was started."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(after_ms)
    timer.timeout.connect(what)
    return timer


def _changes_of(layer: Any) -> list[Any]:
    """Return the events of a drawing that change its regions or their colours."""
    names = ("data", "set_data", "labels_update", "paint", "edge_color", "face_color", "visible", "name")
    return [getattr(layer.events, name) for name in names if hasattr(layer.events, name)]


def _largest(values: np.ndarray) -> float:
    top = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    return top if top > 0 else 1.0


def _or_reason(make: Any) -> Any:
    """Return what is made, or in a sentence why it cannot be."""
    try:
        return make()
    except UnmixError as error:
        return str(error)
