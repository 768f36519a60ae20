"""A day's work in the real window: name, pin, draw, look, keep, copy, explore."""

from __future__ import annotations

import itertools
from itertools import pairwise

import numpy as np
import pytest

import unmix
from unmix.samples import sample_path
from unmix.viewer.metadata import about
from unmix.viewer.sources import layer_of_image

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

WAIT_MS = 60_000


@pytest.fixture
def image():
    rng = np.random.default_rng(3)
    values = rng.dirichlet(np.full(3, 0.3), (40, 30)) @ rng.random((3, 12))
    image = unmix.as_image(values.astype(np.float32), quantity="reflectance", pixel_size=0.5, name="leaf")
    return image.assign_coords(wavelength=("band", np.linspace(400, 950, 12)))


def add(viewer, image, **facts):
    from napari.layers import Layer

    return viewer.add_layer(Layer.create(*layer_of_image(image, **facts)))


def run(qtbot, panel):
    panel.run_button.click()
    assert panel.running
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)


def spectra(qtbot, viewer, panel):
    """Return the spectra dock, opened by its button, once it knows the image."""
    panel.results.spectra_button.click()
    qtbot.waitUntil(lambda: "unmix spectra" in viewer.window.dock_widgets, timeout=WAIT_MS)
    dock = viewer.window.dock_widgets["unmix spectra"].content
    qtbot.waitUntil(lambda: dock.view is not None, timeout=WAIT_MS)
    return dock


def draw(qtbot, dock, viewer, source, corners):
    """Draw a region in a layer of its own, in the image's pixels, and wait for its mean."""
    layer = viewer.add_shapes(
        [np.array(corners, float)], shape_type="rectangle", edge_color="red", name="mine",
        scale=source.scale[-2:], translate=source.translate[-2:],
    )  # fmt: skip
    qtbot.waitUntil(lambda: bool(dock.regions.means) and not dock.regions.busy, timeout=WAIT_MS)
    return layer


def rows(dock):
    return [dock.table.item(row, 1).text() for row in range(dock.table.rowCount())]


def test_restoring_a_run_brings_back_its_layer_and_leaves_the_settings_of_another_alone(qtbot, desk, image):
    viewer, panel = desk
    leaf = add(viewer, image, suggested_endmembers=3)
    run(qtbot, panel)
    first = panel.session.current
    cells = add(viewer, image.rename("cells").assign_attrs(quantity="counts"), suggested_endmembers=2)
    viewer.layers.selection.active = cells
    run(qtbot, panel)
    panel.restore(first)
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    assert panel.layer is leaf
    assert (panel.kind_box.currentData(), panel.count_box.value()) == ("reflectance", 3)
    viewer.layers.selection.active = cells
    viewer.layers.remove(leaf)
    panel.restore(first)
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    assert panel.session.current is first
    assert panel.layer is cells
    assert (panel.kind_box.currentData(), panel.count_box.value()) == ("counts", 2)


def test_rename_pin_and_run_again(qtbot, desk, image):
    from qtpy.QtCore import Qt

    viewer, panel = desk
    add(viewer, image, suggested_endmembers=3)
    run(qtbot, panel)
    dock = spectra(qtbot, viewer, panel)
    dock.table.item(0, 1).setText("sand")
    assert viewer.layers["leaf | sand"].metadata["unmix"]["endmember"] == "sand"
    assert "sand" in panel.findings_label.text()
    dock.table.item(0, 2).setCheckState(Qt.CheckState.Checked)
    assert panel.pins_label.text() == "The next run keeps sand as pinned and looks for 2 others."
    dock.pin_button.click()
    expected = "The next run uses sand, endmember 2 and endmember 3 as pinned and looks for nothing else."
    assert panel.pins_label.text() == expected
    assert panel.count_box.minimum() == 3
    before, layers = panel.session.current.result, list(viewer.layers)
    run(qtbot, panel)
    assert list(viewer.layers) == [layer for layer in layers if about(layer)["role"] != "anchors"]
    after = panel.session.current.result
    assert list(after["endmember"].values) == ["sand", "endmember 2", "endmember 3"]
    np.testing.assert_array_equal(after["endmembers"].values, before["endmembers"].values)
    np.testing.assert_allclose(viewer.layers["leaf | sand"].data, before["abundances"].values[0], atol=1e-5)
    assert all(pure.pinned for pure in panel.session.endmembers)
    dock.table.setCurrentCell(2, 1)
    dock.delete_button.click()
    assert panel.count_box.value() == 2
    run(qtbot, panel)
    assert "leaf | endmember 3" not in viewer.layers
    assert panel.session.current.names == ("sand", "endmember 2")


