"""Where compiled kernels lie on disk: one file a variant, so that processes compiling side by side cannot mix them up.

Numba numbers its files in an index that every process rewrites: two that compile different variants of one kernel at
the same moment can both take a number, and the index then leads to the other's code for good. Here the types name the
file, and the file says what it was compiled from: the kernel and all kernels it calls, which numba does not look at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from numba.core.caching import IndexDataCacheFile
from numba.core.dispatcher import Dispatcher


class VariantFiles(IndexDataCacheFile):
    """The compiled variants of one kernel, in the folder and under the base name numba chose for it."""

    def __init__(self, kernel: Any) -> None:
        self.__dict__.update(vars(kernel._cache._cache_file))
        self._kernel = kernel

    def load(self, key: tuple[Any, ...]) -> Any:
        """Return what was compiled for these types from these sources, or None."""
        try:
            sources, variant = self._load_data(self._name(key))
        except (OSError, EOFError, ImportError, AttributeError):  # also where a module or kernel it names is gone
            return None
        return variant if sources == self._sources() else None

    def save(self, key: tuple[Any, ...], data: Any) -> None:
        """Keep one variant; the last of several that compiled the same one stays."""
        self._save_data(self._name(key), (self._sources(), data))

    def _name(self, key: tuple[Any, ...]) -> str:
        types, machine, _ = key
        return self._data_name_pattern.format(number=_number(repr((types, machine))))

    def _sources(self) -> list[str]:
        """Say what numba, which files and which constants the kernel and those it calls are made of."""
        stamps = {f"numba {self._version}"}
        for kernel in _called_by(self._kernel, set()):
            stamps.add(f"{kernel.py_func.__module__} {kernel._cache._cache_file._source_stamp}")
            stamps.update(f"{name} = {value!r}" for name, value in _globals_of(kernel) if isinstance(value, _CONSTANT))
        return sorted(stamps)


_CONSTANT = (bool, int, float, complex, str, tuple)


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _called_by(kernel: Any, seen: set[int]) -> Iterator[Any]:
    if id(kernel) in seen:
        return
    seen.add(id(kernel))
    yield kernel
    for _, value in _globals_of(kernel):
        if isinstance(value, Dispatcher):
            yield from _called_by(value, seen)


def _globals_of(kernel: Any) -> Iterator[tuple[str, Any]]:
    """Walk the names of its module that a kernel reads."""
    function = kernel.py_func
    for name in function.__code__.co_names:
        if name in function.__globals__:
            yield name, function.__globals__[name]
