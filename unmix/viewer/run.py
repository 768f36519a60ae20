"""A run of the pipeline in napari's worker thread, that can be watched and stopped."""

from __future__ import annotations

import threading
import uuid
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import xarray as xr

from ..errors import Cancelled, UnmixError, UnmixWarning
from .failure import Failure
from .finished import Finished
from .layers import Shown, growing_layers, result_layers
from .metadata import LayerData
from .overview import Overview
from .own_thread import Once, give_way
from .recipe import recipe_of
from .request import Request
from .show import warm_up
from .workers import worker_for


@dataclass(frozen=True)
class Refused:
    """Why the pipeline would not run, in one sentence."""

    run_id: str
    reason: str


class Run:
    """One request on its way through the pipeline.

    Parameters
    ----------
    request : Request
        What to do.
    returned : callable
        Called in the main thread with `Finished`, `Refused` or `Failure`; not called after `cancel`.
    ended : callable
        Called in the main thread when the worker has ended, whatever happened.
    colours : mapping, optional
        Colours the user chose, by the name of the endmember.
    """

    def __init__(
        self,
        request: Request,
        returned: Callable[[Finished | Refused | Failure], None],
        ended: Callable[[], None],
        colours: Mapping[str, Any] | None = None,
    ) -> None:
        self.request = request
        self.run_id = uuid.uuid4().hex[:12]
        self.stage, self.done, self.total = "", 0, 0
        self.over = False
        self.growing: list[LayerData] = []
        """The maps as they fill, once the first window of them is finished."""
        self.n_blocks = 0
        """How many windows of the maps are finished."""
        self._colours = dict(colours or {})
        self._overview: Overview | None = None
        self._lock = threading.Lock()
        self._worker: Any = worker_for(Once(self))
        self._worker.returned.connect(returned)
        self._worker.finished.connect(ended)

    def __str__(self) -> str:
        return f"unmixing of {self.request.source.name}"

    def start(self) -> None:
        """Start the worker."""
        self._worker.start()

    def cancel(self) -> None:
        """Ask the pipeline to stop; it does so when it next reports progress, and nothing is returned."""
        self._worker.quit()

    @property
    def cancelled(self) -> bool:
        return bool(self._worker.abort_requested)

    def _progress(self, stage: str, done: int, total: int) -> None:
        """Take the pipeline's report; called from its threads, so it only notes it down for the panel to look at."""
        if self.cancelled:
            raise Cancelled("the run was cancelled.")
        self.stage, self.done, self.total = stage, done, total

    def _on_block(self, result: xr.Dataset, rows: slice, columns: slice) -> None:
        """Take a finished window of the maps; called by the pipeline's threads, so it too only notes it down."""
        if self.cancelled:
            raise Cancelled("the run was cancelled.")
        if rows.stop == 0:
            self._overview = None if result["abundances"].chunks is None else Overview(result)
            return
        if self._overview is not None:
            self._overview.take(result, rows, columns)
        with self._lock:
            self.n_blocks += 1
            if not self.growing:
                placement = self.request.source.placement
                self.growing = growing_layers(result, (rows, columns), self._shown(), placement, self._overview)

    def _shown(self) -> Shown:
        source = self.request.source
        return Shown(source.name, source.identity, self.run_id, self.request.params(), self._colours)

    def __call__(self) -> Finished | Refused | Failure | None:
        """Do the work, and say how it ended; in a thread of its own, as the worker's would stay behind the window."""
        give_way()
        try:
            return self._finish()
        except Cancelled:
            return None
        except UnmixError as error:
            return Refused(self.run_id, str(error))
        except Exception as error:  # whatever it is, it is raised again in the window's thread
            return Failure(error, self.run_id)
        finally:
            self.over = True

    def _finish(self) -> Finished:
        """Run the pipeline and prepare the layers that show what came out."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            result = self.request.run(self._progress, self._on_block)
            recipe = recipe_of(self.request)
        source = self.request.source
        layers = result_layers(result, self._shown(), source.placement, self._overview)
        warm_up(layers)
        notes = dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, UnmixWarning))
        return Finished(source.identity, source.name, self.run_id, recipe, result, layers, tuple(notes))
