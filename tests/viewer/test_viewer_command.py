"""``unmix view``: what it refuses before a window is opened, and a picture of a result."""

from __future__ import annotations

import shutil
import sys

import pytest
from click.testing import CliRunner

import unmix
from unmix.cli import main

pytest.importorskip("napari")


def said(*words):
    ended = CliRunner().invoke(main, ["view", *map(str, words)])
    return ended.exit_code, " ".join(ended.output.split())


def test_what_cannot_be_shown_is_refused_in_one_line(tmp_path):
    assert said(tmp_path / "none.nc") == (1, f"unmix: {tmp_path / 'none.nc'}: there is no such file.")
    (tmp_path / "a.nc").touch()
    (tmp_path / "a.png").touch()
    code, text = said(tmp_path / "a.nc", "--screenshot", tmp_path / "a.png")
    assert code == 1
    assert "exists already. Choose another name, or say --overwrite." in text
    assert "a screenshot is a .png file" in said(tmp_path / "a.nc", "--screenshot", tmp_path / "a.jpg")[1]


@pytest.fixture
def no_display(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems always have a display")
def test_without_a_display_there_is_one_line_and_a_way_out(no_display, tmp_path, monkeypatch):
    (tmp_path / "a.nc").touch()
    code, text = said(tmp_path / "a.nc")
    assert (code, "--screenshot FILE.png draws it without one." in text) == (1, True)
    monkeypatch.setattr("unmix.cli.view.shutil.which", lambda _: None)
    code, text = said(tmp_path / "a.nc", "--screenshot", tmp_path / "a.png")
    assert (code, "apt install xvfb" in text) == (1, True)


@pytest.mark.gui
@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs xvfb-run")
def test_a_result_becomes_a_picture(scene, tmp_path, no_display):
    import imageio.v3 as iio

    unmix.write(scene[1], tmp_path / "result.nc")
    code, text = said(tmp_path / "result.nc", "--screenshot", tmp_path / "window.png")
    assert (code, text) == (0, "")
    picture = iio.imread(tmp_path / "window.png")
    assert picture.shape[0] > 400
    assert picture.std() > 10


@pytest.mark.gui
def test_a_damaged_file_is_one_line_and_no_window(tmp_path, capfd):
    (tmp_path / "scene.hdr").write_text("ENVI\nsamples = 4\n")
    code, _ = said(tmp_path / "scene.hdr", "--screenshot", tmp_path / "window.png")
    assert code == 1
    assert capfd.readouterr().err.startswith("unmix: ")
    assert not (tmp_path / "window.png").exists()
