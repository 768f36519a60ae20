"""The batch on one page: list, lock, look at what is done, share endmembers, work, write down."""

from __future__ import annotations

import os
import platform
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..blocks import Progress
from ..engines import Cluster, Done, current_cluster
from ..errors import OptionError, WriteError
from ..scratch import memory_budget
from ..writers.commit import check_outputs
from . import manifest as manifests
from .lock import locked
from .manifest import Manifest
from .publish import publish, sweep
from .recipe import Recipe
from .shared import fit_shared_endmembers, kept_endmembers
from .sources import LOCK_NAME, MANIFEST_NAME, Item, list_items
from .stopping import Stopping
from .summary import Event, Failure, Interrupted, Summary, Watch
from .verify import AGAIN, Planned, plan_items, refuse_foreign
from .work import Outcome, Task, do_item

Sources = Iterable[str | os.PathLike[str]] | str | os.PathLike[str]


@dataclass(frozen=True)
class Policy:
    """How a batch goes about its items.

    Parameters
    ----------
    again : {'rest', 'failed', 'all'}
        Do what is not done and verified; of that only what failed before; or everything again.
    max_failures : int, optional
        Stop after so many failures; never when not given.
    content : bool
        Know files again by the SHA-256 of their content; otherwise by size and time of change, which is quicker.
    """

    again: str = "rest"
    max_failures: int | None = None
    content: bool = True

    def __post_init__(self) -> None:
        if self.again not in AGAIN:
            raise OptionError(f"again={self.again!r} is not known. Use one of {', '.join(AGAIN)}.")
        if self.max_failures is not None and self.max_failures < 1:
            raise OptionError(f"max_failures={self.max_failures} must be at least 1.")


def plan_batch(
    sources: Sources, out: str | os.PathLike[str], recipe: Recipe | None = None, policy: Policy | None = None
) -> list[Planned]:
    """Say what `run_batch` would do, without doing or writing anything.

    Parameters
    ----------
    sources, out, recipe, policy
        As in `run_batch`.

    Returns
    -------
    list of Planned
        Every item with its size and the reason it would be done; the reason is empty where it is done already. With
        shared endmembers that have still to be fitted, every item would be done.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from unmix.batch import plan_batch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(folder + "/scene.npy", np.ones((4, 4, 5)))
    ...     [(one.item.name, one.why) for one in plan_batch([folder], folder + "/out")]
    [('scene', 'new')]
    """
    recipe, policy = recipe or Recipe(), policy or Policy()
    items, out = list_items(sources, out, recipe.mask), Path(out)
    _check_folder(out, items)
    manifest = Manifest(out / MANIFEST_NAME)
    if recipe.fits_all and items:
        kept = kept_endmembers(items, out, recipe, manifest)
        recipe = recipe if kept is None else replace(recipe, endmembers=kept)
    configuration = recipe.digest()
    planned = plan_items(items, out, manifest, configuration, again=policy.again, content=policy.content)
    refuse_foreign(planned, out, manifest, policy.again)
    return planned


