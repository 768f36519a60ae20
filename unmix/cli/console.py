"""What the terminal shows: progress, notes, tables, and an error as one line."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import click

from ..errors import UnmixError, UnmixWarning
from .wording import in_flags

STAGES = {
    "sample": "Looking at a sample of the pixels",
    "lift": "Finding the endmembers",
    "fit": "Finding the endmembers",
    "abundances": "Mapping the abundances",
}


@contextmanager
def reported(subject: str, debug: bool, code: int = 1) -> Iterator[None]:
    """Turn what goes wrong into one line on standard error and an exit code; show warnings as notes."""
    try:
        with warnings.catch_warnings(), _noticed_interrupts():
            warnings.simplefilter("always", UnmixWarning)
            warnings.showwarning = partial(_note, subject, set())
            yield
            stop_if_interrupted()
    except UnmixError as error:
        if debug:
            traceback.print_exc()
        text = in_flags(" ".join(str(error).split()), subject)
        click.echo(f"unmix: {text}" if subject in text else f"unmix: {subject}: {text}", err=True)
        sys.exit(code)
    except KeyboardInterrupt:
        click.echo("unmix: interrupted; nothing half-written was left behind.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        _let_go_of_output()
        sys.exit(0)
    except (OSError, MemoryError) as error:
        if debug:
            traceback.print_exc()
        reason = getattr(error, "strerror", None) or str(error) or "not enough memory"
        click.echo(f"unmix: {subject}: {' '.join(reason.split())}. --debug shows where.", err=True)
        _let_go_of_output()
        sys.exit(code)


def _let_go_of_output() -> None:
    """Send what is left of standard output, if it cannot be written, where it does not fail again as Python ends."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


_interrupted = threading.Event()


@contextmanager
def _noticed_interrupts() -> Iterator[None]:
    """Remember Ctrl-C: a compiler in the middle of its work can swallow the exception, the note stays."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        _interrupted.set()
        signal.default_int_handler(number, frame)

    _interrupted.clear()
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def stop_if_interrupted() -> None:
    """Raise `KeyboardInterrupt` if Ctrl-C was pressed since the command began."""
    if _interrupted.is_set():
        raise KeyboardInterrupt


def _note(subject: str, said: set[str], message: Any, category: type[Warning], *_: Any, **__: Any) -> None:
    """Say a warning once, however many steps come upon it."""
    text = in_flags(str(message), subject)
    if issubclass(category, UnmixWarning) and text not in said:
        said.add(text)
        click.echo(f"note: {text}", err=True)


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
            stop_if_interrupted()
            if stage not in tasks:
                tasks[stage] = bar.add_task(STAGES.get(stage, stage), total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield report


def _plain_progress() -> Callable[[str, int, int], None]:
    seen: set[str] = set()
    lock = threading.Lock()

    def report(stage: str, done: int, total: int) -> None:
        stop_if_interrupted()
        text = STAGES.get(stage, stage)
        with lock:
            if text not in seen:
                seen.add(text)
                click.echo(f"{text} ...", err=True)

    return report


def print_table(title: str, headings: list[str], rows: list[list[str]], numeric: int = 1) -> None:
    """Print a table; the first `numeric` columns are text, the others numbers aligned to the right."""
    if sys.stdout is None:  # closed by the caller: nobody reads it
        return
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
