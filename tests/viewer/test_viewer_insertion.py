"""A layer put into a viewer in several turns, without a window: who hears of it when."""

from __future__ import annotations

import numpy as np
import pytest

from unmix.viewer.insertion import Insertion
from unmix.viewer.layers import Shown, result_layers
from unmix.viewer.show import _in_pieces, showing
from unmix.viewer.step import Step

pytest.importorskip("napari")


class Widget:
    """What can be told to draw nothing for a while is a widget."""

    def __init__(self, name, layers, heard):
        self.name, self.heard = name, heard
        layers.events.inserted.connect(self.hear)
        layers.events.removed.connect(self.lose)

    def setUpdatesEnabled(self, enabled):  # noqa: N802
        raise AssertionError("nobody draws here")

    def hear(self, event):
        self.heard.append((self.name, event.value.name, event.index))

    def lose(self, event):
        self.heard.append((self.name, "lost", event.value.name))


@pytest.fixture
def layers():
    from napari.components import ViewerModel

    return ViewerModel().layers


@pytest.fixture
def heard():
    return []


@pytest.fixture
def widgets(layers, heard):
    return [Widget(name, layers, heard) for name in "ab"]


def image(name):
    from napari.layers import Image

    return Image(np.zeros((4, 4)), name=name)


def test_widgets_hear_one_after_the_other_and_the_rest_at_once(layers, widgets, heard):
    layers.append(image("below"))
    heard.clear()
    layers.events.inserted.connect(lambda event: heard.append(("function", event.value.name, event.index)))
    insertion = Insertion(layers, 1, image("above"))
    assert heard == [("function", "above", 1)]
    assert layers.selection.active.name == "below"
    insertion.tell_one()
    assert heard[1:] == [("a", "above", 1)]
    layers.move(1, 0)
    insertion.tell_one()
    assert insertion.finished
    assert heard[2:] == [("b", "above", 0)]
    insertion.tell_one()
    insertion.finish()
    assert len(heard) == 3


@pytest.mark.parametrize("what", ["select", "remove", "clear"])
def test_widgets_hear_before_a_layer_is_selected_or_removed(layers, widgets, heard, what):
    above = image("above")
    layers.append(image("below"))
    heard.clear()
    layers.selection.events.changed.connect(lambda _event: heard.append("selected"))
    insertion = Insertion(layers, 1, above)
    if what == "select":
        layers.selection.active = above
        assert set(heard[2:]) == {"selected"}
    else:
        layers.remove(above) if what == "remove" else layers.clear()
        assert ("a", "lost", "above") in heard[2:]
    assert heard[:2] == [("a", "above", 1), ("b", "above", 1)]
    assert insertion.finished


def test_steps_that_are_dropped_leave_no_layer_half_inserted(layers, widgets, heard, scene):
    from napari.components import ViewerModel

    viewer = ViewerModel()
    widget = Widget("a", viewer.layers, heard)
    steps = showing(viewer, result_layers(scene[1], Shown("field", "id")))
    while next(steps) is not Step.GO_ON:
        pass
    assert heard == []
    steps.close()
    assert heard == [("a", "field | a", 0)]
    del widget


def test_layers_lie_in_their_order_in_whatever_order_they_come(scene):
    from napari.components import ViewerModel

    viewer, seen = ViewerModel(), []
    given = result_layers(scene[1], Shown("field", "id"))
    viewer.layers.events.inserted.connect(lambda event: seen.append(event.value.name))
    for _ in showing(viewer, given):
        pass
    assert [layer.name for layer in viewer.layers] == [keywords["name"] for _, keywords, _ in given]
    assert [name.removeprefix("field | ") for name in seen[:4]] == ["a", "anchors", "b", "c"]
    viewer.layers.remove("field | b")
    viewer.layers.remove("field | dominant")
    viewer.layers.append(image("drawn by hand"))
    for _ in showing(viewer, given):
        pass
    assert [layer.name for layer in viewer.layers][:-1] == [keywords["name"] for _, keywords, _ in given]
    assert viewer.layers[-1].name == "drawn by hand"


def test_labels_are_written_a_few_new_letters_at_a_time():
    pieces = list(_in_pieces(["hematoxylin", "eosin", ""]))
    assert pieces[-1] == ["hematoxylin", "eosin", ""]
    assert pieces[0] == ["hema", "", ""]
    known = set()
    for piece in pieces:
        new = set("".join(piece)) - known
        assert len(new) <= 4
        known |= new
    assert list(_in_pieces([])) == [[]]
