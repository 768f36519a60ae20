"""A session in one file: a result with the colours, the pins and the recipe of its run, and back."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import OptionError, UnmixError
from ..materials.stains import stain_names
from ..options import Options
from ..readers import open_result, read
from .finished import Finished, colours_in
from .layers import Shown, result_layers
from .metadata import KEY, LayerData, known_by
from .placement import Placement
from .recipe import Recipe, read_settings
from .request import Known
from .sources import layer_of_image

ATTRIBUTE = "session"
"""Where a saved result keeps what only the viewer knows: one JSON text."""


def saved_form(finished: Finished, colours: dict[str, Any] | None = None) -> xr.Dataset:
    """Return the result of a run as it is saved: with its recipe and the colours of its endmembers.

    Parameters
    ----------
    finished : Finished
        The run.
    colours : dict, optional
        Colours by the name of the endmember, where they differ from those of the layers.
    """
    shown = {**colours_in(finished.layers), **(colours or {})}
    facts = {
        "recipe": finished.recipe.as_settings(),
        "file": finished.recipe.file if finished.recipe.window is None else None,
        "colours": {name: [float(part) for part in shown[name]] for name in finished.names if name in shown},
        "source": finished.source,
    }
    return finished.result.assign_attrs({ATTRIBUTE: json.dumps(facts, ensure_ascii=False)})


def open_session(path: Path) -> list[LayerData]:
    """Return the layers of a saved result, and of the image it was made from where that is still there.

    The first result layer carries the run itself, so that the docks take it up.
    """
    result = open_result(path)
    kept = _Kept.of(result, path)
    image = _source_image(result, kept.file)
    identity = uuid.uuid4().hex
    placement = Placement.of_image(image if image is not None else result)
    shown = Shown(kept.source, identity, uuid.uuid4().hex[:12], {}, kept.colours)
    layers = result_layers(result, shown, placement)
    finished = Finished(identity, kept.source, shown.run_id, kept.recipe, result, layers)
    first = _with_facts(layers[0], finished=finished)
    source = [] if image is None else [_with_facts(_hidden(layer_of_image(image)), identity=identity)]
    return [*source, first, *layers[1:]]


def provenance_of(result: xr.Dataset) -> dict[str, Any]:
    """Return the provenance of a result, empty where it is damaged."""
    return _json(result.attrs.get("provenance"))


@dataclass(frozen=True)
class _Kept:
    """What the file says beside its maps; made up from the provenance where another program wrote it."""

    recipe: Recipe
    file: str | None
    colours: dict[str, tuple[float, float, float]]
    source: str

    @classmethod
    def of(cls, result: xr.Dataset, path: Path) -> _Kept:
        provenance = provenance_of(result)
        kept = _json(result.attrs.get(ATTRIBUTE))
        source = provenance.get("source")
        file = kept.get("file") or (source.get("path") if isinstance(source, dict) else None)
        recipe = _recipe(kept.get("recipe"), result, provenance, file if isinstance(file, str) else None)
        name = kept.get("source") or result.attrs.get("name") or path.stem
        return cls(recipe, recipe.file, _colours(kept.get("colours")), str(name))


def _recipe(text: Any, result: xr.Dataset, provenance: dict[str, Any], file: str | None) -> Recipe:
    """Return the recipe a file holds, else the one its provenance tells."""
    try:
        held = read_settings(text if isinstance(text, str) else "")
    except OptionError:
        held = _recipe_of_provenance(result, provenance)
    return replace(held, file=file)


def _recipe_of_provenance(result: xr.Dataset, provenance: dict[str, Any]) -> Recipe:
    options = provenance.get("options")
    options = options if isinstance(options, dict) else {}
    try:
        chosen = Options.from_keywords({name: value for name, value in options.items() if value is not None})
    except UnmixError:
        chosen = Options()
    default = Options().as_dict()
    changed = {name: value for name, value in chosen.as_dict().items() if value != default[name]}
    names = [str(name) for name in result["endmember"].values]
    fit = provenance.get("fit")
    said = str(fit.get("fit", "")) if isinstance(fit, dict) else ""
    n_known = len(names) if said.startswith("none") else _n_given(said)
    spectra = np.asarray(result["endmembers"].values, np.float64)
    known = Known(tuple(names[:n_known]), spectra[:n_known]) if n_known else None
    if changed.get("method") == "stains" and _are_stains(names):
        del changed["method"]
        return Recipe("separate_stains", stains=tuple(names), known=known, options=changed)
    wanted = None if n_known == len(names) else len(names)
    return Recipe("unmix", n_endmembers=wanted, known=known, options=changed)


def _n_given(fit: str) -> int:
    """Return how many endmembers the note of a fit says were given, none where it says nothing of the kind."""
    told = re.match(r"partly known: (\d{1,4}) given", fit)
    return int(told.group(1)) if told else 0


def _are_stains(names: Sequence[str]) -> bool:
    try:
        stain_names(names)
    except OptionError:
        return False
    return True


def _source_image(result: xr.Dataset, file: str | None) -> xr.DataArray | None:
    """Return the image a result was made from where its file is still there and has the size the maps have."""
    if file is None or not Path(file).is_file():
        return None
    try:
        image = read(file)
    except UnmixError:
        return None
    same = (image.sizes["y"], image.sizes["x"]) == (result.sizes["y"], result.sizes["x"])
    return image if same else None


def _hidden(layer: LayerData) -> LayerData:
    return layer[0], {**layer[1], "visible": False}, layer[2]


def _with_facts(layer: LayerData, **facts: Any) -> LayerData:
    data, keywords, kind = layer
    return data, {**keywords, "metadata": {**keywords["metadata"], KEY: {**known_by(layer), **facts}}}, kind


def _colours(held: Any) -> dict[str, tuple[float, float, float]]:
    """Return the colours of a file that are colours."""
    colours = {}
    for name, parts in held.items() if isinstance(held, dict) else ():
        if isinstance(parts, list) and len(parts) == 3 and all(isinstance(p, (int, float)) for p in parts):
            red, green, blue = (min(1.0, max(0.0, float(part))) for part in parts)
            colours[str(name)] = (red, green, blue)
    return colours


def _json(text: Any) -> dict[str, Any]:
    try:
        held = json.loads(text) if isinstance(text, str) else {}
    except (ValueError, RecursionError):
        return {}
    return held if isinstance(held, dict) else {}
