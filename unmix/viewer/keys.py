"""The keyboard: run, run on the view, cancel, the next and the previous endmember, solo."""

from __future__ import annotations

from typing import Any

KEYS = {
    "Control-Alt-R": "run",
    "Control-Alt-V": "run on this view only",
    "Control-Alt-C": "cancel",
    "Control-Alt-N": "next endmember",
    "Control-Alt-B": "previous endmember",
    "Control-Alt-S": "show only the endmember that is selected, or all again",
}
"""The shortcuts and what they do, in napari's spelling."""


def bind_keys(viewer: Any, panel: Any) -> None:
    """Bind the shortcuts of a panel for as long as it is there; those of an earlier panel in this viewer go."""
    import weakref

    from napari.utils.key_bindings import coerce_keybinding

    held = weakref.ref(panel)

    def pressed(name: str) -> Any:
        def call(_viewer: Any) -> None:
            if (alive := held()) is not None:
                getattr(alive, name)()

        return call

    actions = {
        "Control-Alt-R": pressed("start"),
        "Control-Alt-V": pressed("start_on_view"),
        "Control-Alt-C": pressed("cancel"),
        "Control-Alt-N": pressed("show_next"),
        "Control-Alt-B": pressed("show_previous"),
        "Control-Alt-S": pressed("show_solo"),
    }
    for key, action in actions.items():
        viewer.bind_key(key, action, overwrite=True)

    def let_go() -> None:
        for key, action in actions.items():
            if viewer.keymap.get(coerce_keybinding(key)) is action:
                viewer.bind_key(key, None)

    panel.destroyed.connect(let_go)
