"""The docked panel: which layer, what it is, how many endmembers or which stains, run, and what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_error, show_warning
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QWidget

from ..errors import UnmixError
from ..quantity import QUANTITIES
from .activity import stage_title
from .docks import opening_dock
from .findings import findings
from .finished import Finished, colours_in
from .garbage import ShortWhileOpen
from .keys import bind_keys
from .latest import Latest
from .layers import STAINED
from .letters import make_letters
from .pacing import Paced
from .panel_controls import DEFAULT_ENDMEMBERS, KINDS, PanelControls
from .panel_pins import known_to, say_pins, show_pins
from .recipe import Recipe
from .request import Request
from .running import Runner
from .session import session_of
from .settings import default_options
from .solo import next_map, solo_map
from .sources import SourceLayer, identity_of, is_source, source_of_layer
from .suggest import suggestion
from .view import cut_view, showing_view
from .warming import warm

if TYPE_CHECKING:
    import napari.viewer


class UnmixPanel(PanelControls):
    """Unmix a layer: gathers what is wanted, runs the pipeline in a worker, shows its maps as layers.

    Parameters
    ----------
    napari_viewer : napari.viewer.Viewer
        The viewer the panel is docked in.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer, parent: QWidget | None = None) -> None:
        super().__init__(session_of(napari_viewer), parent)
        self.viewer = napari_viewer
        self.session = session_of(napari_viewer)
        self.runner, self._seen = Runner(napari_viewer, self), Paced(self)
        self._layers: list[Any] = []
        self.listed: tuple[str | None, int] = (None, 0)
        self._source: SourceLayer | None = None
        self._said: set[str] = set()
        self._connect()
        self._watch_viewer()
        self._list_layers()
        bind_keys(self.viewer, self)
        self._searches = ShortWhileOpen(self, self.viewer.layers)
        make_letters(self, self.viewer, done=lambda: warm(self, lambda: self.runner.busy))

    def _connect(self) -> None:
        self.run_button.clicked.connect(self.start)
        self.view_button.clicked.connect(self.start_on_view)
        self.cancel_button.clicked.connect(self.cancel)
        self.restore_button.clicked.connect(self._restore_defaults)
        self.results.run_chosen.connect(self.restore)
        self.results.settings_chosen.connect(self.take_settings)
        self.results.dock_wanted.connect(self._open_dock)
        self.layer_box.currentIndexChanged.connect(self._take_layer)
        self.kind_box.currentIndexChanged.connect(self._take_kind)
        self.session.endmembers_changed.connect(self._show_pins)
        self.session.endmembers_changed.connect(self._show_findings)
        self.count_box.valueChanged.connect(self._say_pins)
        self.suggest_button.clicked.connect(self.suggest)
        self._suggesting = Latest(self)
        self.runner.changed.connect(self._show_running)
        self.runner.progressed.connect(self._show_progress)
        self.runner.shown.connect(self._take_shown)
        self.runner.refused.connect(self._refuse)

    # following the viewer

    def _watch_viewer(self) -> None:
        layers = self.viewer.layers
        watched = [(layers.events, self._on_list_event), (layers.selection.events.active, self._on_active)]
        for emitter, slot in watched:
            emitter.connect(slot)
        session, refresh = self.session, self.results.refresh
        heard = [
            (session.endmembers_changed, self._show_pins),
            (session.endmembers_changed, self._show_findings),
            (session.endmembers_changed, refresh),
        ]

        def farewell() -> None:
            for emitter, slot in watched:
                emitter.disconnect(slot)
            for signal, listener in heard:
                signal.disconnect(listener, missing_ok=True)

        self.destroyed.connect(farewell)

    def _on_list_event(self, event: Any) -> None:
        if event.type == "removed":
            self._on_removed(event.value)
        if event.type in ("inserted", "removed", "reordered", "name"):
            self._list_layers()

    def _on_removed(self, layer: Any) -> None:
        """Stop a run whose source is gone."""
        run = self.runner.active
        if run is not None and run.request.source.identity == identity_of(layer):
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
        self._show_pins()
        if self._source is None:
            self.findings_label.setText("Open an image to unmix: File > Open Sample > unmix has three.")
            self.count_box.setValue(DEFAULT_ENDMEMBERS)
            self._take_kind()
            return
        self._show_findings()
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
        self._form.setRowVisible(self.count_row, not stains)
        self.options_form.show_door("stains" if stains else "run", self.kind_box.currentData())
        self._say_pins()

    @property
    def shows_run_of_layer(self) -> bool:
        """Whether the current run, and so the list of endmembers, is that of the chosen layer."""
        current = self.session.current
        return self._source is not None and (current is None or current.source_id == self._source.identity)

    def _request(self) -> Request:
        """Return what the controls ask for; the layer is looked at again, it may have been moved or scaled."""
        source = source_of_layer(self.layer)
        options = self.options_form.changed()
        kind = self.kind_box.currentData()
        if kind != source.quantity or (source.guessed and kind != "unknown"):
            options["quantity"] = kind
        if self.separates_stains:
            return Request(source, stains=self.stains_box.currentData(), known=known_to(self), options=options)
        return Request(source, n_endmembers=self.count_box.value(), known=known_to(self), options=options)

    def suggest(self, *_: Any) -> None:
        """Set the number of endmembers to what the image seems to hold; it is looked at in a worker."""
        if self.layer is None or self._suggesting.busy:
            return
        try:
            request = self._request()
        except UnmixError as error:
            self._refuse(str(error))
            return
        self.findings_label.setText("Looking at how many endmembers the image holds …")
        self.suggest_button.setEnabled(False)
        self._suggesting.ask(lambda: suggestion(request), self._take_suggestion)

    def _take_suggestion(self, suggested: tuple[int | None, str]) -> None:
        number, reason = suggested
        self.suggest_button.setEnabled(True)
        if number is None:
            self._refuse(reason)
        else:
            self.count_box.setValue(number)
            self.findings_label.setText(reason)

    def take_settings(self, recipe: Recipe) -> None:
        """Set the controls to what a recipe asks for."""
        self.options_form.restore_defaults()
        self.options_form.set_values(recipe.options)
        if "quantity" in recipe.options:
            self.kind_box.setCurrentIndex(self.kind_box.findData(recipe.options["quantity"]))
        elif self._source is not None:
            self.kind_box.setCurrentIndex(self.kind_box.findData(self._source.quantity))
        if recipe.n_endmembers is not None:
            self.count_box.setValue(recipe.n_endmembers)
        if recipe.stains is not None:
            if self.stains_box.findData(recipe.stains) < 0:
                self.stains_box.addItem(", ".join(recipe.stains), recipe.stains)
            self.stains_box.setCurrentIndex(self.stains_box.findData(recipe.stains))
        if recipe.known is not None:
            self.session.set_known(recipe.known)
            self.count_box.setValue(recipe.n_endmembers or len(recipe.known.names))
        else:
            self.session.pin_all(False)

    def _restore_defaults(self, *_: Any) -> None:
        self.options_form.restore_defaults()
        self.options_form.set_values(default_options())

    # running

    @property
    def running(self) -> bool:
        """Whether a run is under way, or its layers are still being added."""
        return self.runner.busy

    def start(self, *_: Any) -> None:
        """Run the pipeline on the chosen layer."""
        if self.running or self.layer is None:
            return
        self.progress_bar.setRange(0, 1)  # not (0, 0): a bar that moves by itself has the whole window drawn
        self.progress_bar.setValue(0)
        self.progress_bar.setFormat("")
        try:
            self.runner.start(self._request())
        except UnmixError as error:
            self._refuse(str(error))
            return
        self.findings_label.setText("")

    def start_on_view(self, *_: Any) -> None:
        """Make a layer of what is on screen and run the pipeline on it, with what the controls ask for."""
        if self.running or self.layer is None:
            return
        try:
            part = cut_view(self.viewer, self.layer)
        except UnmixError as error:
            self._refuse(str(error))
            return
        kind, number = self.kind_box.currentData(), self.count_box.value()
        steps = showing_view(self.viewer, self.layer, part)
        self.runner.prepare(steps, lambda: self._start_on(part, kind, number))

    def _start_on(self, part: Any, kind: str, number: int) -> None:
        if part in self._layers:
            self.layer_box.setCurrentIndex(self._layers.index(part))
            self.kind_box.setCurrentIndex(self.kind_box.findData(kind))
            self.count_box.setValue(number)
            self.start()
        self._show_running()

    def cancel(self, *_: Any) -> None:
        """Let go of the run at once; its thread ends when the pipeline next reports progress."""
        if self.runner.active is not None:
            self.runner.cancel()
            self.findings_label.setText("Cancelled.")

    def restore(self, finished: Finished) -> None:
        """Show an earlier run again, and its layer with its settings; another layer keeps its own."""
        if self.running:
            return
        sources = [identity_of(layer) for layer in self._layers]
        if finished.source_id in sources:
            self.layer_box.setCurrentIndex(sources.index(finished.source_id))
        if finished.source_id in sources or not sources:
            self.take_settings(finished.recipe)
        self.runner.show(finished)

    def _take_shown(self, finished: Finished) -> None:
        """Say what a run found, and what it has to say about itself the first time it is shown."""
        self._show_findings()
        if finished.run_id not in self._said:
            self._said.add(finished.run_id)
            for sentence in finished.warnings:
                show_warning(sentence)

    def _refuse(self, reason: str) -> None:
        self.findings_label.setText(reason)
        show_error(reason)

    # showing

    def _open_dock(self, name: str) -> None:
        self._seen.start(opening_dock(self.viewer, name))

    def show_next(self) -> None:
        """Select the next map, and show only it where one was shown alone."""
        self._seen.start(next_map(self.viewer, 1))

    def show_previous(self) -> None:
        """Select the previous map, and show only it where one was shown alone."""
        self._seen.start(next_map(self.viewer, -1))

    def show_solo(self) -> None:
        """Show only the map that is selected, or all again."""
        self._seen.start(solo_map(self.viewer))

    def _show_findings(self) -> None:
        current = self.session.current
        if current is not None and self.shows_run_of_layer and not self.running:
            chosen = {pure.name: pure.colour for pure in self.session.endmembers}
            text = findings(current.result, {**colours_in(current.layers), **chosen}, current.warnings)
            self.findings_label.setText(text)
        else:
            self.findings_label.setText("")

    def _show_pins(self) -> None:
        show_pins(self)

    def _say_pins(self, *_: Any) -> None:
        say_pins(self)

    def _show_progress(self, stage: str, done: int, total: int) -> None:
        self.progress_bar.setUpdatesEnabled(False)  # else the whole window is drawn at once, for each of these
        self.progress_bar.setRange(0, total)
        self.progress_bar.setValue(done)
        self.progress_bar.setFormat(f"{stage_title(stage)} %p%")
        self.progress_bar.setUpdatesEnabled(True)

    def _show_running(self) -> None:
        """Let only those controls work that make sense now."""
        idle = not self.running and self._source is not None
        self.run_button.setEnabled(idle)
        self.view_button.setEnabled(idle)
        self.cancel_button.setEnabled(self.runner.active is not None)
        for control in (self.layer_box, self.kind_box, self.count_box, self.stains_box, self.options_form):
            control.setEnabled(idle)
        self.suggest_button.setEnabled(idle and not self._suggesting.busy)
        self.results.setEnabled(not self.running)
        self.stains_box.setEnabled(idle and known_to(self) is None)
        self.progress_bar.setVisible(self.runner.active is not None)
