"""The window never stands still: no turn of its event loop works long, and what is large is not read to be shown."""

from __future__ import annotations

import os
import sys
import threading
import time

import numpy as np
import pytest

import unmix
from unmix.viewer.metadata import about

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

WAIT_MS = 60_000


class Probe:
    """How much each turn of the event loop made the window's thread work, waiting not counted."""

    def __init__(self) -> None:
        from qtpy.QtCore import QTimer

        self.turns: list[float] = []
        self._last = time.thread_time()
        self._timer = QTimer()
        self._timer.timeout.connect(self._beat)

    def start(self) -> None:
        self.turns.clear()
        self._last = time.thread_time()
        self._timer.start(0)

    def stop(self) -> float:
        """Return the most that one turn worked."""
        self._timer.stop()
        return max(self.turns)

    def _beat(self) -> None:
        now = time.thread_time()
        self.turns.append(now - self._last)
        self._last = now


def work_of_one_layer(qtbot, viewer, probe):
    """Return how much napari works to add a layer and to draw it, in one turn.

    A busy machine stretches that as much as the rest. benchmarks/viewer.py has the seconds.
    """
    from qtpy.QtCore import QTimer

    worked = []
    for _ in range(3):
        values = np.random.default_rng(0).random((64, 64)).astype(np.float32)
        probe.start()
        QTimer.singleShot(0, lambda values=values: viewer.add_image(values, name="plain", contrast_limits=(0, 1)))
        qtbot.waitUntil(lambda: "plain" in viewer.layers, timeout=WAIT_MS)
        qtbot.wait(30)
        worked.append(probe.stop())
        viewer.layers.remove("plain")
    return float(np.median(worked))


def test_no_turn_of_the_event_loop_works_long(qtbot, make_napari_viewer, plugin):
    viewer = make_napari_viewer(show=True)
    panel = viewer.window.add_plugin_dock_widget("unmix", "Unmix")[1].content
    rng = np.random.default_rng(0)
    values = rng.dirichlet(np.full(4, 0.3), (64, 64)) @ rng.random((4, 20)) + rng.normal(0, 0.01, (64, 64, 20))
    viewer.add_image(values.astype(np.float32).transpose(2, 0, 1), name="cube", contrast_limits=(0, 1))
    panel.count_box.setValue(4)
    probe = Probe()
    panel.run_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=3 * WAIT_MS)  # kernels may have to be compiled first
    for layer in list(viewer.layers)[1:]:
        viewer.layers.remove(layer)
    one_layer = work_of_one_layer(qtbot, viewer, probe)
    inserted = []
    viewer.layers.events.inserted.connect(lambda _: inserted.append(len(probe.turns)))
    probe.start()
    panel.run_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    assert probe.stop() < one_layer
    assert len(inserted) == 4 + 1 + 3
    assert len(set(inserted)) == len(inserted), "two layers in one turn"
    assert "cube | endmember 4" in viewer.layers


def test_layer_and_canvas_take_turns(qtbot, make_napari_viewer):
    from unmix.viewer.pacing import Paced
    from unmix.viewer.step import Step

    viewer = make_napari_viewer(show=True)
    window = viewer.window._qt_window
    qtbot.wait(50)
    seen = []
    viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(lambda _event: seen.append("drawn"))

    def steps():
        for name in "abcde":
            seen.append(name)
            viewer.add_image(np.zeros((8, 8)), name=name)
            assert not window.centralWidget().updatesEnabled()
            yield Step.HOLD if name == "c" else Step.DRAW

    paced = Paced(window)
    paced.start(steps(), lambda: seen.append("done"))
    qtbot.waitUntil(lambda: "done" in seen, timeout=WAIT_MS)
    qtbot.waitUntil(window.centralWidget().updatesEnabled, timeout=WAIT_MS)
    seen = seen[seen.index("a") :]
    order = [one for one, before in zip(seen, ["", *seen], strict=False) if one != before]
    assert order[:10] == ["a", "drawn", "b", "drawn", "c", "d", "drawn", "e", "drawn", "done"]


