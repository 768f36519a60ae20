"""The sample images of File > Open Sample; nothing heavy is imported before one is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .sources import LayerData


def open_tissue() -> list[LayerData]:
    """Open the slide that looks like tissue stained with hematoxylin and eosin."""
    return _open("tissue_he")


def open_coast() -> list[LayerData]:
    """Open the hyperspectral scene of a coast."""
    return _open("coast")


def open_cells() -> list[LayerData]:
    """Open the fluorescence lambda stack of cells."""
    return _open("cells_lambda")


def _open(name: str) -> list[LayerData]:
    """Return the layer of a sample, which knows how many endmembers it was made of."""
    from ..readers import read
    from ..samples import sample_path, sample_truth
    from .opening import settle
    from .sources import layer_of_image

    endmembers, _ = sample_truth(name)
    return settle([layer_of_image(read(sample_path(name)), suggested_endmembers=len(endmembers))])
