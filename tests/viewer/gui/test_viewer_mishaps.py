"""What goes wrong in a day's work: no traceback, one sentence, nothing left behind (the fixture looks for leaks)."""

from __future__ import annotations

import numpy as np
import pytest

import unmix
from unmix.viewer.sources import layer_of_image

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

WAIT_MS = 60_000


@pytest.fixture
def desk(desk):
    """Return a viewer with the panel and both docks."""
    from unmix.viewer.docks import open_dock

    viewer, panel = desk
    return viewer, panel, open_dock(viewer, "Spectra").content, open_dock(viewer, "Explore").content


@pytest.fixture
def messages(monkeypatch):
    """Return the list of sentences the panel and the spectra dock show as errors."""
    shown = []
    monkeypatch.setattr("unmix.viewer.panel.show_error", shown.append)
    monkeypatch.setattr("unmix.viewer.spectra_dock.show_error", shown.append)
    return shown


@pytest.fixture
def image():
    rng = np.random.default_rng(3)
    values = rng.dirichlet(np.full(3, 0.3), (40, 30)) @ rng.random((3, 12))
    return unmix.as_image(values.astype(np.float32), quantity="reflectance", name="leaf")


def add(viewer, image, **facts):
    from napari.layers import Layer

    return viewer.add_layer(Layer.create(*layer_of_image(image, **facts)))


def settled(qtbot, panel, spectra):
    qtbot.waitUntil(lambda: not panel.running and not spectra._views.busy, timeout=WAIT_MS)


def test_the_source_goes_while_its_maps_appear(qtbot, desk, image, messages):
    viewer, panel, spectra, _ = desk
    source = add(viewer, image, suggested_endmembers=3)
    panel.run_button.click()
    settled(qtbot, panel, spectra)
    for layer in list(viewer.layers)[1:]:
        viewer.layers.remove(layer)
    panel.restore(panel.session.current)
    qtbot.waitUntil(lambda: "leaf | endmember 1" in viewer.layers, timeout=WAIT_MS)
    assert panel.running
    viewer.layers.remove(source)
    viewer.layers.remove("leaf | endmember 1")
    settled(qtbot, panel, spectra)
    assert messages == []
    assert spectra.view is None
    assert len(spectra.curves()) == 3
    assert not panel.run_button.isEnabled()


def test_the_viewer_closes_while_maps_appear(qtbot, desk, image):
    viewer, panel, _, _ = desk
    add(viewer, image, suggested_endmembers=3)
    panel.run_button.click()
    qtbot.waitUntil(lambda: "leaf | endmember 1" in viewer.layers, timeout=WAIT_MS)
    viewer.close()


def test_an_image_without_a_valid_pixel(qtbot, desk, messages):
    viewer, panel, spectra, _ = desk
    viewer.add_image(np.full((6, 20, 20), np.nan, np.float32), name="nothing", contrast_limits=(0, 1))
    panel.run_button.click()
    settled(qtbot, panel, spectra)
    assert messages
    assert all("\n" not in sentence for sentence in messages)
    assert [layer.name for layer in viewer.layers] == ["nothing"]


def test_a_slide_taken_for_a_scene(qtbot, desk, slide, messages):
    viewer, panel, spectra, explore = desk
    add(viewer, slide[0])
    panel.kind_box.setCurrentIndex(panel.kind_box.findData("reflectance"))
    panel.count_box.setValue(9)
    panel.run_button.click()
    settled(qtbot, panel, spectra)
    assert len(messages) == 1
    assert "9" in messages[0]
    panel.count_box.setValue(2)
    panel.run_button.click()
    settled(qtbot, panel, spectra)
    assert panel.session.current.quantity == "reflectance"
    assert not explore.colour.density_button.isVisibleTo(explore.colour)


def test_docks_before_anything_was_run(qtbot, desk, image):
    viewer, panel, spectra, explore = desk
    source = add(viewer, image)
    settled(qtbot, panel, spectra)
    viewer.cursor.position = tuple(source.data_to_world((0, 3, 4)))
    spectra.mouse.look()
    assert spectra.plot.keys == ("here",)
    enabled = [explore.tabs.tabText(k) for k in range(explore.tabs.count()) if explore.tabs.isTabEnabled(k)]
    assert enabled == ["Colour"]
    spectra.use_button.click()
    spectra.delete_button.click()
    assert spectra.table.rowCount() == 0


