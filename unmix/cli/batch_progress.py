"""How far a batch has come: a bar on a terminal, a plain line now and then elsewhere, failures as they happen."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from .wording import in_flags

_EVERY_SECONDS = 10.0
_LONGEST_NAME = 36


@contextmanager
def told_progress() -> Iterator[Callable[[Any], None]]:
    """Give a callback for the events of a batch; it writes to standard error only."""
    if not sys.stderr.isatty():
        yield _plain()
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.fields[count]}"), BarColumn(), DownloadColumn(), TimeElapsedColumn(), TextColumn("left"),
        TimeRemainingColumn(), TextColumn("{task.description}", markup=False),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None, count="")

        def show(event: Any) -> None:
            if event.kind == "failed":
                bar.console.print(_failure(event), markup=False, highlight=False)
            name = event.name if len(event.name) <= _LONGEST_NAME else "..." + event.name[3 - _LONGEST_NAME :]
            doing = f"{name} {event.text}" if event.kind == "stage" else name
            bar.update(
                task, description=doing, count=f"{event.ended}/{event.to_do}", completed=event.bytes_done,
                total=event.bytes_to_do or None,
            )  # fmt: skip

        yield show


def _plain() -> Callable[[Any], None]:
    start = told = time.monotonic()

    def show(event: Any) -> None:
        nonlocal told
        now = time.monotonic()
        if event.kind == "failed":
            click.echo(_failure(event), err=True)
        if event.kind not in ("done", "failed") or (now - told < _EVERY_SECONDS and event.ended < event.to_do):
            return
        told = now
        click.echo(f"{event.ended} of {event.to_do} items, {_amount(event)}{_left(event, now - start)}", err=True)

    return show


def _failure(event: Any) -> str:
    return f"failed: {event.name}: {in_flags(event.text, event.name)}"


def _amount(event: Any) -> str:
    unit, size = ("GB", 1e9) if event.bytes_to_do >= 1e9 else ("MB", 1e6)
    return f"{event.bytes_done / size:.1f} of {event.bytes_to_do / size:.1f} {unit}"


def _left(event: Any, seconds: float) -> str:
    """Say how long the rest will take, from the bytes done so far."""
    if not 0 < event.bytes_done < event.bytes_to_do:
        return ""
    rest = seconds * (event.bytes_to_do - event.bytes_done) / event.bytes_done
    if rest < 90:
        return f", about {rest:.0f} s left"
    return f", about {rest / 60:.0f} min left" if rest < 5400 else f", about {rest / 3600:.1f} h left"
