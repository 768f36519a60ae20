"""Messages of the library in the words of the command line: ``quantity=`` of Python is ``--quantity`` here."""

from __future__ import annotations

import re
from pathlib import Path

import click

_KEYWORD = re.compile(r"(?<![\w-])([a-z_]+)=(?:'([^']*)'|(?=(\w)?))")


def flags_of_command() -> dict[str, str]:
    """Return the flag of every keyword of the running command; none outside a command."""
    context = click.get_current_context(silent=True)
    options = [] if context is None else context.command.params
    return {str(option.name): max(option.opts, key=len) for option in options}


def in_flags(message: str, subject: str = "") -> str:
    """Return a message with the keywords that are options of the running command as flags; file names stay."""
    flags = flags_of_command()

    def as_flag(found: re.Match[str]) -> str:
        keyword, quoted, value = found.groups()
        if keyword not in flags:
            return found.group()
        return flags[keyword] + (f" {quoted}" if quoted is not None else " " if value else "")

    names = [re.escape(name) for name in {subject, Path(subject).name} if name]
    parts = re.split(f"({'|'.join(sorted(names, key=len, reverse=True))})", message) if names else [message]
    return "".join(part if k % 2 else _KEYWORD.sub(as_flag, part) for k, part in enumerate(parts))
