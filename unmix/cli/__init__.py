"""The command line: ``unmix COMMAND``; one file a command, loaded only when it is called."""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "demo": "demo",
    "info": "info",
    "run": "run",
    "stains": "stains",
    "batch": "batch",
    "rank": "rank",
    "report": "report",
    "view": "view",
}


class LazyCommands(click.Group):
    """A group that imports the file of a command only when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(f"{__name__}.{COMMANDS[cmd_name]}").command
        assert isinstance(command, click.Command)
        return command


@click.command(
    cls=LazyCommands, name="unmix", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="unmix")
def main() -> None:
    """Say which pure spectra or stains are mixed in an image, and how much of each is in every pixel."""
