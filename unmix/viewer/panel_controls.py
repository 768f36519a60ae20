"""The controls of the panel and where they are."""

from __future__ import annotations

from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QProgressBar, QVBoxLayout, QWidget

from ..materials.stains import STAIN_SETS
from ..quantity import QUANTITIES
from .controls import button, combo, count, folded, note, scrolled
from .knobs import OptionsForm
from .results_box import ResultsBox
from .session import Session
from .settings import default_options

KINDS = {
    "reflectance": "scene (reflectance)",
    "radiance": "scene (radiance)",
    "counts": "lambda stack (counts)",
    "brightfield": "stained slide (light)",
    "optical_density": "stained slide (OD)",
    "unknown": "unknown",
}
DEFAULT_ENDMEMBERS = 4
MOST_ENDMEMBERS = 99


class PanelControls(QWidget):
    """What is asked for, top to bottom; then run, progress, results, and the folded options.

    Parameters
    ----------
    session : Session
        Whose runs are listed.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.layer_box = combo("The image to unmix: a colour picture, or a stack with the bands on its first axis.")
        self.kind_box = combo("What the numbers of this image are. It is guessed; change it where the guess is wrong.")
        self.count_box = count("How many pure spectra to look for.", 1, MOST_ENDMEMBERS)
        self.suggest_button = button(
            "Suggest", "Look at the image and suggest how many endmembers it holds; the text below says how sure."
        )
        self.count_row = QWidget()
        beside = QHBoxLayout(self.count_row)
        beside.setContentsMargins(0, 0, 0, 0)
        beside.addWidget(self.count_box, 1)
        beside.addWidget(self.suggest_button)
        self.stains_box = combo("Which stains are on the slide.")
        self.pins_label = note("What the next run does about pinned endmembers.")
        self.run_button = button("Run", "Find the endmembers and add one abundance map for each as a layer.")
        self.view_button = button(
            "This view only",
            "Unmix only what is on screen, at the resolution it is shown at: a large image in a moment. "
            "The part becomes a layer of its own.",
        )
        self.cancel_button = button("Cancel", "Stop the run; nothing is added.")
        self.progress_bar = QProgressBar()
        self.progress_bar.setToolTip("How far the current stage of the run is.")
        self.progress_bar.setTextVisible(True)
        policy = self.progress_bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress_bar.setSizePolicy(policy)
        self.results = ResultsBox(session)
        self.findings_label = self.results.findings_label
        self.options_form = OptionsForm(without=("quantity",))
        self.options_form.set_values(default_options())
        self.restore_button = button("Restore defaults", "Set every option back to its default.")
        self._options_area = self._build_options()
        self.options_toggle = folded(
            "Options", "Everything else that can be set; the defaults suit most images.", self._options_area
        )
        for kind in QUANTITIES:
            self.kind_box.addItem(KINDS[kind], kind)
        for name, stains in STAIN_SETS.items():
            self.stains_box.addItem(f"{name}: {', '.join(stains)}", stains)
        self._lay_out()

    def _build_options(self) -> QWidget:
        area = QWidget()
        layout = QVBoxLayout(area)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.options_form)
        layout.addWidget(self.restore_button)
        return area

    def _lay_out(self) -> None:
        self._form = QFormLayout()
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("Layer", self.layer_box)
        self._form.addRow("Kind", self.kind_box)
        self._form.addRow("Endmembers", self.count_row)
        self._form.addRow("Stains", self.stains_box)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 3)
        buttons.addWidget(self.view_button, 2)
        buttons.addWidget(self.cancel_button, 2)
        content = QWidget()
        column = QVBoxLayout(content)
        column.addLayout(self._form)
        column.addWidget(self.pins_label)
        column.addLayout(buttons)
        column.addWidget(self.progress_bar)
        column.addWidget(self.results)
        column.addWidget(self.options_toggle)
        column.addWidget(self._options_area)
        column.addStretch(1)
        scrolled(content, self)
