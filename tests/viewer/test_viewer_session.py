"""The session without a window: names, colours, pins and history, regions, spectra, and a session in one file."""

from __future__ import annotations

import json

import numpy as np
import pytest

import unmix
from unmix.conventions.spectral_axis import SpectralAxis
from unmix.errors import OptionError, WriteError
from unmix.light.beer_lambert import to_optical_density
from unmix.viewer.exploring import Scatter, along_line, area_share, composite
from unmix.viewer.finished import Finished, colours_in
from unmix.viewer.layers import Shown, result_layers
from unmix.viewer.metadata import KEY, about, known_by
from unmix.viewer.recipe import Recipe
from unmix.viewer.saved_session import ATTRIBUTE, open_session, saved_form
from unmix.viewer.sources import layer_of_image, source_of_layer

pytest.importorskip("napari")


def finished_of(image, recipe, run_id="run"):
    options = dict(recipe.options)
    if recipe.function == "separate_stains":
        result = unmix.separate_stains(image, recipe.stains, **options)
    else:
        result = unmix.unmix(image, recipe.n_endmembers, **options)
    layers = result_layers(result, Shown("field", "id", run_id))
    return Finished("id", "field", run_id, recipe, result, layers)


@pytest.fixture
def image():
    rng = np.random.default_rng(3)
    values = rng.dirichlet(np.full(3, 0.3), (24, 30)) @ rng.random((3, 12))
    values[0, 0] = np.nan
    return unmix.as_image(values.astype(np.float32), quantity="reflectance", wavelengths=np.linspace(400, 950, 12))


@pytest.fixture
def viewer(image):
    from napari.components import ViewerModel
    from napari.layers import Layer

    viewer = ViewerModel()
    data, keywords, kind = layer_of_image(image)
    keywords["metadata"][KEY]["identity"] = "id"
    viewer.add_layer(Layer.create(data, keywords, kind))
    return viewer


@pytest.fixture
def session(viewer, image):
    from unmix.viewer.session import session_of
    from unmix.viewer.show import show_layers

    session = session_of(viewer)
    finished = finished_of(image, Recipe("unmix", n_endmembers=3))
    show_layers(viewer, finished.layers, viewer.layers[0])
    session.take(finished)
    return session


def test_a_viewer_has_one_session(viewer, session):
    from unmix.viewer.session import session_of

    assert session_of(viewer) is session
    assert session.source is viewer.layers[0]


def test_a_new_name_is_everywhere(viewer, session):
    heard = []
    session.endmembers_changed.connect(lambda: heard.append(1))
    session.rename(1, "  soil ")
    assert [pure.name for pure in session.endmembers] == ["endmember 1", "soil", "endmember 3"]
    assert list(session.current.result["endmember"].values) == ["endmember 1", "soil", "endmember 3"]
    assert session.runs == [session.current]
    assert viewer.layers["field | soil"] is session.map_of("soil")
    assert list(viewer.layers["field | dominant"].features["endmember"]) == [
        "none",
        "endmember 1",
        "soil",
        "endmember 3",
    ]
    assert "soil" in list(viewer.layers["field | anchors"].features["label"])
    assert session.map_of("soil").colormap.name.startswith("soil (unmix)")  # napari numbers names it has heard before
    assert [one[1]["colormap"].name for one in session.current.layers if one[1]["name"] == "field | soil"] == [
        "soil (unmix)"
    ]
    assert heard == [1]
    for wrong in ("", "endmember 1"):
        with pytest.raises(OptionError):
            session.rename(1, wrong)


def test_labels_of_longer_names_move_to_the_side_with_more_room(viewer, session):
    from unmix.viewer.labelling import label_place

    anchors, shape = viewer.layers["field | anchors"], viewer.layers["field | endmember 1"].data.shape
    anchors.data = np.column_stack([np.arange(len(anchors.data)) + 5.0, np.full(len(anchors.data), shape[1] - 1.0)])
    for k in range(len(session.endmembers)):
        session.rename(k, f"a long name {k}")
    labels = list(anchors.features["label"])
    expected = label_place(anchors.data, labels, shape, float(anchors.size[0]))
    assert str(anchors.text.anchor) == expected["anchor"] == "upper_right"
    np.testing.assert_allclose(anchors.text.translation, expected["translation"])


