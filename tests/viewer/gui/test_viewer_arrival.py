"""Files opened by hand, in a window that waits: read in a worker, one layer at a turn of the event loop."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import unmix
from unmix.viewer.metadata import about

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

WAIT_MS = 60_000


@pytest.fixture
def saved(tmp_path, scene):
    """Return an image of numbers and the result made from one like it, both in a folder with a space."""
    _image, result = scene
    folder = tmp_path / "my field"
    folder.mkdir()
    np.savez(folder / "leaf.npz", data=np.random.default_rng(0).random((12, 10, 5)).astype(np.float32))
    unmix.write(result, folder / "field.nc")
    return folder


@pytest.fixture
def messages(monkeypatch):
    shown = []
    monkeypatch.setattr("unmix.viewer.arrival.show_error", shown.append)
    return shown


def open_by_hand(qtbot, viewer, *files):
    """Open files as a click does, within the event loop; return what napari was given at once."""
    from qtpy.QtCore import QTimer

    given = []
    QTimer.singleShot(0, lambda: given.extend(viewer.open([str(one)], plugin="unmix") for one in files))
    qtbot.waitUntil(lambda: len(given) == len(files), timeout=WAIT_MS)
    return given


def arrivals(viewer):
    from unmix.viewer.arrival import Arrivals

    return viewer.window._qt_window.findChild(Arrivals)


def arrived(qtbot, viewer):
    qtbot.waitUntil(lambda: not arrivals(viewer).busy, timeout=WAIT_MS)


def test_a_result_arrives_a_layer_a_turn_as_a_program_gets_it_at_once(qtbot, desk, saved, monkeypatch):
    from qtpy.QtCore import QTimer

    viewer, panel = desk
    at_once = viewer.open(str(saved / "field.nc"), plugin="unmix")
    expected = [layer.name for layer in viewer.layers]
    assert len(at_once) == len(expected) == 3 + 1 + 3
    maps = {layer.name: np.asarray(layer.data) for layer in at_once}
    viewer.layers.clear()
    turns, inserted, readers = [], [], []
    beat = QTimer()
    beat.timeout.connect(lambda: turns.append(None))
    beat.start(0)
    viewer.layers.events.inserted.connect(lambda _: inserted.append(len(turns)))
    plain = unmix.open_result

    def noted(path):
        readers.append(threading.current_thread())
        return plain(path)

    monkeypatch.setattr("unmix.viewer.saved_session.open_result", noted)
    assert open_by_hand(qtbot, viewer, saved / "field.nc") == [[]]
    arrived(qtbot, viewer)
    beat.stop()
    assert readers[0] is not threading.main_thread()
    assert type(readers[0]) is threading.Thread, "a thread of Qt's pool: PROJ does not outlive a second piece of work"
    assert [layer.name for layer in viewer.layers] == expected
    assert len(set(inserted)) == len(expected), "two layers in one turn"
    for layer in viewer.layers:
        np.testing.assert_array_equal(np.asarray(layer.data), maps[layer.name])
        assert layer.source.path == str(saved / "field.nc")
        assert layer.source.reader_plugin == "unmix"
    assert panel.session.current.names == ("a", "b", "c")
    assert viewer.layers.selection.active.name == "field | c"


def test_files_opened_together_arrive_in_order_and_a_broken_one_is_said_in_a_sentence(qtbot, desk, saved, messages):
    viewer, panel = desk
    (saved / "broken.npz").write_bytes((saved / "leaf.npz").read_bytes()[:300])
    names = ("leaf.npz", "broken.npz", "field.nc")
    assert open_by_hand(qtbot, viewer, *(saved / name for name in names)) == [[], [], []]
    arrived(qtbot, viewer)
    assert len(messages) == 1
    assert "broken.npz" in messages[0]
    assert "leaf" in viewer.layers
    assert "field | a" in viewer.layers
    assert viewer.layers.index("leaf") < viewer.layers.index("field | a")
    assert sum(about(layer).get("role") == "abundance" for layer in viewer.layers) == 3
    panel.layer_box.setCurrentText("leaf")
    assert panel.layer is viewer.layers["leaf"]


def test_the_first_band_is_the_telling_one_as_when_napari_adds_it(qtbot, desk):
    from unmix.samples import sample_path

    viewer, _panel = desk
    viewer.open(str(sample_path("coast")), plugin="unmix")
    wanted = viewer.dims.current_step
    viewer.layers.clear()
    viewer.dims.set_current_step(0, 0)
    open_by_hand(qtbot, viewer, sample_path("coast"))
    arrived(qtbot, viewer)
    assert viewer.dims.current_step[0] == wanted[0]
    assert viewer.layers.selection.active is viewer.layers["coast"]


def test_a_sample_opened_by_hand_arrives_like_a_file(qtbot, desk):
    from qtpy.QtCore import QTimer

    viewer, panel = desk
    given = []
    QTimer.singleShot(0, lambda: given.append(viewer.open_sample("unmix", "cells_lambda")))
    qtbot.waitUntil(lambda: bool(given), timeout=WAIT_MS)
    assert given == [[]]
    arrived(qtbot, viewer)
    (layer,) = viewer.layers
    assert layer.source.sample == ("unmix", "cells_lambda")
    assert panel.layer is layer
    assert panel.count_box.value() == 5


def test_a_window_closed_while_a_file_arrives_leaves_nothing(qtbot, desk, saved, messages):
    viewer, _panel = desk
    open_by_hand(qtbot, viewer, saved / "field.nc")
    qtbot.waitUntil(lambda: len(viewer.layers) > 0, timeout=WAIT_MS)
    viewer.close()
    later = []
    viewer.layers.events.inserted.connect(later.append)
    qtbot.wait(50)
    assert not later
    assert not messages
