"""The lower part of the panel: what the run found, earlier runs, and what can be done with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from napari.utils.notifications import show_error, show_info
from qtpy import QtCore
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QApplication, QFileDialog, QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from ..errors import UnmixError
from ..writers import write
from ..writers.commit import commit_bytes
from .controls import button, combo, menu_button, note
from .failure import Failure, answered, caught
from .finished import colours_in
from .recipe import read_settings
from .saved_session import saved_form
from .session import Session
from .workers import worker_for

_SETTINGS_FILTER = "Run settings (*.json)"
_RESULT_FILTER = "unmix result (*.nc)"


class ResultsBox(QWidget):
    """What came out of the runs of one viewer.

    Parameters
    ----------
    session : Session
        The runs.
    """

    run_chosen: Any = QtCore.Signal(object)  # type: ignore[attr-defined, unused-ignore]
    """A `Finished` is to be shown again."""
    settings_chosen: Any = QtCore.Signal(object)  # type: ignore[attr-defined, unused-ignore]
    """The controls are to take the settings of a `Recipe`."""
    dock_wanted: Any = QtCore.Signal(str)  # type: ignore[attr-defined, unused-ignore]
    """A dock is to be opened, by its name."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.findings_label = note("What the run that is shown found.")
        self.history_box = combo("The runs so far; choose one to show it again with its settings.")
        self.spectra_button = button(
            "Spectra", "Curves of the endmembers, the spectrum under the mouse, names, colours and pins.",
            lambda: self.dock_wanted.emit("Spectra"),
        )  # fmt: skip
        self.explore_button = button(
            "Explore", "False colour, optical density, thresholds, profiles and scatter plots.",
            lambda: self.dock_wanted.emit("Explore"),
        )  # fmt: skip
        self.copy_button = menu_button(
            "Copy",
            "Copy what does exactly this run again.",
            [
                ("Copy as Python", "The lines of Python that give the same numbers.", self.copy_python),
                ("Copy as command", "The command line that gives the same numbers.", self.copy_command),
            ],
        )
        self.keep_button = menu_button(
            "Keep",
            "Save this run, or its settings for other images.",
            [
                ("Save result…", "Maps, spectra, colours and settings in one .nc file.", self.save_result),
                ("Save settings…", "Only the settings, as JSON.", self.save_settings),
                ("Load settings…", "Settings saved earlier.", self.load_settings),
            ],
        )
        self._lay_out()
        self.history_box.activated.connect(self._on_chosen)
        session.endmembers_changed.connect(self.refresh)
        self.refresh()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        self._form = QFormLayout()
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("History", self.history_box)
        buttons = QHBoxLayout()
        for one in (self.spectra_button, self.explore_button, self.copy_button, self.keep_button):
            buttons.addWidget(one)
        buttons.addStretch(1)
        column.addWidget(self.findings_label)
        column.addLayout(self._form)
        column.addLayout(buttons)

    def refresh(self) -> None:
        """Show the history and let those buttons work that have something to work on."""
        runs = list(reversed(self.session.runs))
        with QSignalBlocker(self.history_box):
            self.history_box.clear()
            for run in runs:
                self.history_box.addItem(run.title, run.run_id)
            if self.session.current in runs:
                self.history_box.setCurrentIndex(runs.index(self.session.current))
        self._form.setRowVisible(self.history_box, len(runs) > 1)
        self.copy_button.setEnabled(bool(runs))
        menu: Any = self.keep_button.menu()
        for action in menu.actions()[:2]:
            action.setEnabled(bool(runs))

    def _on_chosen(self, index: int) -> None:
        run_id = self.history_box.itemData(index)
        chosen = next((run for run in self.session.runs if run.run_id == run_id), None)
        if chosen is not None and chosen is not self.session.current:
            self.run_chosen.emit(chosen)

    # copying

    def copy_python(self, *_: Any) -> None:
        """Put the Python of the current run on the clipboard."""
        if self.session.current is not None:
            _to_clipboard(self.session.current.recipe.as_python(), "Python")

    def copy_command(self, *_: Any) -> None:
        """Put the command of the current run on the clipboard."""
        if self.session.current is None:
            return
        try:
            _to_clipboard(self.session.current.recipe.as_command(), "The command")
        except UnmixError as error:
            show_error(str(error))

    # keeping

    def save_result(self, *_: Any) -> None:
        """Ask where, and write the current run into one file; the window goes on meanwhile."""
        run = self.session.current
        if run is None:
            return
        path = _asked_to_save(self, "Save result", f"{run.source}.nc", _RESULT_FILTER, ".nc")
        if path is None:
            return
        colours = {**colours_in(run.layers), **{pure.name: pure.colour for pure in self.session.endmembers}}
        result = saved_form(run, colours)
        self._saving = worker_for(caught(lambda: _written(result, path)))
        self._saving.returned.connect(_say_saved)
        self._saving.start()

    def save_settings(self, *_: Any) -> None:
        """Ask where, and write the settings of the current run."""
        run = self.session.current
        if run is None:
            return
        path = _asked_to_save(self, "Save settings", "unmix-settings.json", _SETTINGS_FILTER, ".json")
        if path is None:
            return
        try:
            commit_bytes(path, run.recipe.as_settings().encode("utf-8"), overwrite=True)
        except UnmixError as error:
            show_error(str(error))
            return
        show_info(f"Settings saved to {path.name}.")

    def load_settings(self, *_: Any) -> None:
        """Ask for settings, and give them to the controls."""
        name, _kind = QFileDialog.getOpenFileName(self, "Load settings", "", _SETTINGS_FILTER)
        if not name:
            return
        try:
            self.settings_chosen.emit(read_settings(Path(name).read_text(encoding="utf-8")))
        except UnmixError as error:
            show_error(str(error))
        except (OSError, UnicodeDecodeError) as error:
            show_error(f"{Path(name).name} cannot be read: {error}.")


def _to_clipboard(text: str, what: str) -> None:
    clipboard: Any = QApplication.clipboard()
    clipboard.setText(text)
    show_info(f"{what} is on the clipboard.")


def _asked_to_save(parent: QWidget, title: str, proposed: str, kinds: str, suffix: str) -> Path | None:
    """Return the file the user chose, with its ending; the dialog has asked before replacing one."""
    name, _kind = QFileDialog.getSaveFileName(parent, title, proposed, kinds)
    if not name:
        return None
    path = Path(name)
    return path if path.suffix.lower() == suffix else path.with_name(path.name + suffix)


def _written(result: Any, path: Path) -> str:
    """Write a result, in a worker; return what to say."""
    try:
        write(result, path, overwrite=True)
    except UnmixError as error:
        return str(error)
    return f"Saved: {path.name}. Open it with File > Open to get everything back."


def _say_saved(answer: str | Failure) -> None:
    sentence = answered(answer)
    (show_info if sentence.startswith("Saved: ") else show_error)(sentence)
