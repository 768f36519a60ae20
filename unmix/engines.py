"""Other processes and other machines to work on: a cluster of `dask.distributed`, local or one that is there already.

Without one, work is done here, by threads. Tasks are small and may be run twice: they carry paths and windows, never
open files or pixels, and each writes a part of its own. A worker that is lost costs its task another try; a task whose
workers are lost again and again is given up alone.
"""

from __future__ import annotations

import logging
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from .errors import OptionError, WorkerError

TRIES = 4
_CONNECT_SECONDS = 30
_START_SECONDS = 180
_PATIENCE_SECONDS = 120
_LOOK_SECONDS = 5
_CLOSE_SECONDS = 2
_METHOD = "forkserver" if sys.platform == "linux" else "spawn"
_LOCAL_CONFIGURATION = {
    "distributed.scheduler.allowed-failures": 0,  # a lost worker's task comes back at once: it is tried again here
    "distributed.worker.multiprocessing-method": _METHOD,
    "distributed.scheduler.http.routes": [],
    # what watches workers for a dashboard costs a tenth of a core
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.work-stealing": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.worker.memory.monitor-interval": "1s",
}
_CURRENT: ContextVar[Cluster | None] = ContextVar("cluster", default=None)


@dataclass(frozen=True)
class Done:
    """A task that has ended: its place among the tasks, and what it returned or why it did not."""

    index: int
    value: Any = None
    error: Exception | None = None


class Cluster:
    """Workers that tasks are sent to.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    n_local : int
        How many of its workers share this machine with this process; 0 for a cluster that was there already.
    """

    def __init__(self, client: Any, n_local: int = 0) -> None:
        self.client = client
        self.n_local = n_local

    def n_workers(self) -> int:
        """Return the number of worker processes there are now; a cluster may grow and shrink."""
        return len(self.client.scheduler_info(n_workers=-1)["workers"])

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any], *, ahead: int = 0) -> Iterator[Done]:
        """Call ``function(task)`` on workers; yield what has ended, in the order it ends.

        Parameters
        ----------
        function : callable
            Importable by its name.
        tasks : sequence
            Small things.
        ahead : int
            How many tasks more than there are workers wait at the workers.
        """
        waiting, suspects = deque(range(len(tasks))), []
        running: dict[Any, int] = {}
        try:
            while waiting or running:
                while waiting and len(running) < max(1, self.n_workers()) + ahead:
                    index = waiting.popleft()
                    running[self._submit(function, tasks[index])] = index
                for future in self._ended(running):
                    done = _done(future, running.pop(future))
                    if isinstance(done.error, WorkerError):
                        suspects.append(done.index)
                    else:
                        yield done
            for index in suspects:  # one at a time, so that what kills workers takes nothing with it
                yield from self._again(function, tasks[index], index, running)
        finally:
            if running:
                self._drop(running)

    def _drop(self, running: dict[Any, int]) -> None:
        """Take back what is on its way; processes here are ended and replaced, so that none writes on."""
        self.client.cancel(list(running), force=True)
        if self.n_local:
            _end_processes([nanny.pid for nanny in self.client.cluster.workers.values() if nanny.is_alive()])

    def _again(self, function: Callable[[Any], Any], task: Any, index: int, running: dict[Any, int]) -> Iterator[Done]:
        done = Done(index)
        for _ in range(TRIES - 1):
            future = self._submit(function, task)
            running[future] = index
            (ended,) = self._ended(running)
            done = _done(ended, running.pop(ended))
            if not isinstance(done.error, WorkerError):
                break
        yield done

    def _submit(self, function: Callable[[Any], Any], task: Any) -> Any:
        return self.client.submit(_call, function, task, pure=False)

    def _ended(self, running: dict[Any, int]) -> list[Any]:
        """Wait until something has ended; give up where no worker has been there for a while."""
        from distributed import wait

        lonely = 0
        while True:
            try:
                with self.client.as_current():
                    return list(wait(list(running), timeout=_LOOK_SECONDS, return_when="FIRST_COMPLETED").done)
            except TimeoutError:
                lonely = 0 if self.n_workers() else lonely + _LOOK_SECONDS
                if lonely >= _PATIENCE_SECONDS:
                    raise OptionError("the cluster has no worker left. Start workers and run again.") from None


def current_cluster() -> Cluster | None:
    """Return the cluster in use, None where work is done here."""
    return _CURRENT.get()


