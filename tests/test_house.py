"""The house: who may import whom, how large a file may be, which names and calls do not occur, what import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "unmix"

FLOORS: tuple[tuple[frozenset[str], ...], ...] = (
    (frozenset({"errors", "quantity", "usable_pixels", "conventions"}),),
    (frozenset({"nmf"}), frozenset({"metrics"})),
    (frozenset({"image"}), frozenset({"result"}), frozenset({"options"})),
    (
        frozenset({"blocks", "indexing", "scratch", "stores", "engines", "parts", "spread", "sampling", "ground_grid"}),
        frozenset({"light"}),
        frozenset({"materials"}),
        frozenset({"provenance"}),
    ),
    (frozenset({"fits"}), frozenset({"readers"}), frozenset({"writers"}), frozenset({"synthetic", "samples"})),
    (
        frozenset(
            {
                "pipeline",
                "endmembers",
                "prepare",
                "abundance_maps",
                "slides",
                "rank",
                "uncertainty",
                "best_subsets",
                "library_names",
                "stain_vectors",
                "dye_references",
            }
        ),
        frozenset({"normalise"}),
        frozenset({"measure"}),
    ),
    (frozenset({"batch", "worker_start"}), frozenset({"report"})),
    (frozenset({"cli"}), frozenset({"viewer"})),
)
"""From the lowest floor to the highest; a set is one room, whose files may import each other."""


SCREEN_LIBRARIES = {
    "napari",
    "magicgui",
    "qtpy",
    "PyQt5",
    "PyQt6",
    "PySide2",
    "PySide6",
    "pyqtgraph",
    "npe2",
    "superqt",
}
FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "imp"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "input", "print", "breakpoint"}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc", "tools", "stuff"}
MAY_PRINT = {"cli"}
HEAVY = ("xarray", "numba", "dask", "scipy", "sklearn", "skimage", "rasterio", "tifffile", "h5py", "matplotlib",
         "napari", "qtpy", "PyQt6", "PyQt5", "PySide6", "pandas", "numpy")  # fmt: skip


@cache
def files() -> tuple[Path, ...]:
    return tuple(sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts))


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(text_of(path))))


def none_of(offences: Iterator[str]) -> None:
    """Fail with every offence, a line each."""
    found = list(offences)
    assert not found, "\n".join(["", *found])


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def floor_and_room(name: str) -> tuple[int, int]:
    for floor, rooms in enumerate(FLOORS):
        for index, room in enumerate(rooms):
            if name in room:
                return floor, index
    raise AssertionError(f"unmix/{name} has no floor: give it one in DESIGN section 5 and here")


def imported_rooms(path: Path) -> Iterator[tuple[str, int]]:
    """Yield (first part below unmix, line) of every import inside the package, late ones too."""
    package = ["unmix", *path.relative_to(PACKAGE).parts[:-1]]
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            whole = [*base, *(node.module.split(".") if node.module else [])]
            if whole[:1] == ["unmix"]:
                if len(whole) > 1:
                    yield whole[1], node.lineno
                else:
                    yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                parts = alias.name.split(".")
                if parts[0] == "unmix":
                    yield (parts[1] if len(parts) > 1 else "unmix"), node.lineno


def outside_imports(path: Path) -> Iterator[tuple[str, int]]:
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module.split(".")[0], node.lineno


def test_every_file_has_a_floor() -> None:
    for path in files():
        if path.parent != PACKAGE or path.stem not in ("__init__", "__main__"):
            assert floor_and_room(room_of(path)) is not None, path


def wrong_imports() -> Iterator[str]:
    for path in files():
        me = room_of(path)
        for room, line in imported_rooms(path):
            if me in ("__init__", "__main__") or room == "__version__":
                continue
            if room == "unmix":
                yield f"{path.relative_to(ROOT)}:{line} imports the whole package"
                continue
            (mine, my_room), (theirs, their_room) = floor_and_room(me), floor_and_room(room)
            if (mine, my_room) != (theirs, their_room) and theirs >= mine:
                yield f"{path.relative_to(ROOT)}:{line}: {me} imports {room}, which is not below it"


def test_imports_go_down() -> None:
    none_of(wrong_imports())


def test_the_imports_are_really_read() -> None:
    """A floor test that sees no import would always pass."""
    seen = {(room_of(path), room) for path in files() for room, _ in imported_rooms(path)}
    assert {("endmembers", "fits"), ("fits", "nmf"), ("image", "errors"), ("prepare", "readers")} <= seen
    assert len(seen) > 40


def too_large_or_ill_named() -> Iterator[str]:
    for path in files():
        lines = text_of(path).splitlines()
        where = path.relative_to(ROOT)
        if len(lines) > 400:
            yield f"{where} has {len(lines)} lines"
        if FORBIDDEN_NAMES & {part.removesuffix(".py") for part in path.relative_to(PACKAGE).parts}:
            yield f"{where} says nothing by its name"
        yield from (f"{where}:{k} is longer than 120" for k, line in enumerate(lines, 1) if len(line) > 120)


def test_a_file_is_of_one_meaning() -> None:
    none_of(too_large_or_ill_named())


def long_functions() -> Iterator[str]:
    for path in files():
        for node in nodes_of(path):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
                length = (node.end_lineno or 0) - body[0].lineno + 1
                if length > 60:
                    yield f"{path.relative_to(ROOT)}: {node.name} has {length} lines"


def test_functions_fit_on_a_screen() -> None:
    none_of(long_functions())


def unsafe(path: Path) -> Iterator[str]:
    yield from (f"{line} imports {name}" for name, line in outside_imports(path) if name in FORBIDDEN_MODULES)
    forbidden = FORBIDDEN_CALLS - ({"print"} if room_of(path) in MAY_PRINT else set())
    for node in nodes_of(path):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in forbidden:
            yield f"{node.lineno} calls {node.func.id}"
        if isinstance(node, ast.keyword) and node.arg in ("allow_pickle", "shell"):
            allowed = isinstance(node.value, ast.Constant) and node.value.value is False
            yield from () if allowed else (f"{node.lineno}: {node.arg} is not False",)
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield f"{node.lineno} catches everything"
            if len(node.body) == 1 and isinstance(node.body[0], ast.Pass):
                yield f"{node.lineno} passes"


def test_nothing_unsafe_is_called() -> None:
    none_of(f"{path.relative_to(ROOT)}:{what}" for path in files() for what in unsafe(path))


def test_only_the_viewer_names_a_screen_library() -> None:
    none_of(
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in files()
        if room_of(path) != "viewer"
        for name, line in outside_imports(path)
        if name in SCREEN_LIBRARIES
    )


def unfinished() -> Iterator[str]:
    for path in files():
        text, where = text_of(path), path.relative_to(ROOT)
        yield from (f"{where} has a {mark}" for mark in {"TODO", "FIXME", "XXX"} & set(text.replace(":", " ").split()))
        if "raise NotImplementedError" in text:
            yield f"{where} is not implemented"
        if (path.name != "__init__.py" or path.parent == PACKAGE) and not ast.get_docstring(nodes_of(path)[0]):
            yield f"{where} does not say what it is"


def test_no_unfinished_work() -> None:
    none_of(unfinished())


def test_every_rule_sees_what_breaks_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rule that sees nothing would always pass."""
    package = tmp_path / "unmix"
    (package / "nmf").mkdir(parents=True)
    body = "\n".join(f"    x = {k}" for k in range(61))
    calls = "import napari, pickle\nfrom ..viewer import layers\neval('1')\n"
    calls += "try:\n    load(allow_pickle=True)\nexcept:\n    pass\n"
    wide = f"# TODO {'x' * 120}\n"
    (package / "nmf" / "utils.py").write_text(f"{calls}{wide}def long():\n{body}\n" + 400 * "\n")
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    monkeypatch.setitem(globals(), "PACKAGE", package)
    monkeypatch.setitem(globals(), "files", lambda: (package / "nmf" / "utils.py",))
    assert len(list(wrong_imports())) == 1
    assert len(list(too_large_or_ill_named())) == 3
    assert len(list(long_functions())) == 1
    assert len(list(unsafe(files()[0]))) == 5
    assert len(list(unfinished())) == 2
    with pytest.raises(AssertionError, match="napari"):
        test_only_the_viewer_names_a_screen_library()


