"""What a report says about one result: its key figures, endmembers, warnings, what was left out, how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import xarray as xr

from ..materials.colours import readable
from ..options import Options
from ..writers.facts import colours, is_stained, label, labels, provenance, source_name
from ..writers.reduced import reduced
from .embedded import css_colour
from .figures import subtitle

_GATES = {
    "gate_background": "background (glass)",
    "gate_brighter_than_white": "brighter than the white point",
    "gate_clipped": "clipped channels",
    "gate_over_dense": "too dense to tell",
    "gate_grey": "grey pigment or dirt",
    "gate_one_colour": "one and the same colour (pen, labels)",
    "gate_colour": "pen and other foreign colours",
    "gate_off_plane": "colours no mixture of the stains gives",
}
_LONGEST_SIDE = 1000
_FEW_DIGITS = 4


@dataclass(frozen=True)
class Fact:
    """One figure people read: what it is called, its value as text, and what it means in a sentence."""

    name: str
    value: str
    meaning: str = ""


@dataclass(frozen=True)
class Sheet:
    """Everything the page says about one result in words and numbers; the pictures stand beside it."""

    name: str
    subtitle: str
    stained: bool
    facts: Sequence[Fact]
    warnings: Sequence[str]
    endmember_headings: Sequence[str]
    endmember_rows: Sequence[Sequence[str]]
    endmember_colours: Sequence[str]
    left_out: Sequence[Fact]
    settings: Sequence[Fact]
    origin: Sequence[Fact]

    def figure(self, name: str) -> str:
        """Return the value of a key figure, a dash where there is none."""
        return next((fact.value for fact in self.facts if fact.name == name), "-")


def sheet_of(result: xr.Dataset) -> Sheet:
    """Gather what is worth saying about a result."""
    told = provenance(result)
    headings, rows = _endmember_table(result, told)
    return Sheet(
        name=source_name(result) or "Unmixing result",
        subtitle=subtitle(result),
        stained=is_stained(result),
        facts=_key_figures(result),
        warnings=warnings_of(result),
        endmember_headings=headings,
        endmember_rows=rows,
        endmember_colours=[css_colour(readable(hue)) for hue in colours(result)],
        left_out=_left_out(result, told),
        settings=_settings(told),
        origin=_origin(result, told),
    )


def warnings_of(result: xr.Dataset) -> list[str]:
    """Return what was warned of while the result was made, and the flag of a stain fit."""
    told = provenance(result).get("warnings")
    said = [label(one, 0) for one in told] if isinstance(told, list) else []
    flag = str(result.attrs.get("stain_flag", "none"))
    if flag not in ("none", "given") and not said:
        said.append(f"flag of the stain fit: {label(flag.replace('_', ' '), 0)}")
    return said


def _key_figures(result: xr.Dataset) -> list[Fact]:
    attrs = result.attrs
    facts = []
    if "relative_error" in attrs:
        meaning = "What endmembers times abundances do not explain, as a share of the values."
        facts.append(Fact("relative error", f"{100 * _number(attrs['relative_error']):.2g} %", meaning))
    if "smallest_angle" in attrs and result.sizes["endmember"] > 1:
        meaning = (
            "The angle between the two endmembers most alike: the smaller, the more noise passes between their maps."
        )
        facts.append(Fact("closest pair", f"{_number(attrs['smallest_angle']):.1f}°", meaning))
    if "n_valid" in attrs:
        facts.append(Fact("pixels unmixed", f"{int(attrs['n_valid']):,}"))
    if attrs.get("n_invalid"):
        facts.append(Fact("invalid pixels", f"{int(attrs['n_invalid']):,}", "Drawn grey; part of no figure here."))
    if "condition" in attrs:
        meaning = "How much noise of the image is magnified in the abundances, at worst."
        facts.append(Fact("condition", f"{_number(attrs['condition']):.3g}", meaning))
    return facts


def _endmember_table(result: xr.Dataset, told: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Return headings and a row an endmember; a column stands only where something is known."""
    columns = {"endmember": labels(result), **_map_columns(result), **_anchor_columns(result)}
    columns |= _reference_column(result, told) | _library_columns(result) | _doubt_column(result)
    return list(columns), [list(row) for row in zip(*columns.values(), strict=True)]


