"""Maps that appear while a run goes on: painted as they fill, taken away where nothing comes of it."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import unmix
from unmix.errors import DataError
from unmix.viewer.metadata import about
from unmix.viewer.sources import layer_of_image

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

WAIT_MS = 60_000
N_ENDMEMBERS = 3


@pytest.fixture
def messages(monkeypatch):
    shown = []
    monkeypatch.setattr("unmix.viewer.panel.show_error", shown.append)
    return shown


class Held:
    """The pipeline, held after the first window of its maps until it is let go on or told to fail."""

    def __init__(self) -> None:
        self.going_on = threading.Event()
        self.fails = False

    def __call__(self, image, n_endmembers=None, *, on_block, **options):
        def hold(result, rows, columns):
            on_block(result, rows, columns)
            while rows.stop and not self.going_on.wait(0.002):
                options["progress"]("abundances", 1, 2)
            if self.fails:
                raise DataError("the disk is gone.")

        return unmix.unmix(image, n_endmembers, on_block=hold, threads=1, **options)


@pytest.fixture
def held(monkeypatch):
    pipeline = Held()
    monkeypatch.setattr("unmix.viewer.request.unmix", pipeline)
    yield pipeline
    pipeline.going_on.set()


@pytest.fixture
def image():
    """Return an image of two blocks."""
    import dask.array as da

    rng = np.random.default_rng(3)
    values = (rng.dirichlet(np.full(3, 0.3), (40, 30)) @ rng.random((3, 12))).astype(np.float32)
    return unmix.as_image(da.from_array(values, chunks=(20, 30, 12)), quantity="reflectance", name="leaf")


def add(viewer, image):
    from napari.layers import Layer

    return viewer.add_layer(Layer.create(*layer_of_image(image, suggested_endmembers=N_ENDMEMBERS)))


def maps_of(viewer):
    return [layer for layer in viewer.layers if about(layer).get("role") == "abundance"]


def half_painted(qtbot, viewer, panel):
    """Run until the first half of every map is on the screen."""
    panel.run_button.click()
    qtbot.waitUntil(lambda: len(maps_of(viewer)) == N_ENDMEMBERS and not panel.runner._steps.busy, timeout=WAIT_MS)


def test_maps_are_there_before_the_run_ends(qtbot, desk, image, held):
    viewer, panel = desk
    source = add(viewer, image)
    half_painted(qtbot, viewer, panel)
    maps = maps_of(viewer)
    expected = unmix.unmix(image, N_ENDMEMBERS)["abundances"].values
    assert panel.runner.active is not None
    assert not source.visible
    half = np.array([layer.data for layer in maps])
    solved = half.any(axis=(0, 2))
    assert sorted(solved) == [False] * 20 + [True] * 20
    np.testing.assert_array_equal(half[:, solved], expected[:, solved])
    assert "leaf | residual" not in viewer.layers
    held.going_on.set()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    assert maps_of(viewer) == maps
    np.testing.assert_array_equal([layer.data for layer in maps], expected)
    assert "leaf | residual" in viewer.layers


def test_what_is_painted_follows_the_maps(qtbot, desk, image, held, monkeypatch):
    viewer, panel = desk
    add(viewer, image)
    half_painted(qtbot, viewer, panel)
    layer = maps_of(viewer)[0]
    drawn = []
    layer.events.set_data.connect(lambda event: drawn.append(np.array(layer._slice.image.view)))
    panel.runner.active.n_blocks += 1
    qtbot.waitUntil(lambda: bool(drawn), timeout=WAIT_MS)
    np.testing.assert_array_equal(drawn[0], layer.data)


def test_cancelled_with_half_the_maps_there(qtbot, desk, image, held):
    viewer, panel = desk
    source = add(viewer, image)
    half_painted(qtbot, viewer, panel)
    panel.cancel_button.click()
    qtbot.waitUntil(lambda: not panel.running and not panel.runner.runs, timeout=WAIT_MS)
    assert list(viewer.layers) == [source]
    assert source.visible
    assert panel.run_button.isEnabled()


def test_cancelling_a_second_run_brings_the_first_one_back(qtbot, desk, image, held):
    viewer, panel = desk
    add(viewer, image)
    held.going_on.set()
    panel.run_button.click()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    before = [layer.data.copy() for layer in maps_of(viewer)]
    held.going_on.clear()
    panel.options_form._knobs["constraint"].set_value("sum_to_one")
    run_id = about(maps_of(viewer)[0])["run_id"]
    half_painted(qtbot, viewer, panel)
    qtbot.waitUntil(
        lambda: about(maps_of(viewer)[-1])["run_id"] != run_id and not panel.runner._steps.busy, timeout=WAIT_MS
    )
    panel.cancel_button.click()
    qtbot.waitUntil(lambda: not panel.running and not panel.runner.runs, timeout=WAIT_MS)
    np.testing.assert_array_equal([layer.data for layer in maps_of(viewer)], before)
    assert {about(layer)["run_id"] for layer in maps_of(viewer)} == {run_id}


def test_a_run_that_fails_on_the_way_leaves_one_sentence(qtbot, desk, image, held, messages):
    viewer, panel = desk
    source = add(viewer, image)
    half_painted(qtbot, viewer, panel)
    held.fails = True
    held.going_on.set()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    assert messages == ["the disk is gone."]
    assert list(viewer.layers) == [source]


def test_an_answer_on_its_way_is_not_lost_to_the_end_of_an_earlier_run(qtbot, desk, image, held):
    viewer, panel = desk
    add(viewer, image)
    held.going_on.set()
    panel.run_button.click()
    run = panel.runner.active
    end = time.monotonic() + 60
    while not run.over and time.monotonic() < end:
        time.sleep(0.005)  # the window does not look: the answer waits in its queue
    panel.runner._take_end()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    assert len(maps_of(viewer)) == N_ENDMEMBERS
    assert panel.session.current.run_id == run.run_id


def test_a_map_deleted_while_it_is_painted(qtbot, desk, image, held, messages):
    viewer, panel = desk
    add(viewer, image)
    half_painted(qtbot, viewer, panel)
    viewer.layers.remove(maps_of(viewer)[0])
    panel.runner.active.n_blocks += 1
    held.going_on.set()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    assert messages == []
    assert len(maps_of(viewer)) == N_ENDMEMBERS


def test_the_source_deleted_while_its_maps_are_painted(qtbot, desk, image, held, messages):
    viewer, panel = desk
    source = add(viewer, image)
    half_painted(qtbot, viewer, panel)
    viewer.layers.remove(source)
    qtbot.waitUntil(lambda: not panel.running and not panel.runner.runs, timeout=WAIT_MS)
    assert messages == []
    assert list(viewer.layers) == []


def test_the_viewer_closed_while_maps_are_painted(qtbot, desk, image, held):
    viewer, panel = desk
    add(viewer, image)
    half_painted(qtbot, viewer, panel)
    runs = panel.runner.runs
    viewer.close()
    qtbot.waitUntil(lambda: all(run.over for run in runs), timeout=WAIT_MS)


def test_maps_that_go_to_disk_are_painted_too(qtbot, desk, image, held, monkeypatch):
    from unmix.viewer import levels, overview

    monkeypatch.setattr(levels, "ONE_TEXTURE", 500)
    monkeypatch.setattr(levels, "_COARSEST", 12)
    monkeypatch.setattr(overview, "_MOST_PIXELS", 400)
    viewer, panel = desk
    add(viewer, image)
    panel.options_form._knobs["memory"].set_value("0")
    half_painted(qtbot, viewer, panel)
    layer = maps_of(viewer)[0]
    assert layer.multiscale
    assert [level.shape for level in layer.data] == [(40, 30), (20, 15)]
    seen = np.any([np.asarray(one.data[-1]) for one in maps_of(viewer)], axis=(0, 2))
    assert sorted(seen) == [False] * 10 + [True] * 10
    held.going_on.set()
    qtbot.waitUntil(lambda: not panel.running, timeout=WAIT_MS)
    expected = unmix.unmix(image, N_ENDMEMBERS)["abundances"].values
    np.testing.assert_array_equal([np.asarray(one.data[0]) for one in maps_of(viewer)], expected)
    assert "scratch file" in panel.findings_label.text()
    viewer.layers["leaf | dominant"].visible = True
    assert np.asarray(viewer.layers["leaf | dominant"].data[0]).max() == N_ENDMEMBERS
