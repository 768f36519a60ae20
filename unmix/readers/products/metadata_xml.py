"""XML metadata of a product, read as a stranger's: no document type, no entities, no other file."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from ...errors import ReadError
from ..naming import one_line, shown

_MOST_BYTES = 200_000_000


def read_xml(path: Path) -> ElementTree.Element:
    """Return the root of an XML file, tags without their namespaces; `ReadError` where it is not plain XML."""
    if path.stat().st_size > _MOST_BYTES:
        raise ReadError(f"{shown(path)} has {path.stat().st_size:,} bytes; metadata has at most {_MOST_BYTES:,}.")
    content = path.read_bytes()
    if content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in content[:200]:
        raise ReadError(f"{shown(path)} is not UTF-8; metadata in UTF-16 is not read.")
    if b"<!doctype" in content.lower() or b"<!entity" in content.lower():
        raise ReadError(f"{shown(path)} declares a document type or entities, which are never followed.")
    try:
        root = ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise ReadError(f"{shown(path)} is damaged XML: {one_line(error)}") from error
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rsplit("}", 1)[-1]
    return root


def number_in(element: ElementTree.Element, name: str, path: Path, default: float | None = None) -> float:
    """Return the number in a child, or the default where it is missing or empty; `ReadError` without one."""
    text = element.findtext(name)
    if text is None or not text.strip():
        if default is None:
            raise ReadError(f"{shown(path)}: a band has no {name}.")
        return default
    try:
        return float(text)
    except ValueError as error:
        raise ReadError(f"{shown(path)}: {name} of a band is {text.strip()[:40]!r}, which is no number.") from error


def beside(path: Path, name: str) -> Path | None:
    """Return the file of this name in the folder of `path`, upper or lower case alike; None where there is none."""
    exact = path.with_name(name)
    if exact.is_file():
        return exact
    try:
        others = [entry for entry in path.parent.iterdir() if entry.name.lower() == name.lower()]
    except OSError:
        return None
    return next((entry for entry in others if entry.is_file()), None)


def inside(folder: Path, name: str) -> Path:
    """Return a file that metadata names below its own folder; `ReadError` where the name leads outside."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()):
        raise ReadError(f"{name[:80]!r} leads outside {shown(folder)}, and is never opened.")
    return target
