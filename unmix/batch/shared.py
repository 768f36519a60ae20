"""One fit for all items: endmembers found in a sample of every scene, or the stains of a cohort of slides."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..blocks import Block, Progress, load_block, sample_positions
from ..errors import DataError, OptionError, ReadError, UnmixError, warn
from ..image import as_image
from ..light.pixels import with_mask
from ..pipeline import find_endmembers
from ..readers import read
from ..readers.mask import read_mask
from ..readers.saved_result import open_endmembers
from ..result import as_json
from ..stain_vectors import cohort_stain_matrix
from ..writers.commit import temporary_name
from ..writers.netcdf import write_netcdf
from .fingerprint import fingerprints, output_record, same_outputs
from .manifest import Manifest
from .publish import publish
from .recipe import Recipe
from .sources import SHARED_NAME, Item
from .work import reading_of

_FILE = "endmembers.nc"
_VALUES = 50_000_000
_TILE, _LEAST_TILE = 64, 16


def kept_endmembers(items: Sequence[Item], out: Path, recipe: Recipe, manifest: Manifest) -> xr.Dataset | None:
    """Return the shared endmembers of an earlier run, None where there are none or something has changed since."""
    record, final = manifest.last.get(SHARED_NAME, {}), out / SHARED_NAME
    same = record.get("key") == _key(items, recipe) and same_outputs(record.get("outputs"), final, content=True)
    return open_endmembers(final / _FILE) if same else None


def fit_shared_endmembers(
    items: Sequence[Item], out: Path, recipe: Recipe, manifest: Manifest, progress: Progress | None
) -> xr.Dataset:
    """Find the endmembers that all items share and keep them in the folder ``shared_endmembers`` of the batch."""
    if recipe.stains is None:
        found = _scene_endmembers(items, recipe, progress)
    else:
        options = {name: value for name, value in recipe.options.items() if name not in ("threads", "memory")}
        found = cohort_stain_matrix([item.path for item in items], recipe.stains, progress=progress, **options)
    waiting = temporary_name(out / SHARED_NAME)
    waiting.mkdir()
    write_netcdf(found, waiting / _FILE)
    key, outputs = _key(items, recipe), output_record(waiting)
    manifest.append({"item": SHARED_NAME, "state": "ok", "key": key, "outputs": outputs})
    publish(waiting, out / SHARED_NAME)
    return open_endmembers(out / SHARED_NAME / _FILE)


def sampled_image(items: Sequence[Item], recipe: Recipe, progress: Progress | None = None) -> xr.DataArray:
    """Return square tiles of many scenes, one below the other, as one image; the same tiles every time.

    All scenes give the same number of tiles, spread over each, so that together they have at most 50 million values.
    Of very many scenes only some are looked at, spread evenly. A scene that cannot be read, or is not like the first,
    is left out, aloud: it will fail as an item.
    """
    first = _first_readable(items, recipe)
    n_bands = first.sizes["band"]
    most = max(1, _VALUES // (n_bands * _LEAST_TILE**2))
    chosen = [items[int(k)] for k in sample_positions(len(items), most)]
    side = min(_TILE, max(_LEAST_TILE, math.isqrt(_VALUES // (n_bands * len(chosen)))))
    n_tiles = max(1, _VALUES // (n_bands * len(chosen) * side**2))
    values, valid, good = [], [], np.ones(n_bands, bool)
    for k, item in enumerate(chosen):
        try:
            image = _like_first(first, _opened(item, recipe), item)
            tiles = [_padded(image, block, side) for block in _tiles(image, side, n_tiles)]
        except UnmixError as error:
            warn(f"left out of the shared fit: {error}")
            continue
        good &= image.coords["good_band"].values
        values += [tile.astype(first.dtype, copy=False) for tile, _ in tiles]
        valid += [usable for _, usable in tiles]
        if progress is not None:
            progress("sample of all scenes", k + 1, len(chosen))
    bands = {key: first.coords[key].values for key in ("wavelength", "fwhm", "band_name") if key in first.coords}
    return as_image(
        np.concatenate(values), quantity=first.attrs["quantity"], valid=np.concatenate(valid), good_bands=good,
        wavelengths=bands.get("wavelength"), fwhm=bands.get("fwhm"), band_names=bands.get("band_name"),
    )  # fmt: skip


def _scene_endmembers(items: Sequence[Item], recipe: Recipe, progress: Progress | None) -> xr.Dataset:
    options = {name: value for name, value in recipe.options.items() if name not in ("bands", "exclude", "scale")}
    return find_endmembers(sampled_image(items, recipe, progress), recipe.n_endmembers, progress=progress, **options)


def _opened(item: Item, recipe: Recipe) -> xr.DataArray:
    image = read(item.path, **reading_of(recipe))
    return image if item.mask is None else with_mask(image, read_mask(item.mask, image))


def _first_readable(items: Sequence[Item], recipe: Recipe) -> xr.DataArray:
    refusal: UnmixError = OptionError("a shared fit needs at least one item.")
    for item in items:
        try:
            return read(item.path, **reading_of(recipe))
        except UnmixError as error:
            refusal = error
    raise refusal


def _like_first(first: xr.DataArray, image: xr.DataArray, item: Item) -> xr.DataArray:
    """Return the image if it can share endmembers with the first one."""
    if image.sizes["band"] != first.sizes["band"]:
        raise DataError(f"{item.path} has {image.sizes['band']} bands, the first scene {first.sizes['band']}.")
    if image.attrs["quantity"] != first.attrs["quantity"]:
        raise DataError(
            f"{item.path} holds {image.attrs['quantity']}, the first scene {first.attrs['quantity']}. Say quantity=."
        )
    nm = [one.coords["wavelength"].values for one in (first, image) if "wavelength" in one.coords]
    if len(nm) == 2 and not np.allclose(nm[0], nm[1], atol=1.0, equal_nan=True):
        raise DataError(f"{item.path} has other wavelengths than the first scene.")
    return image


def _padded(image: xr.DataArray, block: Block, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the values and the valid pixels of a tile; beyond the edge of the image nothing is valid."""
    tile, usable = load_block(image, block)
    padding = ((0, side - tile.shape[0]), (0, side - tile.shape[1]))
    return np.pad(tile, (*padding, (0, 0))), np.pad(usable, padding)


def _tiles(image: xr.DataArray, side: int, most: int) -> list[Block]:
    """Return at most so many tiles of an image, spread over it."""
    height, width = image.sizes["y"], image.sizes["x"]
    corners = [
        (y, x) for y in range(0, max(1, height - side // 2), side) for x in range(0, max(1, width - side // 2), side)
    ]
    return [
        Block(slice(y, min(y + side, height)), slice(x, min(x + side, width)))
        for y, x in (corners[int(k)] for k in sample_positions(len(corners), most))
    ]


def _there(item: Item) -> list[Path]:
    """Return an item's file, and its mask if it is there; where it is not, the item will fail by itself."""
    return [item.path, *(path for path in item.inputs[1:] if path.exists())]


def _key(items: Sequence[Item], recipe: Recipe) -> str:
    """Return by what a shared fit is known again: the recipe, and every input by size and time of change."""
    try:
        files: list[Any] = [[one.as_dict() for one in fingerprints(_there(item), content=False)] for item in items]
    except OSError as error:
        raise ReadError(f"{error.filename}: {error.strerror or error}.") from error
    return hashlib.sha256(as_json({"recipe": recipe.as_dict(), "files": files}).encode()).hexdigest()
