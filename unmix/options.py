"""Every knob once: name, type, default, bounds, unit and help.

`Options` checks the keywords of the public functions, and the command line and the napari panel are built from it.
"""

from __future__ import annotations

import difflib
import math
import numbers
from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, field, fields
from typing import Any

from .errors import OptionError
from .quantity import DEFAULT_CONSTRAINT, QUANTITIES

_HUGE = 1e300
METHODS = ("scene", "stains", "lambda")
CONSTRAINTS = ("unconstrained", "non_negative", "sum_to_one", "shade")
ANCHORS = ("best", "robust", "adaptive", "spa", "pspa", "snpa", "vca", "nfindr", "smoothed")
REFINEMENTS = ("none", "anchored")
OD_BASES = ("e", "10")
NOISES = ("gaussian", "poisson")
WATER_BANDS = ("auto", "keep")
CLOUDS = ("keep", "drop")


def option(
    default: Any,
    help: str,
    *,
    kind: type | None = None,
    choices: tuple[str, ...] = (),
    low: float | None = None,
    high: float | None = None,
    unit: str = "",
    doors: tuple[str, ...] = ("run",),
    quantities: tuple[str, ...] = QUANTITIES,
    advanced: bool = True,
) -> Any:
    """Declare one knob: its default and everything the doors need to show and check it."""
    kind = kind or (str if choices else type(default))
    about = {"help": help, "kind": kind, "choices": choices, "low": low, "high": high, "unit": unit}
    return field(default=default, metadata=about | {"doors": doors, "quantities": quantities, "advanced": advanced})


BOTH = ("run", "stains")
RESOURCES = ("threads", "memory")
"""Knobs that decide how much of a machine is used, never what comes out."""


@dataclass(frozen=True)
class Options:
    """Every knob of the pipeline.

    Users pass keywords; `Options.from_keywords` checks them and this frozen object travels inside. The metadata of
    each field holds its help, bounds, unit and the command-line commands that show it.

    Examples
    --------
    >>> from unmix import Options
    >>> Options(constraint="sum_to_one").anchor_fraction
    0.005
    """

    quantity: str | None = option(
        None,
        "What the numbers are; taken from the file or guessed when not given.",
        choices=QUANTITIES,
        doors=BOTH,
        advanced=False,
    )
    method: str | None = option(
        None, "Which fit finds the endmembers; follows from the quantity when not given.", choices=METHODS
    )
    constraint: str | None = option(
        None,
        "What abundances must satisfy; follows from the quantity when not given.",
        choices=CONSTRAINTS,
        advanced=False,
    )
    bands: tuple[float, float] | None = option(
        None, "Use only bands with a wavelength in this range.", kind=tuple, unit="nm", advanced=False
    )
    exclude: tuple[tuple[float, float], ...] = option(
        (), "Leave out bands with a wavelength in these ranges.", kind=tuple, unit="nm", advanced=False
    )
    water_bands: str = option(
        "auto",
        "Reflectance of Earth whose file lists no good bands: auto leaves out what water vapour blacks out "
        "(1350-1433, 1804-1968 nm), keep uses it.",
        choices=WATER_BANDS,
        quantities=("reflectance",),
    )
    clouds: str = option(
        "keep",
        "Products that mark clouds and their shadows: drop leaves those pixels out.",
        choices=CLOUDS,
        quantities=("reflectance", "radiance"),
    )
    scale: float | None = option(
        None, "Divide the values by this number, as ENVI's reflectance scale factor.", kind=float, low=0, doors=BOTH
    )
    white_point: tuple[float, ...] | None = option(
        None,
        "Brightfield: value of each channel where there is no stain; estimated when not given.",
        kind=tuple,
        doors=BOTH,
        quantities=("brightfield",),
    )
    od_base: str = option(
        "e",
        "Optical density images: base of the logarithm of the values.",
        choices=OD_BASES,
        quantities=("optical_density",),
    )
    background: tuple[float, ...] | None = option(
        None,
        "Counts: subtracted from every pixel first; one number, or one a band.",
        kind=tuple,
        unit="counts",
        quantities=("counts",),
    )
    noise: str = option(
        "gaussian",
        "Counts: what the maps take the scatter for; poisson weighs photons by their number, gaussian all alike.",
        choices=NOISES,
        quantities=("counts",),
    )
    anchors: str = option(
        "best",
        "Scene fit: how anchors are found; best lets several searches compete, the others are single searches.",
        choices=ANCHORS,
    )
    seed: int = option(
        0, "Random steps only (anchors vca, uncertainty): the same seed gives the same answer.", low=0, high=2**31 - 1
    )
    uncertainty: int = option(
        0,
        "Bootstrap replicates that say how far endmembers and abundances can be trusted; 0 for none, 50 is usual.",
        low=0,
        high=10_000,
        advanced=False,
    )
    most_per_pixel: int = option(
        0,
        "At most so many endmembers in one pixel, the subset that fits best (MESMA); 0 for no limit.",
        low=0,
        high=8,
    )
    anchor_fraction: float = option(
        0.005, "Scene fit: share of the pixels whose median is one vertex.", low=0, high=0.2
    )
    refinement: str = option(
        "none", "Scene fit: what moves the endmembers after the anchors are found.", choices=REFINEMENTS
    )
    refinement_weight: float = option(1.0, "How strongly refinement is held to the anchors.", low=0)
    max_iterations: int = option(50, "Most iterations of a refinement.", low=1, high=100_000)
    extra_anchors: int = option(
        3,
        "Lambda stacks: anchors sought beyond the number of dyes, merged afterwards.",
        low=0,
        high=10,
        quantities=("counts",),
    )
    sparsity: float = option(
        0.06, "Stain fit: weight of the one-norm that favours few stains a pixel.", low=0, high=1, doors=("stains",)
    )
    anchor_weight: float = option(
        0.05, "Stain fit: how strongly vectors are held to the data's hull.", low=0, high=10, doors=("stains",)
    )
    prior_weight: float = option(
        0.01,
        "Stain fit: how strongly vectors are held to the named reference stains.",
        low=0,
        high=10,
        doors=("stains",),
    )
    fit_pixels: int = option(
        100_000, "Stain fit: number of tissue pixels the vectors are fitted on.", low=100, doors=("stains",)
    )
    threads: int | None = option(
        None, "Threads over blocks; the number of cores when not given.", kind=int, low=1, high=1024, doors=BOTH
    )

    memory: float | None = option(
        None,
        "Memory that maps and coordinates may take before they go to disk; a quarter of this machine's when not given.",
        kind=float,
        low=0,
        unit="GB",
        doors=BOTH,
    )

    def __post_init__(self) -> None:
        for knob in fields(self):
            object.__setattr__(self, knob.name, _checked(knob, getattr(self, knob.name)))

    @classmethod
    def from_keywords(cls, keywords: Mapping[str, Any]) -> Options:
        """Make options from a caller's keywords; an unknown one is refused with the nearest known name."""
        known = [knob.name for knob in fields(cls)]
        for name in keywords:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1)
                hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
                raise OptionError(f"{name!r} is not an option. {hint}")
        return cls(**keywords)

    def constraint_for(self, quantity: str) -> str:
        """Return the constraint asked for, or the default of this quantity."""
        return self.constraint or DEFAULT_CONSTRAINT[quantity]

    def as_dict(self) -> dict[str, Any]:
        """Return every knob by name, for provenance and scripts."""
        return asdict(self)


