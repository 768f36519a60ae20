"""The manifest: whatever a crash leaves of it, the lines before are kept and the next one is whole."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.batch.manifest import Manifest
from unmix.errors import OptionError, UnmixWarning, WriteError


def record(k: int) -> dict[str, Any]:
    return {"item": f"scene {k}", "state": "ok", "n": k}


def written(path: Path, n: int) -> bytes:
    manifest = Manifest(path)
    for k in range(n):
        manifest.append(record(k))
    return path.read_bytes()


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(0, 400))
def test_cut_anywhere_the_whole_lines_stay_and_the_next_is_whole(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = tmp_path_factory.mktemp("m") / "manifest.jsonl"
    content = written(path, 5)[:cut]
    path.write_bytes(content)
    manifest = Manifest(path)
    n_whole = content.count(b"\n")
    assert list(manifest.last) == [f"scene {k}" for k in range(n_whole)]
    manifest.append(record(9))
    lines = path.read_bytes().decode().splitlines()
    assert [json.loads(line)["item"] for line in lines] == [*(f"scene {k}" for k in range(n_whole)), "scene 9"]


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_give_records_a_warning_or_one_line(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("m") / "manifest.jsonl"
    path.write_bytes(content)
    with pytest.warns(UnmixWarning) if _has_senseless_line(content) else _nothing():
        manifest = Manifest(path)
    manifest.append(record(1))
    with pytest.warns(UnmixWarning) if _has_senseless_line(content) else _nothing():
        assert Manifest(path).last["scene 1"]["n"] == 1


def _nothing() -> Any:
    from contextlib import nullcontext

    return nullcontext()


def _has_senseless_line(content: bytes) -> bool:
    whole = content[: content.rfind(b"\n") + 1]
    return bool(whole.splitlines())  # random bytes are no record


def test_a_newer_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "manifest.jsonl"
    path.write_text('{"manifest": 2}\n')
    with pytest.raises(OptionError, match="newer"):
        Manifest(path)


@pytest.mark.parametrize("failing", ["fsync", "write"])
def test_a_full_disk_leaves_the_manifest_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "manifest.jsonl"
    before = written(path, 2)
    manifest = Manifest(path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full) if failing == "fsync" else patched.setattr(
            "unmix.batch.manifest._write_all", full
        )
        with pytest.raises(WriteError, match="no space"):
            manifest.append(record(2))
    assert path.read_bytes() == before
    manifest.append(record(3))
    assert list(Manifest(path).last) == ["scene 0", "scene 1", "scene 3"]
