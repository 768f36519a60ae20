"""From whatever the caller has to an image ready to be unmixed: opened, masked, sampled, its light understood."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from .blocks import Block, Progress, default_sample_size, map_blocks
from .engines import current_cluster
from .errors import OptionError, warn
from .image import DIMS, as_image, check_image
from .light.additive import Additive, additive_rule
from .light.bands import select_bands
from .light.fill_values import refuse_fill_values
from .light.pixels import require_valid, with_mask, without_clouds
from .options import Options
from .readers import read
from .result import Endmembers
from .sampling import sample_pixels
from .scratch import memory_budget
from .slides.glass import Glass
from .slides.judging import Judged, judge_slide

_SHARE_OF_BUDGET = 8
_STAINED_SAMPLE = 200_000
"""Pixels that show the white point of a stained image well enough: more only cost."""


@dataclass(frozen=True)
class Prepared:
    """An image ready to be unmixed: its values' additive rule and the sample it is judged by.

    ``settled`` is the number of endmembers where that was decided before, so that it is not asked for again.
    """

    image: xr.DataArray
    rule: Additive
    sample: np.ndarray
    options: Options
    notes: dict[str, Any]
    slide: Judged | None = None
    settled: int | None = None

    @property
    def glass(self) -> Glass | None:
        """Return where a whole slide shows nothing, None for other images."""
        return None if self.slide is None else self.slide.glass

    def to_fit(self) -> Prepared:
        """Return what a fit looks at: the tiles a whole slide is judged on, else everything."""
        return self if self.slide is None else replace(self, image=self.slide.image, slide=None)

    def placed(self, found: Endmembers) -> Endmembers:
        """Return what was found by `to_fit` with its nearest pixels where they are in the image."""
        return found if self.slide is None else self.slide.placed(found)

    def for_maps(self, found: Endmembers) -> Prepared:
        """Return what the maps are solved from: a dark level that the fit left out is left out of them, too."""
        dark = found.notes.get("offset_by_band")
        if dark is None or self.rule.quantity != "counts" or self.options.background is not None:
            return self
        return replace(self, rule=replace(self.rule, background=np.asarray(dark, np.float64)))


def open_image(source: Any, options: Options) -> xr.DataArray:
    """Return an image from a path, an array or an image, with the bands, scale and quantity asked for."""
    if isinstance(source, (str, os.PathLike)):
        return read(
            source,
            quantity=options.quantity,
            scale=options.scale,
            bands=options.bands,
            exclude=options.exclude,
            water_bands=options.water_bands,
        )
    if isinstance(source, xr.DataArray) and source.dims == DIMS and "valid" in source.coords and options.scale is None:
        image = check_image(source)
    else:
        image = as_image(source, quantity=options.quantity, scale=options.scale)
    return _with_quantity(select_bands(image, options.bands, options.exclude), options.quantity)


def prepare(image: xr.DataArray, mask: Any, options: Options, progress: Progress | None) -> Prepared:
    """Decide which pixels and bands count and how their values become additive."""
    image = with_mask(image if options.clouds == "keep" else without_clouds(image), mask)
    _say_what_was_guessed(image)
    slide = judge_slide(image, threads=options.threads, progress=progress) if mask is None else None
    if slide is None and _is_decoded_once(image, options):
        image = _in_memory(image, options.threads, progress)
    judged = image if slide is None else slide.image
    n_sample = default_sample_size(judged.sizes["y"] * judged.sizes["x"], judged.sizes["band"])
    n_sample = min(n_sample, _STAINED_SAMPLE) if options.method == "stains" else n_sample
    sample, _ = sample_pixels(judged, n_sample, threads=options.threads, progress=progress)
    require_valid(len(sample), image)
    if slide is None:
        rule, notes = additive_rule(image, sample, options)
    else:
        rule, notes = additive_rule(image, slide.overview, options, slide.white)
    refuse_fill_values(sample, rule.good, image.attrs["quantity"])
    return Prepared(image, rule, sample, options, notes | ({} if slide is None else slide.notes), slide)


def _is_decoded_once(image: xr.DataArray, options: Options) -> bool:
    """Return whether an image of a file is read into memory first: stains sample it twice before they map it."""
    small = image.nbytes <= memory_budget(options.memory) // _SHARE_OF_BUDGET
    return options.method == "stains" and image.chunks is not None and small and current_cluster() is None


def _in_memory(image: xr.DataArray, threads: int | None, progress: Progress | None) -> xr.DataArray:
    values, valid = np.empty(image.shape, image.dtype), np.empty(image.shape[:2], bool)

    def take(seen: np.ndarray, usable: np.ndarray, block: Block) -> None:
        values[block.window], valid[block.window] = seen, usable

    map_blocks(take, image, stage="sample", threads=threads, progress=progress)
    return image.copy(data=values).assign_coords(valid=(image.coords["valid"].dims, valid))


def as_brightfield(image: xr.DataArray, n_bands: int = 3) -> xr.DataArray:
    """Return the image as transmitted light, which is what stains are seen in, unless it is optical density."""
    found = image.sizes["band"]
    if found != n_bands:
        way_out = "Give the first three, image[..., :3]." if found == 4 else "Give three, or stain_matrix= for all."
        wanted = "in 3 channels (RGB)" if n_bands == 3 else f"with a stain matrix of {n_bands} channels"
        raise OptionError(f"stains are separated {wanted}; this image has {found}. {way_out}")
    return image if image.attrs["quantity"] == "optical_density" else _with_quantity(image, "brightfield")


def _with_quantity(image: xr.DataArray, quantity: str | None) -> xr.DataArray:
    if quantity is None:
        return image
    image = image.copy(deep=False)
    image.attrs = {key: value for key, value in image.attrs.items() if key != "quantity_guessed"} | {
        "quantity": quantity
    }
    return image


def _say_what_was_guessed(image: xr.DataArray) -> None:
    quantity = image.attrs["quantity"]
    if quantity == "unknown":
        text = "what the values are is unknown: the fit is free of scale. Say quantity= (and scale=, if scaled)."
        warn(text)
    elif image.attrs.get("quantity_guessed"):
        warn(f"the values look like {quantity} and are taken as such; say quantity= to be sure.")