def test_one_is_held_while_the_others_are_found(qtbot, desk, image):
    viewer, panel = desk
    add(viewer, image, suggested_endmembers=3)
    run(qtbot, panel)
    colours = {pure.name: pure.colour for pure in panel.session.endmembers}
    before, layers = panel.session.current.result, list(viewer.layers)
    panel.session.pin(1, True)
    run(qtbot, panel)
    result, recipe = panel.session.current.result, panel.session.current.recipe
    assert panel.session.current.names == ("endmember 2", "endmember 1", "endmember 3")
    np.testing.assert_array_equal(result["endmembers"].values[0], before["endmembers"].values[1])
    expected = unmix.unmix(image, 3, endmembers=before["endmembers"].values[1:2])
    np.testing.assert_array_equal(result["abundances"].values, expected["abundances"].values)
    assert (recipe.n_endmembers, recipe.known.names) == (3, ("endmember 2",))
    assert [pure.pinned for pure in panel.session.endmembers] == [True, False, False]
    for pure in panel.session.endmembers:
        np.testing.assert_allclose(pure.colour, colours[pure.name])
    assert set(viewer.layers) == set(layers)
    panel.count_box.setValue(4)
    assert panel.pins_label.text() == "The next run keeps endmember 2 as pinned and looks for 3 others."


def test_a_region_becomes_a_stain_vector(qtbot, desk, slide):
    viewer, panel = desk
    source = add(viewer, slide[0])
    run(qtbot, panel)
    dock = spectra(qtbot, viewer, panel)
    draw(qtbot, dock, viewer, source, [[3, 4], [3, 9], [8, 9], [8, 4]])
    ((region, measured),) = dock.regions.means.values()
    assert rows(dock) == ["hematoxylin", "eosin", "mine 1"]
    vector = measured.spectrum / np.linalg.norm(measured.spectrum)
    dock.use_region_for(0)
    assert (panel.session.endmembers[0].pinned, panel.session.endmembers[0].region) == (True, region.name)
    assert panel.pins_label.text() == (
        "The next run uses the stain vectors of hematoxylin and, from the last run, eosin."
    )
    assert not panel.stains_box.isEnabled()
    eosin = panel.session.endmembers[1].spectrum
    run(qtbot, panel)
    np.testing.assert_allclose(panel.session.current.result["endmembers"].values[1], eosin, atol=1e-12)
    assert [pure.pinned for pure in panel.session.endmembers] == [True, False]
    result = panel.session.current.result
    np.testing.assert_allclose(result["endmembers"].values[0], vector, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(result["endmembers"].values, axis=1), 1)
    assert panel.session.current.recipe.function == "separate_stains"
    assert panel.session.current.names == ("hematoxylin", "eosin")


