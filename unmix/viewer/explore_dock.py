"""The explore dock: four ways to look closer at an image and at the maps of the run that is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtWidgets import QLabel, QTabWidget, QVBoxLayout, QWidget

from .explore_colour import ColourTab
from .explore_profile import ProfileTab
from .explore_scatter import ScatterTab
from .explore_threshold import ThresholdTab
from .session import session_of

if TYPE_CHECKING:
    import napari.viewer


class ExploreDock(QWidget):
    """Composites of an image; thresholds, profiles and scatter plots of its maps.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer the dock is in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = napari_viewer
        self.session = session_of(napari_viewer)
        self._source: Any = None
        self.colour = ColourTab(napari_viewer)
        self.threshold = ThresholdTab(napari_viewer)
        self.profile = ProfileTab(napari_viewer)
        self.scatter = ScatterTab(napari_viewer)
        self.source_label = QLabel()
        self.source_label.setToolTip("<qt>What is looked at.</qt>")
        self.tabs = QTabWidget()
        for title, tab in self._tabs().items():
            self.tabs.addTab(tab, title)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.source_label)
        column.addWidget(self.tabs, 1)
        self.setMinimumHeight(300)
        self._watch()
        self.refresh()

    def _tabs(self) -> dict[str, Any]:
        return {
            "Colour": self.colour,
            "Threshold": self.threshold,
            "Profile": self.profile,
            "Scatter": self.scatter,
        }

    def _watch(self) -> None:
        session, refresh, layers = self.session, self.refresh, self.viewer.layers
        watched = [layers.events.inserted, layers.events.removed, layers.selection.events.active]
        session.endmembers_changed.connect(refresh)
        for emitter in watched:
            emitter.connect(self._on_layers)
        listener = self._on_layers

        def farewell() -> None:
            session.endmembers_changed.disconnect(refresh, missing_ok=True)
            for emitter in watched:
                emitter.disconnect(listener)

        self.destroyed.connect(farewell)

    def _on_layers(self, _event: Any = None) -> None:
        """Follow the image until there is a run; the layers of a run come one by one and change nothing here."""
        if self.session.current is None and self.session.looked_at is not self._source:
            self.refresh()

    def refresh(self) -> None:
        """Take up the current run, or the image that is selected."""
        run, source = self.session.current, self.session.looked_at
        self._source = source
        if run is not None:
            self.source_label.setText(f"Maps of {run.source}")
        elif source is not None:
            self.source_label.setText(f"{source.name}. Run it for thresholds, profiles and scatter plots.")
        else:
            self.source_label.setText("Open an image first.")
        self.tabs.setEnabled(run is not None or source is not None)
        for index, tab in enumerate(self._tabs().values()):
            self.tabs.setTabEnabled(index, run is not None or tab is self.colour)
            tab.refresh()
