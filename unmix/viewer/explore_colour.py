"""Looking at the image in other colours: three bands, three abundances, or the optical density of a slide."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from ..light.beer_lambert import to_optical_density
from .controls import button, combo, note
from .exploring import composite, stretch
from .latest import Latest
from .levels import as_layer_data, levels_of
from .overlay import Overlays, overlay
from .pacing import Paced
from .session import session_of
from .solo import hide_map, showing_of, solo_map
from .sources import identity_of, source_of_layer
from .spectral_values import view_of, whole_axis

FALSE_COLOUR, DENSITY = "false colour", "optical density"
_RED_GREEN_BLUE_NM = (650.0, 550.0, 470.0)
_DARKEST_DENSITY = 2.0


class ColourTab(QWidget):
    """Composites of the source and of its maps, and which maps are shown."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer, self.session = viewer, session_of(viewer)
        self.from_box = combo("What the three colours are made of.")
        self.from_box.addItem("bands of the image", "bands")
        self.from_box.addItem("abundances", "abundances")
        self.colour_boxes = [combo(f"What is shown in {colour}.") for colour in ("red", "green", "blue")]
        self.show_button = button("Show false colour", "Add the picture as a layer, or update it.", self.show_composite)
        self.density_button = button(
            "Show optical density", "Add the slide as optical density: what a stain takes away.", self.show_density
        )
        self.map_box = combo("One endmember's map.")
        self.solo_button = button("Only this", "Show only this map; again: all maps.", self._solo)
        self.hide_button = button("Hide this", "Hide this map; again: show it.", self._hide)
        self.all_button = button("All maps", "Show every map, and hide the false colour.", self.show_maps)
        self.said_label = note("What happened.")
        self._pictures, self._overlays, self._seen = Latest(self), Overlays(viewer, self), Paced(self)
        self._lay_out()
        self.from_box.currentIndexChanged.connect(self._offer)
        for box in self.colour_boxes:
            box.currentIndexChanged.connect(self._again)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Made of", self.from_box)
        for title, box in zip(("Red", "Green", "Blue"), self.colour_boxes, strict=True):
            form.addRow(title, box)
        maps = QFormLayout()
        maps.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        maps.addRow("Map", self.map_box)
        pair = QHBoxLayout()
        pair.addWidget(self.solo_button)
        pair.addWidget(self.hide_button)
        pair.addWidget(self.all_button)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.show_button)
        column.addWidget(self.density_button)
        column.addSpacing(16)
        column.addLayout(maps)
        column.addLayout(pair)
        column.addWidget(self.said_label)
        column.addStretch(1)

    def refresh(self) -> None:
        """Offer what the image and the current run have."""
        run, layer = self.session.current, self.session.looked_at
        names = list(run.names) if run is not None else []
        source = None if layer is None else source_of_layer(layer)
        self.show_button.setEnabled(source is not None)
        stained = (run.quantity if run is not None else getattr(source, "quantity", "")) == "brightfield"
        self.density_button.setVisible(stained)
        self.density_button.setEnabled(source is not None)
        if not names:
            self.from_box.setCurrentIndex(0)
        for control in (self.from_box, self.map_box, self.solo_button, self.hide_button, self.all_button):
            control.setEnabled(bool(names))
        chosen = self.map_box.currentText()
        with QSignalBlocker(self.map_box):
            self.map_box.clear()
            self.map_box.addItems(names)
            self.map_box.setCurrentIndex(max(0, self.map_box.findText(chosen)))
        self._offer()

    def _offer(self, *_: Any) -> None:
        """List the bands or the endmembers, keeping what is chosen where it still exists."""
        run, layer = self.session.current, self.session.looked_at
        if run is not None and self.from_box.currentData() == "abundances":
            entries = list(run.names)
            first = [k % len(entries) for k in range(3)]
        elif layer is not None:
            entries, first = _bands(source_of_layer(layer))
        else:
            return
        for box, at in zip(self.colour_boxes, first, strict=True):
            if [box.itemText(i) for i in range(box.count())] != entries:
                with QSignalBlocker(box):
                    box.clear()
                    box.addItems(entries)
                    box.setCurrentIndex(at)
        self._again()

    def _again(self, *_: Any) -> None:
        """Bring a false colour that is seen up to date."""
        layer = self.session.looked_at
        seen = None if layer is None else overlay(self.viewer, identity_of(layer), FALSE_COLOUR)
        if seen is not None and seen.visible:
            self.show_composite()

    def show_composite(self, *_: Any) -> None:
        """Make the picture in a worker and show it."""
        layer = self.session.looked_at
        if layer is None:
            self.said_label.setText("The image of this run is not open.")
            return
        chosen = [box.currentIndex() for box in self.colour_boxes]
        source, maps = source_of_layer(layer), self._map_levels()

        def make() -> Any:
            if maps is not None:
                levels = [[level[k] for k in chosen] for level in maps]
                limits = [stretch(plane) for plane in levels[-1]]
            else:
                levels = [[level[..., k] for k in chosen] for level in levels_of(source.values)]
                limits = source.stretch(chosen)
            return as_layer_data([composite(planes, limits) for planes in levels])

        self._pictures.ask(make, lambda picture: self._show(layer, FALSE_COLOUR, picture))

    def _map_levels(self) -> list[Any] | None:
        """Return the maps (endmember, y, x) at each of their levels, where these are wanted, else None."""
        run = self.session.current
        if run is None or self.from_box.currentData() != "abundances":
            return None
        layers = [self.session.map_of(name) for name in run.names]
        if any(layer is None or not layer.multiscale for layer in layers):
            return [run.result["abundances"].data]
        return [list(level) for level in zip(*(layer.data for layer in layers), strict=True)]

    def show_density(self, *_: Any) -> None:
        """Make the optical density of a slide in a worker and show it, dark where there is no stain."""
        run, layer = self.session.current, self.session.looked_at
        if layer is None:
            return
        source = source_of_layer(layer)
        quantity = "brightfield" if run is None else None

        def make() -> Any:
            white = view_of(source, run, quantity).rule.white_point
            white = np.full(3, 255.0) if white is None else white
            return as_layer_data([_density(level, white) for level in levels_of(source.values)])

        self._pictures.ask(make, lambda picture: self._show(layer, DENSITY, picture))

    def _show(self, layer: Any, role: str, picture: Any) -> None:
        if layer not in self.viewer.layers:
            return
        self._overlays.put(layer, role, picture, "image", done=lambda: self._hide_maps(role), rgb=True)

    def _hide_maps(self, role: str) -> None:
        maps = self.session.layers("abundance")
        self._seen.start(showing_of(maps, []))
        self.said_label.setText(f"The maps are hidden, so that the {role} is seen." if maps else "")

    def show_maps(self, *_: Any) -> None:
        """Show every map again and hide the pictures that lie over them."""
        maps, pictures = self.session.layers("abundance"), self.session.layers(FALSE_COLOUR, DENSITY)
        self._seen.start(showing_of([*maps, *pictures], maps))
        self.said_label.setText("")

    def _solo(self, *_: Any) -> None:
        self._seen.start(solo_map(self.viewer, self.map_box.currentText()))

    def _hide(self, *_: Any) -> None:
        hide_map(self.viewer, self.map_box.currentText())


