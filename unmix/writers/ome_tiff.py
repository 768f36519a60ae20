"""OME-TIFF: abundance maps as named channels, for microscopy viewers.

Channels lie one after the other (CYX, float32), deflated with the floating-point predictor. Maps longer than 512
pixels are tiled; beyond 4096 they carry smaller levels, each the mean of 2 x 2 pixels of the one before.
"""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..result import as_json
from .commit import commit
from .facts import colours, labels, lasting_provenance, pixel_size_um, provenance, source_name, source_path
from .float_pieces import encoded_piece, rows_of_pieces
from .stored_pieces import encoded_in_turn, stored_checksums

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

    def fill(temporary: Path) -> list[list[int]]:
        return _fill(temporary, maps, metadata)

    def differences(temporary: Path, checksums: list[list[int]]) -> str:
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


def _fill(temporary: Path, maps: xr.DataArray, metadata: dict[str, Any]) -> list[list[int]]:
    """Write every level; return the checksums of its pieces as they are stored."""
    import tifffile

    steps = _steps(max(maps.shape[1:]))
    checksums: list[list[int]] = [[] for _ in (1, *steps)]
    tiled = max(maps.shape[1:]) > _TILED_FROM
    size = (_TILE, _TILE) if tiled else (maps.shape[1], maps.shape[2])
    layout: dict[str, Any] = {"dtype": np.float32, "compression": "zlib", "predictor": 3, "photometric": "minisblack"}
    layout |= {"tile": size} if tiled else {"rowsperstrip": size[0]}
    with tifffile.TiffWriter(temporary, ome=True, bigtiff=maps.size * 4 * 4 / 3 > _CLASSIC_BYTES) as file:
        for step, noted in zip((1, *steps), checksums, strict=True):
            shape = (maps.shape[0], -(-maps.shape[1] // step), -(-maps.shape[2] // step))
            kind: dict[str, Any] = {"subfiletype": 1, "metadata": None}
            if step == 1:
                kind = {"subifds": len(steps), "metadata": metadata}
            pieces = encoded_in_turn(encoded_piece, rows_of_pieces(maps, size, step), noted)
            file.write(pieces, shape=shape, **kind, **layout)
    return checksums


def _steps(longest: int) -> list[int]:
    """Return by how much each further level is smaller: 2, 4, ... until it has at most 1024 pixels on a side."""
    steps: list[int] = []
    while longest > _LEVELS_FROM and longest / (2 ** len(steps)) > 1024:
        steps.append(2 ** (len(steps) + 1))
    return steps


def ome_differences(temporary: Path, shape: tuple[int, ...], names: list[str], checksums: list[list[int]]) -> str:
    """Re-open the file and say which of shape, names and values is not what was written.

    Pieces are compared as they are stored: each carries a checksum of its pixels besides.
    """
    import tifffile

    with tifffile.TiffFile(temporary) as file:
        levels = file.series[0].levels
        if not file.is_ome or levels[0].shape != shape[shape[0] == 1 :]:
            return "shape"
        if channel_names(file.ome_metadata or "") != names:
            return "names"
        found = [[one for page in level.pages for one in stored_checksums(file.filehandle, page)] for level in levels]
    return "" if found == checksums else "values"


def channel_names(ome_xml: str) -> list[str]:
    """Return the channel names of the OME-XML this file was written with."""
    from xml.etree import ElementTree

    root = ElementTree.fromstring(ome_xml)
    return [element.get("Name", "") for element in root.iter() if element.tag.endswith("}Channel")]