def seen_events(*kinds):
    """Return an event filter of the application and what it has seen of some kinds: (kind, who), the latest last."""
    from qtpy.QtCore import QObject

    seen = []

    class Watch(QObject):
        def eventFilter(self, watched, event):  # noqa: N802
            if event.type() in kinds:
                seen.append((event.type(), watched))
            return False

    return Watch(), seen


def levels(name):
    """Return an image of two levels."""
    from napari.layers import Image

    return Image([np.ones((16, 16)), np.ones((8, 8))], name=name, multiscale=True, contrast_limits=(0, 1))


def test_a_layer_comes_without_windows_of_its_own_and_with_two_drawings(qtbot, make_napari_viewer):
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication, QLabel

    from unmix.viewer.pacing import Paced
    from unmix.viewer.show import inserting

    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.zeros((8, 8)), name="below")
    window = viewer.window._qt_window
    qtbot.waitUntil(lambda: viewer.window._qt_viewer.canvas._scene_canvas is not None, timeout=WAIT_MS)
    qtbot.wait(100)
    watch, seen = seen_events(QEvent.Type.Expose, QEvent.Type.UpdateRequest)
    paced = Paced(window)
    QApplication.instance().installEventFilter(watch)
    paced.start(inserting(viewer.layers, 1, levels("above")))
    qtbot.waitUntil(lambda: not paced.busy, timeout=WAIT_MS)
    qtbot.waitUntil(window.centralWidget().updatesEnabled, timeout=WAIT_MS)
    QApplication.instance().removeEventFilter(watch)
    assert "above" in viewer.layers
    assert not [who for kind, who in seen if kind == QEvent.Type.Expose], "something lay over the window"
    drawn = [who for kind, who in seen if kind == QEvent.Type.UpdateRequest]
    assert drawn
    assert all(who is window for who in drawn), drawn
    viewer.layers.selection.active = viewer.layers["above"]
    labels = [label for label in window.findChildren(QLabel) if label.text() == "resolution:"]
    qtbot.waitUntil(lambda: any(label.isVisible() for label in labels), timeout=WAIT_MS)


def test_a_placeless_label_is_seen_once_it_has_a_place(qtbot):
    from qtpy.QtWidgets import QLabel, QWidget

    from unmix.viewer.placeless import PlacelessUnseen

    place = QWidget()
    qtbot.addWidget(place)
    place.show()
    with PlacelessUnseen():
        label = QLabel("resolution:")
        label.show()
        assert not label.windowHandle().isExposed()
        assert not label.windowHandle().isVisible()
        label.setParent(place)
        label.show()
    assert label.isVisible()
    other = QLabel("later")
    qtbot.addWidget(other)
    other.show()
    qtbot.waitUntil(lambda: other.windowHandle().isVisible(), timeout=WAIT_MS)


def test_telling_how_far_a_run_is_draws_nothing_at_once(qtbot, make_napari_viewer, plugin):
    from qtpy.QtCore import QEvent
    from qtpy.QtWidgets import QApplication

    viewer = make_napari_viewer(show=True)
    panel = viewer.window.add_plugin_dock_widget("unmix", "Unmix")[1].content
    qtbot.wait(100)
    panel.progress_bar.show()
    qtbot.wait(100)
    assert panel.progress_bar.isVisible()
    watch, seen = seen_events(QEvent.Type.UpdateRequest)
    QApplication.instance().installEventFilter(watch)
    panel.runner.progressed.emit("abundances", 3, 4)
    at_once = list(seen)
    qtbot.waitUntil(lambda: bool(seen), timeout=WAIT_MS)
    QApplication.instance().removeEventFilter(watch)
    assert at_once == []
    assert panel.progress_bar.text() == "mapping the abundances 75%"


