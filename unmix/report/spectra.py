"""Endmembers on paper: spectra over wavelength, or the colour and the three densities of a stain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from ..conventions.spectral_axis import spectral_axis
from ..materials.colours import readable
from ..writers.facts import colours, is_stained, labels, quantity
from .page import GREY, RULE, Page, stain_gradient

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SPECTRA_HEIGHT = 3.1
STAINS_HEIGHT = 1.35

_LEGEND_WIDTH = 2.0
_AXIS_ROOM = 0.62
_BAND_ROOM = 0.5
_FEW_BANDS = 12
_MISSING = 4.0
_CARD_GAP = 0.45
_LEAST_CARD = 2.6
_MOST_CARD = 5.4
_LABELS = {
    "reflectance": "reflectance",
    "radiance": "radiance",
    "counts": "share of the signal",
    "brightfield": "optical density (unit length)",
    "optical_density": "optical density (unit length)",
    "unknown": "value",
}
_CHANNELS = (("R", "#C8452F"), ("G", "#3D9A4B"), ("B", "#3A66C4"))


def endmembers_height(result: xr.Dataset, width: float) -> float:
    """Return how much of the page the endmembers need, inches."""
    if not are_stain_vectors(result):
        return SPECTRA_HEIGHT
    return STAINS_HEIGHT * -(-result.sizes["endmember"] // _cards_per_row(width))


def draw_endmembers(page: Page, result: xr.Dataset, left: float, top: float, width: float) -> None:
    """Draw the endmembers of a result into `width` inches, from the point (left, top) down."""
    if are_stain_vectors(result):
        _draw_stains(page, result, left, top, width)
    else:
        _draw_spectra(page, result, left, top, width)


def are_stain_vectors(result: xr.Dataset) -> bool:
    """Return whether the endmembers are optical densities in red, green and blue."""
    return is_stained(result) and result.sizes["band"] == 3


def _draw_spectra(page: Page, result: xr.Dataset, left: float, top: float, width: float) -> None:
    """Draw the spectra as lines, bad bands as gaps, with the names beside them."""
    x, label, order, good = band_axis(result)
    spectra = np.where(good, result["endmembers"].values[:, order], np.nan)
    axes = page.axes(
        left + _AXIS_ROOM,
        top + 0.1,
        width - _AXIS_ROOM - _LEGEND_WIDTH - 0.2,
        SPECTRA_HEIGHT - 0.1 - _BAND_ROOM,
        "spectra",
    )
    for low, high in _runs(~good, x):
        axes.axvspan(low, high, color="#F0F0F0", lw=0)
    x, spectra = _broken_where_bands_are_missing(x, spectra)
    for spectrum, hue in zip(spectra, colours(result), strict=True):
        alone = np.flatnonzero(_stands_alone(spectrum))
        marks = range(len(x)) if good.sum() <= _FEW_BANDS else alone.tolist()
        axes.plot(x, spectrum, color=hue, lw=1.6, marker="o", ms=3.2, markevery=list(marks), solid_joinstyle="round")
    page.style_ticks(axes)
    _set_limits(axes, x, spectra)
    axes.set_xlabel(label, fontsize=9, color=GREY)
    axes.set_ylabel(_LABELS[quantity(result)], fontsize=9, color=GREY)
    _draw_names(page, result, left + width - _LEGEND_WIDTH, top + 0.1, SPECTRA_HEIGHT - 0.1 - _BAND_ROOM)


def band_axis(result: xr.Dataset) -> tuple[np.ndarray, str, np.ndarray, np.ndarray]:
    """Return positions, axis label, order and good bands: by wavelength, or by number where it is not known."""
    n_bands = result.sizes["band"]
    good = result["good_band"].values if "good_band" in result.coords else np.ones(n_bands, bool)
    good = good & np.isfinite(result["endmembers"].values).all(axis=0)
    axis = spectral_axis(result.coords)
    if axis is None or not good.any() or not np.isfinite(axis.values[good]).all():
        return np.arange(1.0, n_bands + 1), "band", np.arange(n_bands), good
    order = np.argsort(axis.values, kind="stable")
    order = order[np.isfinite(axis.values[order])]
    return axis.values[order], axis.label, order, good[order]


def _broken_where_bands_are_missing(x: np.ndarray, spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put a gap where bands lie much farther apart than they mostly do: some were taken out of the file."""
    steps = np.diff(x)
    if len(x) <= _FEW_BANDS or not (steps > 0).any():
        return x, spectra
    after = np.flatnonzero(steps > _MISSING * np.median(steps[steps > 0])) + 1
    return np.insert(x, after, (x[after - 1] + x[after]) / 2), np.insert(spectra, after, np.nan, axis=1)


