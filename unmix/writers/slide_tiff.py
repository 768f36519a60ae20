"""Pyramidal OME-TIFF of a whole slide: 8-bit concentrations that QuPath, Bio-Formats and napari open.

One channel a stain, 512-pixel tiles, deflated with predictor 2, each further level the mean of 2 x 2 pixels of the one
before, kept as SubIFDs. A value is the concentration times 64, which the file says; 16-bit floats are no pixel type of
OME.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..result import as_json
from .commit import commit
from .facts import lasting_provenance, source_path
from .ome_tiff import channel_names, ome_metadata
from .slide_plan import take_ready
from .slide_pyramid import PER_CONCENTRATION, TILE, TilePyramid, make_pyramid
from .stored_pieces import stored_checksums

LARGE_PIXELS = 20_000_000
"""Stained images with more pixels are whole slides: judged on tiles, and written as a pyramid of 8-bit maps."""

_CLASSIC_BYTES = 3_900_000_000


def write_slide(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the concentration maps of stains as a pyramidal OME-TIFF of 8-bit values, 64 times the concentration.

    The description holds the scale, how many values were beyond it (255 stands for 3.98 and more) and the provenance;
    invalid pixels are zero. Pixel size, channel names and colours are those of the result.
    """
    metadata = ome_metadata(result)

    def fill(temporary: Path) -> TilePyramid:
        maps = result["abundances"]
        pyramid = take_ready(maps) or make_pyramid(maps, temporary.parent)
        _fill(temporary, pyramid, metadata | {"Description": _description(result, pyramid.n_beyond)})
        return pyramid

    def differences(temporary: Path, pyramid: TilePyramid) -> str:
        return _differences(temporary, pyramid, metadata["Channel"]["Name"])

    return commit(path, fill, differences, overwrite=overwrite, source=source_path(result))


def _description(result: xr.Dataset, n_beyond: int) -> str:
    return (
        f"unmix stain concentrations: concentration = value / {PER_CONCENTRATION} (natural-log optical density along "
        f"unit stain vectors); {n_beyond} values were larger than 255 and are 255; invalid pixels are 0. "
        f"Provenance: {as_json(lasting_provenance(result))}"
    )


def _fill(temporary: Path, pyramid: TilePyramid, metadata: dict[str, Any]) -> None:
    """Put the file together from tiles that are deflated already."""
    import tifffile

    layout: dict[str, Any] = {
        "dtype": np.uint8, "tile": (TILE, TILE), "photometric": "minisblack", "compression": "zlib", "predictor": 2
    }  # fmt: skip
    large = np.prod(pyramid.shape, dtype=np.int64) * 4 / 3 > _CLASSIC_BYTES
    with tifffile.TiffWriter(temporary, ome=True, bigtiff=bool(large)) as file:
        for level, shape in enumerate(pyramid.levels):
            kind: dict[str, Any] = {"subfiletype": 1, "metadata": None}
            if level == 0:
                kind = {"subifds": len(pyramid.levels) - 1, "metadata": metadata}
            file.write(pyramid.tiles(level), shape=(pyramid.shape[0], *shape), **kind, **layout)


def _differences(temporary: Path, pyramid: TilePyramid, names: list[str]) -> str:
    """Re-open the file and say which of shape, names and values is not what was written.

    Tiles are compared as they are stored: each carries a checksum of its pixels besides.
    """
    import tifffile

    with tifffile.TiffFile(temporary) as file:
        levels = file.series[0].levels
        kept = [(pyramid.shape[0], *shape)[pyramid.shape[0] == 1 :] for shape in pyramid.levels]
        if not file.is_ome or [level.shape for level in levels] != kept:
            return "shape"
        if channel_names(file.ome_metadata or "") != names:
            return "names"
        for level, checksums in zip(levels, pyramid.checksums, strict=True):
            for page, expected in zip(level.pages, checksums, strict=True):
                if stored_checksums(file.filehandle, page) != expected.ravel().tolist():
                    return "values"
    return ""