@pytest.mark.parametrize("then", ["told", "selected", "removed", "cleared", "closed"])
def test_canvas_and_controls_hear_of_a_layer_in_turns_of_their_own(qtbot, make_napari_viewer, then):
    from napari.layers import Image

    from unmix.viewer.insertion import Insertion

    viewer = make_napari_viewer()
    viewer.add_image(np.zeros((8, 8)), name="below")
    insertion = Insertion(viewer.layers, 1, Image(np.ones((8, 8)), name="above"))
    layer, drawn = viewer.layers["above"], viewer.window._qt_viewer.canvas.layer_to_visual
    assert viewer.layers.selection.active.name == "below"
    assert layer not in drawn
    if then == "told":
        n_told = 0
        while not insertion.finished:
            insertion.tell_one()
            n_told += 1
        assert n_told == 2
        insertion.finish()
    elif then == "selected":
        viewer.layers.selection.active = layer
    elif then == "closed":
        viewer.close()
    elif then == "cleared":
        viewer.layers.clear()
    else:
        viewer.layers.remove(layer)
    assert insertion.finished
    assert (layer in drawn) is (layer in viewer.layers) is (then in ("told", "selected"))


def bright_pixels(viewer):
    """Return how many pixels of the canvas are bright: points and letters on black."""
    return int((viewer.screenshot(flash=False)[..., :3].min(axis=-1) > 128).sum())


def test_points_are_made_ready_a_part_at_a_time(qtbot, make_napari_viewer):
    from napari.layers import Points

    from unmix.viewer.show import show_layers, showing
    from unmix.viewer.step import Step

    def points(identity):
        known = {"role": "anchors", "endmember": "", "source_id": identity}
        look = {"features": {"label": ["a", "b"]}, "text": "{label}", "size": 4}
        return [([[2.0, 2.0], [9.0, 5.0]], {"name": identity, "metadata": {"unmix": known}, **look}, "points")]

    viewer = make_napari_viewer(show=True)
    viewer.add_image(np.zeros((12, 12)), name="below")
    show_layers(viewer, points("at once"))
    qtbot.wait(50)
    at_once = bright_pixels(viewer)
    viewer.layers.remove("at once")
    qtbot.wait(50)
    whole = []
    viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(lambda _event: whole.append(True))
    viewer.window._qt_window.centralWidget().setUpdatesEnabled(False)
    steps = list(showing(viewer, points("in parts")))
    assert steps[:5] == [Step.HOLD, *[Step.GO_ON] * 4], "list, canvas, controls, marks, letters"
    assert not whole
    viewer.window._qt_window.centralWidget().setUpdatesEnabled(True)
    qtbot.waitUntil(lambda: bool(whole), timeout=WAIT_MS)
    assert bright_pixels(viewer) == pytest.approx(at_once, rel=0.1)
    assert at_once > 100
    assert isinstance(viewer.layers["in parts"], Points)


def test_a_list_without_a_canvas_has_no_parts_to_draw():
    from napari.components import ViewerModel
    from napari.layers import Image

    from unmix.viewer.first_drawing import draw_part, parts_of

    points = ViewerModel().add_points([[1, 2]])
    assert len(parts_of(points)) == 2
    assert not parts_of(Image(np.zeros((2, 2))))
    viewer = ViewerModel()
    viewer.add_layer(points)
    told = []
    viewer.layers.events.inserted.connect(told.append)
    for part in parts_of(points):
        draw_part(viewer.layers, points, part)
    assert not told


def test_steps_begun_are_ended_before_others(qtbot):
    from qtpy.QtCore import QObject
    from qtpy.QtWidgets import QApplication

    from unmix.viewer.pacing import Paced
    from unmix.viewer.step import Step

    seen, owner = [], QObject()

    def steps(name, *thens):
        for then in thens:
            seen.append(f"{name} {then.value}")
            yield then

    paced = Paced(owner)
    paced.start(steps("a", Step.GO_ON, Step.GO_ON, Step.DRAW, Step.HOLD), lambda: seen.append("a done"))
    while not seen:
        QApplication.processEvents()
    assert "a draw" not in seen
    paced.start(steps("b", Step.HOLD), lambda: seen.append("b done"))
    assert paced.busy
    qtbot.waitUntil(lambda: not paced.busy, timeout=WAIT_MS)
    assert seen == ["a go on", "a go on", "a draw", "b hold", "b done"]


