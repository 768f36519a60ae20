"""What a run found, in a few words for the panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
import xarray as xr

_MOST_NAMES = 12


def findings(result: xr.Dataset, colours: Mapping[str, Any], warnings: Sequence[str] = ()) -> str:
    """Return the short text the panel shows after a run, as rich text.

    Parameters
    ----------
    result : Dataset
        As from `unmix.unmix`.
    colours : mapping
        Of each endmember, by its name; (red, green, blue), 0 to 1.
    warnings : sequence of str
        What the user should know about it.
    """
    names = [str(name) for name in result["endmember"].values]
    lines = [named(name, np.asarray(colours[name])) for name in names[:_MOST_NAMES]]
    if len(names) > _MOST_NAMES:
        lines.append(f"and {len(names) - _MOST_NAMES} more")
    if "relative_error" in result.attrs:
        lines.append(f"residual: {_percent(result.attrs['relative_error'])} of the signal")
    valid, invalid = result.attrs.get("n_valid"), result.attrs.get("n_invalid")
    if valid is not None and invalid:
        lines.append(f"pixels used: {_percent(valid / (valid + invalid))}")
    if result.sizes["endmember"] > 1 and "smallest_angle" in result.attrs:
        lines.append(f"most alike two: {result.attrs['smallest_angle']:.1f}° apart")
    lines += [f"<i>{escape(sentence)}</i>" for sentence in warnings]
    return "<br>".join(lines)


def named(name: str, colour: np.ndarray) -> str:
    """Return a name behind a square in its map's colour."""
    code = "".join(f"{round(255 * channel):02x}" for channel in colour)
    return f'<span style="color:#{code}">&#9632;</span>&nbsp;{escape(name)}'


def _percent(share: float) -> str:
    percent = 100 * float(share)
    return "less than 0.01 %" if 0 < percent < 0.01 else f"{percent:.3g} %"