def _density(values: Any, white: np.ndarray) -> Any:
    """Return light (y, x, 3) as 8-bit optical density; lazy where it is lazy."""
    if hasattr(values, "dask"):
        return values.map_blocks(_density, white, dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))
    density = to_optical_density(np.asarray(values), white)
    return np.clip(density * (255.0 / _DARKEST_DENSITY), 0, 255).astype(np.uint8)


def _bands(source: Any) -> tuple[list[str], list[int]]:
    """Return what the bands are called, and which to begin with for red, green and blue."""
    n_bands = source.n_bands
    coords = getattr(source.values, "coords", {})
    if "wavelength" in coords and np.isfinite(coords["wavelength"].values).all():
        nm = coords["wavelength"].values
        entries = [f"{k}: {value:.0f} nm" for k, value in enumerate(nm)]
        visible = nm.min() < 500 and nm.max() > 620
        wanted = _RED_GREEN_BLUE_NM if visible else tuple(np.percentile(nm, (85, 50, 15)))
        return entries, [int(np.abs(nm - target).argmin()) for target in wanted]
    thirds = [int(share * (n_bands - 1)) for share in (0.85, 0.5, 0.15)]
    if (axis := whole_axis(coords)) is not None:
        return [f"{k}: {value:g} {axis.unit}" for k, value in enumerate(axis.values)], thirds
    if n_bands == 3:
        return ["red", "green", "blue"], [0, 1, 2]
    return [f"band {k}" for k in range(n_bands)], thirds
