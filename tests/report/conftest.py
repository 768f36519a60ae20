"""Results of every kind for the figures: fractions, concentrations, counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import xarray as xr

from unmix.image import as_image
from unmix.result import Endmembers, make_endmember_set, make_result


def build_image(quantity: str, shape: tuple[int, int], n_bands: int, **place: Any) -> xr.DataArray:
    """Make an image of noise with a bad band and an invalid corner."""
    rng = np.random.default_rng(3)
    values = rng.random((*shape, n_bands)).astype("float32")
    if quantity == "brightfield":
        values = (255 * values).astype("uint8")
    good = np.ones(n_bands, bool)
    good[5:7] = n_bands <= 8
    valid = np.ones(shape, bool)
    valid[: shape[0] // 3, : shape[1] // 3] = False
    if n_bands > 3:
        place.setdefault("wavelengths", np.linspace(420.0, 690.0, n_bands))
    return as_image(values, quantity=quantity, good_bands=good, valid=valid, **place)


def build_figure_result(
    r: int = 3,
    *,
    quantity: str = "reflectance",
    shape: tuple[int, int] = (40, 50),
    n_bands: int = 20,
    names: Sequence[str] | None = None,
    brightness: bool = True,
    **place: Any,
) -> xr.Dataset:
    """Make a result with `r` endmembers; abundances sum to one, the residual is small."""
    rng = np.random.default_rng(r)
    image = build_image(quantity, shape, n_bands, **place)
    spectra = rng.random((r, n_bands))
    spectra[:, ~image.coords["good_band"].values] = np.nan
    names = tuple(names or [f"material {k + 1}" for k in range(r)])
    found = Endmembers(spectra, names, objective=np.array([2.0, 1.0]))
    invalid = ~image.coords["valid"].values
    maps = {"abundances": np.moveaxis(rng.dirichlet([0.4] * r, shape), -1, 0).astype("float32")}
    maps["residual"] = rng.random(shape).astype("float32") / 50
    if brightness and quantity == "reflectance":
        maps["brightness"] = rng.random(shape).astype("float32")
    for values in maps.values():
        values[..., invalid] = np.nan
    attrs = {
        "quantity": quantity, "constraint": "shade", "relative_error": 0.0213, "smallest_angle": 11.04,
        "n_valid": int((~invalid).sum()), "n_invalid": int(invalid.sum()), "stop_reason": "converged",
    }  # fmt: skip
    told = {"source": {"path": "/somewhere/scene_2021.hdr"}, "options": {}}
    return make_result(image, make_endmember_set(image, found), maps, attrs, told)


@pytest.fixture
def make() -> Callable[..., xr.Dataset]:
    """Return the function that makes a result."""
    return build_figure_result


@pytest.fixture
def make_image() -> Callable[..., xr.DataArray]:
    """Return the function that makes an image."""
    return build_image
