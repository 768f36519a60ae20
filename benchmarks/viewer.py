"""The napari panel with a clock beside it: first map on screen, the whole run, the longest gap, cancelling, opening.

    xvfb-run -a -s "-screen 0 1600x1000x24 +extension GLX" python benchmarks/viewer.py [--runs 3] [--where]

Each case runs in a process of its own: a cube (512 x 512 x 200, float32), a slide (4096 x 4096, 8-bit), and files that
are only opened, by hand: a sparse cube of 20 GB, and the result of the first. The first run of a case is that of a
fresh window, a few seconds after it opened. Seconds, from the click on Run; the gap is the longest time the event loop
took to come round while a run went on, first of all rounds, then of those in which the canvas was not drawn (which is
napari's work, and slow without a graphics card). Beside each is how much the window's own thread did in one round; CPU
is that of all threads. A busy machine changes these less. With --where, what that thread was doing is printed.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import run as run_process
from typing import Any

import numpy as np

CASES = ("cube", "slide", "file")
SETTLE_S = 2.0
PATIENCE_S = 120.0
LONG_S, LOOK_S = 0.08, 0.005
SPARSE_SHAPE = (10_000, 5_000, 200)


def make_cube() -> Any:
    """Return a scene of 512 x 512 pixels and 200 bands."""
    import unmix

    rng = np.random.default_rng(0)
    E = np.abs(np.cumsum(rng.normal(size=(6, 200)), axis=1) * 0.02 + 0.4).astype(np.float32)
    A = rng.dirichlet(np.full(6, 0.3), 512 * 512).astype(np.float32)
    values = A @ E
    values += rng.normal(scale=0.005, size=values.shape).astype(np.float32)
    return unmix.as_image(values.reshape(512, 512, 200), quantity="reflectance", name="cube")


def make_slide() -> Any:
    """Return a slide of 4096 x 4096 pixels."""
    import unmix
    from unmix.synthetic import stained_slide

    field = stained_slide(3, shape=(1024, 1024)).image.values
    return unmix.as_image(np.tile(field, (4, 4, 1)), quantity="brightfield", pixel_size=0.5, name="slide")


class Probe:
    """How long the event loop took to come round: by the clock, and how much of it was work of the window's thread."""

    def __init__(self, where: bool) -> None:
        from qtpy.QtCore import QTimer

        self._timer = QTimer()
        self._timer.setInterval(1)
        self._timer.timeout.connect(self._beat)
        self._where, self._seen = where, Counter[str]()
        self._drew = False
        if where:
            signal.signal(signal.SIGALRM, self._look)
        self.start()
        self.stop()

    def start(self) -> None:
        self._longest = dict.fromkeys(("gap", "of_it_work", "undrawn", "of_that_work"), 0.0)
        self._drew = False
        self._last, self._last_work = time.perf_counter(), time.thread_time()
        self._timer.start()
        if self._where:
            signal.setitimer(signal.ITIMER_REAL, LOOK_S, LOOK_S)

    def stop(self) -> dict[str, float]:
        self._timer.stop()
        if self._where:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return self._longest

    def watch(self, viewer: Any) -> None:
        """Tell rounds in which the canvas of a viewer is drawn from others."""
        viewer.window._qt_viewer.canvas._scene_canvas.events.draw.connect(self._note_drawing)

    def _note_drawing(self, _event: Any) -> None:
        self._drew = True

    def _beat(self) -> None:
        now, work = time.perf_counter(), time.thread_time()
        gap, spent = now - self._last, work - self._last_work
        self._last, self._last_work = now, work
        figures = {"gap": gap, "of_it_work": spent}
        if not self._drew:
            figures |= {"undrawn": gap, "of_that_work": spent}
        self._longest |= {name: max(value, self._longest[name]) for name, value in figures.items()}
        self._drew = False
        seen, self._seen = self._seen, Counter()
        if self._where and spent > LONG_S:
            sys.stderr.write(f"    {1000 * gap:.0f} ms, {1000 * spent:.0f} of them work\n")
            sys.stderr.writelines(f"      {n} x {where}\n" for where, n in seen.most_common(4))

    def _look(self, _number: int, frame: Any) -> None:
        """Note where the window's thread is; a signal comes to that thread itself, between two of its steps."""
        names = []
        while frame is not None:
            names.append(f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}")
            frame = frame.f_back
        names = [name for name in reversed(names) if not name.startswith(("event", "viewer.py", "_emit"))]
        self._seen[" > ".join(names[:8])] += 1


def wait(until: Callable[[], bool]) -> None:
    """Let the window work until something is so."""
    from qtpy.QtWidgets import QApplication

    end = time.perf_counter() + PATIENCE_S
    while not until():
        QApplication.processEvents()
        time.sleep(0.0005)
        if time.perf_counter() > end:
            raise SystemExit("the window did not get there in time.")


def pause(seconds: float) -> None:
    """Let the window work for a while."""
    end = time.perf_counter() + seconds
    wait(lambda: time.perf_counter() > end)


