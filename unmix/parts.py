"""Arrays from the workers of a cluster: each writes a part of its own, which is taken up here and removed.

A task carries a file, a window and what is done to it, never pixels, and may be run twice.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from .engines import Cluster
from .errors import WorkerError, WriteError
from .nmf.threads import one_blas_thread
from .scratch import scratch_folder

T = TypeVar("T")
_AHEAD = 2


class Reader(Protocol):
    """What reads a part of one block of a file; small, because a task carries it."""

    @property
    def block(self) -> Any:
        """Return the block, with its rows."""

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return values and which of them are valid."""


@dataclass(frozen=True)
class _Part:
    """What is to be read and worked on elsewhere, and the folder its array is written to."""

    reader: Reader
    work: Callable[[np.ndarray, np.ndarray, Any], tuple[np.ndarray, Any]]
    folder: Path


def work_in_parts(
    cluster: Cluster,
    work: Callable[[np.ndarray, np.ndarray, Any], tuple[np.ndarray, T]],
    keep: Callable[[np.ndarray, Any], None],
    readers: Sequence[Reader],
    stage: str,
    progress: Callable[[str, int, int], None] | None,
) -> list[T]:
    """Call ``work(values, valid, block)`` on workers for what each reader reads; return the small answers in order.

    Parameters
    ----------
    cluster : Cluster
        Whose workers.
    work : callable
        Returns a large array and something small; importable by its name, or picklable.
    keep : callable
        ``keep(array, block)`` puts an array where it belongs; called here, in the order they come.
    readers : sequence of Reader
        What is read.
    stage, progress
        As in `unmix.blocks.map_blocks`.

    Raises
    ------
    WorkerError
        A block's workers died again and again.
    """
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
