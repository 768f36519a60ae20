"""Layers of a run in a viewer without a window: first shown, then updated in place."""

from __future__ import annotations

import numpy as np
import pytest

from unmix.viewer.layers import Shown, result_layers
from unmix.viewer.metadata import KEY, about
from unmix.viewer.show import show_layers
from unmix.viewer.sources import layer_of_image

pytest.importorskip("napari")


@pytest.fixture
def viewer(scene):
    from napari.components import ViewerModel
    from napari.layers import Layer

    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*layer_of_image(scene[0])))
    return viewer


def names(viewer):
    return [layer.name for layer in viewer.layers]


def test_maps_come_on_top_and_the_source_is_hidden_once(viewer, scene):
    source = viewer.layers[0]
    show_layers(viewer, result_layers(scene[1], Shown("field", "id")), source)
    assert len(viewer.layers) == 8
    assert source.visible is False
    assert viewer.layers.selection.active.name == "field | c"
    source.visible = True
    show_layers(viewer, result_layers(scene[1], Shown("field", "id")), source)
    assert source.visible is True


def test_next_run_updates_the_same_layers_even_when_renamed(viewer, scene):
    show_layers(viewer, result_layers(scene[1], Shown("field", "id", "first")), viewer.layers[0])
    layers = list(viewer.layers)
    layers[4].name = "my water"
    again = scene[1].copy(deep=True)
    again["abundances"] = again["abundances"] * 0.5
    show_layers(viewer, result_layers(again, Shown("field", "id", "second")), viewer.layers[0])
    assert list(viewer.layers) == layers
    assert layers[4].name == "my water"
    np.testing.assert_array_equal(layers[4].data, again["abundances"].values[0])
    assert about(layers[4])["run_id"] == "second"


def test_what_the_user_changed_by_hand_stays(viewer, scene):
    show_layers(viewer, result_layers(scene[1], Shown("field", "id")))
    touched, untouched = viewer.layers["field | a"], viewer.layers["field | residual"]
    touched.contrast_limits, touched.colormap = (0.2, 0.6), "viridis"
    again = scene[1].copy(deep=True)
    again["residual"] = again["residual"] + 3.0
    show_layers(viewer, result_layers(again, Shown("field", "id")))
    assert (touched.contrast_limits, touched.colormap.name) == ([0.2, 0.6], "viridis")
    np.testing.assert_allclose(untouched.contrast_limits, (0, 3))


def test_maps_of_endmembers_no_longer_found_go(viewer, scene):
    show_layers(viewer, result_layers(scene[1], Shown("field", "id")))
    show_layers(viewer, result_layers(scene[1].isel(endmember=[0, 1]), Shown("field", "id")))
    assert "field | c" not in names(viewer)
    assert "field | b" in names(viewer)
    assert viewer.layers["field | anchors"].data.tolist() == [[1, 2], [5, 9]]


def test_another_sources_maps_are_left_alone(viewer, scene):
    show_layers(viewer, result_layers(scene[1], Shown("field", "id")))
    show_layers(viewer, result_layers(scene[1], Shown("meadow", "other")))
    assert len(viewer.layers) == 15
    assert viewer.layers["field | a"].metadata[KEY]["source"] == "field"
