"""The manifest: valid, found, its names lead to callables, and the two files agree."""

from __future__ import annotations

import fnmatch

import pytest

npe2 = pytest.importorskip("npe2")


@pytest.fixture(scope="module")
def manifest(root):
    return npe2.PluginManifest.from_file(root / "unmix" / "napari.yaml")


def test_npe2_validate_passes(root):
    import subprocess
    import sys

    command = [sys.executable, "-m", "npe2", "validate", "unmix/napari.yaml"]
    ended = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "valid" in ended.stdout


def test_the_installed_manifest_is_the_one_in_the_tree(manifest):
    assert npe2.PluginManifest.from_distribution("unmix").contributions == manifest.contributions


def test_root_manifest_leads_to_the_packages(root):
    text = (root / "napari.yaml").read_text()
    assert text == (root / "unmix" / "napari.yaml").read_text() or text.strip() == "unmix/napari.yaml"


def test_every_command_is_callable(manifest):
    pytest.importorskip("qtpy.QtWidgets")
    commands = manifest.contributions.commands
    assert len(commands) == 6
    for command in commands:
        assert callable(npe2.manifest.utils.import_python_name(command.python_name))


def test_every_contribution_has_its_command(manifest):
    known = {command.id for command in manifest.contributions.commands}
    given = [*manifest.contributions.readers, *manifest.contributions.widgets, *manifest.contributions.writers]
    assert {contribution.command for contribution in given} == known


def test_the_reader_claims_no_files_of_everybody(manifest):
    assert not any(
        fnmatch.fnmatch(name, p)
        for reader in manifest.contributions.readers
        for p in reader.filename_patterns
        for name in ("a", "a.tif", "a.tiff", "a.ome.tif", "a.png", "a.jpg", "a.npy", "a.csv", "a")
    )


def test_the_samples_are_the_samples(manifest):
    from unmix.samples import sample_names
    from unmix.viewer.samples import SCHEME

    assert [sample.key for sample in manifest.contributions.sample_data] == list(sample_names())
    for sample in manifest.contributions.sample_data:
        assert (sample.uri, sample.reader_plugin) == (SCHEME + sample.key, "unmix")


def test_the_keys_are_documented(root):
    pytest.importorskip("napari")
    from unmix.viewer.keys import KEYS

    page = (root / "docs" / "napari.md").read_text()
    for key in KEYS:
        assert f"| {key.replace('Control', 'Ctrl').replace('-', '+')} |" in page


def test_every_preference_has_a_title(manifest):
    parts = manifest.contributions.configurations.values()
    held = {name: about.title for part in parts for name, about in part.properties.items()}
    assert held == {
        "threads": "Threads",
        "memory": "Memory",
        "cursor_box": "Pixels around the mouse",
        "endmembers": "Endmembers",
    }


def test_every_claimed_ending_is_looked_into(manifest):
    from unmix.viewer.claims import FOLDER, STARTS

    (reader,) = [one for one in manifest.contributions.readers if one.command == "unmix.read"]
    assert sorted(pattern.removeprefix("*") for pattern in reader.filename_patterns) == sorted([*STARTS, FOLDER])


@pytest.mark.parametrize(
    ("text", "expected"), [("", {}), (" red , #0000ff", {"endmember 1": (1, 0, 0), "endmember 2": (0, 0, 1)})]
)
def test_default_colours_of_endmembers(monkeypatch, text, expected):
    pytest.importorskip("napari")
    from unmix.viewer import settings

    monkeypatch.setattr(settings, "_preference", lambda *_: text)
    found = settings.default_colours()
    assert {name: tuple(map(float, colour)) for name, colour in found.items()} == expected


def test_default_colours_that_are_none(monkeypatch):
    pytest.importorskip("napari")
    from unmix.errors import OptionError
    from unmix.viewer import settings

    monkeypatch.setattr(settings, "_preference", lambda *_: "red, notacolour")
    with pytest.raises(OptionError, match="notacolour are not all colours"):
        settings.default_colours()
