"""What EnMAP and DESIS have in common: ``NAME-SPECTRAL_IMAGE.TIF`` with ``NAME-METADATA.XML`` beside it.

Quality layers are rasters beside it. EnMAP: QL_QUALITY_CLASSES (3 is background), _CLOUD and _CLOUDSHADOW (1), _CIRRUS
(1 thin, 2 medium, 3 thick). DESIS L2A: QL_QUALITY-2, whose bands 1, 6 and 7 are shadow and cloud over land and water.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from ...errors import ReadError
from ..describe import Description
from ..naming import shown
from ..pixel_flags import PixelFlags
from ..window import Raw
from .metadata_xml import beside, number_in, read_xml

_IMAGE = re.compile(r"^(?P<scene>.+)-SPECTRAL_IMAGE(_COG)?\.(tif|tiff)$", re.IGNORECASE)
_METADATA = re.compile(r"^(?P<scene>.+)-METADATA\.xml$", re.IGNORECASE)
_FILL = -32768.0
_ENDS = (".TIF", ".TIFF", "_COG.TIFF", "_COG.TIF")
_ENMAP_CLOUDS = (("QUALITY_CLOUD", (1,)), ("QUALITY_CLOUDSHADOW", (1,)), ("QUALITY_CIRRUS", (2, 3)))
_DESIS_CLOUDS = (0, 5, 6)


@dataclass(frozen=True)
class BandTags:
    """What one mission calls the numbers of a band in its metadata."""

    band: str
    width: str
    gain: str
    offset: str


ENMAP = BandTags(".//bandCharacterisation/bandID", "FWHMOfBand", "GainOfBand", "OffsetOfBand")
DESIS = BandTags(".//bandCharacterisation/band", "wavelengthWidthOfBand", "gainOfBand", "offsetOfBand")


def metadata_of(image: Path) -> Path | None:
    """Return the metadata beside a spectral image, None for other files and where there is none."""
    found = _IMAGE.match(image.name)
    return None if found is None else beside(image, f"{found['scene']}-METADATA.XML")


def image_of(metadata: Path) -> Path:
    """Return the spectral image beside metadata, or raise `ReadError` naming what was looked for."""
    found = _METADATA.match(metadata.name)
    scene = "" if found is None else found["scene"]
    names = [f"{scene}-SPECTRAL_IMAGE{end}" for end in (".TIF", "_COG.TIFF", "_COG.TIF", ".TIFF")]
    images = [image for image in (beside(metadata, name) for name in names) if image is not None]
    if not images or found is None:
        raise ReadError(f"{shown(metadata)}: its image is not beside it; tried {', '.join(names[:2])}.")
    return images[0]


def described_with(described: Description, metadata: Path, n_bands: int) -> Description:
    """Return the description of a spectral image with what its metadata says about bands and scale."""
    root = read_xml(metadata)
    tags = ENMAP if root.find(ENMAP.band) is not None else DESIS
    bands = root.findall(tags.band)
    if not bands:
        return described
    if len(bands) != n_bands:
        raise ReadError(f"{shown(metadata)} describes {len(bands)} bands; the image has {n_bands}.")
    columns = [
        [
            number_in(band, "wavelengthCenterOfBand", metadata),
            number_in(band, tags.width, metadata, float("nan")),
            number_in(band, tags.gain, metadata, 1.0),
            number_in(band, tags.offset, metadata, 0.0),
        ]
        for band in bands
    ]
    centre, width, gain, offset = np.array(columns, np.float64).T
    if not (np.isfinite(gain).all() and np.isfinite(offset).all() and (centre > 0).all()):
        raise ReadError(f"{shown(metadata)}: a wavelength, gain or offset is not a usable number.")
    described.wavelengths, described.fwhm, described.scale, described.offset = centre, width, gain, offset
    described.nodata = _FILL if described.nodata is None else described.nodata
    described.present = _expected(root, n_bands)
    described.acquired = root.findtext("specific/datatakeStart") or root.findtext("base/temporalCoverage/startTime")
    described.quantity = "reflectance" if _level(root, metadata) == "L2A" else "radiance"
    return described


def marked_pixels(image: Path, open_layer: Callable[[Path], Raw]) -> tuple[PixelFlags | None, PixelFlags | None]:
    """Return which pixels the quality layers beside a spectral image call background, and which cloud or shadow."""
    classes = _layer(image, "QUALITY_CLASSES")
    empty = None if classes is None else PixelFlags(open_layer(classes), values=(3,))
    cloud: PixelFlags | None = None
    for name, values in _ENMAP_CLOUDS:
        path = _layer(image, name)
        if path is not None:
            cloud = PixelFlags(open_layer(path), values=values, also=cloud)
    path = _layer(image, "QUALITY-2")
    if path is not None:
        cloud = PixelFlags(open_layer(path), bits=-1, bands=_DESIS_CLOUDS, also=cloud)
    return empty, cloud


def _layer(image: Path, name: str) -> Path | None:
    """Return a quality layer beside a spectral image, or None."""
    found = _IMAGE.match(image.name)
    scene = "" if found is None else found["scene"]
    paths = (beside(image, f"{scene}-QL_{name}{end}") for end in _ENDS)
    return next((path for path in paths if path is not None), None)


def _level(root: ElementTree.Element, metadata: Path) -> str:
    """Return the processing level: as the metadata says, else as the name does."""
    text = (root.findtext("base/level") or root.findtext("base/productType") or metadata.name).upper()
    return "L2A" if "L2A" in text else "L1"


def _expected(root: ElementTree.Element, n_bands: int) -> np.ndarray | None:
    """Return which bands EnMAP's detectors deliver, None where nothing is said."""
    texts = [root.findtext(f"specific/{detector}ProductQuality/expectedChannelsList") for detector in ("vnir", "swir")]
    numbers = [int(n) for text in texts for n in re.findall(r"\d{1,6}", text or "")]
    if not numbers or max(numbers) > n_bands or min(numbers) < 1:
        return None
    present = np.zeros(n_bands, bool)
    present[np.array(numbers) - 1] = True
    return present
