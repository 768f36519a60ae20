"""napari's way to open files through unmix: spectral images, slides, and results with all their maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .claims import is_claimed, is_result

if TYPE_CHECKING:
    from .metadata import LayerData

PathOrPaths = str | Sequence[str]

_NOTHING: list[Any] = [(None,)]


def get_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[LayerData]] | None:
    """Return the function that opens `path`, or None where its first bytes are not of a kind unmix reads.

    Parameters
    ----------
    path : str or list of str
        File or files napari was asked to open.

    Returns
    -------
    callable or None
        Takes `path` and returns napari layers.
    """
    paths = [path] if isinstance(path, str) else list(path)
    return open_layers if paths and all(is_claimed(Path(one)) for one in paths) else None


def open_layers(path: PathOrPaths) -> list[LayerData]:
    """Open files as napari layers.

    Parameters
    ----------
    path : str or list of str
        Files that `get_reader` accepted.

    Returns
    -------
    list of (data, keywords, type)
        One layer an image, lazy where its reader is; the maps of a result. Where a user opens them by hand, in a
        window, napari's word for nothing: they are read in a worker and arrive one at a turn of the event loop.

    Raises
    ------
    ReadError
        A file is damaged or does not hold an image.
    """
    paths = [path] if isinstance(path, str) else list(path)

    def read() -> list[LayerData]:
        return [layer for one in paths for layer in _layers_of(Path(one))]

    return handed_over(read, path=paths[0], reader_plugin="unmix")


def handed_over(read: Callable[[], list[LayerData]], **origin: Any) -> list[LayerData]:
    """Return the layers that `read` gives, or napari's word for nothing where they are read and arrive later.

    Parameters
    ----------
    read : callable
        Reads; called in a worker where a user opens by hand, in a window.
    **origin
        Where layers are said to come from that arrive later, in napari's words: a path and a plugin, or a sample.
    """
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is not None:
        from .arrival import arrivals_of

        arrivals = arrivals_of(viewer)
        if arrivals is not None:
            arrivals.open(read, origin)
            return _NOTHING
    from .opening import settle

    return settle(read())


def _layers_of(path: Path) -> list[LayerData]:
    from ..readers import read
    from .saved_session import open_session
    from .sources import layer_of_image

    return open_session(path) if is_result(path) else [layer_of_image(read(path))]
