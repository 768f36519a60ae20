"""Flags of the command line, built from `Options` so that no knob is spelled twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import click

from ..options import Options

Command = Callable[..., Any]
_NUMBER = r"\d+(?:\.\d+)?"


class Range(click.ParamType):
    """A range of wavelengths in nanometres, written 400-2450."""

    name = "nm-nm"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(rf"({_NUMBER})\s*[-:,]\s*({_NUMBER})", value.strip())
        if not found:
            self.fail(f"{value!r} is not a range such as 400-2450 (nanometres).", param, ctx)
        return float(found[1]), float(found[2])


class Output(click.Path):
    """A file or folder to write; an empty name, as an unset variable of a shell gives, is not the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the name is empty.", param, ctx)
        return super().convert(value, param, ctx)


class Numbers(click.ParamType):
    """Numbers separated by commas, written 245,244,240."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers such as 245,244,240.", param, ctx)


_TUPLES: dict[str, tuple[click.ParamType, bool]] = {
    "bands": (Range(), False),
    "exclude": (Range(), True),
    "white_point": (Numbers(), False),
    "background": (Numbers(), False),
}


def option_flags(*doors: str) -> Callable[[Command], Command]:
    """Return a decorator that adds the flags of every option shown at one of these doors."""

    def decorate(command: Command) -> Command:
        for knob in reversed(fields(Options)):
            if set(doors) & set(knob.metadata["doors"]):
                command = _flag(knob.name, knob.default, knob.metadata)(command)
        return command

    return decorate


FORMATS = (
    "netcdf", "csv", "preview", "ome_tiff", "slide", "ome_zarr", "zarr", "cog", "geotiff", "residual", "brightness",
    "envi_library", "envi", "stac",
)  # fmt: skip
"""What a result can be written as, by name: those of `unmix.writers`, which is too heavy to ask before it is used."""


def format_flag(command: Command) -> Command:
    """Add the flag that says what is written."""
    text = "What to write; may be given several times [default: what suits the image]."
    return click.option("--format", "formats", type=click.Choice(FORMATS), multiple=True, help=text)(command)


def endmembers_flag(command: Command) -> Command:
    """Add the flag that says how many endmembers an image has."""
    text = "How many endmembers to find [default: as many as 'unmix rank' suggests]."
    return click.option("--endmembers", "-n", "n_endmembers", type=click.IntRange(1), help=text)(command)


def library_flags(command: Command) -> Command:
    """Add the flags that name a spectral library and say what it is for."""
    flags = [
        click.option(
            "--library",
            type=click.Path(path_type=Path),
            help="Spectral library; what is found is named by its nearest spectra.",
        ),
        click.option(
            "--known",
            help="Names or materials of the library, separated by commas, or 'all': they are used as endmembers. With "
            "a larger --endmembers, the others are found beside them.",
        ),
        click.option("--library-scale", type=float, help="Divide the library's values by this number, often 10000."),
    ]
    for flag in reversed(flags):
        command = flag(command)
    return command


def engine_flags(command: Command) -> Command:
    """Add the flags that say who does the work."""
    flags = [
        click.option(
            "--workers",
            type=click.IntRange(1, 4096),
            help="Work in so many processes on this machine [default: threads].",
        ),
        click.option("--scheduler", help="Address of a dask.distributed scheduler to work on, tcp://HOST:PORT."),
    ]
    for flag in reversed(flags):
        command = flag(command)
    return command


def stain_names(text: str) -> Any:
    """Return stains separated by commas as a list; the name of a set, its file or QuPath's text as it is."""
    listed = "," in text and not text.lstrip().startswith("{")  # QuPath's text has commas of its own
    return [name.strip() for name in text.split(",")] if listed else text


def source_flags(command: Command) -> Command:
    """Add the flags that say which part of a file is meant."""
    flags = [
        click.option("--key", help="Name of the array in a file that holds several."),
        click.option("--series", help="Which image of a file that holds several, or which place on axes: 1, t=2,z=0."),
        click.option("--level", type=click.IntRange(0), default=0, help="Which level of a pyramid; 0 is full size."),
        click.option("--region", help="Only this window: Y0,X0,Y1,X1 in pixels of level 0, half open."),
    ]
    for flag in reversed(flags):
        command = flag(command)
    return command


def source_keywords(key: str | None, series: str | None, level: int, region: str | None) -> dict[str, Any]:
    """Turn the source flags into keywords of `unmix.read`."""
    window = None
    if region is not None:
        try:
            window = tuple(int(part) for part in region.split(","))
        except ValueError:
            window = ()
        if len(window) != 4:
            raise click.BadParameter(f"{region!r} is not Y0,X0,Y1,X1.", param_hint="--region")
    chosen = int(series) if series is not None and series.isascii() and series.isdigit() else series
    return {"key": key, "series": chosen, "level": level, "region": window}


def chosen_options(given: dict[str, Any], *doors: str) -> dict[str, Any]:
    """Return the options of these doors that the user set, without those left at their default."""
    names = [knob.name for knob in fields(Options) if set(doors) & set(knob.metadata["doors"])]
    return {name: given[name] for name in names if given.get(name) not in (None, ())}


def _flag(name: str, default: Any, about: Any) -> Callable[[Command], Command]:
    unit = f" [{about['unit']}]" if about["unit"] else ""
    text = f"{about['help']}{unit}"
    flag = "--" + name.replace("_", "-")
    if name in _TUPLES:
        kind, multiple = _TUPLES[name]
        return click.option(flag, name, type=kind, multiple=multiple, help=text)
    shown = "" if default is None else f" [default: {default}]"
    if about["choices"]:
        return click.option(flag, name, type=click.Choice(about["choices"]), default=None, help=text + shown)
    number: click.ParamType = click.INT if about["kind"] is int else click.FLOAT
    return click.option(flag, name, type=number, default=None, help=text + shown)
