"""Which items are done: the manifest says so, and input, configuration and outputs are what it says."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from ..errors import OptionError
from .fingerprint import same_inputs, same_outputs, size_of
from .manifest import Manifest, Record
from .sources import Item

AGAIN = ("rest", "failed", "all")
_READERS = 4


@dataclass(frozen=True)
class Planned:
    """One item, how many bytes it has, and why it is to be done; an empty reason where it is done already."""

    item: Item
    bytes: int
    why: str


def plan_items(
    items: Sequence[Item], out: Path, manifest: Manifest, configuration: str, *, again: str, content: bool
) -> list[Planned]:
    """Look at every item and say why it is to be done, if it is.

    Parameters
    ----------
    items : sequence of Item
        The items of the batch.
    out : Path
        Its folder.
    manifest : Manifest
        What earlier runs wrote down.
    configuration : str
        Digest of the recipe.
    again : {'rest', 'failed', 'all'}
        Do what is not done; of that only what failed before; or everything.
    content : bool
        Compare files by their content, not only by size and time of change.
    """

    def look(item: Item) -> Planned:
        record = manifest.last.get(item.name)
        if again == "failed" and (record is None or record.get("state") != "failed"):
            return Planned(item, 0, "")
        why = "asked for again" if again == "all" else _why(item, record, out, configuration, content)
        return Planned(item, size_of(item.path), why)

    with ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(look, items))


def refuse_foreign(planned: Sequence[Planned], out: Path, manifest: Manifest, again: str) -> None:
    """Refuse to replace what stands under an output's name and is not of this batch."""
    for one in planned:
        final = out / one.item.name
        if not one.why or not (final.exists() or final.is_symlink()):
            continue
        if final.is_symlink() or not final.is_dir():
            raise OptionError(f"{final} exists and is not a folder of this batch. Move it away.")
        if one.item.name not in manifest.last and again != "all":
            raise OptionError(
                f"{final} exists and the manifest does not know it. Choose another folder, or force it to be replaced."
            )


def _why(item: Item, record: Record | None, out: Path, configuration: str, content: bool) -> str:
    if record is None:
        return "new"
    if record.get("state") != "ok":
        return "failed before"
    if record.get("configuration") != configuration:
        return "done with other settings"
    if not same_outputs(record.get("outputs"), out / item.name, content=content):
        return "outputs missing or changed"
    if not same_inputs(record.get("input"), item.inputs, content=content):
        return "input changed"
    return ""
