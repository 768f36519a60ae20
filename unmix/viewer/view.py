"""What is on screen of a large image, as a layer of its own: unmixed in a moment, and lying where it was cut out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from ..errors import DataError
from ..readers.pyramid import pyramid_of
from .levels import uncached
from .metadata import KEY, about
from .show import adding
from .sources import Part, source_of_layer
from .step import Step

_LEAST = 8
_LOOK = ("colormap", "contrast_limits", "gamma", "interpolation2d")


def cut_view(viewer: Any, layer: Any) -> Any:
    """Return the part of a layer that is on screen, at the resolution it is shown at, as a layer that is in no viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where it is looked at.
    layer : napari layer
        An image that can be unmixed; the part shares its values.

    Raises
    ------
    DataError
        Too little of the layer is on screen, or it is not seen from above.
    """
    from napari.layers import Image

    window = _window(viewer, layer)
    level = layer.data_level if layer.multiscale else 0
    shown = _cut(layer.data[level] if layer.multiscale else layer.data, window, layer.rgb)
    known = {key: value for key, value in about(layer).items() if key in ("role", "suggested_endmembers")}
    known |= {"part": _part(layer, level, window), "cut": shown}
    image = about(layer).get("image")
    if isinstance(image, xr.DataArray):
        known |= {"image": _image_cut(image, level, window), "shown": shown}
    look = {} if layer.rgb else {key: getattr(layer, key) for key in _LOOK}
    return Image(
        shown,
        name=f"{layer.name} (view)",
        rgb=layer.rgb,
        metadata={KEY: known},
        multiscale=False,
        **uncached(shown),
        **look,
        **_place(layer, level, window),
    )


def showing_view(viewer: Any, layer: Any, part: Any) -> Iterator[Step]:
    """Show a part on top, in place of its layer, a step at a time."""
    layer.visible = False
    yield from adding(viewer.layers, part)
    if part in viewer.layers:
        viewer.layers.selection.active = part


def _part(layer: Any, level: int, window: tuple[slice, slice]) -> Part | None:
    """Return where in its layer a part was; None of a part of a part."""
    whole = source_of_layer(layer)
    if whole.part is not None:
        return None
    if isinstance(whole.values, xr.DataArray) and (pyramid := pyramid_of(whole.values)) is not None:
        return Part(whole, pyramid.level + level, *window)
    return Part(whole, 0, *(_in_whole(span, 2**level) for span in window))


def _in_whole(span: slice, step: int) -> slice:
    """Return rows or columns of a level that takes every step-th of them, counted in the whole."""
    return slice(span.start * step, (span.stop - 1) * step + 1, step)


def _window(viewer: Any, layer: Any) -> tuple[slice, slice]:
    """Return rows and columns on screen, in pixels of the level that is shown."""
    if viewer.dims.ndisplay != 2 or tuple(viewer.dims.displayed) != tuple(range(viewer.dims.ndim))[-2:]:
        raise DataError("a view is cut out in 2-D, with y down and x across; leave 3-D and reset the axes first.")
    data = layer.data[layer.data_level] if layer.multiscale else layer.data
    height, width = data.shape[:2] if layer.rgb else data.shape[-2:]
    corners = np.asarray(layer.corner_pixels)[:, -2:]
    spans = [
        slice(int(max(0, low)), int(min(size, high + 1)))
        for low, high, size in zip(*corners, (height, width), strict=True)
    ]
    if any(span.stop - span.start < _LEAST for span in spans):
        raise DataError(f"less than {_LEAST} pixels of '{layer.name}' are on screen; move or zoom out first.")
    return spans[0], spans[1]


def _cut(data: Any, window: tuple[slice, slice], rgb: bool) -> Any:
    return data[window] if rgb else data[(slice(None), *window)]


def _image_cut(image: xr.DataArray, level: int, window: tuple[slice, slice]) -> xr.DataArray:
    """Return the same part of the image itself; it is no longer what its file holds."""
    pyramid = pyramid_of(image)
    if pyramid is not None:
        part = pyramid.open(pyramid.level + level).isel(y=window[0], x=window[1])
    else:
        rows, columns = (_in_whole(span, 2**level) for span in window)
        part = image.isel(y=rows, x=columns)
    part.attrs = {key: value for key, value in image.attrs.items() if key != "source"}
    return part


def _place(layer: Any, level: int, window: tuple[slice, slice]) -> dict[str, Any]:
    """Return where the part lies: levels of a slide are means of squares, others take every so many pixels."""
    from napari.utils.transforms import Affine

    step = np.asarray(layer.downsample_factors[level], float) if layer.multiscale else np.ones(layer.ndim)
    first = np.zeros(layer.ndim)
    first[-2:] = np.array([window[0].start, window[1].start]) * step[-2:]
    image = about(layer).get("image")
    if isinstance(image, xr.DataArray) and pyramid_of(image) is not None:
        first += 0.5 * (step - 1)
    turned = {"rotate": layer.rotate, "shear": layer.shear}
    linear = Affine(scale=layer.scale, ndim=layer.ndim, **turned).linear_matrix
    return {
        "scale": np.asarray(layer.scale) * step,
        "translate": np.asarray(layer.translate) + linear @ first,
        "affine": layer.affine,
        "units": layer.units,
        "axis_labels": layer.axis_labels,
        **turned,
    }
