"""Spectral libraries: named spectra of pure materials, brought to an image's bands, and matched with what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, OptionError
from ..metrics import spectral_angle

SHADE = "shade"
_SIGMAS_PER_FWHM = 1 / (2 * np.sqrt(2 * np.log(2)))
_REACH = 6.0
_LEAST_COVERED = 0.5
_FAIR_SHARE = 0.25


@dataclass(frozen=True, eq=False)
class SpectralLibrary:
    """Named spectra over common wavelengths.

    Parameters
    ----------
    spectra : array_like, shape (n, n_bands)
        One spectrum a row, NaN where there is no value.
    names : sequence of str
        One name a spectrum; a name given twice is numbered.
    wavelengths : array_like, shape (n_bands,)
        Nanometres, in any order; finite and positive.
    fwhm : array_like, shape (n_bands,), optional
        Width of the response that each value was measured with, in nanometres.
    materials : sequence of str, optional
        What each spectrum is one of (several spectra of one material are a bundle); the names when not given.

    Examples
    --------
    >>> from unmix.materials.library import SpectralLibrary
    >>> library = SpectralLibrary([[0.1, 0.5], [0.1, 0.4], [0.3, 0.3]], ["grass", "grass", "soil"], [600, 800])
    >>> library.names, library.materials
    (('grass', 'grass 2', 'soil'), ('grass', 'grass', 'soil'))
    """

    spectra: np.ndarray
    names: tuple[str, ...]
    wavelengths: np.ndarray
    fwhm: np.ndarray | None = None
    materials: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        spectra = np.atleast_2d(np.asarray(self.spectra, np.float64))
        wavelengths = np.asarray(self.wavelengths, np.float64).ravel()
        given = tuple(str(name).strip() or "unnamed" for name in self.names)
        if spectra.ndim != 2 or spectra.shape != (len(given), len(wavelengths)) or 0 in spectra.shape:
            raise DataError(
                f"{len(given)} names and {len(wavelengths)} wavelengths for spectra of shape {spectra.shape}."
            )
        if not (np.isfinite(wavelengths).all() and (wavelengths > 0).all()):
            raise DataError("a wavelength of the library is not a positive number of nanometres.")
        materials = tuple(str(one) for one in self.materials) or given
        if len(materials) != len(given):
            raise DataError(f"{len(materials)} materials for {len(given)} spectra.")
        fwhm = None if self.fwhm is None else np.asarray(self.fwhm, np.float64).ravel()
        if fwhm is not None and fwhm.shape != wavelengths.shape:
            raise DataError(f"fwhm has {len(fwhm)} values for {len(wavelengths)} wavelengths.")
        order = np.argsort(wavelengths, kind="stable")
        object.__setattr__(self, "spectra", spectra[:, order])
        object.__setattr__(self, "wavelengths", wavelengths[order])
        object.__setattr__(self, "fwhm", None if fwhm is None else fwhm[order])
        object.__setattr__(self, "names", numbered(given))
        object.__setattr__(self, "materials", materials)

    def __len__(self) -> int:
        return len(self.names)

    def select(self, wanted: Iterable[str]) -> SpectralLibrary:
        """Return the spectra of these names, or of these materials with all their spectra, in the order asked for."""
        rows: list[int] = []
        for one in wanted:
            found = [k for k, name in enumerate(self.names) if name == one]
            found = found or [k for k, material in enumerate(self.materials) if material == one]
            if not found:
                raise OptionError(f"{one!r} is not in the library. {self._near(one)}")
            rows += [k for k in found if k not in rows]
        if not rows:
            raise OptionError("no spectrum of the library is asked for.")
        names, materials = (tuple(all_of[k] for k in rows) for all_of in (self.names, self.materials))
        return replace(self, spectra=self.spectra[rows], names=names, materials=materials)

    def with_shade(self, value: float = 0.0) -> SpectralLibrary:
        """Return the library with one more spectrum, ``shade``: the same small value in every band.

        With ``constraint="sum_to_one"`` its abundance is how dark a pixel is. A shade of 0 says what the constraint
        ``shade`` says without it: brightness is one minus its abundance.
        """
        if not (np.isfinite(value) and value >= 0):
            raise OptionError(f"shade={value!r} is not a number from 0 upwards.")
        if SHADE in self.names:
            raise OptionError("the library has a spectrum called 'shade' already.")
        spectra = np.vstack([self.spectra, np.full(len(self.wavelengths), value)])
        return replace(self, spectra=spectra, names=(*self.names, SHADE), materials=(*self.materials, SHADE))

    def resampled(self, wavelengths: ArrayLike, fwhm: ArrayLike | None = None) -> SpectralLibrary:
        """Return the library as an instrument with these bands would have measured it; see `resample`."""
        centres = np.asarray(wavelengths, np.float64)
        order = np.argsort(centres, kind="stable")
        widths = band_widths(centres) if fwhm is None else np.asarray(fwhm, np.float64)
        spectra = resample(self.spectra, self.wavelengths, centres, widths, self.fwhm)
        return replace(self, spectra=spectra[:, order], wavelengths=centres[order], fwhm=widths[order])

    def _near(self, name: str) -> str:
        import difflib

        close = difflib.get_close_matches(name, (*self.names, *self.materials), 1)
        return f"Did you mean {close[0]!r}?" if close else f"It has {', '.join(self.names[:6])}, ..."


@dataclass(frozen=True)
class LibraryMatch:
    """The library spectra nearest to one endmember, angles in radians; no runner-up in a library of one material."""

    name: str
    angle: float
    runner_up: str
    margin: float


def resample(
    spectra: np.ndarray,
    from_wavelengths: np.ndarray,
    to_wavelengths: np.ndarray,
    to_fwhm: np.ndarray,
    from_fwhm: np.ndarray | None = None,
) -> np.ndarray:
    """Average spectra under the Gaussian response of each band of another instrument.

    Parameters
    ----------
    spectra : ndarray, shape (n, b)
        NaN where there is no value.
    from_wavelengths : ndarray, shape (b,)
        Rising, nanometres.
    to_wavelengths, to_fwhm : ndarray, shape (m,)
        Centres and full widths at half maximum of the wanted bands, nanometres; a NaN centre gives NaN.
    from_fwhm : ndarray, shape (b,), optional
        Width the spectra were measured with, else the distance between their values: only what is missing to the
        wanted width is smoothed away.

    Returns
    -------
    ndarray, shape (n, m)
        NaN where less than half of a band's response is covered by values. Bands narrower than the spectra are
        sampled by linear interpolation between neighbours.

    References
    ----------
    Gaussian response: the instruments' own convention for FWHM.
    """
    out = np.full((len(spectra), len(to_wavelengths)), np.nan)
    spacing = np.gradient(from_wavelengths) if len(from_wavelengths) > 1 else np.ones(1)
    own = band_widths(from_wavelengths) if from_fwhm is None else from_fwhm
    known = np.isfinite(spectra)
    filled = np.where(known, spectra, 0.0)
    for k, (centre, width) in enumerate(zip(to_wavelengths, to_fwhm, strict=True)):
        if not np.isfinite(centre):
            continue
        nearest = int(np.argmin(np.abs(from_wavelengths - centre)))
        missing = width if np.isfinite(width) else 0.0
        if np.isfinite(own[nearest]):
            missing = np.sqrt(max(missing**2 - own[nearest] ** 2, 0.0))
        weights = _response(from_wavelengths, centre, missing * _SIGMAS_PER_FWHM, spacing, nearest)
        covered = known @ weights
        with np.errstate(invalid="ignore", divide="ignore"):
            out[:, k] = np.where(covered > _LEAST_COVERED, (filled @ weights) / covered, np.nan)
    return out


def band_widths(centres: np.ndarray) -> np.ndarray:
    """Return the distance to the nearest neighbouring band, for bands whose width is not known."""
    finite = np.sort(centres[np.isfinite(centres)])
    if len(finite) < 2:
        return np.zeros(len(centres))
    steps = np.abs(centres[:, None] - finite[None])
    steps[steps == 0] = np.inf
    return np.where(np.isfinite(centres), steps.min(axis=1), np.nan)


def match_library(spectra: np.ndarray, library: SpectralLibrary) -> list[LibraryMatch]:
    """Return, for each spectrum (r, n_bands) on the library's bands, the nearest by angle and the next other material.

    The margin is how much farther the runner-up is, in radians; near zero, the name is a toss.

    Examples
    --------
    >>> from unmix.materials.library import SpectralLibrary, match_library
    >>> library = SpectralLibrary([[0.1, 0.5, 0.5], [0.3, 0.3, 0.4]], ["grass", "soil"], [600, 800, 900])
    >>> match_library([[0.2, 1.0, 1.0]], library)[0].name
    'grass'
    """
    found = np.atleast_2d(np.asarray(spectra, np.float64))
    return [nearest_match(angles, library) for angles in library_angles(found, library.spectra)]


def library_angles(spectra: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Return the angles (r, n) of spectra (r, n_bands) to references (n, n_bands), radians; pi where there is none."""
    return np.array([np.nan_to_num(spectral_angle(one[None], references), nan=np.pi) for one in spectra])


