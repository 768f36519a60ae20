"""From an image to its layer and back, and from other people's layers to an image; no viewer."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest

from unmix.errors import DataError
from unmix.image import as_image, pixel_size
from unmix.viewer.sources import is_source, layer_of_image, source_of_layer, telling_band

pytest.importorskip("napari")


def layer_of(data, keywords, kind="image"):
    from napari.layers import Layer

    return Layer.create(data, keywords, kind)


def test_a_cube_is_a_view_with_bands_first(scene):
    image, _ = scene
    data, keywords, kind = layer_of_image(image, suggested_endmembers=3)
    assert kind == "image"
    assert data.shape == (8, 20, 16)
    assert np.shares_memory(data, image.values)
    assert keywords["name"] == "field"
    assert keywords["scale"] == (1.0, 30.0, 20.0)
    assert keywords["units"] == ("pixel", "metre", "metre")
    assert keywords["axis_labels"] == ("band", "y", "x")
    low, high = keywords["contrast_limits"]
    assert 0 <= low < high <= 3


def test_the_image_comes_back_from_its_layer(scene):
    image, _ = scene
    source = source_of_layer(layer_of(*layer_of_image(image, suggested_endmembers=3)))
    assert source.image() is image
    assert (source.quantity, source.guessed, source.n_bands, source.suggested_endmembers) == (
        "reflectance",
        False,
        8,
        3,
    )
    assert source.placement.scale == (30.0, 20.0)


def test_values_the_user_changed_are_the_ones_unmixed(scene):
    image, _ = scene
    layer = layer_of(*layer_of_image(image))
    layer.data = np.asarray(layer.data) * 2
    changed = source_of_layer(layer).image()
    np.testing.assert_array_equal(changed.values, image.values * 2)
    np.testing.assert_array_equal(changed.coords["wavelength"], image.coords["wavelength"])


def test_a_slide_is_a_picture(slide):
    image, _ = slide
    data, keywords, _ = layer_of_image(image)
    assert data is image.data
    assert keywords["rgb"] is True
    assert keywords["scale"] == (0.5, 0.5)
    assert source_of_layer(layer_of(data, keywords)).quantity == "brightfield"


@pytest.mark.parametrize(("dtype", "full"), [(np.uint16, 4095), (np.uint16, 65535), (np.float32, 1.0)])
def test_deep_slides_are_shown_in_eight_bits_and_unmixed_as_recorded(dtype, full):
    values = (np.linspace(0, 1, 6 * 7 * 3).reshape(6, 7, 3) * full).astype(dtype)
    image = as_image(values, quantity="brightfield")
    for one in (image, as_image(da.from_array(values, chunks=(3, 7, 3)), quantity="brightfield")):
        data, keywords, _ = layer_of_image(one)
        shown = np.asarray(data)
        assert (shown.dtype, shown.min(), shown.max()) == (np.uint8, 0, 255)
        np.testing.assert_array_equal(source_of_layer(layer_of(data, keywords)).image().values, values)


def test_a_lazy_cube_stays_lazy():
    reads = []

    def block(block_id):
        reads.append(block_id)
        return np.ones((4, 6, 9), np.float32)

    lazy = da.map_blocks(block, chunks=((4,) * 50, (6,), (9,)), dtype=np.float32, meta=np.empty((0, 0, 0), np.float32))
    data, _, _ = layer_of_image(as_image(lazy, quantity="counts", sample=np.ones((1, 6, 9), np.float32)))
    assert hasattr(data, "dask")
    assert len(reads) < 10


def test_other_peoples_stack_and_picture():
    stack = np.random.default_rng(0).random((5, 8, 9)).astype(np.float32)
    layer = layer_of(stack, {"name": "confocal", "scale": (1, 0.2, 0.3), "units": ("pixel", "um", "um")})
    source = source_of_layer(layer)
    image = source.image()
    np.testing.assert_array_equal(image.values, stack.transpose(1, 2, 0))
    assert (source.quantity, source.guessed) == ("reflectance", True)
    assert pixel_size(image)[2] == "um"
    np.testing.assert_allclose(pixel_size(image)[:2], (0.2, 0.3))
    rgba = np.full((8, 9, 4), 200, np.uint8)
    image = source_of_layer(layer_of(rgba, {"rgb": True})).image()
    assert image.shape == (8, 9, 3)
    assert image.attrs["quantity"] == "brightfield"


def test_a_multiscale_slide_is_unmixed_at_full_resolution():
    levels = [np.full((64, 64, 3), 220, np.uint8), np.full((32, 32, 3), 220, np.uint8)]
    layer = layer_of(levels, {"rgb": True, "multiscale": True})
    assert source_of_layer(layer).image().shape == (64, 64, 3)


def test_layers_without_bands_are_no_sources():
    from napari.layers import Image, Labels, Points

    flat = Image(np.zeros((4, 5)), name="flat")
    assert not any(
        map(
            is_source, (flat, Image(np.zeros((2, 3, 4, 5))), Labels(np.zeros((2, 4, 5), int)), Points(np.zeros((1, 3))))
        )
    )
    with pytest.raises(DataError, match="layer 'flat' has no bands"):
        source_of_layer(flat)


def test_the_telling_band_is_good_and_not_the_noisiest():
    rng = np.random.default_rng(0)
    sample = np.zeros((5, 60, 4))
    sample[..., 0] = 0.2 * np.linspace(0, 1, 60)
    sample[..., 1] = np.linspace(0, 1, 60)
    sample[..., 2] = rng.normal(0, 5, (5, 60))
    sample[..., 3] = 9 * np.linspace(0, 1, 60)
    assert telling_band(sample, np.array([True, True, True, False])) == 1
    assert telling_band(np.full((2, 3, 4), np.nan), np.array([False, True, True, True])) == 1


def test_no_cache_of_napari_hooks_into_a_run_while_a_lazy_layer_is_drawn():
    from dask.callbacks import Callback

    from unmix.readers import read
    from unmix.samples import sample_path
    from unmix.viewer.levels import uncached

    data, keywords, _ = layer_of_image(read(sample_path("coast")))
    layer = layer_of(data, keywords)
    with layer.dask_optimized_slicing():
        assert not Callback.active
    assert uncached(np.zeros((2, 2))) == {}
