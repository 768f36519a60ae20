"""The figure of a suggested number of endmembers."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import unmix
from unmix.errors import WriteError
from unmix.rank import RankEstimate
from unmix.report import rank_figure, save_rank_figure
from unmix.synthetic import hyperspectral_scene


@pytest.fixture(scope="module")
def estimate() -> RankEstimate:
    return unmix.estimate_rank(hyperspectral_scene(1, 4, n_bands=40, shape=(40, 40), snr=40).image, 6, restarts=2)


def test_every_curve_is_drawn_with_the_suggestion_marked(estimate: RankEstimate) -> None:
    figure = rank_figure(estimate, "scene.hdr")
    curves = (estimate.fit_error, estimate.split_half_angle, estimate.cophenetic)
    assert len(figure.axes) == 3
    for axes, values in zip(figure.axes, curves, strict=True):
        line = next(line for line in axes.lines if len(line.get_xdata()) == len(estimate.ranks))
        np.testing.assert_array_equal(line.get_ydata(), values)
        marked = [line for line in axes.lines if list(line.get_xdata()) == [estimate.suggested]]
        assert marked[0].get_ydata()[0] == values[estimate.suggested - 1]
    words = " ".join(text.get_text() for text in figure.texts)
    assert f"scene.hdr: {estimate.suggested} endmembers suggested" in words
    assert f"HySime {estimate.counts.hysime}" in words


def test_curves_without_values_and_exact_fits_are_no_trouble(estimate: RankEstimate) -> None:
    empty = np.full(len(estimate.ranks), np.nan)
    exact = np.where(estimate.ranks < 4, estimate.fit_error, 0.0)
    assert len(rank_figure(replace(estimate, cophenetic=empty)).axes) == 2
    assert len(rank_figure(replace(estimate, fit_error=exact, suggested=9)).axes) == 3


def test_saved_whole_or_not_at_all(estimate: RankEstimate, tmp_path: Path) -> None:
    path = save_rank_figure(estimate, tmp_path / "curves.png")
    assert min(Image.open(path).size) > 300
    with pytest.raises(WriteError, match="exists"):
        save_rank_figure(estimate, path)
    assert [file.name for file in tmp_path.iterdir()] == ["curves.png"]
