"""The explore dock: four ways to look closer at the maps of the run that is shown."""

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

MINIMUM_WIDTH = 350


class ExploreDock(QWidget):
    """Composites, thresholds, profiles and scatter plots of the run that is shown.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer the dock is in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.session = session_of(napari_viewer)
        self.colour = ColourTab(napari_viewer)
        self.threshold = ThresholdTab(napari_viewer)
        self.profile = ProfileTab(napari_viewer)
        self.scatter = ScatterTab(napari_viewer)
        self.source_label = QLabel()
        self.source_label.setToolTip("<qt>The run whose maps are looked at.</qt>")
        self.tabs = QTabWidget()
        for title, tab in self._tabs().items():
            self.tabs.addTab(tab, title)
        column = QVBoxLayout(self)
        column.setContentsMargins(4, 4, 4, 4)
        column.addWidget(self.source_label)
        column.addWidget(self.tabs, 1)
        self.setMinimumSize(MINIMUM_WIDTH, 300)
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
        session, refresh = self.session, self.refresh
        session.run_changed.connect(refresh)
        session.endmembers_changed.connect(refresh)

        def farewell() -> None:
            session.run_changed.disconnect(refresh, missing_ok=True)
            session.endmembers_changed.disconnect(refresh, missing_ok=True)

        self.destroyed.connect(farewell)

    def refresh(self) -> None:
        """Take up the current run."""
        run = self.session.current
        self.source_label.setText("Run something first." if run is None else f"Maps of {run.source}")
        self.tabs.setEnabled(run is not None)
        for tab in self._tabs().values():
            tab.refresh()
