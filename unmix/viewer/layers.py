"""From a result to napari layers, as plain tuples (data, keywords, type); no viewer and no Qt."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from ..image import sample_rows
from ..materials.colours import INVALID, endmember_colours, visible_density
from .labelling import label_place
from .levels import ONE_TEXTURE, as_layer_data, result_levels, uncached
from .metadata import KEY, LayerData
from .overview import Overview
from .placement import Placement

STAINED = ("brightfield", "optical_density")
NAMELESS = "endmember "
_STEPS = 64
_TOP_PERCENTILE, _TOP_PIXELS = 99.8, 250_000
_FRACTIONS = ("shade", "sum_to_one")
_DARKEST = 1e-3
_PIECE = 1024


@dataclass(frozen=True)
class Shown:
    """What the layers of one run say about where they come from.

    Parameters
    ----------
    source : str
        Name of the layer that was unmixed; the maps are called after it.
    source_id : str
        Its unique id; the next run of the same layer updates the same maps.
    run_id : str
        Which run made them.
    params : mapping
        What was asked for.
    colours : mapping of str to (red, green, blue), optional
        Colours the user chose, by the name of the endmember; 0 to 1.
    """

    source: str
    source_id: str = ""
    run_id: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    colours: Mapping[str, Any] = field(default_factory=dict)

    def layer(
        self,
        data: Any,
        kind: str,
        title: str,
        role: str,
        endmember: str = "",
        facts: Mapping[str, Any] | None = None,
        **keywords: Any,
    ) -> LayerData:
        """Return one layer tuple, named and labelled."""
        known = {
            "role": role,
            "endmember": endmember,
            "source": self.source,
            "source_id": self.source_id,
            "run_id": self.run_id,
            "params": dict(self.params),
            **(facts or {}),
        }
        return data, {"name": f"{self.source} | {title}", "metadata": {KEY: known}, **keywords}, kind

    def raster(self, levels: list[Any], *about: Any, **keywords: Any) -> LayerData:
        """Return one layer tuple of pixels, of one level or several; napari is to keep no copy of what is on disk."""
        data = as_layer_data(levels)
        keywords |= uncached(data)
        return self.layer(data, *about, multiscale=len(levels) > 1, **keywords)


def result_layers(
    result: xr.Dataset, shown: Shown, placement: Placement | None = None, overview: Overview | None = None
) -> list[LayerData]:
    """Return the layers that show a result, bottom first.

    Parameters
    ----------
    result : Dataset
        As from `unmix.unmix`; stays lazy where it is lazy.
    shown : Shown
        Source, run and parameters, for names and metadata.
    placement : Placement, optional
        How the source lies in the scene; from the result's own coordinates when not given.
    overview : Overview, optional
        Coarse copy of maps that are on disk.

    Returns
    -------
    list of (data, keywords, type)
        Hidden: brightness, residual, dominant endmember. Visible: one map an endmember, anchors where there are any.

    Examples
    --------
    >>> import numpy as np, unmix
    >>> from unmix.viewer.layers import Shown, result_layers
    >>> image = unmix.as_image(np.random.default_rng(0).random((20, 20, 6)).astype("float32"), quantity="reflectance")
    >>> [keywords["name"] for _, keywords, _ in result_layers(unmix.unmix(image, 2), Shown("field"))][-2]
    'field | endmember 2'
    """
    placed = (placement or Placement.of_image(result)).of_map()
    look, levels = _Look.of(result, shown.colours), result_levels(result, overview)
    below = [
        *_quality_maps(result, levels, shown, placed),
        _dominant(result, levels["abundances"], shown, placed, look),
    ]
    return below + _maps_and_anchors(result, levels["abundances"], shown, placed, look)


def growing_layers(
    result: xr.Dataset, window: tuple[slice, slice], shown: Shown, placement: Placement, overview: Overview | None
) -> list[LayerData]:
    """Return the maps and anchors of a result that is being made, scaled to the `window` that is finished."""
    look = _Look.of(result.isel(y=window[0], x=window[1]), shown.colours)
    levels = result_levels(result, overview)["abundances"]
    return _maps_and_anchors(result, levels, shown, placement.of_map(), look)


def _maps_and_anchors(
    result: xr.Dataset, levels: list[Any], shown: Shown, placed: Mapping[str, Any], look: _Look
) -> list[LayerData]:
    maps = [_abundance_map(result, levels, index, shown, placed, look) for index in range(result.sizes["endmember"])]
    anchors = _anchors(result, shown, placed, look)
    return maps + ([anchors] if anchors is not None else [])


@dataclass(frozen=True)
class _Look:
    """How the maps of one result are drawn: one colour an endmember, and how far the scale goes."""

    stained: bool
    colours: np.ndarray
    density: np.ndarray | None
    tops: np.ndarray

    @classmethod
    def of(cls, result: xr.Dataset, chosen: Mapping[str, Any]) -> _Look:
        quantity = str(result.attrs.get("quantity", "unknown"))
        fractions = result.attrs.get("constraint", "shade" if "brightness" in result else "") in _FRACTIONS
        spectra = result["endmembers"].values
        wavelengths = result.coords["wavelength"].values if "wavelength" in result.coords else None
        stained = quantity in STAINED
        density = visible_density(spectra, wavelengths) if stained else None
        density = None if density is None else np.array(density)
        tops = np.ones(len(spectra)) if fractions else _tops(result["abundances"].data)
        if stained:
            tops = np.full(len(spectra), tops.max())  # one scale: amounts of stain are compared with each other
        colours = endmember_colours(spectra, quantity, wavelengths)
        for index, name in enumerate(result["endmember"].values):
            if str(name) in chosen:
                colours[index] = chosen[str(name)]
                if density is not None:
                    density[index] = -np.log(np.maximum(colours[index], _DARKEST))
        return cls(stained, colours, density, tops)

    def colormap(self, index: int, name: str) -> Any:
        """Return the colours of one map."""
        density = None if self.density is None else self.density[index]
        return map_colours(name, self.colours[index], self.stained, float(self.tops[index]), density)


def map_colours(name: str, colour: np.ndarray, stained: bool, top: float, density: np.ndarray | None = None) -> Any:
    """Return the colormap of an abundance map: white light through more and more stain, or black to the colour.

    Parameters
    ----------
    name : str
        Of the endmember.
    colour : ndarray, shape (3,)
        Its colour, 0 to 1.
    stained : bool
        Whether it takes light away.
    top : float
        Where the map's scale ends.
    density : ndarray, shape (3,), optional
        Optical density of one unit of stain; from the colour when not given.
    """
    from napari.utils.colormaps import Colormap

    title = colours_title(name)
    if not stained:
        return Colormap([[0, 0, 0], colour], name=title)
    density = -np.log(np.maximum(colour, _DARKEST)) if density is None else density
    amount = np.linspace(0.0, top, _STEPS)[:, None]
    return Colormap(np.exp(-amount * np.maximum(density, 0.0)), name=title, nan_color="white")


def colours_title(name: str) -> str:
    """Return what the colours of an endmember's map are called in napari's list of colormaps."""
    return f"{name} (unmix)"


def goes_by(colours: str, title: str) -> bool:
    """Say whether a layer's colours are those of this title; napari numbers titles it has heard before."""
    return re.fullmatch(re.escape(title) + r"( \(\d+\))?", colours) is not None


