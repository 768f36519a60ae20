"""Who does the work of a command: threads here, or the cluster the user asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def engine(workers: int | None, scheduler: str | None) -> Iterator[None]:
    """Work on the cluster that ``--workers`` or ``--scheduler`` asks for while the body runs, else here."""
    if workers is not None and scheduler is not None:
        raise click.UsageError("--workers and --scheduler contradict each other: give one of them.")
    if workers is None and scheduler is None:
        yield
        return
    from ..engines import on_cluster

    with on_cluster(workers, scheduler):
        yield
