"""Python's turns kept short while a worker works.

One thread runs Python at a time, and hands over when another has waited for five thousandths of a second. The window's
thread waits at each of Qt's calls into Python, of which a dock that is laid out has dozens.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SHORT_S = 0.0005
_LOCK = threading.Lock()
_USUAL: list[float] = []
"""How long turns are otherwise, once for each that wants them short."""


@contextmanager
def short_turns() -> Iterator[None]:
    """Return a context in which threads take short turns; the last of several that overlap sets what was before."""
    with _LOCK:
        _USUAL.append(_USUAL[0] if _USUAL else sys.getswitchinterval())
        sys.setswitchinterval(_SHORT_S)
    try:
        yield
    finally:
        with _LOCK:
            usual = _USUAL.pop()
            if not _USUAL:
                sys.setswitchinterval(usual)
