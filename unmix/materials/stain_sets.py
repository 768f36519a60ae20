"""Stain sets that a laboratory keeps: stains with their measured vectors and white point, by name.

They are shared as small JSON files and as the text QuPath keeps in its scripts. A vector's length means nothing here:
base-10 vectors of QuPath and natural-log ones of `unmix` have the same direction.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OptionError, ReadError
from .stains import STAIN_SETS, STAINS, find_stain, stain_names

FORMAT = "unmix stain set"
VERSION = 1
LARGEST_FILE = 1_000_000

_LONGEST_NAME = 200
_MOST_STAINS = 3
_QUPATH_RESIDUAL = "residual"


@dataclass(frozen=True)
class StainSet:
    """Stains used together, each with one or more optical density vectors.

    Parameters
    ----------
    name : str
        What the set is called.
    stains : tuple of str
        Two or three names.
    variants : tuple of tuple of (float, float, float)
        For each stain its optical density over red, green and blue, any length and base; more than one where published
        vectors lie far apart.
    white_point : (float, float, float), optional
        Light without stain in the images the vectors were measured on.
    concentrations : tuple of float, optional
        99th percentile of each stain's concentration (natural log), what normalisation scales to.
    sources : tuple of str
        Where each stain's vectors come from.

    Raises
    ------
    OptionError
        A name is empty, long or given twice, or a vector is not three non-negative numbers with a positive one.

    Examples
    --------
    >>> from unmix.materials.stain_sets import StainSet
    >>> lab = StainSet("scanner 2", ("hematoxylin", "eosin"), (((0.6, 0.7, 0.3),), ((0.1, 0.9, 0.4),)))
    >>> lab.matrix.round(2).tolist()
    [[0.62, 0.72, 0.31], [0.1, 0.91, 0.4]]
    """

    name: str
    stains: tuple[str, ...]
    variants: tuple[tuple[tuple[float, ...], ...], ...]
    white_point: tuple[float, ...] | None = None
    concentrations: tuple[float, ...] | None = None
    sources: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        for name in (self.name, *self.stains):
            _check_name(name)
        if not 1 <= len(self.stains) <= _MOST_STAINS or len(self.variants) != len(self.stains):
            raise OptionError(
                f"stain set {self.name!r}: {len(self.stains)} names and {len(self.variants)} vectors; "
                f"give one to {_MOST_STAINS} stains with a vector each."
            )
        if len(set(self.stains)) != len(self.stains):
            raise OptionError(f"stain set {self.name!r} names a stain twice: {', '.join(self.stains)}.")
        for stain, vectors in zip(self.stains, self.variants, strict=True):
            if not vectors:
                raise OptionError(f"stain {stain!r} has no vector.")
            for vector in vectors:
                _check_vector(stain, vector)
        _check_positive("white_point", self.white_point, 3)
        _check_positive("concentrations", self.concentrations, len(self.stains))

    @property
    def variant_vectors(self) -> tuple[np.ndarray, ...]:
        """For each stain its directions, unit norm, shape (n_variants, 3)."""
        rows = [np.array(vectors, np.float64) for vectors in self.variants]
        return tuple(row / np.linalg.norm(row, axis=1, keepdims=True) for row in rows)

    @property
    def matrix(self) -> np.ndarray:
        """The stain matrix, shape (n_stains, 3): unit norm, the normalised sum where a stain has several vectors."""
        total = np.array([vectors.sum(axis=0) for vectors in self.variant_vectors])
        return total / np.linalg.norm(total, axis=1, keepdims=True)


def stain_set(stains: Any) -> StainSet:
    """Return the stain set meant by a name, a list of stain names, a JSON file, QuPath's text or a stain set.

    Parameters
    ----------
    stains : StainSet, str, path or iterable of str
        ``"H&E"``; ``("hematoxylin", "dab")``; ``"our_lab.json"``; ``'{"Name" : "H-DAB default", ...}'``.

    Returns
    -------
    StainSet

    Raises
    ------
    OptionError
        A name is not known, or the text is not a stain set.
    ReadError
        The file is missing or not a stain set.

    Examples
    --------
    >>> from unmix.materials.stain_sets import stain_set
    >>> stain_set("H-DAB").stains
    ('hematoxylin', 'dab')
    """
    if isinstance(stains, StainSet):
        return stains
    if isinstance(stains, os.PathLike):
        return load_stain_set(stains)
    if isinstance(stains, str):
        if "{" in stains:
            return stain_set_from_qupath(stains)
        if stains.lower().endswith(".json"):
            return load_stain_set(stains)
    names = stain_names(stains)
    listed = [key for key, members in STAIN_SETS.items() if members == names]
    return StainSet(
        listed[0] if listed else " ".join(names)[:_LONGEST_NAME],
        names,
        tuple(STAINS[name].variants for name in names),
        sources=tuple("; ".join(STAINS[name].sources) for name in names),
    )


def measured_stain_set(
    name: str,
    vectors: Mapping[str, Iterable[float]],
    *,
    white_point: Iterable[float] | None = None,
    concentrations: Iterable[float] | None = None,
    source: str = "measured",
) -> StainSet:
    """Return a stain set of one vector a stain, as measured on a region, a control slide or a cohort.

    Examples
    --------
    >>> from unmix.materials.stain_sets import measured_stain_set
    >>> measured_stain_set("scanner 2", {"hematoxylin": [0.6, 0.7, 0.3], "my brown": [0.3, 0.5, 0.8]}).stains
    ('hematoxylin', 'my brown')
    """
    return StainSet(
        name,
        tuple(vectors),
        tuple((_numbers(f"the vector of {stain}", vector),) for stain, vector in vectors.items()),
        white_point=None if white_point is None else _numbers("white_point", white_point),
        concentrations=None if concentrations is None else _numbers("concentrations", concentrations),
        sources=(source,) * len(vectors),
    )


def stain_set_to_json(chosen: StainSet) -> str:
    """Return a stain set as JSON text that every program can read.

    Examples
    --------
    >>> from unmix.materials.stain_sets import stain_set, stain_set_from_json, stain_set_to_json
    >>> lab = stain_set("H&E")
    >>> stain_set_from_json(stain_set_to_json(lab)) == lab
    True
    """
    sources = chosen.sources or ("",) * len(chosen.stains)
    members = [
        {"name": stain, "vectors": [list(vector) for vector in vectors], "source": source}
        for stain, vectors, source in zip(chosen.stains, chosen.variants, sources, strict=True)
    ]
    about: dict[str, Any] = {"format": FORMAT, "version": VERSION, "name": chosen.name, "stains": members}
    if chosen.white_point is not None:
        about["white_point"] = list(chosen.white_point)
    if chosen.concentrations is not None:
        about["concentrations_99"] = list(chosen.concentrations)
    return json.dumps(about, indent=2, ensure_ascii=False) + "\n"


def stain_set_from_json(text: str) -> StainSet:
    """Return the stain set in JSON text written by `stain_set_to_json`; anything else is refused.

    Raises
    ------
    OptionError
        The text is not JSON, is no stain set, or holds values a stain set cannot have.
    """
    about = _json_object(text)
    if about.get("format") != FORMAT:
        raise OptionError(f"this JSON is no stain set: its 'format' is {about.get('format')!r}, not {FORMAT!r}.")
    if about.get("version") != VERSION:
        raise OptionError(f"stain set version {about.get('version')!r} is not known; this unmix reads {VERSION}.")
    members = about.get("stains")
    if not isinstance(members, list) or not all(isinstance(member, dict) for member in members):
        raise OptionError("a stain set has a list 'stains' of objects with 'name' and 'vectors'.")
    variants = []
    for member in members:
        vectors = member.get("vectors")
        if not isinstance(vectors, list):
            raise OptionError(f"stain {member.get('name')!r} needs 'vectors', a list of three numbers each.")
        variants.append(tuple(_numbers(f"the vector of {member.get('name')}", vector) for vector in vectors))
    white, strongest = about.get("white_point"), about.get("concentrations_99")
    sources = tuple(str(member.get("source", "")) for member in members)
    return StainSet(
        about.get("name", ""),
        tuple(member.get("name", "") for member in members),
        tuple(variants),
        white_point=None if white is None else _numbers("white_point", white),
        concentrations=None if strongest is None else _numbers("concentrations_99", strongest),
        sources=sources if any(sources) else (),
    )


def load_stain_set(path: str | os.PathLike[str]) -> StainSet:
    """Read a stain set from a JSON file.

    Raises
    ------
    ReadError
        The file is missing, larger than 1 MB, or no stain set.
    """
    file = Path(path)
    try:
        with open(file, "rb") as opened:
            content = opened.read(LARGEST_FILE + 1)
    except OSError as error:
        raise ReadError(f"{file}: cannot be read ({error.strerror or error}).") from error
    if len(content) > LARGEST_FILE:
        raise ReadError(f"{file}: larger than {LARGEST_FILE // 1_000_000} MB, so no stain set.")
    try:
        return stain_set_from_json(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, OptionError) as error:
        raise ReadError(f"{file}: {error}") from error


def stain_set_to_qupath(chosen: StainSet) -> str:
    """Return the text that QuPath's ``setColorDeconvolutionStains('...')`` takes: unit vectors, five decimals.

    The background is the set's white point, 255 where it has none; QuPath knows 8-bit light only.

    Raises
    ------
    OptionError
        The set has one stain (QuPath needs two), or a white point brighter than 8 bits.

    Examples
    --------
    >>> from unmix.materials.stain_sets import stain_set, stain_set_to_qupath
    >>> stain_set_to_qupath(stain_set("H-DAB"))[:75]
    '{"Name" : "H-DAB", "Stain 1" : "Hematoxylin", "Values 1" : "0.65123 0.70124'
    """
    if len(chosen.stains) < 2:
        raise OptionError(f"QuPath needs two or three stains; {chosen.name!r} has one.")
    white = chosen.white_point or (255.0, 255.0, 255.0)
    if max(white) > 255:
        raise OptionError(f"white_point={white!r}: QuPath's background is 8-bit light, at most 255. Divide it first.")
    parts = [("Name", chosen.name)]
    for k, (stain, vector) in enumerate(zip(chosen.stains, chosen.matrix, strict=True), 1):
        parts += [(f"Stain {k}", _as_qupath_names(stain)), (f"Values {k}", " ".join(f"{v:.5f}" for v in vector))]
    parts.append(("Background", " " + " ".join(f"{value:g}" for value in white)))
    return "{" + ", ".join(f"{_quoted(key)} : {_quoted(value)}" for key, value in parts) + "}"


def stain_set_from_qupath(text: str) -> StainSet:
    """Return the stain set in QuPath's text; a whole line of a script that holds it will do.

    QuPath's residual, its stand-in for a third stain, is left out. Names known to `unmix` (hematoxylin, eosin, DAB,
    ...) become its own spelling; others stay as they are.

    Raises
    ------
    OptionError
        The text is not QuPath's, or a vector is not three numbers.

    Examples
    --------
    >>> from unmix.materials.stain_sets import stain_set_from_qupath
    >>> stain_set_from_qupath(
    ...     '{"Name" : "H-DAB default", "Stain 1" : "Hematoxylin", "Values 1" : "0.65111 0.70119 0.29049", '
    ...     '"Stain 2" : "DAB", "Values 2" : "0.26917 0.56824 0.77759", "Background" : " 255 255 255"}'
    ... ).stains
    ('hematoxylin', 'dab')
    """
    about = _json_object(text[text.find("{") : text.rfind("}") + 1])
    stains, variants = [], []
    for k in (1, 2, 3):
        name, values = about.get(f"Stain {k}"), about.get(f"Values {k}")
        if name is None and values is None:
            continue
        if not isinstance(name, str) or not isinstance(values, str):
            raise OptionError(f"QuPath's text needs both 'Stain {k}' and 'Values {k}'.")
        if name.strip().lower() != _QUPATH_RESIDUAL:
            stains.append(_as_unmix_names(name.strip()))
            variants.append((_numbers(f"Values {k}", values.split()),))
    background = about.get("Background")
    return StainSet(
        about.get("Name") or "QuPath",
        tuple(stains),
        tuple(variants),
        white_point=_numbers("Background", background.split()) if isinstance(background, str) else None,
        sources=("QuPath",) * len(stains),
    )


def _json_object(text: str) -> dict[str, Any]:
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"this is no stain set: not JSON ({error}).") from error
    if not isinstance(about, dict):
        raise OptionError("this is no stain set: not an object with names and vectors.")
    return about


def _numbers(what: str, values: Any) -> tuple[float, ...]:
    try:
        if isinstance(values, (str, bytes)):
            raise TypeError("text")
        return tuple(float(value) for value in values)
    except (TypeError, ValueError):
        raise OptionError(f"{what} must be numbers; got {str(values)[:60]!r}.") from None


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME or not name.isprintable():
        raise OptionError(f"{str(name)[:60]!r} is no name: give 1 to {_LONGEST_NAME} printable characters.")


def _check_vector(stain: str, vector: tuple[float, ...]) -> None:
    values = np.asarray(vector, np.float64)
    if values.shape != (3,) or not np.isfinite(values).all() or (values < 0).any() or not 1e-6 < values.max() < 1e6:
        raise OptionError(
            f"the vector of {stain!r} is {vector!r}: give the optical density in red, green and blue, none negative."
        )


def _check_positive(what: str, values: tuple[float, ...] | None, n: int) -> None:
    if values is not None and (len(values) != n or not all(np.isfinite(v) and v > 0 for v in values)):
        raise OptionError(f"{what}={values!r}: give {n} positive numbers.")


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _as_qupath_names(stain: str) -> str:
    """Write a stain that is known by its name as QuPath does; a laboratory's own name stays as it is."""
    if stain not in STAINS:
        return stain
    return "DAB" if stain == "dab" else stain[:1].upper() + stain[1:]


def _as_unmix_names(name: str) -> str:
    try:
        return find_stain(name).name
    except OptionError:
        return name
