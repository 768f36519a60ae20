"""The run in napari's activity dock: how far it is, and a second place to cancel it."""

from __future__ import annotations

from typing import Any

STAGES = {
    "sample": "looking at a sample",
    "lift": "finding the endmembers",
    "fit": "finding the endmembers",
    "abundances": "mapping the abundances",
}
"""What the stages of the pipeline are called on the screen."""


def stage_title(stage: str) -> str:
    """Return what a stage is called on the screen."""
    return STAGES.get(stage, stage)


class Activity:
    """One line of the activity dock; nothing but a picture of the run.

    Parameters
    ----------
    title : str
        What is going on.
    """

    def __init__(self, title: str) -> None:
        from napari.utils.progress import cancelable_progress

        self._title = title
        self._bar: Any = cancelable_progress(total=0, desc=title)

    @property
    def cancelled(self) -> bool:
        """Whether somebody pressed cancel in the activity dock."""
        return bool(self._bar.is_canceled)

    def show(self, stage: str, done: int, total: int) -> None:
        """Show how far the run is."""
        title = f"{self._title}: {stage_title(stage)}"
        if title != self._bar.desc.removesuffix(": "):
            self._bar.set_description(title)
        if self._bar.total != total:
            self._bar.total = total
            self._bar.n = 0
            self._bar.events.value(value=0)
        if done > self._bar.n:
            self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """Take the line away."""
        self._bar.close()