def _quality_maps(
    result: xr.Dataset, levels: Mapping[str, list[Any]], shown: Shown, placed: Mapping[str, Any]
) -> list[LayerData]:
    """Return the hidden layers that say how well the image is explained."""
    layers = []
    if "brightness" in result:
        look: dict[str, Any] = {"colormap": "gray", "contrast_limits": (0.0, 1.0), "visible": False}
        layers.append(shown.raster(levels["brightness"], "image", "brightness", "brightness", **look, **placed))
    look = {"colormap": "magma", "contrast_limits": (0.0, _top(result["residual"].data)), "visible": False}
    return [*layers, shown.raster(levels["residual"], "image", "residual", "residual", **look, **placed)]


def _dominant(result: xr.Dataset, levels: list[Any], shown: Shown, placed: Mapping[str, Any], look: _Look) -> LayerData:
    """Return the hidden labels of the endmember that is most of each pixel; 0 where there is none."""
    in_memory = isinstance(levels[0], np.ndarray) and levels[0][0].size <= ONE_TEXTURE
    labels = [_largest_of_block(level) if in_memory else _largest_lazily(level) for level in levels]
    names = [str(name) for name in result["endmember"].values]
    colours: dict[int | None, Any] = {k + 1: np.append(colour, 1.0) for k, colour in enumerate(look.colours)}
    style: dict[str, Any] = {"colormap": {None: INVALID, 0: "transparent", **colours}, "opacity": 1.0, "visible": False}
    features: dict[str, Any] = {"index": [0, *colours], "endmember": ["none", *names]}
    return shown.raster(labels, "labels", "dominant", "dominant", features=features, **style, **placed)