def test_a_region_becomes_an_endmember(qtbot, desk, image):
    viewer, panel = desk
    source = add(viewer, image, suggested_endmembers=2)
    run(qtbot, panel)
    dock = spectra(qtbot, viewer, panel)
    draw(qtbot, dock, viewer, source, [[3, 4], [3, 9], [8, 9], [8, 4]])
    mean = image.values[3:9, 4:10].mean(axis=(0, 1))
    ((_, measured),) = dock.regions.means.values()
    np.testing.assert_allclose(measured.spectrum, mean, rtol=1e-5)
    dock.use_button.click()
    assert rows(dock) == ["endmember 1", "endmember 2", "mine 1", "mine 1"]
    assert [dock.table.item(row, 1).font().italic() for row in range(3)] == [False, False, True]
    np.testing.assert_allclose(panel.session.endmembers[2].colour, (1, 0, 0))
    dock.pin_button.click()
    run(qtbot, panel)
    np.testing.assert_allclose(panel.session.current.result["endmembers"].values[2], mean, rtol=1e-5)
    assert "leaf | mine 1" in viewer.layers
    assert not dock.table.item(2, 1).font().italic()
    assert dock.table.item(2, 1).toolTip() == "mine 1: measured on mine 1"


def test_the_spectrum_under_the_mouse_and_where_a_curve_comes_from(qtbot, desk, image):
    viewer, panel = desk
    source = add(viewer, image, suggested_endmembers=3)
    run(qtbot, panel)
    dock = spectra(qtbot, viewer, panel)
    dock.square_box.setCurrentIndex(0)
    viewer.cursor.position = tuple(source.data_to_world((0, 11, 7)))
    for callback in viewer.mouse_move_callbacks:
        callback(viewer, None)
    qtbot.waitUntil(lambda: "here" in dock.plot.keys, timeout=WAIT_MS)
    assert dock.here_label.text().startswith("row 11, column 7")
    shown = [float(dock.table.item(row, 3).text()) for row in range(3)]
    np.testing.assert_allclose(shown, panel.session.current.result["abundances"].values[:, 11, 7], atol=6e-4)
    _, drawn = dock.plot._items["here"].getData()
    np.testing.assert_allclose(drawn, image.values[11, 7], rtol=1e-5)
    dock.plot.curve_clicked.emit("endmember/endmember 2")
    pure = panel.session.endmembers[1]
    assert dock.table.chosen_endmember == 1
    np.testing.assert_allclose(viewer.scene.camera.center[-2:], np.array(pure.place) * 0.5)
    assert viewer.layers["leaf | anchors"].selected_data
    viewer.cursor.position = tuple(source.data_to_world((0, 500, 7)))
    dock.mouse.look()
    assert "here" not in dock.plot.keys


def test_the_spread_of_a_run_and_of_a_region_is_shaded(qtbot, desk, image):
    viewer, panel = desk
    source = add(viewer, image, suggested_endmembers=2)
    panel.options_form._knobs["uncertainty"].set_value(10)
    run(qtbot, panel)
    dock = spectra(qtbot, viewer, panel)
    draw(qtbot, dock, viewer, source, [[3, 4], [3, 9], [8, 9], [8, 4]])
    (key,) = dock.regions.means
    assert set(dock.plot._bands_around) == {"endmember/endmember 1", "endmember/endmember 2"}
    dock.table.choose(key)
    dock.table.row_chosen.emit(key)
    _, _, shade = dock.plot._bands_around[key]
    inside = image.values[3:9, 4:10].reshape(-1, 12)
    box, middle = shade.path().boundingRect(), inside.mean(axis=0)
    assert box.top() == pytest.approx((middle - inside.std(axis=0)).min(), rel=1e-4)
    assert box.bottom() == pytest.approx((middle + inside.std(axis=0)).max(), rel=1e-4)
    for pure in panel.session.endmembers:
        _, _, shade = dock.plot._bands_around[f"endmember/{pure.name}"]
        assert shade.path().boundingRect().bottom() == pytest.approx(np.nanmax(pure.high), rel=1e-4)


def test_a_colour_is_that_of_curve_map_and_row(qtbot, desk, image):
    from qtpy.QtGui import QColor

    viewer, panel = desk
    add(viewer, image, suggested_endmembers=2)
    run(qtbot, panel)
    dock = spectra(qtbot, viewer, panel)
    dock.table.pick_colour(0, ask=lambda *_: QColor("#336699"))
    assert dock.table.item(0, 0).background().color().name() == "#336699"
    assert dock.plot._items["endmember/endmember 1"].opts["pen"].color().name() == "#336699"
    expected = np.array([0x33, 0x66, 0x99]) / 255
    np.testing.assert_allclose(viewer.layers["leaf | endmember 1"].colormap.colors[-1][:3], expected, atol=1e-3)


