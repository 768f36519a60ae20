"""``unmix batch`` through its real entry point: exit codes, signals, locks, and what a stranger would see."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import unmix
from unmix.batch.lock import locked
from unmix.cli import main

from .conftest import maps_of, save_scene

FLAGS = ("-n", "3", "--quantity", "reflectance", "--format", "csv", "--format", "geotiff")


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "unmix", "batch", *map(str, arguments)]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["batch", *map(str, arguments)])


def test_from_nothing_to_done_and_again(scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out put"
    plan = call(scenes, *FLAGS, "--out", out, "--dry-run")
    assert (plan.exit_code, plan.stdout.splitlines()[0]) == (0, "a\t0.0 MB\tnew")
    assert "3 to do" in plan.stderr
    assert not out.exists()
    (scenes / "bad.npy").write_bytes(b"")
    done = call(scenes, *FLAGS, "--out", out)
    assert (done.exit_code, done.stdout.splitlines()[0]) == (1, f"3 done, 0 done before, 1 failed. Outputs: {out}")
    assert done.stdout.splitlines()[1].startswith("failed: ")
    assert "4 of 4 items" in done.stderr
    (scenes / "bad.npy").unlink()
    again = call(scenes, *FLAGS, "--out", out)
    assert (again.exit_code, again.stdout) == (0, f"0 done, 3 done before, 0 failed. Outputs: {out}\n")


def test_a_list_and_endmembers_of_a_result(scenes: Path, tmp_path: Path) -> None:
    unmix.unmix(scenes / "a.npy", 3, quantity="reflectance", out=tmp_path / "first.nc")
    (tmp_path / "list.txt").write_text(f"# two scenes\n{scenes / 'b.npy'}\n{scenes / 'east' / 'c d.npy'}\n")
    done = call("--list", tmp_path / "list.txt", "--endmembers-from", tmp_path / "first.nc", "--format", "csv",
                "--quantity", "reflectance", "--out", tmp_path / "out")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    tables = {path.read_bytes() for path in (tmp_path / "out").rglob("*.csv")}
    assert len(tables) == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.npy",), "no such file"),
        ((), "say which files"),
        (("{scenes}", "--stains", "H-DAB"), "contradict"),
        (("{scenes}", "--sparsity", "0.1"), "needs --stains"),
        (("{scenes}", "--workers", "2", "--scheduler", "tcp://x:1"), "contradict"),
        (("{scenes}", "--known", "water"), "--library"),
        (("{scenes}", "--endmembers-from", "nowhere.nc"), "no such file"),
        (("{scenes}", "--bands", "x"), "not a range"),
    ],
)
def test_what_is_refused_before_the_start_ends_with_2(
    scenes: Path, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    words = [one.format(scenes=scenes) for one in arguments]
    done = CliRunner().invoke(main, ["batch", *words, *FLAGS, "--out", str(tmp_path / "out")])
    assert (done.exit_code, done.stdout) == (2, "")
    assert said in done.stderr
    assert not (tmp_path / "out").exists()


def test_nothing_that_worked_is_3(tmp_path: Path) -> None:
    (tmp_path / "bad.npy").write_bytes(b"")
    assert call(tmp_path / "bad.npy", *FLAGS, "--out", tmp_path / "out").exit_code == 3
    (tmp_path / "empty").mkdir()
    assert call(tmp_path / "empty", *FLAGS, "--out", tmp_path / "out").exit_code == 3


def test_a_second_run_in_the_folder_is_refused_by_name(scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with locked(tmp_path / "out" / "batch.lock"):
        second = call(scenes, *FLAGS, "--out", tmp_path / "out")
    assert second.exit_code == 2
    assert f"process {os.getpid()}" in second.stderr
    assert not list((tmp_path / "out").iterdir())


@pytest.fixture
def many(tmp_path: Path) -> Path:
    for seed in range(24):
        save_scene(tmp_path / "scenes" / f"s{seed:02}.npy", seed)
    return tmp_path / "scenes"


def begun(out: Path, items: int, process: subprocess.Popen[str] | None = None) -> None:
    """Wait until some items are done."""
    for _ in range(1200):
        done = out / "manifest.jsonl"
        if done.exists() and done.read_bytes().count(b"\n") > items:
            return
        assert process is None or process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("the batch did not begin")


def tidy(out: Path) -> bool:
    return not list(out.glob("*.partial")) and not (out / "batch.lock").exists()


def test_stopped_in_every_way_it_goes_on_to_the_same_maps(many: Path, tmp_path: Path) -> None:
    """Ctrl-C in a terminal, which reaches workers too; SIGTERM; and a kill, after which nothing can tidy up."""
    out, straight = tmp_path / "out", tmp_path / "straight"
    with subprocess.Popen(
        command(many, *FLAGS, "--out", out, "--workers", "2"),
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        begun(out, 2, process)
        os.killpg(process.pid, signal.SIGINT)
        said, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "not come to" in said
    assert "go on" in errors
    assert "Traceback" not in errors
    assert tidy(out)

    def end_it() -> None:
        begun(out, 6)
        os.kill(os.getpid(), signal.SIGTERM)

    ending = threading.Thread(target=end_it)
    ending.start()
    ended = call(many, *FLAGS, "--out", out)
    ending.join()
    assert ended.exit_code == 143, ended.output
    assert "go on" in ended.stderr
    assert tidy(out)
    with subprocess.Popen(command(many, *FLAGS, "--out", out), stderr=subprocess.DEVNULL) as process:
        begun(out, 12, process)
        process.kill()
    assert call(many, *FLAGS, "--out", out).exit_code == 0
    assert call(many, *FLAGS, "--out", straight).exit_code == 0
    assert maps_of(out) == maps_of(straight)
    assert len(maps_of(out)) == 48
    states = {json.loads(line).get("state") for line in (out / "manifest.jsonl").read_text().splitlines()}
    assert states == {None, "ok"}
