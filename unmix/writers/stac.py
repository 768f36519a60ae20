"""STAC: an item (SpatioTemporal Asset Catalog 1.0.0) saying where and when a scene is, and listing the files beside it.

Links are relative, so the folder can be moved. Where the file does not say when the scene was recorded, ``datetime`` is
null and the interval ends when the result was made: it was recorded at some time before that. The fields ``proj:*``
are those of the projection extension, which is not declared: its identifier is an address.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import OptionError
from ..ground_grid import on_the_ground
from .commit import commit_bytes
from .facts import affine, crs_wkt, labels, provenance, source_name, source_path

_EARLIEST = "1900-01-01T00:00:00Z"
_STEPS = 8
_ASSETS: dict[str, tuple[str, str, list[str]]] = {
    "result.nc": ("whole result", "application/netcdf", ["data"]),
    "result.zarr": ("whole result", "application/vnd+zarr", ["data"]),
    "endmembers.csv": ("endmember table", "text/csv", ["metadata"]),
    "endmembers.sli": ("endmembers as an ENVI spectral library", "application/octet-stream", ["metadata"]),
    "endmembers.hdr": ("header of the spectral library", "text/plain", ["metadata"]),
    "preview.png": ("preview", "image/png", ["overview"]),
    "abundances.tif": ("abundances", "image/tiff; application=geotiff", ["data"]),
    "abundances.cog.tif": ("abundances", "image/tiff; application=geotiff; profile=cloud-optimized", ["data"]),
    "abundances.img": ("abundances as an ENVI cube", "application/octet-stream", ["data"]),
    "abundances.hdr": ("header of the ENVI cube", "text/plain", ["metadata"]),
    "residual.tif": ("residual", "image/tiff; application=geotiff", ["data"]),
    "brightness.tif": ("brightness", "image/tiff; application=geotiff", ["data"]),
}


def write_item(result: xr.Dataset, path: Path, *, overwrite: bool = False, others: Sequence[Path] = ()) -> Path:
    """Write a STAC item that lists the files `others`, as far as they are in its folder.

    Raises
    ------
    OptionError
        The result has no place on Earth.
    """
    content = json.dumps(item_of(result, others), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    return commit_bytes(path, content.encode(), overwrite=overwrite, source=source_path(result))


def item_of(result: xr.Dataset, others: Sequence[Path]) -> dict[str, Any]:
    """Return the item as a mapping ready for JSON."""
    laid = on_the_ground(result)
    outline, projection = _outline(laid)
    geometry, bbox = _geometry(outline)
    told = provenance(result)
    name = Path(source_name(result) or str(result.attrs.get("name", "scene"))).stem
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": f"{name}_unmixed",
        "geometry": geometry,
        "bbox": bbox,
        "properties": {
            **_time(result, told),
            "title": f"Abundances of {name}",
            "unmix:version": told.get("versions", {}).get("unmix") if isinstance(told.get("versions"), dict) else None,
            "unmix:endmembers": labels(result),
            **projection,
        },
        "links": [],
        "assets": {path.name: _asset(path, result) for path in others if path.name in _ASSETS},
    }


def _time(result: xr.Dataset, told: dict[str, Any]) -> dict[str, Any]:
    created = str(told.get("created", "")).replace("+00:00", "Z") or None
    about = {} if created is None else {"created": created}
    acquired = result.attrs.get("acquired")
    if acquired:
        return {"datetime": str(acquired), **about}
    return {"datetime": None, "start_datetime": _EARLIEST, "end_datetime": created or "2100-01-01T00:00:00Z", **about}


def _asset(path: Path, result: xr.Dataset) -> dict[str, Any]:
    title, kind, roles = _ASSETS[path.name]
    asset: dict[str, Any] = {"href": f"./{path.name}", "title": title, "type": kind, "roles": roles}
    if path.name.startswith("abundances") and path.suffix != ".hdr":
        asset["bands"] = [{"name": name} for name in labels(result)]
    return asset


def _outline(laid: xr.Dataset) -> tuple[np.ndarray, dict[str, Any]]:
    """Return longitude and latitude (n, 2) round the edge of the maps, and the fields of their projection."""
    place, wkt = affine(laid), crs_wkt(laid)
    height, width = laid.sizes["y"], laid.sizes["x"]
    if place is not None and wkt is not None:
        from rasterio.crs import CRS
        from rasterio.warp import transform

        down, across = _edge(height, width)
        a, b, c, d, e, f = place
        crs = CRS.from_wkt(wkt)
        x, y = a * across + b * down + c, d * across + e * down + f
        longitude, latitude = transform(crs, CRS.from_epsg(4326), x.tolist(), y.tolist())
        code = crs.to_epsg()
        told: dict[str, Any] = {"proj:wkt2": wkt} if code is None else {"proj:code": f"EPSG:{code}"}
        told |= {"proj:shape": [height, width], "proj:transform": list(place)}
        return np.column_stack([longitude, latitude]), told
    if "latitude" in laid.coords and "longitude" in laid.coords:
        down, across = _edge(height, width)
        row, column = np.minimum(down, height - 1).astype(int), np.minimum(across, width - 1).astype(int)
        points = np.column_stack([laid[name].values[row, column] for name in ("longitude", "latitude")])
        return points[np.isfinite(points).all(axis=1)], {}
    raise OptionError("formats: 'stac' needs a place on Earth, and this result has none. Leave it out.")


def _edge(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns round the edge of an image, counter-clockwise from the upper left corner, closed."""
    steps = np.linspace(0.0, 1.0, _STEPS + 1)[:-1]
    down = np.concatenate([steps, np.ones(_STEPS), 1 - steps, np.zeros(_STEPS), [0.0]]) * height
    across = np.concatenate([np.zeros(_STEPS), steps, np.ones(_STEPS), 1 - steps, [0.0]]) * width
    return down, across


def _geometry(points: np.ndarray) -> tuple[dict[str, Any], list[float]]:
    """Return the outline as GeoJSON and its box; cut in two where it crosses the 180th meridian."""
    if len(points) < 4 or not np.isfinite(points).all():
        raise OptionError("formats: 'stac': the edge of the maps has no longitude and latitude. Leave it out.")
    points = np.round(points, 7)
    if points[0].tolist() != points[-1].tolist():
        points = np.vstack([points, points[:1]])
    longitude, latitude = points.T
    if longitude.max() - longitude.min() <= 180:
        box = [longitude.min(), latitude.min(), longitude.max(), latitude.max()]
        return {"type": "Polygon", "coordinates": [_turned(points).tolist()]}, [float(v) for v in box]
    west, east = longitude[longitude > 0].min(), longitude[longitude <= 0].max()
    low, high = latitude.min(), latitude.max()
    halves = [
        [[a, low], [b, low], [b, high], [a, high], [a, low]] for a, b in ((float(west), 180.0), (-180.0, float(east)))
    ]
    halves = [[[float(v) for v in point] for point in half] for half in halves]
    return (
        {"type": "MultiPolygon", "coordinates": [[half] for half in halves]},
        [float(west), float(low), float(east), float(high)],
    )


def _turned(points: np.ndarray) -> np.ndarray:
    """Return a closed ring counter-clockwise, as GeoJSON wants outer rings."""
    x, y = points.T
    area = np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])
    return points if area >= 0 else points[::-1]
