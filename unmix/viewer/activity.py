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

    Its bar only says that something goes on: napari runs the whole event loop inside every change of a bar's value, so
    that whatever else is waiting would be done in the middle of ours. How far the run is stands beside it.

    Parameters
    ----------
    title : str
        What is going on.
    """

    def __init__(self, title: str) -> None:
        from napari.utils.progress import cancelable_progress

        self._bar: Any = cancelable_progress(total=0, desc=title)
        self.said = ""
        """What stands beside the bar."""

    @property
    def cancelled(self) -> bool:
        """Whether somebody pressed cancel in the activity dock."""
        return bool(self._bar.is_canceled)

    def cancel(self) -> None:
        """Do what the button in the dock does."""
        self._bar.cancel()

    def show(self, stage: str, done: int, total: int) -> None:
        """Show how far the run is."""
        self.said = f"{stage_title(stage)}, {100 * done // max(total, 1)} %"
        self._bar.events.eta(value=self.said)

    def close(self) -> None:
        """Take the line away."""
        self._bar.close()
