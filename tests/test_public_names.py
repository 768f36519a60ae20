"""The public names of the design exist, are what they are said to be, and hide nothing."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import unmix
from unmix import errors

FUNCTIONS = {
    "read": ("source", {"level", "region", "series", "key", "quantity", "scale", "bands", "exclude"}),
    "as_image": ("values", {"wavelengths", "quantity", "valid", "pixel_size", "crs", "transform"}),
    "unmix": ("image", {"n_endmembers", "endmembers", "quantity", "method", "mask", "out"}),
    "separate_stains": ("image", {"stains", "stain_matrix", "white_point"}),
    "find_endmembers": ("image", {"n_endmembers"}),
    "map_abundances": ("image", {"endmembers"}),
    "write": ("result", {"formats", "overwrite"}),
}
CLASSES = ("Options", "SeparableNMF")
MODULES = (
    "batch", "dye_references", "engines", "errors", "measure", "metrics", "nmf", "normalise", "stain_vectors",
    "synthetic",
)  # fmt: skip
SOLVERS = ("successive_projection", "smoothed_successive_projection", "solve_abundances", "refine", "SeparableNMF")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_has_the_parameters_of_the_design(name: str) -> None:
    first, others = FUNCTIONS[name]
    function = getattr(unmix, name)
    parameters = inspect.signature(function).parameters
    assert next(iter(parameters)) == first
    assert others <= set(parameters)
    positional = [p.name for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert len(positional) <= 2, f"{name} takes {positional} without a keyword"


def test_defaults_of_the_design() -> None:
    assert inspect.signature(unmix.read).parameters["level"].default == 0
    assert inspect.signature(unmix.separate_stains).parameters["stains"].default == ("hematoxylin", "eosin")
    assert inspect.signature(unmix.write).parameters["overwrite"].default is False


def test_classes_modules_and_solvers() -> None:
    assert all(inspect.isclass(getattr(unmix, name)) for name in CLASSES)
    assert all(inspect.ismodule(getattr(unmix, name)) for name in MODULES)
    assert all(callable(getattr(unmix.nmf, name)) for name in SOLVERS)
    assert set(SOLVERS) <= set(dir(unmix.nmf))
    for name in ("spectral_angle", "match_endmembers", "abundance_rmse"):
        assert callable(getattr(unmix.metrics, name))


def test_every_announced_name_resolves_and_no_other_does() -> None:
    assert set(unmix.__all__) <= set(dir(unmix))
    for name in unmix.__all__:
        assert getattr(unmix, name) is not None
    assert {*FUNCTIONS, *CLASSES, *MODULES} <= set(unmix.__all__)
    with pytest.raises(AttributeError):
        unmix.nonsense  # noqa: B018


def test_no_public_name_hides_a_module() -> None:
    modules = {module.name for module in pkgutil.iter_modules(unmix.__path__)}
    assert modules & set(unmix.__all__) == set(MODULES)
    inside = {module.name for module in pkgutil.iter_modules(unmix.nmf.__path__)}
    shadowed = inside & set(unmix.nmf.__all__)
    code = "import unmix.nmf as n, inspect; import unmix.nmf.{0}; print(inspect.isfunction(n.{0}))"
    for name in shadowed:
        done = subprocess.run([sys.executable, "-c", code.format(name)], capture_output=True, text=True, check=False)
        assert done.stdout.strip() == "True", f"nmf.{name} is the function or the module, by the order of imports"


def test_a_name_means_the_same_however_it_is_reached() -> None:
    code = (
        "import unmix, unmix.pipeline, unmix.nmf.refine, unmix.readers, unmix.writers;"
        "print(unmix.unmix is unmix.pipeline.unmix, callable(unmix.unmix), callable(unmix.read), callable(unmix.write))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 4


def test_errors_are_one_family() -> None:
    family = [c for c in vars(errors).values() if inspect.isclass(c) and c.__module__ == errors.__name__]
    for child in family:
        assert issubclass(child, (errors.UnmixError, errors.UnmixWarning))
    assert issubclass(errors.DataError, ValueError)
    assert issubclass(errors.OptionError, ValueError)
    assert issubclass(errors.ReadError, OSError)
    assert issubclass(errors.WriteError, OSError)
    assert issubclass(errors.ConvergenceWarning, errors.UnmixWarning)
    assert issubclass(errors.UnmixWarning, UserWarning)


def test_top_function_is_a_table_of_contents() -> None:
    source = Path(inspect.getsourcefile(unmix.unmix) or "").read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and node.name in ("unmix", "_run"):
            assert (node.end_lineno or 0) - node.body[1].lineno < 30
