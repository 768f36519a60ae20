"""Small results with known maps, made without the pipeline, so that what the layers show can be checked."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmix.image import as_image
from unmix.light.beer_lambert import from_optical_density
from unmix.result import Endmembers, make_endmember_set, make_result

STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
WHITE = np.array([255.0, 255.0, 255.0])


def assemble(image: xr.DataArray, spectra: np.ndarray, abundances: np.ndarray, names, constraint: str, **anchors):
    """Return a result with these endmembers and maps."""
    found = Endmembers(spectra, names, **anchors)
    maps = {"abundances": abundances.astype(np.float32), "residual": np.zeros(image.shape[:2], np.float32)}
    if constraint == "shade":
        maps["brightness"] = np.ones(image.shape[:2], np.float32)
    attrs = {"quantity": image.attrs["quantity"], "constraint": constraint, "relative_error": 0.0, "n_valid": 1}
    return make_result(image, make_endmember_set(image, found), maps, attrs, {})


@pytest.fixture
def slide() -> tuple[xr.DataArray, xr.Dataset]:
    """Return a calibrated two-stain picture and the result that explains it exactly."""
    rng = np.random.default_rng(1)
    E = STAINS / np.linalg.norm(STAINS, axis=1, keepdims=True)
    A = rng.gamma(1.0, 0.4, (2, 24, 30)).clip(0, 1.2)
    rgb = from_optical_density(np.einsum("rb,ryx->yxb", E, A), WHITE, np.uint8)
    image = as_image(rgb, quantity="brightfield", pixel_size=0.5, name="slide")
    return image, assemble(image, E, A, ("hematoxylin", "eosin"), "non_negative")


@pytest.fixture
def scene() -> tuple[xr.DataArray, xr.Dataset]:
    """Return a georeferenced scene with one invalid pixel, and its result with three anchors."""
    rng = np.random.default_rng(2)
    E = rng.random((3, 8))
    A = rng.dirichlet(np.ones(3), (20, 16)).transpose(2, 0, 1)
    values = np.einsum("rb,ryx->yxb", E, A).astype(np.float32)
    values[0, 0] = np.nan
    A[:, 0, 0] = np.nan
    image = as_image(values, quantity="reflectance", wavelengths=np.linspace(400, 2400, 8), name="field")
    image = image.assign_coords(
        y=("y", 6_000_000.0 - 30.0 * np.arange(20), {"units": "metre"}),
        x=("x", 500_000.0 + 20.0 * np.arange(16), {"units": "metre"}),
    )
    anchors = {
        "anchor_row": np.array([1, 5, -1]),
        "anchor_col": np.array([2, 9, -1]),
        "anchor_count": np.array([4, 4, 0]),
    }
    return image, assemble(image, E, A, ("a", "b", "c"), "shade", **anchors)
