"""The controls of the spectra dock and where they are."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QSplitter, QVBoxLayout, QWidget

from .controls import button, combo, menu_button
from .curves import SpectraPlot
from .endmember_table import EndmemberTable
from .session import Session
from .settings import cursor_box

_SQUARES = (1, 3, 5)


class SpectraControls(QWidget):
    """A plot with its switches, and the list of endmembers with its buttons.

    Parameters
    ----------
    session : Session
        Whose endmembers are listed.
    theme : str
        Of the plot's colours.
    """

    def __init__(self, session: Session, theme: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.plot = SpectraPlot(theme)
        self.table = EndmemberTable(session)
        self.square_box = combo("How many pixels around the mouse are averaged.", 7)
        for width in _SQUARES:
            self.square_box.addItem(f"{width} × {width} px", width)
        self.square_box.setCurrentIndex(max(0, self.square_box.findData(cursor_box())))
        self.height_box = combo("Draw the curves as they are, or each to the height of its largest value.", 8)
        self.height_box.addItem("values", "values")
        self.height_box.addItem("same height", "same")
        self.here_label = QLabel()
        self.here_label.setToolTip("<qt>Where the mouse is.</qt>")
        self.draw_button = button("Draw region", "Draw a polygon on the image; its mean spectrum appears here.")
        self.use_button = button("Add", "Add the selected region as a pinned endmember for the next run.")
        self.replace_button = menu_button(
            "Use for", "Give an endmember or a stain the spectrum of the selected region, and pin it.", []
        )
        self.pin_button = button("Pin all", "Pin every endmember, or none: the next run uses them as they are.")
        self.delete_button = button("Delete", "Leave the selected endmember out of the next run.")
        self.library_button = button(
            "Library…", "Compare the endmembers with a spectral library: take its names, or pin its spectra."
        )
        self.export_button = button("Export…", "Save the curves as CSV, or the plot as PNG or SVG.")
        self._lay_out()

    def _lay_out(self) -> None:
        top = QHBoxLayout()
        top.addWidget(self.square_box)
        top.addWidget(self.height_box)
        top.addWidget(self.here_label, 1)
        top.addWidget(self.export_button)
        left, right = QWidget(), QWidget()
        plotted = QVBoxLayout(left)
        plotted.setContentsMargins(0, 0, 0, 0)
        plotted.addLayout(top)
        plotted.addWidget(self.plot, 1)
        listed = QVBoxLayout(right)
        listed.setContentsMargins(0, 0, 0, 0)
        listed.addWidget(self.table, 1)
        grid = QGridLayout()
        grid.setSpacing(3)
        buttons: list[QWidget] = [self.draw_button, self.use_button, self.replace_button]
        buttons += [self.pin_button, self.delete_button, self.library_button]
        for k, one in enumerate(buttons):
            one.setMinimumWidth(86)
            grid.addWidget(one, k // 3, k % 3)
        listed.addLayout(grid)
        self.splitter = QSplitter(Qt.Orientation.Horizontal)
        for part in (left, right):
            self.splitter.addWidget(part)
        self.splitter.setStretchFactor(0, 3)
        self.splitter.setStretchFactor(1, 1)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(4, 2, 4, 2)
        outer.addWidget(self.splitter)
        self.setMinimumSize(330, 180)

    def resizeEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """Lay plot and list side by side where there is room, else one above the other."""
        wide = self.width() > 1.2 * self.height()
        self.splitter.setOrientation(Qt.Orientation.Horizontal if wide else Qt.Orientation.Vertical)
        super().resizeEvent(event)
