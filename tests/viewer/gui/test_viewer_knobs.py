"""The options form: what is shown is what is returned, to the last digit."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from unmix.errors import OptionError
from unmix.options import Options

pytest.importorskip("napari")
pytestmark = pytest.mark.gui


@pytest.fixture
def form(qtbot):
    from unmix.viewer.knobs import OptionsForm

    form = OptionsForm()
    qtbot.addWidget(form)
    form.show_door("run", "reflectance")
    return form


def test_an_untouched_form_returns_the_defaults(form):
    assert form.values() == asdict(Options())
    assert form.changed() == {}
    form.show_door("stains", "brightfield")
    assert form.changed() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("anchor_fraction", 1e-5),
        ("refinement_weight", 3.25e-9),
        ("max_iterations", 7),
        ("bands", (400.0, 2450.5)),
        ("exclude", ((1340.0, 1450.0), (1790.0, 1960.0))),
        ("white_point", (243.0, 241.0, 239.5)),
        ("scale", 10000.0),
        ("threads", 2),
        ("constraint", "sum_to_one"),
    ],
)
def test_what_is_set_is_what_is_returned(form, name, value):
    form.show_door("run", "brightfield" if name == "white_point" else "reflectance")
    form._knobs[name].set_value(value)
    assert form.changed() == {name: value}
    form.restore_defaults()
    assert form.changed() == {}


def test_small_numbers_are_shown_as_they_are(form):
    form._knobs["anchor_fraction"].set_value(1e-5)
    assert form._knobs["anchor_fraction"].control.text() == "1e-05"


def test_only_the_options_of_the_door_are_shown(form):
    shown = {name for name, knob in form._knobs.items() if knob.control.isVisibleTo(form)}
    assert {"anchors", "bands"} <= shown
    assert "sparsity" not in shown
    form.show_door("stains", "brightfield")
    shown = {name for name, knob in form._knobs.items() if knob.control.isVisibleTo(form)}
    assert "sparsity" in shown
    assert "anchors" not in shown


@pytest.mark.parametrize(
    ("quantity", "there", "gone"),
    [
        ("reflectance", {"water_bands", "clouds"}, {"white_point", "od_base", "background", "noise", "extra_anchors"}),
        ("counts", {"background", "noise", "extra_anchors"}, {"white_point", "od_base", "water_bands", "clouds"}),
        ("brightfield", {"white_point"}, {"background", "noise", "water_bands", "od_base"}),
        ("optical_density", {"od_base"}, {"background", "white_point", "clouds"}),
    ],
)
def test_only_options_that_mean_something_for_the_kind_are_shown_and_given(form, quantity, there, gone):
    form._knobs["white_point"].set_value((243.0,))
    form.show_door("run", quantity)
    shown = {name for name, knob in form._knobs.items() if knob.control.isVisibleTo(form)}
    assert there | {"bands", "anchors", "threads"} <= shown
    assert not gone & shown
    assert ("white_point" in form.changed()) is (quantity == "brightfield")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("scale", "ten", "scale: 'ten' is not a number."),
        ("scale", "-1", "scale=-1.0 is outside its range, 0 to inf."),
        ("exclude", "1340", "exclude: '1340' is not a range in nm such as 400-2450."),
        ("white_point", "a, b", "white point: 'a, b' is not a list of numbers such as"),
    ],
)
def test_a_wrong_text_is_one_sentence(form, name, text, message):
    form.show_door("run", "brightfield" if name == "white_point" else "reflectance")
    form._knobs[name].control.setText(text)
    with pytest.raises(OptionError) as error:
        form.changed()
    assert str(error.value).startswith(message)


def test_the_wheel_does_not_change_what_is_only_scrolled_past(form, qtbot):
    from qtpy.QtCore import QPoint, QPointF, Qt
    from qtpy.QtGui import QWheelEvent
    from qtpy.QtWidgets import QApplication

    box = form._knobs["max_iterations"].control
    event = QWheelEvent(
        QPointF(5, 5), QPointF(5, 5), QPoint(0, 0), QPoint(0, 120),
        Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False,
    )  # fmt: skip
    QApplication.sendEvent(box, event)
    assert box.value() == 50


def test_preferences_are_the_defaults_of_the_panel(monkeypatch):
    from types import SimpleNamespace

    from unmix.viewer.settings import cursor_box, default_options

    held = SimpleNamespace(running=SimpleNamespace(threads=2, memory=0.0), spectra=SimpleNamespace(cursor_box=5))
    monkeypatch.setattr("napari.settings.get_plugin_settings", lambda _plugin: held)
    assert default_options() == {"threads": 2}
    assert cursor_box() == 5
    monkeypatch.setattr("napari.settings.get_plugin_settings", lambda _plugin: {}["unmix"])
    assert (default_options(), cursor_box()) == ({}, 3)
