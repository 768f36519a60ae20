"""Named stains: their published optical density directions, and which stains belong together on a slide.

A vector is the direction of the optical density over red, green and blue, natural logarithm or any other: the base
changes its length only. The published numbers are kept as printed and brought to unit length here.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..errors import OptionError
from .colours import stain_colour

_RUIFROK = (
    "Ruifrok AC, Johnston DA. Quantification of histochemical staining by color deconvolution. "
    "Anal Quant Cytol Histol 23:291-299, 2001"
)
_IMAGEJ = "Landini G, Colour Deconvolution plugin of ImageJ, vector set {} (the same numbers in skimage.color)"
_QUPATH = "Bankhead P, QuPath, default stain vectors for {} (Sci Rep 7:16878, 2017)"


@dataclass(frozen=True)
class Stain:
    """One stain.

    Parameters
    ----------
    name : str
        Lower case, American spelling, as the stain sets of other programs have it.
    variants : tuple of (float, float, float)
        Published optical density over red, green and blue; more than one where published vectors lie far apart.
    sources : tuple of str
        Where each variant is published.
    """

    name: str
    variants: tuple[tuple[float, float, float], ...]
    sources: tuple[str, ...]

    @property
    def variant_vectors(self) -> np.ndarray:
        """Every published direction, unit norm, shape (n_variants, 3)."""
        vectors = np.array(self.variants, np.float64)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    @property
    def vector(self) -> np.ndarray:
        """The reference direction: the normalised sum of the published ones, shape (3,)."""
        total = self.variant_vectors.sum(axis=0)
        return total / np.linalg.norm(total)

    @property
    def colour(self) -> str:
        """How the stain looks by itself on a slide, as ``#rrggbb``."""
        return "#" + "".join(f"{round(255 * channel):02x}" for channel in stain_colour(self.vector))


STAINS = {
    stain.name: stain
    for stain in (
        Stain("hematoxylin", ((0.651, 0.701, 0.290),), (_QUPATH.format("H&E and H-DAB"),)),
        Stain(
            "eosin",
            ((0.072, 0.990, 0.105), (0.216, 0.801, 0.558)),
            (f"{_RUIFROK}; as printed in {_IMAGEJ.format('H&E DAB')}", _QUPATH.format("H&E")),
        ),
        Stain("dab", ((0.269, 0.568, 0.778),), (f"{_QUPATH.format('H-DAB')}, after {_RUIFROK}",)),
        Stain("aec", ((0.2743, 0.6796, 0.6803),), (_IMAGEJ.format("H AEC"),)),
        Stain("pas", ((0.175411, 0.972178, 0.154589),), (_IMAGEJ.format("H PAS"),)),
        Stain("methyl blue", ((0.7995107, 0.5913521, 0.10528667),), (_IMAGEJ.format("Masson Trichrome"),)),
        Stain("ponceau fuchsin", ((0.09997159, 0.73738605, 0.6680326),), (_IMAGEJ.format("Masson Trichrome"),)),
        Stain("feulgen", ((0.46420921, 0.83008335, 0.30827187),), (_IMAGEJ.format("Feulgen Light Green"),)),
        Stain("light green", ((0.94705542, 0.25373821, 0.19650764),), (_IMAGEJ.format("Feulgen Light Green"),)),
        Stain("methylene blue", ((0.834750233, 0.513556283, 0.196330403),), (_IMAGEJ.format("Giemsa"),)),
        Stain("giemsa eosin", ((0.092789, 0.954111, 0.283111),), (_IMAGEJ.format("Giemsa"),)),
        Stain("methyl green", ((0.98003, 0.144316, 0.133146),), (_IMAGEJ.format("Methyl Green DAB"),)),
        Stain("alcian blue", ((0.874622, 0.457711, 0.158256),), (_IMAGEJ.format("Alcian blue & H"),)),
        Stain("fast red", ((0.21393921, 0.85112669, 0.47794022),), (_IMAGEJ.format("FastRed FastBlue DAB"),)),
        Stain("fast blue", ((0.74890292, 0.60624161, 0.26731082),), (_IMAGEJ.format("FastRed FastBlue DAB"),)),
        Stain("aniline blue", ((0.853033, 0.508733, 0.112656),), (_IMAGEJ.format("Azan-Mallory"),)),
        Stain("azocarmine", ((0.09289875, 0.8662008, 0.49098468),), (_IMAGEJ.format("Azan-Mallory"),)),
        Stain("orange g", ((0.10732849, 0.36765403, 0.9237484),), (_IMAGEJ.format("Azan-Mallory"),)),
    )
}
"""Every named stain."""

