"""An error nobody foresaw, carried from a worker to the window's thread as an answer and raised there.

Where a worker itself raises, napari says so in slots that PySide6 calls with more arguments than they take, and says
so twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .own_thread import Once


@dataclass(frozen=True)
class Failure:
    """What a worker raised, and in which run where it was one."""

    error: Exception
    run_id: str = ""


def caught(work: Callable[[], Any]) -> Callable[[], Any]:
    """Return what does the same `work`, once and in a thread of its own, and returns a `Failure` where it raises."""
    once = Once(work)

    def call() -> Any:
        try:
            return once()
        except Exception as error:  # whatever it is, it is raised again where the answer is taken
            return Failure(error)

    return call


def answered(answer: Any) -> Any:
    """Return the answer of a worker; raise what the worker raised."""
    if isinstance(answer, Failure):
        raise answer.error
    return answer
