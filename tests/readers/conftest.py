"""Files for the readers' tests, built by hand or by other libraries, never by the readers themselves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

CODES = {"u1": 1, "i2": 2, "i4": 3, "f4": 4, "f8": 5, "u2": 12, "u4": 13, "i8": 14, "u8": 15}
STORED = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}
"""Axes of a cube (y, x, band) in the order each interleave stores them, slowest first."""

WriteEnvi = Callable[..., Path]


def envi_text(cube: np.ndarray, interleave: str = "bil", extra: str = "", **replaced: str) -> str:
    """Return a plain header of a cube; keywords replace its keys (with _ for blanks), None leaves a key out."""
    entries = {
        "samples": cube.shape[1],
        "lines": cube.shape[0],
        "bands": cube.shape[2],
        "header offset": 0,
        "file type": "ENVI Standard",
        "data type": CODES[cube.dtype.str[1:]],
        "interleave": interleave,
        "byte order": int(cube.dtype.str[0] == ">"),
    }
    entries.update({key.replace("_", " "): value for key, value in replaced.items()})
    lines = [f"{key} = {value}" for key, value in entries.items() if value is not None]
    return "\n".join(["ENVI", *lines, extra]) + "\n"


@pytest.fixture
def write_envi(tmp_path: Path) -> WriteEnvi:
    """Write a cube (y, x, band) and its header by plain bytes; return the header's path."""

    def write(
        cube: np.ndarray,
        interleave: str = "bil",
        extra: str = "",
        name: str = "scene.hdr",
        suffix: str = ".img",
        before: bytes = b"",
        **replaced,
    ) -> Path:
        header = tmp_path / name
        header.write_text(envi_text(cube, interleave, extra, **replaced))
        header.with_suffix(suffix).write_bytes(
            before + np.ascontiguousarray(cube.transpose(STORED.get(str(interleave).lower(), STORED["bil"]))).tobytes()
        )
        return header

    return write


@pytest.fixture
def small_cube() -> np.ndarray:
    """Return a cube (5, 4, 6) of int16 whose every value is different."""
    return np.arange(5 * 4 * 6, dtype="<i2").reshape(5, 4, 6) + 100