def run_fresh(code: str) -> str:
    """Run code in a new interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout


def test_import_unmix_is_light() -> None:
    loaded = run_fresh("import sys, unmix; print(*sorted(sys.modules))").split()
    assert not set(HEAVY) & set(loaded)
    assert len([name for name in loaded if name.startswith("unmix.")]) == 0


@pytest.mark.parametrize("name", ["errors", "options", "nmf"])
def test_light_rooms_stay_light(name: str) -> None:
    code = f"import sys, unmix, importlib; importlib.import_module('unmix.{name}'); print(*sys.modules)"
    assert not {"xarray", "numba", "dask", "napari", "qtpy", "rasterio", "matplotlib"} & set(run_fresh(code).split())


def test_the_pipeline_needs_no_screen_and_no_file_library() -> None:
    code = "import sys, unmix.pipeline; print(*sys.modules)"
    wanted_late = {
        "rasterio",
        "tifffile",
        "h5py",
        "matplotlib",
        "napari",
        "qtpy",
        "PyQt6",
        "sklearn",
        "skimage",
        "numba",
    }
    assert not wanted_late & set(run_fresh(code).split())


def test_tests_have_names_of_their_own() -> None:
    """pytest imports test files by their base name: two of one name would hide each other."""
    names = [path.name for path in (ROOT / "tests").rglob("test_*.py")]
    assert len(names) == len(set(names)), sorted({n for n in names if names.count(n) > 1})
