"""Where the sample images are, and what their truth is.

A wheel carries them inside the package; an editable install finds them beside it.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from .errors import OptionError, ReadError

_FILES = {"tissue_he": "tissue_he.png", "coast": "coast.hdr", "cells_lambda": "cells_lambda.tif"}
_FOLDER = "sample_images"


def sample_names() -> tuple[str, ...]:
    """Return the names of the sample images."""
    return tuple(_FILES)


def sample_path(name: str) -> Path:
    """Return the file of a sample image.

    Parameters
    ----------
    name : {'tissue_he', 'coast', 'cells_lambda'}
        The sample; an ending such as ``.png`` is taken as well.

    Returns
    -------
    Path
        The file to read. Of the ENVI pair it is the header.

    Raises
    ------
    OptionError
        There is no such sample.
    ReadError
        The sample did not come with this installation.

    Examples
    --------
    >>> from unmix.samples import sample_path
    >>> sample_path("coast").name
    'coast.hdr'
    """
    return _found(_FILES[_known(name)])


def sample_truth(name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return what a sample image was made of.

    Parameters
    ----------
    name : {'tissue_he', 'coast', 'cells_lambda'}
        The sample.

    Returns
    -------
    endmembers : ndarray of float64, shape (r, n_bands)
        Stain vectors in optical density, reflectance spectra, or emission spectra that sum to one.
    names : tuple of str
        Their names.

    Raises
    ------
    OptionError
        There is no such sample.
    ReadError
        The truth did not come with this installation, or is damaged.

    Examples
    --------
    >>> from unmix.samples import sample_truth
    >>> endmembers, names = sample_truth("tissue_he")
    >>> endmembers.shape, names
    ((2, 3), ('hematoxylin', 'eosin'))
    """
    stored = _stored(name)
    return stored["endmembers"], tuple(str(n) for n in stored["names"])


def sample_abundances(name: str) -> np.ndarray:
    """Return how much of every endmember is in each pixel of a sample image.

    Parameters
    ----------
    name : {'tissue_he', 'coast', 'cells_lambda'}
        The sample.

    Returns
    -------
    ndarray of float64, shape (r, y, x)
        Concentrations, fractions, or expected counts, in steps of 1/255 of each one's largest.

    Raises
    ------
    OptionError
        There is no such sample.
    ReadError
        The truth did not come with this installation, or is damaged.

    Examples
    --------
    >>> from unmix.samples import sample_abundances
    >>> sample_abundances("coast").shape
    (5, 80, 84)
    """
    stored = _stored(name)
    return stored["abundances"] * stored["abundance_step"][:, None, None]


def _known(name: str) -> str:
    """Return the sample's name without the ending of its file."""
    stem = str(name).partition(".")[0]
    if stem not in _FILES:
        raise OptionError(f"there is no sample {name!r}. Use one of {', '.join(_FILES)}.")
    return stem


def _found(file_name: str) -> Path:
    """Return the path of a sample file, inside the package or beside it."""
    package = Path(__file__).resolve().parent
    for folder in (package / _FOLDER, package.parent / _FOLDER):
        if (folder / file_name).is_file():
            return folder / file_name
    raise ReadError(
        f"{file_name} did not come with this installation. "
        "Make it: python -m unmix.synthetic.sample_images sample_images."
    )


def _stored(name: str) -> dict[str, np.ndarray]:
    """Return the arrays of a sample's truth file."""
    path = _found(f"{_known(name)}.truth.npz")
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {key: archive[key] for key in ("endmembers", "names", "abundances", "abundance_step")}
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise ReadError(f"{path} is damaged: {error}.") from error
