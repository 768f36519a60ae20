"""One item of a batch: read, unmixed, written into a folder of its own that nothing refers to yet.

A task carries paths and the recipe, never pixels or open files, and may be run twice: each attempt has a folder of its
own, and only the run that holds the lock gives one of them its final name (`unmix.batch.publish`).
"""

from __future__ import annotations

import contextlib
import shutil
import threading
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..blocks import Progress
from ..errors import DataError, ReadError, UnmixError, UnmixWarning
from ..library_names import known_spectra, name_endmembers
from ..nmf.threads import at_most_threads
from ..pipeline import separate_stains, unmix
from ..readers import read
from ..readers.libraries import read_library
from ..readers.mask import read_mask
from ..scratch import scratch_beside
from ..writers import default_formats, plan_slide, write
from ..writers.commit import sync_folder, temporary_name
from .fingerprint import fingerprints, output_record
from .recipe import Recipe
from .sources import Item

_READ_BY = ("quantity", "scale", "bands", "exclude", "water_bands")
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Task:
    """Everything one item needs; small, so that it can be sent to another machine."""

    item: Item
    recipe: Recipe
    out: Path
    endmembers: xr.Dataset | None = None
    content: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of one item: the folder its outputs wait in, or the reason there is none."""

    folder: Path | None
    reason: str = ""
    facts: dict[str, Any] = field(default_factory=dict)


def do_item(task: Task, progress: Progress | None = None) -> Outcome:
    """Unmix one item into a waiting folder; what goes wrong is its outcome, never an exception."""
    start = time.perf_counter()
    waiting = temporary_name(task.out / task.item.name.replace("/", "-"))
    with _ONE_AT_A_TIME, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnmixWarning)
        try:
            waiting.mkdir(parents=True)
            facts = _unmixed(task, waiting, progress)
        except Exception as error:
            _remove(waiting)
            return Outcome(None, _one_line(error), {"seconds": _since(start)})
        except BaseException:
            _remove(waiting)
            raise
    notes = [str(one.message) for one in caught if issubclass(one.category, UnmixWarning)]
    return Outcome(waiting, facts={**facts, "warnings": notes, "seconds": _since(start)})


def _unmixed(task: Task, folder: Path, progress: Progress | None) -> dict[str, Any]:
    """Write the outputs of an item into a folder and return what the manifest says about them."""
    if task.item.mask is not None and not task.item.mask.is_file():
        raise ReadError(f"{task.item.mask}: no such file; every input needs its mask.")
    before = fingerprints(task.item.inputs, content=task.content)
    with scratch_beside(task.out):
        with plan_slide(task.out, task.recipe.formats or ()):
            result = _result_of(task, progress)
        formats = task.recipe.formats or [one.name for one in default_formats(result) if one.name != "preview"]
        with at_most_threads(task.recipe.options.get("threads")):
            write(result, folder, formats=formats)
    after = fingerprints(task.item.inputs, content=False)
    if [(one.path, one.bytes, one.modified_ns) for one in before] != [
        (one.path, one.bytes, one.modified_ns) for one in after
    ]:
        raise DataError("the input changed while it was worked on. Run again when nothing writes to it.")
    sync_folder(folder)
    about = {key: result.attrs[key] for key in ("relative_error", "n_valid", "n_invalid") if key in result.attrs}
    return {
        "input": [one.as_dict() for one in before],
        "outputs": output_record(folder),
        "endmembers": [str(name) for name in result["endmember"].values],
        **about,
    }


def reading_of(recipe: Recipe) -> dict[str, Any]:
    """Return the keywords of `unmix.read` for every item; stains are read by all their channels."""
    wanted = _READ_BY if recipe.stains is None else ("quantity", "scale")
    return {**recipe.reading, **{name: recipe.options[name] for name in wanted if name in recipe.options}}


def _result_of(task: Task, progress: Progress | None) -> xr.Dataset:
    recipe = task.recipe
    done = (
        ("scale",) if recipe.stains is None else _READ_BY
    )  # the others change nothing a second time, and are recorded
    options: dict[str, Any] = {name: value for name, value in recipe.options.items() if name not in done}
    image = read(task.item.path, **reading_of(recipe))
    mask = None if task.item.mask is None else read_mask(task.item.mask, image)
    options |= {"mask": mask, "progress": progress}
    if recipe.stains is not None:
        return separate_stains(image, recipe.stains, stain_matrix=task.endmembers, **options)
    library = None if recipe.library is None else read_library(recipe.library, scale=recipe.library_scale)
    endmembers: Any = task.endmembers
    if endmembers is not None:
        image = _on_known_bands(image, endmembers)
    else:
        endmembers = known_spectra(library, recipe.known)
    result = unmix(image, recipe.n_endmembers, endmembers=endmembers, **options)
    return result if library is None else name_endmembers(result, library)


def _on_known_bands(image: xr.DataArray, endmembers: xr.Dataset) -> xr.DataArray:
    """Return the image without the bands in which a shared endmember has no value."""
    known = np.isfinite(endmembers["endmembers"].transpose("endmember", "band").values).all(axis=0)
    if known.shape != (image.sizes["band"],):
        raise DataError(f"the shared endmembers have {known.size} bands, the image {image.sizes['band']}.")
    theirs, ours = endmembers.attrs.get("quantity"), image.attrs["quantity"]
    if theirs is not None and theirs != ours:
        raise DataError(f"the shared endmembers are {theirs}, the image is {ours}. Say quantity=.")
    return image.assign_coords(good_band=("band", image.coords["good_band"].values & known))


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, UnmixError) else f"unexpected {type(error).__name__}: {text or 'no message'}"


def _since(start: float) -> float:
    return round(time.perf_counter() - start, 3)


def _remove(folder: Path) -> None:
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
