"""What a stain fit found: its vectors, a flag, what that means in one line, and flat facts to keep with a result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..materials.stain_sets import StainSet
from ..materials.stains import nearest_stain
from .stain_naming import angles_to_references, misfit, naming_margin, reversed_misfit
from .stain_plane import smallest_angle
from .stain_tissue import LEAST_PIXELS, Tissue

ONE_STAIN_DEGREES = 12.0
CORNERS_TOO_CLOSE_DEGREES = 10.0

_KEPT_NOTES = (
    "hull_width_degrees", "dense_width_degrees", "part_moved_degrees", "part", "stop_reason", "refinement_iterations",
    "colour_scatter", "light_noise", "sparsity_used", "anchor_weight_used",
)  # fmt: skip


@dataclass(frozen=True)
class StainFit:
    """Stain vectors (r, 3) in the order of the names, the pixels behind them, a flag and what there is to note."""

    vectors: np.ndarray
    counts: np.ndarray
    flag: str
    notes: dict[str, Any]
    objective: np.ndarray | None = None


def explanation(fit: StainFit, tissue: Tissue, chosen: StainSet) -> str:
    """Say in one line what the flag means, and the way out."""
    names, listed, width = chosen.stains, ", ".join(chosen.stains), fit.notes.get("hull_width_degrees", 0.0)
    if fit.flag == "too little tissue":
        return (
            f"{len(tissue.density)} of {tissue.counts['pixels_sampled']} sampled pixels have the colour of the stains, "
            f"{LEAST_PIXELS} are needed: the published vectors of {listed} are used. "
            "Give a region with tissue, or stain_matrix=."
        )
    if fit.flag == "one stain":
        present, absent = _present_and_absent(fit, names)
        return (
            f"the colours span {width:.1f} degrees, {ONE_STAIN_DEGREES:g} are needed for two stains: only {present} is "
            f"there, and the published vector of {absent} is used. Give other stains=, or stain_matrix=."
        )
    if fit.flag == "one stain likely":
        present, absent = _present_and_absent(fit, names)
        return (
            f"the dense third of the tissue spans {fit.notes['dense_width_degrees']:.1f} of {width:.1f} degrees: "
            f"{absent} is seen in pale tissue only; {present} may be alone. Look at the maps, or give stain_matrix=."
        )
    if fit.flag == "one part decides":
        return (
            f"without {fit.notes['part']} the colours move by {fit.notes['part_moved_degrees']:.0f} degrees: look "
            "there for pen, ink, a fold, or a stain that is nowhere else. If it is no tissue, leave it out by mask=."
        )
    if fit.flag == "stains too close":
        return (
            f"two corners of the colours are {width:.1f} degrees apart, {CORNERS_TOO_CLOSE_DEGREES:g} are needed: the "
            f"published vectors of {listed} are used. Name the two stains that are there, or give stain_matrix=."
        )
    if fit.flag == "channels reversed":
        return (
            f"with red and blue exchanged the vectors found fit {listed} clearly better "
            f"({reversed_misfit(fit.vectors, chosen.matrix):.0f} degrees off, not "
            f"{misfit(fit.vectors, chosen.matrix):.0f}): the channels may be in the order blue, green, red. "
            "Give image[..., ::-1], or stain_matrix=."
        )
    if fit.flag == "other stains likely":
        instead = fit.notes["instead"]
        return (
            f"the vectors found are nearer to {' and '.join(instead)} than to {listed}: the slide may hold those. "
            f"Look at the maps, or give stains={instead}."
        )
    if fit.flag == "naming uncertain":
        return (
            f"the vectors found fit the names {listed} hardly better in another order: stains may be swapped. "
            "Look at the maps, or give stain_matrix=."
        )
    angles = angles_to_references(fit.vectors, chosen.matrix)
    worst = int(np.argmax(angles))
    return (
        f"the vector found for {names[worst]} is {angles[worst]:.0f} degrees from the published one (nearest stain: "
        f"{nearest_stain(fit.vectors[worst])}): the slide may hold other stains. Give other stains=, or stain_matrix=."
    )


def _present_and_absent(fit: StainFit, names: Sequence[str]) -> tuple[str, str]:
    """Return the stain that is there, and the first of those that are not."""
    present = names[fit.notes["present"]]
    return present, next(name for name in names if name != present)


def notes_of(fit: StainFit, tissue: Tissue, chosen: StainSet) -> dict[str, Any]:
    """Put what the fit has to say into flat facts."""
    references = chosen.matrix
    to_reference = angles_to_references(fit.vectors, references)
    notes: dict[str, Any] = {
        "stain_flag": fit.flag,
        **tissue.counts,
        "gate_off_plane": fit.notes.get("off_plane", 0),
        "pixels_fitted": len(tissue.density) - fit.notes.get("off_plane", 0),
        "smallest_angle": smallest_angle(fit.vectors),
        "naming_margin_degrees": naming_margin(fit.vectors, references),
        "reversed_margin_degrees": reversed_misfit(fit.vectors, references) - misfit(fit.vectors, references),
    }
    for key in _KEPT_NOTES:
        if key in fit.notes:
            notes[key] = fit.notes[key]
    for k, name in enumerate(chosen.stains):
        notes[f"angle_to_reference_{name}"] = float(to_reference[k])
        notes[f"reference_{name}"] = references[k]
        if "shares" in fit.notes:
            notes[f"share_{name}"] = float(fit.notes["shares"][k])
    return notes
