"""Results whose every number is known, small enough to write in milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine

from unmix.image import as_image
from unmix.result import Endmembers, make_endmember_set, make_result

NAMES = ("tree", "water", "soil", "road", "roof", "grass", "sand", "shade", "asphalt", "metal", "concrete", "snow")
ROTATED = Affine(28.0, 6.0, 400_000.0, 6.0, -28.0, 4_000_000.0)
NORTH_UP = Affine(30.0, 0.0, 400_000.0, 0.0, -30.0, 4_000_000.0)


def build_result(
    *,
    quantity: str = "reflectance",
    names: Sequence[str] = NAMES[:3],
    shape: tuple[int, int] = (21, 34),
    n_bands: int = 9,
    brightness: bool = False,
    source: str | None = None,
    **place: Any,
) -> xr.Dataset:
    """Make a result: random maps with an invalid corner, one bad band, coordinates as `as_image` gives them."""
    rng = np.random.default_rng(7)
    good = np.ones(n_bands, bool)
    if n_bands > 3:
        good[4] = False
    place.setdefault("wavelengths", np.linspace(420.0, 690.0, n_bands) if n_bands > 3 else None)
    values = np.full((*shape, n_bands), 0.5, "float32")
    image = as_image(values, quantity=quantity, good_bands=good, **place)
    spectra = rng.random((len(names), n_bands))
    spectra[:, ~good] = np.nan
    found = Endmembers(spectra, tuple(names), np.arange(len(names)), objective=np.array([3.0, 2.0, 1.5]))
    maps = {
        "abundances": rng.random((len(names), *shape)).astype("float32"),
        "residual": rng.random(shape).astype("float32") / 100,
    }
    if brightness:
        maps["brightness"] = rng.random(shape).astype("float32")
    invalid = np.zeros(shape, bool)
    invalid[: shape[0] // 4, : shape[1] // 3] = True
    for values in maps.values():
        values[..., invalid] = np.nan
    attrs = {
        "quantity": quantity, "constraint": "shade" if brightness else "non_negative", "relative_error": 0.0213,
        "n_valid": int((~invalid).sum()), "n_invalid": int(invalid.sum()), "stop_reason": "converged",
        "condition": 3.5, "smallest_angle": 12.25,
    }  # fmt: skip
    told = {"versions": {"unmix": "9.8.7"}, "options": {"constraint": "shade", "remark": "Größe <&>"}}
    if source is not None:
        told["source"] = {"path": source, "name": "scene"}
    return make_result(image, make_endmember_set(image, found), maps, attrs, told)


@pytest.fixture(scope="session")
def make() -> Callable[..., xr.Dataset]:
    """Return the function that makes a result."""
    return build_result


@pytest.fixture
def scene_result() -> xr.Dataset:
    """Return a georeferenced result with a brightness map."""
    return build_result(brightness=True, crs="EPSG:32611", transform=NORTH_UP)


@pytest.fixture
def stain_result() -> xr.Dataset:
    """Return a calibrated brightfield result."""
    return build_result(quantity="brightfield", names=("hematoxylin", "eosin"), n_bands=3, pixel_size=(0.5, 0.25))