def run_batch(
    sources: Sources,
    out: str | os.PathLike[str],
    recipe: Recipe | None = None,
    policy: Policy | None = None,
    watch: Watch | None = None,
) -> Summary:
    """Unmix many files, each into a folder of its own; what an earlier run has done is verified and skipped.

    An item that fails never harms another. A crash at any moment leaves nothing half-written under a final name; the
    next run goes on from there. Within `unmix.engines.on_cluster` items are spread over its workers; otherwise they are
    done one after the other, each by all cores.

    Parameters
    ----------
    sources : iterable of path, or path
        Files, folders and patterns; see `unmix.batch.sources.list_items`.
    out : path
        Folder for the outputs, ``manifest.jsonl`` and, with shared endmembers, ``shared_endmembers``; made if missing.
    recipe : Recipe, optional
        What is done to every item.
    policy : Policy, optional
        What is done again, and when to stop.
    watch : callable, optional
        Called with an `Event` whenever something happens to an item.

    Returns
    -------
    Summary
        Counts, and one reason for every item that failed.

    Raises
    ------
    OptionError
        Names collide, an input is missing, the folder is in use or holds something else: before anything is read.
    WriteError
        The folder or the manifest cannot be written.
    Interrupted
        SIGINT or SIGTERM came; a `KeyboardInterrupt`. The item in work was dropped, everything before it is kept.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from unmix.batch import Recipe, run_batch
    >>> rng = np.random.default_rng(0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in "ab":
    ...         np.save(f"{folder}/{name}.npy", rng.dirichlet([0.2] * 3, (20, 20)) @ rng.random((3, 8)))
    ...     recipe = Recipe(3, options={"quantity": "reflectance"})
    ...     first = run_batch([folder], folder + "/out", recipe)
    ...     again = run_batch([folder], folder + "/out", recipe)
    >>> first.n_done, again.n_done, again.n_skipped
    (2, 0, 2)
    """
    recipe, policy = recipe or Recipe(), policy or Policy()
    items, out = list_items(sources, out, recipe.mask), Path(out)
    _check_folder(out, items)
    _make_folder(out)
    stopping = Stopping()
    with stopping.noticed(), locked(out / LOCK_NAME):
        batch = _Batch(out, recipe, policy, watch, stopping)
        try:
            batch.run(items)
        finally:
            sweep(out)
    if stopping.signal is not None:
        raise Interrupted(batch.summary, stopping.signal)
    return batch.summary