STAIN_SETS = {
    "H&E": ("hematoxylin", "eosin"),
    "H-DAB": ("hematoxylin", "dab"),
    "H&E-DAB": ("hematoxylin", "eosin", "dab"),
    "H-AEC": ("hematoxylin", "aec"),
    "H-PAS": ("hematoxylin", "pas"),
    "Masson trichrome": ("methyl blue", "ponceau fuchsin"),
    "Feulgen-light green": ("feulgen", "light green"),
    "Giemsa": ("methylene blue", "giemsa eosin"),
    "methyl green-DAB": ("methyl green", "dab"),
    "alcian blue-H": ("alcian blue", "hematoxylin"),
    "FastRed-FastBlue-DAB": ("fast red", "fast blue", "dab"),
    "Azan-Mallory": ("aniline blue", "azocarmine", "orange g"),
}
"""Stains that are used together, by the name of the staining."""

_ALIASES = {
    "haematoxylin": "hematoxylin",
    "diaminobenzidine": "dab",
    "he": "H&E",
    "hdab": "H-DAB",
    "hed": "H&E-DAB",
    "masson": "Masson trichrome",
}


def find_stain(name: str) -> Stain:
    """Return the stain of that name; case, spaces, hyphens and underscores do not matter.

    Raises
    ------
    OptionError
        No stain has that name; the message names the nearest and lists all.

    Examples
    --------
    >>> from unmix.materials.stains import find_stain
    >>> find_stain("DAB").colour
    '#aa6d4f'
    """
    known = {_plain(key): key for key in STAINS}
    key = _plain(name)
    key = _plain(_ALIASES.get(key, key))
    if key in known:
        return STAINS[known[key]]
    near = difflib.get_close_matches(key, [*known, *_ALIASES], 1, 0.5)
    nearest = known.get(near[0], near[0]) if near else ""
    hint = f"Did you mean {nearest!r}? " if near else ""
    raise OptionError(f"stain {name!r} is not known. {hint}Known stains: {', '.join(STAINS)}.")


def stain_names(stains: str | Iterable[str]) -> tuple[str, ...]:
    """Return canonical stain names from the name of a stain set or from the names of stains.

    Parameters
    ----------
    stains : str or iterable of str
        ``"H&E"``, or ``("hematoxylin", "eosin")``.

    Returns
    -------
    tuple of str
        Keys of `STAINS`, in the order given.

    Raises
    ------
    OptionError
        A name is not known, or a stain is named twice.

    Examples
    --------
    >>> from unmix.materials.stains import stain_names
    >>> stain_names("H-DAB"), stain_names(["Haematoxylin", "Eosin"])
    (('hematoxylin', 'dab'), ('hematoxylin', 'eosin'))
    """
    if isinstance(stains, str):
        sets = {_plain(key): key for key in STAIN_SETS}
        key = _plain(stains)
        key = _plain(_ALIASES.get(key, key))
        if key in sets:
            return STAIN_SETS[sets[key]]
        if key not in {_plain(name) for name in STAINS}:
            near = difflib.get_close_matches(key, list(sets), 1)
            hint = f"Did you mean {sets[near[0]]!r}? " if near else ""
            raise OptionError(
                f"stain set {stains!r} is not known. {hint}Known sets: {', '.join(STAIN_SETS)}; "
                "or give a list of stain names."
            )
        stains = (stains,)
    if not isinstance(stains, Iterable):
        raise OptionError(f"stains={stains!r}: give two or three names, or the name of a set such as 'H&E'.")
    names = tuple(find_stain(name).name for name in stains)
    for name in names:
        if names.count(name) > 1:
            raise OptionError(
                f"stain {name!r} is named twice; two stains cannot share one vector. Name each stain once."
            )
    return names


def reference_vectors(names: str | Iterable[str]) -> np.ndarray:
    """Return the reference directions of named stains.

    Parameters
    ----------
    names : str or iterable of str
        Names of stains, or the name of a stain set.

    Returns
    -------
    ndarray of float64, shape (n_stains, 3)
        Optical density direction over red, green and blue, unit norm. Where several vectors are published for a
        stain (eosin), their normalised sum.

    Raises
    ------
    OptionError
        A name is not known, or a stain is named twice.

    Examples
    --------
    >>> from unmix.materials.stains import reference_vectors
    >>> reference_vectors(["hematoxylin", "eosin"]).round(3)
    array([[0.651, 0.701, 0.29 ],
           [0.149, 0.927, 0.343]])
    """
    return np.array([STAINS[name].vector for name in stain_names(names)])


def nearest_stain(vector: np.ndarray) -> str:
    """Return the name of the stain with the published or reference direction nearest to a unit vector (3,)."""
    directions = {name: np.vstack([stain.variant_vectors, stain.vector]) for name, stain in STAINS.items()}
    return max(STAINS, key=lambda name: float((directions[name] @ vector).max()))


def _plain(name: str) -> str:
    if not isinstance(name, str):
        raise OptionError(f"stain {name!r} is not a name. Known stains: {', '.join(STAINS)}.")
    return "".join(c for c in name.lower() if c.isalnum())
