"""What a batch survives and what it costs; each part ends with one line that says whether it held.

    python benchmarks/batch.py crashes [--times 20]    kill -9 at random moments, then to the end: the same maps?
    python benchmarks/batch.py workers [--times 20]    a worker killed at random moments; CPU against threads
    python benchmarks/batch.py many [--items 1000]     small scenes: time an item, growth of memory and open files
    python benchmarks/batch.py full-disk               ever smaller disks (as root): each write fails once

Everything is made in a temporary folder (``--folder``) and removed.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

PR_SET_CHILD_SUBREAPER = 36
FLAGS = ("-n", "3", "--quantity", "reflectance", "--format", "csv", "--format", "geotiff")


def make_scenes(folder: Path, n: int, shape: tuple[int, int] = (60, 60), n_bands: int = 30) -> Path:
    """Write n small scenes, each its own mixture of three materials."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    E = rng.random((3, n_bands)).astype(np.float32)
    for k in range(n):
        A = rng.dirichlet([0.3] * 3, shape).astype(np.float32)
        np.save(folder / f"scene {k:04}.npy", A @ E + rng.normal(0, 0.002, (*shape, n_bands)).astype(np.float32))
    return folder


def command(scenes: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "unmix", "batch", str(scenes), *FLAGS, "--out", str(out), *more]


def maps_of(out: Path) -> dict[str, str]:
    """Return the hash of every file of maps and of every table, byte for byte, by name."""
    files = sorted([*out.rglob("*.tif"), *out.rglob("*.csv")])
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def foreign(out: Path, names: set[str]) -> list[str]:
    """Return what lies in a batch folder and should not."""
    return sorted(path.name for path in out.iterdir() if path.name not in names | {"manifest.jsonl"})


def crashes(folder: Path, times: int) -> bool:
    scenes = make_scenes(folder / "scenes", 60)
    names = {path.stem for path in scenes.iterdir()}
    subprocess.run(command(scenes, folder / "straight"), check=True, capture_output=True)
    expected = maps_of(folder / "straight")
    rng = random.Random(1)
    start = time.perf_counter()
    subprocess.run(command(scenes, folder / "timed"), check=True, capture_output=True)
    whole = time.perf_counter() - start
    held, kills, half_made = True, 0, 0
    out = folder / "out"
    while kills < times:
        process = subprocess.Popen(command(scenes, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.2, 1.0) * whole / 2)
        if process.poll() is not None:  # it was done before the moment came
            held &= maps_of(out) == expected
            shutil.rmtree(out)
            continue
        process.kill()
        process.wait()
        kills += 1
        for item in names & {path.name for path in out.iterdir()} if out.exists() else ():
            half_made += sorted(path.name for path in (out / item).iterdir()) != ["abundances.tif", "endmembers.csv"]
    ended = subprocess.run(command(scenes, out), check=False, capture_output=True, text=True)
    held &= ended.returncode == 0 and half_made == 0 and maps_of(out) == expected and not foreign(out, names)
    print(f"crashes: {kills} kills -9, {half_made} half-made folders; the maps at the end are the same: {held}")
    return held