def test_a_new_colour_is_everywhere_and_stays(viewer, session, image):
    colour = np.array([0.9, 0.1, 0.4])
    session.recolour(0, colour)
    np.testing.assert_allclose(viewer.layers["field | endmember 1"].colormap.colors[-1][:3], colour)
    points = viewer.layers["field | anchors"]
    np.testing.assert_allclose(points.face_color[list(points.features["endmember"]).index("endmember 1"), :3], colour)
    np.testing.assert_allclose(viewer.layers["field | dominant"].get_color(1)[:3], colour, atol=1e-6)
    layers = result_layers(session.current.result, Shown("field", "id", "next", {}, session.colours_for("id")))
    np.testing.assert_allclose(colours_in(layers)["endmember 1"], colour)


def test_what_is_pinned_is_held(session):
    from unmix.viewer.pins import held, held_stains, pins_said, stain_pins_said

    assert (held(session.endmembers), held_stains(session.endmembers)) == (None, None)
    assert pins_said(session.endmembers, 3) == stain_pins_said(session.endmembers) == ""
    session.pin(1, True)
    assert held(session.endmembers).names == ("endmember 2",)
    assert held_stains(session.endmembers).names == ("endmember 1", "endmember 2", "endmember 3")
    assert pins_said(session.endmembers, 2) == "The next run keeps endmember 2 as pinned and looks for 1 other."
    assert pins_said(session.endmembers, 1) == "The next run uses endmember 2 as pinned and looks for nothing else."
    session.pin_all(True)
    known = held(session.endmembers)
    np.testing.assert_array_equal(known.spectra, session.current.result["endmembers"].values)
    session.delete(1)
    assert held(session.endmembers).names == ("endmember 1", "endmember 3")
    session.add("endmember 1", np.ones(12), "regions 1")
    assert held(session.endmembers).names[-1] == "endmember 1 2"
    said = pins_said([*session.endmembers, *session.endmembers], 9)
    assert (
        said
        == "The next run keeps endmember 1, endmember 3, endmember 1 2 and 3 more as pinned and looks for 3 others."
    )


def test_the_oldest_run_goes_when_there_are_too_many(session, monkeypatch):
    from dataclasses import replace

    monkeypatch.setattr("unmix.viewer.session.MOST_RUNS", 2)
    first = session.current
    for run_id in ("b", "c"):
        session.take(replace(first, run_id=run_id))
    assert [run.run_id for run in session.runs] == ["b", "c"]


def test_a_saved_session_brings_everything_back(session, tmp_path):
    from napari.components import ViewerModel
    from napari.layers import Layer

    from unmix.viewer.session import session_of

    session.rename(0, "sand")
    session.recolour(0, np.array([0.25, 0.5, 0.75]))
    colours = {pure.name: pure.colour for pure in session.endmembers}
    unmix.write(saved_form(session.current, colours), tmp_path / "all.nc")
    other = ViewerModel()
    for layer in open_session(tmp_path / "all.nc"):
        other.add_layer(Layer.create(*layer))
    again = session_of(other)
    assert [pure.name for pure in again.endmembers] == ["sand", "endmember 2", "endmember 3"]
    np.testing.assert_allclose(again.endmembers[0].colour, (0.25, 0.5, 0.75))
    np.testing.assert_array_equal(again.endmembers[0].spectrum, session.endmembers[0].spectrum)
    np.testing.assert_array_equal(other.layers["field | sand"].data, session.map_of("sand").data)
    assert again.current.recipe == session.current.recipe


