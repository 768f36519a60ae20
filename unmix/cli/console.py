"""What the terminal shows: progress, notes, tables, and an error as one line."""

from __future__ import annotations

import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from ..errors import UnmixError, UnmixWarning

STAGES = {
    "sample": "Looking at a sample of the pixels",
    "lift": "Finding the endmembers",
    "fit": "Finding the endmembers",
    "abundances": "Mapping the abundances",
}


@contextmanager
def reported(subject: str, debug: bool) -> Iterator[None]:
    """Turn what goes wrong into one line on standard error and an exit code; show warnings as notes."""
    shown = warnings.showwarning
    warnings.showwarning = _note
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UnmixWarning)
            warnings.showwarning = _note
            yield
    except UnmixError as error:
        if debug:
            traceback.print_exc()
        text = " ".join(str(error).split())
        click.echo(f"unmix: {text}" if subject in text else f"unmix: {subject}: {text}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        click.echo("unmix: interrupted; nothing half-written was left behind.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    finally:
        warnings.showwarning = shown


def _note(message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    if issubclass(category, UnmixWarning):
        click.echo(f"note: {message}", err=True)


@contextmanager
def progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    """Give a progress callback: a bar on a terminal, one plain line a stage elsewhere."""
    if not sys.stderr.isatty():
        yield _plain_progress()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description:<36}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(STAGES.get(stage, stage), total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield report


def _plain_progress() -> Callable[[str, int, int], None]:
    seen: set[str] = set()
    lock = threading.Lock()

    def report(stage: str, done: int, total: int) -> None:
        text = STAGES.get(stage, stage)
        with lock:
            if text not in seen:
                seen.add(text)
                click.echo(f"{text} ...", err=True)

    return report


def print_table(title: str, headings: list[str], rows: list[list[str]], numeric: int = 1) -> None:
    """Print a table; the first `numeric` columns are text, the others numbers aligned to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    look = SIMPLE_HEAD if any(headings) else None
    table = Table(
        title=title, title_justify="left", title_style="bold", box=look, show_header=any(headings), pad_edge=False
    )
    for k, heading in enumerate(headings):
        table.add_column(heading, justify="left" if k < numeric else "right", overflow="fold")
    for row in rows:
        table.add_row(*row)
    width = None if sys.stdout.isatty() else 120
    Console(width=width, highlight=False).print(table)
