"""Spectral libraries on the command line: opened, chosen from, and the names they give as a table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .console import print_table


def open_library(path: Path | None, scale: float | None) -> Any:
    """Return the library of a file, None where none is given."""
    if path is None:
        return None
    from ..readers.libraries import read_library

    return read_library(path, scale=scale)


def named_result(result: Any, library: Any) -> Any:
    """Return the result with names from a library, and print how sure they are."""
    if library is None:
        return result
    from ..library_names import name_endmembers

    named = name_endmembers(result, library)
    rows = [
        [
            str(named["endmember"].values[k]),
            str(named["library_name"].values[k]),
            str(named["library_runner_up"].values[k]) or "-",
            f"{float(named['library_angle'][k]):.3f}",
            f"{float(named['library_margin'][k]):.3f}",
        ]
        for k in range(named.sizes["endmember"])
    ]
    headings = ["endmember", "nearest in the library", "runner-up", "angle (rad)", "margin (rad)"]
    print_table("Names", headings, rows, numeric=3)
    return named
