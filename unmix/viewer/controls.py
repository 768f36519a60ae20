"""The controls the docks are made of, each with its tooltip."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QComboBox,
    QFrame,
    QLabel,
    QMenu,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .knobs import ignore_wheel


def combo(tip: str, least: int = 12) -> QComboBox:
    """Return a list to choose from that does not grow with its longest entry."""
    box = QComboBox()
    box.setToolTip(f"<qt>{tip}</qt>")
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(least)
    ignore_wheel(box)
    return box


def count(tip: str, low: int, high: int) -> QSpinBox:
    """Return a whole number to set."""
    box = QSpinBox()
    box.setRange(low, high)
    box.setToolTip(f"<qt>{tip}</qt>")
    ignore_wheel(box)
    return box


def button(text: str, tip: str, pressed: Callable[..., Any] | None = None) -> QPushButton:
    """Return a button."""
    made = QPushButton(text)
    made.setToolTip(f"<qt>{tip}</qt>")
    if pressed is not None:
        made.clicked.connect(pressed)
    return made


def menu_button(text: str, tip: str, entries: list[tuple[str, str, Callable[..., Any]]]) -> QPushButton:
    """Return a button that opens a menu of (text, tooltip, what to call)."""
    made = button(text, tip)
    made.setStyleSheet("QPushButton { padding-right: 14px; }")
    menu = QMenu(made)
    menu.setToolTipsVisible(True)
    for title, about, chosen in entries:
        action: Any = menu.addAction(title)
        action.setToolTip(about)
        action.triggered.connect(chosen)
    made.setMenu(menu)
    return made


def note(tip: str) -> QLabel:
    """Return a text that wraps and can be copied."""
    label = QLabel()
    label.setWordWrap(True)
    label.setToolTip(f"<qt>{tip}</qt>")
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def folded(title: str, tip: str, content: QWidget) -> QToolButton:
    """Return the button that unfolds `content`, which begins folded."""
    toggle = QToolButton()
    toggle.setText(title)
    toggle.setToolTip(tip)
    toggle.setCheckable(True)
    toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    toggle.setArrowType(Qt.ArrowType.RightArrow)
    content.setVisible(False)
    toggle.toggled.connect(content.setVisible)
    toggle.toggled.connect(
        lambda open_: toggle.setArrowType(Qt.ArrowType.DownArrow if open_ else Qt.ArrowType.RightArrow)
    )
    return toggle


def scrolled(content: QWidget, around: QWidget) -> None:
    """Fill `around` with `content`, which scrolls up and down where it is too tall."""
    scroll = QScrollArea()
    scroll.setWidgetResizable(True)
    scroll.setFrameShape(QFrame.Shape.NoFrame)
    scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    scroll.setWidget(content)
    outer = QVBoxLayout(around)
    outer.setContentsMargins(0, 0, 0, 0)
    outer.addWidget(scroll)
