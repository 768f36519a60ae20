"""Where a map lies: scale, shift, units and axis names of the two spatial axes of a napari layer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from ..image import pixel_size

PIXEL = "pixel"
_PINT_NAMES = {"metres": "meter", "degrees_north": "degree", "degrees_east": "degree", "us survey foot": "survey_foot"}


@dataclass(frozen=True)
class Placement:
    """How the two spatial axes of a source lie in the scene; its maps lie the same way.

    Parameters
    ----------
    scale, translate : (float, float)
        Size of a pixel and position of the first one, y and x.
    units, axis_labels : (str, str)
        Unit and name of each axis.
    turned : mapping
        Rotation, shear and extra affine of the source where it has them, as napari's keywords.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    translate: tuple[float, float] = (0.0, 0.0)
    units: tuple[str, str] = (PIXEL, PIXEL)
    axis_labels: tuple[str, str] = ("y", "x")
    turned: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_image(cls, image: xr.DataArray | xr.Dataset) -> Placement:
        """Return the placement of an image or result: its pixel size, the first pixel at the origin.

        Map coordinates stay out of the scene: the screen's y axis points down, northing points up.
        """
        size = pixel_size(image if isinstance(image, xr.DataArray) else image["residual"])
        if size is None or not all(np.isfinite(step) and step > 0 for step in size[:2]):
            return cls()
        unit = known_unit(size[2])
        return cls(scale=(size[0], size[1]), units=(unit, unit))

    @classmethod
    def of_layer(cls, layer: Any) -> Placement:
        """Return the placement of the last two axes of a napari layer."""
        turned: dict[str, Any] = {}
        if not np.allclose(layer.rotate, np.eye(layer.ndim)):
            turned["rotate"] = np.asarray(layer.rotate)[-2:, -2:]
        if np.any(layer.shear):
            turned["shear"] = np.ravel(layer.shear)[-1:]
        affine = np.asarray(layer.affine.affine_matrix)
        if not np.allclose(affine, np.eye(len(affine))):
            turned["affine"] = affine[-3:, -3:]
        return cls(
            scale=_pair(layer.scale, float),
            translate=_pair(layer.translate, float),
            units=_pair(layer.units, str),
            axis_labels=_pair(layer.axis_labels, str),
            turned=turned,
        )

    def of_map(self) -> dict[str, Any]:
        """Return the keywords that place a layer (y, x)."""
        return {
            "scale": self.scale,
            "translate": self.translate,
            "units": self.units,
            "axis_labels": self.axis_labels,
            **self.turned,
        }

    def of_cube(self) -> dict[str, Any]:
        """Return the keywords that place a layer (band, y, x); bands count in pixels, never in nanometres."""
        return {
            "scale": (1.0, *self.scale),
            "translate": (0.0, *self.translate),
            "units": (PIXEL, *self.units),
            "axis_labels": ("band", *self.axis_labels),
        }


def known_unit(name: str) -> str:
    """Return the name napari has for a unit of length or angle, or ``pixel`` for one it does not know."""
    import pint

    name = _PINT_NAMES.get(name.strip().lower(), name.strip())
    try:
        pint.get_application_registry().Unit(name)
    except Exception:  # pint raises its own, tokenizer's and attribute errors on text from a file
        return PIXEL
    return name or PIXEL


def _pair(values: Any, kind: type) -> tuple[Any, Any]:
    """Return the last two of a layer's per-axis values."""
    y, x = list(values)[-2:]
    return kind(y), kind(x)
