"""OME-TIFF: abundance maps as named channels, for microscopy viewers.

Channels lie one after the other (CYX, float32), deflated with the floating-point predictor. Maps longer than 512
pixels are tiled; beyond 4096 they carry smaller levels, each the mean of 2 x 2 pixels of the one before.
"""

from __future__ import annotations

import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..result import as_json
from .commit import commit
from .facts import colours, labels, lasting_provenance, pixel_size_um, provenance, source_name, source_path
from .reduced import block_mean

_TILE = 256
_TILED_FROM = 512
_LEVELS_FROM = 4096
_CLASSIC_BYTES = 3_900_000_000


def write_abundances(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the abundance maps as an OME-TIFF: one float32 channel an endmember, NaN where invalid.

    The pixel size is written in micrometres where the result is calibrated; each channel has the colour the endmember
    has in figures and in the viewer.
    """
    maps, metadata = result["abundances"], ome_metadata(result)

    def fill(temporary: Path) -> list[int]:
        return _fill(temporary, maps, metadata)

    def differences(temporary: Path, checksums: list[int]) -> str:
        return ome_differences(temporary, maps.shape, metadata["Channel"]["Name"], checksums)

    return commit(path, fill, differences, overwrite=overwrite, source=source_path(result))


def ome_metadata(result: xr.Dataset) -> dict[str, Any]:
    """Return what the OME-XML says: axes, channels, pixel size and where the maps came from."""
    red_green_blue = np.rint(255 * colours(result)).astype(int)
    metadata: dict[str, Any] = {
        "axes": "CYX",
        "UUID": uuid.uuid5(uuid.NAMESPACE_OID, as_json(lasting_provenance(result))).urn,
        "Creator": f"unmix {provenance(result).get('versions', {}).get('unmix', '')}".strip(),
        "Name": source_name(result) or "abundances",
        "Channel": {"Name": labels(result), "Color": [_signed(*colour) for colour in red_green_blue.tolist()]},
    }
    size = pixel_size_um(result)
    if size is not None:
        metadata |= {"PhysicalSizeY": size[0], "PhysicalSizeX": size[1]}
        metadata |= {"PhysicalSizeYUnit": "µm", "PhysicalSizeXUnit": "µm"}
    return metadata


def _signed(red: int, green: int, blue: int) -> int:
    """Return a colour as OME has it: RGBA in one signed 32-bit number."""
    number = (red << 24) | (green << 16) | (blue << 8) | 255
    return number - (1 << 32) if number >= 1 << 31 else number


def _fill(temporary: Path, maps: xr.DataArray, metadata: dict[str, Any]) -> list[int]:
    """Write every level; return the checksum of every piece of the full-size maps."""
    import tifffile

    checksums: list[int] = []
    steps = _steps(max(maps.shape[1:]))
    layout: dict[str, Any] = {"dtype": np.float32, "compression": "zlib", "predictor": 3, "photometric": "minisblack"}
    with tifffile.TiffWriter(temporary, ome=True, bigtiff=maps.size * 4 * 4 / 3 > _CLASSIC_BYTES) as file:
        tiled: dict[str, Any] = {"tile": (_TILE, _TILE)} if max(maps.shape[1:]) > _TILED_FROM else {}
        pieces = counted(_pieces(maps, 1), checksums)
        file.write(pieces, shape=maps.shape, subifds=len(steps), metadata=metadata, **layout, **tiled)
        for step in steps:
            shape = (maps.shape[0], -(-maps.shape[1] // step), -(-maps.shape[2] // step))
            tiles = _tiles(maps, step)
            file.write(tiles, shape=shape, subfiletype=1, tile=(_TILE, _TILE), metadata=None, **layout)
    return checksums


def _steps(longest: int) -> list[int]:
    """Return by how much each further level is smaller: 2, 4, ... until it has at most 1024 pixels on a side."""
    steps: list[int] = []
    while longest > _LEVELS_FROM and longest / (2 ** len(steps)) > 1024:
        steps.append(2 ** (len(steps) + 1))
    return steps


def _pieces(maps: xr.DataArray, step: int) -> Iterator[np.ndarray]:
    """Yield the maps in the order they are stored: tiles where they are tiled, else whole channels."""
    if max(maps.shape[1:]) > _TILED_FROM:
        yield from _tiles(maps, step)
    else:
        yield from np.ascontiguousarray(maps.values, np.float32)


def _tiles(maps: xr.DataArray, step: int) -> Iterator[np.ndarray]:
    """Yield the tiles of every channel, row by row; a row of tiles is read at once."""
    for channel in range(maps.shape[0]):
        for top in range(0, maps.shape[1], _TILE * step):
            rows = block_mean(maps[channel, top : top + _TILE * step], step)
            for left in range(0, rows.shape[1], _TILE):
                yield np.ascontiguousarray(rows[:, left : left + _TILE])


def counted(pieces: Iterator[np.ndarray], checksums: list[int]) -> Iterator[np.ndarray]:
    """Pass the pieces on and note the checksum of each."""
    for piece in pieces:
        checksums.append(zlib.crc32(piece))
        yield piece


def ome_differences(temporary: Path, shape: tuple[int, ...], names: list[str], checksums: list[int]) -> str:
    """Re-open the file and say which of shape, names and values is not what was written."""
    import tifffile

    with tifffile.TiffFile(temporary) as file:
        series = file.series[0]
        if not file.is_ome or series.levels[0].shape != shape[shape[0] == 1 :]:
            return "shape"
        if channel_names(file.ome_metadata or "") != names:
            return "names"
        found = [zlib.crc32(piece) for page in file.pages for piece in _stored(page.aspage())]
    return "" if found == checksums else "values"


def channel_names(ome_xml: str) -> list[str]:
    """Return the channel names of the OME-XML this file was written with."""
    from xml.etree import ElementTree

    root = ElementTree.fromstring(ome_xml)
    return [element.get("Name", "") for element in root.iter() if element.tag.endswith("}Channel")]


def _stored(page: Any) -> Iterator[np.ndarray]:
    """Yield the pieces of one stored channel, without the padding of tiles at the edge."""
    if not page.is_tiled:
        yield np.ascontiguousarray(page.asarray())
        return
    for tile, position, _ in page.segments():
        top, left = position[2], position[3]
        yield np.ascontiguousarray(tile[0, : page.imagelength - top, : page.imagewidth - left, 0])
