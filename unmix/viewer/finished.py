"""A run that came to its end, as it is kept: what was asked, what came out, how it is shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import xarray as xr

from .metadata import LayerData, known_by
from .recipe import Recipe


@dataclass(frozen=True, eq=False)
class Finished:
    """A run that came to its end; another one is not equal to it, whatever is in its maps.

    Parameters
    ----------
    source_id, source : str
        Which layer was unmixed, and its name.
    run_id : str
        Which run it was.
    recipe : Recipe
        What was asked for.
    result : Dataset
        What the pipeline returned.
    layers : list of (data, keywords, type)
        How it is shown.
    warnings : tuple of str
        What the user should know about it, one sentence each.
    when : datetime
        When it ended.
    """

    source_id: str
    source: str
    run_id: str
    recipe: Recipe
    result: xr.Dataset
    layers: list[LayerData]
    warnings: tuple[str, ...] = ()
    when: datetime = field(default_factory=datetime.now)

    @property
    def title(self) -> str:
        """What the run is called in the history."""
        recipe, names = self.recipe, [str(name) for name in self.result["endmember"].values]
        asked = ", ".join(names) if recipe.function == "separate_stains" else f"{len(names)} endmembers"
        pinned = "" if recipe.known is None else f", {len(recipe.known.names)} pinned"
        changed = ", ".join(f"{name}={value}" for name, value in recipe.options.items() if name != "quantity")
        return f"{self.when:%H:%M:%S}  {self.source}: {asked}{pinned}" + (f" ({changed})" if changed else "")

    @property
    def quantity(self) -> str:
        """What the numbers of the image are."""
        return str(self.result.attrs.get("quantity", "unknown"))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the endmembers."""
        return tuple(str(name) for name in self.result["endmember"].values)


def colours_in(layers: list[LayerData]) -> dict[str, Any]:
    """Return the colour of each endmember in the layers of a run, by its name."""
    return {known_by(layer)["endmember"]: known_by(layer)["colour"] for layer in layers if "colour" in known_by(layer)}