@contextmanager
def first_map(viewer: Any) -> Iterator[list[tuple[float, float]]]:
    """Note when the canvas is first drawn with an abundance map that is not empty."""
    from unmix.viewer.metadata import about

    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    drawn: list[tuple[float, float]] = []

    def look(_event: Any) -> None:
        maps = [layer for layer in viewer.layers if about(layer).get("role") == "abundance"]
        levels = [layer.data[-1] if layer.multiscale else layer.data for layer in maps]
        if not drawn and any(np.nan_to_num(np.asarray(one[::16, ::16])).any() for one in levels):
            drawn.append((time.perf_counter(), time.process_time()))

    canvas.events.draw.connect(look)
    yield drawn
    canvas.events.draw.disconnect(look)


def time_runs(case: str, runs: int, where: bool) -> None:
    """Open a case, click Run, and print what it took; then cancel one run."""
    import napari
    from napari.layers import Layer

    from unmix.viewer.__main__ import open_files
    from unmix.viewer.sources import layer_of_image

    image = make_cube() if case == "cube" else make_slide()
    viewer = napari.Viewer()
    viewer.window.resize(1500, 950)
    panel = open_files(viewer, [])
    pause(SETTLE_S)
    viewer.add_layer(Layer.create(*layer_of_image(image)))
    pause(SETTLE_S)
    panel.count_box.setValue(6)
    probe = Probe(where)
    probe.watch(viewer)
    for number in range(runs):
        viewer.layers.select_all()
        for layer in list(viewer.layers)[1:]:
            viewer.layers.remove(layer)
        viewer.layers[0].visible = True
        pause(0.5)
        with first_map(viewer) as drawn:
            start, cpu = time.perf_counter(), time.process_time()
            probe.start()
            panel.run_button.click()
            wait(lambda: not panel.running)
            total = time.perf_counter() - start
            wait(lambda drawn=drawn: bool(drawn))
        pause(0.3)
        first = {"first_map": drawn[0][0] - start, "of_it_CPU": drawn[0][1] - cpu}
        say(case, "first run" if number == 0 else "again", **first, total=total, **probe.stop())
    probe.start()
    panel.run_button.click()
    pause(0.15)
    start = time.perf_counter()
    panel.cancel_button.click()
    let_go = time.perf_counter() - start
    wait(lambda: not panel.runner.runs)
    say(case, "cancelled", panel=let_go, thread=time.perf_counter() - start, **probe.stop())
    viewer.close()


def time_opening() -> None:
    """Open a sparse cube of 20 GB by hand through the plugin, then the result of a run; print what it took."""
    import napari

    import unmix
    from unmix.viewer.__main__ import open_files

    lines, samples, bands = SPARSE_SHAPE
    header = f"ENVI\nsamples = {samples}\nlines = {lines}\nbands = {bands}\ndata type = 12\ninterleave = bil\n"
    viewer = napari.Viewer()
    viewer.window.resize(1500, 950)
    panel = open_files(viewer, [])
    pause(SETTLE_S)
    with tempfile.TemporaryDirectory() as folder:
        name, saved = Path(folder) / "large.hdr", Path(folder) / "result.nc"
        name.write_text(header + "header offset = 0\nbyte order = 0\n")
        with name.with_suffix(".img").open("wb") as data:
            data.truncate(lines * samples * bands * 2)
        unmix.write(unmix.unmix(make_cube(), 6), saved)
        pause(SETTLE_S)
        open_by_hand(viewer, name, f"{lines * samples * bands * 2 / 1e9:.0f} GB")
        viewer.dims.set_current_step(0, 7)
        start = time.perf_counter()
        pause(0.01)
        say("file", "another band", shown=time.perf_counter() - start)
        viewer.layers.clear()
        pause(SETTLE_S)
        open_by_hand(viewer, saved, "a result")
    del panel
    viewer.close()


def open_by_hand(viewer: Any, name: Path, what: str) -> None:
    """Open a file as a click does, in an event loop; print how long until all layers are there, and the longest gap."""
    from qtpy.QtCore import QEventLoop, QTimer

    from unmix.viewer.arrival import Arrivals

    probe, loop = Probe(where=False), QEventLoop()

    def click() -> None:
        viewer.open(str(name), plugin="unmix")
        loop.quit()

    probe.watch(viewer)
    start = time.perf_counter()
    probe.start()
    QTimer.singleShot(0, click)
    loop.exec()
    wait(lambda: not viewer.window._qt_window.findChild(Arrivals).busy)
    opened = time.perf_counter() - start
    pause(0.5)
    say("file", what, opened=opened, **probe.stop())


def say(case: str, what: str, **seconds: float) -> None:
    """Print one line."""
    figures = "  ".join(f"{name.replace('_', ' ')} {value:6.3f} s" for name, value in seconds.items())
    sys.stdout.write(f"{case:6s} {what:13s} {figures}\n")
    sys.stdout.flush()


def main() -> None:
    """Run the cases asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--where", action="store_true")
    chosen = parser.parse_args()
    if chosen.case is None:
        for case in CASES:
            command = [sys.executable, __file__, "--case", case, "--runs", str(chosen.runs)]
            run_process(command + ["--where"] * chosen.where, check=True)
    elif chosen.case == "file":
        time_opening()
    else:
        time_runs(chosen.case, chosen.runs, chosen.where)


if __name__ == "__main__":
    main()
