"""The package as users get it: a plain install, an editable one, and a wheel made from the source archive."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

PARTS = ("unmix", "tests", "examples", "sample_images", "docs", "benchmarks", "pyproject.toml", "README.md", "LICENSE",
         "CHANGELOG.md", "CONTRIBUTING.md", "Makefile")  # fmt: skip

LOOK = """
import json, pathlib, sys, importlib.metadata as metadata
distribution = next(d for d in metadata.distributions(path=[sys.argv[1]]) if d.name == "unmix")
import unmix
entry = next(e for e in distribution.entry_points if e.group == "napari.manifest")
module, file = entry.value.split(":")
package = pathlib.Path(unmix.__file__).parent
inside, beside = package / "sample_images", package.parent / "sample_images"
samples = inside if inside.is_dir() else beside
print(json.dumps({
    "package": str(package),
    "version": distribution.version,
    "manifest": str(package / file),
    "has_manifest": (package / file).is_file(),
    "module": module,
    "scripts": sorted(e.name for e in distribution.entry_points if e.group == "console_scripts"),
    "rio": sorted(e.name for e in distribution.entry_points if e.group == "rasterio.rio_plugins"),
    "samples": sorted(p.name for p in samples.iterdir() if not p.name.startswith(".")) if samples.is_dir() else [],
    "samples_inside": inside.is_dir(),
    "strays": sorted({f.parts[0] for f in distribution.files or []} - {"unmix"}),
}))
"""


def run(*command: object, cwd: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip_install(target: Path, *what: object) -> None:
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(*pip, "--no-deps", "--no-index", "--no-build-isolation", "--target", target, *what, cwd=target.parent)


def seen_by_a_user(target: Path) -> dict:
    """What a fresh interpreter somewhere else finds of the install in `target`, before any other install of unmix."""
    first = f"import site, sys; others = list(sys.path); site.addsitedir({str(target)!r})\n"
    first += "sys.path[:] = [p for p in sys.path if p not in others] + others\n"
    elsewhere = target.parent / "elsewhere"
    elsewhere.mkdir(exist_ok=True)
    return json.loads(run(sys.executable, "-c", first + LOOK, target, cwd=elsewhere))


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A copy of the tree, in a folder with a space in its name."""
    folder = tmp_path_factory.mktemp("a checkout") / "the tree"
    folder.mkdir()
    for part in PARTS:
        if (root / part).is_dir():
            shutil.copytree(
                root / part, folder / part, ignore=shutil.ignore_patterns("__pycache__", "*.nb?", ".*cache")
            )
        elif (root / part).exists():
            shutil.copy(root / part, folder / part)
    (folder / "napari.yaml").symlink_to("unmix/napari.yaml")
    return folder


@pytest.fixture(scope="module")
def source_archive(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    run(sys.executable, "-m", "build", "--no-isolation", "--sdist", "--outdir", folder, checkout, cwd=folder)
    return next(folder.glob("unmix-*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(source_archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from the unpacked source archive, not from the tree."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(source_archive) as archive:
        archive.extractall(folder, filter="data")
    unpacked = next(path for path in folder.iterdir() if path.is_dir())
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, unpacked, cwd=folder)
    return next(folder.glob("unmix-*.whl"))


def check(found: dict, package: Path, root: Path) -> None:
    assert Path(found["package"]) == package
    assert found["has_manifest"], found["manifest"]
    assert found["module"] == "unmix"
    assert Path(found["manifest"]).read_text() == (root / "unmix" / "napari.yaml").read_text()
    assert found["scripts"] == ["unmix"]
    assert found["rio"] == ["unmix"]
    samples = sorted(path.name for path in (root / "sample_images").iterdir() if not path.name.startswith("."))
    assert found["samples"] == samples
    assert samples


def test_plain_install(checkout: Path, tmp_path: Path, root: Path) -> None:
    target = tmp_path / "site"
    pip_install(target, checkout)
    found = seen_by_a_user(target)
    check(found, target / "unmix", root)
    assert found["samples_inside"]
    assert set(found["strays"]) <= {"..", "bin", f"unmix-{found['version']}.dist-info"}


def test_editable_install(checkout: Path, tmp_path: Path, root: Path) -> None:
    target = tmp_path / "site"
    pip_install(target, "--editable", checkout)
    found = seen_by_a_user(target)
    check(found, checkout / "unmix", root)
    assert not found["samples_inside"]


def test_wheel_from_the_source_archive(wheel: Path, tmp_path: Path, root: Path) -> None:
    target = tmp_path / "site"
    pip_install(target, wheel)
    found = seen_by_a_user(target)
    check(found, target / "unmix", root)
    assert found["samples_inside"]


def test_wheel_holds_the_package_and_the_samples_only(wheel: Path, root: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name.split("/")[0] for name in names} == {
        "unmix",
        next(n for n in names if ".dist-info/" in n).split("/")[0],
    }
    assert "unmix/napari.yaml" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    python = {str(path.relative_to(root)) for path in (root / "unmix").rglob("*.py")}
    assert python <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.endswith((".nbi", ".nbc"))]
    data = {
        str(path.relative_to(root)) for path in (root / "unmix").rglob("*") if path.suffix in (".html", ".css", ".json")
    }
    assert data <= set(names)


def test_source_archive_can_be_tested(source_archive: Path) -> None:
    with tarfile.open(source_archive) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    for needed in ("pyproject.toml", "README.md", "LICENSE", "Makefile", "unmix/napari.yaml", "tests/conftest.py"):
        assert needed in names
    assert not [name for name in names if "__pycache__" in name]


def test_manifest_in_the_root_is_the_one_in_the_package(root: Path) -> None:
    """A link where links exist; its target's name where a checkout turned the link into text."""
    text = (root / "napari.yaml").read_text()
    assert text == (root / "unmix" / "napari.yaml").read_text() or text.strip() == "unmix/napari.yaml"


def test_manifest_names_the_distribution(root: Path) -> None:
    npe2 = pytest.importorskip("npe2")
    manifest = npe2.PluginManifest.from_file(root / "unmix" / "napari.yaml")
    assert manifest.name == "unmix"
    for command in manifest.contributions.commands:
        module, function = command.python_name.split(":")
        assert (root / Path(*module.split(".")).with_suffix(".py")).is_file()
        assert function in (root / Path(*module.split(".")).with_suffix(".py")).read_text()
