"""A run as Python, as a command and as JSON: each does exactly that run again."""

from __future__ import annotations

import shlex
import subprocess
import sys

import numpy as np
import pytest

import unmix
from unmix.errors import OptionError
from unmix.samples import sample_path
from unmix.viewer.recipe import Recipe, read_settings, recipe_of
from unmix.viewer.request import Known, Request
from unmix.viewer.sources import SourceLayer, source_of_layer

pytest.importorskip("napari")


@pytest.fixture
def file(tmp_path):
    rng = np.random.default_rng(5)
    values = rng.dirichlet(np.full(3, 0.3), (40, 30)) @ rng.random((3, 12)) + rng.normal(0, 1e-3, (40, 30, 12))
    path = tmp_path / "scene of today.npy"
    np.save(path, values.astype(np.float32))
    return path


def request_for(path, **asked) -> Request:
    from napari.layers import Layer

    from unmix.viewer.sources import layer_of_image

    return Request(source_of_layer(Layer.create(*layer_of_image(unmix.read(path)))), **asked)


def silent(stage: str, done: int, total: int) -> None:
    """Take no notice."""


def known_of(result) -> Known:
    return Known(("soil", "water", 'it\'s "green"'), result["endmembers"].values)


@pytest.mark.parametrize(
    "options",
    [{"quantity": "reflectance"}, {"constraint": "sum_to_one", "anchor_fraction": 0.00125, "quantity": "radiance"}],
)
def test_the_python_gives_the_same_numbers(file, options):
    request = request_for(file, n_endmembers=3, options=options)
    result, space = request.run(silent), {}
    exec(recipe_of(request).as_python(), space)
    np.testing.assert_array_equal(space["result"]["abundances"].values, result["abundances"].values)


def test_the_python_of_pinned_endmembers_gives_the_same_numbers_and_names(file):
    said = {"quantity": "reflectance"}
    first = request_for(file, n_endmembers=3, options=said).run(silent)
    request = request_for(file, n_endmembers=3, known=known_of(first), options=said)
    result, space = request.run(silent), {}
    exec(recipe_of(request).as_python(), space)
    assert list(space["result"]["endmember"].values) == ["soil", "water", 'it\'s "green"']
    np.testing.assert_array_equal(space["result"]["abundances"].values, result["abundances"].values)


def sample_requests() -> dict[str, Request]:
    """Return a run of each kind on the samples: found, pinned and partly pinned."""
    coast, tissue, cells = (sample_path(key) for key in ("coast", "tissue_he", "cells_lambda"))
    said = {"quantity": "brightfield"}
    first = request_for(coast, n_endmembers=4).run(silent)["endmembers"].values
    stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
    pair = ("hematoxylin", "eosin")
    return {
        "scene": request_for(coast, n_endmembers=4, options={"bands": (400.0, 1300.0), "constraint": "sum_to_one"}),
        "stains": request_for(tissue, stains=pair, options=said),
        "dyes": request_for(cells, n_endmembers=5),
        "pinned": request_for(coast, known=Known(("sand", "sea"), first[:2])),
        "partly pinned": request_for(coast, n_endmembers=4, known=Known(("sand", "sea"), first[:2])),
        "pinned stains": request_for(tissue, stains=pair, known=Known(pair, stains), options=said),
    }


