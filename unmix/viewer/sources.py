"""From an image to the layer that shows it, and from any suitable napari layer back to the image (y, x, band)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..blocks import source_of
from ..errors import DataError
from ..image import as_image, guess_quantity, sample_rows
from ..light.beer_lambert import full_scale
from .levels import as_layer_data, finest, image_levels, uncached
from .metadata import KEY, LayerData, about
from .placement import PIXEL, Placement

_LIMITS = (0.5, 99.5)
_SHORT = {"micrometer": "um", "micron": "um"}


@dataclass(frozen=True)
class Part:
    """Which part of a larger layer a layer is.

    Parameters
    ----------
    whole : SourceLayer
        The larger one.
    level : int
        Which level of its file, where that is a slide; else 0.
    rows, columns : slice
        Of that level.
    """

    whole: SourceLayer
    level: int
    rows: slice
    columns: slice


@dataclass(frozen=True)
class SourceLayer:
    """A napari layer as the pipeline sees it; light to make, its image is built where it is needed.

    Parameters
    ----------
    identity : str
        The layer's own unique id; survives renaming.
    name : str
        The layer's name.
    placement : Placement
        How it lies in the scene; the maps will lie the same way.
    values : array (y, x, band) or DataArray
        The numbers; an image of `unmix.read` where the layer came from unmix.
    quantity : str
        What the numbers are, as far as the file or a guess says.
    guessed : bool
        Whether the quantity is a guess.
    suggested_endmembers : int or None
        How many endmembers to offer, where whoever made the layer knows.
    file : str or None
        The file it was opened from by unmix, where nobody has changed the values since.
    picture : bool
        Whether the layer is a colour picture, not a stack of bands.
    picture_file : str or None
        The file napari says it opened the layer from; what unmix reads there may be the same, or not.
    part : Part or None
        What it was cut out of.
    """

    identity: str
    name: str
    placement: Placement
    values: Any
    quantity: str
    guessed: bool
    suggested_endmembers: int | None = None
    file: str | None = None
    picture_file: str | None = None
    picture: bool = False
    part: Part | None = None

    @property
    def n_bands(self) -> int:
        return int(self.values.shape[2])

    def stretch(self, bands: Sequence[int]) -> list[tuple[float, float]]:
        """Return display limits of bands from a few rows, read past Dask: napari counts on being alone with it."""
        data = self.values.data if isinstance(self.values, xr.DataArray) else self.values
        source = source_of(data)
        sample = sample_rows(data if source is None else source)
        return [contrast_limits(sample[..., band]) for band in bands]

    def image(self) -> xr.DataArray:
        """Return the image; a foreign layer's values are looked through once for pixels that are not finite."""
        if isinstance(self.values, xr.DataArray):
            return self.values
        size, unit = calibrated_size(self.placement)
        return as_image(self.values, name=self.name, pixel_size=size, pixel_unit=unit)


def calibrated_size(placement: Placement) -> tuple[tuple[float, float] | None, str]:
    """Return the pixel size and its unit as images spell it; no size where the layer is not calibrated."""
    unit = placement.units[0]
    return (None if PIXEL in placement.units else placement.scale), _SHORT.get(unit, unit)


def layer_of_image(image: xr.DataArray, **facts: Any) -> LayerData:
    """Return the napari layer that shows an image: a picture where it is one, else a stack (band, y, x).

    Parameters
    ----------
    image : DataArray, dims (y, x, band)
        Stays lazy where it is lazy, and stays reachable in the layer's metadata.
    **facts
        Further facts for the metadata, such as ``suggested_endmembers``.
    """
    placement = Placement.of_image(image)
    source = source_of(image.data)
    sample = sample_rows(image.data if source is None else source)
    picture = _is_picture(image)
    change = _picture_of(image, sample) if picture else _bands_first
    shown = as_layer_data([change(level) for level in image_levels(image)])
    known = {"role": "source", "image": image, "shown": finest(shown), **facts}
    keywords = {"name": name_of(image), "metadata": {KEY: known}, "multiscale": isinstance(shown, list)}
    keywords |= uncached(shown)
    if picture:
        return shown, {**keywords, **placement.of_map(), "rgb": True}, "image"
    good = image.coords["good_band"].values
    known["telling_band"] = telling_band(sample, good)
    limits = contrast_limits(sample[..., good])
    return shown, {**keywords, **placement.of_cube(), "contrast_limits": limits, "colormap": "gray"}, "image"


def is_source(layer: Any) -> bool:
    """Say whether a napari layer can be unmixed: a picture, or a stack with one axis before y and x."""
    if type(layer).__name__ != "Image" or about(layer).get("role", "source") != "source":
        return False
    return bool(layer.ndim == 2 if layer.rgb else layer.ndim == 3)


