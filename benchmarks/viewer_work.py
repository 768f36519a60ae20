"""A day's work in the napari window, act by act: how long each takes, and the longest time the window stood still.

    xvfb-run -a -s "-screen 0 1600x1000x24 +extension GLX" python benchmarks/viewer_work.py [SAMPLE ...] [--where]

What a day may begin with is opened first, in a fresh window each. Then every sample is opened, run, pinned, run again,
restored, renamed, coloured and explored by what a click calls, in an event loop, with both docks open; then all layers
are taken away at once, which is napari's own. An act ends half a second after nothing is going on any more. `gap` is
the longest time the event loop took to come round, `work` the most that the window's thread did in one round. Acts with
a gap over a tenth of a second are marked. See `viewer.py` for what --where prints.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from typing import Any

from viewer import Probe, pause, wait

SAMPLES = ("tissue_he", "coast", "cells_lambda")
FIRST = ("Unmix", "Spectra", "Explore", "coast")
WARM_UP_S, AFTER_S, IDLE_S, LONGEST_S = 4.0, 0.6, 6.0, 0.1


class Day:
    """A window, what is done in it, and the clock beside it."""

    def __init__(self, where: bool) -> None:
        import napari

        self.viewer, self.panel = napari.Viewer(), None
        self.viewer.window.resize(1500, 950)
        self.probe = Probe(where)
        self.probe.watch(self.viewer)
        pause(0.5)

    def open(self, name: str) -> Any:
        """Open a dock or a sample as napari's menu does; return what that gives."""
        if name in SAMPLES:
            return self.act(f"{name}: open", lambda: self.viewer.open_sample("unmix", name))
        return self.act(f"open {name}", lambda: self.viewer.window.add_plugin_dock_widget("unmix", name)[1])

    def act(self, name: str, do: Callable[[], Any], after: float = AFTER_S) -> Any:
        """Do something in the event loop, wait until nothing goes on, and print a line."""
        from qtpy.QtCore import QEventLoop, QTimer

        loop, answers = QEventLoop(), []

        def click() -> None:
            try:
                answers.append(do())
            finally:
                loop.quit()

        pause(0.3)
        self.probe.start()
        start = time.perf_counter()
        QTimer.singleShot(0, click)
        loop.exec()
        wait(self._at_rest)
        took = time.perf_counter() - start
        pause(after)
        seen = self.probe.stop()
        mark = "  <--" if seen["gap"] > LONGEST_S else ""
        sys.stdout.write(f"{name:34s} {took:6.3f} s  gap {seen['gap']:.3f}  work {seen['of_it_work']:.3f}{mark}\n")
        sys.stdout.flush()
        return answers[0] if answers else None

    def _at_rest(self) -> bool:
        running = self.panel is not None and (self.panel.running or self.panel._seen.busy)
        busy = any(arrivals.busy for arrivals in self._there("arrival", "Arrivals"))
        return not (running or busy) and all(entrance.filled for entrance in self._there("entrance", "Entrance"))

    def _there(self, module: str, name: str) -> list[Any]:
        """Return objects of the plugin in the window; nothing is imported for that, it would be part of an act."""
        kind = getattr(sys.modules.get(f"unmix.viewer.{module}"), name, None)
        return [] if kind is None else self.viewer.window._qt_window.findChildren(kind)

    def begin(self) -> None:
        """Open the panel, and leave it the time it takes to have everything ready."""
        self.panel = self.open("Unmix").content
        pause(WARM_UP_S)

    def spend_on(self, sample: str) -> None:
        """Open a sample and do with it what there is to do."""
        viewer, panel, session = self.viewer, self.panel, self.panel.session
        self.open(sample)
        self.act("run", panel.run_button.click)
        first = session.current
        self.act("run again", panel.run_button.click)
        self.act("open Spectra", panel.results.spectra_button.click)
        self.act("pin all", lambda: session.pin_all(True))
        self.act("run with all pinned", panel.run_button.click)
        self.act("pin none", lambda: session.pin_all(False))
        self.act("pin one", lambda: session.pin(0, True))
        self.act("run with one pinned", panel.run_button.click)
        self.act("restore the first run", lambda: panel.restore(first))
        self.act("rename", lambda: session.rename(0, "sand"))
        self.act("another colour", lambda: session.recolour(0, (1.0, 0.5, 0.2)))
        self._explore()
        self.act("this view only", panel.view_button.click)
        self.act("nothing, for a while", lambda: None, IDLE_S)
        self.act("take all layers away", viewer.layers.clear)
        for dock in [dock for name, dock in viewer.window._dock_widgets.items() if "unmix" in name.split()]:
            viewer.window.remove_dock_widget(dock)

    def _explore(self) -> None:
        from unmix.viewer.docks import open_dock

        self.act("open Explore", self.panel.results.explore_button.click)
        explore = open_dock(self.viewer, "Explore").content
        colour = explore.colour
        for name, button in (("false colour", colour.show_button), ("all maps", colour.all_button)):
            self.act(name, button.click)
        self.act("only one map", colour.solo_button.click)
        self.act("all of them again", colour.solo_button.click)
        for index in range(explore.tabs.count()):
            self.act(f"tab {explore.tabs.tabText(index)}", lambda index=index: explore.tabs.setCurrentIndex(index))
        slider = explore.threshold.slider
        self.act("threshold", lambda: slider.setValue(slider.maximum() // 2))


def main() -> None:
    """Spend a day on the samples asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", nargs="*", default=SAMPLES, metavar="SAMPLE")
    parser.add_argument("--where", action="store_true")
    parser.add_argument("--first", choices=FIRST, help="Only open this, in a fresh window.")
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    if chosen.first is None:
        for first in FIRST:
            subprocess.run([sys.executable, __file__, "--first", first, *["--where"] * chosen.where], check=True)
    day = Day(chosen.where)
    if chosen.first is not None:
        day.open(chosen.first)
    else:
        day.begin()
        for sample in chosen.samples:
            day.spend_on(sample)
    day.viewer.close()


if __name__ == "__main__":
    main()
