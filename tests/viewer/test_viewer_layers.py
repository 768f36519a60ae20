"""Layers of a result: names, places, colours that look like the slide, metadata."""

from __future__ import annotations

import numpy as np
import pytest

from unmix.light.beer_lambert import to_optical_density
from unmix.viewer.layers import Shown, goes_by, result_layers
from unmix.viewer.metadata import KEY
from unmix.viewer.placement import Placement, known_unit

pytest.importorskip("napari")


def by_role(layers, role):
    return [(data, keywords) for data, keywords, _ in layers if keywords["metadata"][KEY]["role"] == role]


def test_scene_layers_are_named_placed_and_ordered(scene):
    _, result = scene
    layers = result_layers(result, Shown("field", "id", "run", {"n_endmembers": 3}))
    assert [(keywords["name"], kind) for _, keywords, kind in layers] == [
        ("field | brightness", "image"),
        ("field | residual", "image"),
        ("field | dominant", "labels"),
        ("field | a", "image"),
        ("field | b", "image"),
        ("field | c", "image"),
        ("field | anchors", "points"),
    ]
    for _, keywords, _ in layers:
        assert keywords["scale"] == (30.0, 20.0)
        assert keywords["units"] == ("metre", "metre")
        assert keywords["axis_labels"] == ("y", "x")
        known = keywords["metadata"][KEY]
        assert (known["source"], known["source_id"], known["run_id"]) == ("field", "id", "run")
        assert known["params"] == {"n_endmembers": 3}
    hidden = [keywords["name"] for _, keywords, _ in layers if keywords.get("visible", True) is False]
    assert hidden == ["field | brightness", "field | residual", "field | dominant"]


def test_scene_maps_are_the_abundances_on_one_scale(scene):
    _, result = scene
    maps = by_role(result_layers(result, Shown("field")), "abundance")
    assert [keywords["metadata"][KEY]["endmember"] for _, keywords in maps] == ["a", "b", "c"]
    for index, (data, keywords) in enumerate(maps):
        np.testing.assert_array_equal(data, result["abundances"].values[index])
        assert keywords["contrast_limits"] == (0.0, 1.0)
        assert keywords["blending"] == "additive"
        assert keywords["colormap"].map(0.0)[0, :3].tolist() == [0, 0, 0]


def test_each_endmember_has_one_colour_in_map_labels_and_anchors(scene):
    _, result = scene
    layers = result_layers(result, Shown("field"))
    tops = [keywords["colormap"].map(1.0)[0, :3] for _, keywords in by_role(layers, "abundance")]
    ((_, labels),) = by_role(layers, "dominant")
    ((_, points),) = by_role(layers, "anchors")
    assert len({tuple(top) for top in tops}) == 3
    for index, top in enumerate(tops):
        np.testing.assert_allclose(labels["colormap"][index + 1][:3], top, atol=1e-6)
    np.testing.assert_allclose(points["face_color"][:, :3], tops[:2], atol=1e-6)


def test_dominant_labels_and_anchors_say_which_endmember(scene):
    _, result = scene
    layers = result_layers(result, Shown("field"))
    ((labels, keywords),) = by_role(layers, "dominant")
    A = result["abundances"].values
    assert labels[0, 0] == 0
    assert labels[3, 3] == A[:, 3, 3].argmax() + 1
    assert keywords["features"]["endmember"] == ["none", "a", "b", "c"]
    ((places, keywords),) = by_role(layers, "anchors")
    assert places.tolist() == [[1, 2], [5, 9]]
    assert keywords["features"]["endmember"] == ["a", "b"]


def test_stain_maps_multiply_to_the_slide(slide):
    image, result = slide
    maps = by_role(result_layers(result, Shown("slide")), "abundance")
    light = np.ones(image.shape)
    for data, keywords in maps:
        assert keywords["blending"] == "multiplicative"
        low, high = keywords["contrast_limits"]
        light *= keywords["colormap"].map(((data - low) / (high - low)).ravel())[:, :3].reshape(image.shape)
    below_top = (result["abundances"].values <= maps[0][1]["contrast_limits"][1]).all(axis=0)
    assert below_top.mean() > 0.98
    shown = to_optical_density(255 * light, [255.0] * 3)[below_top]
    np.testing.assert_allclose(shown, to_optical_density(image.values, [255.0] * 3)[below_top], atol=0.05)


def test_no_anchors_no_points(slide):
    _, result = slide
    assert by_role(result_layers(result, Shown("slide")), "anchors") == []


def test_lazy_maps_stay_lazy(scene):
    _, result = scene
    layers = result_layers(result.chunk({"y": 10}), Shown("field"))
    for role in ("abundance", "residual", "dominant"):
        assert all(hasattr(data, "dask") for data, _ in by_role(layers, role))


def test_layers_are_accepted_by_napari_without_a_window(scene, slide):
    from napari.components import ViewerModel
    from napari.layers import Layer

    for _, result in (scene, slide):
        viewer = ViewerModel()
        for layer in result_layers(result, Shown("x")):
            viewer.add_layer(Layer.create(*layer))
        assert len(viewer.layers) == (7 if "brightness" in result else 4)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("um", "um"),
        ("metre", "metre"),
        ("degrees_north", "degree"),
        ("pixel", "pixel"),
        ("no such thing", "pixel"),
        ("", "pixel"),
    ],
)
def test_units_napari_does_not_know_become_pixels(name, unit):
    assert known_unit(name) == unit


def test_placement_of_a_turned_layer_is_kept():
    from napari.layers import Image

    layer = Image(
        np.zeros((5, 8, 9)), scale=(1, 2, 3), translate=(0, 4, 5), units=("pixel", "um", "um"), rotate=(0, 0, 30)
    )
    placement = Placement.of_layer(layer)
    assert (placement.scale, placement.translate, placement.axis_labels) == ((2.0, 3.0), (4.0, 5.0), ("-2", "-1"))
    assert placement.units == ("micrometer", "micrometer")
    map_layer = Image(np.zeros((8, 9)), **placement.of_map())
    corner = np.array([3, 2, 7])
    np.testing.assert_allclose(map_layer.data_to_world(corner[1:]), layer.data_to_world(corner)[1:])


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ([[50, 50], [98, 60]], ("upper_left", 0, 1)),
        ([[50, 50], [40, 99]], ("upper_right", 0, -1)),
        ([[50, 1], [40, 99], [2, 50]], ("center", 1, 0)),
        ([[98, 1], [40, 99], [50, 50]], ("center", -1, 0)),
    ],
)
def test_labels_of_points_lie_on_the_image(points, expected):
    from unmix.viewer.labelling import label_place

    placed = label_place(np.array(points, float), ["soil", "water", "sand"][: len(points)], (100, 100), 2.5)
    assert placed["anchor"] == expected[0]
    assert np.sign(placed["translation"][1]) == expected[2]
    if not expected[2]:
        assert np.sign(placed["translation"][0]) == expected[1]


def test_colours_are_known_with_and_without_the_number_napari_gives_them():
    assert goes_by("soil (unmix)", "soil (unmix)")
    assert goes_by("soil (unmix) (3)", "soil (unmix)")
    assert not goes_by("soil (unmix) wet", "soil (unmix)")
    assert not goes_by("wet soil (unmix)", "soil (unmix)")