def source_of_layer(layer: Any) -> SourceLayer:
    """Return what the pipeline needs of a napari layer, without walking over its values.

    Raises
    ------
    DataError
        The layer is not an image with bands.
    """
    if not is_source(layer):
        raise DataError(f"layer '{layer.name}' has no bands; choose a colour picture or a stack (band, y, x).")
    data = layer.data[0] if layer.multiscale else layer.data
    known = about(layer)
    place: dict[str, Any] = {"identity": identity_of(layer), "name": layer.name, "placement": Placement.of_layer(layer)}
    place["picture"] = bool(layer.rgb)
    place["part"] = known.get("part") if data is known.get("cut") else None
    image = _image_behind(known, data, layer.rgb)
    if image is None:
        values = _spatial_first(data, layer.rgb)
        quantity = guess_quantity(sample_rows(values))
        opened_from = getattr(layer.source, "path", None)
        return SourceLayer(
            **place,
            values=values,
            quantity=quantity,
            guessed=True,
            picture_file=None if opened_from is None else str(opened_from),
        )
    return SourceLayer(
        **place,
        values=image,
        quantity=image.attrs["quantity"],
        guessed=bool(image.attrs.get("quantity_guessed")),
        suggested_endmembers=known.get("suggested_endmembers"),
        file=image.attrs.get("source") if data is known.get("shown") else None,
    )


def identity_of(layer: Any) -> str:
    """Return the id a source layer goes by: the one a saved session gave it, else its own."""
    return str(about(layer).get("identity") or layer.unique_id)


def name_of(image: xr.DataArray) -> str:
    """Return what to call an image: its name, else the stem of its file."""
    return str(image.attrs.get("name") or Path(str(image.attrs.get("source") or "image")).stem)


def contrast_limits(sample: np.ndarray) -> tuple[float, float]:
    """Return display limits from a sample of the values, so that napari need not scan the whole image."""
    finite = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample.ravel()
    low, high = (float(v) for v in np.percentile(finite, _LIMITS)) if finite.size else (0.0, 1.0)
    return (low, high) if high > low else (low, low + 1.0)


def telling_band(sample: np.ndarray, good: np.ndarray) -> int:
    """Return the good band with most structure, from a few rows (rows, columns, bands) of an image.

    Structure is the variance less the part that neighbouring pixels do not share, which is noise; a band that is
    mostly noise is taken only where there is no other.
    """
    best, most = int(np.flatnonzero(good)[0]), (False, 0.0)
    for band in np.flatnonzero(good):
        values = sample[..., band].astype(np.float64)
        steps = np.diff(values, axis=1)
        values, steps = values[np.isfinite(values)], steps[np.isfinite(steps)]
        if steps.size == 0:
            continue
        structure = values.var() - 0.5 * steps.var()
        score = (bool(structure > 0.5 * values.var()), float(structure))
        if score > most:
            best, most = int(band), score
    return best


def _is_picture(image: xr.DataArray) -> bool:
    return image.sizes["band"] == 3 and (image.attrs["quantity"] == "brightfield" or image.dtype == np.uint8)


def _bands_first(values: Any) -> Any:
    return values.transpose(2, 0, 1)


def _picture_of(image: xr.DataArray, sample: np.ndarray) -> Callable[[Any], Any]:
    """Return what makes 8-bit colours for the screen of the image's values; nothing where they are 8-bit already."""
    if image.dtype == np.uint8:
        return lambda values: values
    white = image.attrs.get("white_point")
    if white is None:
        white = full_scale(sample) if sample.dtype.kind in "ui" else max(1.0, float(np.nanmax(sample)))
    gain = (255.0 / np.asarray(white, np.float64)).astype(np.float32)

    def as_picture(values: Any) -> Any:
        if hasattr(values, "dask"):
            return values.map_blocks(_to_eight_bits, gain, dtype=np.uint8, meta=np.empty((0, 0, 0), np.uint8))
        return _to_eight_bits(values, gain)

    return as_picture


def _to_eight_bits(values: np.ndarray, gain: np.ndarray) -> np.ndarray:
    return np.clip(np.nan_to_num(values * gain), 0, 255).astype(np.uint8)


def _image_behind(known: dict[str, Any], data: Any, rgb: bool) -> xr.DataArray | None:
    """Return the image a layer was made from; with the layer's values where somebody has changed them."""
    image = known.get("image")
    if not isinstance(image, xr.DataArray):
        return None
    if data is known.get("shown"):
        return image
    values = _spatial_first(data, rgb)
    if values.shape != image.shape:
        return None
    changed = image.copy(data=values)
    if values.dtype != image.dtype:
        changed.attrs.pop("white_point", None)
    return changed


def _spatial_first(data: Any, rgb: bool) -> Any:
    """Return a layer's values as (y, x, band), without a copy."""
    data = data.data if isinstance(data, xr.DataArray) else data
    if not hasattr(data, "transpose"):
        import dask.array as da

        data = da.from_array(data)
    return data[..., :3] if rgb else data.transpose(1, 2, 0)
