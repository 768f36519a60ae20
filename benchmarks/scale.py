"""A cube larger than memory is allowed to be: peak memory, time against one cold read, CPU against the path in memory.

    python benchmarks/scale.py --gigabytes 8 --folder /some/disk

makes an ENVI cube (BIL, int16, 1280 columns, 285 bands), unmixes it blindly with ``unmix run``, and deletes everything.
Before every cold step the page cache is dropped for the cube alone: ``fsync``, then ``posix_fadvise`` with
``POSIX_FADV_DONTNEED`` on its whole length, which needs no privileges and leaves other files alone. Times are wall
seconds; CPU is user plus system of the process and its children. Peak memory is the largest resident set the kernel saw
(``ru_maxrss``), with the page cache of mapped files in it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

COLUMNS, BANDS, MATERIALS, ROWS = 1280, 285, 6, 64
HEADER = """ENVI
samples = {columns}
lines = {lines}
bands = {bands}
header offset = 0
data type = 2
interleave = bil
byte order = 0
reflectance scale factor = 10000
wavelength units = Nanometers
wavelength = {{{wavelengths}}}
"""


def make_cube(folder: Path, gigabytes: float, seed: int = 0) -> tuple[Path, np.ndarray]:
    """Write a cube of smooth mixtures with noise; return its header and its endmembers (r, bands)."""
    rng = np.random.default_rng(seed)
    lines = max(ROWS, int(gigabytes * 1e9 / (2 * COLUMNS * BANDS)) // ROWS * ROWS)
    nm = np.linspace(400, 2450, BANDS)
    centres, widths = rng.uniform(400, 2450, (MATERIALS, 4)), rng.uniform(80, 500, (MATERIALS, 4))
    E = 0.1 + 0.2 * np.exp(-(((nm - centres[..., None]) / widths[..., None]) ** 2)).sum(axis=1)
    noise = rng.normal(0, 0.003, (ROWS, BANDS, COLUMNS)).astype(np.float32)
    header = folder / "large cube.hdr"
    with open(folder / "large cube.img", "wb") as file:
        for _ in range(0, lines, ROWS):
            A = rng.dirichlet(np.full(MATERIALS, 0.25), (ROWS, COLUMNS)).astype(np.float32)
            block = np.einsum("yxr,rb->ybx", A, E.astype(np.float32), optimize=True)
            block += np.roll(noise, int(rng.integers(COLUMNS)), axis=2)
            np.rint(block * 10_000).astype("<i2").tofile(file)
        file.flush()
        os.fsync(file.fileno())
    wavelengths = ", ".join(f"{value:.2f}" for value in nm)
    header.write_text(HEADER.format(columns=COLUMNS, lines=lines, bands=BANDS, wavelengths=wavelengths))
    return header, E


def drop_from_cache(path: Path) -> None:
    """Make the next read of a file come from the disk."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def cold_read(path: Path) -> float:
    """Return the seconds one sequential read of a file takes from the disk."""
    drop_from_cache(path)
    start = time.perf_counter()
    buffer = bytearray(16 << 20)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
    return time.perf_counter() - start


def run(arguments: list[str]) -> dict[str, float]:
    """Run a command; return its wall seconds, CPU seconds and peak memory in MB, its children's with it."""
    start = time.perf_counter()
    pid = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, *arguments])
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
    return {
        "wall": time.perf_counter() - start,
        "cpu": usage.ru_utime + usage.ru_stime,
        "peak MB": usage.ru_maxrss / 1e3 * 1.024,
    }


def in_python(header: Path, folder: Path, memory: float) -> dict[str, float]:
    """Unmix a cube through Python: loaded into memory first, or with no memory for anything but blocks."""
    load, budget = (".load()", "") if memory else ("", ", memory=0")
    code = (
        "import sys, warnings, unmix; warnings.simplefilter('ignore')\n"
        f"result = unmix.unmix(unmix.read(sys.argv[1]){load}, {MATERIALS}{budget})\n"
        "unmix.write(result, sys.argv[2], formats=['geotiff', 'csv'])"
    )
    out = folder / "maps"
    try:
        return run(["-c", code, str(header), str(out)])
    finally:
        shutil.rmtree(out, ignore_errors=True)


def unmix_cube(header: Path, folder: Path, flags: list[str]) -> dict[str, float]:
    drop_from_cache(header.with_suffix(".img"))
    out = folder / "maps"
    try:
        return run(
            ["-m", "unmix", "run", str(header), "-n", str(MATERIALS), "--out", str(out), "--format", "geotiff",
             "--format", "csv", *flags]
        )  # fmt: skip
    finally:
        shutil.rmtree(out, ignore_errors=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=8.0)
    parser.add_argument("--folder", type=Path, default=None, help="On which disk; three times the cube must be free.")
    parser.add_argument("--memory", nargs="*", default=["1"], help="Budgets to try, GB.")
    parser.add_argument("--workers", nargs="*", default=[], help="Numbers of worker processes to try too.")
    parser.add_argument("--repeats", type=int, default=1)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < 1.5e9 * chosen.gigabytes:
            raise SystemExit("not enough free disk space")
        header, _ = make_cube(folder, chosen.gigabytes)
        data = header.with_suffix(".img")
        small = folder / "small"
        small.mkdir()
        small_header, _ = make_cube(small, min(2.0, chosen.gigabytes))
        pixels = data.stat().st_size / (2 * BANDS)
        small_pixels = small_header.with_suffix(".img").stat().st_size / (2 * BANDS)
        for _ in range(chosen.repeats):
            read = cold_read(data)
            inside, streamed = in_python(small_header, small, 1), in_python(small_header, small, 0)
            print(f"cold read of {data.stat().st_size / 1e9:.2f} GB: {read:.1f} s", flush=True)
            print(
                f"{small_pixels / 1e6:.1f} Mpx loaded into memory: {json.dumps(inside)}; "
                f"streamed: {json.dumps(streamed)}, {streamed['cpu'] / inside['cpu']:.2f} of its CPU",
                flush=True,
            )
            for flags in (
                *([("--memory", memory)] for memory in chosen.memory),
                *([("--memory", chosen.memory[0]), ("--workers", workers)] for workers in chosen.workers),
            ):
                found = unmix_cube(header, folder, [word for pair in flags for word in pair])
                ratio = found["cpu"] / pixels / (inside["cpu"] / small_pixels)
                print(
                    f"{dict(flags)}: {json.dumps(found)}, {found['wall'] / read:.2f} cold reads, "
                    f"{ratio:.2f} of the CPU per pixel in memory",
                    flush=True,
                )


if __name__ == "__main__":
    main()
