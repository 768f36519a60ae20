"""The blocks of one image, by threads here or on the workers of a cluster: the same answer either way.

What is done to a block is a small callable that can be sent by its name. On a cluster each task carries the file, the
window and that callable; the worker reads the window, writes what comes of it as a part of its own beside the output,
and returns only a few numbers; the part is taken up here and removed.
"""

from __future__ import annotations

import os
import secrets
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import xarray as xr

from .blocks import Block, Progress, WindowReader, map_blocks, window_reader
from .engines import Cluster, current_cluster
from .errors import UnmixWarning, WorkerError, WriteError
from .nmf.threads import one_blas_thread
from .scratch import scratch_folder

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
            warnings.warn(text, UnmixWarning, stacklevel=3)

        def both(values: np.ndarray, valid: np.ndarray, block: Block) -> T:
            array, small = work(values, valid, block)
            keep(array, block)
            return small

        return map_blocks(both, image, blocks=blocks, stage=stage, threads=threads, progress=progress)
    sent = [reader for reader in readers if reader is not None]
    return _on_workers(cluster, work, keep, sent, stage, progress)


@dataclass(frozen=True)
class _Part:
    """One block to be worked on elsewhere, and the folder its array is written to."""

    reader: WindowReader
    work: BlockWork[Any]
    folder: Path


def _on_workers(
    cluster: Cluster,
    work: BlockWork[T],
    keep: Callable[[np.ndarray, Block], None],
    readers: list[WindowReader],
    stage: str,
    progress: Progress | None,
) -> list[T]:
    answers: dict[int, T] = {}
    if progress is not None:
        progress(stage, 0, len(readers))
    with tempfile.TemporaryDirectory(prefix=".unmix-parts-", dir=scratch_folder(), ignore_cleanup_errors=True) as name:
        tasks = [_Part(reader, work, Path(name)) for reader in readers]
        for done in cluster.run(_write_part, tasks, ahead=_AHEAD):
            block = readers[done.index].block
            if isinstance(done.error, WorkerError):
                raise WorkerError(f"rows {block.rows.start} to {block.rows.stop}: {done.error}")
            if done.error is not None:
                raise done.error
            part, answers[done.index] = done.value
            keep(_taken_up(Path(part)), block)
            if progress is not None:
                progress(stage, len(answers), len(readers))
    return [answers[k] for k in range(len(readers))]


def _write_part(task: _Part) -> tuple[str, Any]:
    """Work on one block and write its array under a name of its own; runs on a worker, perhaps more than once."""
    with one_blas_thread():
        values, valid = task.reader.read()
        array, small = task.work(values, valid, task.reader.block)
    part = task.folder / f"{secrets.token_hex(8)}.npy"
    try:
        np.save(part, array, allow_pickle=False)
    except OSError as error:
        raise WriteError(f"a worker cannot write to {task.folder}: {error.strerror or error}.") from error
    return os.fspath(part), small


def _taken_up(part: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(part, allow_pickle=False)
        part.unlink()
    except FileNotFoundError as error:
        raise WriteError(
            f"what a worker wrote in {part.parent} is not seen here. Give an output folder on a disk all workers share."
        ) from error
    return array
