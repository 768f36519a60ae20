"""A small window: what a spectral library says of each endmember, and which of its names are taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from napari.utils.notifications import show_info
from qtpy import QtCore
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
)

from .controls import button, combo, note
from .endmember_table import CHECK_STYLE
from .naming import Proposal

_NAME, _NEAREST, _OTHER = range(3)
_HEADINGS = ("endmember", "nearest in the library", "nearest other material")
_SWATCH = 12


class NamesDialog(QDialog):
    """Which library spectrum each endmember is like.

    Parameters
    ----------
    library : str
        What the library is called.
    names : sequence of str
        Of the endmembers.
    colours : mapping of str to ndarray
        Colour of each, 0 to 1.
    proposals : sequence of Proposal
        One for each endmember.
    spectra : sequence of str
        Names of all spectra of the library.
    """

    changed: Any = QtCore.Signal()  # type: ignore[attr-defined, unused-ignore]
    """Other spectra are chosen."""
    accepted_names: Any = QtCore.Signal(dict)  # type: ignore[attr-defined, unused-ignore]
    """New names are wanted, by the present one."""
    pinned: Any = QtCore.Signal(int)  # type: ignore[attr-defined, unused-ignore]
    """The spectrum in this row of the library is to be a pinned endmember."""

    def __init__(
        self,
        library: str,
        names: Sequence[str],
        colours: Mapping[str, np.ndarray],
        proposals: Sequence[Proposal],
        spectra: Sequence[str],
    ) -> None:
        super().__init__()
        self.names, self.spectra = list(names), list(spectra)
        self.setWindowTitle(f"Names from {library}")
        self.table = QTableWidget(len(names), len(_HEADINGS))
        self.choices = [self._choice(proposal) for proposal in proposals]
        self._build_table(colours, proposals)
        self.spectrum_box = combo("A spectrum of the library; type to find it.", 20)
        self.spectrum_box.setEditable(True)
        self.spectrum_box.addItems(self.spectra)
        completer: Any = self.spectrum_box.completer()
        completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self.pin_button = button(
            "Add pinned", "Add this spectrum to the endmembers; the next run uses it as it is.", self._pin
        )
        self.take_button = button("Take the ticked names", "Rename the ticked endmembers.", self._take)
        self.close_button = button("Close", "Leave the names as they are.", self.reject)
        self._lay_out()
        self.table.itemChanged.connect(lambda *_: self._show_state())
        self._show_state()

    def _choice(self, proposal: Proposal) -> Any:
        """Return the list of the nearest spectra of one endmember."""
        box = combo("Other spectra that come near. The chosen one is drawn beside the endmember, broken.", 14)
        for row, angle in proposal.nearest:
            box.addItem(f"{self.spectra[row]}   {degrees(angle)}", row)
        box.currentIndexChanged.connect(lambda *_: self.changed.emit())
        return box

    def _build_table(self, colours: Mapping[str, np.ndarray], proposals: Sequence[Proposal]) -> None:
        table = self.table
        table.setHorizontalHeaderLabels(_HEADINGS)
        rows: Any = table.verticalHeader()
        rows.hide()
        rows.setDefaultSectionSize(30)
        header: Any = table.horizontalHeader()
        for column in range(len(_HEADINGS)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        table.setStyleSheet(CHECK_STYLE)
        for row, (name, proposal, box) in enumerate(zip(self.names, proposals, self.choices, strict=True)):
            title = QTableWidgetItem(name)
            title.setIcon(_swatch(colours[name]))
            title.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable)
            title.setCheckState(Qt.CheckState.Checked if proposal.is_likely else Qt.CheckState.Unchecked)
            title.setToolTip("<qt>Ticked: it takes the name beside it, and that spectrum is drawn.</qt>")
            other = QTableWidgetItem(
                f"{proposal.runner_up}   {degrees(proposal.runner_up_angle)}" if proposal.runner_up else "none"
            )
            other.setFlags(Qt.ItemFlag.ItemIsEnabled)
            other.setToolTip("<qt>If it is hardly farther than the nearest, the name is a toss.</qt>")
            table.setItem(row, _NAME, title)
            table.setCellWidget(row, _NEAREST, box)
            table.setItem(row, _OTHER, other)

    def _lay_out(self) -> None:
        about = note("How near a spectrum is.")
        about.setText(
            "Angles between spectra, whatever their brightness: 0° is the same shape; beyond 14° nothing is ticked. "
            "The spectra chosen are drawn broken, at the height of their endmember."
        )
        beside = QHBoxLayout()
        beside.addWidget(QLabel("Use a spectrum"))
        beside.addWidget(self.spectrum_box, 1)
        beside.addWidget(self.pin_button)
        ends = QHBoxLayout()
        ends.addStretch(1)
        ends.addWidget(self.close_button)
        ends.addWidget(self.take_button)
        column = QVBoxLayout(self)
        column.addWidget(about)
        column.addWidget(self.table, 1)
        column.addLayout(beside)
        column.addLayout(ends)
        self.take_button.setDefault(True)
        self.pin_button.setAutoDefault(False)
        self.resize(620, 190 + 30 * min(len(self.names), 10))
        self.setMinimumSize(480, 260)

    def ticked(self) -> list[int]:
        """Return which endmembers are to take the name beside them."""
        items: list[Any] = [self.table.item(row, _NAME) for row in range(len(self.names))]
        return [row for row, item in enumerate(items) if item.checkState() == Qt.CheckState.Checked]

    def drawn(self) -> dict[str, int]:
        """Return the row in the library of the spectrum chosen for each ticked endmember, by its name."""
        return {self.names[row]: int(self.choices[row].currentData()) for row in self.ticked()}

    def tick(self, row: int, wanted: Qt.CheckState) -> None:
        """Tick an endmember, or not."""
        item: Any = self.table.item(row, _NAME)
        item.setCheckState(wanted)

    def _show_state(self) -> None:
        self.take_button.setEnabled(bool(self.ticked()))
        self.changed.emit()

    def _take(self, *_: Any) -> None:
        self.accepted_names.emit({name: self.spectra[row] for name, row in self.drawn().items()})

    def _pin(self, *_: Any) -> None:
        text = self.spectrum_box.currentText()
        if text in self.spectra:
            self.pinned.emit(self.spectra.index(text))
        else:
            show_info(f"The library has no spectrum '{text}'.")


def degrees(angle: float) -> str:
    """Return an angle in radians as degrees for the screen."""
    return f"{np.degrees(angle):.1f}°"


def _swatch(colour: np.ndarray) -> Any:
    picture = QPixmap(_SWATCH, _SWATCH)
    picture.fill(QColor.fromRgbF(*(min(1.0, max(0.0, float(part))) for part in colour)))
    return QIcon(picture)
