"""Work on other processes: the same answers, a lost worker costs a try, a task that kills workers fails alone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from unmix.batch import Recipe, run_batch
from unmix.engines import _CURRENT, Cluster, current_cluster, on_cluster
from unmix.errors import OptionError, WorkerError
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
    import numpy as np
    import rasterio

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
        maps = []
        for out in ("here", "there"):
            with rasterio.open(tmp_path / out / f"s{seed}" / "abundances.tif") as file:
                maps.append(file.read().tobytes())
        assert maps[0] == maps[1]
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
