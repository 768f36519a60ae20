"""Compiled kernels on disk: a file a variant, and none that is older than what it was compiled from."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from weakref import WeakValueDictionary

import numpy as np
import pytest
from numba.core import config
from numba.core.environment import Environment

from unmix.nmf.compiled_files import VariantFiles
from unmix.nmf.kernels import dot_rows

INNER = """
from unmix.nmf.compiled import kernel
SHIFT = {shift}

@kernel
def inner(values):
    return {factor} * values[0]
"""
OUTER = """
from unmix.nmf.compiled import kernel
from inner_of_test import SHIFT, inner

@kernel
def outer(values):
    return inner(values) + SHIFT
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(config, "CACHE_DIR", "")  # beside the sources, whatever the environment says
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # sources of one second and size would share a bytecode file
    (tmp_path / "outer_of_test.py").write_text(OUTER)
    write_inner(tmp_path)
    yield tmp_path
    forget()


def write_inner(folder: Path, factor: int = 2, shift: int = 10) -> None:
    (folder / "inner_of_test.py").write_text(INNER.format(factor=factor, shift=shift))


def forget() -> None:
    for name in ("inner_of_test", "other_of_test", "outer_of_test"):
        sys.modules.pop(name, None)


def fresh(folder: Path) -> ModuleType:
    """Import the outer kernel as a new process would."""
    forget()
    importlib.invalidate_caches()
    specification = importlib.util.spec_from_file_location("outer_of_test", folder / "outer_of_test.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def variants(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*outer*.nbc"))


def test_the_installed_numba_keeps_kernels_where_this_package_says() -> None:
    assert isinstance(dot_rows._cache._cache_file, VariantFiles)


def test_two_processes_compiling_two_variants_at_once_do_not_mix_them_up(folder: Path) -> None:
    one, other = fresh(folder).outer, fresh(folder).outer
    values = np.ones(3)
    readonly = np.ones(3)
    readonly.flags.writeable = False
    assert one(values) == other(readonly) == 12
    assert len(variants(folder)) == 2
    assert not list(folder.rglob("*.nbi"))
    third = fresh(folder).outer
    assert third(values) == third(readonly) == third(np.ones(3, np.float32)) == 12
    hits, misses = third.stats.cache_hits, third.stats.cache_misses
    assert (sum(hits.values()), sum(misses.values())) == (2, 1)


@pytest.mark.parametrize(("factor", "shift", "answer"), [(3, 10, 13), (2, 20, 22)])
def test_an_edit_of_what_a_kernel_calls_or_reads_compiles_it_anew(
    folder: Path, factor: int, shift: int, answer: int
) -> None:
    assert fresh(folder).outer(np.ones(3)) == 12
    write_inner(folder, factor, shift)
    changed = fresh(folder).outer
    assert changed(np.ones(3)) == answer
    assert not changed.stats.cache_hits
    assert len(variants(folder)) == 1, "the old variant is replaced, not kept"
    assert fresh(folder).outer(np.ones(3)) == answer


def test_a_file_cut_short_by_a_crash_is_compiled_anew(folder: Path) -> None:
    assert fresh(folder).outer(np.ones(3)) == 12
    variants(folder)[0].write_bytes(b"")
    assert fresh(folder).outer(np.ones(3)) == 12
    assert variants(folder)[0].stat().st_size > 0


def test_what_was_compiled_with_a_module_that_is_gone_is_compiled_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.ones(3)
    assert fresh(folder).outer(values) == 12
    (folder / "inner_of_test.py").unlink()
    (folder / "other_of_test.py").write_text(INNER.format(factor=3, shift=10))
    outer = folder / "outer_of_test.py"
    stamp = outer.stat()
    outer.write_text(OUTER.replace("inner_of_test", "other_of_test"))
    os.utime(outer, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    monkeypatch.setattr(Environment, "_memo", WeakValueDictionary())  # a new process remembers no modules
    assert fresh(folder).outer(values) == 13
