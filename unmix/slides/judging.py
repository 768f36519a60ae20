"""A whole slide is judged on little of it: where its tissue is on a small level, its stains on tiles of a finer one.

The maps are then made at the resolution asked for. Nothing here depends on blocks or threads, and what it costs does
not grow with the slide.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from ..blocks import Block, Progress, load_block, map_blocks, sample_positions
from ..image import as_image, pixel_size
from ..light.beer_lambert import optical_density_table
from ..light.channels import reached_in_all_channels
from ..light.white_point import WhitePoint, estimate_white_point
from ..readers.pyramid import Pyramid, pixels_of, pyramid_of
from ..result import Endmembers
from ..writers.slide_tiff import LARGE_PIXELS
from .glass import Glass

_OVERVIEW_PIXELS, _OVERVIEW_MOST = 3_000_000, 64_000_000
_FIT_MICROMETRES = 1.1
_TILE, _TILES, _LEAST_TILES, _TILES_SHARE = 256, 48, 24, 1 / 32
_FAINT_DENSITY, _TISSUE_DENSITY = 0.03, 0.06
_TISSUE_TILE = 0.3
_BRIGHT, _LEAST_GLASS, _OVERVIEW_SAMPLE = 0.8, 0.005, 200_000
_MARGIN, _TISSUE = 2, 2
_KEPT_BYTES, _LEAST_SOLVED = 36_000_000, 512

Decoded = dict[tuple[int, int], tuple[np.ndarray, np.ndarray]]
"""Values and valid pixels of tiles of a file, by their first row and column."""


@dataclass(frozen=True)
class Judged:
    """What a whole slide is judged on.

    Parameters
    ----------
    image : DataArray
        Tiles of tissue, one below the other, in memory.
    overview : ndarray, shape (n, band)
        A sample of the pixels of a small level.
    white : WhitePoint
        Light without stain, as that sample shows it.
    glass : Glass
        Where there is no tissue.
    notes : dict
        What was looked at, for the record.
    corners : ndarray of int, shape (n, 2)
        Row and column of each tile at its level.
    tile_rows : int
        Rows of a tile.
    scale : (float, float)
        Rows and columns of the slide to one of that level.
    decoded : dict
        Tiles of the file that were decoded for it at the slide's own level and need not be decoded again.
    """

    image: xr.DataArray
    overview: np.ndarray
    white: WhitePoint
    glass: Glass
    notes: dict[str, object]
    corners: np.ndarray
    tile_rows: int
    scale: tuple[float, float]
    decoded: Decoded

    def placed(self, found: Endmembers) -> Endmembers:
        """Return endmembers with their nearest pixels where they are on the slide."""
        rows, columns = found.anchor_row.copy(), found.anchor_col.copy()
        known = rows >= 0
        tile, row = np.divmod(rows[known], self.tile_rows)
        rows[known] = ((self.corners[tile, 0] + row + 0.5) * self.scale[0]).astype(np.int64)
        columns[known] = ((self.corners[tile, 1] + columns[known] + 0.5) * self.scale[1]).astype(np.int64)
        return replace(found, anchor_row=rows, anchor_col=columns)


def judge_slide(image: xr.DataArray, *, threads: int | None = None, progress: Progress | None = None) -> Judged | None:
    """Look at the tissue of a whole slide; None for every other image, which is judged by a sample of its pixels.

    Parameters
    ----------
    image : DataArray
        Brightfield, as it was read from a file with smaller levels.
    threads : int, optional
        Threads over tiles.
    progress : callable, optional
        Called as ``progress("sample", done, total)``.
    """
    pyramid = pyramid_of(image)
    if pyramid is None or image.sizes["y"] * image.sizes["x"] <= LARGE_PIXELS or image.sizes["band"] != 3:
        return None
    small = _overview_level(pyramid)
    if small is None or image.dtype.kind != "u":
        return None
    overview = _read_level(pyramid.open(small))
    seen = overview.reshape(-1, 3)
    seen = seen.take(sample_positions(len(seen), _OVERVIEW_SAMPLE), axis=0)
    white = estimate_white_point(seen)
    grades = _grades(overview, seen, white.values)
    tissue = grades == _TISSUE
    fine = _fit_level(image, pyramid)
    level_image = image if fine == pyramid.level else pyramid.open(fine)
    tile = _tile_shape(level_image)
    corners = _tissue_tiles(tissue, pyramid.shapes[fine], tile)
    again = fine == pyramid.level and solved_at_once(pyramid.grain) == pyramid.grain
    most = _KEPT_BYTES if again else 0
    tiles, decoded = _read_tiles(level_image, corners, tile, most, threads, progress)
    level, full = pyramid.shapes[fine], pyramid.shapes[pyramid.level]
    notes: dict[str, object] = {
        "overview_level": small, "fit_level": fine, "fit_tiles": len(corners),
        "tissue_share": round(float(tissue.mean()), 4),
    }  # fmt: skip
    scale = full[0] / level[0], full[1] / level[1]
    shown = _grown(tissue, _MARGIN)
    glass = Glass(~shown, full, ~shown | (grades == 0))
    return Judged(tiles, seen, white, glass, notes, corners, tile[0], scale, decoded)


def solved_at_once(grain: tuple[int, int]) -> tuple[int, int]:
    """Return rows and columns of what is decoded and solved in one go: a tile of the file, or a group of small ones."""
    rows, columns = (step * max(1, _LEAST_SOLVED // step) for step in grain)
    return rows, columns


def _overview_level(pyramid: Pyramid) -> int | None:
    """Return the finest further level of at most 3 million pixels, else the last if it fits into memory easily."""
    further = range(pyramid.level + 1, len(pyramid.shapes))
    small = [level for level in further if pixels_of(pyramid.shapes[level]) <= _OVERVIEW_PIXELS]
    if small:
        return small[0]
    last = len(pyramid.shapes) - 1
    return last if last > pyramid.level and pixels_of(pyramid.shapes[last]) <= _OVERVIEW_MOST else None


def _fit_level(image: xr.DataArray, pyramid: Pyramid) -> int:
    """Return the coarsest level whose pixels are still smaller than nuclei: about one micrometre."""
    size = pixel_size(image)
    if size is None or size[2] != "um":
        return pyramid.level
    full = pyramid.shapes[pyramid.level][0]
    steps = [size[0] * full / rows for rows, _ in pyramid.shapes]
    return max([k for k, step in enumerate(steps) if step <= _FIT_MICROMETRES], default=pyramid.level)


def _read_level(level: xr.DataArray) -> np.ndarray:
    """Return the light (h, w, band) of a small level."""
    height, width = level.shape[:2]
    return load_block(level, Block(slice(0, height), slice(0, width)))[0]


def _grades(overview: np.ndarray, sample: np.ndarray, white: np.ndarray) -> np.ndarray:
    """Return where a small picture of a slide (h, w, 3) is as clear as its glass (0), faint (1) and tissue (2).

    A sample (n, 3) of it shows the glass.
    """
    from .tissue_kernel import denser

    bright = sample.compress(reached_in_all_channels(sample, _BRIGHT * white), axis=0)
    if len(bright) < _LEAST_GLASS * len(sample):
        return np.full(overview.shape[:2], _TISSUE, np.uint8)
    glass = np.array([np.bincount(channel).argmax() for channel in bright.T], np.float64)
    density = np.maximum(optical_density_table(overview.dtype, glass), 0.0)
    grades = np.empty(overview.shape[:2], np.uint8)
    denser(overview, density**2, np.float32(_FAINT_DENSITY**2), np.float32(_TISSUE_DENSITY**2), grades)
    return grades


def _grown(tissue: np.ndarray, margin: int) -> np.ndarray:
    """Return tissue with a margin of cells around it."""
    across, grown = tissue.copy(), tissue.copy()
    for k in range(1, margin + 1):
        across[:, k:] |= tissue[:, :-k]
        across[:, :-k] |= tissue[:, k:]
    grown[...] = across
    for k in range(1, margin + 1):
        grown[k:] |= across[:-k]
        grown[:-k] |= across[k:]
    return grown


def _tile_shape(level: xr.DataArray) -> tuple[int, int]:
    """Return rows and columns of tiles of about 256 that hold whole tiles of the file or whole parts of one."""
    pyramid = pyramid_of(level)
    grain = (_TILE, _TILE) if pyramid is None else pyramid.grain
    rows, columns = (_TILE // size * size if size <= _TILE else size // -(-size // _TILE) for size in grain)
    return rows, columns


def _tissue_tiles(tissue: np.ndarray, level: tuple[int, int], tile: tuple[int, int]) -> np.ndarray:
    """Return upper left corners (n, 2) of tiles with tissue, spread evenly over the slide, at a level.

    On a small slide they are fewer: the vectors of slides of 200 fields were as near to the truth from 24 as from 48.
    """
    rows, columns = (np.arange(0, max(1, size - step + 1), step) for size, step in zip(level, tile, strict=True))
    y0, y1 = _edges(rows, tile[0], tissue.shape[0], level[0])
    x0, x1 = _edges(columns, tile[1], tissue.shape[1], level[1])
    down = np.stack([tissue[a:b].sum(axis=0, dtype=np.int64) for a, b in zip(y0, y1, strict=True)])
    total = np.pad(down.cumsum(axis=1), ((0, 0), (1, 0)))
    inside = total[:, x1] - total[:, x0]
    share = inside / ((y1 - y0)[:, None] * (x1 - x0))
    least = min(_TISSUE_TILE, float(share.max()))
    held, across = np.nonzero(share >= least)
    n_tiles = min(_TILES, max(_LEAST_TILES, int(_TILES_SHARE * len(held))))
    chosen = sample_positions(len(held), n_tiles)
    return np.stack([rows[held[chosen]], columns[across[chosen]]], axis=1)


def _edges(starts: np.ndarray, step: int, n_cells: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first and past-the-last cell that tiles of a level reach into."""
    first = starts * n_cells // size
    return first, np.maximum(first + 1, np.minimum(n_cells, -(-(starts + step) * n_cells // size)))


def _read_tiles(
    level: xr.DataArray,
    corners: np.ndarray,
    tile: tuple[int, int],
    most: int,
    threads: int | None,
    progress: Progress | None,
) -> tuple[xr.DataArray, Decoded]:
    """Return tiles of a level below each other as one image in memory; what lies beyond its edge is not valid.

    Also return the first of the tiles of the file that were decoded for it, as many as `most` bytes hold.
    """
    height, width, n_bands = level.shape
    values = np.zeros((len(corners) * tile[0], tile[1], n_bands), level.dtype)
    valid = np.zeros(values.shape[:2], bool)
    tiles = [
        Block(slice(int(y), min(int(y) + tile[0], height)), slice(int(x), min(int(x) + tile[1], width)))
        for y, x in corners
    ]
    together = _decoded_together(level, tiles)
    blocks = [block for block, _ in together.values()]
    whole = max(block.shape for block in blocks)
    n_kept = min(len(blocks), most // (whole[0] * whole[1] * n_bands * level.dtype.itemsize))
    room = np.empty((n_kept, *whole, n_bands), level.dtype)  # one large array: pages of their own cost as much again
    places = dict(zip(together, room, strict=False))
    decoded: Decoded = {}

    def take(seen: np.ndarray, usable: np.ndarray, block: Block) -> None:
        key = block.rows.start, block.columns.start
        for k in together[key][1]:
            (rows, down), (columns, across) = (
                (slice(span.start - start, span.stop - start), span.stop - span.start)
                for span, start in zip(tiles[k].window, key, strict=True)
            )
            place = slice(k * tile[0], k * tile[0] + down), slice(0, across)
            values[place], valid[place] = seen[rows, columns], usable[rows, columns]
        if key in places and block.shape == whole:
            places[key][...] = seen
            decoded[key] = places[key], usable

    map_blocks(take, level, blocks=blocks, stage="sample", threads=threads, progress=progress)
    return as_image(values, quantity="brightfield", valid=valid, name=level.attrs.get("name")), decoded


def _decoded_together(level: xr.DataArray, tiles: list[Block]) -> dict[tuple[int, int], tuple[Block, list[int]]]:
    """Return the windows to decode, by first row and column, and which tiles of ours lie in each.

    Tiles that are parts of the same tile of the file come out of one window, the whole of that.
    """
    pyramid = pyramid_of(level)
    grain, origin = ((1, 1), (0, 0)) if pyramid is None else (pyramid.grain, pyramid.origin)
    held: dict[tuple[int, int], list[int]] = {}
    for k, tile in enumerate(tiles):
        parts = all(size <= step for size, step in zip(tile.shape, grain, strict=True))
        row, column = ((at + span.start) // step for at, span, step in zip(origin, tile.window, grain, strict=True))
        held.setdefault((row, column) if parts else (-1, k), []).append(k)
    together = {}
    for (row, column), group in held.items():
        block = _around([tiles[k] for k in group])
        if row >= 0:
            spans = (
                slice(max(0, n * step - at), min(size, (n + 1) * step - at))
                for n, step, at, size in zip((row, column), grain, origin, level.shape[:2], strict=True)
            )
            block = _around([block, Block(*spans)])
        together[block.rows.start, block.columns.start] = block, group
    return together


def _around(blocks: list[Block]) -> Block:
    """Return the window that holds several."""
    rows, columns = [block.rows for block in blocks], [block.columns for block in blocks]
    return Block(*(slice(min(s.start for s in spans), max(s.stop for s in spans)) for spans in (rows, columns)))