@pytest.fixture
def library(tmp_path, image):
    """Return a table of spectra: brighter copies of what is in the image, and others."""
    E = np.random.default_rng(3)
    E.dirichlet(np.full(3, 0.3), (40, 30))
    pure = E.random((3, 12))
    nm = image["wavelength"].values
    lines = ["name," + ",".join(f"{one:g}" for one in nm)]
    for name, spectrum in zip(("sand", "soil", "water", "ramp"), [*(1.7 * pure), np.arange(12.0)], strict=True):
        lines.append(f"{name}," + ",".join(f"{value:.6f}" for value in spectrum))
    path = tmp_path / "my library.csv"
    path.write_text("\n".join(lines))
    return path, pure


def open_library(qtbot, dock, path, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(path), ""))
    dock.library_button.click()
    qtbot.waitUntil(lambda: dock.library.dialog is not None and not dock.library.busy, timeout=WAIT_MS)
    return dock.library.dialog


def test_names_from_a_library(qtbot, desk, image, library, monkeypatch):
    from qtpy.QtCore import Qt

    path, pure = library
    viewer, panel = desk
    add(viewer, image, suggested_endmembers=3)
    run(qtbot, panel)
    dock = spectra(qtbot, viewer, panel)
    dialog = open_library(qtbot, dock, path, monkeypatch)
    found = [one.spectrum for one in panel.session.endmembers]
    order, angles = unmix.metrics.match_endmembers(found, pure)
    assert dialog.ticked() == [0, 1, 2]
    for true, row in enumerate(order):
        said, angle = dialog.choices[row].currentText().rsplit(maxsplit=1)
        assert said.strip() == ("sand", "soil", "water")[true]
        assert float(angle.rstrip("°")) == pytest.approx(np.degrees(angles[true]), abs=0.06)
        assert dialog.table.item(row, 2).text().split()[0] in {"sand", "soil", "water", "ramp"} - {said.strip()}
    drawn = dock.plot._items["library/endmember 1"]
    assert drawn.opts["pen"].style() == Qt.PenStyle.DashLine
    beside = drawn.getData()[1]
    assert np.corrcoef(beside, found[0])[0, 1] > 0.999
    np.testing.assert_allclose(beside @ found[0], beside @ beside)
    dialog.tick(1, Qt.CheckState.Unchecked)
    assert "library/endmember 2" not in dock.plot.keys
    told = {row: ("sand", "soil", "water")[true] for true, row in enumerate(order)}
    dialog.take_button.click()
    assert dock.library.dialog is None
    qtbot.waitUntil(lambda: not dock.library.busy, timeout=WAIT_MS)
    assert not [key for key in dock.plot.keys if key.startswith("library/")]
    assert panel.session.current.names == (told[0], "endmember 2", told[2])
    assert f"leaf | {told[0]}" in viewer.layers


def test_what_is_under_the_mouse_goes_by_the_name_an_endmember_has_now(qtbot, desk, image):
    viewer, panel = desk
    source = add(viewer, image, suggested_endmembers=3)
    run(qtbot, panel)
    dock = spectra(qtbot, viewer, panel)
    viewer.cursor.position = source.data_to_world([0, 5, 5])
    dock.mouse.look()

    def here():
        return [dock.table.item(row, 3).text() for row in range(3)]

    amounts = here()
    assert all(amounts)
    panel.session.rename(1, "sea")
    qtbot.waitUntil(lambda: here() == amounts, timeout=WAIT_MS)
    assert rows(dock)[1] == "sea"


