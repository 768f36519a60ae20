"""Pixels picked out of an image: a fixed sample of it, or any others; read here, or by the workers of a cluster."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from .blocks import (
    Block,
    Progress,
    WindowReader,
    blocks_of,
    default_sample_size,
    map_pixels,
    sample_positions,
    shared_out,
    window_reader,
)
from .engines import current_cluster
from .nmf.threads import over_rows, thread_count
from .parts import work_in_parts

_BYTES_A_THREAD = 200_000


def sample_pixels(
    image: xr.DataArray, n_sample: int | None = None, *, threads: int | None = None, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return a fixed sample of the valid pixels: values (n, band) in recorded form and flat positions (n,).

    Where most of the image is invalid, the sample grows until it holds enough valid pixels or has seen them all.
    """
    n_pixels = image.sizes["y"] * image.sizes["x"]
    wanted = n_sample or default_sample_size(n_pixels, image.sizes["band"])
    asked = wanted
    while True:
        positions = sample_positions(n_pixels, asked)
        values, valid = gather_pixels(image, positions, threads=threads, progress=progress)
        if valid.all():
            return values, positions
        if valid.sum() >= 0.5 * wanted or asked >= n_pixels:
            return values[valid], positions[valid]
        asked = min(n_pixels, asked * 4)


def gather_pixels(
    image: xr.DataArray, positions: np.ndarray, *, threads: int | None = None, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return recorded values (n, band) and valid flags (n,) at flat pixel positions, in the order given."""
    valid = image.coords["valid"].data
    if image.chunks is None and not hasattr(valid, "dask"):
        return _picked(image.data, positions, thread_count(threads)), valid.reshape(-1)[positions]
    values = np.empty((len(positions), image.sizes["band"]), image.dtype)
    flags = np.zeros(len(positions), bool)

    def take(picked: np.ndarray, usable: np.ndarray, mine: np.ndarray) -> None:
        values[mine], flags[mine] = picked, usable

    cluster = current_cluster()
    readers = None if cluster is None else _pixel_readers(image, positions)
    if cluster is None or readers is None:
        map_pixels(take, image, positions, stage="sample", threads=threads, progress=progress)
        return values, flags
    sent, inside = readers

    def keep(picked: np.ndarray, block: Block) -> None:
        values[inside[block.rows.start, block.columns.start]] = picked

    usable = work_in_parts(cluster, _as_read, keep, sent, "sample", progress)
    for reader, one in zip(sent, usable, strict=True):
        flags[inside[reader.block.rows.start, reader.block.columns.start]] = one
    return values, flags


def _as_read(values: np.ndarray, valid: np.ndarray, _: Block) -> tuple[np.ndarray, np.ndarray]:
    return values, valid


def _pixel_readers(
    image: xr.DataArray, positions: np.ndarray
) -> tuple[list[_PixelReader], dict[tuple[int, int], np.ndarray]] | None:
    """Return what reads the pixels of every block, and which of the positions they are; None where no file is read."""
    rows, columns = np.divmod(positions, image.sizes["x"])
    blocks, inside = shared_out(blocks_of(image), rows, columns)
    readers = []
    for block in blocks:
        reader, mine = window_reader(image, block), inside[block.rows.start, block.columns.start]
        if reader is None:
            return None
        readers.append(_PixelReader(reader, rows[mine], columns[mine]))
    return readers, inside


def _picked(data: np.ndarray, positions: np.ndarray, threads: int) -> np.ndarray:
    """Return the pixels (n, band) of an image in memory at flat positions."""
    values = np.empty((len(positions), data.shape[2]), data.dtype)

    def take(part: slice) -> None:
        if data.flags.c_contiguous:
            data.reshape(-1, data.shape[2]).take(positions[part], axis=0, out=values[part], mode="clip")
        else:
            rows, columns = np.divmod(positions[part], data.shape[1])
            values[part] = data[rows, columns]

    over_rows(take, len(positions), threads, least=max(1_000, _BYTES_A_THREAD // values[:1].nbytes))
    return values


@dataclass(frozen=True)
class _PixelReader:
    """Some pixels of one block of a file, by rows and columns of the image."""

    reader: WindowReader
    y: np.ndarray
    x: np.ndarray

    @property
    def block(self) -> Block:
        return self.reader.block

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return their values (n, band) and valid flags (n,)."""
        return self.reader.pick(self.y, self.x)