def test_a_session_finds_its_image_where_it_still_is(image, tmp_path):
    np.save(tmp_path / "field.npy", image.values)
    result = unmix.unmix(tmp_path / "field.npy", 3, quantity="reflectance")
    unmix.write(result, tmp_path / "result.nc")
    first, *others = open_session(tmp_path / "result.nc")
    finished = known_by(others[0])["finished"]
    assert known_by(first)["role"] == "source"
    assert known_by(first)["identity"] == finished.source_id == known_by(others[-1])["source_id"]
    assert finished.recipe.file == str(tmp_path / "field.npy")
    assert finished.recipe.options == {"quantity": "reflectance"}
    (tmp_path / "field.npy").unlink()
    assert known_by(open_session(tmp_path / "result.nc")[0])["role"] != "source"


def test_what_a_strange_file_says_of_colours_is_not_believed(session, tmp_path):
    result = saved_form(session.current)
    facts = json.loads(result.attrs[ATTRIBUTE])
    facts["colours"] = {"endmember 1": ["red", 2, 3], "endmember 2": [7, -1, 0.5]}
    facts["recipe"] = "import os"
    unmix.write(result.assign_attrs({ATTRIBUTE: json.dumps(facts)}), tmp_path / "odd.nc")
    layers = open_session(tmp_path / "odd.nc")
    assert colours_in(layers)["endmember 2"] == (1.0, 0.0, 0.5)
    assert known_by(layers[0])["finished"].recipe.n_endmembers == 3


def test_a_square_and_its_fit(image, viewer, session):
    from unmix.viewer.spectral_values import view_of

    view = view_of(source_of_layer(viewer.layers[0]), session.current)
    pixel = view.around(5, 7, 1)
    np.testing.assert_allclose(pixel.spectrum, image.values[5, 7], rtol=1e-6)
    explained = view.explain(pixel.spectrum)
    expected = session.current.result["abundances"].values[:, 5, 7]
    np.testing.assert_allclose(list(explained.amounts.values()), expected, atol=1e-5)
    np.testing.assert_allclose(explained.brightness, session.current.result["brightness"].values[5, 7], atol=1e-5)
    corner = view.around(0, 0, 3)
    assert corner.n_pixels == 3
    np.testing.assert_allclose(corner.spectrum, image.values[[0, 1, 1], [1, 0, 1]].mean(0), rtol=1e-5)
    assert view.around(0, 0, 1) is None
    assert view.around(-1, 3, 3) is None


def test_a_slide_is_averaged_in_optical_density(slide):
    from napari.layers import Layer

    from unmix.viewer.spectral_values import view_of

    image = slide[0]
    run = finished_of(
        image, Recipe("separate_stains", stains=("hematoxylin", "eosin"), options={"white_point": (255.0,) * 3})
    )
    view = view_of(source_of_layer(Layer.create(*layer_of_image(image))), run)
    positions = np.array([0, 31, 62, 400])
    measured = view.of_pixels(positions)
    density = to_optical_density(image.values.reshape(-1, 3)[positions], np.full(3, 255.0))
    np.testing.assert_allclose(measured.spectrum, density.mean(0), rtol=1e-5)


def test_regions_are_the_pixels_under_them(viewer):
    from napari.layers import Labels, Points, Shapes

    from unmix.viewer.regions import finding_regions, line_of

    source = viewer.layers[0]
    shapes = Shapes(
        [np.array([[2, 3], [2, 6], [5, 6], [5, 3]]), np.array([[0, 0], [0, 4]])],
        shape_type=["polygon", "line"], edge_color=["red", "lime"],
    )  # fmt: skip
    labels = np.zeros((12, 15), int)
    labels[3, 4] = 7
    layers = [shapes, Labels(labels, scale=(2, 2)), Points([[1, 1], [1, 2], [50, 50]], face_color="blue")]
    square, line, label, points = finding_regions([*layers, *viewer.layers], source, (24, 30))()
    assert {tuple(divmod(p, 30)) for p in square.pixels} == {(r, c) for r in range(2, 6) for c in range(3, 7)}
    np.testing.assert_allclose(square.colour, (1, 0, 0))
    assert line.pixels.tolist() == [0, 1, 2, 3, 4]
    assert label.pixels.tolist() == [6 * 30 + 8]
    assert points.pixels.tolist() == [31, 32]
    np.testing.assert_allclose(line_of(shapes, source), [[0, 0], [0, 4]])


