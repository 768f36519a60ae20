"""Where an ENVI scene lies: ``map info`` and ``coordinate system string`` as an affine transform and a CRS."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from ..errors import warn
from .envi_header import Header
from .naming import shown

if TYPE_CHECKING:
    from affine import Affine

_UTM_BASE = {
    ("wgs84", "north"): 32600, ("wgs84", "south"): 32700,
    ("northamerica1983", "north"): 26900, ("nad83", "north"): 26900,
    ("northamerica1927", "north"): 26700, ("nad27", "north"): 26700,
}  # fmt: skip
_GEOGRAPHIC = {"wgs84": 4326, "northamerica1983": 4269, "nad83": 4269, "northamerica1927": 4267, "nad27": 4267}


def placement(header: Header) -> tuple[Any, Affine | None]:
    """Return (CRS, transform) of a scene; None where the header does not say.

    The reference pixel is one-based with 1.0 at the upper left corner of the first pixel; rotation is in degrees as
    GDAL reads it, about the reference pixel. GDAL writes ``rotation=180`` for rows that run northwards; so it is read.
    """
    if "map info" not in header:
        return None, None
    items = header.items("map info")
    fields = [item for item in items if "=" not in item]
    options = dict(item.lower().split("=", 1) for item in items if "=" in item)
    if len(fields) < 7:
        raise header.error(f"'map info' has {len(fields)} fields; at least 7 are needed")
    column, row, x, y, width, height = (header.as_number("map info", text) for text in fields[1:7])
    if width == 0 or height == 0:
        raise header.error("'map info' gives a pixel size of 0")
    transform = _affine(
        column, row, x, y, width, height, header.as_number("rotation", options.get("rotation", "0").strip())
    )
    if _key(fields[0]) == "arbitrary" and abs(width) == abs(height) == 1:
        return None, None
    return _crs(header, fields), transform


def _affine(column: float, row: float, x: float, y: float, width: float, height: float, rotation: float) -> Affine:
    from affine import Affine

    if rotation == 180:
        return Affine(width, 0.0, x - (column - 1) * width, 0.0, height, y + (row - 1) * height)
    turn = -math.radians(rotation)
    cos, sin = (1.0, 0.0) if rotation == 0 else (math.cos(turn), math.sin(turn))
    a, b = cos * width, -sin * width
    d, e = -sin * height, -cos * height
    return Affine(a, b, x - (column - 1) * a - (row - 1) * b, d, e, y - (column - 1) * d - (row - 1) * e)


def _crs(header: Header, fields: list[str]) -> Any:
    """Return the CRS of the coordinate system string, else of the projection's name; None with a warning else."""
    if "coordinate system string" in header:
        return _from_wkt(header)
    name, code = _key(fields[0]), None
    if name == "utm" and len(fields) >= 10 and re.fullmatch(r"\d{1,2}", fields[7]):
        base = _UTM_BASE.get((_key(fields[9]), fields[8].lower()))
        code = base + int(fields[7]) if base and 1 <= int(fields[7]) <= 60 else None
    elif name == "geographiclatlon" and len(fields) >= 8:
        code = _GEOGRAPHIC.get(_key(fields[7]))
    if code is not None:
        from rasterio.crs import CRS

        return CRS.from_epsg(code)
    if name != "arbitrary":
        _warn(f"{shown(header.path)}: the projection of 'map info' is not known; coordinates are kept without a CRS.")
    return None


def _from_wkt(header: Header) -> Any:
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    try:
        return CRS.from_wkt(" ".join(header.text("coordinate system string").split()), morph_from_esri_dialect=True)
    except CRSError:
        _warn(
            f"{shown(header.path)}: 'coordinate system string' is not understood; coordinates are kept without a CRS."
        )
        return None


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _warn(message: str) -> None:
    warn(message)