def test_a_run_with_pins_of_other_bands_is_one_sentence(qtbot, desk, image, messages):
    viewer, panel, spectra, _ = desk
    add(viewer, image.assign_coords(wavelength=("band", np.linspace(400, 950, 12))), suggested_endmembers=2)
    panel.run_button.click()
    settled(qtbot, panel, spectra)
    panel.session.pin_all(True)
    panel.options_form._knobs["bands"].set_value((400.0, 700.0))
    panel.run_button.click()
    settled(qtbot, panel, spectra)
    assert len(messages) == 1
    assert "endmembers have shape (2, 12)" in messages[0]


def test_an_image_with_pixels_and_a_band_that_are_not_finite(qtbot, desk, image, messages):
    viewer, panel, spectra, _ = desk
    values = image.values.transpose(2, 0, 1).copy()
    values[:, 4:9, 5:20] = np.nan
    values[3] = np.nan
    values[5, 30, 2] = np.inf
    viewer.add_image(values, name="holes", contrast_limits=(0, 1))
    panel.count_box.setValue(3)
    panel.run_button.click()
    settled(qtbot, panel, spectra)
    assert messages == []
    found = viewer.layers["holes | endmember 1"].data
    assert np.isnan(found[4:9, 5:20]).all()
    assert np.isnan(found[30, 2])
    assert np.isfinite(found).sum() == found.size - 5 * 15 - 1


def test_run_cancel_run_in_one_breath(qtbot, desk, image, messages):
    viewer, panel, spectra, _ = desk
    add(viewer, image, suggested_endmembers=3)
    panel.run_button.click()
    panel.start()
    assert len(panel.runner.runs) == 1
    panel.cancel_button.click()
    panel.run_button.click()
    assert panel.running
    settled(qtbot, panel, spectra)
    qtbot.waitUntil(lambda: not panel.runner.runs, timeout=WAIT_MS)
    assert messages == []
    assert len(panel.session.runs) == 1
    expected = unmix.unmix(image, 3)["abundances"].values
    np.testing.assert_array_equal([viewer.layers[f"leaf | endmember {k}"].data for k in (1, 2, 3)], expected)


def test_two_viewers_at_once(qtbot, make_napari_viewer, desk, image, slide, messages):
    from unmix.viewer.__main__ import open_files

    viewer, panel, spectra, _ = desk
    other = make_napari_viewer()
    other_panel = open_files(other, [])
    add(viewer, image, suggested_endmembers=3)
    add(other, slide[0])
    panel.run_button.click()
    other_panel.run_button.click()
    settled(qtbot, panel, spectra)
    qtbot.waitUntil(lambda: not other_panel.running, timeout=WAIT_MS)
    assert messages == []
    assert panel.session is not other_panel.session
    assert {"leaf | endmember 3", "leaf | anchors"} <= {layer.name for layer in viewer.layers}
    assert {"slide | hematoxylin", "slide | eosin"} <= {layer.name for layer in other.layers}
    assert not {layer.name for layer in viewer.layers} & {layer.name for layer in other.layers}


def test_warming_up_gives_way_to_a_run_and_is_waited_for_at_the_end(qtbot):
    from unmix.viewer.warming import _steps
    from unmix.viewer.workers import await_workers, worker_for

    worker = worker_for(_steps, lambda: True)
    waited = []
    worker.yielded.connect(waited.append)
    worker.start()
    qtbot.waitUntil(lambda: len(waited) > 3, timeout=WAIT_MS)
    assert worker.is_running
    await_workers()
    assert not worker.is_running


def test_an_error_nobody_foresaw_leaves_the_panel_ready(qtbot, desk, image, monkeypatch):
    viewer, panel, _, _ = desk
    add(viewer, image)

    def broken(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr("unmix.viewer.request.unmix", broken)
    with qtbot.capture_exceptions() as seen:
        panel.run_button.click()
        qtbot.waitUntil(lambda: not panel.running and not panel.runner.runs, timeout=WAIT_MS)
    assert [str(error) for _, error, _ in seen] == ["a bug"]
    assert panel.run_button.isEnabled()
    assert [layer.name for layer in viewer.layers] == ["leaf"]


def test_nothing_holds_what_a_run_held_once_it_is_shown(qtbot, desk, image):
    import gc
    import weakref

    viewer, panel, spectra, _ = desk
    add(viewer, image, suggested_endmembers=3)
    panel.run_button.click()
    run = weakref.ref(panel.runner.runs[0])
    settled(qtbot, panel, spectra)
    qtbot.waitUntil(lambda: not panel.runner.runs, timeout=WAIT_MS)
    gc.collect()
    assert run() is None
