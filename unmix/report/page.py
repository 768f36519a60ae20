"""A page measured in inches from its upper left corner, and text that stays on it."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import OptionError
from ..materials.colours import FULL_THICKNESS, INVALID
from ..writers.commit import commit_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Text

INK = "#222222"
GREY = "#6B6B6B"
RULE = "#C9C9C9"
DPI = 150

_RUN_LENGTHS = {"compress_type": 3}
"""How zlib packs a figure: in a third of the time of its own search, and the file is at most 4 % larger."""

_SMALLEST = 0.82
_END_KEPT = 3

_FURTHER_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "Microsoft YaHei", "PingFang SC", "Hiragino Sans",
    "Noto Sans Devanagari", "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Thai",
)  # fmt: skip


class Page:
    """A matplotlib figure whose parts are placed in inches, measured from its upper left corner.

    Parameters
    ----------
    width, height : float
        Size in inches.
    """

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self.width, self.height = width, height
        self.figure: Figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
        self._canvas = FigureCanvasAgg(self.figure)
        self._fonts = _fonts()

    def axes(self, left: float, top: float, width: float, height: float, label: str) -> Axes:
        """Return new axes; `label` is how tests and users find them again."""
        box = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        return self.figure.add_axes(box, label=label)

    def text(self, left: float, top: float, words: str, size: float, **look: Any) -> Text:
        """Write one line of plain text at a point; no word is taken for mathematics."""
        style: dict[str, Any] = {
            "color": INK,
            "va": "center",
            "ha": "left",
            "family": self._fonts,
            "parse_math": False,
        } | look
        return self.figure.text(left / self.width, 1 - top / self.height, words, fontsize=size, **style)

    def fitted(self, left: float, top: float, words: str, size: float, room: float, **look: Any) -> Text:
        """Write one line in at most `room` inches: a little smaller where that helps, else cut before its end.

        The end stays, for it is what tells endmember 11 from endmember 12.
        """
        written = self.text(left, top, words, size, **look)
        if self.width_of(written) > room:
            written.set_fontsize(max(_SMALLEST * size, size * room / self.width_of(written) - 0.1))
        if self.width_of(written) > room:
            end = words[-_END_KEPT:] if len(words) > 2 * _END_KEPT else ""
            low, high = 0, len(words) - len(end)
            while low < high:
                kept = (low + high + 1) // 2
                written.set_text(f"{words[:kept].rstrip()}…{end}")
                low, high = (kept, high) if self.width_of(written) <= room else (low, kept - 1)
            written.set_text(f"{words[:low].rstrip()}…{end}")
        return written

    def width_of(self, written: Text) -> float:
        """Return how wide a text is, inches."""
        with without_glyph_warnings():
            return float(written.get_window_extent(self._canvas.get_renderer()).width) / self.figure.dpi

    def rectangle(self, left: float, top: float, width: float, height: float, colour: Any) -> None:
        """Fill a rectangle."""
        from matplotlib.patches import Rectangle

        corner = (left / self.width, 1 - (top + height) / self.height)
        size = (width / self.width, height / self.height)
        self.figure.add_artist(Rectangle(corner, *size, transform=self.figure.transFigure, color=colour, lw=0))

    def style_ticks(self, axes: Axes) -> None:
        """Give axes the thin grey look of the page."""
        axes.tick_params(labelsize=8, colors=GREY, width=0.6, length=3)
        for text in (*axes.get_xticklabels(), *axes.get_yticklabels()):
            text.set_fontfamily(self._fonts)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        for side in ("left", "bottom"):
            axes.spines[side].set(color=RULE, linewidth=0.8)


def stain_gradient(hue: np.ndarray) -> Any:
    """Return the colours of white light through more and more of a stain (Beer-Lambert); invalid pixels grey."""
    return _gradient([hue**thickness for thickness in np.linspace(0.0, FULL_THICKNESS, 17)])


def light_gradient(hue: np.ndarray) -> Any:
    """Return the colours from black through `hue` to its brightest; invalid pixels grey."""
    return _gradient([0.0 * hue, 0.5 * hue, hue, 0.5 * hue + 0.5])


def _gradient(colours: list[np.ndarray]) -> Any:
    """Return a colour map through evenly spaced colours."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("endmember", colours).with_extremes(bad=INVALID)


def named_gradient(name: str) -> Any:
    """Return one of matplotlib's colour maps that draws invalid pixels grey."""
    from matplotlib import colormaps

    return colormaps[name].with_extremes(bad=INVALID)


def check_png_name(path: Path) -> None:
    """Refuse a name that says the figure is something else than the PNG file it is."""
    if path.suffix.lower() != ".png":
        raise OptionError(f"{path}: a figure is a PNG file. Give a name that ends in .png.")


def save_page(
    figure: Figure, path: str | os.PathLike[str], *, overwrite: bool, source: str | os.PathLike[str] | None
) -> Path:
    """Write a figure as a PNG file, whole or not at all; `source`, the image it is about, is never written over."""
    content = io.BytesIO()
    with without_glyph_warnings():
        figure.savefig(content, format="png", dpi=DPI, metadata={"Software": "unmix"}, pil_kwargs=_RUN_LENGTHS)
    return commit_bytes(path, content.getvalue(), overwrite=overwrite, source=source)


def short_number(value: float) -> str:
    """Return a number of two or three digits for the end of a colour bar."""
    if 100 <= abs(value) < 100_000:
        return f"{value:,.0f}"
    return f"{value:.2g}"


@contextlib.contextmanager
def without_glyph_warnings() -> Iterator[None]:
    """Draw names in a script no installed font knows as boxes, in silence: the files keep the names."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph \d+ .*missing from font")
        yield


def _fonts() -> list[str]:
    """Return matplotlib's own font and those installed ones that know further scripts."""
    from matplotlib.font_manager import fontManager

    installed = set(fontManager.get_font_names())
    return ["DejaVu Sans", *(name for name in _FURTHER_FONTS if name in installed)]
