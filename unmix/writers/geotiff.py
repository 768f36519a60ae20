"""GeoTIFF: maps with their place on Earth, one band a map.

Tiled and deflated with the floating-point predictor: readable everywhere, and the only common TIFF compression that
notices most damage. GDAL lays the file out, with its place and names and without a pixel; the tiles are deflated here
and put behind that, in less than half of the time.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..ground_grid import on_the_ground
from ..result import as_json
from .commit import commit
from .facts import affine, crs_wkt, labels, lasting_provenance, quantity, source_path
from .float_pieces import encoded_piece, rows_of_pieces
from .stored_pieces import encoded_in_turn, stored_checksums

_TILE = 256


def write_abundances(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the abundance maps as a GeoTIFF: one float32 band an endmember, named after it, NaN where invalid.

    The coordinate reference system and the transform, rotated or not, are kept; a result without either becomes a
    plain TIFF. Maps made in the geometry of a sensor are laid out on the ground by its lookup table. Dataset tags hold
    the version of unmix, the options and the provenance.
    """
    return _write_maps(result, "abundances", path, overwrite)


def write_residual(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the residual map as a GeoTIFF of one band."""
    return _write_maps(result, "residual", path, overwrite)


def write_brightness(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the brightness map as a GeoTIFF of one band; only results of the constraint ``shade`` have one."""
    return _write_maps(result, "brightness", path, overwrite)


def _write_maps(result: xr.Dataset, kind: str, path: Path, overwrite: bool) -> Path:
    maps = raster_maps(result, kind)

    def fill(temporary: Path) -> list[int]:
        return write_raster(temporary, maps)

    def differences(temporary: Path, checksums: list[int]) -> str:
        return raster_differences(temporary, maps, checksums)

    return commit(path, fill, differences, overwrite=overwrite, source=source_path(result))


@dataclass(frozen=True)
class RasterMaps:
    """Maps (n, y, x) with a name each, how their file is laid out and what it says about them."""

    maps: xr.DataArray
    names: list[str]
    profile: dict[str, Any]
    tags: dict[str, str]


def raster_maps(result: xr.Dataset, kind: str) -> RasterMaps:
    """Return the maps of a result called `kind`, on the ground where a lookup table says how."""
    laid = on_the_ground(result)
    maps = laid[kind] if laid[kind].ndim == 3 else laid[kind].expand_dims("map")
    names = labels(result) if kind == "abundances" else [kind]
    return RasterMaps(maps, names, _profile(laid, maps), _tags(result, maps))


def _profile(result: xr.Dataset, maps: xr.DataArray) -> dict[str, Any]:
    """Return how the file is laid out and where it lies."""
    from affine import Affine
    from rasterio.crs import CRS

    wkt, transform = crs_wkt(result), affine(result)
    n_maps, height, width = maps.shape
    return {
        "driver": "GTiff", "dtype": "float32", "nodata": np.nan, "count": n_maps, "height": height, "width": width,
        "tiled": True, "blockxsize": _TILE, "blockysize": _TILE, "interleave": "band",
        "compress": "deflate", "predictor": 3, "bigtiff": "IF_SAFER",
        **({} if wkt is None else {"crs": CRS.from_wkt(wkt)}),
        **({} if transform is None else {"transform": Affine(*transform)}),
    }  # fmt: skip


def _tags(result: xr.Dataset, maps: xr.DataArray) -> dict[str, str]:
    """Return what the file says about how it was made."""
    told = lasting_provenance(result)
    versions = told.get("versions")
    version = versions.get("unmix", "") if isinstance(versions, dict) else ""
    options = told.get("options")
    tags = {
        "TIFFTAG_SOFTWARE": f"unmix {version}".strip(),
        "unmix_version": str(version),
        "unmix_options": as_json(options) if isinstance(options, dict) else "",
        "unmix_quantity": quantity(result),
        "unmix_units": str(maps.attrs.get("units", "")),
        "unmix_provenance": as_json(told),
    }
    return {key: value for key, value in tags.items() if value}


def write_raster(path: Path, raster: RasterMaps) -> list[int]:
    """Write maps as a tiled GeoTIFF, a row of tiles at a time; return the checksum of every tile as it is stored."""
    import tifffile

    create_raster(path, raster, sparse_ok=True)
    checksums: list[int] = []
    places: list[tuple[int, int]] = []
    with tifffile.TiffFile(path, mode="r+") as file:
        handle, tags = file.filehandle, file.pages.first.tags
        end = handle.seek(0, 2)
        for tile in encoded_in_turn(encoded_piece, rows_of_pieces(raster.maps, (_TILE, _TILE)), checksums):
            handle.write(tile)
            places.append((end, len(tile)))
            end += len(tile)
        for name, values in zip(("TileOffsets", "TileByteCounts"), zip(*places, strict=True), strict=True):
            tags[name].overwrite(values, dtype=tags["TileOffsets"].dtype)
    return checksums


def create_raster(path: Path, raster: RasterMaps, **layout: Any) -> None:
    """Make a file with everything but pixels."""
    import rasterio

    with quiet_gdal(), rasterio.open(path, "w", **raster.profile | layout) as file:
        file.descriptions = raster.names
        file.update_tags(**raster.tags)


def raster_differences(path: Path, raster: RasterMaps, checksums: list[int]) -> str:
    """Re-open a GeoTIFF and say which of shape, names, place and values is not what was written.

    Tiles are compared as they are stored: each carries a checksum of its pixels besides.
    """
    import tifffile

    wrong = place_differences(path, raster)
    if wrong:
        return wrong
    with tifffile.TiffFile(path) as file:
        return "" if stored_checksums(file.filehandle, file.pages.first) == checksums else "values"


def place_differences(path: Path, raster: RasterMaps) -> str:
    """Re-open a GeoTIFF and say which of shape, names and place is not what was written."""
    import rasterio

    profile = raster.profile
    with quiet_gdal(), rasterio.open(path, driver="GTiff") as file:
        same = {
            "shape": file.shape == (profile["height"], profile["width"]) and file.count == profile["count"],
            "names": list(file.descriptions) == raster.names,
            "transform": file.transform.almost_equals(profile.get("transform", file.transform)),
            "coordinate reference system": (file.crs is None) == ("crs" not in profile),
        }
    return ", ".join(key for key, equal in same.items() if not equal)


@contextlib.contextmanager
def quiet_gdal() -> Iterator[None]:
    """Keep GDAL from side files, and rasterio from warning that a microscopy image has no place on Earth."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings(), rasterio.Env(GDAL_PAM_ENABLED="NO"):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield
