"""What the timings share: scenes, the floor of one read, medians taken in turn, tables, and what machine it was.

Ratios are between things timed in turn in one run, so that a machine that is not quiet disturbs both alike.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path

import numba
import numpy as np

THREADS = 2
PACKAGES = ("unmix", "numpy", "scipy", "numba", "scikit-learn", "pysptools", "cvxopt", "xarray", "dask")


@dataclass(frozen=True)
class Table:
    """Columns and rows of text under a title, with what has to be said about them."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    note: str = ""

    def markdown(self) -> str:
        """Return the table as Markdown."""
        lines = [f"## {self.title}", ""] + ([self.note, ""] if self.note else [])
        lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in (self.columns, *self.rows)]
        lines.insert(-len(self.rows) or len(lines), "|" + "---|" * len(self.columns))
        return "\n".join(lines) + "\n"


@numba.njit(nogil=True, fastmath=True)
def total(values: np.ndarray) -> np.float32:
    """Return the sum; by index, because numba does not vectorise a loop over the values themselves."""
    s = np.float32(0)
    for i in range(len(values)):
        s += values[i]
    return s


def read(X: np.ndarray) -> None:
    """Read every value once, on two threads: the least that any method does."""
    spans(lambda rows: total(X[rows].reshape(-1)), len(X))


def spans(work: Callable[[slice], object], n: int) -> list[object]:
    """Call `work` on spans of rows, on two threads; return what it returns."""
    edges = np.linspace(0, n, 8 * THREADS + 1).astype(int)
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, [slice(int(a), int(b)) for a, b in pairwise(edges)]))


def mixtures(n: int, b: int, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy float32 mixtures (n, b) of r smooth spectra, and the spectra (r, b)."""
    rng = np.random.default_rng(0)
    E = np.abs(np.cumsum(rng.normal(size=(r, b)), axis=1)) + 0.5
    E /= E.max()
    X = np.empty((n, b), np.float32)
    for top in range(0, n, 50_000):
        part = X[top : top + 50_000]
        np.matmul(rng.dirichlet(np.full(r, 0.5), len(part)).astype(np.float32), E.astype(np.float32), out=part)
        part += np.float32(0.01) * rng.standard_normal(part.shape, dtype=np.float32)
    return X, E


def in_turn(works: dict[str, Callable[[], object]], repeats: int = 5) -> dict[str, float]:
    """Return the median seconds of each, warm, one after the other in every round."""
    for work in works.values():
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    return {name: float(np.median(values)) for name, values in times.items()}


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Return the slope of log seconds against log size: 1 is linear."""
    return float(np.polyfit(np.log(sizes), np.log(seconds), 1)[0])


def machine() -> list[str]:
    """Return what the figures depend on, a line each."""
    cpuinfo, meminfo = Path("/proc/cpuinfo"), Path("/proc/meminfo")
    model = platform.processor() or platform.machine()
    if cpuinfo.is_file():
        models = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = models[0] if models else model
    memory = ""
    if meminfo.is_file():
        memory = f", {int(meminfo.read_text().split()[1]) / 2**20:.0f} GB of memory"
    found = []
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} not installed")
    return [
        time.strftime("%d %B %Y"),
        f"{model}, {os.cpu_count()} cores{memory}; {platform.system()}, Python {platform.python_version()}",
        ", ".join(found),
    ]
