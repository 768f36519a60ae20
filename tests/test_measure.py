"""Figures of regions: known densities, known fractions, and a table that says its unit."""

from __future__ import annotations

import csv
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unmix
from unmix.errors import DataError, OptionError, WriteError
from unmix.materials.stains import reference_vectors
from unmix.measure import h_score, measure_regions, write_measurements

LN10 = math.log(10)
WHITE = (240.0, 240.0, 240.0)
M = reference_vectors("H-DAB")


def slide(concentrations, **about):
    """Return a result whose concentrations (r, y, x) are known, from a float image without noise."""
    light = np.array(WHITE) * np.exp(-np.tensordot(concentrations, M, axes=(0, 0)))
    image = unmix.as_image(light, quantity="brightfield", **about)
    return unmix.separate_stains(image, "H-DAB", stain_matrix=M, white_point=WHITE)


def known():
    """Four quarters of 100 pixels: DAB of 0.1, 0.3, 0.5 and 0.7 in log10, and hematoxylin of 0.5 everywhere."""
    C = np.full((2, 20, 20), 0.5 * LN10)
    for k, density in enumerate((0.1, 0.3, 0.5, 0.7)):
        C[1, 10 * (k // 2) : 10 * (k // 2) + 10, 10 * (k % 2) : 10 * (k % 2) + 10] = density * LN10
    labels = np.arange(4).reshape(2, 2).repeat(10, 0).repeat(10, 1) * 3 + 2
    return C, labels


def test_known_densities_of_known_regions():
    C, labels = known()
    rows = measure_regions(slide(C), labels, names={5: "rim"})
    assert [row["region"] for row in rows] == ["2", "rim", "8", "11"]
    for row, density, grade, score in zip(
        rows, (0.1, 0.3, 0.5, 0.7), (None, "weak", "moderate", "strong"), (0, 100, 200, 300), strict=True
    ):
        assert (row["n_pixels"], row["n_stained"]) == (100, 100)
        assert row["dab_mean_od_log10"] == pytest.approx(density, abs=1e-4)
        assert row["hematoxylin_mean_od_log10"] == pytest.approx(0.5, abs=1e-4)
        assert row["dab_h_score_pixels"] == pytest.approx(score)
        assert row["dab_positive_fraction"] == (score > 0)
        for name in ("weak", "moderate", "strong"):
            assert row[f"dab_{name}_fraction"] == (name == grade)
        assert row["stain_flag"] == "given"


def test_the_whole_image_is_one_region_and_its_scores_are_means():
    C, labels = known()
    (row,) = measure_regions(slide(C, pixel_size=0.5))
    assert row["dab_h_score_pixels"] == pytest.approx(150)
    assert row["dab_positive_fraction"] == pytest.approx(0.75)
    assert row["dab_mean_od_log10"] == pytest.approx(0.4, abs=1e-4)
    assert (row["area"], row["area_unit"]) == (pytest.approx(100.0), "um^2")
    cells = [cell["dab_mean_od_log10"] for cell in measure_regions(slide(C), labels)]
    assert h_score(cells) == pytest.approx(150)


def test_quarters_add_up_to_the_whole():
    C = np.random.default_rng(0).gamma(1.0, 0.5, (2, 30, 40))
    labels = np.random.default_rng(1).integers(1, 5, (30, 40))
    result = slide(C)
    parts, (whole,) = measure_regions(result, labels), measure_regions(result)
    for column, count in (("dab_mean_od_log10", "n_pixels"), ("dab_h_score_pixels", "n_stained")):
        pooled = sum(part[column] * part[count] for part in parts) / whole[count]
        assert pooled == pytest.approx(whole[column], rel=1e-6)
    density = result["abundances"].values[1] / LN10
    assert whole["dab_mean_od_log10"] == pytest.approx(density.mean(), rel=1e-5)


def test_background_and_invalid_pixels_are_not_counted_as_tissue():
    C, labels = known()
    C[:, :10, :10] = 0.0
    mask = np.ones((20, 20), bool)
    mask[10:] = False
    light = np.array(WHITE) * np.exp(-np.tensordot(C, M, axes=(0, 0)))
    result = unmix.separate_stains(
        unmix.as_image(light, quantity="brightfield"), "H-DAB", stain_matrix=M, white_point=WHITE, mask=mask
    )
    rows = measure_regions(result, labels)
    assert [(row["n_pixels"], row["n_stained"]) for row in rows] == [(100, 0), (100, 100), (0, 0), (0, 0)]
    assert rows[0]["dab_mean_od_log10"] == pytest.approx(0, abs=1e-6)
    assert math.isnan(rows[0]["dab_h_score_pixels"])
    assert math.isnan(rows[2]["dab_mean_od_log10"])
    assert measure_regions(result)[0]["dab_positive_fraction"] == 1.0


def test_thresholds_and_the_positive_stain_are_choices():
    C, labels = known()
    rows = measure_regions(slide(C), labels, positive="hematoxylin", thresholds=(0.1, 0.45, 0.9))
    assert rows[0]["hematoxylin_h_score_pixels"] == pytest.approx(200)
    assert "dab_h_score_pixels" not in rows[0]


def test_a_slide_without_dab_has_no_h_score_unless_asked():
    light = np.array(WHITE) * np.exp(-np.full((5, 5, 1), 0.5) * reference_vectors("H&E").sum(axis=0))
    image = unmix.as_image(light, quantity="brightfield")
    result = unmix.separate_stains(image, stain_matrix=reference_vectors("H&E"), white_point=WHITE)
    assert not [column for column in measure_regions(result)[0] if "h_score" in column]


@given(st.lists(st.floats(-1, 3), min_size=1, max_size=50))
def test_the_h_score_is_one_two_three_times_the_percentages(densities):
    values = np.array(densities)
    grades = np.digitize(values, (0.2, 0.4, 0.6))
    assert h_score(densities) == pytest.approx(100 * grades.mean())
    assert 0 <= h_score(densities) <= 300


def test_no_cell_has_no_score():
    assert math.isnan(h_score([]))
    assert math.isnan(h_score([math.nan]))


def test_what_cannot_be_measured_is_refused():
    C, labels = known()
    result = slide(C)
    with pytest.raises(DataError, match=r"shape \(3, 3\)"):
        measure_regions(result, np.ones((3, 3), int))
    with pytest.raises(DataError, match="whole numbers"):
        measure_regions(result, labels * 1.0)
    with pytest.raises(DataError, match="no region"):
        measure_regions(result, labels * 0)
    with pytest.raises(OptionError, match="positive='eosin'"):
        measure_regions(result, positive="eosin")
    for wrong in ((0.2, 0.4), (0.4, 0.2, 0.6), (0.2, 0.4, math.nan), "abc", None):
        with pytest.raises(OptionError, match="three rising"):
            measure_regions(result, thresholds=wrong)
    with pytest.raises(DataError):
        measure_regions(result["abundances"])


def test_the_table_is_read_back_by_any_csv_reader(tmp_path):
    C, labels = known()
    rows = measure_regions(slide(C), labels, names={2: "=1+1"})
    rows[1]["dab_mean_od_log10"] = math.nan
    path = write_measurements(rows, tmp_path / "table.csv")
    with open(path, newline="", encoding="utf-8") as file:
        back = list(csv.DictReader(file))
    assert len(back) == 4
    assert list(back[0]) == list(rows[0])
    assert back[0]["region"] == "'=1+1"
    assert back[1]["dab_mean_od_log10"] == ""
    assert float(back[3]["dab_h_score_pixels"]) == rows[3]["dab_h_score_pixels"]
    with pytest.raises(WriteError):
        write_measurements(rows, path)
    assert write_measurements(rows[:1], path, overwrite=True) == path
    with pytest.raises(OptionError, match="nothing to write"):
        write_measurements([], tmp_path / "none.csv")
