"""What is on screen, unmixed alone: which pixels they are, where the maps lie, what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import unmix
from unmix.synthetic import stained_slide
from unmix.viewer import levels
from unmix.viewer.metadata import about
from unmix.viewer.sources import layer_of_image

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

WAIT_MS = 60_000


@pytest.fixture
def desk(make_napari_viewer):
    from unmix.viewer.__main__ import open_files

    viewer = make_napari_viewer(show=True)
    viewer.window.resize(900, 700)
    return viewer, open_files(viewer, [])


@pytest.fixture
def messages(monkeypatch):
    shown = []
    monkeypatch.setattr("unmix.viewer.panel.show_error", shown.append)
    return shown


def add(viewer, image, **place):
    from napari.layers import Layer

    data, keywords, kind = layer_of_image(image, suggested_endmembers=3)
    return viewer.add_layer(Layer.create(data, {**keywords, **place}, kind))


def look_at(qtbot, viewer, layer, centre, zoom):
    """Move the camera; centre in pixels of the layer."""
    world = np.asarray(layer.data_to_world((0,) * (layer.ndim - 2) + tuple(centre)))[-2:]
    viewer.scene.camera.center = tuple(world)
    viewer.scene.camera.zoom = zoom
    before = np.array(layer.corner_pixels)
    qtbot.waitUntil(lambda: not np.array_equal(layer.corner_pixels, before), timeout=WAIT_MS)


def run_on_view(qtbot, panel):
    panel.view_button.click()
    assert panel.running
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)


def place_of(layer, y, x):
    return np.asarray(layer.data_to_world((0,) * (layer.ndim - 2) + (y, x)))[-2:]


@pytest.fixture
def scene():
    rng = np.random.default_rng(3)
    values = rng.dirichlet(np.full(3, 0.3), (200, 240)) @ rng.random((3, 8))
    return unmix.as_image(values.astype(np.float32), quantity="reflectance", pixel_size=0.5, name="leaf")


def test_a_part_of_a_scene(qtbot, desk, scene):
    viewer, panel = desk
    source = add(viewer, scene, translate=(0, 10, 20))
    look_at(qtbot, viewer, source, (60, 180), zoom=20)
    (top, left), (bottom, right) = np.asarray(source.corner_pixels)[:, -2:]
    assert bottom - top < 100
    run_on_view(qtbot, panel)
    part = viewer.layers["leaf (view)"]
    np.testing.assert_array_equal(part.data, source.data[:, top : bottom + 1, left : right + 1])
    np.testing.assert_allclose(place_of(part, 3, 4), place_of(source, top + 3, left + 4))
    expected = unmix.unmix(scene.isel(y=slice(top, bottom + 1), x=slice(left, right + 1)), 3)
    layer = viewer.layers["leaf (view) | endmember 1"]
    np.testing.assert_array_equal(layer.data, expected["abundances"].values[0])
    np.testing.assert_allclose(place_of(layer, 3, 4), place_of(source, top + 3, left + 4))
    assert not source.visible
    assert panel.layer is part
    assert "residual" in panel.findings_label.text()
    assert "viewer.layers['leaf (view)'].data" in panel.session.current.recipe.as_python()


def test_a_turned_stack_of_another_plugin(qtbot, desk, scene):
    viewer, panel = desk
    stack = scene.values.transpose(2, 0, 1).copy()
    source = viewer.add_image(stack, name="stack", scale=(1, 0.3, 0.2), rotate=(0, 0, 30), translate=(0, 5, 6))
    look_at(qtbot, viewer, source, (100, 100), zoom=30)
    (top, left), _ = np.asarray(source.corner_pixels)[:, -2:]
    panel.count_box.setValue(3)
    run_on_view(qtbot, panel)
    layer = viewer.layers["stack (view) | endmember 2"]
    np.testing.assert_allclose(place_of(layer, 3, 4), place_of(source, top + 3, left + 4), atol=1e-6)


def test_the_level_of_a_slide_that_is_shown(qtbot, desk, tmp_path):
    viewer, panel = desk
    file = slide_file(tmp_path)
    source = add(viewer, unmix.read(file))
    assert source.multiscale
    assert [level.shape for level in source.data] == [(2048, 2048, 3), (1024, 1024, 3), (512, 512, 3)]
    viewer.reset_view()
    qtbot.waitUntil(lambda: source.data_level == 2, timeout=WAIT_MS)
    panel.view_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    small = unmix.read(file, level=2)
    np.testing.assert_array_equal(viewer.layers[1].data, small.values)
    layer = next(one for one in viewer.layers if about(one).get("endmember") == "eosin")
    np.testing.assert_array_equal(layer.data, unmix.separate_stains(small)["abundances"].values[1])
    space: dict = {}
    exec(panel.session.current.recipe.as_python(), space)
    np.testing.assert_array_equal(space["result"]["abundances"].values[1], layer.data)
    np.testing.assert_allclose(place_of(layer, 10, 20), place_of(source, 41.5, 81.5))
    np.testing.assert_allclose(layer.scale, 4 * source.scale[0])


def test_a_level_of_a_large_array(qtbot, desk, scene, monkeypatch):
    viewer, panel = desk
    monkeypatch.setattr(levels, "ONE_TEXTURE", 1000)
    monkeypatch.setattr(levels, "_COARSEST", 60)
    source = add(viewer, scene)
    assert source.multiscale
    source.locked_data_level = 1
    run_on_view(qtbot, panel)
    layer = viewer.layers["leaf (view) | endmember 1"]
    expected = unmix.unmix(scene.isel(y=slice(0, None, 2), x=slice(0, None, 2)), 3)["abundances"].values[0]
    np.testing.assert_array_equal(layer.data[0] if layer.multiscale else layer.data, expected)
    np.testing.assert_allclose(place_of(layer, 10, 20), place_of(source, 20, 40))


def test_refused_in_one_sentence(qtbot, desk, scene, messages):
    viewer, panel = desk
    source = add(viewer, scene)
    viewer.dims.ndisplay = 3
    panel.view_button.click()
    viewer.dims.ndisplay = 2
    look_at(qtbot, viewer, source, (5000, 5000), zoom=20)
    panel.view_button.click()
    assert [sentence.split(";")[0] for sentence in messages] == [
        "a view is cut out in 2-D, with y down and x across",
        "less than 8 pixels of 'leaf' are on screen",
    ]
    assert list(viewer.layers) == [source]


def slide_file(folder: Path) -> Path:
    """Return a tiled slide of three levels."""
    import tifffile

    tissue = np.tile(stained_slide(3, shape=(512, 512)).image.values, (4, 4, 1))
    layout = {"tile": (256, 256), "photometric": "rgb"}
    about = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
    with tifffile.TiffWriter(folder / "a slide.ome.tif", ome=True) as file:
        file.write(tissue, subifds=2, metadata=about, **layout)
        for step in (2, 4):
            n = 2048 // step
            small = np.rint(tissue.reshape(n, step, n, step, 3).mean((1, 3))).astype(np.uint8)
            file.write(small, subfiletype=1, **layout)
    return folder / "a slide.ome.tif"
