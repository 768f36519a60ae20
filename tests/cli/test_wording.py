"""What the library says, as the command line says it."""

from __future__ import annotations

import click
import pytest

from unmix.cli.run import command
from unmix.cli.wording import in_flags

SAID = {
    "Say quantity= (and scale=, if scaled).": "Say --quantity (and --scale, if scaled).",
    "quantity='counts' or 'radiance'.": "--quantity counts or 'radiance'.",
    "n_endmembers=0 is not a whole number.": "--endmembers 0 is not a whole number.",
    "level=3: there are 2. Leave level= out.": "--level 3: there are 2. Leave --level out.",
    "shape=(3,) and axis=1, good_band=..., a = b, x==y": "shape=(3,) and axis=1, good_band=..., a = b, x==y",
    "my level=3.tif is too small; say level=.": "my level=3.tif is too small; say --level.",
}


@pytest.mark.parametrize("message", SAID)
def test_keywords_are_flags_and_file_names_are_left(message: str) -> None:
    with click.Context(command):
        assert in_flags(message, "some folder/my level=3.tif") == SAID[message]


def test_outside_a_command_nothing_changes() -> None:
    assert in_flags("Say quantity=.") == "Say quantity=."
