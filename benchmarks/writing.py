"""Writing results: CPU against that of making them, and against what users would write them with.

    python benchmarks/writing.py

The peers write the same maps in the same format, deflated at their usual level, and read nothing back; ours are synced,
re-opened and compared.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import xarray as xr
from measuring import Table, mixtures

import unmix
from unmix.synthetic import stained_slide

FORMATS = {
    "netcdf": "result.nc", "ome_tiff": "maps.ome.tif", "geotiff": "maps.tif", "cog": "maps.cog.tif",
    "ome_zarr": "maps.ome.zarr", "zarr": "result.zarr", "envi": "maps.img", "preview": "preview.png",
}  # fmt: skip


def tables(side: int = 2048, n: int = 1_000_000, repeats: int = 3) -> list[Table]:
    """Return a table of a stained tile and one of a scene."""
    tile = stained_slide(3, shape=(side, side)).image.values
    X, _ = mixtures(n, 200, 5)
    cube = X.reshape(-1, round(n**0.5), 200)
    return [
        table(f"Writing two stains of {side} x {side} pixels", lambda: unmix.separate_stains(tile), repeats),
        table(f"Writing five maps of {n:,} pixels", lambda: unmix.unmix(cube, 5, quantity="reflectance"), repeats),
    ]


def table(title: str, make: Callable[[], xr.Dataset], repeats: int) -> Table:
    """Return what every format takes."""
    result = make()
    made = least_cpu(lambda folder: make(), repeats)
    rows = []
    for name, file in FORMATS.items():
        ours = partial(write, result, name, file)
        spent = least_cpu(ours, repeats)
        theirs = PEERS.get(name)
        times = "" if theirs is None else f"{least_cpu(partial(theirs, result), repeats) / spent:.1f}"
        rows.append((name, f"{spent:.3f}", f"{spent / made:.1f}", f"{megabytes(ours):.1f}", times))
    note = f"CPU seconds, the least of {repeats}. To make the result takes {made:.3f}."
    return Table(title, ("format", "seconds", "of making it", "MB", "times quicker than the peer"), rows, note)


def write(result: xr.Dataset, name: str, file: str, folder: Path) -> None:
    """Write one format."""
    unmix.write(result, folder / file, formats=None if file.endswith((".nc", ".zarr", ".img", ".png")) else name)


def by_xarray(result: xr.Dataset, folder: Path) -> None:
    """Write NetCDF as its users do."""
    encoding = {name: {"zlib": True, "complevel": 4, "shuffle": True} for name in ("abundances", "residual")}
    result[list(encoding)].to_netcdf(folder / "peer.nc", engine="h5netcdf", encoding=encoding)


def by_tifffile(result: xr.Dataset, folder: Path) -> None:
    """Write an OME-TIFF as its users do."""
    import tifffile

    maps = result["abundances"].values
    tifffile.imwrite(folder / "peer.ome.tif", maps, ome=True, tile=(256, 256), compression="zlib", predictor=True)


def by_rioxarray(result: xr.Dataset, folder: Path, driver: str = "GTiff") -> None:
    """Write a GeoTIFF as its users do."""
    import rioxarray  # noqa: F401

    tiled = {"tiled": True} if driver == "GTiff" else {}
    maps = result["abundances"].rio.set_spatial_dims("x", "y")
    maps.rio.to_raster(folder / "peer.tif", driver=driver, compress="deflate", predictor=3, **tiled)


def by_zarr(result: xr.Dataset, folder: Path) -> None:
    """Write Zarr as xarray does unless told otherwise."""
    result[["abundances", "residual"]].to_zarr(folder / "peer.zarr", zarr_format=2)


PEERS: dict[str, Callable[[xr.Dataset, Path], None]] = {
    "netcdf": by_xarray, "ome_tiff": by_tifffile, "geotiff": by_rioxarray,
    "cog": partial(by_rioxarray, driver="COG"), "zarr": by_zarr,
}  # fmt: skip


def least_cpu(work: Callable[[Path], object], repeats: int) -> float:
    """Return the least CPU seconds of several runs, each in an empty folder, after one that counts nothing."""
    spent = []
    for _ in range(repeats + 1):
        with tempfile.TemporaryDirectory() as folder:
            start = time.process_time()
            work(Path(folder))
            spent.append(time.process_time() - start)
    return min(spent[1:])


def megabytes(work: Callable[[Path], object]) -> float:
    """Return the size of what is written."""
    with tempfile.TemporaryDirectory() as folder:
        work(Path(folder))
        return sum(one.stat().st_size for one in Path(folder).rglob("*") if one.is_file()) / 1e6


def main() -> None:
    """Print both tables."""
    warnings.simplefilter("ignore")
    for one in tables():
        print(one.markdown())


if __name__ == "__main__":
    main()
