"""The list of endmembers and of regions: colour, name, pin, and how much of each is under the mouse."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from napari.utils.notifications import show_error
from qtpy import QtCore
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QAbstractItemView, QColorDialog, QHeaderView, QTableWidget, QTableWidgetItem

from ..errors import UnmixError
from .regions import Region
from .session import Pure, Session

_COLOUR, _NAME, _PIN, _HERE = range(4)
_HEADINGS = ("", "name", "pin", "here")
_TIPS = (
    "Colour of the curve, the map and the marker. Double-click to change it.",
    "Double-click to change it. In italics: not in the maps yet.",
    "Use this spectrum as it is in the next run. All pinned: nothing is searched.",
    "Abundance in the square under the mouse.",
)
CHECK_STYLE = (
    "QTableWidget::indicator { width: 12px; height: 12px; border: 1px solid gray; border-radius: 2px; }"
    "QTableWidget::indicator:checked { background: #1F78D1; border-color: #1F78D1; }"
)


class EndmemberTable(QTableWidget):
    """Endmembers first, then the regions that are drawn.

    Parameters
    ----------
    session : Session
        Whose endmembers are listed and changed.
    """

    row_chosen: Any = QtCore.Signal(str)  # type: ignore[attr-defined, unused-ignore]
    """The key of the row that was clicked: ``endmember/<name>``, or that of a region."""

    def __init__(self, session: Session) -> None:
        super().__init__(0, len(_HEADINGS))
        self.session = session
        self._regions: list[Region] = []
        self.setHorizontalHeaderLabels(_HEADINGS)
        for column, tip in enumerate(_TIPS):
            heading: Any = self.horizontalHeaderItem(column)
            heading.setToolTip(tip)
        rows: Any = self.verticalHeader()
        rows.hide()
        rows.setDefaultSectionSize(24)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setToolTip("<qt>Endmembers, then the regions drawn on the image.</qt>")
        header: Any = self.horizontalHeader()
        header.setMinimumSectionSize(24)
        for column, width in ((_COLOUR, 26), (_PIN, 38), (_HERE, 64)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Fixed)
            self.setColumnWidth(column, width)
        header.setSectionResizeMode(_NAME, QHeaderView.ResizeMode.Stretch)
        self.setMinimumSize(280, 80)
        self.setStyleSheet(CHECK_STYLE)
        self.itemChanged.connect(self._on_changed)
        self.cellDoubleClicked.connect(self._on_double_clicked)
        self.cellClicked.connect(lambda row, _column: self.row_chosen.emit(self.key_of(row)))
        self.refresh()

    def refresh(self, regions: Sequence[Region] | None = None) -> None:
        """List what there is now."""
        if regions is not None:
            self._regions = list(regions)
        pures, chosen = self.session.endmembers, self.currentRow()
        with QSignalBlocker(self):
            self.setRowCount(len(pures) + len(self._regions))
            for row, pure in enumerate(pures):
                self._fill_endmember(row, pure)
            for row, region in enumerate(self._regions, len(pures)):
                self._fill(row, region.name, region.colour, None, italic=False, editable=False)
            if 0 <= chosen < self.rowCount():
                self.setCurrentCell(chosen, _NAME)

    def key_of(self, row: int) -> str:
        """Return the key of a row."""
        n_pure = len(self.session.endmembers)
        return f"endmember/{self.session.endmembers[row].name}" if row < n_pure else self._regions[row - n_pure].key

    def choose(self, key: str) -> None:
        """Select the row with this key."""
        for row in range(self.rowCount()):
            if self.key_of(row) == key:
                self.setCurrentCell(row, _NAME)

    @property
    def chosen_endmember(self) -> int | None:
        """Which endmember is selected."""
        row = self.currentRow()
        return row if 0 <= row < len(self.session.endmembers) else None

    @property
    def chosen_region(self) -> Region | None:
        """Which region is selected."""
        row = self.currentRow() - len(self.session.endmembers)
        return self._regions[row] if 0 <= row < len(self._regions) else None

    def show_amounts(self, amounts: Any) -> None:
        """Show how much of each endmember is under the mouse; nothing where there is None."""
        with QSignalBlocker(self):
            for row, pure in enumerate(self.session.endmembers[: self.rowCount()]):
                held = None if amounts is None else amounts.get(pure.name)
                item = self.item(row, _HERE)
                if item is not None:
                    item.setText("" if held is None else f"{held:.3f}" if abs(held) < 1000 else f"{held:.4g}")

    def pick_colour(self, row: int, ask: Callable[..., QColor] = QColorDialog.getColor) -> None:
        """Ask for another colour of an endmember."""
        before = QColor.fromRgbF(*(float(part) for part in self.session.endmembers[row].colour))
        chosen = ask(before, self, "Colour")
        if chosen.isValid():
            self.session.recolour(row, np.array(chosen.getRgbF()[:3]))

    def _fill_endmember(self, row: int, pure: Pure) -> None:
        self._fill(row, pure.name, pure.colour, pure.pinned, italic=not self.session.is_mapped(pure), editable=True)
        origin = f"measured on {pure.region}" if pure.region else "found by the run"
        title: Any = self.item(row, _NAME)
        title.setToolTip(f"{pure.name}: {origin}")

    def _fill(
        self, row: int, name: str, colour: np.ndarray, pinned: bool | None, *, italic: bool, editable: bool
    ) -> None:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        swatch, title, pin, here = (QTableWidgetItem() for _ in _HEADINGS)
        swatch.setBackground(QColor.fromRgbF(*(min(1.0, max(0.0, float(part))) for part in colour)))
        swatch.setFlags(Qt.ItemFlag.ItemIsEnabled)
        title.setText(name)
        title.setFlags(flags | Qt.ItemFlag.ItemIsEditable if editable else flags)
        font = title.font()
        font.setItalic(italic)
        title.setFont(font)
        pin.setFlags(flags | Qt.ItemFlag.ItemIsUserCheckable if pinned is not None else flags)
        if pinned is not None:
            pin.setCheckState(Qt.CheckState.Checked if pinned else Qt.CheckState.Unchecked)
        here.setFlags(flags)
        here.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        for column, item in enumerate((swatch, title, pin, here)):
            self.setItem(row, column, item)

    def _on_changed(self, item: QTableWidgetItem) -> None:
        row, column = item.row(), item.column()
        if row >= len(self.session.endmembers):
            return
        if column == _PIN:
            self.session.pin(row, item.checkState() == Qt.CheckState.Checked)
        elif column == _NAME:
            try:
                self.session.rename(row, item.text())
            except UnmixError as error:
                self.refresh()
                show_error(str(error))

    def _on_double_clicked(self, row: int, column: int) -> None:
        if column == _COLOUR and row < len(self.session.endmembers):
            self.pick_colour(row)