def cpu_of(arguments: list[str]) -> float:
    """Return the CPU seconds of a command and of every process it started, also those that outlived it."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans come here, so that their time is counted
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(arguments, check=True, capture_output=True)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            break
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def worker_processes(pid: int) -> list[Any]:
    """Return the processes at work for a batch: the last ones of its tree."""
    import psutil

    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                if not child.children() and "resource_tracker" not in " ".join(child.cmdline()):
                    found.append(child)
    return found


def workers(folder: Path, times: int) -> bool:
    scenes, same = make_scenes(folder / "scenes", 24, (300, 300), 60), True
    for items in (24, 96):
        many = folder / f"{items} scenes"
        many.mkdir()
        for k in range(items):
            os.link(scenes / f"scene {k % 24:04}.npy", many / f"scene {k:04}.npy")
        out = [folder / f"{engine} {items}" for engine in ("threads", "workers")]
        threads = cpu_of(command(many, out[0], "--fast"))
        spread = cpu_of(command(many, out[1], "--fast", "--workers", "2"))
        same &= maps_of(out[0]) == maps_of(out[1])
        ratio = spread / threads
        print(
            f"workers: {items} scenes: CPU {spread:.1f} s, by threads {threads:.1f} s: {ratio:.2f} times; same: {same}"
        )
    scenes, expected = folder / "24 scenes", maps_of(folder / "threads 24")
    rng, held, killed = random.Random(2), same, 0
    for _ in range(times):
        out = folder / "out"
        process = subprocess.Popen(
            command(scenes, out, "--workers", "2"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        manifest = out / "manifest.jsonl"
        while process.poll() is None and not manifest.exists():
            time.sleep(0.05)
        time.sleep(rng.uniform(0.0, 3.0))
        busy = worker_processes(process.pid)
        if busy and process.poll() is None:
            rng.choice(busy).kill()
            killed += 1
        said, _ = process.communicate()
        again = subprocess.run(command(scenes, out), capture_output=True, text=True, check=False)
        whole = process.returncode == 0 and again.stdout.startswith("0 done, 24 done before, 0 failed")
        whole &= maps_of(out) == expected and not foreign(out, {path.stem for path in scenes.iterdir()})
        held &= whole
        if not whole:
            print(f"workers: not so: {process.returncode} {said} {again.stdout}")
        shutil.rmtree(out)
    print(f"workers: {killed} of {times} runs lost a worker; all items done and verified in every run: {held}")
    return held


def many(folder: Path, items: int) -> bool:
    warnings.simplefilter("ignore")
    import psutil

    import unmix
    from unmix.batch import Event, Policy, Recipe, run_batch

    scenes = make_scenes(folder / "scenes", items, (32, 32), 20)
    me, seen, stamps = psutil.Process(), [], []
    recipe = Recipe(3, options={"quantity": "reflectance", "threads": 1})

    def watch(event: Event) -> None:
        if event.kind == "done":
            stamps.append(time.process_time())
            if event.ended in (items // 10, items):
                seen.append((me.memory_info().rss / 1e6, me.num_fds()))

    run_batch([scenes], folder / "out", recipe, Policy(), watch)
    an_item = (stamps[-1] - stamps[items // 10]) / (items - 1 - items // 10)
    some = sorted(scenes.iterdir())[: max(10, items // 10)]
    start = time.process_time()
    for path in some:
        result = unmix.unmix(path, 3, quantity="reflectance", threads=1)
    compute = (time.process_time() - start) / len(some)
    start = time.process_time()
    for path in some:
        result = unmix.unmix(path, 3, quantity="reflectance", threads=1)
        unmix.write(result, folder / "loop" / path.stem, formats=["netcdf", "csv", "geotiff"])
    loop = (time.process_time() - start) / len(some)
    (rss, files), (rss_end, files_end) = seen
    over_loop, over_compute = 1e3 * (an_item - loop), 1e3 * (an_item - compute)
    print(
        f"many: {items} items, {1e3 * an_item:.1f} ms CPU an item; over reading, unmixing and writing in a plain loop "
        f"{over_loop:.1f} ms, over unmixing alone {over_compute:.1f} ms; memory {rss:.0f} MB after a tenth, "
        f"{rss_end:.0f} MB at the end; open files {files} and {files_end}"
    )
    return over_compute < 50 and rss_end < 1.05 * rss + 5 and files_end <= files


@contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[Path]:
    """Mount a disk of this size."""
    folder.mkdir(exist_ok=True)
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    if subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        raise SystemExit("full-disk: NOT RUN, no small disk can be mounted here (it needs root)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def full_disk(folder: Path, times: int) -> bool:
    """Run with ever less room: every write is the one that fails in some run."""
    scenes = make_scenes(folder / "scenes", 4, (80, 80))
    subprocess.run(command(scenes, folder / "straight"), check=True, capture_output=True)
    expected = maps_of(folder / "straight")
    needed = sum(path.stat().st_size for path in (folder / "straight").rglob("*")) // 1024
    held, failed, told = True, 0, set()
    for kilobytes in np.unique(np.linspace(8, 1.5 * needed, times).astype(int)):
        with small_disk(folder / "disk", int(kilobytes)) as disk:
            done = subprocess.run(command(scenes, disk / "out"), capture_output=True, text=True, check=False)
            failed += done.returncode != 0
            whole = "Traceback" not in done.stderr and done.returncode in (0, 1, 2, 3)
            if done.returncode:
                text = done.stdout + done.stderr
                whole &= "space" in text
                told |= {line.split(": ")[-1] for line in text.splitlines() if "space" in line}
            if (disk / "out").exists():
                there = maps_of(disk / "out")
                whole &= there.items() <= expected.items() and not list((disk / "out").glob("*.partial"))
                manifest = disk / "out" / "manifest.jsonl"
                lines = manifest.read_bytes().splitlines() if manifest.exists() else []
                ok = {one["item"] for one in map(json.loads, lines) if one.get("state") == "ok"}
                whole &= {name.split("/")[0] for name in there} <= ok
            held &= whole
            if not whole:
                print(f"full-disk: not so with {kilobytes} kB: {done.returncode} {done.stdout} {done.stderr}")
    print(f"full-disk: {failed} of {times} sizes were too small; each said so, earlier outputs whole: {held}")
    print(f"full-disk: said {sorted(told)[:4]}")
    return held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("crashes", "workers", "many", "full-disk"))
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=None)
    chosen = parser.parse_args()
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, 512), limit))
    with tempfile.TemporaryDirectory(dir=chosen.folder) as name:
        folder = Path(name)
        held = {
            "crashes": lambda: crashes(folder, chosen.times),
            "workers": lambda: workers(folder, chosen.times),
            "many": lambda: many(folder, chosen.items),
            "full-disk": lambda: full_disk(folder, chosen.times),
        }[chosen.part]()
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