def test_a_spectrum_of_a_library_is_pinned(qtbot, desk, image, library, monkeypatch):
    path, pure = library
    viewer, panel = desk
    add(viewer, image, suggested_endmembers=3)
    run(qtbot, panel)
    dock = spectra(qtbot, viewer, panel)
    dialog = open_library(qtbot, dock, path, monkeypatch)
    dialog.spectrum_box.setCurrentText("soil")
    dialog.pin_button.click()
    dialog.close_button.click()
    assert rows(dock) == ["endmember 1", "endmember 2", "endmember 3", "soil"]
    assert panel.pins_label.text() == "The next run keeps soil as pinned and looks for 3 others."
    for _ in range(3):
        panel.session.delete(0)
    assert panel.count_box.value() == 1
    panel.count_box.setValue(3)
    run(qtbot, panel)
    assert panel.session.current.names[0] == "soil"
    np.testing.assert_allclose(panel.session.current.result["endmembers"].values[0], 1.7 * pure[1], atol=1e-6)


def test_a_file_that_is_no_library_is_one_sentence(qtbot, desk, image, tmp_path, monkeypatch):
    said = []
    monkeypatch.setattr("unmix.viewer.from_library.show_error", said.append)
    viewer, panel = desk
    add(viewer, image, suggested_endmembers=3)
    run(qtbot, panel)
    dock = spectra(qtbot, viewer, panel)
    (tmp_path / "notes.txt").write_text("to do: buy milk")
    dock.library.open(tmp_path / "notes.txt")
    qtbot.waitUntil(lambda: bool(said), timeout=WAIT_MS)
    assert "\n" not in said[0]
    assert "notes.txt" in said[0]
    assert dock.library.dialog is None


def test_save_and_open_again(qtbot, desk, tmp_path, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    viewer, panel = desk
    viewer.open(str(sample_path("coast")), plugin="unmix")
    panel.count_box.setValue(3)
    run(qtbot, panel)
    panel.session.rename(0, "sea")
    values = viewer.layers["coast | sea"].data.copy()
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "coast"), ""))
    panel.results.save_result()
    qtbot.waitUntil((tmp_path / "coast.nc").exists, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not panel.results._saving.is_running, timeout=WAIT_MS)
    viewer.layers.clear()
    viewer.open(str(tmp_path / "coast.nc"), plugin="unmix")
    np.testing.assert_array_equal(viewer.layers["coast | sea"].data, values)
    assert panel.session.current.names == ("sea", "endmember 2", "endmember 3")
    assert panel.session.source is viewer.layers["coast"]
    assert not viewer.layers["coast"].visible
    layers = list(viewer.layers)
    panel.count_box.setValue(3)
    run(qtbot, panel)
    assert len(viewer.layers) == len(layers)


def test_the_python_copied_gives_the_same_numbers(qtbot, desk):
    from qtpy.QtWidgets import QApplication

    viewer, panel = desk
    viewer.open_sample("unmix", "tissue_he")
    run(qtbot, panel)
    panel.results.copy_python()
    space = {}
    exec(QApplication.clipboard().text(), space)
    expected = panel.session.current.result
    np.testing.assert_array_equal(space["result"]["abundances"].values, expected["abundances"].values)
    panel.results.copy_command()
    assert QApplication.clipboard().text().startswith("unmix stains ")


def test_an_earlier_run_comes_back_with_its_settings(qtbot, desk, image, tmp_path, monkeypatch):
    from qtpy.QtWidgets import QFileDialog

    viewer, panel = desk
    add(viewer, image, suggested_endmembers=3)
    run(qtbot, panel)
    first = panel.session.current
    panel.count_box.setValue(2)
    panel.options_form._knobs["constraint"].set_value("sum_to_one")
    run(qtbot, panel)
    assert "leaf | endmember 3" not in viewer.layers
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "two"), ""))
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *_: (str(tmp_path / "two.json"), ""))
    panel.results.save_settings()
    box = panel.results.history_box
    assert box.count() == 2
    box.setCurrentIndex(1)
    box.activated.emit(1)
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    assert panel.session.current is first
    assert (panel.count_box.value(), panel.options_form.changed()) == (3, {})
    np.testing.assert_array_equal(viewer.layers["leaf | endmember 3"].data, first.result["abundances"].values[2])
    panel.results.load_settings()
    assert (panel.count_box.value(), panel.options_form.changed()) == (2, {"constraint": "sum_to_one"})


