"""Room beyond memory: what is written is read, nothing has a name, nothing is left."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.errors import WriteError
from unmix.scratch import MapStore, memory_budget, room_for, scratch_beside, scratch_folder


def test_a_budget_is_in_gigabytes_and_by_default_a_share_of_the_machine() -> None:
    assert memory_budget(1.5) == 1_500_000_000
    assert memory_budget(0) == 0
    assert 1e7 < memory_budget() < 1e14


def test_a_store_gives_back_what_was_written_and_zero_elsewhere(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random((2, 30, 50), np.float32)
    store = MapStore((2, 30, 50), tmp_path)
    store[:, 0:10, 0:50] = values[:, :10]
    store[:, 20:30, 7:41] = values[:, 20:, 7:41]
    expected = np.zeros_like(values)
    expected[:, :10], expected[:, 20:, 7:41] = values[:, :10], values[:, 20:, 7:41]
    np.testing.assert_array_equal(store[:], expected)
    np.testing.assert_array_equal(store.lazy().compute(scheduler="threads"), expected)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=60)
@given(st.data())
def test_any_window_of_a_store_is_that_of_the_array(data: st.DataObject) -> None:
    values = np.arange(2 * 9 * 11, dtype=np.float32).reshape(2, 9, 11)
    store = MapStore(values.shape)
    store[:, 0:9, 0:11] = values
    index = tuple(data.draw(st.one_of(st.integers(-size, size - 1), st.slices(size))) for size in values.shape)
    np.testing.assert_array_equal(store[index], values[index])


def test_a_store_refuses_what_does_not_fit_its_window() -> None:
    store = MapStore((1, 4, 4))
    with pytest.raises(ValueError, match="for the window"):
        store[:, 0:2, 0:2] = np.zeros((1, 2, 3), np.float32)


def test_room_is_in_memory_within_the_budget_and_on_disk_beyond_it(tmp_path: Path) -> None:
    within, beyond = room_for((4, 5), np.float32, 80, tmp_path), room_for((4, 5), np.float32, 79, tmp_path)
    assert not isinstance(within, np.memmap)
    assert isinstance(beyond, np.memmap)
    beyond[:] = 3
    assert beyond.sum() == 60
    assert list(tmp_path.iterdir()) == []


def test_scratch_lies_beside_the_output(tmp_path: Path) -> None:
    assert scratch_folder(tmp_path / "not" / "there") == tmp_path
    with scratch_beside(tmp_path / "out"):
        assert scratch_folder() == tmp_path
    assert scratch_folder() != tmp_path


def test_too_little_space_is_said_before_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("unmix.scratch.shutil.disk_usage", lambda _: usage)
    with pytest.raises(WriteError, match=r"GB free\. Give out= "):
        MapStore((1, 100, 100), tmp_path)
    monkeypatch.undo()
    with pytest.raises(WriteError, match="no scratch file can be made"):
        MapStore((1, 2, 2), tmp_path / "missing")


@pytest.mark.skipif(not hasattr(os, "pwrite"), reason="needs POSIX writes")
def test_a_disk_that_fills_up_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = MapStore((1, 8, 8), tmp_path)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("unmix.scratch.os.pwrite", full)
    with pytest.raises(WriteError, match="the maps need"):
        store[:, 0:8, 0:8] = np.ones((1, 8, 8), np.float32)