class _Batch:
    """One run: what it works with, and what has become of the items so far.

    Everything on disk is changed here, by the run that holds the lock, never by a worker.
    """

    def __init__(self, out: Path, recipe: Recipe, policy: Policy, watch: Watch | None, stopping: Stopping) -> None:
        self.out, self.recipe, self.policy, self.stopping = out, recipe, policy, stopping
        self._watch = watch
        self.manifest = Manifest(out / MANIFEST_NAME)
        self.cluster = current_cluster()
        self.summary = Summary()
        self._bytes_done = self._bytes_to_do = 0

    def run(self, items: Sequence[Item]) -> None:
        """Do what is to be done."""
        sweep(self.out)
        if not items:
            return
        with self.stopping.droppable():
            self.recipe = self._with_shared_endmembers(items)
        if self.stopping:
            self.summary = Summary(n_left=len(items))
            return
        configuration = self.recipe.digest()
        policy = self.policy
        planned = plan_items(items, self.out, self.manifest, configuration, again=policy.again, content=policy.content)
        refuse_foreign(planned, self.out, self.manifest, policy.again)
        to_do = [one for one in planned if one.why]
        self.summary = Summary(n_skipped=len(planned) - len(to_do), n_left=len(to_do))
        self._bytes_to_do = sum(one.bytes for one in to_do)
        if to_do:
            self._begin(configuration, len(to_do))
            self._work(to_do, configuration)

    def _with_shared_endmembers(self, items: Sequence[Item]) -> Recipe:
        """Return the recipe with the endmembers that all items share, where there is one fit for all."""
        if not self.recipe.fits_all:
            return self.recipe
        found = kept_endmembers(items, self.out, self.recipe, self.manifest)
        if found is None:
            found = fit_shared_endmembers(items, self.out, self.recipe, self.manifest, self._stage("all items"))
        return replace(self.recipe, endmembers=found)

    def _begin(self, configuration: str, n_items: int) -> None:
        self.manifest.append(
            {
                "manifest": manifests.VERSION, "unmix": version("unmix"), "host": platform.node(), "pid": os.getpid(),
                "started": datetime.now(UTC).isoformat(timespec="seconds"), "items": n_items,
                "configuration": configuration, "recipe": self.recipe.as_dict(),
            }
        )  # fmt: skip

    def _work(self, to_do: Sequence[Planned], configuration: str) -> None:
        """Work on items until all have ended, too many have failed or a signal came."""
        most = self.policy.max_failures
        with closing(self._ended(to_do)) as all_done:
            while not self.stopping:
                done = None
                with self.stopping.droppable():
                    done = next(all_done, None)
                if done is None:
                    return
                self._conclude(to_do[done.index], done, configuration)
                if most is not None and len(self.summary.failures) >= most:
                    return

    def _ended(self, to_do: Sequence[Planned]) -> Generator[Done, None, None]:
        """Yield items as they end: on the workers of a cluster, or one after the other here."""
        tasks = [self._task(one.item) for one in to_do]
        if self.cluster is not None:
            yield from self.cluster.run(do_item, tasks)
            return
        for index, task in enumerate(tasks):
            self._tell("started", task.item.name)
            yield Done(index, do_item(task, self._stage(task.item.name)))

    def _conclude(self, planned: Planned, done: Done, configuration: str) -> None:
        """Write down what became of an item, then give its outputs their name: a named folder always has a line."""
        item, outcome = planned.item, done.value
        if not isinstance(outcome, Outcome):
            outcome = Outcome(None, f"{done.error}")
        self._bytes_done += planned.bytes
        record = {"item": item.name, "path": os.path.abspath(item.path), "configuration": configuration}
        if outcome.folder is not None:
            try:
                self.manifest.append({**record, "state": "ok", **outcome.facts})
                publish(outcome.folder, self.out / item.name)
            except WriteError as error:
                outcome = Outcome(None, str(error), {"seconds": outcome.facts.get("seconds")})
        if outcome.folder is not None:
            self.summary = self.summary.with_success()
            self._tell("done", item.name, facts=outcome.facts)
            return
        self.summary = self.summary.with_failure(Failure(str(item.path), outcome.reason))
        self._tell("failed", item.name, outcome.reason)
        self.manifest.append({**record, "state": "failed", "reason": outcome.reason, **outcome.facts})

    def _task(self, item: Item) -> Task:
        recipe, endmembers = self.recipe, self.recipe.endmembers
        if self.cluster is not None and self.cluster.n_local:
            recipe = _with_shared_memory(recipe, self.cluster)
        return Task(item, replace(recipe, endmembers=None), self.out.absolute(), endmembers, self.policy.content)

    def _stage(self, name: str) -> Progress:
        def report(stage: str, done: int, total: int) -> None:
            self.stopping.check()
            self._tell("stage", name, f"{stage} {done}/{total}")

        return report

    def _tell(self, kind: str, name: str, text: str = "", facts: dict[str, Any] | None = None) -> None:
        if self._watch is None:
            return
        ended = self.summary.n_done + len(self.summary.failures)
        to_do = ended + self.summary.n_left
        self._watch(Event(kind, name, text, ended, to_do, self._bytes_done, self._bytes_to_do, facts or {}))


def _with_shared_memory(recipe: Recipe, cluster: Cluster) -> Recipe:
    """Return the recipe with the memory of this machine shared out among the workers on it."""
    budget = memory_budget(recipe.options.get("memory")) / 1e9 / cluster.n_local
    return replace(recipe, options={**recipe.options, "memory": budget, "threads": recipe.options.get("threads", 1)})


def _check_folder(out: Path, items: Sequence[Item]) -> None:
    """Refuse a folder that cannot be written to, or that is an input, before anything is read."""
    check_outputs([out / MANIFEST_NAME], overwrite=True)
    check_outputs([out / item.name / "result.nc" for item in items[:1]], overwrite=True)
    if out.is_dir() and not os.access(out, os.W_OK | os.X_OK):
        raise WriteError(f"{out} may not be written to. Choose another folder.")


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WriteError(f"{out} cannot be made: {error.strerror or error}. Choose another folder.") from error
