"""Pyramidal OME-TIFF of a whole slide: 8-bit concentrations that QuPath, Bio-Formats and napari open.

One channel a stain, 512-pixel tiles, deflated, each further level the mean of 2 x 2 pixels of the one before, kept as
SubIFDs. A value is the concentration times 64, which the file says; 16-bit floats are no pixel type of OME.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..scratch import room_for
from .commit import commit
from .facts import source_path
from .ome_tiff import counted, ome_differences, ome_metadata

LARGE_PIXELS = 20_000_000
"""Stained images with more pixels are whole slides: judged on tiles, and written as a pyramid of 8-bit maps."""

PER_CONCENTRATION = 64
"""Value of a pixel of concentration one."""

_TILE = 512
_SMALLEST = 1024
_CLASSIC_BYTES = 3_900_000_000
_IN_MEMORY = 256_000_000


def write_slide(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the concentration maps of stains as a pyramidal OME-TIFF of 8-bit values, 64 times the concentration.

    The description holds the scale, how many values were beyond it (255 stands for 3.98 and more) and the provenance;
    invalid pixels are zero. Pixel size, channel names and colours are those of the result.
    """
    maps = result["abundances"]
    metadata = ome_metadata(result) | {"Description": _description(result)}

    def fill(temporary: Path) -> list[int]:
        return _fill(temporary, maps, metadata)

    def differences(temporary: Path, checksums: list[int]) -> str:
        return ome_differences(temporary, maps.shape, metadata["Channel"]["Name"], checksums)

    return commit(path, fill, differences, overwrite=overwrite, source=source_path(result))


def as_bytes(maps: np.ndarray) -> np.ndarray:
    """Return concentrations as 8-bit values, 64 times as large, at most 255; NaN becomes zero."""
    scaled = np.nan_to_num(maps, nan=0.0) * np.float32(PER_CONCENTRATION)
    np.rint(scaled, out=scaled)
    return np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)


def halved(values: np.ndarray) -> np.ndarray:
    """Return the rounded mean of 2 x 2 pixels of 8-bit values (h, w); an odd last row or column stands for itself."""
    height, width = values.shape
    if height % 2 or width % 2:
        values = np.pad(values, ((0, height % 2), (0, width % 2)), mode="edge")
    total = values[::2, ::2].astype(np.uint16)
    for rows, columns in ((1, 0), (0, 1), (1, 1)):
        total += values[rows::2, columns::2]
    return ((total + 2) >> 2).astype(np.uint8)


def level_shapes(height: int, width: int) -> list[tuple[int, int]]:
    """Return the sizes of the levels after the first: halves until both sides are at most 1024 pixels."""
    shapes: list[tuple[int, int]] = []
    while max(height, width) > _SMALLEST:
        height, width = -(-height // 2), -(-width // 2)
        shapes.append((height, width))
    return shapes


def _description(result: xr.Dataset) -> str:
    beyond = int((result["abundances"] > (255.5 / PER_CONCENTRATION)).sum())
    return (
        f"unmix stain concentrations: concentration = value / {PER_CONCENTRATION} (natural-log optical density along "
        f"unit stain vectors); {beyond} values were larger than 255 and are 255; invalid pixels are 0. "
        f"Provenance: {result.attrs['provenance']}"
    )


def _fill(temporary: Path, maps: xr.DataArray, metadata: dict[str, Any]) -> list[int]:
    """Write every level; return the checksum of every tile of the first."""
    import tifffile

    checksums: list[int] = []
    n_maps, height, width = maps.shape
    shapes = level_shapes(height, width)
    layout: dict[str, Any] = {
        "dtype": np.uint8, "tile": (_TILE, _TILE), "photometric": "minisblack",
        "compression": "zlib", "compressionargs": {"level": 4},
    }  # fmt: skip
    with tifffile.TiffWriter(temporary, ome=True, bigtiff=maps.size * 4 / 3 > _CLASSIC_BYTES) as file:
        smaller = _room(n_maps, shapes, 0)
        tiles = counted(_tiles(_strips_of_maps(maps), smaller), checksums)
        file.write(tiles, shape=maps.shape, subifds=len(shapes), metadata=metadata, **layout)
        for level, shape in enumerate(shapes):
            values, smaller = smaller, _room(n_maps, shapes, level + 1)
            tiles = _tiles(_strips_of_level(values), smaller)
            file.write(tiles, shape=(n_maps, *shape), subfiletype=1, metadata=None, **layout)
    return checksums


def _room(n_maps: int, shapes: list[tuple[int, int]], level: int) -> np.ndarray:
    """Return room for a further level, on disk where it is large; empty where there is no such level."""
    return room_for((n_maps, *shapes[level]) if level < len(shapes) else (0, 0, 0), np.uint8, _IN_MEMORY)


def _strips_of_maps(maps: xr.DataArray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Yield (map, first row, 8-bit values) of rows of tiles, map after map."""
    for k in range(maps.shape[0]):
        for top in range(0, maps.shape[1], _TILE):
            yield k, top, as_bytes(maps[k, top : top + _TILE].values)


def _strips_of_level(values: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    for k in range(values.shape[0]):
        for top in range(0, values.shape[1], _TILE):
            yield k, top, np.asarray(values[k, top : top + _TILE])


def _tiles(strips: Iterator[tuple[int, int, np.ndarray]], smaller: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the tiles of strips, and put the halved strips into the next level."""
    for k, top, strip in strips:
        if smaller.size:
            half = halved(strip)
            smaller[k, top // 2 : top // 2 + half.shape[0]] = half
        for left in range(0, strip.shape[1], _TILE):
            yield np.ascontiguousarray(strip[:, left : left + _TILE])
