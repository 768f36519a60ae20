"""Spectral libraries at work: as known endmembers on an image's bands, and as names for what was found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from .errors import DataError, OptionError
from .materials.library import LibraryMatch, SpectralLibrary, library_angles, nearest_match, numbered
from .result import check_result

NAMING_ANGLE = 0.25
"""An endmember farther from every spectrum of the library than this, in radians, keeps the name it had."""


def on_bands_of(library: SpectralLibrary, image: xr.DataArray) -> xr.DataArray:
    """Return a library on the bands of an image: dims endmember and band, with a ``material`` for each endmember.

    Raises
    ------
    OptionError
        The image has no wavelengths.
    DataError
        A spectrum of the library has no value in a good band.
    """
    if "wavelength" not in image.coords or not np.isfinite(image.coords["wavelength"].values).any():
        raise OptionError("the image has no wavelengths to bring a library to. Give them to as_image(wavelengths=).")
    spectra = _spectra_on(library, image)
    good = np.flatnonzero(image.coords["good_band"].values)
    short = np.flatnonzero(~np.isfinite(spectra[:, good]).all(axis=1))
    if len(short):
        nm = image.coords["wavelength"].values[good[~np.isfinite(spectra[short[0], good])]]
        raise DataError(
            f"{library.names[short[0]]!r} of the library has no value in {len(nm)} band(s) of the image, the first at "
            f"{np.nanmin(nm):.0f} nm. Say bands= or exclude= to leave them out."
        )
    coords = {"endmember": list(library.names), "material": ("endmember", list(library.materials))}
    return xr.DataArray(spectra, dims=("endmember", "band"), coords=coords)


def known_spectra(library: SpectralLibrary | None, known: str | None) -> SpectralLibrary | None:
    """Return the spectra of these names or materials, separated by commas, or ``all``; None where none are asked."""
    if library is None or known is None:
        return None
    return library if known.strip() == "all" else library.select([name.strip() for name in known.split(",")])


def name_endmembers(result: xr.Dataset, library: SpectralLibrary, *, rename: bool = True) -> xr.Dataset:
    """Name the endmembers of a result by the nearest spectra of a library.

    Parameters
    ----------
    result : Dataset
        As from `unmix.unmix`, with wavelengths.
    library : SpectralLibrary
        Brought to the result's bands with a Gaussian response (`fwhm`, or the distance between bands).
    rename : bool
        Give each endmember within 0.25 rad of its nearest spectrum that spectrum's name; a name that comes up twice is
        numbered. The others keep theirs.

    Returns
    -------
    xarray.Dataset
        The result with ``library_name``, ``library_angle`` (radians), ``library_runner_up`` (the nearest spectrum of
        another material) and ``library_margin`` (how much farther that is) for each endmember.

    Raises
    ------
    OptionError
        The result has no wavelengths.
    DataError
        `result` is not a result, or the library covers none of its bands.

    Examples
    --------
    >>> import numpy as np, unmix
    >>> from unmix.synthetic import hyperspectral_scene
    >>> scene = hyperspectral_scene(1, materials=["vegetation", "sand", "water"], shape=(30, 40), snr=50)
    >>> library = unmix.SpectralLibrary(scene.endmembers, scene.names, scene.image["wavelength"])
    >>> named = unmix.name_endmembers(unmix.unmix(scene.image, 3), library)
    >>> sorted(named["endmember"].values.tolist())
    ['sand', 'vegetation', 'water']
    """
    check_result(result)
    matches = compare_with_library(result["endmembers"].values, library, result).matches
    about = {"long_name": "nearest spectrum of the library"}
    named = result.assign(
        library_name=("endmember", np.array([m.name for m in matches], dtype=np.str_), about),
        library_angle=("endmember", np.array([m.angle for m in matches]), {"long_name": "angle to it", "units": "rad"}),
        library_runner_up=("endmember", np.array([m.runner_up for m in matches], dtype=np.str_)),
        library_margin=("endmember", np.array([m.margin for m in matches]), {"units": "rad"}),
    )
    if rename:
        old = [str(name) for name in result["endmember"].values]
        new = [m.name if m.angle < NAMING_ANGLE else kept for m, kept in zip(matches, old, strict=True)]
        named = named.assign_coords(endmember=np.array(numbered(new), dtype=np.str_))
    return named


@dataclass(frozen=True)
class LibraryComparison:
    """How far endmembers are from every spectrum of a library.

    Parameters
    ----------
    library : SpectralLibrary
        What they were compared with.
    spectra : ndarray, shape (n, n_bands)
        Its spectra on the bands of the endmembers, NaN where it has no value.
    angles : ndarray, shape (r, n)
        Radians, over the good bands that the library covers.
    """

    library: SpectralLibrary
    spectra: np.ndarray
    angles: np.ndarray

    @property
    def matches(self) -> list[LibraryMatch]:
        """The nearest spectrum of each endmember, and the next of another material."""
        return [nearest_match(angles, self.library) for angles in self.angles]


def compare_with_library(
    endmembers: np.ndarray, library: SpectralLibrary, holder: xr.DataArray | xr.Dataset
) -> LibraryComparison:
    """Compare spectra with every spectrum of a library.

    Parameters
    ----------
    endmembers : ndarray, shape (r, n_bands)
        Additive values.
    library : SpectralLibrary
        Brought to the bands with a Gaussian response (`fwhm`, or the distance between bands).
    holder : DataArray or Dataset
        The image or result whose bands the endmembers have, with wavelengths.

    Raises
    ------
    OptionError
        The image or result has no wavelengths.
    DataError
        The library covers fewer than 3 good bands.

    Examples
    --------
    >>> import numpy as np, unmix
    >>> from unmix.library_names import compare_with_library
    >>> image = unmix.as_image(np.ones((2, 2, 3)), quantity="reflectance", wavelengths=[600.0, 700.0, 800.0])
    >>> library = unmix.SpectralLibrary([[0.1, 0.3, 0.5], [0.3, 0.3, 0.4]], ["grass", "soil"], [600, 700, 800])
    >>> compare_with_library(np.array([[0.2, 0.6, 1.0]]), library, image).matches[0].name
    'grass'
    """
    what = "image" if isinstance(holder, xr.DataArray) else "result"
    if "wavelength" not in holder.coords or not np.isfinite(holder.coords["wavelength"].values).any():
        raise OptionError(f"the {what} has no wavelengths, so a library cannot be compared with it.")
    spectra = _spectra_on(library, holder)
    good = holder.coords["good_band"].values if "good_band" in holder.coords else np.ones(spectra.shape[1], bool)
    covered = np.isfinite(spectra).any(axis=0) & good
    if covered.sum() < 3:
        raise DataError(f"the library has values in fewer than 3 of the {what}'s good bands: nothing can be named.")
    return LibraryComparison(library, spectra, library_angles(endmembers[:, covered], spectra[:, covered]))


def _spectra_on(library: SpectralLibrary, holder: xr.DataArray | xr.Dataset) -> np.ndarray:
    """Return the spectra (n, n_bands) as an instrument with the bands of an image or a result would measure them."""
    from .materials.library import band_widths, resample

    centres = holder.coords["wavelength"].values
    widths = band_widths(centres)
    if "fwhm" in holder.coords:
        given = holder.coords["fwhm"].values
        widths = np.where(np.isfinite(given), given, widths)
    return resample(library.spectra, library.wavelengths, centres, widths, library.fwhm)
