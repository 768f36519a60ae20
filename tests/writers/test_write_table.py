"""The endmember table: every digit, nothing for what is not known, no formulas."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from unmix.writers.table import write_endmembers


def rows_of(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_the_table_holds_every_digit(tmp_path, make):
    result = make()
    head, *rows = rows_of(write_endmembers(result, tmp_path / "endmembers.csv"))
    assert head == ["band", "wavelength_nm", "good", "tree", "water", "soil"]
    assert [row[0] for row in rows] == [str(k + 1) for k in range(9)]
    np.testing.assert_array_equal([float(row[1]) for row in rows], result["wavelength"].values)
    assert [row[2] for row in rows] == ["1", "1", "1", "1", "0", "1", "1", "1", "1"]
    assert rows[4][3:] == ["", "", ""]
    found = [[float(cell or "nan") for cell in row[3:]] for row in rows]
    np.testing.assert_array_equal(found, result["endmembers"].values.T)


def test_unknown_wavelengths_are_empty(tmp_path, make):
    result = make(quantity="brightfield", n_bands=3, names=("hematoxylin", "eosin"))
    assert "wavelength" not in result.coords
    assert [row[1] for row in rows_of(write_endmembers(result, tmp_path / "a.csv"))[1:]] == ["", "", ""]
    some = make(wavelengths=[np.nan, 420, 430, np.nan, 450, 460, 470, 480, 455])
    assert [row[1] for row in rows_of(write_endmembers(some, tmp_path / "b.csv"))[1:5]] == ["", "420.0", "430.0", ""]


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_a_name_a_spreadsheet_would_run_is_quoted(tmp_path, make, start):
    name = f"{start}cmd|' /C calc'!A0"
    result = make(names=("tree", name))
    assert rows_of(write_endmembers(result, tmp_path / "a.csv"))[0][3:] == ["tree", f"'{name}"]


@pytest.mark.parametrize("blank", ["\t", "\r", "\n", " "])
def test_a_formula_behind_blanks_is_quoted_too(tmp_path, make, blank):
    result = make(names=(f"{blank}=1+1", "tree"))
    assert rows_of(write_endmembers(result, tmp_path / "a.csv"))[0][3] == "'=1+1"


def test_commas_quotes_and_other_scripts_come_back(tmp_path, make):
    names = ('soil, "red"', "水", "Größe µ")
    assert rows_of(write_endmembers(make(names=names), tmp_path / "a.csv"))[0][3:] == list(names)


def test_negative_numbers_stay_numbers(tmp_path, make):
    result = make()
    result["endmembers"] = -result["endmembers"]
    assert float(rows_of(write_endmembers(result, tmp_path / "a.csv"))[1][3]) == result["endmembers"].values[0, 0]
