"""One run at a time in a viewer: started, watched, painted while it goes on, shown when it is done, cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from qtpy import QtCore
from qtpy.QtCore import QObject, QTimer

from .activity import Activity
from .failure import Failure, answered
from .finished import Finished
from .garbage import ShortSearches, put_off_whole_searches
from .pacing import Paced
from .request import Request
from .run import Refused, Run
from .session import session_of
from .settings import default_colours
from .show import layers_of_run, repainting, showing
from .sources import identity_of, is_source
from .step import Step

_POLL_MS = 50
_SOON_OVER_S, _TELL_S = 1.0, 0.3
_REST = 2.0
"""How many times as long as a painting took the maps are left alone after it: the run needs the processor, too."""


class Runner(QObject):
    """The runs of one panel.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where the maps are shown.
    parent : QObject
        When it goes, what runs is cancelled.
    """

    changed: Any = QtCore.Signal()  # type: ignore[attr-defined, unused-ignore]
    """A run began, ended, or is shown."""
    progressed: Any = QtCore.Signal(str, int, int)  # type: ignore[attr-defined, unused-ignore]
    """How far it is: stage, steps done, steps in all."""
    shown: Any = QtCore.Signal(object)  # type: ignore[attr-defined, unused-ignore]
    """The layers of a `Finished` are in the viewer."""
    refused: Any = QtCore.Signal(str)  # type: ignore[attr-defined, unused-ignore]
    """Why the pipeline would not run, in one sentence."""

    def __init__(self, viewer: Any, parent: QObject) -> None:
        super().__init__(parent)
        self.viewer = viewer
        self.runs: list[Run] = []
        self._active: Run | None = None
        self._activity: Activity | None = None
        self._painted, self._paint_due, self._began, self._told = -1, 0.0, 0.0, 0.0
        self._steps = Paced(self)
        self._poll = QTimer(self)
        self._poll.setInterval(_POLL_MS)
        self._poll.timeout.connect(self._look)
        self._searches = ShortSearches(parent)
        self.changed.connect(self._keep_searches_short)
        runs = self.runs

        def farewell() -> None:
            put_off_whole_searches(False)
            for run in runs:
                run.cancel()

        parent.destroyed.connect(farewell)

    @property
    def active(self) -> Run | None:
        """The run under way, None where there is none."""
        return self._active

    @property
    def busy(self) -> bool:
        """Whether a run is under way, or layers are still being put in place."""
        return self._active is not None or self._steps.busy

    def prepare(self, steps: Iterator[Step], done: Callable[[], None]) -> None:
        """Take the steps a run waits for, one at a turn of the event loop, then call `done`."""
        self._steps.start(steps, done)
        self.changed.emit()

    def start(self, request: Request) -> None:
        """Run a request in a worker.

        Raises
        ------
        OptionError
            The colours in Preferences are none.
        """
        colours = {**default_colours(), **session_of(self.viewer).colours_for(request.source.identity)}
        run = Run(request, self._take_answer, self._take_end, colours)
        self.runs.append(run)
        self._active, self._painted, self._began = run, -1, time.monotonic()
        self._paint_due = self._told = 0.0
        self._poll.start()
        self.changed.emit()
        run.start()

    def cancel(self) -> None:
        """Let go of the run at once and take its maps away; its thread ends when the pipeline next reports."""
        run = self._active
        if run is None:
            return
        run.cancel()
        self._put_back(run)
        self._let_go()

    def show(self, finished: Finished) -> None:
        """Show a run's layers, one at a turn of the event loop."""
        layers = showing(self.viewer, finished.layers, self._source(finished.source_id))
        taken = session_of(self.viewer).taking(finished)
        self._steps.start(chain(layers, taken), lambda: self._take_shown(finished))
        self.changed.emit()

    def _keep_searches_short(self) -> None:
        self._searches.want(self.busy)
        put_off_whole_searches(self.busy)

    # while it goes on

    def _look(self) -> None:
        """Look at how far the run is, and paint what is new."""
        run = self._active
        if run is None:
            return
        if self._activity is not None and self._activity.cancelled:
            self.cancel()
            return
        now = time.monotonic()
        if run.total and now > self._told + _TELL_S:
            self._told = now
            self._tell(run)
        if run.growing and not self._steps.busy and now > self._paint_due:
            self._paint(run)

    def _tell(self, run: Run) -> None:
        """Say how far the run is, now and then: the whole window is composed anew for every change of a bar.

        A run is told of in the activity dock where it takes long enough to be looked for there; napari runs the whole
        event loop while it makes a line of it, so that nothing else should be waiting then.
        """
        self.progressed.emit(run.stage, run.done, run.total)
        if self._activity is not None:
            self._activity.show(run.stage, run.done, run.total)
        elif time.monotonic() > self._began + _SOON_OVER_S and not self._steps.busy:
            self._activity = Activity(f"Unmixing {run.request.source.name}")

    def _paint(self, run: Run) -> None:
        """Show the maps as far as they are, a layer at a turn of the event loop."""
        n_blocks, first = run.n_blocks, self._painted < 0
        if n_blocks == self._painted:
            return
        self._painted, began = n_blocks, time.monotonic()
        source = self._source(run.request.source.identity)
        layers = showing(self.viewer, run.growing, source) if first else repainting(self.viewer, run.growing)
        self._steps.start(layers, lambda: self._rest(began))

    def _rest(self, began: float) -> None:
        now = time.monotonic()
        self._paint_due = now + _REST * (now - began)

    def _put_back(self, run: Run) -> None:
        """Show what was shown before a run that came to nothing."""
        if self._painted < 0:
            return
        session, source_id = session_of(self.viewer), run.request.source.identity
        before = [one for one in (*session.runs, session.current) if one is not None and one.source_id == source_id]
        steps = showing(self.viewer, before[-1].layers) if before else self._taking_away(run)
        self._steps.start(steps, self.changed.emit)

    def _taking_away(self, run: Run) -> Iterator[Step]:
        source = self._source(run.request.source.identity)
        if source is not None:
            source.visible = True
        for layer in layers_of_run(self.viewer, run.growing):
            if layer in self.viewer.layers:
                self.viewer.layers.remove(layer)
                yield Step.HOLD

    def _source(self, identity: str) -> Any:
        return next((one for one in self.viewer.layers if is_source(one) and identity_of(one) == identity), None)

    # when it is done

    def _take_answer(self, answer: Finished | Refused | Failure) -> None:
        """Show what a run returned, unless it was let go meanwhile."""
        run = self._active
        if run is None or answer.run_id != run.run_id:
            return
        if not isinstance(answer, Finished):
            self._put_back(run)
        self._let_go()
        if isinstance(answer, Refused):
            self.refused.emit(answer.reason)
        else:
            self.show(answered(answer))

    def _take_shown(self, finished: Finished) -> None:
        self.shown.emit(finished)
        self.changed.emit()

    def _take_end(self) -> None:
        """Forget the threads that have ended."""
        self.runs[:] = [run for run in self.runs if not run.over]

    def _let_go(self) -> None:
        """Be ready for the next run."""
        self._active = None
        self._poll.stop()
        if self._activity is not None:
            self._activity.close()
            self._activity = None
        self.changed.emit()
