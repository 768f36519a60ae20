"""Cloud-optimised GeoTIFF: the abundance maps with overviews, laid out to be read in parts over a network.

GDAL makes one from a finished raster, so the maps are first written as a plain GeoTIFF beside it, which goes again.
Neither that nor the overviews GDAL keeps beside it meanwhile are compressed; level 1 is as small as others but for 2 %.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..nmf.threads import thread_count
from .commit import commit
from .facts import source_path
from .geotiff import RasterMaps, create_raster, place_differences, quiet_gdal, raster_maps

_STRIP = 512
_LAYOUT = {
    "driver": "COG", "compress": "DEFLATE", "level": 1, "predictor": "YES", "blocksize": 512,
    "overview_resampling": "AVERAGE", "bigtiff": "IF_SAFER",
}  # fmt: skip


def write_cog(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the abundance maps as a cloud-optimised GeoTIFF; names, place, tags and nodata as in the GeoTIFF."""
    raster = raster_maps(result, "abundances")

    def fill(temporary: Path) -> list[int]:
        from rasterio import Env
        from rasterio.shutil import copy

        plain = temporary.with_name(temporary.name + ".tif")
        checksums = _write_plain(plain, raster)
        with quiet_gdal(), Env(COG_TMP_COMPRESSION="NONE"):
            copy(plain, temporary, **_LAYOUT, num_threads=thread_count(None))
        plain.unlink()
        return checksums

    def differences(temporary: Path, checksums: list[int]) -> str:
        wrong = place_differences(temporary, raster)
        return wrong or _other_values(temporary, checksums) or ("" if _is_cog(temporary) else "layout")

    return commit(path, fill, differences, overwrite=overwrite, source=source_path(result))


def _write_plain(path: Path, raster: RasterMaps) -> list[int]:
    """Write maps as they are, not deflated, a strip at a time; return the checksum of every strip."""
    import rasterio

    create_raster(path, raster, compress="none", predictor=1)
    checksums = []
    with quiet_gdal(), rasterio.open(path, "r+", driver="GTiff") as file:
        for window, rows in _strips(*raster.maps.shape[1:]):
            strip = np.ascontiguousarray(raster.maps[:, rows, :].values, np.float32)
            file.write(strip, window=window)
            checksums.append(zlib.crc32(strip))
    return checksums


def _other_values(path: Path, checksums: list[int]) -> str:
    import rasterio

    with quiet_gdal(), rasterio.open(path, driver="GTiff") as file:
        found = [zlib.crc32(file.read(window=window)) for window, _ in _strips(*file.shape)]
    return "" if found == checksums else "values"


def _strips(height: int, width: int) -> Iterator[tuple[Any, slice]]:
    """Yield windows of one row of tiles over the whole width."""
    from rasterio.windows import Window

    for top in range(0, height, _STRIP):
        rows = min(_STRIP, height - top)
        yield Window(0, top, width, rows), slice(top, top + rows)


def _is_cog(path: Path) -> bool:
    import rasterio

    with quiet_gdal(), rasterio.open(path, driver="GTiff") as file:
        return bool(file.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG")
