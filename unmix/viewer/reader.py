"""napari's way to open files through unmix: spectral images, slides, and results with all their maps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .sources import LayerData

PathOrPaths = str | Sequence[str]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_STARTS = {
    ".hdr": (b"ENVI",),
    ".npz": (b"PK\x03\x04",),
    ".mat": (b"MATLAB 5.0", b"MATLAB 7.3", _HDF5),
    ".nc": (_HDF5,),
    ".he5": (_HDF5,),
    ".h5": (_HDF5,),
    ".lsm": _TIFF,
    ".svs": _TIFF,
    ".ndpi": _TIFF,
    ".mrxs": (b"\xff\xd8\xff",),
    ".svslide": (b"SQLite format 3\0",),
}
"""First bytes of the files unmix claims, by the ending of their name."""

_CONTAINERS = (".nc", ".he5", ".h5")
_RESULT_VARIABLES = ("abundances", "endmembers", "residual")


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
    return open_layers if paths and all(_claimed(Path(one)) for one in paths) else None


def open_layers(path: PathOrPaths) -> list[LayerData]:
    """Open files as napari layers.

    Parameters
    ----------
    path : str or list of str
        Files that `get_reader` accepted.

    Returns
    -------
    list of (data, keywords, type)
        One layer an image, lazy where its reader is; the maps of a result.

    Raises
    ------
    ReadError
        A file is damaged or does not hold an image.
    """
    from .opening import settle

    paths = [path] if isinstance(path, str) else list(path)
    return settle([layer for one in paths for layer in _layers_of(Path(one))])


def _layers_of(path: Path) -> list[LayerData]:
    from ..readers import read
    from .saved_session import open_session
    from .sources import layer_of_image

    return open_session(path) if _is_result(path) else [layer_of_image(read(path))]


def _claimed(path: Path) -> bool:
    """Say whether a file begins like one of those unmix reads; an HDF5 file must be a result or hold a cube."""
    suffix = path.suffix.lower()
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        return False
    if not start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(_STARTS.get(suffix, ())):
        return False
    return suffix not in _CONTAINERS or _is_result(path) or _holds_cube(path)


def _is_result(path: Path) -> bool:
    """Say whether a file is a result of unmix, by the names of its variables."""
    if path.suffix.lower() != ".nc":
        return False
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return all(name in file for name in _RESULT_VARIABLES)
    except OSError:
        return False


def _holds_cube(path: Path) -> bool:
    """Say whether an HDF5 file holds numbers on three axes; links to other files are not followed."""
    import h5py

    def cube(_name: str, held: Any) -> bool | None:
        found = isinstance(held, h5py.Dataset) and held.ndim == 3 and held.dtype.kind in "uif" and min(held.shape) > 1
        return True if found else None

    try:
        with h5py.File(path, "r") as file:
            return bool(file.visititems(cube))
    except (OSError, RuntimeError):
        return False
