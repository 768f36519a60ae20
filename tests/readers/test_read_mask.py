"""Masks from files: held to the place of the image they are for."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from affine import Affine

import unmix
from unmix.errors import ReadError
from unmix.readers.mask import read_mask

PLACE = Affine(30.0, 0.0, 400_000.0, 0.0, -30.0, 4_000_000.0)
USED = np.arange(20).reshape(4, 5) % 3 > 0


def write(path, transform=PLACE, crs="EPSG:32611", values=USED):
    with rasterio.open(
        path, "w", driver="GTiff", height=values.shape[0], width=values.shape[1], count=1, dtype="uint8", crs=crs,
        transform=transform, compress="deflate",
    ) as file:  # fmt: skip
        file.write(values.astype("u1"), 1)
    return path


def image(transform=PLACE, shape=(4, 5), crs="EPSG:32611"):
    return unmix.as_image(np.full((*shape, 3), 0.5, "f4"), crs=crs, transform=transform)


def test_a_mask_on_the_same_grid_is_used_as_it_is(tmp_path):
    np.testing.assert_array_equal(read_mask(write(tmp_path / "m.tif"), image()), USED)
    np.testing.assert_array_equal(read_mask(write(tmp_path / "m.tif")), USED)


def test_a_mask_of_the_whole_scene_serves_a_part_of_it(tmp_path):
    part = image(PLACE @ Affine.translation(2, 1), shape=(3, 2))
    np.testing.assert_array_equal(read_mask(write(tmp_path / "m.tif"), part), USED[1:4, 2:4])


@pytest.mark.parametrize(
    ("transform", "crs", "said"),
    [
        (PLACE, "EPSG:32612", "in another projection"),
        (PLACE @ Affine.scale(2), "EPSG:32611", "pixels of another size"),
        (PLACE @ Affine.translation(0.5, 0), "EPSG:32611", "does not cover the image on the same grid"),
        (PLACE @ Affine.translation(1, 0), "EPSG:32611", "does not cover the image on the same grid"),
    ],
)
def test_a_mask_that_lies_elsewhere_is_refused(tmp_path, transform, crs, said):
    with pytest.raises(ReadError, match=said) as caught:
        read_mask(write(tmp_path / "m.tif", transform, crs), image())
    assert "\n" not in str(caught.value)


def test_a_mask_or_an_image_without_a_place_goes_by_its_shape(tmp_path):
    plain = unmix.as_image(np.full((4, 5, 3), 0.5, "f4"))
    np.testing.assert_array_equal(read_mask(write(tmp_path / "m.tif"), plain), USED)
    np.save(tmp_path / "m.npy", USED)
    np.testing.assert_array_equal(read_mask(tmp_path / "m.npy", image()), USED)
