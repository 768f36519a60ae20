"""napari's way to save the maps of a run: OME-TIFF or GeoTIFF by the name's ending, or a result with everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import WriteError
from .metadata import KEY

FullLayerData = tuple[Any, dict[str, Any], str]


def write_maps(path: str, layers: list[FullLayerData]) -> list[str]:
    """Write abundance layers of one run through `unmix.write`.

    Parameters
    ----------
    path : str
        Ending in ``.nc``, ``.ome.tif``, ``.tif``, ``.csv`` or ``.png``; an existing file is replaced, napari has asked.
    layers : list of (data, keywords, type)
        Abundance maps of one run, as napari hands them over. A ``.nc`` file always holds the whole run.

    Returns
    -------
    list of str
        The files written.

    Raises
    ------
    WriteError
        A layer is no abundance map, the layers are of several runs, or the run is no longer in the history.
    """
    from ..writers import write

    wanted = [_known(keywords) for _, keywords, _ in layers]
    if not wanted or any(known.get("role") != "abundance" for known in wanted):
        raise WriteError("unmix saves abundance maps; select only layers that a run of unmix made.")
    if len({known["run_id"] for known in wanted}) > 1:
        raise WriteError("these maps are of several runs; save those of one run at a time.")
    run = _run(str(wanted[0]["run_id"]))
    names = [str(known["endmember"]) for known in wanted]
    if any(name not in run.names for name in names):
        raise WriteError("a map was renamed or replaced since; select the maps of the run that is shown.")
    result = _form(run)
    if Path(path).suffix.lower() != ".nc":
        result = result.sel(endmember=[name for name in run.names if name in names])
    return [str(one) for one in write(result, path, overwrite=True)]


def _known(keywords: dict[str, Any]) -> dict[str, Any]:
    known = keywords.get("metadata", {}).get(KEY)
    return known if isinstance(known, dict) else {}


def _run(run_id: str) -> Any:
    """Return the run a map is of, from the session of the viewer in use."""
    from napari import current_viewer

    from .session import session_of

    viewer = current_viewer()
    runs = [] if viewer is None else session_of(viewer).runs
    for run in runs:
        if run.run_id == run_id:
            return run
    raise WriteError("the run of these maps is no longer in the history; run it again, then save.")


def _form(run: Any) -> Any:
    from .saved_session import saved_form

    return saved_form(run)