@contextmanager
def on_cluster(workers: int | None = None, scheduler: str | None = None) -> Iterator[Cluster]:
    """Work on a cluster while the body runs.

    Parameters
    ----------
    workers : int, optional
        Start so many processes on this machine; they listen on the loopback address only, without a dashboard.
    scheduler : str, optional
        Use the cluster whose scheduler answers at this address instead, such as ``tcp://10.0.0.1:8786``. Its workers
        must have the same version of unmix and see the same files under the same paths.

    Yields
    ------
    Cluster
        The cluster, which `unmix.unmix` and `unmix.batch.run_batch` use by themselves.

    Raises
    ------
    OptionError
        Both or neither are given, ``distributed`` is not installed, nothing answers at the address, or its workers
        have another version of unmix.

    Examples
    --------
    >>> from unmix.engines import current_cluster, on_cluster
    >>> with on_cluster(workers=1) as cluster:
    ...     current_cluster() is cluster
    True
    """
    if (workers is None) == (scheduler is None):
        raise OptionError("give workers= for processes on this machine, or scheduler= for a cluster that is there.")
    with _client(workers, scheduler) as client:
        cluster = Cluster(client, workers or 0)
        _check_versions(client)
        before = _CURRENT.set(cluster)
        try:
            yield cluster
        finally:
            _CURRENT.reset(before)


@contextmanager
def _client(workers: int | None, scheduler: str | None) -> Iterator[Any]:
    try:
        import distributed
    except ImportError as error:
        raise OptionError(
            "a cluster needs the package distributed. Install it: pip install 'unmix[cluster]'."
        ) from error
    if scheduler is not None:
        try:
            client = distributed.Client(scheduler, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            raise OptionError(f"no scheduler answers at {scheduler}: {' '.join(str(error).split())}") from error
        try:
            yield client
        finally:
            client.close(_CLOSE_SECONDS)
        return
    with _local_cluster(distributed, workers) as cluster:
        client = distributed.Client(cluster, set_as_default=False)
        try:
            yield client
        finally:
            client.close(_CLOSE_SECONDS)


@contextmanager
def _local_cluster(distributed: Any, workers: int | None) -> Iterator[Any]:
    """Start processes here: one thread each, nothing that can be reached from outside, no word about lost workers."""
    import dask

    logging.getLogger("distributed").setLevel(logging.CRITICAL + 1)
    with dask.config.set(_LOCAL_CONFIGURATION):
        _fork_ready_workers()
        cluster = _started(distributed, workers)
        try:
            yield cluster
        finally:
            cluster.close()


def _started(distributed: Any, workers: int | None) -> Any:
    try:
        return distributed.LocalCluster(
            n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address=None,
            worker_dashboard_address=None, silence_logs=logging.CRITICAL + 1,
            env={"DASK_LOGGING__DISTRIBUTED": "critical"}, preload=["unmix.worker_start"],
            scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        )  # fmt: skip
    except BaseException:  # Ctrl-C while they start: what they are forked from goes, so that none is any more
        logging.getLogger("asyncio").setLevel(logging.CRITICAL + 1)
        _end_processes(_fork_servers())
        raise


def _fork_ready_workers() -> None:
    """Let workers be copies of one process that has imported everything and loaded its kernels, where that is safe."""
    if _METHOD == "forkserver":
        from distributed.utils import get_mp_context

        get_mp_context().set_forkserver_preload(["unmix.worker_start", "distributed.nanny"])


def _fork_servers() -> list[int]:
    import psutil  # type: ignore[import-untyped]

    children = psutil.Process().children()
    return [child.pid for child in children if "multiprocessing.forkserver" in " ".join(child.cmdline())]


def _check_versions(client: Any) -> None:
    from importlib.metadata import version

    try:
        client.wait_for_workers(1, timeout=_START_SECONDS)
    except TimeoutError as error:
        raise OptionError(f"the cluster has no worker after {_START_SECONDS} seconds. Start some.") from error
    ours = version("unmix")
    try:
        theirs = client.run(version, "unmix")
    except Exception as error:
        raise OptionError(f"unmix is not installed on the workers of the cluster: {error}") from error
    other = {worker: found for worker, found in theirs.items() if found != ours}
    if other:
        worker, found = next(iter(other.items()))
        raise OptionError(f"worker {worker} has unmix {found}, this machine {ours}. Install the same version.")


def _end_processes(pids: list[int]) -> None:
    import psutil

    ended = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            process.kill()
            ended.append(process)
    psutil.wait_procs(ended, timeout=_CLOSE_SECONDS)


def _call(function: Callable[[Any], Any], task: Any) -> Any:
    return function(task)


def _done(future: Any, index: int) -> Done:
    from distributed import KilledWorker

    if future.status == "finished":
        return Done(index, value=future.result())
    error = future.exception() if future.status == "error" else None
    if error is None or isinstance(error, KilledWorker):
        return Done(index, error=WorkerError(f"its worker process died, {TRIES} times in all"))
    return Done(index, error=error)
