"""A run as something to keep: the Python that does it again, the command that does it again, and a JSON file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, OptionError, UnmixError
from ..image import sample_rows
from ..materials.stains import stain_names
from ..options import Options
from ..readers import read
from .request import Known, Request
from .sources import SourceLayer, calibrated_size

FORMAT = "unmix run settings"
_MOST_BYTES = 50_000_000


@dataclass(frozen=True)
class Recipe:
    """Everything that makes one run.

    Parameters
    ----------
    function : {'unmix', 'separate_stains'}
        Which of the two is called.
    n_endmembers : int, optional
        How many endmembers are wanted in all; not given where all are known.
    stains : tuple of str, optional
        Which stains are separated.
    known : Known, optional
        Endmembers used as they are.
    options : mapping
        Keywords of `unmix.Options`.
    file : str, optional
        What is unmixed, where it is a file that `unmix.read` opens with the same values.
    level : int
        Which level of that file.
    window : tuple of (start, stop, step), optional
        Rows and columns of that level, where only a part of it was unmixed.
    layer : str
        Name of the layer that was unmixed.
    picture : bool
        Whether that layer is a colour picture (y, x, band), not a stack (band, y, x).
    pixel_size : (float, float), optional
        Height and width of a pixel, for a layer without a file.
    pixel_unit : str
        Its unit.
    file_scale : float
        What the file's own values are divided by when it is read.
    """

    function: str
    n_endmembers: int | None = None
    stains: tuple[str, ...] | None = None
    known: Known | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    file: str | None = None
    level: int = 0
    window: tuple[tuple[int, int, int], tuple[int, int, int]] | None = None
    layer: str = ""
    picture: bool = False
    pixel_size: tuple[float, float] | None = None
    pixel_unit: str = "um"
    file_scale: float = 1.0

    def as_python(self) -> str:
        """Return a script that does the same run and gives the same numbers."""
        lines = ["import unmix"]
        if self.known is not None and not self._knows_stains:
            lines.append("import xarray as xr")
        lines += ["", *self._image_lines()]
        keywords = [f"{name}={value!r}" for name, value in self.options.items()]
        if self._knows_stains:
            keywords.insert(0, f"stain_matrix={_numbers(self._known.spectra)}")
        elif self.known is not None:
            lines += _endmember_lines(self.known)
            keywords.insert(0, "endmembers=endmembers")
        asked = repr(self.stains) if self.function == "separate_stains" else repr(self.n_endmembers)
        arguments = ["image"] if asked == "None" else ["image", asked]
        return "\n".join([*lines, f"result = unmix.{self.function}({', '.join([*arguments, *keywords])})", ""])

    def as_command(self) -> str:
        """Return the command that does the same run.

        Raises
        ------
        OptionError
            The command line cannot do it, with the reason.
        """
        import shlex

        if self.file is None:
            raise OptionError(f"'{self.layer}' did not come from a file that unmix reads; use Copy as Python.")
        if self.known is not None:
            raise OptionError("the command line cannot take pinned endmembers; use Copy as Python.")
        if "scale" in self.options and self.file_scale != 1.0:
            raise OptionError("the file has a scale of its own, which --scale would replace; use Copy as Python.")
        stains = self.function == "separate_stains"
        asked = ["--stains", ",".join(self.stains or ())] if stains else ["--endmembers", str(self.n_endmembers)]
        out = f"{Path(self.file).stem}_unmixed"
        words = ["unmix", "stains" if stains else "run", self.file, *self._region_words(), *asked, "--out", out]
        return shlex.join([*words, *_flags(self.options, "stains" if stains else "run")])

    def as_settings(self) -> str:
        """Return the settings as JSON, without the image: they are for any."""
        known = None if self.known is None else {"names": list(self.known.names), "spectra": _rows(self.known.spectra)}
        settings = {
            "format": FORMAT,
            "function": self.function,
            "n_endmembers": self.n_endmembers,
            "stains": None if self.stains is None else list(self.stains),
            "known": known,
            "options": dict(self.options),
        }
        return json.dumps(settings, indent=2, ensure_ascii=False, allow_nan=False)

    @property
    def _known(self) -> Known:
        if self.known is None:
            raise DataError("this run has no known endmembers.")
        return self.known

    @property
    def _knows_stains(self) -> bool:
        return self.known is not None and self.function == "separate_stains"

    def _image_lines(self) -> list[str]:
        if self.file is not None:
            level = f", level={self.level}" if self.level else ""
            return [f"image = unmix.read({self.file!r}{level}){self._selection()}"]
        lines = ["# the layer did not come from a file that unmix reads: run this in napari's console"]
        values = f"viewer.layers[{self.layer!r}].data" + ("[..., :3]" if self.picture else ".transpose(1, 2, 0)")
        size = f", pixel_size={self.pixel_size!r}, pixel_unit={self.pixel_unit!r}" if self.pixel_size else ""
        return [*lines, f"image = unmix.as_image({values}, name={self.layer!r}{size})"]

    def _selection(self) -> str:
        """Return the Python that takes the part that was unmixed."""
        if self.window is None:
            return ""
        spans = (", ".join(map(str, span if span[2] > 1 else span[:2])) for span in self.window)
        return ".isel({})".format(", ".join(f"{axis}=slice({span})" for axis, span in zip("yx", spans, strict=True)))

    def _region_words(self) -> list[str]:
        """Return the words of a command that take the part that was unmixed."""
        if self.window is None:
            return []
        (top, bottom, down), (left, right, across) = self.window
        if self.level or down > 1 or across > 1:
            raise OptionError("the command line cannot take a part at a coarser level; use Copy as Python.")
        return ["--region", f"{top},{left},{bottom},{right}"]


def recipe_of(request: Request) -> Recipe:
    """Return the recipe of a request; looks at the file of a picture that napari opened."""
    asked = request.params()
    stains = asked.get("stains")
    return Recipe(
        asked["function"],
        n_endmembers=asked.get("n_endmembers"),
        stains=None if stains is None else tuple(stains),
        known=request.known,
        options=dict(request.options),
        layer=request.source.name,
        **_facts_of(request.source),
    )


def read_settings(text: str) -> Recipe:
    """Return the recipe in a JSON text that `Recipe.as_settings` wrote; nothing in it is trusted.

    Raises
    ------
    OptionError
        It is not such a text, or something in it is not allowed.
    """
    if len(text) > _MOST_BYTES:
        raise OptionError(f"the settings are {len(text)} characters; at most {_MOST_BYTES} are taken.")
    try:
        held = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"the settings are not JSON: {error}.") from None
    if not isinstance(held, dict) or held.get("format") != FORMAT:
        raise OptionError(f"the file does not hold {FORMAT}; save them with Save settings first.")
    function, options, stains = held.get("function"), held.get("options"), held.get("stains")
    if function not in ("unmix", "separate_stains") or not isinstance(options, dict):
        raise OptionError("the settings name no run; save them again with Save settings.")
    chosen = Options.from_keywords(options)
    count = held.get("n_endmembers")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= 10_000):
        raise OptionError(f"n_endmembers={count!r} in the settings is not a whole number of at least 1.")
    if function == "separate_stains":
        stains = stain_names(stains if isinstance(stains, list) else ())
    return Recipe(
        function,
        n_endmembers=count,
        stains=stains if function == "separate_stains" else None,
        known=_known_in(held.get("known")),
        options={name: getattr(chosen, name) for name in options},
    )


def _known_in(held: Any) -> Known | None:
    if held is None:
        return None
    try:
        names = tuple(str(name) for name in held["names"])
        spectra = np.array([[np.nan if v is None else float(v) for v in row] for row in held["spectra"]], np.float64)
    except (TypeError, KeyError, ValueError):
        raise OptionError("the endmembers in the settings are not names and rows of numbers.") from None
    if spectra.ndim != 2 or len(names) != len(spectra) or len(set(names)) != len(names):
        raise OptionError("the endmembers in the settings need one name each and rows of one length.")
    return Known(names, spectra)


def _facts_of(source: SourceLayer) -> dict[str, Any]:
    part = source.part
    whole = source if part is None else part.whole
    file = whole.file or _same_file(whole)
    spans = () if part is None else tuple((span.start, span.stop, span.step or 1) for span in (part.rows, part.columns))
    scale = float(source.values.encoding.get("scale", 1.0)) if hasattr(source.values, "encoding") else 1.0
    size, unit = calibrated_size(source.placement)
    return {
        "file": file,
        "level": 0 if part is None or file is None else part.level,
        "window": spans if spans and file is not None else None,
        "file_scale": scale,
        "picture": source.picture,
        "pixel_size": size,
        "pixel_unit": unit,
    }


def _same_file(source: SourceLayer) -> str | None:
    """Return the file napari opened the layer from where unmix reads the same values there, by a few rows."""
    if source.picture_file is None or not Path(source.picture_file).is_file():
        return None
    try:
        image = read(source.picture_file)
    except UnmixError:
        return None
    if image.shape != source.values.shape or image.dtype != source.values.dtype:
        return None
    same = np.array_equal(sample_rows(image.data), sample_rows(source.values))
    return source.picture_file if same and image.attrs["quantity"] == source.quantity else None


def _flags(options: Mapping[str, Any], door: str) -> list[str]:
    """Return options as the words of a command."""
    known = {knob.name: knob.metadata["doors"] for knob in fields(Options)}
    words: list[str] = []
    for name, value in options.items():
        if door not in known[name]:
            raise OptionError(f"{name} is not a flag of this command; use Copy as Python.")
        flag = "--" + name.replace("_", "-")
        if name == "exclude":
            for low, high in value:
                words += [flag, _span(low, high)]
        elif name == "bands":
            words += [flag, _span(*value)]
        elif isinstance(value, tuple):
            words += [flag, ",".join(repr(number) for number in value)]
        else:
            words += [flag, str(value)]
    return words


def _span(low: float, high: float) -> str:
    return f"{np.format_float_positional(low, trim='-')}-{np.format_float_positional(high, trim='-')}"


def _endmember_lines(known: Known) -> list[str]:
    rows = _numbers(known.spectra)
    names = list(known.names)
    return [
        f"spectra = {rows}",
        f'endmembers = xr.DataArray(spectra, dims=("endmember", "band"), coords={{"endmember": {names!r}}})',
    ]


def _numbers(spectra: np.ndarray) -> str:
    """Return rows of numbers as Python, to the last digit."""
    rows = ["[" + ", ".join('float("nan")' if np.isnan(v) else repr(float(v)) for v in row) + "]" for row in spectra]
    return "[" + ", ".join(rows) + "]"


def _rows(spectra: np.ndarray) -> list[list[float | None]]:
    return [[None if np.isnan(v) else float(v) for v in row] for row in spectra]
