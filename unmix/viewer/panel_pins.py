"""What pinned endmembers mean for the panel: its number, its stains, and the sentence above Run."""

from __future__ import annotations

from typing import Any

from .pins import held, held_stains, pins_said, stain_pins_said
from .request import Known


def known_to(panel: Any) -> Known | None:
    """Return what the next run uses as it is; nothing where the list belongs to another layer."""
    if not panel.shows_run_of_layer:
        return None
    return (held_stains if panel.separates_stains else held)(panel.session.endmembers)


def show_pins(panel: Any) -> None:
    """Let number and stains follow the list, and say what the next run does."""
    known = known_to(panel)
    _follow_list(panel)
    panel.count_box.setMinimum(1 if known is None else len(known.names))
    panel.stains_box.setEnabled(panel.kind_box.isEnabled() and known is None)
    say_pins(panel)


def say_pins(panel: Any) -> None:
    """Say what the next run does about pins."""
    said, pures = "", panel.session.endmembers
    if panel.shows_run_of_layer:
        said = stain_pins_said(pures) if panel.separates_stains else pins_said(pures, panel.count_box.value())
    panel.pins_label.setText(said)
    panel.pins_label.setVisible(bool(said))


def _follow_list(panel: Any) -> None:
    """Ask for one endmember more or less when the user adds one to the list of a run or takes one out."""
    run = panel.session.current
    before, panel.listed = panel.listed, (None if run is None else run.run_id, len(panel.session.endmembers))
    if run is not None and before[0] == run.run_id and panel.shows_run_of_layer:
        panel.count_box.setMinimum(1)
        panel.count_box.setValue(panel.count_box.value() + panel.listed[1] - before[1])
