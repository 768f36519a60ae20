"""Pictures inside a page: each as a data URI, so that the page is one file and asks for nothing from elsewhere."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

import numpy as np

from .page import without_glyph_warnings
from .tiles import Tile

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STOPS = 9


def tile_picture(tile: Tile) -> str:
    """Return a tile in its own colours as a PNG data URI, one pixel of the picture for one of its values."""
    if tile.scale is None:
        colours = np.asarray(tile.values)
        colours = colours if colours.dtype == np.uint8 else np.rint(255 * colours).astype(np.uint8)
        return png(colours)
    low, high = tile.scale
    shares = (np.ma.masked_invalid(tile.values) - low) / ((high - low) or 1.0)
    return png(tile.colour_map(np.ma.clip(shares, 0.0, 1.0), bytes=True)[:, :, :3])


def png(colours: np.ndarray) -> str:
    """Return an RGB picture (height, width, 3; uint8) as a PNG data URI."""
    import imagecodecs

    encoded = imagecodecs.png_encode(np.ascontiguousarray(colours), level=3, filter=imagecodecs.PNG.FILTER.PAETH)
    return _uri("image/png", encoded)


def svg(figure: Figure) -> str:
    """Return a figure as an SVG data URI; its text is drawn, so that it looks the same everywhere."""
    from matplotlib import rc_context

    content = io.BytesIO()
    with without_glyph_warnings(), rc_context({"svg.hashsalt": "unmix"}):
        figure.savefig(content, format="svg", metadata={"Date": None, "Creator": "unmix"})
    return _uri("image/svg+xml", content.getvalue())


def gradient(tile: Tile) -> str:
    """Return a tile's colour bar as the stops of a CSS gradient from left to right."""
    shades = tile.colour_map(np.linspace(0.0, 1.0, _STOPS), bytes=True)
    return ", ".join(css_colour(shade[:3] / 255) for shade in shades)


def css_colour(colour: np.ndarray | str) -> str:
    """Return a colour (red, green and blue, 0 to 1, or a hexadecimal text) as CSS writes it."""
    if isinstance(colour, str):
        return colour
    red, green, blue = (round(255 * float(part)) for part in colour)
    return f"#{red:02x}{green:02x}{blue:02x}"


def _uri(kind: str, content: bytes | bytearray) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