def _set_limits(axes: Axes, x: np.ndarray, spectra: np.ndarray) -> None:
    """Show every band and every value, from zero up."""
    finite = spectra[np.isfinite(spectra)]
    low, high = (min(0.0, finite.min()), finite.max()) if finite.size else (0.0, 1.0)
    room = 0.04 * ((high - low) or 1.0)
    axes.set_ylim(low - (room if low < 0 else 0.0), high + room)
    edge = 0.01 * (x.max() - x.min()) if len(x) > 1 and x.max() > x.min() else 0.5
    axes.set_xlim(x.min() - edge, x.max() + edge)
    axes.grid(axis="y", color="#EBEBEB", lw=0.6)
    axes.set_axisbelow(True)


def _runs(bad: np.ndarray, x: np.ndarray) -> list[tuple[float, float]]:
    """Return where runs of bad bands begin and end, half way to their neighbours."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], bad, [False]]).astype(int)))
    between = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
    return [(float(between[a]), float(between[b])) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _stands_alone(spectrum: np.ndarray) -> np.ndarray:
    """Return which values have no neighbour a line could reach."""
    known = np.concatenate([[False], np.isfinite(spectrum), [False]])
    return known[1:-1] & ~known[:-2] & ~known[2:]


def _draw_names(page: Page, result: xr.Dataset, left: float, top: float, height: float) -> None:
    """Write the names beside short strokes of their colours, in as many columns as they need."""
    names, hues = labels(result), colours(result)
    n_columns = 1 if len(names) <= 14 else 2
    per_column = -(-len(names) // n_columns)
    pitch = min(0.26, height / per_column)
    room = _LEGEND_WIDTH / n_columns
    for k, (name, hue) in enumerate(zip(names, hues, strict=True)):
        column, row = divmod(k, per_column)
        x, y = left + column * room, top + (row + 0.5) * pitch
        page.rectangle(x, y - 0.02, 0.24, 0.04, hue)
        page.fitted(x + 0.32, y, name, min(9.0, 60 * pitch), room - 0.36, color=readable(hue))


def _cards_per_row(width: float) -> int:
    """Return how many stain cards fit beside each other."""
    return max(1, int((width + _CARD_GAP) / (_LEAST_CARD + _CARD_GAP)))


def _draw_stains(page: Page, result: xr.Dataset, left: float, top: float, width: float) -> None:
    """Draw a card a stain: its colour from thin to thick, and its density in red, green and blue."""
    vectors = result["endmembers"].values
    per_row = min(len(vectors), _cards_per_row(width))
    card = min(_MOST_CARD, (width - (per_row - 1) * _CARD_GAP) / per_row)
    for k, (name, hue, vector) in enumerate(zip(labels(result), colours(result), vectors, strict=True)):
        row, column = divmod(k, per_row)
        _draw_card(page, left + column * (card + _CARD_GAP), top + row * STAINS_HEIGHT, card, name, hue, vector)


def _draw_card(
    page: Page, left: float, top: float, width: float, name: str, hue: np.ndarray, vector: np.ndarray
) -> None:
    """Draw one stain's name, swatch and three densities."""
    page.fitted(left, top + 0.14, name, 10, width, color=readable(hue), weight="bold")
    half = width / 2 - 0.2
    swatch = page.axes(left, top + 0.32, half, 0.72, f"swatch: {name}")
    swatch.imshow(np.linspace(0, 1, 128)[None], cmap=stain_gradient(hue), aspect="auto")
    swatch.set(xticks=[], yticks=[])
    for spine in swatch.spines.values():
        spine.set(color=RULE, linewidth=0.6)
    bars, length = left + half + 0.32, width - half - 0.82
    for k, ((channel, colour), density) in enumerate(zip(_CHANNELS, vector, strict=True)):
        y = top + 0.44 + k * 0.24
        page.text(bars - 0.18, y, channel, 8, color=GREY)
        page.rectangle(bars, y - 0.055, length, 0.11, "#F0F0F0")
        page.rectangle(bars, y - 0.055, length * float(np.clip(np.nan_to_num(density), 0.0, 1.0)), 0.11, colour)
        page.text(bars + length + 0.06, y, f"{density:.3f}", 8, color=GREY)
