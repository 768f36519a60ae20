"""One self-contained HTML page about one result or many: nothing in it is loaded from elsewhere, nothing in it runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import xarray as xr

from ..errors import DataError
from ..writers.commit import check_outputs, commit_bytes
from .comparison import FAR_DEGREES, angles_to_median
from .entry import MAP_SIDE, Entry, entry_of

MOST_IN_DETAIL = 24
"""More results than this are shown as one table, without the maps of each."""

_FEW, _MAP_SIDE_AMONG_MANY = 6, 360


def write_report(
    results: Any, path: str | os.PathLike[str], *, image: xr.DataArray | None = None, overwrite: bool = False
) -> Path:
    """Write one HTML page about one result or many: maps, endmembers, warnings, what was left out, how it was made.

    Parameters
    ----------
    results : Dataset or path, or sequence of them
        Results or their ``.nc`` files. Each is read when its turn comes; one that cannot be read gets a line that
        says why. Up to 24 are shown in full, more than 6 with smaller maps, more than 24 as one table.
    path : path
        The ``.html`` file to write.
    image : DataArray, optional
        The image that was unmixed, where there is one result: shown beside the maps.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    WriteError
        The file exists or cannot be written.
    DataError
        There is no result, or none of them can be read.

    Examples
    --------
    >>> import numpy as np, tempfile, unmix
    >>> from unmix.report import write_report
    >>> result = unmix.unmix(np.ones((4, 5, 3)), endmembers=np.eye(2, 3) + 0.1, quantity="radiance")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(result, f"{folder}/report.html").name
    'report.html'
    """
    check_outputs([Path(path)], overwrite=overwrite)
    entries = report_entries(_listed(results), image)
    return commit_bytes(Path(path), html_page(entries).encode("utf-8"), overwrite=overwrite)


def report_entries(results: Sequence[Any], image: xr.DataArray | None = None) -> list[Entry]:
    """Return what the page shows of each result, those that could not be read and those unlike the others marked."""
    if not results:
        raise DataError("there is no result to report on. Give results or their .nc files.")
    image = image if len(results) == 1 else None
    entries = [entry_of(one, image=image, map_side=_map_side(len(results))) for one in results]
    if all(entry.error for entry in entries):
        raise DataError(f"no result can be read ({len(entries)} tried); the first: {entries[0].error}")
    return _compared(_told_apart(entries, results))


def _map_side(n_results: int) -> int | None:
    """Return how long a map may be, so that the page of many results can still be sent; None: no maps."""
    if n_results > MOST_IN_DETAIL:
        return None
    return MAP_SIDE if n_results <= _FEW else _MAP_SIDE_AMONG_MANY


def html_page(entries: Sequence[Entry]) -> str:
    """Return the page as text."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("unmix.report"), autoescape=True, trim_blocks=True, lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    title = entries[0].name if len(entries) == 1 else f"{len(entries)} results"
    return environment.get_template("report.html").render(entries=entries, title=title)


def _listed(results: Any) -> list[Any]:
    if isinstance(results, (str, os.PathLike, xr.Dataset)):
        return [results]
    if not isinstance(results, Iterable):
        raise DataError(f"results are Datasets or paths; got {type(results).__name__}.")
    return list(results)


def _told_apart(entries: list[Entry], results: Sequence[Any]) -> list[Entry]:
    """Return the entries with the result's folder in front where several have one name."""
    names = [entry.name for entry in entries]
    named = []
    for entry, one in zip(entries, results, strict=True):
        twice = names.count(entry.name) > 1 and isinstance(one, (str, os.PathLike)) and not entry.error
        named.append(replace(entry, name=f"{Path(one).parent.name}: {entry.name}") if twice else entry)
    return named


def _compared(entries: list[Entry]) -> list[Entry]:
    """Return the entries with a warning where an endmember is far from those of the same name."""
    angles = angles_to_median([entry.endmembers for entry in entries], [entry.spectra for entry in entries])
    compared = []
    for entry, by_name in zip(entries, angles, strict=True):
        far = [(name, angle) for name, angle in by_name.items() if angle > FAR_DEGREES]
        said = [f"{name} lies {angle:.0f}° from its median over these results" for name, angle in far]
        compared.append(replace(entry, warnings=(*entry.warnings, *said)))
    return compared
