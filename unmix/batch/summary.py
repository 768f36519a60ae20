"""What a batch tells while it runs and when it has ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Failure:
    """An item that could not be done, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class Summary:
    """What became of the items of a batch.

    Parameters
    ----------
    n_done, n_skipped : int
        Items done now; items an earlier run had done.
    failures : tuple of Failure
        Items that could not be done.
    n_left : int
        Items not come to, because the batch was stopped.
    """

    n_done: int = 0
    n_skipped: int = 0
    failures: tuple[Failure, ...] = ()
    n_left: int = 0

    def with_failure(self, failure: Failure) -> Summary:
        """Return it with one more failure."""
        return replace(self, failures=(*self.failures, failure), n_left=self.n_left - 1)

    def with_success(self) -> Summary:
        """Return it with one more item done."""
        return replace(self, n_done=self.n_done + 1, n_left=self.n_left - 1)

    @property
    def nothing_worked(self) -> bool:
        """Return whether not one item is done, now or before."""
        return self.n_done == 0 and self.n_skipped == 0 and (self.n_left == 0 or bool(self.failures))


class Interrupted(KeyboardInterrupt):
    """A signal ended the batch; everything finished until then is kept, and the next run goes on from there.

    Attributes
    ----------
    summary : Summary
        What was done.
    signal : int
        Which signal it was.
    """

    def __init__(self, summary: Summary, signal: int) -> None:
        super().__init__(f"the batch was stopped by signal {signal}; run it again to go on.")
        self.summary = summary
        self.signal = signal


@dataclass(frozen=True)
class Event:
    """Something that happened to an item: it was ``"started"``, ``"done"`` or ``"failed"``, or a ``"stage"`` went on.

    ``bytes_done`` of ``bytes_to_do`` are those of the items that have ended, of all that are done in this run.
    """

    kind: str
    name: str
    text: str = ""
    ended: int = 0
    to_do: int = 0
    bytes_done: int = 0
    bytes_to_do: int = 0
    facts: dict[str, object] = field(default_factory=dict)


Watch = Callable[[Event], None]
