"""The real panel in a real window: run, update, cancel, refuse, close."""

from __future__ import annotations

import time

import numpy as np
import pytest

import unmix
from unmix.errors import Cancelled
from unmix.samples import sample_path, sample_truth
from unmix.viewer.metadata import about
from unmix.viewer.sources import layer_of_image

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

WAIT_MS = 60_000


@pytest.fixture
def messages(monkeypatch):
    """Return the list of sentences the panel shows as errors."""
    shown = []
    monkeypatch.setattr("unmix.viewer.panel.show_error", shown.append)
    return shown


@pytest.fixture
def stuck(monkeypatch):
    """Put in place of the pipeline one that reports progress until it is stopped; return what happened to it."""
    history = []

    def endless(image, n_endmembers, *, progress, **options):
        try:
            for done in range(10_000):
                progress("abundances", done, 10_000)
                time.sleep(0.002)
        except Cancelled:
            history.append("cancelled")
            raise

    monkeypatch.setattr("unmix.viewer.request.unmix", endless)
    return history


@pytest.fixture
def image():
    rng = np.random.default_rng(3)
    values = rng.dirichlet(np.full(3, 0.3), (40, 30)) @ rng.random((3, 12))
    return unmix.as_image(values.astype(np.float32), quantity="reflectance", pixel_size=0.5, name="leaf")


def add(viewer, image, **facts):
    from napari.layers import Layer

    return viewer.add_layer(Layer.create(*layer_of_image(image, **facts)))


def names(viewer):
    return [layer.name for layer in viewer.layers]


def run(qtbot, panel):
    panel.run_button.click()
    assert panel.running
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)


@pytest.mark.parametrize("key", ["tissue_he", "coast", "cells_lambda"])
def test_one_click_on_each_sample_gives_the_numbers_of_the_library(qtbot, desk, key):
    viewer, panel = desk
    (source,) = viewer.open_sample("unmix", key)
    before = np.array(source.data)
    run(qtbot, panel)
    _, truth = sample_truth(key)
    image = unmix.read(sample_path(key), quantity=panel.kind_box.currentData())
    expected = unmix.separate_stains(image) if key == "tissue_he" else unmix.unmix(image, len(truth))
    maps = [layer for layer in viewer.layers if about(layer).get("role") == "abundance"]
    assert [layer.name for layer in maps] == [f"{source.name} | {name}" for name in expected["endmember"].values]
    for layer, values in zip(maps, expected["abundances"].values, strict=True):
        np.testing.assert_array_equal(layer.data, values)
        np.testing.assert_allclose(layer.scale, source.scale[-2:])
        assert layer.units == source.units[-2:]
        assert layer.axis_labels == source.axis_labels[-2:]
        assert layer.visible
    assert {"residual", "dominant"} <= {about(layer)["role"] for layer in viewer.layers if not layer.visible}
    np.testing.assert_array_equal(source.data, before)
    assert panel.findings_label.text()
    assert panel.run_button.isEnabled()


def test_a_scene_is_first_shown_at_a_band_that_is_no_water_band(desk):
    viewer, _ = desk
    (scene,) = viewer.open_sample("unmix", "coast")
    good = about(scene)["image"].coords["good_band"].values
    assert not good[53]
    assert good[viewer.dims.current_step[0]]
    viewer.dims.set_current_step(0, 7)
    viewer.open_sample("unmix", "coast")
    assert viewer.dims.current_step[0] == 7


def test_kilometres_and_micrometres_in_one_viewer(desk):
    viewer, _ = desk
    (coast,) = viewer.open_sample("unmix", "coast")
    (cells,) = viewer.open_sample("unmix", "cells_lambda")
    (tissue,) = viewer.open_sample("unmix", "tissue_he")
    assert [str(layer.units[-1]) for layer in (coast, cells, tissue)] == ["meter", "pixel", "pixel"]
    np.testing.assert_allclose(cells.scale, (1, 0.25, 0.25))


def test_running_again_updates_the_same_layers(qtbot, desk, image):
    viewer, panel = desk
    add(viewer, image, suggested_endmembers=3)
    run(qtbot, panel)
    layers = list(viewer.layers)
    panel.options_form._knobs["constraint"].set_value("sum_to_one")
    run(qtbot, panel)
    assert list(viewer.layers) == [layer for layer in layers if about(layer)["role"] != "brightness"]
    params = about(viewer.layers["leaf | endmember 1"])["params"]
    assert params == {"function": "unmix", "n_endmembers": 3, "constraint": "sum_to_one"}
    expected = unmix.unmix(image, 3, constraint="sum_to_one")["abundances"].values[0]
    np.testing.assert_array_equal(viewer.layers["leaf | endmember 1"].data, expected)


def test_a_stack_of_another_plugin(qtbot, desk, image):
    viewer, panel = desk
    stack = image.values.transpose(2, 0, 1).copy()
    viewer.add_image(stack, name="stack", scale=(1, 0.3, 0.2), translate=(0, 5, 6), units=("pixel", "um", "um"))
    assert panel.kind_box.currentText() == "scene (reflectance), guessed"
    panel.count_box.setValue(3)
    run(qtbot, panel)
    layer = viewer.layers["stack | endmember 1"]
    np.testing.assert_allclose([layer.scale, layer.translate], [(0.3, 0.2), (5, 6)])
    expected = unmix.unmix(image, 3)
    np.testing.assert_allclose(layer.data, expected["abundances"].values[0], atol=1e-6)