def test_the_python_gives_the_same_numbers_in_a_fresh_process(tmp_path):
    requests = sample_requests()
    for name, request in requests.items():
        (tmp_path / f"{name}.py").write_text(recipe_of(request).as_python(), encoding="utf-8")
    (tmp_path / "all.py").write_text(_RUN_EACH, encoding="utf-8")
    done = subprocess.run([sys.executable, "all.py", *requests], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, request in requests.items():
        expected, found = request.run(silent), unmix.open_result(tmp_path / f"{name}.nc")
        assert list(found["endmember"].values) == list(expected["endmember"].values), name
        for part in ("abundances", "endmembers", "residual"):
            np.testing.assert_array_equal(found[part].values, expected[part].values, err_msg=f"{name}: {part}")


_RUN_EACH = """
import runpy, sys, unmix
for name in sys.argv[1:]:
    unmix.write(runpy.run_path(name + ".py")["result"], name + ".nc")
"""


def view_of_file(file, step: int = 1):
    """Return the request for what would be on screen of a file, every so many pixels."""
    from napari.components import ViewerModel
    from napari.layers import Layer

    from unmix.viewer.sources import layer_of_image
    from unmix.viewer.view import cut_view

    viewer = ViewerModel()
    data, keywords, kind = layer_of_image(unmix.read(file))
    if step > 1:
        data, keywords["multiscale"] = [data, data[:, ::step, ::step]], True
        keywords["metadata"]["unmix"]["shown"] = data[0]
    layer = viewer.add_layer(Layer.create(data, keywords, kind))
    if step > 1:
        layer.locked_data_level = 1
    layer.corner_pixels = np.array([[0, 3, 4], [0, 14, 13]])
    return Request(source_of_layer(cut_view(viewer, layer)), n_endmembers=3, options={"quantity": "reflectance"})


@pytest.mark.parametrize("step", [1, 2])
def test_the_python_of_a_view_gives_the_same_numbers(file, step):
    request = view_of_file(file, step)
    recipe, space = recipe_of(request), {}
    assert recipe.file == str(file)
    exec(recipe.as_python(), space)
    result = request.run(silent)
    assert result["abundances"].shape == (3, 12, 10)
    for part in ("abundances", "endmembers", "residual"):
        np.testing.assert_array_equal(space["result"][part].values, result[part].values)


def test_the_command_of_a_view_gives_the_same_numbers(file, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from unmix.cli import main

    request = view_of_file(file)
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(main, shlex.split(recipe_of(request).as_command())[1:])
    assert ended.exit_code == 0, ended.output
    saved = unmix.open_result(tmp_path / "scene of today_unmixed" / "result.nc")
    np.testing.assert_array_equal(saved["abundances"].values, request.run(silent)["abundances"].values)
    with pytest.raises(OptionError, match="part at a coarser level"):
        recipe_of(view_of_file(file, 2)).as_command()


def test_a_view_of_a_layer_without_a_file_is_taken_from_the_viewer(file):
    from napari.components import ViewerModel

    from unmix.viewer.view import cut_view

    viewer = ViewerModel()
    layer = viewer.add_image(np.load(file).transpose(2, 0, 1), name="stack")
    layer.corner_pixels = np.array([[0, 3, 4], [0, 14, 13]])
    part = viewer.add_layer(cut_view(viewer, layer))
    request = Request(source_of_layer(part), n_endmembers=3, options={"quantity": "reflectance"})
    space = {"viewer": viewer}
    exec(recipe_of(request).as_python(), space)
    np.testing.assert_array_equal(space["result"]["abundances"].values, request.run(silent)["abundances"].values)


def test_the_command_gives_the_same_numbers(file, tmp_path, monkeypatch):
    from click.testing import CliRunner

    from unmix.cli import main

    request = request_for(file, n_endmembers=3, options={"constraint": "sum_to_one", "quantity": "reflectance"})
    words = shlex.split(recipe_of(request).as_command())
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(main, words[1:])
    assert ended.exit_code == 0, ended.output
    saved = unmix.open_result(tmp_path / "scene of today_unmixed" / "result.nc")
    np.testing.assert_array_equal(saved["abundances"].values, request.run(silent)["abundances"].values)


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        ("tissue_he", {"stains": ("hematoxylin", "eosin"), "options": {"quantity": "brightfield"}}),
        ("cells_lambda", {"n_endmembers": 5, "options": {"quantity": "counts"}}),
    ],
)
def test_the_command_of_a_slide_and_of_dyes_gives_the_same_numbers(tmp_path, monkeypatch, key, asked):
    from click.testing import CliRunner

    from unmix.cli import main

    request = request_for(sample_path(key), **asked)
    words = shlex.split(recipe_of(request).as_command())
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(main, words[1:])
    assert ended.exit_code == 0, ended.output
    saved = unmix.open_result(tmp_path / f"{key}_unmixed" / "result.nc")
    np.testing.assert_array_equal(saved["abundances"].values, request.run(silent)["abundances"].values)


