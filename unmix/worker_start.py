"""What the worker processes of this machine begin with: imported once, in the process that they are copied from.

Importing it imports all that items and blocks need and loads the compiled kernels, which takes seconds: every worker
that is forked afterwards has both. Nothing here may start a thread, because a fork does not take threads along. Ctrl-C
reaches every process of a terminal: it is ignored from the first line on, because only the process that the user
started answers it, and ends the workers.
"""

from __future__ import annotations

import gc
import signal

signal.signal(signal.SIGINT, signal.SIG_IGN)

import warnings  # noqa: E402

import dask.array  # noqa: E402, F401
import numpy as np  # noqa: E402

from .batch.work import do_item  # noqa: E402, F401
from .pipeline import unmix  # noqa: E402


def load_kernels() -> None:
    """Unmix a small scene in this thread, so that the kernels of the scene fit and the maps are loaded."""
    rng = np.random.default_rng(0)
    cube = rng.dirichlet([0.3] * 3, (24, 24)) @ rng.random((3, 8)) + rng.normal(0, 0.002, (24, 24, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        unmix(cube.astype(np.float32), 3, quantity="reflectance", threads=1)


load_kernels()
gc.freeze()  # searches for garbage look past what is there already, and its memory stays shared after the fork
