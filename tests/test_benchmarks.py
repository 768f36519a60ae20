"""The benchmarks run, at sizes that say nothing about speed, and peers solve the same problem there."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def benchmark(root: Path) -> Iterator[Callable[[str], ModuleType]]:
    folder = str(root / "benchmarks")
    before = set(sys.modules)
    sys.path.insert(0, folder)
    yield importlib.import_module
    sys.path.remove(folder)
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and sys.modules[name].__file__.startswith(folder):
            del sys.modules[name]


@pytest.mark.filterwarnings("ignore")
def test_abundances_agree_with_the_peers_that_are_here(benchmark: Callable[[str], ModuleType]) -> None:
    abundances = benchmark("abundances")
    assert len(abundances.against_one_read(4000, 20, (3,), repeats=1).rows) == 9
    rows = {row[1]: row for row in abundances.against_others(4000, 20, 3, few=40).rows}
    assert float(rows["scipy nnls in a loop"][-1]) < 1e-6
    assert all("NOT" not in str(row[-1]) for row in rows.values())


@pytest.mark.filterwarnings("ignore")
def test_anchors_are_the_textbooks(benchmark: Callable[[str], ModuleType]) -> None:
    table = benchmark("anchors").by_name(3000, 20, 3, repeats=1)
    assert "the same pixels in the same order" in table.note
    assert {row[0]: row[-1] for row in table.rows}["spa"] == "3 of 3"


@pytest.mark.filterwarnings("ignore")
def test_refinement_reaches_scikit_learns_objective(
    benchmark: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    refinement = benchmark("refinement")
    monkeypatch.setattr(refinement, "BANDS", 40)
    iterations, same = refinement.tables(600, repeats=1)
    assert len(iterations.rows) == 9
    assert all(float(row[2]) < 1.001 for row in same.rows)


@pytest.mark.filterwarnings("ignore")
def test_growth_fits_a_known_slope_and_tables_are_markdown(benchmark: Callable[[str], ModuleType]) -> None:
    measuring, growth = benchmark("measuring"), benchmark("growth")
    assert measuring.slope([1, 10, 100], [3, 30, 300]) == pytest.approx(1)
    tables = growth.tables(pixels=(400, 2500), bands=(10, 20), ranks=(2, 3), n=2500, repeats=1)
    assert [table.rows[-1][0] for table in tables] == ["slope"] * 3
    lines = tables[0].markdown().splitlines()
    assert lines[4].startswith("| pixels | one read, s |")
    assert lines[5] == "|---|---|---|---|---|---|---|"
    assert {line.count("|") for line in lines[4:]} == {8}
    assert len(measuring.machine()) == 3


@pytest.mark.filterwarnings("ignore")
def test_writing_writes_every_format_and_peers_write_theirs(benchmark: Callable[[str], ModuleType]) -> None:
    writing = benchmark("writing")
    for table in writing.tables(side=64, n=400, repeats=1):
        assert [row[0] for row in table.rows] == list(writing.FORMATS)
        assert {row[0] for row in table.rows if row[-1]} == set(writing.PEERS)