def test_the_first_text_finds_all_letters_it_is_measured_by(qtbot, make_napari_viewer, plugin):
    viewer = make_napari_viewer(show=True)
    canvas = viewer.window._qt_viewer.canvas
    fonts = canvas.font_info().font_manager._fonts
    _ = viewer.window.add_plugin_dock_widget("unmix", "Unmix")[1].content
    qtbot.waitUntil(lambda: any(")" in font._glyphs for font in fonts.values()), timeout=WAIT_MS)
    ((face, made),) = {face: set(font._glyphs) for face, font in fonts.items()}.items()
    text = viewer.canvas.overlays.text
    text.text, text.visible = "endmember 1", True
    qtbot.wait(50)
    viewer.screenshot(flash=False)
    assert {face: set(font._glyphs) for face, font in fonts.items()} == {face: made}


def test_telling_of_a_run_does_nothing_else_on_the_way(qtbot, make_napari_viewer):
    from qtpy.QtCore import QTimer

    from unmix.viewer.activity import Activity

    make_napari_viewer()
    activity = Activity("Unmixing leaf")
    waiting = []
    QTimer.singleShot(0, lambda: waiting.append("later"))
    activity.show("abundances", 3, 4)
    assert waiting == []
    assert activity.said == "mapping the abundances, 75 %"
    activity.close()
    qtbot.waitUntil(lambda: waiting == ["later"], timeout=WAIT_MS)


def niceness():
    """Return that of the thread that asks."""
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) if sys.platform == "linux" else 0


def test_a_run_gives_way_to_the_window_and_no_other_worker_does(qtbot, desk, monkeypatch):
    from napari.qt.threading import create_worker

    from unmix.viewer.request import Request

    viewer, panel = desk
    viewer.add_image(np.random.default_rng(0).random((5, 16, 16)), name="cube", contrast_limits=(0, 1))
    panel.count_box.setValue(2)
    seen, plain = [], Request.run
    monkeypatch.setattr(Request, "run", lambda *args: (seen.append(niceness()), plain(*args))[1])
    panel.run_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    assert seen == [min(niceness() + 5 * (sys.platform == "linux"), 19)]
    worker = create_worker(niceness, _start_thread=False)
    with qtbot.waitSignal(worker.returned, timeout=WAIT_MS) as returned:
        worker.start()
    assert returned.args == [niceness()]


def test_what_warms_up_gives_way_as_runs_do_since_its_helping_threads_stay(monkeypatch):
    from unmix.viewer import warming

    seen = []
    monkeypatch.setattr(warming, "_runs", lambda: [lambda: seen.append((niceness(), threading.current_thread()))])
    monkeypatch.setattr(warming, "_load_drawing", lambda: None)
    list(warming._steps(lambda: False))
    ((nice, thread),) = seen
    assert nice == min(niceness() + 5 * (sys.platform == "linux"), 19)
    assert type(thread) is threading.Thread


class Cycle:
    """Something only a search for garbage finds once nobody holds it."""

    def __init__(self):
        self.itself = self


def test_searches_for_garbage_are_short_while_a_panel_is_open(qtbot, make_napari_viewer, plugin):
    import gc
    import weakref

    viewer = make_napari_viewer()
    before = viewer.add_image(np.zeros((8, 8)), metadata={"held": Cycle()})
    _, entrance = viewer.window.add_plugin_dock_widget("unmix", "Unmix")
    assert entrance.content
    assert gc.get_freeze_count() > 0
    later = viewer.add_image(np.zeros((8, 8)), metadata={"held": Cycle()})
    held = [weakref.ref(layer.metadata["held"]) for layer in (before, later)]
    viewer.layers.remove(later)
    later.metadata.clear()
    gc.collect()
    assert gc.get_freeze_count() > 0
    assert held[1]() is None, "what came later is found all the same"
    before.metadata.clear()
    gc.collect()
    assert held[0]() is not None
    viewer.layers.remove(before)
    assert gc.get_freeze_count() == 0
    qtbot.waitUntil(lambda: gc.get_freeze_count() > 0, timeout=WAIT_MS)
    assert held[0]() is None, "what was there before is found once it is removed"
    viewer.window.remove_dock_widget(entrance)
    entrance.deleteLater()
    del entrance
    qtbot.waitUntil(lambda: gc.get_freeze_count() == 0, timeout=WAIT_MS)


