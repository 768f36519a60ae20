"""The sample images of File > Open Sample, opened as files are; nothing heavy is imported before one is."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..samples import sample_names

if TYPE_CHECKING:
    from .metadata import LayerData
    from .reader import PathOrPaths

SCHEME = "unmix-sample://"


def get_sample(path: PathOrPaths) -> Callable[[PathOrPaths], list[LayerData]] | None:
    """Return the function that opens a sample, or None where `path` is not the address of one.

    Parameters
    ----------
    path : str or list of str
        ``unmix-sample://NAME``, as the manifest has it.

    Returns
    -------
    callable or None
        Takes `path` and returns napari layers.
    """
    return open_sample if isinstance(path, str) and _name(path) in sample_names() else None


def open_sample(path: PathOrPaths) -> list[LayerData]:
    """Open the sample with an address that `get_sample` accepted, as `reader.open_layers` opens files."""
    from .reader import handed_over

    name = _name(str(path))
    return handed_over(lambda: [_layer(name)], sample=("unmix", name))


def _layer(name: str) -> LayerData:
    """Return the layer of a sample, which knows how many endmembers it was made of."""
    from ..readers import read
    from ..samples import sample_path, sample_truth
    from .sources import layer_of_image

    endmembers, _ = sample_truth(name)
    return layer_of_image(read(sample_path(name)), suggested_endmembers=len(endmembers))


def _name(path: str) -> str:
    return path.removeprefix(SCHEME) if path.startswith(SCHEME) else ""
