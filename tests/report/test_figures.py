"""Figures: what is on them, and that nothing falls off them."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from unmix.errors import DataError, OptionError, WriteError
from unmix.materials.colours import INVALID, palette, readable, stain_colour
from unmix.report import endmember_figure, maps_figure, save_figure, summary_figure
from unmix.report.figures import caption

GREY = np.array([int(INVALID[k : k + 2], 16) for k in (1, 3, 5)])

KINDS = {
    "scene": {},
    "stains": {"quantity": "brightfield", "n_bands": 3},
    "lambda": {"quantity": "counts"},
    "unknown, no wavelengths": {"quantity": "unknown", "wavelengths": np.full(20, np.nan)},
}
SHAPES = {"square": (40, 40), "wide": (10, 300), "tall": (300, 10), "tiny": (2, 3), "one pixel": (1, 1)}


def pixels(figure):
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def labels(figure, start):
    return [axes.get_label()[len(start) + 2 :] for axes in figure.axes if axes.get_label().startswith(f"{start}: ")]


def axes_called(figure, label):
    return next(axes for axes in figure.axes if axes.get_label() == label)


def texts(figure):
    return [text.get_text() for text in figure.texts]


def every_text(figure):
    found = list(figure.texts)
    for axes in figure.axes:
        found += [*axes.texts, axes.title, axes.xaxis.label, axes.yaxis.label]
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            found += [tick.label1 for tick in axis.get_major_ticks() if low <= tick.get_loc() <= high]
    return [text for text in found if text.get_text() and text.get_visible()]


def check_page(figure):
    """Every text and every panel lies on the page, no text on another, no text across a panel of maps."""
    drawn = pixels(figure)
    assert drawn[::5, ::5].std() > 5
    width, height = figure.canvas.get_width_height()
    boxes = []
    for text in every_text(figure):
        box = text.get_window_extent()
        assert box.x0 >= 0, text.get_text()
        assert box.y0 >= 0, text.get_text()
        assert box.x1 <= width, text.get_text()
        assert box.y1 <= height, text.get_text()
        boxes.append((text.get_text(), box))
    own = [(text, box) for text, box in boxes if text in texts(figure)]
    for k, (text, box) in enumerate(own):
        for other, further in own[k + 1 :]:
            assert not box.padded(-1).overlaps(further.padded(-1)), (text, other)
    panels = [axes.get_window_extent() for axes in figure.axes if axes.get_label().startswith(("map", "swatch"))]
    for text, box in boxes:
        for panel in panels:
            assert not box.padded(-1).overlaps(panel.padded(-1)), text
    for k, panel in enumerate(panels):
        assert panel.x0 >= 0
        assert panel.y0 >= 0
        assert panel.x1 <= width
        assert panel.y1 <= height
        assert not any(panel.padded(-1).overlaps(other.padded(-1)) for other in panels[k + 1 :])


@pytest.mark.parametrize(
    ("r", "kind"), [*((2, kind) for kind in KINDS), (1, "scene"), (1, "stains"), (5, "lambda"), (5, "stains"),
                    (12, "scene"), (12, "stains")]
)  # fmt: skip
def test_the_summary_holds_every_map_once_and_nothing_falls_off(make, kind, r):
    result = make(r, **KINDS[kind])
    figure = summary_figure(result)
    names = result["endmember"].values.tolist()
    together = {1: []}.get(r, ["stains together" if kind == "stains" else "all together"])
    extra = ["residual", "brightness"] if "brightness" in result else ["residual"]
    assert labels(figure, "map") == [*together, *names, *extra]
    assert labels(figure, "scale") == [*names, *extra]
    assert labels(figure, "swatch") == (names if kind == "stains" else [])
    assert ("spectra" in [axes.get_label() for axes in figure.axes]) == (kind != "stains")
    assert all(texts(figure).count(name) == 2 for name in names)
    check_page(figure)


@pytest.mark.parametrize(("r", "shape"), [*((2, shape) for shape in SHAPES), (8, "wide"), (8, "tall")])
def test_any_shape_fits_and_keeps_its_proportions(make, shape, r):
    result = make(r, shape=SHAPES[shape])
    figure = summary_figure(result)
    check_page(figure)
    box = axes_called(figure, "map: material 1").get_window_extent()
    height, width = SHAPES[shape]
    assert box.height / box.width == pytest.approx(height / width, rel=1e-6)
    assert max(box.height, box.width) > 150


def test_pixels_that_are_not_square_are_drawn_so(make):
    result = make(2, quantity="counts", shape=(40, 40), pixel_size=(2.0, 0.5))
    box = axes_called(maps_figure(result), "map: material 1").get_window_extent()
    assert box.height / box.width == pytest.approx(4.0)


def test_fractions_share_one_scale_and_their_names_have_their_colours(make):
    figure = summary_figure(make(3))
    shown = [axes_called(figure, f"map: material {k}").images[0] for k in (1, 2, 3)]
    assert [image.get_clim() for image in shown] == [(0.0, 1.0)] * 3
    assert len({image.get_cmap().name for image in shown}) == 1
    for k in range(3):
        title = next(text for text in figure.texts if text.get_text() == f"material {k + 1}")
        np.testing.assert_allclose(title.get_color(), readable(palette(3)[k]))


def test_abundances_that_may_exceed_one_share_a_larger_scale(make):
    result = make(2)
    result["abundances"] = result["abundances"] * np.float32(7)
    image = axes_called(maps_figure(result), "map: material 1").images[0]
    assert image.get_clim()[1] == pytest.approx(np.nanpercentile(result["abundances"].values, 99.5), rel=0.01)


def test_each_stain_has_its_own_scale_from_white_to_its_colour(make):
    result = make(2, quantity="brightfield", n_bands=3, names=("hematoxylin", "eosin"))
    figure = summary_figure(result)
    for k, name in enumerate(("hematoxylin", "eosin")):
        image = axes_called(figure, f"map: {name}").images[0]
        values = result["abundances"].values[k]
        assert image.get_clim() == (0.0, pytest.approx(np.percentile(values[values > 0], 99.5)))
        assert image.get_cmap()(0.0)[:3] == (1.0, 1.0, 1.0)
        np.testing.assert_allclose(
            image.get_cmap()(1.0)[:3], stain_colour(result["endmembers"].values[k]) ** 1.6, atol=1e-6
        )
    shown = [f"{value:.3f}" for value in result["endmembers"].values.ravel()]
    assert [text for text in texts(figure) if text in shown] == shown


def test_counts_are_light_on_black(make):
    cmap = axes_called(maps_figure(make(2, quantity="counts")), "map: material 1").images[0].get_cmap()
    assert cmap(0.0)[:3] == (0.0, 0.0, 0.0)
    lightness = [sum(cmap(value)[:3]) for value in np.linspace(0, 1, 9)]
    assert all(low < high for low, high in pairwise(lightness))


@pytest.mark.parametrize("kind", KINDS)
def test_invalid_pixels_are_grey(make, kind):
    figure = summary_figure(make(2, shape=(30, 30), **KINDS[kind]))
    drawn = pixels(figure)
    for name in labels(figure, "map"):
        box = axes_called(figure, f"map: {name}").get_window_extent()
        x, y = box.x0 + box.width / 6, drawn.shape[0] - (box.y1 - box.height / 6)
        np.testing.assert_array_equal(drawn[int(y), int(x)], GREY, err_msg=name)


def test_bad_bands_are_gaps(make):
    result = make(2)
    axes = axes_called(endmember_figure(result), "spectra")
    for k, line in enumerate(axes.lines):
        known = np.isfinite(line.get_ydata())
        good = result["good_band"].values
        np.testing.assert_array_equal(line.get_xdata()[known], result["wavelength"].values[good])
        np.testing.assert_array_equal(line.get_ydata()[known], result["endmembers"].values[k, good])
        first, last = result["wavelength"].values[[5, 6]]
        between = (line.get_xdata() >= first) & (line.get_xdata() <= last)
        assert np.isnan(line.get_ydata()[between]).all()
    assert len(axes.patches) == 1


def test_bands_taken_out_of_the_file_are_gaps_too(make):
    nm = np.r_[np.linspace(400, 1300, 10), np.linspace(1900, 2500, 10)]
    line = axes_called(endmember_figure(make(1, wavelengths=nm)), "spectra").lines[0]
    inside = (line.get_xdata() > 1300) & (line.get_xdata() < 1900)
    assert inside.any()
    assert np.isnan(line.get_ydata()[inside]).all()


def test_wavelengths_out_of_order_are_drawn_in_order(make):
    nm = np.linspace(690.0, 420.0, 20)
    nm[[3, 9]] = nm[[9, 3]]
    result = make(1, wavelengths=nm)
    line = axes_called(endmember_figure(result), "spectra").lines[0]
    assert (np.diff(line.get_xdata()) >= 0).all()
    known = np.isfinite(line.get_ydata())
    found = dict(zip(line.get_xdata()[known], line.get_ydata()[known], strict=True))
    good = result["good_band"].values
    assert found == dict(zip(nm[good], result["endmembers"].values[0, good], strict=True))


def test_unknown_wavelengths_become_band_numbers(make):
    axes = axes_called(endmember_figure(make(2, wavelengths=np.r_[np.nan, np.linspace(420, 690, 19)])), "spectra")
    assert axes.get_xlabel() == "band"
    assert axes.lines[0].get_xdata()[0] == 1
    known = axes_called(endmember_figure(make(2)), "spectra")
    assert known.get_xlabel() == "wavelength (nm)"


def test_a_good_band_between_bad_ones_is_a_point(make):
    result = make(1)
    result["good_band"][[3, 4, 5, 6, 7]] = [False, False, True, False, False]
    result["endmembers"][:, [3, 4, 6, 7]] = np.nan
    result["endmembers"][:, 5] = 0.5
    line = axes_called(endmember_figure(result), "spectra").lines[0]
    assert line.get_markevery() == [5]
    assert line.get_marker() == "o"


def test_the_caption_tells_the_key_figures(make):
    result = make(2)
    told = caption(result)
    assert told in texts(summary_figure(result))
    for fact in ("relative error 2.1 %", "angle between endmembers 11.0°", "1,792 valid", "208 invalid", "converged"):
        assert fact in told
    assert "angle" not in caption(make(1))
    assert caption(result.assign_attrs(n_invalid=0)).count("invalid") == 0


def test_the_head_names_the_file_and_what_was_done(make):
    shown = texts(summary_figure(make(2, quantity="brightfield", n_bands=3)))
    assert "scene_2021.hdr" in shown
    assert "2 stains   ·   40 × 50 pixels, 3 bands   ·   brightfield   ·   shade" in shown


@pytest.mark.parametrize("kind", KINDS)
def test_the_image_is_shown_beside_the_maps(make, make_image, kind):
    options = {"quantity": "reflectance", "n_bands": 20, **KINDS[kind]}
    image = make_image(shape=(40, 50), **options)
    figure = summary_figure(make(2, **KINDS[kind]), image)
    assert labels(figure, "map")[0] == "image"
    shown = axes_called(figure, "map: image").images[0].get_array()
    assert shown.shape == (40, 50, 3)
    if kind == "stains":
        np.testing.assert_allclose(shown[20:], image.values[20:] / 255, atol=1e-6)
    check_page(figure)


def test_odd_and_long_names_stay_on_the_page(make):
    names = (
        "=cmd|' /C calc'!A0",
        "a very long name that cannot possibly fit beside its scale " * 3,
        "$x^2_",
        "line\nbreak",
    )
    figure = summary_figure(make(4, names=names))
    check_page(figure)
    shown = texts(figure)
    assert shown.count("$x^2_") == 2
    assert shown.count("line break") == 2
    assert sum(text.startswith("a very long") and "…" in text for text in shown) == 2


@pytest.mark.parametrize("lazy", [False, True])
def test_large_maps_are_made_smaller_before_they_are_drawn(make, lazy):
    result = make(2, shape=(1050, 700), n_bands=3, quantity="counts")
    image = axes_called(maps_figure(result.chunk({"y": 400}) if lazy else result), "map: material 1").images[0]
    assert image.get_array().shape == (525, 350)


@pytest.mark.parametrize(("r", "shape", "expected"), [(2, (4, 5), "nearest"), (12, (900, 900), "auto")])
def test_enlarged_maps_are_squares_and_reduced_ones_smooth(make, r, shape, expected):
    image = axes_called(maps_figure(make(r, shape=shape, n_bands=4)), "map: material 1").images[0]
    assert image.get_interpolation() == expected


def test_an_invalid_result_is_all_grey_not_an_error(make):
    result = make(2)
    for name in ("abundances", "residual", "brightness"):
        result[name] = result[name] * np.float32(np.nan)
    check_page(summary_figure(result))


def test_many_endmembers_still_fit(make):
    check_page(summary_figure(make(30, shape=(20, 20))))


def test_the_figure_is_saved_whole(tmp_path, make):
    path = save_figure(make(3), tmp_path / "with space" / "figure.png")
    with Image.open(path) as picture:
        assert picture.width == 1800
        assert np.asarray(picture)[..., :3].std() > 5
    assert os.listdir(path.parent) == ["figure.png"]
    assert save_figure(make(3), tmp_path) == tmp_path / "figure.png"
    with pytest.raises(WriteError, match="exists"):
        save_figure(make(3), tmp_path)
    assert save_figure(make(3), tmp_path, overwrite=True).exists()


def test_a_failed_save_leaves_nothing(tmp_path, make, monkeypatch):
    def fail(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("unmix.writers.commit._sync", fail)
    with pytest.raises(WriteError, match="no space left"):
        save_figure(make(2), tmp_path / "figure.png")
    assert os.listdir(tmp_path) == []


def test_names_no_font_knows_are_drawn_in_silence(tmp_path, make, recwarn):
    save_figure(make(2, names=("\U00012000", "tree")), tmp_path / "figure.png")
    assert not [warning for warning in recwarn if "Glyph" in str(warning.message)]


def test_what_is_no_result_is_refused(make):
    for draw in (summary_figure, maps_figure, endmember_figure):
        with pytest.raises(DataError):
            draw(make(2).drop_vars("residual"))


def test_no_figure_touches_pyplot():
    program = (
        "import sys\n"
        f"sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
        "from conftest import build_figure_result\n"
        "from unmix.report import summary_figure\n"
        "summary_figure(build_figure_result(2))\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_a_figure_is_not_called_what_it_is_not(make, tmp_path):
    with pytest.raises(OptionError, match=r"ends in \.png"):
        save_figure(make(3), tmp_path / "figure.pdf")
    assert not list(tmp_path.iterdir())


def test_names_that_are_cut_keep_what_tells_them_apart(make):
    names = [f"a longer name of endmember {k:02}" for k in range(20)]
    cut = {text for text in texts(summary_figure(make(20, names=names))) if "…" in text}
    assert {text[-2:] for text in cut} == {f"{k:02}" for k in range(20)}


def test_the_image_of_another_result_is_refused(make, make_image):
    with pytest.raises(OptionError, match="the image has 30 rows and 90 columns"):
        summary_figure(make(3, shape=(40, 40)), make_image("reflectance", (30, 90), 12))
