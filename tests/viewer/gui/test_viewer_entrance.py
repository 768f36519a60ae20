"""What napari's menu docks is there at once and filled in turns; what is to be in it is loaded in a worker."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("napari")
pytestmark = pytest.mark.gui

WAIT_MS = 60_000

FRESH_WINDOW = """
import sys, threading
import napari
from qtpy.QtCore import QEventLoop, QTimer

WINDOW, OPENED = threading.get_ident(), sys.argv[1]
imported = []


class Note:
    def find_spec(self, name, path=None, target=None):
        if threading.get_ident() == WINDOW:
            imported.append(name)


def until(is_so):
    loop, timer = QEventLoop(), QTimer()
    timer.timeout.connect(lambda: is_so() and loop.quit())
    timer.start(5)
    loop.exec()


def open_it():
    if OPENED == "coast":
        viewer.open_sample("unmix", "coast")
    else:
        entrances.append(viewer.window.add_plugin_dock_widget("unmix", OPENED)[1])


def is_there():
    return bool(viewer.layers) if OPENED == "coast" else bool(entrances) and entrances[0].filled


viewer, entrances = napari.Viewer(show=False), []
sys.meta_path.insert(0, Note())
QTimer.singleShot(0, open_it)
until(is_there)
assert "xarray" in sys.modules
slow = ("pandas", "xarray", "dask", "distributed", "scipy", "h5py", "pyqtgraph")
print([name for name in imported if name.startswith(slow) or name == "unmix.pipeline"])
viewer.close()
"""


ENDED_AT_ONCE = """
import napari
from qtpy.QtCore import QEventLoop, QTimer

viewer, loop = napari.Viewer(show=False), QEventLoop()
QTimer.singleShot(0, lambda: viewer.window.add_plugin_dock_widget("unmix", "Unmix"))
QTimer.singleShot(100, loop.quit)
loop.exec()
viewer.close()
"""


def widgets(viewer, kind):
    return viewer.window._qt_window.findChildren(kind)


@pytest.mark.parametrize("opened", ["Unmix", "Spectra", "Explore", "coast"])
def test_a_window_imports_nothing_slow_when_something_is_opened_by_hand(opened):
    done = subprocess.run([sys.executable, "-c", FRESH_WINDOW, opened], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_program_that_ends_while_a_worker_loads_ends_well():
    done = subprocess.run([sys.executable, "-c", ENDED_AT_ONCE], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_an_entrance_is_filled_by_itself_and_once(qtbot, make_napari_viewer, plugin):
    from unmix.viewer.entrance import Entrance
    from unmix.viewer.panel import UnmixPanel

    viewer = make_napari_viewer()
    _, entrance = viewer.window.add_plugin_dock_widget("unmix", "Unmix")
    assert isinstance(entrance, Entrance)
    assert not entrance.filled
    assert not widgets(viewer, UnmixPanel)
    qtbot.waitUntil(lambda: entrance.filled, timeout=WAIT_MS)
    assert widgets(viewer, UnmixPanel) == [entrance.content]
    assert entrance.content.run_button.isVisibleTo(entrance)


def test_a_program_is_given_the_content_at_once(qtbot, make_napari_viewer, plugin):
    from unmix.viewer.panel import UnmixPanel

    viewer = make_napari_viewer()
    _, entrance = viewer.window.add_plugin_dock_widget("unmix", "Unmix")
    panel = entrance.content
    assert isinstance(panel, UnmixPanel)
    assert entrance.filled
    qtbot.wait(50)
    assert widgets(viewer, UnmixPanel) == [panel]
    assert entrance.content is panel


def test_docks_that_are_closed_are_gone_however_far_they_are(qtbot, make_napari_viewer, plugin):
    from qtpy.QtWidgets import QApplication

    from unmix.viewer.entrance import Entrance
    from unmix.viewer.panel import UnmixPanel

    viewer = make_napari_viewer()
    gone, opened = [], 0
    for name in ("Unmix", "Spectra", "Explore"):
        for turns in range(4):
            dock, entrance = viewer.window.add_plugin_dock_widget("unmix", name)
            entrance.destroyed.connect(lambda *_: gone.append(1))
            opened += 1
            for _ in range(turns):
                qtbot.wait(5)
            viewer.window.remove_dock_widget(dock)
    del dock, entrance
    qtbot.waitUntil(lambda: len(gone) == opened, timeout=WAIT_MS)
    assert not viewer.window.dock_widgets
    assert not [one for one in QApplication.allWidgets() if isinstance(one, Entrance | UnmixPanel)]
    assert not viewer.keymap


def test_docks_opened_from_the_panel_are_brought_to_the_front_the_second_time(qtbot, desk):
    from unmix.viewer.docks import open_dock

    viewer, panel = desk
    viewer.add_image(np.zeros((5, 8, 8)), name="cube")
    docks = viewer.window.dock_widgets
    for button in (panel.results.explore_button, panel.results.explore_button, panel.results.spectra_button):
        button.click()
        qtbot.wait(50)
    qtbot.waitUntil(lambda: len(docks) == 3, timeout=WAIT_MS)
    assert open_dock(viewer, "Explore") is docks["unmix explore"]
    qtbot.waitUntil(lambda: all(dock.filled for dock in docks.values()), timeout=WAIT_MS)


def test_units_that_are_in_use_are_not_exchanged(monkeypatch):
    import pint
    from pint.registry import LazyRegistry

    from unmix.viewer import loading

    monkeypatch.setattr(loading, "_UNITS", [])
    application = pint.get_application_registry()
    in_use = application.get()
    try:
        pint.set_application_registry(LazyRegistry())
        loading._read_units()
        (read,) = loading._UNITS
        loading.hand_over_units()
        assert application.get() is read
        pint.set_application_registry(in_use)
        loading.hand_over_units()
        assert application.get() is in_use
    finally:
        pint.set_application_registry(in_use)