def test_cancel_leaves_nothing_behind(qtbot, desk, image, stuck, messages):
    viewer, panel = desk
    add(viewer, image)
    panel.run_button.click()
    qtbot.waitUntil(lambda: panel.progress_bar.maximum() == 10_000, timeout=WAIT_MS)
    assert not panel.run_button.isEnabled()
    panel.cancel_button.click()
    assert not panel.running
    assert panel.run_button.isEnabled()
    qtbot.waitUntil(lambda: stuck == ["cancelled"] and not panel.runner.runs, timeout=2000)
    assert (names(viewer), messages) == (["leaf"], [])
    assert panel.findings_label.text() == "Cancelled."


def test_too_many_endmembers_is_one_sentence_and_no_layers(qtbot, desk, image, messages):
    viewer, panel = desk
    add(viewer, image)
    panel.count_box.setValue(60)
    run(qtbot, panel)
    assert names(viewer) == ["leaf"]
    assert len(messages) == 1
    assert "60" in messages[0]
    assert "\n" not in messages[0]


def test_a_wrong_text_in_an_option_is_refused_before_anything_runs(desk, image, messages):
    viewer, panel = desk
    add(viewer, image)
    panel.options_form._knobs["bands"].control.setText("from 400 up")
    panel.run_button.click()
    assert not panel.running
    assert messages == ["bands: 'from 400 up' is not a range in nm such as 400-2450."]


def test_source_removed_in_mid_run(qtbot, desk, image, stuck):
    viewer, panel = desk
    layer = add(viewer, image)
    panel.run_button.click()
    viewer.layers.remove(layer)
    qtbot.waitUntil(lambda: stuck == ["cancelled"], timeout=2000)
    assert (panel.running, names(viewer)) == (False, [])
    assert not panel.run_button.isEnabled()


def test_maps_removed_by_hand_come_back(qtbot, desk, image):
    viewer, panel = desk
    add(viewer, image, suggested_endmembers=2)
    run(qtbot, panel)
    everything = names(viewer)
    viewer.layers.remove("leaf | endmember 1")
    viewer.layers.remove("leaf | anchors")
    run(qtbot, panel)
    assert sorted(names(viewer)) == sorted(everything)


def test_viewer_closed_in_mid_run(qtbot, desk, image, stuck):
    viewer, panel = desk
    add(viewer, image)
    panel.run_button.click()
    qtbot.waitUntil(lambda: panel.progress_bar.maximum() == 10_000, timeout=WAIT_MS)
    viewer.close()
    qtbot.waitUntil(lambda: stuck == ["cancelled"], timeout=2000)


def test_panel_closed_in_mid_run(qtbot, desk, image, stuck):
    viewer, panel = desk
    add(viewer, image)
    panel.run_button.click()
    entrance = panel.parent()
    viewer.window.remove_dock_widget(entrance)
    entrance.deleteLater()
    del panel, entrance
    qtbot.waitUntil(lambda: stuck == ["cancelled"], timeout=2000)
    viewer.layers.clear()


def test_the_panel_follows_the_viewer(desk, image, slide):
    viewer, panel = desk
    assert not panel.run_button.isEnabled()
    assert not panel.suggest_button.isEnabled()
    assert panel.results.spectra_button.isEnabled(), "a result may be open without its image"
    assert panel.findings_label.isEnabled()
    leaf, picture = add(viewer, image), add(viewer, slide[0])
    viewer.add_image(np.zeros((4, 5)), name="flat")
    assert [panel.layer_box.itemText(i) for i in range(panel.layer_box.count())] == ["slide", "leaf"]
    viewer.layers.selection.active = picture
    assert panel.separates_stains
    assert panel.stains_box.isVisibleTo(panel)
    viewer.layers.selection.active = leaf
    assert panel.count_box.isVisibleTo(panel)
    assert not panel.stains_box.isVisibleTo(panel)
    leaf.name = "blade"
    assert panel.layer_box.currentText() == "blade"
    panel.kind_box.setCurrentIndex(panel.kind_box.findData("counts"))
    assert panel._request().options == {"quantity": "counts"}


def test_every_control_explains_itself_and_the_panel_is_wide_enough(desk):
    from qtpy.QtWidgets import QAbstractSpinBox, QComboBox, QLineEdit, QPushButton, QToolButton

    _, panel = desk
    assert panel.parent().minimumWidth() >= 320
    kinds = (QAbstractSpinBox, QComboBox, QPushButton)
    controls = [c for kind in kinds for c in panel.findChildren(kind)] + [panel.options_toggle]
    controls += [c for c in panel.findChildren(QLineEdit) if c.objectName() in unmix.Options.__dataclass_fields__]
    assert len(controls) > 25
    assert [c.objectName() for c in controls if not c.toolTip()] == []
    assert isinstance(panel.options_toggle, QToolButton)
