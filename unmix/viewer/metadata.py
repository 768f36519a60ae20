"""What unmix notes in the metadata of its layers, and how that is read back."""

from __future__ import annotations

from typing import Any

LayerData = tuple[Any, dict[str, Any], str]
"""A layer before it is one: data, keywords and type."""

KEY = "unmix"
"""Where a layer's metadata keeps what unmix knows about it."""

RUN_ROLES = ("abundance", "anchors", "dominant", "residual", "brightness")
"""Roles of the layers a run makes; the next run of the same source updates them."""


def about(layer: Any) -> dict[str, Any]:
    """Return what unmix wrote into a layer's metadata, empty for anybody else's layer."""
    known = layer.metadata.get(KEY)
    return known if isinstance(known, dict) else {}


def known_by(layer: LayerData) -> dict[str, Any]:
    """Return what unmix wrote into the metadata of a layer that is still a tuple."""
    return layer[1]["metadata"][KEY]