def _checked(knob: Field[Any], value: Any) -> Any:
    name, about = knob.name, knob.metadata
    if value is None:
        if knob.default is None:
            return None
        raise OptionError(f"{name}=None: this option needs a value, the default is {knob.default!r}.")
    if about["kind"] is tuple:
        return _RANGES[name](name, value)
    if about["choices"]:
        if not isinstance(value, str) or value not in about["choices"]:
            raise OptionError(f"{name}={value!r} is not known. Use one of {', '.join(about['choices'])}.")
        return value
    return _number(name, value, about["kind"], about["low"], about["high"])


def _number(name: str, value: Any, kind: Any, low: float | None, high: float | None) -> float | int:
    numeric = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not numeric or not _magnitude(value) < _HUGE:
        raise OptionError(f"{name}={value!r} is not a finite number.")
    value = kind(value) if kind is float or float(value).is_integer() else value
    if kind is int and not isinstance(value, int):
        raise OptionError(f"{name}={value!r} is not a whole number.")
    if (low is not None and value < low) or (high is not None and value > high):
        limits = f"{'-inf' if low is None else f'{low:g}'} to {'inf' if high is None else f'{high:g}'}"
        raise OptionError(f"{name}={value!r} is outside its range, {limits}.")
    return value


def _magnitude(value: Any) -> float:
    """Return |value| as a float of Python: a narrow type of NumPy would first cast the limit to itself, and warn."""
    try:
        return abs(float(value))
    except OverflowError:
        return math.inf


def _members(value: Any) -> Any:
    """Return `value` to be walked through, refusing text: its letters are not its members."""
    if isinstance(value, (str, bytes)):
        raise TypeError
    return value


def _range(name: str, value: Any) -> tuple[float, float]:
    try:
        low, high = (float(v) for v in _members(value))
    except (TypeError, ValueError):
        raise OptionError(f"{name}={value!r}: a range is two wavelengths in nm, such as (400, 2450).") from None
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise OptionError(f"{name}={value!r}: the first wavelength must be below the second, in nm.")
    return low, high


def _ranges(name: str, value: Any) -> tuple[tuple[float, float], ...]:
    if not isinstance(value, (list, tuple)):
        raise OptionError(f"{name}={value!r}: give a list of ranges in nm, such as [(1340, 1450)].")
    if len(value) == 2 and all(isinstance(v, numbers.Real) for v in value):
        value = [value]
    return tuple(_range(name, item) for item in value)


def _positive(name: str, value: Any) -> tuple[float, ...]:
    try:
        numbers_ = tuple(float(v) for v in _members(value))
    except (TypeError, ValueError):
        raise OptionError(f"{name}={value!r}: give one positive number a channel.") from None
    if not numbers_ or not all(math.isfinite(v) and v > 0 for v in numbers_):
        raise OptionError(f"{name}={value!r}: every channel's value must be positive.")
    return numbers_


def _levels(name: str, value: Any) -> tuple[float, ...]:
    try:
        numbers_ = tuple(float(v) for v in ([value] if isinstance(value, numbers.Real) else _members(value)))
    except (TypeError, ValueError):
        raise OptionError(f"{name}={value!r}: give one number of counts, or one a band.") from None
    if isinstance(value, bool) or not numbers_ or not all(0 <= v < _HUGE for v in numbers_):
        raise OptionError(f"{name}={value!r}: every number must be finite and not negative.")
    return numbers_


_RANGES = {"bands": _range, "exclude": _ranges, "white_point": _positive, "background": _levels}
