"""The docked panel: which layer, what it is, how many endmembers or which stains, run, and what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QSignalBlocker, Qt, QTimer
from qtpy.QtWidgets import (
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QSpinBox,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..errors import UnmixError
from ..materials.stains import STAIN_SETS
from ..quantity import QUANTITIES
from .findings import findings
from .knobs import OptionsForm, ignore_wheel
from .layers import STAINED
from .request import Request
from .run import Finished, Refused, Run
from .show import show_layers
from .sources import SourceLayer, is_source, source_of_layer

if TYPE_CHECKING:
    import napari.viewer

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
MINIMUM_WIDTH = 350
_POLL_MS = 50


class UnmixPanel(QWidget):
    """Unmix a layer: gathers what is wanted, runs the pipeline in a worker, shows its maps as layers.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer the panel is docked in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.viewer = napari_viewer
        self._runs: list[Run] = []
        self._layers: list[Any] = []
        self._source: SourceLayer | None = None
        self._build()
        self._watch_viewer()
        self._list_layers()

    # building

    def _build(self) -> None:
        self.layer_box = _combo("The image to unmix: a colour picture, or a stack with the bands on its first axis.")
        self.kind_box = _combo("What the numbers of this image are. It is guessed; change it where the guess is wrong.")
        self.count_box = _count("How many pure spectra to look for.")
        self.stains_box = _combo("Which stains are on the slide.")
        self.run_button = _button("Run", "Find the endmembers and add one abundance map for each as a layer.")
        self.cancel_button = _button("Cancel", "Stop the run; nothing is added.")
        self.progress_bar = QProgressBar()
        self.progress_bar.setToolTip("How far the current stage of the run is.")
        self.progress_bar.setTextVisible(True)
        policy = self.progress_bar.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self.progress_bar.setSizePolicy(policy)
        self.findings_label = _text("What the last run found.")
        self.options_form = OptionsForm(without=("quantity",))
        self.options_toggle, options_area = self._build_options()
        for kind in QUANTITIES:
            self.kind_box.addItem(KINDS[kind], kind)
        for name, stains in STAIN_SETS.items():
            self.stains_box.addItem(f"{name}: {', '.join(stains)}", stains)
        self._lay_out(options_area)
        self.layer_box.currentIndexChanged.connect(self._take_layer)
        self.kind_box.currentIndexChanged.connect(self._take_kind)
        self.run_button.clicked.connect(self.start)
        self.cancel_button.clicked.connect(self.cancel)
        self._poll = QTimer(self)
        self._poll.setInterval(_POLL_MS)
        self._poll.timeout.connect(self._show_progress)

    def _build_options(self) -> tuple[QToolButton, QWidget]:
        """Return the button that unfolds the options, and what it unfolds."""
        toggle = QToolButton()
        toggle.setText("Options")
        toggle.setToolTip("Everything else that can be set; the defaults suit most images.")
        toggle.setCheckable(True)
        toggle.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        toggle.setArrowType(Qt.ArrowType.RightArrow)
        area = QWidget()
        layout = QVBoxLayout(area)
        layout.setContentsMargins(0, 0, 0, 0)
        restore = _button("Restore defaults", "Set every option back to its default.")
        restore.clicked.connect(self.options_form.restore_defaults)
        layout.addWidget(self.options_form)
        layout.addWidget(restore)
        area.setVisible(False)
        toggle.toggled.connect(area.setVisible)
        toggle.toggled.connect(
            lambda open_: toggle.setArrowType(Qt.ArrowType.DownArrow if open_ else Qt.ArrowType.RightArrow)
        )
        return toggle, area

    def _lay_out(self, options_area: QWidget) -> None:
        self._form = QFormLayout()
        self._form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        self._form.addRow("Layer", self.layer_box)
        self._form.addRow("Kind", self.kind_box)
        self._form.addRow("Endmembers", self.count_box)
        self._form.addRow("Stains", self.stains_box)
        buttons = QHBoxLayout()
        buttons.addWidget(self.run_button, 2)
        buttons.addWidget(self.cancel_button, 1)
        content = QWidget()
        column = QVBoxLayout(content)
        column.addLayout(self._form)
        column.addLayout(buttons)
        column.addWidget(self.progress_bar)
        column.addWidget(self.findings_label)
        column.addWidget(self.options_toggle)
        column.addWidget(options_area)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(content)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self.setMinimumWidth(MINIMUM_WIDTH)

    # following the viewer

    def _watch_viewer(self) -> None:
        layers = self.viewer.layers
        watched = [(layers.events, self._on_list_event), (layers.selection.events.active, self._on_active)]
        for emitter, slot in watched:
            emitter.connect(slot)
        runs = self._runs

        def farewell() -> None:
            for emitter, slot in watched:
                emitter.disconnect(slot)
            for run in runs:
                run.cancel()

        self.destroyed.connect(farewell)

    def _on_list_event(self, event: Any) -> None:
        if event.type == "removed":
            self._on_removed(event.value)
        if event.type in ("inserted", "removed", "reordered", "name"):
            self._list_layers()

    def _on_removed(self, layer: Any) -> None:
        """Stop a run whose source is gone."""
        if self.running and self._runs[-1].request.source.identity == str(layer.unique_id):
            self.cancel()
            self.findings_label.setText(f"Cancelled: the layer '{layer.name}' was removed.")

    def _on_active(self, event: Any) -> None:
        if event.value in self._layers:
            self.layer_box.setCurrentIndex(self._layers.index(event.value))

    def _list_layers(self) -> None:
        """List the layers that can be unmixed, keeping the choice where it still exists."""
        chosen = self.layer
        self._layers = [layer for layer in reversed(self.viewer.layers) if is_source(layer)]
        with QSignalBlocker(self.layer_box):
            self.layer_box.clear()
            self.layer_box.addItems([layer.name for layer in self._layers])
            self.layer_box.setCurrentIndex(self._layers.index(chosen) if chosen in self._layers else 0)
        if self.layer is not chosen or chosen is None:
            self._take_layer()

    # what is chosen

    @property
    def layer(self) -> Any:
        """The layer chosen, or None."""
        index = self.layer_box.currentIndex()
        return self._layers[index] if 0 <= index < len(self._layers) else None

    @property
    def separates_stains(self) -> bool:
        """Whether the choice is a picture with named stains, and not a number of endmembers."""
        return self._source is not None and self.kind_box.currentData() in STAINED and self._source.n_bands == 3

    def _take_layer(self, *_: Any) -> None:
        """Offer what suits the layer just chosen."""
        layer = self.layer
        self._source = None if layer is None else source_of_layer(layer)
        self._show_running()
        if self._source is None:
            self.findings_label.setText("Open an image to unmix: File > Open Sample > unmix has three.")
            self.count_box.setValue(DEFAULT_ENDMEMBERS)
            self._take_kind()
            return
        self.findings_label.setText("")
        kind = QUANTITIES.index(self._source.quantity)
        for index, quantity in enumerate(QUANTITIES):
            guessed = self._source.guessed and index == kind
            self.kind_box.setItemText(index, KINDS[quantity] + (", guessed" if guessed else ""))
        self.kind_box.setCurrentIndex(kind)
        self.count_box.setValue(self._source.suggested_endmembers or min(DEFAULT_ENDMEMBERS, self._source.n_bands))
        self._take_kind()

    def _take_kind(self, *_: Any) -> None:
        """Ask for stains or for a number, and show the options that apply."""
        stains = self.separates_stains
        self._form.setRowVisible(self.stains_box, stains)
        self._form.setRowVisible(self.count_box, not stains)
        self.options_form.show_door("stains" if stains else "run")

    def _request(self) -> Request:
        """Return what the controls ask for; the layer is looked at again, it may have been moved or scaled."""
        source = source_of_layer(self.layer)
        options = self.options_form.changed()
        kind = self.kind_box.currentData()
        if kind != source.quantity or (source.guessed and kind != "unknown"):
            options["quantity"] = kind
        if self.separates_stains:
            return Request(source, stains=self.stains_box.currentData(), options=options)
        return Request(source, n_endmembers=self.count_box.value(), options=options)

    # running

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return bool(self._runs)

    def start(self, *_: Any) -> None:
        """Run the pipeline on the chosen layer."""
        if self.running or self.layer is None:
            return
        try:
            request = self._request()
        except UnmixError as error:
            self._refuse(str(error))
            return
        self._runs.append(Run(request, self._take_answer, self._take_end))
        self.findings_label.setText("")
        self.progress_bar.setRange(0, 0)
        self.progress_bar.setFormat("")
        self._poll.start()
        self._show_running()
        self._runs[-1].start()

    def cancel(self, *_: Any) -> None:
        """Stop the run; it ends when the pipeline next reports progress."""
        if self.running:
            self._runs[-1].cancel()
            self.cancel_button.setEnabled(False)
            self.progress_bar.setFormat("cancelling")
            self.findings_label.setText("Cancelled.")

    def _take_answer(self, answer: Finished | Refused) -> None:
        """Show what a run returned."""
        if isinstance(answer, Refused):
            self._refuse(answer.reason)
            return
        identity = answer.request.source.identity
        source = next((layer for layer in self.viewer.layers if str(layer.unique_id) == identity), None)
        show_layers(self.viewer, answer.layers, source)
        self.findings_label.setText(findings(answer.result, answer.warnings))
        for sentence in answer.warnings:
            show_warning(sentence)

    def _take_end(self) -> None:
        """Make the panel ready for the next run."""
        self._runs.clear()
        self._poll.stop()
        self._show_running()

    def _refuse(self, reason: str) -> None:
        self.findings_label.setText(reason)
        show_error(reason)

    def _show_progress(self) -> None:
        run = self._runs[-1] if self._runs else None
        if run is None or run.cancelled or not run.total:
            return
        self.progress_bar.setRange(0, run.total)
        self.progress_bar.setValue(run.done)
        self.progress_bar.setFormat(f"{run.stage} %p%")

    def _show_running(self) -> None:
        """Let only those controls work that make sense now."""
        self.run_button.setEnabled(not self.running and self._source is not None)
        self.cancel_button.setEnabled(self.running)
        for control in (self.layer_box, self.kind_box, self.count_box, self.stains_box, self.options_form):
            control.setEnabled(not self.running and self._source is not None)
        self.progress_bar.setVisible(self.running)


def _combo(tip: str) -> QComboBox:
    box = QComboBox()
    box.setToolTip(f"<qt>{tip}</qt>")
    box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(12)
    ignore_wheel(box)
    return box


def _count(tip: str) -> QSpinBox:
    box = QSpinBox()
    box.setRange(1, MOST_ENDMEMBERS)
    box.setToolTip(f"<qt>{tip}</qt>")
    ignore_wheel(box)
    return box


def _button(text: str, tip: str) -> QPushButton:
    button = QPushButton(text)
    button.setToolTip(f"<qt>{tip}</qt>")
    return button


def _text(tip: str) -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setToolTip(f"<qt>{tip}</qt>")
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
