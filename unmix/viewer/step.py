"""What follows a step of work that is done a step at a turn of the event loop."""

from __future__ import annotations

from enum import Enum


class Step(Enum):
    """It is drawn, or held for the next one, or is but begun and must go on."""

    DRAW = "draw"
    HOLD = "hold"
    GO_ON = "go on"
