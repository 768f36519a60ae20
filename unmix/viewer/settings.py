"""What the user has set in napari's Preferences for unmix."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import OptionError


def read_settings() -> None:
    """Have napari read the settings of its plugins, which it does when it is first asked for one of them."""
    _preference("running", "threads", None)


def default_options() -> dict[str, Any]:
    """Return the options that Preferences set otherwise than unmix does."""
    set_otherwise = {name: _preference("running", name, 0) for name in ("threads", "memory")}
    return {name: value for name, value in set_otherwise.items() if value}


def cursor_box() -> int:
    """Return how many pixels wide the square under the mouse is at first."""
    return int(_preference("spectra", "cursor_box", 3))


def default_colours() -> dict[str, np.ndarray]:
    """Return the colours (red, green, blue) that Preferences give to endmembers, by the names these are found under.

    Raises
    ------
    OptionError
        One is no colour.
    """
    from napari.utils.colormaps.standardize_color import transform_color

    from .layers import NAMELESS

    named = [part.strip() for part in str(_preference("colours", "endmembers", "")).split(",") if part.strip()]
    try:
        return {f"{NAMELESS}{k}": transform_color(name)[0, :3] for k, name in enumerate(named, 1)}
    except (ValueError, AttributeError, TypeError) as error:
        raise OptionError(f"Preferences > unmix > Colours: {', '.join(named)} are not all colours: {error}") from error


def _preference(section: str, name: str, otherwise: Any) -> Any:
    """Return one preference; `otherwise` where napari does not know the plugin, as in a test or an older napari."""
    from napari.settings import get_plugin_settings

    try:
        return getattr(getattr(get_plugin_settings("unmix"), section), name)
    except (AttributeError, KeyError, ValueError):
        return otherwise
