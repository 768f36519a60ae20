"""Which other files a reader takes into account beside the one it is given: by their names, without opening any."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from ..errors import UnmixError
from .envi import find_header, partners

_FAMILIES = (
    (r"(?P<scene>.+)-(SPECTRAL_IMAGE(_COG)?\.tiff?|METADATA\.xml)", r"{scene}-(SPECTRAL_IMAGE|METADATA|QL_QUALITY).*"),
    (r"(?P<scene>.+)_MTL\.txt", r"{scene}_(SR_B\d|QA_PIXEL|MTL)\..*"),
    (r"(?P<scene>ang\d{8}t\d{6}).*", r"{scene}.*_glt(\.img|\.dat)?(\.hdr)?"),
    (r"(?P<scene>.+)\.imzML", r"{scene}\.ibd"),
)
"""How a file is named, and how those beside it are; EnMAP and DESIS, Landsat, AVIRIS-NG, imzML."""

_SENTINEL_2 = re.compile(r"MTD_MSIL\w+\.xml", re.IGNORECASE)
_SENTINEL_2_IMAGES = {".jp2", ".tif"}
_MIRAX = ".mrxs"


def files_of(path: Path) -> list[Path]:
    """Return every file of an input, sorted: header and data, quality layers, tables, all that is in a folder."""
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    return sorted({path, *_pair(path), *_named_alike(path), *_below(path)})


def _pair(path: Path) -> tuple[Path, ...]:
    """Return header and data of an ENVI cube."""
    if path.suffix.lower() != ".hdr" and find_header(path) is None:
        return ()
    try:
        return partners(path)
    except UnmixError:
        return ()  # the reader will say what is wrong with it


def _named_alike(path: Path) -> Iterator[Path]:
    """Yield the files of one product that lie in one folder."""
    for own, others in _FAMILIES:
        found = re.fullmatch(own, path.name, re.IGNORECASE)
        if found is not None and path.parent.is_dir():
            wanted = re.compile(others.format(scene=re.escape(found["scene"])), re.IGNORECASE)
            yield from (file for file in path.parent.iterdir() if wanted.fullmatch(file.name) and file.is_file())


def _below(path: Path) -> Iterator[Path]:
    """Yield what lies in folders: the tiles of a MIRAX slide, the images Sentinel-2's metadata stands for."""
    if path.suffix.lower() == _MIRAX and path.with_suffix("").is_dir():
        yield from files_of(path.with_suffix(""))
    if _SENTINEL_2.fullmatch(path.name) and (path.parent / "GRANULE").is_dir():
        yield from (f for f in files_of(path.parent / "GRANULE") if f.suffix.lower() in _SENTINEL_2_IMAGES)
