"""The blocks of one image, by threads here or on the workers of a cluster: the same answer either way.

What is done to a block is a small callable that can be sent by its name. On a cluster each task carries the file, the
window and that callable; the worker reads the window, writes what comes of it as a part of its own beside the output,
and returns only a few numbers; the part is taken up here and removed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np
import xarray as xr

from .blocks import Block, Progress, map_blocks, window_reader
from .engines import current_cluster
from .errors import warn
from .parts import work_in_parts

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
_AHEAD = 2


class BlockWork(Protocol[T_co]):
    """What is done to one block: ``work(values, valid, block)`` returns a large array and something small."""

    def __call__(self, values: np.ndarray, valid: np.ndarray, block: Block) -> tuple[np.ndarray, T_co]:
        """Work on one block."""


def spread_blocks(
    work: BlockWork[T],
    keep: Callable[[np.ndarray, Block], None],
    image: xr.DataArray,
    blocks: list[Block],
    *,
    stage: str,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[T]:
    """Work on every block and keep its array; return the small answers in order.

    Parameters
    ----------
    work : callable
        ``work(values, valid, block)`` returns an array and something small; picklable.
    keep : callable
        ``keep(array, block)`` puts an array where it belongs; called by several threads, or by this one.
    image : DataArray
        An image. One that is in memory is never sent: it is worked on here, and that is said.
    blocks : list of Block
        The blocks.
    stage, threads, progress
        As in `unmix.blocks.map_blocks`.

    Raises
    ------
    WorkerError
        A block's workers died again and again.
    """
    cluster = current_cluster()
    readers = None if cluster is None else [window_reader(image, block) for block in blocks]
    if cluster is None or readers is None or any(reader is None for reader in readers):
        if cluster is not None:
            text = "this image is not read from a file window by window, so workers cannot help: it is worked on here."
            warn(text)

        def both(values: np.ndarray, valid: np.ndarray, block: Block) -> T:
            array, small = work(values, valid, block)
            keep(array, block)
            return small

        return map_blocks(both, image, blocks=blocks, stage=stage, threads=threads, progress=progress)
    sent = [reader for reader in readers if reader is not None]
    return work_in_parts(cluster, work, keep, sent, stage, progress)