def test_exploring(qtbot, desk, slide):
    viewer, panel = desk
    source = add(viewer, slide[0])
    run(qtbot, panel)
    panel.results.explore_button.click()
    qtbot.waitUntil(lambda: "unmix explore" in viewer.window.dock_widgets, timeout=WAIT_MS)
    dock = viewer.window.dock_widgets["unmix explore"].content
    dock.colour.show_button.click()
    qtbot.waitUntil(lambda: "slide | false colour" in viewer.layers, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not viewer.layers["slide | eosin"].visible, timeout=WAIT_MS)
    dock.colour.density_button.click()
    qtbot.waitUntil(lambda: "optical density is seen" in dock.colour.said_label.text(), timeout=WAIT_MS)
    dock.colour.all_button.click()

    def wait_for(shown):
        names = ("hematoxylin", "eosin", "false colour", "optical density")
        qtbot.waitUntil(lambda: [viewer.layers[f"slide | {name}"].visible for name in names] == shown, timeout=WAIT_MS)

    wait_for([True, True, False, False])
    dock.colour.solo_button.click()
    wait_for([True, False, False, False])
    dock.colour.solo_button.click()
    wait_for([True, True, False, False])
    dock.colour.hide_button.click()
    wait_for([False, True, False, False])
    maps = panel.session.current.result["abundances"].values
    dock.tabs.setCurrentWidget(dock.threshold)
    dock.threshold.number.setValue(0.5)
    dock.threshold.measure()
    qtbot.waitUntil(lambda: "slide | threshold" in viewer.layers, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: not dock.threshold._areas.busy, timeout=WAIT_MS)
    np.testing.assert_array_equal(viewer.layers["slide | threshold"].data, maps[0] >= 0.5)
    faded = viewer.layers["slide | threshold"].colormap.color_dict
    np.testing.assert_array_equal(faded[0], [1, 1, 1, 1], "black labels of a slide are to be read on it")
    order = [layer.name for layer in viewer.layers]
    assert order.index("slide | threshold") == order.index("slide | anchors") - 1, "labels are to be read above it"
    area = f"{int((maps[0] >= 0.5).sum()) * 0.25:,.6g} µm²"
    assert area in dock.threshold.area_label.text()
    dock.threshold.line.setValue(0.25)
    assert dock.threshold.number.value() == pytest.approx(0.25)
    dock.tabs.setCurrentWidget(dock.scatter)
    qtbot.waitUntil(lambda: dock.scatter.scatter is not None, timeout=WAIT_MS)
    dock.scatter.lasso.set_corners([(0.2, -1), (0.8, -1), (0.8, 9), (0.2, 9)])
    qtbot.waitUntil(lambda: "slide | brushed" in viewer.layers, timeout=WAIT_MS)
    brushed = viewer.layers["slide | brushed"].data.astype(bool)
    width = np.ptp(dock.scatter.scatter.x_limits) / dock.scatter.scatter.bins
    np.testing.assert_array_equal(brushed[(maps[0] > 0.2 + width) & (maps[0] < 0.8 - width)], True)
    np.testing.assert_array_equal(brushed[(maps[0] < 0.2 - width) | (maps[0] > 0.8 + width)], False)
    assert f"{brushed.sum():,}</b> pixels" in dock.scatter.said_label.text()
    viewer.cursor.position = tuple(source.data_to_world((4, 7)))
    dock.scatter._follow_mouse()
    np.testing.assert_allclose(dock.scatter._ring.getData(), maps[:2, 4, 7][:, None])
    dock.scatter.clear_button.click()
    assert not viewer.layers["slide | brushed"].visible
    dock.tabs.setCurrentWidget(dock.profile)
    dock.profile.draw_button.click()
    qtbot.waitUntil(lambda: "profile line" in viewer.layers and viewer.layers["profile line"].mode == "add_line")
    viewer.layers["profile line"].add_lines(np.array([[2.0, 3], [2, 20]]))
    dock.profile.measure()
    drawn = dock.profile.plot.getPlotItem().listDataItems()[0].getData()
    np.testing.assert_allclose(drawn[1], maps[0, 2, 3:21])
    np.testing.assert_allclose(drawn[0], 0.5 * np.arange(18))
    run(qtbot, panel)
    assert {"slide | brushed", "slide | threshold"} <= {layer.name for layer in viewer.layers}
    assert panel.layer is source


