"""What napari's menu docks: light, and filled once a worker has loaded what is to be in it; the window goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from .garbage import ShortSearches
from .latest import Latest
from .loading import hand_over_units, is_loaded, load
from .pacing import Paced, after
from .settings import read_settings
from .step import Step

if TYPE_CHECKING:
    import napari.viewer

_MINIMUM_WIDTH = 350


class Entrance(QWidget):
    """A place in a window, empty for as long as it takes to load what is to be in it.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer it is docked in.
    """

    module: ClassVar[str]
    """File of this folder that has what is to be in it."""

    holds: ClassVar[str]
    """Class of that."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        super().__init__()
        self._viewer, self._content = napari_viewer, None
        self._loading, self._steps = Latest(self), Paced(self)
        self._searches = ShortSearches(self)
        self._waiting = QLabel("Loading …")
        self._waiting.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.addWidget(self._waiting)
        self.setMinimumWidth(_MINIMUM_WIDTH)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        after(self, 0, self._load).start()
        self._removed = after(self, 0, self._leave)

    @property
    def filled(self) -> bool:
        """Whether what is to be in it is there."""
        return self._content is not None and not self._waiting.isVisibleTo(self)

    @property
    def content(self) -> Any:
        """What is in it; a program that asks for it before it is there has it loaded at once."""
        self._make()
        self._put_in()
        return self._content

    def changeEvent(self, event: Any) -> None:  # noqa: N802 (Qt's name)
        """Go once it is taken out of its dock: napari lets go of a widget, and Python may find it at any time."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.ParentChange and self.parent() is None:
            self._removed.start()

    def _leave(self) -> None:
        if self.parent() is None:
            self.deleteLater()

    def _make(self) -> None:
        if self._content is None:
            module = load(self.module)
            hand_over_units()
            self._content = getattr(module, self.holds)(self._viewer, self)

    def _put_in(self) -> None:
        if not self.filled:
            self._waiting.hide()
            self._column.addWidget(self._content)

    def _load(self) -> None:
        if self._content is not None:
            return
        self._searches.want(True)
        if is_loaded(self.module):
            self._fill()
        else:
            self._loading.ask(lambda: load(self.module), self._fill)

    def _fill(self, *_: Any) -> None:
        self._steps.start(self._filling(), lambda: self._searches.want(False))

    def _filling(self) -> Iterator[Step]:
        """Fill it in turns, each of which takes a good part of the time that a window may stand still."""
        read_settings()
        yield Step.GO_ON
        self._make()
        yield Step.GO_ON
        self._put_in()
        yield Step.DRAW


class PanelEntrance(Entrance):
    """The place of the panel."""

    module, holds = "panel", "UnmixPanel"


class SpectraEntrance(Entrance):
    """The place of the spectra."""

    module, holds = "spectra_dock", "SpectraDock"


class ExploreEntrance(Entrance):
    """The place of what explores."""

    module, holds = "explore_dock", "ExploreDock"
