"""Where a warning points: at the line of whoever called, however deep the cause lies."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import unmix
from unmix.errors import ConvergenceWarning, DataError, UnmixWarning, warn
from unmix.nmf import solve_abundances
from unmix.provenance import Journal

ALIKE = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0001]])


@pytest.mark.parametrize(
    "call", [partial(solve_abundances, np.ones((2, 3))), partial(unmix.map_abundances, np.ones((4, 4, 3)))]
)
def test_a_warning_points_at_the_line_that_called_the_package(call: Callable[[np.ndarray], object]) -> None:
    with pytest.warns(UnmixWarning) as caught:
        call(ALIKE)
    assert {warning.filename for warning in caught} == {__file__}


def test_every_warning_of_the_package_points_there(root: Path) -> None:
    others = [path for path in (root / "unmix").rglob("*.py") if "warnings.warn(" in path.read_text(encoding="utf-8")]
    assert [path.name for path in others] == ["errors.py"]


def test_a_warning_of_a_stage_is_given_once_and_noted() -> None:
    with pytest.warns(UnmixWarning) as caught:
        result = unmix.map_abundances(np.ones((4, 4, 3)), ALIKE, quantity="reflectance")
    messages = [str(warning.message) for warning in caught]
    assert len(messages) == len(set(messages))
    assert any("degrees apart" in message for message in messages)
    assert json.loads(result.attrs["provenance"])["warnings"] == messages


def test_what_a_stage_warned_of_before_it_failed_is_given() -> None:
    journal = Journal()

    def fail() -> None:
        with journal.stage("fit"):
            warn("before")
            raise DataError("the end")

    with pytest.warns(UnmixWarning, match="before"), pytest.raises(DataError, match="the end"):
        fail()
    assert journal.warnings == ["before"]


def test_a_warning_in_another_thread_is_given_too() -> None:
    with pytest.warns(ConvergenceWarning, match="in a thread"), ThreadPoolExecutor(1) as pool:
        pool.submit(warn, "in a thread", ConvergenceWarning).result()


def test_a_category_can_be_made_an_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnmixWarning)
        with pytest.raises(UnmixWarning, match="degrees apart"):
            solve_abundances(np.ones((2, 3)), ALIKE)
