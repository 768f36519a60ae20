"""The curves behind a suggested number of endmembers, on one page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..rank import STABLE_ANGLE, RankEstimate
from .page import GREY, INK, RULE, Page, check_png_name, save_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _MARGIN = 12.0, 0.45
_PANEL, _PANEL_TOP, _GAP = 2.3, 1.5, 0.85
_CURVE, _CHOSEN = "#1F78D1", "#E4572E"


def rank_figure(estimate: RankEstimate, name: str = "") -> Figure:
    """Draw the fit error, the split-half angle and the consensus over the number of endmembers.

    Parameters
    ----------
    estimate : RankEstimate
        As from `unmix.estimate_rank`.
    name : str
        What was looked at; the title.

    Returns
    -------
    matplotlib.figure.Figure
        The suggested number is marked in every panel.

    Examples
    --------
    >>> import unmix
    >>> from unmix.report import rank_figure
    >>> from unmix.synthetic import hyperspectral_scene
    >>> estimate = unmix.estimate_rank(hyperspectral_scene(1, 3, shape=(40, 40)).image, restarts=0)
    >>> [axes.get_label() for axes in rank_figure(estimate).axes]
    ['fit error', 'split-half angle']
    """
    curves = [
        ("fit error", "residual of the anchor fit", estimate.fit_error),
        ("split-half angle", "largest angle between halves (rad)", estimate.split_half_angle),
        ("consensus", "consensus of random restarts", estimate.cophenetic),
    ]
    curves = [curve for curve in curves if np.isfinite(curve[2]).any()]
    page = Page(_WIDTH, _PANEL_TOP + _PANEL + 1.15)
    inside = _WIDTH - 2 * _MARGIN
    title = f"{estimate.suggested} endmembers suggested, {estimate.sure} confidence"
    page.fitted(_MARGIN, 0.36, f"{name}: {title}" if name else title, 15, inside, weight="bold")
    page.fitted(_MARGIN, 0.68, estimate.reason, 9.5, inside, color=GREY)
    width = (inside - _GAP * len(curves)) / len(curves)
    for k, (label, words, values) in enumerate(curves):
        left = _MARGIN + 0.5 + k * (width + _GAP)
        page.text(left - 0.4, _PANEL_TOP - 0.22, words, 10, weight="bold")
        axes = page.axes(left, _PANEL_TOP, width, _PANEL, label)
        page.style_ticks(axes)
        _draw_curve(axes, estimate, values, label)
        page.text(left + width / 2, _PANEL_TOP + _PANEL + 0.36, "number of endmembers", 8.5, color=GREY, ha="center")
    page.fitted(_MARGIN, page.height - 0.3, _counts(estimate), 8.5, inside, color=GREY)
    return page.figure


def save_rank_figure(
    estimate: RankEstimate,
    path: str | os.PathLike[str],
    *,
    name: str = "",
    overwrite: bool = False,
    source: str | os.PathLike[str] | None = None,
) -> Path:
    """Write the figure of an estimate as a PNG file.

    Parameters
    ----------
    estimate, name
        As in `rank_figure`.
    path : path
        File to write.
    overwrite : bool
        Replace an existing file.
    source : path, optional
        The image file, which is never written over.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    OptionError, WriteError
        The name does not end in .png; the file exists, is a link, or cannot be written.
    """
    check_png_name(Path(path))
    return save_page(rank_figure(estimate, name), path, overwrite=overwrite, source=source)


def _draw_curve(axes: Axes, estimate: RankEstimate, values: np.ndarray, label: str) -> None:
    """Draw one curve, with the suggested number as a filled mark on a thin line."""
    ranks, chosen = estimate.ranks, estimate.suggested
    axes.axvline(chosen, color=_CHOSEN, lw=1.0, alpha=0.5)
    axes.plot(ranks, values, "-o", color=_CURVE, lw=1.6, ms=4)
    if chosen <= len(values) and np.isfinite(values[chosen - 1]):
        axes.plot([chosen], [values[chosen - 1]], "o", color=_CHOSEN, ms=8)
    if label == "fit error" and (values > 0).all() and values.max() > 3 * values.min():
        axes.set_yscale("log")
        for axis_labels in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            axis_labels(lambda value, _: f"{value:.2g}")
    if label == "split-half angle":
        axes.axhline(STABLE_ANGLE, color=GREY, lw=0.8, ls="--")
        axes.set_ylim(bottom=0)
    axes.set_xticks(ranks)
    axes.set_xlim(0.5, max(len(ranks), chosen) + 0.5)
    axes.grid(axis="y", color=RULE, lw=0.5, alpha=0.6)
    axes.tick_params(which="both", labelsize=8, labelcolor=INK)


def _counts(estimate: RankEstimate) -> str:
    """Return the line of single numbers under the curves."""
    counts = estimate.counts
    facts = [
        f"knee of the fit error {estimate.knee}",
        f"eigenvalues above the noise {counts.above_noise}",
        f"HFC {counts.hfc}",
        f"noise-whitened HFC {counts.nwhfc}",
        f"HySime {counts.hysime}",
        f"parameter bound {estimate.most_parameters:.0f}",
        f"{estimate.n_pixels:,} pixels looked at",
    ]
    return "   ·   ".join(facts)
