"""What only a process of its own shows: the time of an import and of a first call, and the memory of a run.

python benchmarks/processes.py
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from measuring import Table

HERE = str(Path(__file__).parent)

IMPORT = "import time; t = time.perf_counter(); import unmix; print(time.perf_counter() - t)"

FIRST_CALL = """
import time; t = time.perf_counter()
import warnings; warnings.simplefilter("ignore")
import numpy as np, unmix
image = np.random.default_rng(0).dirichlet(np.ones(4), (64, 64)) @ np.random.default_rng(1).random((4, 50))
def run():
    start = time.perf_counter()
    unmix.unmix(image.astype(np.float32), 4, quantity="reflectance")
    return time.perf_counter() - start
run(); first = time.perf_counter() - t
print(first - min(run() for _ in range(5)))
"""

MEMORY = """
import json, re, sys, warnings; warnings.simplefilter("ignore")
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from measuring import mixtures
import unmix
from unmix.nmf import refine, solve_abundances
def peak():
    return 1024 * int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
def extra(run):
    run(1000)                                           # what is loaded and compiled once
    Path("/proc/self/clear_refs").write_text("5")       # the peak starts again from here
    before = peak()
    run(n)
    return (peak() - before) / X.nbytes
n, b, r = (int(a) for a in sys.argv[2:5])
X, E = mixtures(n, b, r)
width = 1000
image = lambda m: unmix.as_image(X[:m].reshape(-1, min(m // 10, width), b), quantity="reflectance")
print(json.dumps({
    "solve_abundances": extra(lambda m: solve_abundances(X[:m], E, "shade")),
    "find_endmembers": extra(lambda m: unmix.find_endmembers(image(m), r)),
    "unmix, with its maps": extra(lambda m: unmix.unmix(image(m), r)),
    "refine, all bands": extra(lambda m: refine(X[:m], E, max_iterations=3)),
}))
"""


def said_by(program: str, *arguments: object) -> str:
    """Return what a Python program prints in a process of its own."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().splitlines()[-1]


def starting(repeats: int = 5) -> Table:
    """Time the import, and the first run in a fresh process beyond a warm one, imports included."""
    rows = []
    for name, program, limit in (("import unmix", IMPORT, 0.5), ("first unmix() beyond a warm one", FIRST_CALL, 2.5)):
        said_by(program)  # the kernels are compiled and cached now
        rows.append([name, f"{np.median([float(said_by(program)) for _ in range(repeats)]):.3f}", limit])
    return Table("Starting, in a fresh process, kernels cached", ("what", "seconds", "limit"), rows)


def memory(n: int = 1_000_000, b: int = 200, r: int = 6) -> Table:
    """Measure the peak of memory above the data, as a share of them."""
    columns, title = ("what", "of the data"), f"Memory beyond the data, {n:,} pixels, {b} bands, float32, r = {r}"
    if not Path("/proc/self/clear_refs").exists():
        return Table(title, columns, [], "Measured on Linux only.")
    shares = json.loads(said_by(MEMORY, HERE, n, b, r))
    maps = f"The maps of `unmix` (abundances, residual, brightness) are {(r + 2) / b:.0%} of the data themselves."
    return Table(title, columns, [[name, f"{share:.1%}"] for name, share in shares.items()], maps)


def tables() -> list[Table]:
    """Return all of it."""
    return [starting(), memory()]


if __name__ == "__main__":
    for table in tables():
        print(table.markdown())
