"""Labels that are shown before they have a place in the window, kept from coming up as windows of their own."""

from __future__ import annotations

from typing import Any

from qtpy.QtCore import QCoreApplication, QEvent, QObject, Qt
from qtpy.QtWidgets import QApplication, QLabel

_UNSEEN = Qt.WidgetAttribute.WA_DontShowOnScreen


class PlacelessUnseen(QObject):
    """A context in which a label that is shown without a place is not seen until it has one.

    napari shows a label of the controls of a layer with levels before it puts it in its place. For a moment that is a
    window in the corner of the screen, for which the window below is drawn anew, twice.
    """

    def __enter__(self) -> PlacelessUnseen:
        self._listen(True)
        return self

    def __exit__(self, *_: Any) -> None:
        self._listen(False)

    def eventFilter(self, watched: Any, event: Any) -> bool:  # noqa: N802 (Qt's name)
        """Keep a label from the screen right before Qt would bring it there, until it is put into something."""
        if event.type() == QEvent.Type.Show and isinstance(watched, QLabel) and watched.parent() is None:
            watched.setAttribute(_UNSEEN)
        elif event.type() == QEvent.Type.ParentChange and isinstance(watched, QLabel):
            self._give_place(watched)
        return False

    def _give_place(self, label: QLabel) -> None:
        """Let a label that was kept from the screen be seen in its place; what was to be drawn was that of a window."""
        if label.testAttribute(_UNSEEN):
            label.setAttribute(_UNSEEN, False)
            QCoreApplication.removePostedEvents(label, QEvent.Type.UpdateRequest)

    def _listen(self, wanted: bool) -> None:
        application = QApplication.instance()
        if application is not None and wanted:
            application.installEventFilter(self)
        elif application is not None:
            application.removeEventFilter(self)
