"""What takes long the first time, done in a worker as soon as a panel is open: imports, kernels, label colours."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np
import xarray as xr
from qtpy.QtCore import QObject

from ..pipeline import separate_stains, unmix
from ..rank import estimate_rank
from .layers import Shown, result_layers
from .loading import load, load_what_shows_images
from .own_thread import give_way, in_own_thread
from .show import warm_up
from .workers import worker_for

_BEGUN: list[bool] = []
_WAIT_S = 0.05


def warm(owner: QObject, busy: Callable[[], bool]) -> None:
    """Begin to warm up, once a process; it stops at the next step when `owner` goes.

    Parameters
    ----------
    owner : QObject
        For whom.
    busy : callable
        Says whether the user waits for a run; the next step then waits, too. Called in the worker.
    """
    if _BEGUN:
        return
    _BEGUN.append(True)
    worker: Any = worker_for(_steps, busy)
    owner.destroyed.connect(worker.quit)
    worker.start()


def _steps(busy: Callable[[], bool]) -> Iterator[None]:
    """Load what draws labels and curves, then do a small run of every kind, one at a step."""
    with suppress(RuntimeError):  # a program that ends begins no more threads; what is wrong else, a real run will say
        for load_these in (_load_drawing, *_further_modules()):
            in_own_thread(load_these)
            yield
        for run in _runs():
            while busy():
                time.sleep(_WAIT_S)
                yield
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                in_own_thread(partial(_behind_window, run))
            yield


def _behind_window(run: Callable[[], object]) -> None:
    """Do a run as those of users are done: the threads that help are begun by the first, and stay."""
    give_way()
    run()


def _further_modules() -> list[Callable[[], object]]:
    """Return what loads the other docks and what opens files, each by itself: a program may end in between."""
    ours = [partial(load, module) for module in ("spectra_dock", "explore_dock", "opening")]
    return [*ours, partial(import_module, "h5py")]


def _load_drawing() -> None:
    """Load and compute what napari and vispy keep from the first layer of labels on."""
    from napari.utils.colormaps import label_colormap

    label_colormap(2)
    load_what_shows_images()
    with suppress(ImportError):  # a part of vispy that may move; then the window computes it itself
        import_module("vispy.visuals.line.dash_atlas").DashAtlas()


def _runs() -> list[Callable[[], object]]:
    """Return runs that go through the same kernels and schedulers as those of users, and take no time themselves."""
    import dask.array as da

    rng = np.random.default_rng(0)
    E, A = rng.random((3, 12)), rng.dirichlet(np.full(3, 0.3), (64, 64))
    scene = (A @ E + rng.normal(scale=0.01, size=(64, 64, 12))).astype(np.float32)
    stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
    slide = np.rint(255 * np.exp(-rng.gamma(1.0, 0.4, (64, 64, 2)) @ stains)).astype(np.uint8)
    stack = rng.poisson(100 * A @ E).astype(np.uint16)
    return [
        lambda: _shown(unmix(da.from_array(scene, chunks=(32, 64, 12)), 3, quantity="reflectance")),
        lambda: _shown(separate_stains(slide)),
        lambda: _shown(unmix(stack, 3, quantity="counts")),
        lambda: estimate_rank(scene, restarts=0, quantity="reflectance"),
    ]


def _shown(result: xr.Dataset) -> None:
    warm_up(result_layers(result, Shown("small")))
