"""Examples in docstrings are run, and every public function has one, with its parameters and what it returns."""

from __future__ import annotations

import doctest
import importlib
import inspect
import warnings
from pathlib import Path

import pytest

import unmix
from unmix.errors import UnmixWarning

PACKAGE = Path(unmix.__file__).parent


def modules_with_examples() -> list[str]:
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        if ">>> " in path.read_text(encoding="utf-8"):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return names


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_give_what_they_say(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnmixWarning)
        found = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 0
    assert found.failed == 0, f"python -m doctest shows {found.failed} of {found.attempted} examples failing in {name}"


def public_objects() -> list[tuple[str, object]]:
    found = [(name, getattr(unmix, name)) for name in unmix.__all__]
    for module in (unmix.nmf, unmix.metrics):
        names = getattr(module, "__all__", None) or [n for n in vars(module) if not n.startswith("_")]
        found += [(f"{module.__name__}.{n}", getattr(module, n)) for n in names]
    mine = [(n, o) for n, o in found if getattr(o, "__module__", "").startswith("unmix.")]
    return [(n, o) for n, o in mine if inspect.isfunction(o) or inspect.isclass(o)]


@pytest.mark.parametrize(("name", "item"), public_objects())
def test_public_docstrings_follow_numpydoc(name: str, item: object) -> None:
    text = inspect.getdoc(item) or ""
    if inspect.isclass(item) and issubclass(item, Exception):
        assert text
        return
    first = text.split("\n\n")[0]
    assert first.endswith("."), f"{name}: the first sentence ends with a full stop"
    if inspect.isfunction(item):
        assert "Examples\n--------" in text, f"{name} has no example"
        documented = text.split("Parameters\n----------", 1)[-1]
        for parameter in inspect.signature(item).parameters:
            assert parameter in documented, f"{name} does not document {parameter}"
        if "Parameters\n" in text:
            assert "Returns\n-------" in text, f"{name} does not say what it returns"
