"""The command line called in this process: what it prints and writes is the same, and nothing is imported again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from unmix.cli import main

Call = Callable[..., Result]


@pytest.fixture(scope="session")
def call() -> Call:
    """Return the function that runs ``unmix`` with these arguments."""
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
