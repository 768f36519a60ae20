"""Sentinel-2 level 2A and 1C (SAFE): the bands of one resolution, named by ``MTD_MSIL2A.xml``.

Reflectance = (DN + offset) / quantification, both in the metadata; DN 0 is no data. Bands are stacked at the resolution
they come in, 20 m unless `series` says otherwise; nothing is resampled. Classes 3, 8, 9 and 10 of the scene
classification mark clouds and their shadows.
"""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import xarray as xr

from ...errors import OptionError, ReadError
from ..band_files import band_stack, one_band
from ..describe import Description, make_image
from ..naming import shown
from ..pixel_flags import PixelFlags
from ..request import Request
from .metadata_xml import inside, number_in

_NAME = re.compile(r"_(?P<band>B\d{2}|B8A|SCL)(_(?P<resolution>\d{2})m)?$")
_USUAL = (20, 10, 60)
_CLOUD_CLASSES = (3, 8, 9, 10)


def read(path: Path, root: ElementTree.Element, request: Request) -> xr.DataArray:
    """Return the bands of one resolution of a product, given its metadata."""
    facts = {info.get("bandId", ""): info for info in root.iter("Spectral_Information")}
    files = _image_files(root, facts, path)
    resolution = _chosen(files, request, path)
    bands = {name: file for name, file in files[resolution].items() if name != "SCL"}
    raw, grid = band_stack([_existing(path.parent, file) for file in bands.values()])
    ids = {_long_name(info.get("physicalBand", "")): key for key, info in facts.items()}
    missing = [name for name in bands if name not in ids]
    if missing:
        raise ReadError(f"{shown(path)} does not describe band {missing[0]}.")
    about = [facts[ids[name]] for name in bands]
    scale, offset = _scale(root, [ids[name] for name in bands], path)
    low, middle, high = (
        np.array([number_in(info, f"Wavelength/{end}", path) for info in about]) for end in ("MIN", "CENTRAL", "MAX")
    )
    described = Description(
        wavelengths=middle, fwhm=high - low, band_names=list(bands), quantity="reflectance", scale=scale, offset=offset,
        nodata=0.0, crs=grid.crs, transform=grid.transform, cloud=_clouds(files[resolution], path),
        acquired=root.findtext(".//PRODUCT_START_TIME"),
    )  # fmt: skip
    return make_image(path, raw, described, request)


def _image_files(root: ElementTree.Element, facts: dict[str, ElementTree.Element], path: Path) -> dict[int, dict]:
    """Return {resolution: {band: file}} in the order of the bands' wavelengths."""
    sizes = {_long_name(i.get("physicalBand", "")): int(number_in(i, "RESOLUTION", path, 0)) for i in facts.values()}
    found: dict[int, dict[str, str]] = {}
    for element in [*root.iter("IMAGE_FILE"), *root.iter("IMAGE_ID")]:
        named = _NAME.search((element.text or "").strip())
        if named:
            resolution = int(named["resolution"] or sizes.get(named["band"], 0))
            found.setdefault(resolution, {})[named["band"]] = (element.text or "").strip()
    if not any(len(set(bands) - {"SCL"}) > 1 for bands in found.values()):
        raise ReadError(f"{shown(path)} names no image files of two bands or more.")
    order = sorted(sizes, key=lambda name: name.replace("B8A", "B08A"))
    return {r: {b: bands[b] for b in [*order, "SCL"] if b in bands} for r, bands in found.items()}


def _chosen(files: dict[int, dict], request: Request, path: Path) -> int:
    """Return the resolution in metres that `series` names, 20 m by default."""
    there = [r for r in _USUAL if len(set(files.get(r, {})) - {"SCL"}) > 1]
    if request.series is None:
        return there[0]
    wanted = re.fullmatch(r"(\d{2})\s*m?", str(request.series).strip())
    if wanted is None or int(wanted[1]) not in there:
        choices = ", ".join(f"'{r}m'" for r in there)
        raise OptionError(f"series={request.series!r}: {shown(path)} has bands at {choices}.")
    return int(wanted[1])


def _existing(folder: Path, name: str) -> Path:
    """Return the image file metadata names, with the suffix it has."""
    target = inside(folder, name)
    files = [target.with_name(target.name + suffix) for suffix in (".jp2", ".tif", ".TIF", "")]
    return next((file for file in files if file.is_file()), files[0])


def _scale(root: ElementTree.Element, ids: list[str], path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return scale and offset of the bands from the quantification and the offsets of the product."""
    texts = [root.findtext(f".//{name}") for name in ("BOA_QUANTIFICATION_VALUE", "QUANTIFICATION_VALUE")]
    try:
        divisor = float(next(text for text in texts if text))
        added = {
            element.get("band_id"): float(element.text or "")
            for tag in ("BOA_ADD_OFFSET", "RADIO_ADD_OFFSET")
            for element in root.iter(tag)
        }
    except (StopIteration, ValueError) as error:
        raise ReadError(f"{shown(path)}: the quantification or an offset is missing or no number.") from error
    if not divisor > 0:
        raise ReadError(f"{shown(path)}: the quantification {divisor:g} is not positive.")
    if added and any(key not in added for key in ids):
        raise ReadError(f"{shown(path)}: offsets are given, but not for every band.")
    offset = np.array([added.get(key, 0.0) for key in ids])
    return np.full(len(ids), 1 / divisor), offset / divisor


def _clouds(files: dict[str, str], path: Path) -> PixelFlags | None:
    if "SCL" not in files:
        return None
    scene = _existing(path.parent, files["SCL"])
    return PixelFlags(one_band(scene)[0], values=_CLOUD_CLASSES) if scene.is_file() else None


def _long_name(physical: str) -> str:
    """Return B02 for B2, as files are called."""
    return f"B0{physical[1:]}" if re.fullmatch(r"B\d", physical) else physical