def test_regions_over_a_calibrated_source():
    from napari.layers import Image, Shapes

    from unmix.viewer.regions import finding_regions

    source = Image(np.zeros((4, 20, 20)), scale=(1, 0.5, 0.5), translate=(0, 10, 10))
    drawn = Shapes([np.array([[11.0, 12], [11, 13], [12, 13], [12, 12]])], shape_type="rectangle")
    (region,) = finding_regions([drawn], source, (20, 20))()
    assert {tuple(divmod(p, 20)) for p in region.pixels} == {(r, c) for r in range(2, 5) for c in range(4, 7)}
    assert region.centre == (3.0, 5.0)


def test_a_region_of_a_huge_image_is_looked_at_in_steps_and_only_where_the_image_is():
    from napari.layers import Image, Shapes

    from unmix.viewer.regions import finding_regions

    size = 60_000
    source = Image(np.broadcast_to(np.uint8(0), (size, size)), contrast_limits=(0, 1), cache=False)
    box = np.array([[-1e6, 10_000], [-1e6, 1e6], [30_000, 1e6], [30_000, 10_000]], float)
    drawn = Shapes([box], shape_type="rectangle")
    (region,) = finding_regions([drawn], source, (size, size))()
    assert 250_000 < len(region.pixels) <= 500_000
    rows, columns = np.divmod(region.pixels, size)
    np.testing.assert_allclose(region.centre, (15_000, 35_000), rtol=0.01)
    assert (rows.min(), rows.max() <= 30_000, columns.min() >= 10_000, columns.max() < size) == (0, True, True, True)
    assert columns.max() > 0.99 * size


def test_an_ellipse_is_not_its_box():
    from napari.layers import Image, Shapes

    from unmix.viewer.regions import finding_regions

    drawn = Shapes([np.array([[0.0, 0], [0, 20], [20, 20], [20, 0]])], shape_type="ellipse")
    (region,) = finding_regions([drawn], Image(np.zeros((3, 21, 21))), (21, 21))()
    assert abs(len(region.pixels) - np.pi * 100) < 15


def test_areas_profiles_composites_and_brushes():
    values = np.array([[0.1, 0.5, np.nan], [0.6, 0.9, 0.2]])
    assert area_share(values, 0.5) == (0.6, 3)
    distance, found = along_line(np.arange(12.0).reshape(1, 3, 4), np.array([[0, 0], [0, 3], [2, 3], [2, 5]]))
    assert distance.tolist() == [0, 1, 2, 3, 4, 5, 6, 7]
    np.testing.assert_array_equal(found[0], [0, 1, 2, 3, 7, 11, np.nan, np.nan])
    picture = composite([values, values, values], [(0, 1), (0.5, 1), (0, 0.1)])
    assert picture[0, 1].tolist() == [127, 0, 255]
    assert picture[0, 2].tolist() == [0, 0, 0]


def test_a_brush_finds_the_pixels_of_its_corner_of_the_plot():
    rng = np.random.default_rng(0)
    x, y = rng.random((40, 50)), rng.random((40, 50))
    x[0, 0] = np.nan
    scatter = Scatter(x, y, bins=100)
    assert scatter.counts.sum() == scatter.n_pixels == 1999
    mask = scatter.inside(np.array([[0.5, 0.5], [1.1, 0.5], [1.1, 1.1], [0.5, 1.1]]))
    expected = (x >= 0.5) & (y >= 0.5)
    edge = (np.abs(x - 0.5) < 0.011) | (np.abs(y - 0.5) < 0.011)
    np.testing.assert_array_equal(mask[~edge], expected[~edge])