def _map_columns(result: xr.Dataset) -> dict[str, list[str]]:
    maps = reduced(result["abundances"], _LONGEST_SIDE)
    known = np.isfinite(maps).all(axis=0)
    values = maps[:, known].astype(np.float64)
    if not values.size:
        return {"mean": ["-"] * len(maps), "largest": ["-"] * len(maps)}
    columns = {"mean": [f"{one:.3g}" for one in values.mean(axis=1)]}
    columns["largest"] = [f"{float(one):.3g}" for one in result["abundances"].max(("y", "x")).values]
    if not is_stained(result) and len(maps) > 1:
        most = np.bincount(values.argmax(axis=0), minlength=len(maps)) / values.shape[1]
        columns["most abundant in"] = [f"{100 * share:.1f} %" for share in most]
    return columns


def _anchor_columns(result: xr.Dataset) -> dict[str, list[str]]:
    rows, columns, counts = (result[name].values for name in ("anchor_row", "anchor_col", "anchor_count"))
    found: dict[str, list[str]] = {}
    if (counts > 0).any():
        found["pixels behind it"] = [f"{count:,}" if count > 0 else "-" for count in counts]
    if (rows >= 0).any():
        places = zip(rows, columns, strict=True)
        found["nearest pixel (row, column)"] = [f"{row}, {col}" if row >= 0 else "-" for row, col in places]
    return found


def _reference_column(result: xr.Dataset, told: Mapping[str, Any]) -> dict[str, list[str]]:
    fit = _mapping(told.get("fit"))
    angles = [fit.get(f"angle_to_reference_{name}") for name in result["endmember"].values]
    if not any(isinstance(angle, (int, float)) for angle in angles):
        return {}
    return {"angle to reference": [f"{a:.1f}°" if isinstance(a, (int, float)) else "-" for a in angles]}


def _library_columns(result: xr.Dataset) -> dict[str, list[str]]:
    if "library_name" not in result:
        return {}
    names = [label(name, k) for k, name in enumerate(result["library_name"].values)]
    others = [label(name, k) for k, name in enumerate(result["library_runner_up"].values)]
    angles = np.degrees(result["library_angle"].values)
    return {
        "nearest in the library": [f"{name} ({angle:.1f}°)" for name, angle in zip(names, angles, strict=True)],
        "runner-up": others,
    }


def _doubt_column(result: xr.Dataset) -> dict[str, list[str]]:
    if "abundances_std" not in result:
        return {}
    spread = result["abundances_std"].mean(("y", "x")).values
    return {"abundance ±": [f"{float(one):.2g}" for one in spread]}


def _left_out(result: xr.Dataset, told: Mapping[str, Any]) -> list[Fact]:
    """Return how many pixels were kept out of the fit, and why."""
    fit = _mapping(told.get("fit"))
    sampled = fit.get("pixels_sampled")
    found = []
    for name, count in fit.items():
        if name.startswith("gate_") and isinstance(count, int) and count > 0:
            share = f" ({100 * count / sampled:.1f} %)" if isinstance(sampled, int) and sampled else ""
            found.append(Fact(_GATES.get(name, name[5:].replace("_", " ")), f"{count:,}{share}"))
    if result.attrs.get("n_zero_brightness"):
        found.append(Fact("brightness zero, so no fractions", f"{int(result.attrs['n_zero_brightness']):,}"))
    return found


def _settings(told: Mapping[str, Any]) -> list[Fact]:
    """Return the options that were not left at their default, and what was measured for the run."""
    options = _mapping(told.get("options"))
    defaults = {knob.name: knob.default for knob in fields(Options)}
    changed = [(name, value) for name, value in options.items() if value != _as_listed(defaults.get(name))]
    found = [Fact(str(name), _text(value)) for name, value in changed]
    white = _mapping(told.get("fit")).get("white_point")
    return found + ([Fact("white point used", _text(white))] if white is not None else [])


def _origin(result: xr.Dataset, told: Mapping[str, Any]) -> list[Fact]:
    source, versions = _mapping(told.get("source")), _mapping(told.get("versions"))
    seconds = _mapping(told.get("seconds"))
    facts = [
        Fact("source", _text(source.get("path") or source.get("name") or "an array")),
        Fact("sample SHA-256", _text(source.get("sample_sha256"))[:16]),
        Fact("made", _text(told.get("created"))),
        Fact("fit stopped", _text(result.attrs.get("stop_reason")) if "objective" in result else ""),
        Fact("seconds", ", ".join(f"{stage} {_text(value)}" for stage, value in seconds.items())),
        Fact("versions", ", ".join(f"{package} {number}" for package, number in versions.items())),
        Fact("platform", _text(told.get("platform"))),
    ]
    return [fact for fact in facts if fact.value]


def _as_listed(value: Any) -> Any:
    """Return a default as JSON gives it back."""
    return list(value) if isinstance(value, tuple) else value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.{_FEW_DIGITS}g}"
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(one) for one in value)
    return label(value, 0)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")
