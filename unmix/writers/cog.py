"""Cloud-optimised GeoTIFF: the abundance maps with overviews, laid out to be read in parts over a network.

GDAL makes one from a finished raster, so the maps are first written as a plain GeoTIFF beside it, which goes again.
Neither that nor the overviews GDAL keeps beside it meanwhile are compressed.
"""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from .commit import commit
from .facts import source_path
from .geotiff import n_threads, quiet_gdal, raster_differences, raster_maps, write_raster

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
        checksums = write_raster(plain, raster.uncompressed())
        with quiet_gdal(), Env(COG_TMP_COMPRESSION="NONE"):
            copy(plain, temporary, **_LAYOUT, num_threads=n_threads())
        plain.unlink()
        return checksums

    def differences(temporary: Path, checksums: list[int]) -> str:
        wrong = raster_differences(temporary, raster, checksums)
        return wrong or ("" if _is_cog(temporary) else "layout")

    return commit(path, fill, differences, overwrite=overwrite, source=source_path(result))


def _is_cog(path: Path) -> bool:
    import rasterio

    with quiet_gdal(), rasterio.open(path, driver="GTiff") as file:
        return bool(file.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG")
