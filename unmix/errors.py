"""What can go wrong, one class for each cause the caller can act on.

Every error that leaves a public function or a reader is an `UnmixError`. Each child is also the built-in
error that plain callers expect, so that nobody has to know this file to catch one.
"""

import sys
import warnings
from types import FrameType


class UnmixError(Exception):
    """Anything unmix refuses to do; the message is one line that names the value, the limit and the way out."""


class DataError(UnmixError, ValueError):
    """The numbers cannot be unmixed as they are: wrong shape, nothing valid, constant, negative where it may not be."""


class OptionError(UnmixError, ValueError):
    """An argument or option has a value that is not allowed."""


class ReadError(UnmixError, OSError):
    """A file is missing, damaged, dishonest about its size, or of a format unmix does not read."""


class WriteError(UnmixError, OSError):
    """An output exists already, cannot be written, or did not read back as it was written."""


class WorkerError(UnmixError, RuntimeError):
    """The worker process of a task died again and again: out of memory, or a file that crashes what reads it."""


class Cancelled(UnmixError):  # noqa: N818  (nothing went wrong)
    """The caller asked to stop; raise it from a progress callback."""


class UnmixWarning(UserWarning):
    """The answer stands, but there is something the user should know about it."""


class ConvergenceWarning(UnmixWarning):
    """An iteration stopped before it converged; the best answer so far is returned."""


def warn(message: str | Warning, category: type[Warning] = UnmixWarning) -> None:
    """Warn at the line that called this package, not at one inside it."""
    frame: FrameType | None = sys._getframe()
    level, outside = 1, 2
    while frame is not None and (frame := frame.f_back) is not None:
        level += 1
        if frame.f_globals.get("__name__", "").partition(".")[0] == __package__:
            outside = level + 1
    warnings.warn(message, category, stacklevel=outside)