def nearest_match(angles: np.ndarray, library: SpectralLibrary) -> LibraryMatch:
    """Return the match that the angles (n,) to each spectrum of a library mean."""
    best = int(np.argmin(angles))
    others = [k for k in range(len(library)) if library.materials[k] != library.materials[best]]
    runner = min(others, key=lambda k: angles[k], default=None)
    if runner is None:
        return LibraryMatch(library.names[best], float(angles[best]), "", float("inf"))
    return LibraryMatch(
        library.names[best], float(angles[best]), library.names[runner], float(angles[runner] - angles[best])
    )


def numbered(names: Sequence[str]) -> tuple[str, ...]:
    """Return names that differ: the second ``soil`` becomes ``soil 2``, the next free number."""
    taken: set[str] = set()
    told: list[str] = []
    for name in names:
        label, count = name, 1
        while label in taken or (count > 1 and label in names):
            count += 1
            label = f"{name} {count}"
        taken.add(label)
        told.append(label)
    return tuple(told)


def _response(x: np.ndarray, centre: float, sigma: float, spacing: np.ndarray, nearest: int) -> np.ndarray:
    """Return the weights (b,) of values at x for a band; they sum to the share of the response that x covers."""
    weights = np.zeros(len(x))
    if sigma > _FAIR_SHARE * spacing[nearest]:
        near = np.abs(x - centre) <= _REACH * sigma
        weights[near] = np.exp(-0.5 * ((x[near] - centre) / sigma) ** 2) * spacing[near]
        return weights / (sigma * np.sqrt(2 * np.pi))
    if len(x) > 1 and x[0] <= centre <= x[-1]:
        right = int(np.clip(np.searchsorted(x, centre), 1, len(x) - 1))
        gap = x[right] - x[right - 1]
        share = (centre - x[right - 1]) / gap if gap > 0 else 1.0
        weights[right - 1], weights[right] = 1 - share, share
    elif np.abs(x[nearest] - centre) <= 0.5 * abs(spacing[nearest]):
        weights[nearest] = 1.0
    return weights
