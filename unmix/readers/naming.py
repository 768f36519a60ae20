"""How files and foreign errors are named in a message of one line."""

from __future__ import annotations

import os

_LONGEST = 240


def shown(path: str | os.PathLike[str]) -> str:
    """Return the name of a file as it can be shown on one line."""
    name = os.path.basename(os.fspath(path)) or os.fspath(path)
    return name if name.isprintable() else repr(name)


def one_line(error: BaseException) -> str:
    """Return what a foreign error says, on one line that ends with a full stop."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + "..."
    return text if text.endswith((".", "!", "?")) else text + "."