def test_the_command_of_ranges_and_numbers():
    options = {"bands": (400.0, 2450.5), "exclude": ((1340.0, 1450.0), (1790.0, 1960.0)), "anchor_fraction": 1e-5}
    command = Recipe("unmix", n_endmembers=4, options=options, file="/a b/c.hdr").as_command()
    assert command == (
        "unmix run '/a b/c.hdr' --endmembers 4 --out c_unmixed "
        "--bands 400-2450.5 --exclude 1340-1450 --exclude 1790-1960 --anchor-fraction 1e-05"
    )
    stains = Recipe(
        "separate_stains", stains=("hematoxylin", "dab"), options={"white_point": (243.0, 241.5, 239.0)}, file="s.svs"
    )
    assert shlex.split(stains.as_command())[3:] == [
        "--stains", "hematoxylin,dab", "--out", "s_unmixed", "--white-point", "243.0,241.5,239.0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        (Recipe("unmix", n_endmembers=3, layer="stack"), "did not come from a file"),
        (Recipe("unmix", known=Known(("a",), np.ones((1, 3))), file="x.npy"), "cannot take pinned"),
        (Recipe("unmix", n_endmembers=3, options={"scale": 2.0}, file="x.hdr", file_scale=1e4), "scale of its own"),
    ],
)
def test_a_command_that_would_not_be_the_same_is_refused(recipe, reason):
    with pytest.raises(OptionError, match=reason):
        recipe.as_command()


def test_settings_come_back_as_they_were():
    spectra = np.array([[0.1, np.nan, 1 / 3], [0.2, np.nan, 1e-12]])
    options = {"bands": (400.0, 2450.0), "exclude": ((1340.0, 1450.0),), "constraint": "sum_to_one"}
    recipe = Recipe("unmix", n_endmembers=2, known=Known(("a", "é"), spectra), options=options)
    again = read_settings(recipe.as_settings())
    assert (again.function, again.n_endmembers, again.options) == ("unmix", 2, options)
    assert again.known is not None
    np.testing.assert_array_equal(again.known.spectra, spectra)
    assert again.known.names == ("a", "é")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "are not JSON"),
        ("[1]", "does not hold"),
        ('{"format": "unmix run settings"}', "name no run"),
        ('{"format": "unmix run settings", "function": "eval", "options": {}}', "name no run"),
        ('{"format": "unmix run settings", "function": "unmix", "options": {"thread": 3}}', "Did you mean threads"),
        ('{"format": "unmix run settings", "function": "unmix", "options": {}, "n_endmembers": -1}', "whole number"),
        (
            '{"format": "unmix run settings", "function": "unmix", "options": {}, "known": {"names": ["a"]}}',
            "rows of numb",
        ),
        ('{"format": "unmix run settings", "function": "separate_stains", "options": {}, "stains": ["ink"]}', "ink"),
    ],
)
def test_settings_that_are_none_are_refused_in_one_sentence(text, reason):
    with pytest.raises(OptionError, match=reason) as error:
        read_settings(text)
    assert "\n" not in str(error.value)


def test_a_picture_that_napari_opened_is_known_by_its_file(slide, tmp_path):
    import imageio.v3 as iio
    from napari.layers import Image

    path = tmp_path / "slide.png"
    iio.imwrite(path, slide[0].values)
    layer = Image(iio.imread(path), rgb=True, name="slide")
    source = source_of_layer(layer)
    held = SourceLayer(**{**source.__dict__, "picture_file": str(path)})
    assert recipe_of(Request(held, stains=("hematoxylin", "eosin"))).file == str(path)
    changed = SourceLayer(**{**held.__dict__, "values": np.asarray(held.values) // 2})
    assert recipe_of(Request(changed, stains=("hematoxylin", "eosin"))).file is None


def test_a_layer_without_a_file_says_where_to_run_it(scene):
    from napari.layers import Image

    stack = Image(scene[0].values.transpose(2, 0, 1), name="stack", scale=(1, 0.3, 0.2), units=("pixel", "um", "um"))
    text = recipe_of(Request(source_of_layer(stack), n_endmembers=3)).as_python()
    line = "image = unmix.as_image(viewer.layers['stack'].data.transpose(1, 2, 0), name='stack', "
    assert line + "pixel_size=(0.3, 0.2), pixel_unit='micrometer')" in text or line in text
    compile(text, "copied", "exec")
