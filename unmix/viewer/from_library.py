"""A spectral library beside the endmembers of the spectra dock: read in a worker, compared, shown in a small window."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from napari.utils.notifications import show_error, show_info, show_warning
from qtpy import QtCore
from qtpy.QtCore import QObject
from qtpy.QtWidgets import QFileDialog

from ..errors import UnmixError, UnmixWarning
from ..library_names import LibraryComparison, compare_with_library
from ..materials.library import SpectralLibrary
from ..readers.libraries import read_library
from .curves import Curve
from .latest import Latest
from .names_dialog import NamesDialog
from .naming import giving_names, proposals, scaled_to
from .pacing import Paced

_KINDS = "Spectral libraries (*.csv *.tsv *.txt *.asc *.sli *.hdr *.mat *.npz);;All files (*)"
_KEY = "library/"


class FromLibrary(QObject):
    """What the dock knows of a library.

    Parameters
    ----------
    dock : SpectraDock
        Whose endmembers are compared with it.
    """

    changed: Any = QtCore.Signal()  # type: ignore[attr-defined, unused-ignore]
    """Other spectra of the library are to be drawn."""

    def __init__(self, dock: Any) -> None:
        super().__init__(dock)
        self.dock = dock
        self.dialog: NamesDialog | None = None
        self.comparison: LibraryComparison | None = None
        self._worker, self._naming = Latest(self), Paced(self)

    @property
    def busy(self) -> bool:
        """Whether a library is being read, or its names are being given."""
        return self._worker.busy or self._naming.busy

    def ask(self, *_: Any) -> None:
        """Ask for the file of a library and compare the endmembers with it."""
        if self._holder() is None or not self.dock.session.endmembers:
            show_info("Run first, or add a region: then there is something to be named.")
            return
        name, _kind = QFileDialog.getOpenFileName(self.dock, "Open a spectral library", "", _KINDS)
        if name:
            self.open(Path(name))

    def open(self, path: Path) -> None:
        """Read a library in a worker, compare, and show what it says."""
        holder = self._holder()
        names = tuple(pure.name for pure in self.dock.session.endmembers)
        spectra = np.array([pure.spectrum for pure in self.dock.session.endmembers])
        self._worker.ask(lambda: _compared(path, spectra, holder), lambda answer: self._take(answer, names, path))

    def close(self) -> None:
        """Take the window away, and the spectra of the library with it."""
        if self.dialog is not None:
            dialog, self.dialog, self.comparison = self.dialog, None, None
            dialog.close()
            dialog.deleteLater()
            self.changed.emit()

    def curves(self) -> list[Curve]:
        """Return the spectrum chosen for each endmember, at its height and in its colour, broken."""
        if self.dialog is None or self.comparison is None:
            return []
        pures = {pure.name: pure for pure in self.dock.session.endmembers}
        found = []
        for name, row in self.dialog.drawn().items():
            if (pure := pures.get(name)) is not None:
                beside = scaled_to(self.comparison.spectra[row], pure.spectrum)
                title = self.comparison.library.names[row]
                tint = 0.5 * pure.colour + 0.5 * self.dock.plot.ink  # seen on top of its endmember, too
                found.append(Curve(_KEY + name, title, beside, tint, 1.6, dashed=True))
        return found

    def _holder(self) -> Any:
        """Return what has the bands: the image, or the result where the image is not open."""
        run = self.dock.session.current
        return self.dock.view.image if self.dock.view is not None else None if run is None else run.result

    def _take(self, answer: tuple[LibraryComparison | str, list[str]], names: tuple[str, ...], path: Path) -> None:
        comparison, notes = answer
        if isinstance(comparison, str):
            show_error(comparison)
            return
        if names != tuple(pure.name for pure in self.dock.session.endmembers):
            show_info("The list of endmembers has changed meanwhile; open the library again.")
            return
        self.close()
        self.comparison = comparison
        self.dialog = NamesDialog(path.name, names, self._colours(), proposals(comparison), comparison.library.names)
        self.dialog.setParent(self.dock, self.dialog.windowFlags())
        self.dialog.changed.connect(self.changed)
        self.dialog.accepted_names.connect(self._name)
        self.dialog.pinned.connect(self._pin)
        self.dialog.finished.connect(lambda *_: self.close())
        self.dialog.show()
        self.changed.emit()
        for sentence in notes:
            show_warning(sentence)

    def _colours(self) -> dict[str, np.ndarray]:
        return {pure.name: pure.colour for pure in self.dock.session.endmembers}

    def _name(self, wanted: dict[str, str]) -> None:
        self.close()
        self._naming.start(giving_names(self.dock.session, wanted))

    def _pin(self, row: int) -> None:
        """Add a spectrum of the library as a pinned endmember."""
        if self.comparison is None:
            return
        name, spectrum = self.comparison.library.names[row], self.comparison.spectra[row]
        view = self.dock.view
        good = np.isfinite(self.dock.session.endmembers[0].spectrum) if view is None else view.good
        n_missing = int((~np.isfinite(spectrum[good])).sum())
        if n_missing:
            show_error(
                f"'{name}' has no value in {n_missing} bands that are used; leave them out with exclude, and run."
            )
            return
        spectrum = np.where(good, spectrum, np.nan)
        self.dock.session.add(name, self.dock.at_scale(spectrum), f"library spectrum {name}")


def _compared(path: Path, spectra: np.ndarray, holder: Any) -> tuple[LibraryComparison | str, list[str]]:
    """Return the comparison, or in a sentence why there is none, and what the reader remarked. Runs in a worker."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UnmixWarning)
        try:
            library: SpectralLibrary = read_library(path)
            compared: LibraryComparison | str = compare_with_library(spectra, library, holder)
        except UnmixError as error:
            compared = str(error)
    return compared, [str(one.message) for one in caught if issubclass(one.category, UnmixWarning)]
