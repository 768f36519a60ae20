"""Python's search for garbage kept short while a run goes on.

It looks through every object there is now and then, some 400,000 in a napari window, and nothing else happens for a
tenth of a second or three. While a run goes on it looks only at what came since; afterwards at everything again.
"""

from __future__ import annotations

import gc
from typing import ClassVar


class ShortSearches:
    """Short searches as long as anybody wants them."""

    _wanted_by: ClassVar[set[int]] = set()

    def want(self, wanted: bool) -> None:
        """Say whether searches are to be short."""
        before = bool(self._wanted_by)
        (self._wanted_by.add if wanted else self._wanted_by.discard)(id(self))
        if self._wanted_by and not before and not gc.get_freeze_count():
            gc.freeze()
        elif before and not self._wanted_by:
            gc.unfreeze()