def test_maps_are_written_with_their_numbers(viewer, session, tmp_path, monkeypatch):
    import rasterio

    from unmix.viewer.writer import write_maps

    monkeypatch.setattr("napari.current_viewer", lambda: viewer)
    chosen = [viewer.layers["field | endmember 3"], viewer.layers["field | endmember 1"]]
    (path,) = write_maps(str(tmp_path / "two.tif"), [layer.as_layer_data_tuple() for layer in chosen])
    with rasterio.open(path) as file:
        assert file.descriptions == ("endmember 1", "endmember 3")
        np.testing.assert_array_equal(file.read(1), chosen[1].data)
    with pytest.raises(WriteError, match="abundance maps"):
        write_maps(str(tmp_path / "x.tif"), [viewer.layers["field | residual"].as_layer_data_tuple()])
    assert about(chosen[0])["run_id"] == "run"


def test_curves_as_a_table(tmp_path):
    pytest.importorskip("pyqtgraph")
    pytest.importorskip("qtpy.QtWidgets")
    from unmix.viewer.curves import Curve
    from unmix.viewer.spectra_files import Plotted, export_curves

    curves = [
        Curve("a", "soil", np.array([0.1, np.nan]), np.zeros(3)),
        Curve("b", "sea, deep", np.array([1 / 3, 2.0]), np.zeros(3)),
    ]
    nm = SpectralAxis(np.array([450.0, 550.0]), "wavelength", "nm")
    export_curves(tmp_path / "s.csv", Plotted(curves, curves, nm, None, "reflectance"))
    assert (tmp_path / "s.csv").read_text().splitlines() == [
        'band,wavelength_nm,soil,"sea, deep"', "0,450.0,0.1,0.3333333333333333", "1,550.0,,2.0",
    ]  # fmt: skip
    shift = SpectralAxis(np.array([520.0, 1004.5]), "Raman shift", "1/cm")
    export_curves(tmp_path / "r.csv", Plotted(curves, curves, shift, None, "counts"))
    assert (tmp_path / "r.csv").read_text().splitlines()[::2] == [
        'band,Raman shift (1/cm),soil,"sea, deep"', "1,1004.5,,2.0",
    ]  # fmt: skip
    with pytest.raises(WriteError, match="exported as"):
        export_curves(tmp_path / "s.xls", Plotted(curves, curves, None, None, ""))
    assert {path.name for path in tmp_path.iterdir()} == {"s.csv", "r.csv"}


def test_names_change_places_and_stay_different(session):
    from unmix.viewer.naming import giving_names

    def give_names(session, wanted):
        return len(list(giving_names(session, wanted)))

    assert give_names(session, {"endmember 1": "endmember 2", "endmember 2": "endmember 1"}) == 3, "one steps aside"
    assert [pure.name for pure in session.endmembers] == ["endmember 2", "endmember 1", "endmember 3"]
    give_names(session, {"endmember 2": "soil", "endmember 1": "soil"})
    assert [pure.name for pure in session.endmembers] == ["soil", "soil 2", "endmember 3"]
    give_names(session, {"soil": "endmember 3"})
    assert session.current.names == ("endmember 3 2", "soil 2", "endmember 3")
    steps = giving_names(session, {"soil 2": "mud", "endmember 3": "sand"})
    next(steps)
    session.delete(2)  # by the user, between two steps
    assert not list(steps)[1:]
    assert [pure.name for pure in session.endmembers] == ["endmember 3 2", "mud"]


def test_curves_as_a_figure(tmp_path):
    import imageio.v3 as iio

    pytest.importorskip("qtpy.QtWidgets")
    from unmix.viewer.curves import Curve
    from unmix.viewer.spectra_files import Plotted, export_curves

    x = np.linspace(400, 900, 30)
    curve = Curve("a", "soil & <sand>", np.sin(x / 300), np.array([0.1, 0.4, 0.8]), low=np.sin(x / 300) - 0.1,
                  high=np.sin(x / 300) + 0.1)  # fmt: skip
    good = np.ones(30, bool)
    good[10:14] = False
    for kind in ("png", "svg"):
        export_curves(
            tmp_path / f"c.{kind}", Plotted([curve], [curve], SpectralAxis(x, "wavelength", "nm"), good, "reflectance")
        )
    assert iio.imread(tmp_path / "c.png").std() > 5
    assert "<svg" in (tmp_path / "c.svg").read_text()