class _Largest:
    """Which abundance is largest, found where it is looked at; no array, of which Dask would take a copy."""

    def __init__(self, abundances: np.ndarray) -> None:
        self._abundances = abundances
        self.shape, self.dtype, self.ndim = abundances.shape[1:], np.dtype(np.uint8), 2

    def __getitem__(self, window: tuple[slice, slice]) -> np.ndarray:
        return _largest_of_block(self._abundances[(slice(None), *window)])


def _largest_lazily(abundances: Any) -> Any:
    """Return which abundance (endmember, y, x) is largest, from 1, 0 where none is above zero, as a Dask array."""
    import dask.array as da

    meta = np.empty((0, 0), np.uint8)
    if isinstance(abundances, np.ndarray):
        source, plain = _Largest(abundances), {"asarray": False, "fancy": False, "lock": False}
        return da.from_array(source, chunks=(_PIECE, _PIECE), name=False, meta=meta, **plain)
    pieces = abundances.rechunk({0: -1, 1: _PIECE, 2: _PIECE})
    return pieces.map_blocks(_largest_of_block, dtype=np.uint8, drop_axis=0, meta=meta)


def _largest_of_block(abundances: np.ndarray) -> np.ndarray:
    known = np.nan_to_num(abundances, nan=0.0)
    return np.where(known.max(axis=0) > 0, known.argmax(axis=0) + 1, 0).astype(np.uint8)


def _abundance_map(
    result: xr.Dataset, levels: list[Any], index: int, shown: Shown, placed: Mapping[str, Any], look: _Look
) -> LayerData:
    name = str(result["endmember"].values[index])
    return shown.raster(
        [level[index] for level in levels],
        "image",
        name,
        "abundance",
        name,
        {"colour": tuple(float(part) for part in look.colours[index])},
        colormap=look.colormap(index, name),
        contrast_limits=(0.0, float(look.tops[index])),
        blending="multiplicative" if look.stained else "additive",
        **placed,
    )


def _anchors(result: xr.Dataset, shown: Shown, placed: Mapping[str, Any], look: _Look) -> LayerData | None:
    """Return the pixels behind the endmembers as named points, or None where no pixel stands behind any."""
    places = np.stack([result["anchor_row"].values, result["anchor_col"].values], axis=1)
    found = (places >= 0).all(axis=1)
    if not found.any():
        return None
    side = min(result.sizes["y"], result.sizes["x"])
    size = max(2.0, side / 40)
    ink = "black" if look.stained else "white"
    names = [str(name) for name in result["endmember"].values[found]]
    labels = [name.removeprefix(NAMELESS) for name in names]
    shape = result.sizes["y"], result.sizes["x"]
    text = {"string": "{label}", "color": ink, "size": 10, **label_place(places[found], labels, shape, size)}
    style: dict[str, Any] = {
        "face_color": np.column_stack([look.colours[found], np.ones(found.sum())]),
        "border_color": ink,
        "border_width": 0.15,
        "size": size,
        "text": text,
        "features": {"endmember": names, "label": labels},
    }
    return shown.layer(places[found].astype(float), "points", "anchors", "anchors", **style, **placed)


def _tops(abundances: Any) -> np.ndarray:
    """Return where the scale of each map ends, from a few rows."""
    return np.array([_top(abundances[index]) for index in range(len(abundances))])


def _top(values: Any) -> float:
    step = max(3, math.isqrt(values.size // _TOP_PIXELS))
    rows = sample_rows(values[..., None]) if hasattr(values, "dask") else np.asarray(values)[::step, ::step]
    finite = rows[np.isfinite(rows)]
    top = float(np.percentile(finite, _TOP_PERCENTILE)) if finite.size else 1.0
    return top if top > 0 else 1.0
