"""The spectra dock: curves of the endmembers and of drawn regions, and the spectrum under the mouse."""

from __future__ import annotations

import weakref
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QFileDialog, QWidget

from ..endmembers import at_endmember_scale
from ..errors import UnmixError
from ..materials.stains import nearest_stain
from ..quantity import UNITS
from .curves import Curve, largest
from .drawing import drawing_regions
from .failure import Failure, answered, caught
from .from_library import FromLibrary
from .latest import Latest
from .layers import STAINED
from .pacing import Paced
from .region_means import RegionMeans, farewell_to
from .regions import Region
from .session import session_of
from .sources import source_of_layer
from .spectra_controls import SpectraControls
from .spectra_files import KINDS, Plotted, export_curves
from .spectral_values import Measured, SpectralView, view_of, whole_axis
from .under_mouse import FIT, HERE, UnderMouse
from .workers import worker_for

if TYPE_CHECKING:
    import napari.viewer


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
        self.source: Any = None
        self._unit = ""
        self.mouse = UnderMouse(self)
        self.regions = RegionMeans(self)
        self.library = FromLibrary(self)
        self._views, self._drawing = Latest(self), Paced(self)
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
        self.library_button.clicked.connect(self.library.ask)
        self.export_button.clicked.connect(self._export)
        self.height_box.currentIndexChanged.connect(self._on_height)
        self.square_box.currentIndexChanged.connect(self.mouse.moved)
        self.regions.changed.connect(self._on_regions)
        self.library.changed.connect(self.draw_curves)

    def _watch(self) -> None:
        viewer, session, held = self.viewer, self.session, weakref.ref(self)

        def moved(_viewer: Any, _event: Any) -> None:
            if (dock := held()) is not None:
                dock.mouse.moved()

        viewer.mouse_move_callbacks.append(moved)
        watched = [(viewer.layers.events, self._on_layers), (viewer.events.theme, self._on_theme)]
        watched.append((viewer.layers.selection.events.active, self._on_active))
        heard = [(session.run_changed, self.look_again), (session.endmembers_changed, self._on_endmembers)]
        for emitter, slot in watched:
            emitter.connect(slot)
        for signal, listener in heard:
            signal.connect(listener)
        for layer in viewer.layers:
            self.regions.follow(layer)
        followed, again = self.regions.followed, self.regions.again

        def farewell() -> None:
            if moved in viewer.mouse_move_callbacks:
                viewer.mouse_move_callbacks.remove(moved)
            for emitter, slot in watched:
                emitter.disconnect(slot)
            for signal, listener in heard:
                signal.disconnect(listener, missing_ok=True)
            farewell_to(followed, again)

        self.destroyed.connect(farewell)

    def _on_layers(self, event: Any) -> None:
        if event.type == "inserted":
            self.regions.follow(event.value)
        if event.type == "removed":
            self.regions.let_go(event.value)
        if event.type in ("inserted", "removed"):
            self.regions.again()
            if self.session.looked_at is not self.source:
                self.look_again()

    def _on_active(self, _event: Any) -> None:
        if self.session.current is None and self.session.looked_at is not self.source:
            self.look_again()

    def _on_theme(self, _event: Any) -> None:
        self.plot.set_theme(self.viewer.theme)
        self.draw_curves()

    def look_again(self) -> None:
        """Take up the current run and its source; the image is understood in a worker."""
        self.source = self.session.looked_at
        run = self.session.current
        self.view = None
        self.library.close()
        self.regions.forget()
        self._bands()
        if self.source is not None:
            source = source_of_layer(self.source)
            self._views.ask(lambda: _or_reason(lambda: view_of(source, run)), self._take_view)

    def _take_view(self, view: SpectralView | str) -> None:
        if isinstance(view, str):
            show_error(view)
            return
        self.view = self._as_called_now(view)
        self._bands()
        self.regions.again()

    def _as_called_now(self, view: SpectralView) -> SpectralView:
        """Return a view of the run that calls its endmembers as the user does by now."""
        run = self.session.current
        return view if run is None or len(run.names) != len(view.names) else replace(view, names=run.names)

    def _bands(self) -> None:
        """Say what the bands are, from the image or, without one, from the run."""
        run = self.session.current
        quantity = run.quantity if run is not None else self.view.rule.quantity if self.view is not None else "unknown"
        unit = "optical density" if quantity in STAINED else UNITS.get(quantity, "")
        if self.view is not None:
            axis, good = self.view.axis, self.view.good
        elif run is not None:
            axis = whole_axis(run.result.coords)
            good = np.isfinite(run.result["endmembers"].values).all(axis=0)
        else:
            axis, good = None, np.zeros(0, bool)
        with_counts = quantity == "counts" and run is not None
        self._unit = quantity if unit in ("", "1") else unit
        self.height_box.setCurrentIndex(1 if with_counts else 0)
        self.plot.set_bands(axis, good, self.unit)
        self.draw_curves()

    @property
    def unit(self) -> str:
        """What the axis of the plot says the values are."""
        return self._unit if self.height_box.currentData() == "values" else f"{self._unit}, relative"

    def curves(self) -> list[Curve]:
        """Return the curves of endmembers and regions, and those of a library beside them, in values."""
        chosen = self.table.key_of(self.table.currentRow()) if self.table.currentRow() >= 0 else ""
        found = []
        for pure in self.session.endmembers:
            key = f"endmember/{pure.name}"
            width = 3.5 if key == chosen else 2.0
            found.append(Curve(key, pure.name, pure.spectrum, pure.colour, width, low=pure.low, high=pure.high))
        for key, (region, measured) in self.regions.means.items():
            mean, spread = measured.spectrum, measured.spread
            around = (mean - spread, mean + spread) if key == chosen else (None, None)
            width = 3.0 if key == chosen else 1.2
            found.append(Curve(key, region.name, mean, region.colour, width, low=around[0], high=around[1]))
        return found + self.library.curves()

    def draw_curves(self, *_: Any) -> None:
        """Draw every curve but those under the mouse, which are looked at anew."""
        live = [key for key in self.plot.keys if key in (HERE, FIT)]
        self.plot.set_curves([self.as_drawn(curve) for curve in self.curves()])
        if live:
            self.mouse.moved()

    def as_drawn(self, curve: Curve, by: float | None = None) -> Curve:
        """Return a curve as it is drawn: as it is, or divided by its largest value."""
        if self.height_box.currentData() == "values":
            return curve
        return curve.divided(by if by is not None else largest(curve.values))

    def _on_height(self, *_: Any) -> None:
        self.plot.set_unit(self.unit)
        self.draw_curves()

    def _on_regions(self) -> None:
        self.table.refresh([region for region, _ in self.regions.means.values()])
        self.draw_curves()

    def _on_endmembers(self) -> None:
        if self.view is not None:
            self.view = self._as_called_now(self.view)
        self.table.refresh()
        menu: Any = self.replace_button.menu()
        menu.clear()
        for index, pure in enumerate(self.session.endmembers):
            menu.addAction(pure.name).triggered.connect(lambda *_, at=index: self.use_region_for(at))
        self.draw_curves()

    def _on_row(self, key: str) -> None:
        self.draw_curves()
        if key.startswith("endmember/"):
            layer = self.session.map_of(key.removeprefix("endmember/"))
            if layer is not None:
                self.viewer.layers.selection.active = layer

    def show_origin(self, key: str) -> None:
        """Show where a curve comes from: select its row, and bring its pixel or region into view."""
        self.table.choose(key)
        self.draw_curves()
        if key in self.regions.means:
            region = self.regions.means[key][0]
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
        if self.source is None:
            return
        place = np.zeros(self.source.ndim)
        place[-2:] = row, column
        world = np.asarray(self.source.data_to_world(place))
        centre = np.array(self.viewer.scene.camera.center, float)
        centre[-2:] = world[-2:]
        self.viewer.scene.camera.center = tuple(centre)

    # regions

    def _chosen_mean(self) -> tuple[Region, Measured] | None:
        """Return the selected region, or the only one, else say what to do."""
        region = self.table.chosen_region
        if region is None and len(self.regions.means) == 1:
            return next(iter(self.regions.means.values()))
        if region is None or region.key not in self.regions.means:
            show_info("Draw a region on the image and select it in the list first.")
            return None
        return self.regions.means[region.key]

    def add_region(self, *_: Any) -> None:
        """Make the selected region a pinned endmember."""
        chosen = self._chosen_mean()
        if chosen is None or self.view is None:
            return
        region, measured = chosen
        spectrum, name = self.at_scale(measured.spectrum), region.name
        if self.view.rule.quantity in STAINED and len(spectrum) == 3:
            name = nearest_stain(spectrum)
        self.session.add(name, spectrum, region.name, region.colour)

    def at_scale(self, spectrum: np.ndarray) -> np.ndarray:
        """Return a spectrum in the scale that endmembers of this image have."""
        return spectrum if self.view is None else at_endmember_scale(spectrum[None], self.view.rule.quantity)[0]

    def use_region_for(self, index: int) -> None:
        """Give an endmember or a stain the spectrum of the selected region."""
        chosen = self._chosen_mean()
        if chosen is None or self.view is None:
            return
        region, measured = chosen
        self.session.measure_again(index, self.at_scale(measured.spectrum), region.name)

    def _draw(self, *_: Any) -> None:
        if self.source is not None:
            self._drawing.start(drawing_regions(self.viewer, self.source, len(self.session.endmembers)))

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
        axis = None if self.view is None else self.view.axis
        good = None if self.view is None else self.view.good
        plotted = Plotted(self.curves(), [self.as_drawn(curve) for curve in self.curves()], axis, good, self.unit)
        self._saving = worker_for(caught(lambda: _or_reason(lambda: _exported(path, plotted))))
        self._saving.returned.connect(_say_exported)
        self._saving.start()


def _exported(path: Path, plotted: Plotted) -> Path:
    """Write the curves, in a worker: a figure takes most of a second. Return where they are."""
    export_curves(path, plotted)
    return path


def _say_exported(answer: Path | str | Failure) -> None:
    saved = answered(answer)
    if isinstance(saved, Path):
        show_info(f"Saved {saved.name}.")
    else:
        show_error(saved)


def _or_reason(make: Any) -> Any:
    """Return what is made, or in a sentence why it cannot be."""
    try:
        return make()
    except UnmixError as error:
        return str(error)
