"""What the attributes of a CF grid mapping say: the CRS, the affine transform, and whether it is a place on Earth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from affine import Affine

_EARTH_RADIUS = (6.3e6, 6.45e6)


def crs_of(attrs: Mapping[str, Any]) -> Any:
    """Return the CRS of a grid mapping's attributes (``crs_wkt``, ``spatial_ref``, or CF parameters), or None."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    for key in ("crs_wkt", "spatial_ref", "epsg_code"):
        if plain_text(attrs.get(key)):
            try:
                return CRS.from_user_input(plain_text(attrs[key]))
            except CRSError:
                continue
    if "grid_mapping_name" not in attrs:
        return None
    import pyproj

    try:
        plain = {k: plain_text(v) if isinstance(v, (bytes, str)) else v for k, v in attrs.items()}
        return CRS.from_wkt(pyproj.CRS.from_cf(plain).to_wkt())
    except (pyproj.exceptions.CRSError, CRSError, KeyError, TypeError, ValueError):
        return None


def transform_of(attrs: Mapping[str, Any]) -> Affine | None:
    """Return the affine transform of a ``GeoTransform`` attribute (c a b f d e, as GDAL orders it), or None."""
    from affine import Affine

    try:
        c, a, b, f, d, e = (float(v) for v in plain_text(attrs.get("GeoTransform")).split())
    except ValueError:
        return None
    return Affine(a, b, c, d, e, f)


def is_on_earth(crs: Any) -> bool:
    """Return whether a CRS is of a body the size of Earth: not of the Moon, Mars or a laboratory bench."""
    import pyproj

    try:
        ellipsoid = pyproj.CRS.from_user_input(crs).ellipsoid
    except pyproj.exceptions.CRSError:
        return False
    return ellipsoid is not None and _EARTH_RADIUS[0] < ellipsoid.semi_major_metre < _EARTH_RADIUS[1]


def plain_text(value: Any) -> str:
    """Return an attribute as text: bytes decoded, arrays of one taken out."""
    if hasattr(value, "shape") and getattr(value, "size", 0) == 1:
        value = value.reshape(-1)[0]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return "" if value is None else str(value)
