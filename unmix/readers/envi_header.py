"""The text of an ENVI header: strict about what would change the numbers, lenient about how it was typed.

A header is a line ``ENVI`` and then ``key = value`` lines; a value in braces may run over several lines. Accepted: a
byte order mark, CRLF, Latin-1, upper case keys, comment lines beginning with ``;``. Refused by name: a key given
twice, braces that do not close, lists whose length is not the number of bands, sizes that are not positive whole
numbers.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import ReadError
from .naming import one_line, shown

MAX_HEADER_BYTES = 16_000_000

DATA_TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}
STORED = {"bsq": "byx", "bil": "ybx", "bip": "yxb"}

_COMPLEX = {6, 9}
_KEYS = {
    "description", "samples", "lines", "bands", "header offset", "file type", "data type", "interleave", "sensor type",
    "byte order", "wavelength", "wavelength units", "fwhm", "bbl", "band names", "data ignore value", "map info",
    "coordinate system string", "projection info", "reflectance scale factor", "data gain values", "default bands",
    "data offset values", "data reflectance gain values", "data reflectance offset values", "x start", "y start",
    "spectra names", "class names", "class lookup", "classes", "z plot titles", "z plot range", "default stretch",
}  # fmt: skip
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?\Z")
_NOT_NUMBERS = {"nan", "inf", "+inf", "-inf", "infinity"}


@dataclass(frozen=True)
class Layout:
    """Where the numbers of a raw cube are: everything needed to find one of them."""

    lines: int
    samples: int
    bands: int
    dtype: np.dtype
    interleave: str
    offset: int

    @property
    def stored(self) -> str:
        return STORED[self.interleave]

    @property
    def n_bytes(self) -> int:
        return self.offset + self.lines * self.samples * self.bands * self.dtype.itemsize


@dataclass(frozen=True)
class Header:
    """The keys of a header (lower case) with their values as text, and the file they came from."""

    path: Path
    entries: dict[str, str]

    def __contains__(self, key: str) -> bool:
        return bool(self.entries.get(key, "").strip())

    def text(self, key: str, default: str = "") -> str:
        """Return a value as text, without braces."""
        value = self.entries.get(key, default).strip()
        return value[1:-1].strip() if value.startswith("{") else value

    def items(self, key: str) -> list[str]:
        """Return a value in braces as a list of texts."""
        inside = self.text(key).strip().rstrip(",")
        return [" ".join(item.split()) for item in inside.split(",")] if inside else []

    def whole(self, key: str, default: int | None = None) -> int:
        """Return a value as a whole number from 0 upwards."""
        if key not in self:
            if default is None:
                raise self.error(f"'{key}' is missing")
            return default
        if not re.fullmatch(r"\d{1,18}", self.text(key)):
            raise self.error(f"'{key} = {_short(self.text(key))}' is not a whole number from 0 upwards")
        return int(self.text(key))

    def number(self, key: str) -> float | None:
        """Return a value as a finite number, or None where there is none."""
        if key not in self:
            return None
        return self.as_number(key, self.text(key), finite=key != "data ignore value")

    def numbers(self, key: str, n_bands: int) -> np.ndarray | None:
        """Return a list of one finite number a band, or None where there is none."""
        if key not in self:
            return None
        items = self.items(key)
        if len(items) != n_bands:
            raise self.error(f"'{key}' lists {len(items)} values for {n_bands} bands")
        return np.array([self.as_number(f"{key} {k + 1}", item) for k, item in enumerate(items)])

    def as_number(self, key: str, text: str, *, finite: bool = True) -> float:
        """Return a text as a number, naming the key it belongs to where it is none."""
        if not finite and text.lower() in _NOT_NUMBERS:
            return float(text)
        if not _NUMBER.match(text):
            raise self.error(f"'{key}' is {_short(text)!r}, which is not a number")
        value = float(text.lower().replace("d", "e"))
        if not math.isfinite(value):
            raise self.error(f"'{key}' is {_short(text)!r}, which is too large")
        return value

    def error(self, what: str) -> ReadError:
        """Return an error that names the header."""
        return ReadError(f"{shown(self.path)}: {what}.")


def read_header(path: Path) -> Header:
    """Read and parse a header file."""
    if path.stat().st_size > MAX_HEADER_BYTES:
        raise ReadError(
            f"{shown(path)} is larger than an ENVI header may be ({MAX_HEADER_BYTES:,} bytes); is it the data file?"
        )
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReadError(f"{shown(path)} cannot be read: {one_line(error)}") from error
    return parse_header(content, path)


def parse_header(content: bytes, path: Path) -> Header:
    """Parse the bytes of a header; the path is only named in errors."""
    if not content.strip():
        raise ReadError(f"{shown(path)}: the header is empty.")
    if b"\0" in content:
        raise ReadError(f"{shown(path)} is binary, not an ENVI header.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    lines = re.split(r"\r\n|\n|\r", text)
    if lines[0].strip().upper() != "ENVI":
        raise ReadError(f"{shown(path)} is not an ENVI header: it does not begin with the line 'ENVI'.")
    entries: dict[str, str] = {}
    number = 1
    while number < len(lines):
        line = lines[number].strip()
        if line and not line.startswith(";"):
            key, value, number = _entry(lines, number, path)
            if key in entries:
                raise ReadError(f"{shown(path)}, line {number + 1}: '{_short(key)}' is given twice.")
            entries[key] = value
        number += 1
    return Header(path, entries)


def layout_of(header: Header) -> Layout:
    """Return where the numbers are, or raise `ReadError` for what is missing, impossible or not supported."""
    sizes = {key: header.whole(key) for key in ("lines", "samples", "bands")}
    for key, size in sizes.items():
        if size == 0:
            raise header.error(f"'{key} = 0': there is nothing in the file")
    if header.whole("file compression", 0):
        raise header.error("the data file is compressed ('file compression = 1'). Unpack it first")
    for key in ("major frame offsets", "minor frame offsets"):
        if any(item.strip("0") for item in header.items(key)):
            raise header.error(f"'{key}' is not supported")
    interleave = header.text("interleave").lower()
    if interleave not in STORED:
        raise header.error(f"'interleave = {_short(interleave)}' is not bsq, bil or bip")
    return Layout(
        sizes["lines"],
        sizes["samples"],
        sizes["bands"],
        _data_type(header),
        interleave,
        header.whole("header offset", 0),
    )


def _data_type(header: Header) -> np.dtype:
    code = header.whole("data type")
    if code in _COMPLEX:
        raise header.error(f"'data type = {code}' is complex numbers, which cannot be unmixed")
    if code not in DATA_TYPES:
        raise header.error(f"'data type = {code}' is not known. Known: {', '.join(map(str, DATA_TYPES))}")
    order = header.whole("byte order", 0)
    if order not in (0, 1):
        raise header.error(f"'byte order = {order}' is not 0 (little endian) or 1 (big endian)")
    return np.dtype(DATA_TYPES[code]).newbyteorder("<" if order == 0 else ">")


def _entry(lines: list[str], number: int, path: Path) -> tuple[str, str, int]:
    """Return the key and the value that begin on a line, and the line they end on."""
    key, equals, value = lines[number].partition("=")
    key, value = " ".join(key.lower().split()), value.strip()
    if not equals or not key:
        raise ReadError(f"{shown(path)}, line {number + 1}: '{_short(lines[number].strip())}' is not 'key = value'.")
    if not value.startswith("{") or value.endswith("}"):
        return key, value, number
    parts, last = [value], number + 1
    while last < len(lines):
        line = lines[last].strip()
        begins = " ".join(line.partition("=")[0].lower().split()) if "=" in line else ""
        if key != "description" and begins in _KEYS:
            break
        parts.append(line)
        if line.endswith("}"):
            return key, "\n".join(parts), last
        last += 1
    raise ReadError(f"{shown(path)}, line {number + 1}: the '{{' of '{_short(key)}' is never closed.")


def _short(text: str) -> str:
    text = "".join(c if c.isprintable() else "?" for c in text)
    return text if len(text) <= 40 else text[:40] + "..."