def test_python_looks_through_everything_before_or_after_a_run_is_shown(qtbot, make_napari_viewer, plugin):
    import gc

    viewer = make_napari_viewer()
    usual = gc.get_threshold()
    panel = viewer.window.add_plugin_dock_widget("unmix", "Unmix")[1].content
    viewer.add_image(np.random.default_rng(0).random((6, 24, 24)).astype(np.float32), name="cube")
    panel.count_box.setValue(3)
    seen = []
    viewer.layers.events.inserted.connect(lambda _: seen.append(gc.get_threshold()[2]))
    panel.run_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=3 * WAIT_MS)
    assert len(seen) > 3
    assert min(seen) > 1000 * usual[2]
    assert gc.get_threshold() == usual


def test_twenty_gigabytes_are_not_read_to_be_shown(qtbot, desk, tmp_path, monkeypatch):
    from unmix.readers.raw_file import RawFile

    viewer, panel = desk
    lines, samples, bands = 10_000, 5_000, 200
    header = f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\ndata type = 12\ninterleave = bil\n"
    (tmp_path / "large.hdr").write_text(header + "byte order = 0\n")
    with (tmp_path / "large.img").open("wb") as file:
        file.truncate(lines * samples * bands * 2)
    read = []
    plain = RawFile.read

    def counted(self, *window):
        values = plain(self, *window)
        read.append(values.nbytes)
        return values

    monkeypatch.setattr(RawFile, "read", counted)
    (layer,) = viewer.open(str(tmp_path / "large.hdr"), plugin="unmix")
    assert layer.data.shape == (bands, lines, samples)
    assert len(layer.data) > 3
    assert panel.layer is layer
    assert sum(read) < 100_000_000
    read.clear()
    panel.results.explore_button.click()
    qtbot.waitUntil(lambda: "unmix explore" in viewer.window.dock_widgets, timeout=WAIT_MS)
    viewer.window.dock_widgets["unmix explore"].content.colour.show_button.click()
    qtbot.waitUntil(lambda: "large | false colour" in viewer.layers, timeout=WAIT_MS)
    assert len(viewer.layers["large | false colour"].data) == len(layer.data)
    assert sum(read) < 100_000_000
    viewer.layers.clear()


def test_a_slide_opens_in_its_own_levels(qtbot, desk, tmp_path):
    import tifffile

    viewer, panel = desk
    rng = np.random.default_rng(0)
    levels = [np.repeat(rng.integers(90, 240, (n, n, 1), np.uint8), 3, axis=2) for n in (2048, 1024, 512)]
    file = tmp_path / "a slide.svs"
    with tifffile.TiffWriter(file) as out:
        for level in (levels[0], levels[2][::4, ::4], *levels[1:]):  # the second page is the thumbnail
            said = f"Aperio Image Library v12.0\r\n{len(level)}x{len(level)}|AppMag = 20|MPP = 0.5"
            tile = (256, 256) if len(level) > 256 else None
            out.write(level, tile=tile, photometric="rgb", description=said, metadata=None)
    (layer,) = viewer.open(str(file), plugin="unmix")
    assert layer.multiscale
    assert layer.rgb
    assert [level.shape[0] for level in layer.data] == [len(level) for level in levels]
    for shown, level in zip(layer.data, levels, strict=True):
        np.testing.assert_array_equal(np.asarray(shown[10:20, 30:50]), level[10:20, 30:50])
    assert about(layer)["image"].shape == (2048, 2048, 3)
    assert panel.separates_stains
    (again,) = viewer.open(str(file), plugin="unmix")  # beside another layer, whose pixels it is measured against
    assert again.multiscale
    assert unmix.read(file).attrs["quantity"] == "brightfield"
