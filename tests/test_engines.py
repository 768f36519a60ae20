"""Work on other processes: the same answers, a lost worker costs a try, a task that kills workers fails alone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

import unmix
from unmix.batch import Event, Recipe, run_batch
from unmix.blocks import blocks_of
from unmix.engines import _CURRENT, Cluster, current_cluster, on_cluster
from unmix.errors import OptionError, ReadError, UnmixWarning, WorkerError
from unmix.synthetic import separable_scene

RECIPE = Recipe(3, formats=("csv", "geotiff"), options={"quantity": "reflectance"})


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Start two workers once; they are used only where a test says so."""
    with on_cluster(workers=2) as started:
        _CURRENT.set(None)
        yield started


def square(x: int) -> int:
    time.sleep(0.05)
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    if x == 5:
        raise ValueError("five")
    return x * x


def test_a_poison_task_fails_alone(cluster: Cluster) -> None:
    done = {one.index: one for one in cluster.run(square, range(12))}
    assert {k: one.value for k, one in done.items() if one.error is None} == {
        k: k * k for k in range(12) if k not in (3, 5)
    }
    assert isinstance(done[3].error, WorkerError)
    assert str(done[5].error) == "five"


def test_workers_are_reached_from_this_machine_only(cluster: Cluster) -> None:
    me = psutil.Process()
    listening = [
        connection.laddr.ip
        for process in (me, *me.children(recursive=True))
        for connection in process.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_a_batch_on_workers_gives_the_same_bytes(cluster: Cluster, tmp_path: Path) -> None:
    for seed in range(4):
        scene = separable_scene(seed=seed, n_endmembers=3, n_bands=12, shape=(16, 20)).image
        np.save(tmp_path / f"s{seed}.npy", np.asarray(scene.values, np.float32))
    (tmp_path / "bad.npy").write_bytes(b"")
    assert current_cluster() is None
    here = run_batch([tmp_path / "*.npy"], tmp_path / "here", RECIPE)
    with on_cluster(scheduler=cluster.client.scheduler.address):
        there = run_batch([tmp_path / "*.npy"], tmp_path / "there", RECIPE)
        again = run_batch(
            [tmp_path / "*.npy"], tmp_path / "there", replace(RECIPE, options={**RECIPE.options, "threads": 1})
        )
    assert (here.n_done, there.n_done, again.n_skipped) == (4, 4, 4)
    assert here.failures == there.failures
    for seed in range(4):
        maps = [tmp_path / out / f"s{seed}" / "abundances.tif" for out in ("here", "there")]
        assert maps[0].read_bytes() == maps[1].read_bytes()
    assert not list((tmp_path / "there").glob("*.partial"))


@pytest.mark.parametrize("keywords", [{}, {"workers": 1, "scheduler": "tcp://127.0.0.1:1"}])
def test_one_of_both_is_needed(keywords: dict[str, object]) -> None:
    with pytest.raises(OptionError, match=r"workers= .* or scheduler="), on_cluster(**keywords):  # type: ignore[arg-type]
        pass


def test_an_address_where_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmix.engines._CONNECT_SECONDS", 1)
    with (
        pytest.raises(OptionError, match="no scheduler answers"),
        on_cluster(scheduler="tcp://127.0.0.1:9"),
    ):
        pass


def test_blocks_of_one_image_on_workers_give_the_same_result(cluster: Cluster, tmp_path: Path) -> None:
    scene = separable_scene(seed=2, n_endmembers=3, n_bands=40, shape=(400, 90)).image.values.astype(np.float32)
    scene[10:20, 5:9] = np.nan
    np.save(tmp_path / "scene.npy", scene)
    mask = np.ones(scene.shape[:2], bool)
    mask[100:130] = False
    image = unmix.read(tmp_path / "scene.npy", quantity="reflectance")
    assert len(blocks_of(image)) > 3
    here = unmix.unmix(image, 3, mask=mask)
    seen: list[tuple[str, int, int]] = []
    with on_cluster(scheduler=cluster.client.scheduler.address):
        there = unmix.unmix(image, 3, mask=mask, out=tmp_path / "out", progress=lambda *now: seen.append(now))
    for name in here.data_vars:
        np.testing.assert_array_equal(there[name], here[name], err_msg=str(name))
    assert {key: there.attrs[key] for key in ("relative_error", "n_valid")} == {
        key: here.attrs[key] for key in ("relative_error", "n_valid")
    }
    assert ("abundances", len(blocks_of(image)), len(blocks_of(image))) in seen
    assert not [path.name for path in tmp_path.rglob(".unmix-parts-*")]


def test_an_image_in_memory_is_worked_on_here(cluster: Cluster) -> None:
    scene = separable_scene(seed=2, n_endmembers=3, n_bands=12, shape=(16, 20)).image
    with on_cluster(scheduler=cluster.client.scheduler.address), pytest.warns(UnmixWarning, match="worked on here"):
        there = unmix.unmix(scene, 3)
    np.testing.assert_array_equal(there["abundances"], unmix.unmix(scene, 3)["abundances"])


def test_an_error_of_a_block_is_told_as_it_is(cluster: Cluster, tmp_path: Path) -> None:
    scene = separable_scene(seed=2, n_endmembers=3, n_bands=40, shape=(400, 90)).image.values.astype(np.float32)
    np.save(tmp_path / "scene.npy", scene)
    image = unmix.read(tmp_path / "scene.npy", quantity="reflectance")
    endmembers = unmix.find_endmembers(image, 3)

    def cut_short(stage: str, done: int, total: int) -> None:
        if stage == "abundances" and done == 0:
            os.truncate(tmp_path / "scene.npy", 5_000)

    with on_cluster(scheduler=cluster.client.scheduler.address), pytest.raises(ReadError, match="has changed since"):
        unmix.map_abundances(image, endmembers, progress=cut_short)


def test_a_worker_killed_in_the_middle_costs_its_item_a_try(cluster: Cluster, tmp_path: Path) -> None:
    for seed in range(8):
        scene = separable_scene(seed=seed, n_endmembers=3, n_bands=12, shape=(16, 20)).image
        np.save(tmp_path / f"s{seed}.npy", np.asarray(scene.values, np.float32))
    killed: list[int] = []

    def kill_one(event: Event) -> None:
        if event.kind == "done" and event.ended in (1, 4):
            worker = next(one.pid for one in cluster.client.cluster.workers.values() if one.is_alive())
            os.kill(worker, signal.SIGKILL)
            killed.append(worker)

    with on_cluster(scheduler=cluster.client.scheduler.address):
        summary = run_batch([tmp_path / "*.npy"], tmp_path / "out", RECIPE, watch=kill_one)
    assert len(killed) == 2
    assert (summary.n_done, summary.failures) == (8, ())
    assert run_batch([tmp_path / "*.npy"], tmp_path / "out", RECIPE).n_skipped == 8
    assert not list((tmp_path / "out").glob("*.partial"))
