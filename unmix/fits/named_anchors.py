"""Anchors of a scene by the name of their method, on all pixels in the image's r leading directions.

For teaching and comparison: nothing is lifted, no pixel is averaged with its neighbours (but by ``adaptive``), and no
volume is grown afterwards, beyond what the method itself does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..blocks import Progress
from ..light.additive import Additive
from ..nmf.anchor_methods import find_anchors
from ..nmf.anchors import smoothed_successive_projection
from ..nmf.subspace import Subspace
from ..nmf.vca import signal_to_noise, vertex_component_analysis
from ..options import Options
from .projection import leading_directions, project_image
from .robust import follow_noise, members_a_vertex, nearest_first


def named_anchors(
    image: xr.DataArray,
    rule: Additive,
    additive: np.ndarray,
    space: Subspace,
    r: int,
    options: Options,
    progress: Progress | None,
) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Return the flat pixels behind each anchor that ``options.anchors`` finds, nearest first, and notes."""
    axes, moments = leading_directions(space, r)
    Y = project_image(image, rule, axes, np.zeros(r), options, progress)
    flat = Y.reshape(-1, r)
    notes: dict[str, Any] = {"anchors": options.anchors}
    if options.anchors == "smoothed":
        p = members_a_vertex(int(np.isfinite(flat[:, 0]).sum()), options.anchor_fraction)
        vertices, members = smoothed_successive_projection(flat, r, p)
        nearest = [nearest_first(flat, v, m) for v, m in zip(vertices, members, strict=True)]
        return nearest, notes | {"pixels_a_vertex": p}
    if options.anchors == "adaptive":
        found = follow_noise(Y, axes, moments, space)
        return found.members, found.notes
    if options.anchors == "vca":
        snr = signal_to_noise(additive, r)
        rows = vertex_component_analysis(flat, r, seed=options.seed, snr=snr)
        return [rows[k : k + 1] for k in range(r)], notes | {"seed": options.seed}
    rows = find_anchors(flat, r, options.anchors)
    return [rows[k : k + 1] for k in range(r)], notes