def test_the_keys(qtbot, desk, image):
    viewer, panel = desk
    add(viewer, image, suggested_endmembers=3)
    keys = {str(key): action for key, action in viewer.keymap.items()}
    assert {"Ctrl+Alt+R", "Ctrl+Alt+C", "Ctrl+Alt+N", "Ctrl+Alt+B", "Ctrl+Alt+S"} <= set(keys)
    keys["Ctrl+Alt+R"](viewer)
    assert panel.running
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    keys["Ctrl+Alt+N"](viewer)
    assert viewer.layers.selection.active.name == "leaf | endmember 1"

    def wait_for(*numbers):
        maps = [viewer.layers[f"leaf | endmember {number}"] for number in (1, 2, 3)]
        wanted = [number in numbers for number in (1, 2, 3)]
        qtbot.waitUntil(lambda: [layer.visible for layer in maps] == wanted, timeout=WAIT_MS)

    keys["Ctrl+Alt+S"](viewer)
    wait_for(1)
    keys["Ctrl+Alt+N"](viewer)
    keys["Ctrl+Alt+N"](viewer)
    wait_for(3)
    assert viewer.layers.selection.active.name == "leaf | endmember 3"
    keys["Ctrl+Alt+B"](viewer)
    wait_for(2)
    keys["Ctrl+Alt+S"](viewer)
    wait_for(1, 2, 3)


def test_layers_come_one_at_a_turn_of_the_event_loop(qtbot, desk, image):
    from qtpy.QtCore import QTimer

    viewer, panel = desk
    add(viewer, image, suggested_endmembers=3)
    turns, at = [0], []
    timer = QTimer()
    timer.timeout.connect(lambda: turns.__setitem__(0, turns[0] + 1))
    viewer.layers.events.inserted.connect(lambda _event: at.append(turns[0]))
    timer.start(0)
    run(qtbot, panel)
    timer.stop()
    assert len(at) == 7
    assert all(later > earlier for earlier, later in pairwise(at))


def test_cancel_in_the_activity_dock(qtbot, desk, image, monkeypatch):
    import time

    from unmix.errors import Cancelled

    stopped = []

    def endless(image, n_endmembers, *, progress, **options):
        try:
            for done in itertools.count():
                progress("abundances", done, 1_000_000)
                time.sleep(0.002)
        except Cancelled:
            stopped.append("yes")
            raise

    monkeypatch.setattr("unmix.viewer.request.unmix", endless)
    viewer, panel = desk
    add(viewer, image)
    panel.run_button.click()
    qtbot.waitUntil(lambda: panel.runner._activity is not None, timeout=WAIT_MS)
    qtbot.waitUntil(lambda: panel.runner._activity.said.endswith(" %"), timeout=WAIT_MS)
    assert panel.runner._activity.said.startswith("mapping the abundances, ")
    panel.runner._activity.cancel()
    qtbot.waitUntil(lambda: not panel.running and stopped == ["yes"] and not panel.runner.runs, timeout=5000)


def test_suggesting_a_number(qtbot, desk, image):
    viewer, panel = desk
    add(viewer, image)
    panel.suggest_button.click()
    qtbot.waitUntil(lambda: not panel._suggesting.busy, timeout=WAIT_MS)
    assert f"{panel.count_box.value()} endmembers suggested" in panel.findings_label.text()
