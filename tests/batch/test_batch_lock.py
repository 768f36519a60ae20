"""One run at a time: a second is refused by name, a dead one's lock is taken over, another machine's never."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from unmix.batch.lock import locked
from unmix.errors import OptionError

HOLD = "import sys, time; from pathlib import Path; from unmix.batch.lock import locked\nwith locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"  # noqa: E501


def test_a_second_run_is_refused_and_a_killed_one_is_not_waited_for(tmp_path: Path, root: Path) -> None:
    lock = tmp_path / "batch.lock"
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OptionError, match=f"process {holder.pid} on {platform.node()}"), locked(lock):
            pass
        holder.kill()
        holder.wait()
    assert lock.exists()
    with locked(lock):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert not lock.exists()


def test_a_lock_of_another_machine_is_never_taken_over(tmp_path: Path) -> None:
    lock = tmp_path / "batch.lock"
    lock.write_text(json.dumps({"pid": 1, "host": "elsewhere", "start": "2026-01-01"}))
    with pytest.raises(OptionError, match="process 1 on elsewhere, since 2026-01-01") as caught, locked(lock):
        pass
    assert str(lock) in str(caught.value)
    assert json.loads(lock.read_text())["host"] == "elsewhere"


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"pid": "x"}'])
def test_a_senseless_lock_without_a_holder_is_taken_over(tmp_path: Path, content: str) -> None:
    lock = tmp_path / "batch.lock"
    lock.write_text(content)
    if "pid" in content:
        with pytest.raises(OptionError, match="in use"), locked(lock):
            pass
        return
    with locked(lock):
        assert json.loads(lock.read_text())["host"] == platform.node()
