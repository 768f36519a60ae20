"""ENVI cubes against bytes written by hand and, for georeferencing, against GDAL."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import unmix
from unmix.errors import OptionError, ReadError, UnmixError, UnmixWarning
from unmix.readers.envi_header import parse_header

NAMED = Path("scene.hdr")


@settings(max_examples=36, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    interleave=st.sampled_from(["bsq", "bil", "bip", "BSQ"]),
    code=st.sampled_from(["u1", "i2", "i4", "f4", "f8", "u2", "u4", "i8", "u8"]),
    order=st.sampled_from("<>"),
    shape=st.tuples(*[st.integers(1, 6)] * 3),
    offset=st.integers(0, 9),
    seed=st.integers(0, 1000),
)
def test_every_layout_gives_the_numbers_back(write_envi, interleave, code, order, shape, offset, seed):
    dtype = np.dtype(code) if code == "u1" else np.dtype(order + code)
    cube = (np.random.default_rng(seed).random(shape) * 200).astype(dtype)
    header = write_envi(cube, interleave, header_offset=str(offset), before=b"x" * offset)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmixWarning)  # a handful of random numbers may well look swapped
        image = unmix.read(header)
    assert image.dtype == dtype.newbyteorder("=")
    np.testing.assert_array_equal(image.values, cube)


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_header_or_a_read_error(text):
    outcome: object
    try:
        outcome = parse_header(text.encode("utf-8", "replace"), NAMED)
    except ReadError as error:
        outcome = str(error)
    assert outcome is not None
    assert not isinstance(outcome, str) or "\n" not in outcome


@given(
    st.lists(
        st.tuples(
            st.sampled_from(
                [
                    "samples",
                    "lines",
                    "bands",
                    "data type",
                    "interleave",
                    "byte order",
                    "wavelength",
                    "bbl",
                    "map info",
                    "wavelength units",
                    "fwhm",
                    "band names",
                    "header offset",
                    "data ignore value",
                    "data gain values",
                    "reflectance scale factor",
                    "coordinate system string",
                    "file type",
                ]
            ),
            st.one_of(
                st.integers(-2, 20).map(str),
                st.sampled_from(["bsq", "{1,2}", "{", "}", "nan", "1e400", "{a, b", "", "=", "{1, 2, 3, 4, 5, 6}"]),
                st.text(max_size=12),
            ),
        ),
        max_size=12,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_header_gives_an_image_or_an_unmix_error(tmp_path, entries):
    base = [("samples", "4"), ("lines", "5"), ("bands", "6"), ("data type", "2"), ("interleave", "bsq")]
    merged = dict(base) | dict(entries)
    (tmp_path / "h.hdr").write_text("ENVI\n" + "\n".join(f"{k} = {v}" for k, v in merged.items()), "utf-8")
    (tmp_path / "h.img").write_bytes(np.arange(120, dtype="<i2").tobytes())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmixWarning)
        try:
            outcome = unmix.read(tmp_path / "h.img").compute().shape
        except UnmixError as error:
            outcome = str(error)
    assert outcome == (5, 4, 6) or "\n" not in outcome


def test_header_or_data_file_may_be_given(write_envi, small_cube, tmp_path):
    header = write_envi(small_cube)
    for given_path in (header, header.with_suffix(".img"), str(header)):
        image = unmix.read(given_path)
        np.testing.assert_array_equal(image.values, small_cube)
        assert image.attrs["source"] == str(given_path)
        assert image.attrs["name"] == "scene"
    header.rename(tmp_path / "scene.img.hdr")
    np.testing.assert_array_equal(unmix.read(tmp_path / "scene.img.hdr").values, small_cube)
    np.testing.assert_array_equal(unmix.read(tmp_path / "scene.img").values, small_cube)


@pytest.mark.parametrize("suffix", ["", ".dat", ".bsq", ".raw"])
def test_data_files_of_every_usual_name(write_envi, small_cube, suffix):
    header = write_envi(small_cube, suffix=suffix)
    np.testing.assert_array_equal(unmix.read(header).values, small_cube)
    np.testing.assert_array_equal(unmix.read(header.with_suffix(suffix)).values, small_cube)


def test_two_data_files_are_not_chosen_between(write_envi, small_cube):
    header = write_envi(small_cube)
    header.with_suffix(".dat").write_bytes(header.with_suffix(".img").read_bytes())
    with pytest.raises(ReadError, match=r"scene.img, scene.dat. Give the data file"):
        unmix.read(header)
    assert unmix.read(header.with_suffix(".dat")).shape == small_cube.shape


def test_lenient_about_typing(write_envi, small_cube):
    header = write_envi(small_cube, description="{Grün\n über}", extra="; a comment\n\nSensor   Type = x")
    text = header.read_text().replace("\n", "\r\n").replace("samples", "SAMPLES")
    header.write_bytes(b"\xef\xbb\xbf" + text.encode("utf-8"))
    np.testing.assert_array_equal(unmix.read(header).values, small_cube)
    header.write_bytes(text.encode("latin-1"))
    np.testing.assert_array_equal(unmix.read(header).values, small_cube)
    header.rename(header.with_suffix(".HDR"))
    np.testing.assert_array_equal(unmix.read(header.with_suffix(".HDR")).values, small_cube)
    np.testing.assert_array_equal(unmix.read(header.with_suffix(".img")).values, small_cube)


def test_scale_factor_divides_and_makes_reflectance(write_envi, small_cube):
    header = write_envi(small_cube, reflectance_scale_factor="10000")
    image = unmix.read(header)
    assert image.dtype == np.float32
    assert image.attrs["quantity"] == "reflectance"
    assert "scale_factor" not in image.attrs
    assert image.encoding == {"recorded_dtype": "<i2", "scale": 1e-4, "offset": 0.0, "nodata": None}
    np.testing.assert_array_equal(image.values, small_cube.astype("f4") / np.float32(10000))
    np.testing.assert_array_equal(unmix.read(header, scale=100).values, small_cube.astype("f4") / np.float32(100))


def test_gains_and_offsets_are_one_a_band(write_envi, small_cube):
    gains, offsets = "{1, 2, 3, 4, 5, 6}", "{0, 0, 0, 1, 1, 1}"
    image = unmix.read(write_envi(small_cube, data_gain_values=gains, data_offset_values=offsets))
    expected = small_cube * np.arange(1, 7, dtype="f4") + np.array([0, 0, 0, 1, 1, 1], "f4")
    np.testing.assert_allclose(image.values, expected, rtol=1e-6)
    assert image.attrs["quantity"] == "radiance"
    header = write_envi(small_cube, data_gain_values=gains, reflectance_scale_factor="2")
    with pytest.raises(ReadError, match="both 'reflectance scale factor' and gain"):
        unmix.read(header)
    np.testing.assert_array_equal(unmix.read(header, scale=2).values, small_cube.astype("f4") / 2)


def test_nodata_is_judged_by_whole_pixels_unless_it_is_absurd(write_envi):
    cube = np.full((3, 3, 4), 7, "<i2")
    cube[0, 0] = 0
    cube[1, 1, 2] = 0
    image = unmix.read(write_envi(cube, data_ignore_value="0")).compute()
    assert image.dtype == np.float32
    assert np.isnan(image.values[0, 0]).all()
    assert image.values[1, 1, 2] == 0
    assert int(image.coords["valid"].sum()) == 8
    cube[cube == 0] = -9999
    image = unmix.read(write_envi(cube, data_ignore_value="-9999")).compute()
    assert np.isnan(image.values[1, 1, 2])
    assert not image.coords["valid"].values[1, 1]
    assert int(image.coords["valid"].sum()) == 7


def test_nodata_of_bad_or_left_out_bands_does_not_count(write_envi):
    cube = np.full((2, 2, 4), 7, "<i2")
    cube[0, 0, 1:] = 0
    text = {"data_ignore_value": "0", "wavelength": "{500, 600, 700, 800}", "wavelength_units": "nm"}
    assert unmix.read(write_envi(cube, **text)).coords["valid"].values.all()
    image = unmix.read(write_envi(cube, bbl="{0, 1, 1, 1}", **text)).compute()
    assert not image.coords["valid"].values[0, 0]
    image = unmix.read(write_envi(cube, **text), bands=(550, 900)).compute()
    assert image.shape == (2, 2, 3)
    assert np.isnan(image.values[0, 0]).all()
    np.testing.assert_array_equal(unmix.read(write_envi(cube, **text))[..., 1:2].values[..., 0], cube[..., 1])


@pytest.mark.parametrize(
    ("unit", "values", "nm"),
    [
        ("nm", "{400, 500, 600, 700, 800, 900}", [400, 500, 600, 700, 800, 900]),
        ("Micrometers", "{0.4, 0.5, 0.6, 0.7, 0.8, 0.9}", [400, 500, 600, 700, 800, 900]),
        ("Angstroms", "{4000, 5000, 6000, 7000, 8000, 9000}", [400, 500, 600, 700, 800, 900]),
        ("Angstroms", "{40, 50, 60, 70, 80, 90}", [4, 5, 6, 7, 8, 9]),
        ("Wavenumber", "{1000, 2000, 4000, 5000, 8000, 10000}", [10000, 5000, 2500, 2000, 1250, 1000]),
        ("GHz", "{299792.458, 299792.458, 299792.458, 299792.458, 299792.458, 149896.229}", [1000] * 5 + [2000]),
    ],
)
def test_wavelength_units(write_envi, small_cube, unit, values, nm):
    image = unmix.read(write_envi(small_cube, wavelength=values, wavelength_units=unit, fwhm="{" + "1," * 5 + "1}"))
    np.testing.assert_allclose(image.coords["wavelength"], nm, rtol=1e-12)
    if unit == "Wavenumber":
        np.testing.assert_allclose(image.coords["fwhm"], 1e7 / np.array([1e3, 2e3, 4e3, 5e3, 8e3, 1e4]) ** 2)


def test_index_is_no_wavelength(write_envi, small_cube):
    image = unmix.read(write_envi(small_cube, wavelength="{1,2,3,4,5,6}", wavelength_units="Index"))
    assert "wavelength" not in image.coords
    with pytest.raises(OptionError, match="need wavelengths"):
        unmix.read(write_envi(small_cube, wavelength="{1,2,3,4,5,6}", wavelength_units="Index"), bands=(1, 3))


@pytest.mark.parametrize(
    ("values", "said", "first"),
    [
        ("{400,500,600,700,800,900}", "nanometres", 400),
        ("{.4,.5,.6,.7,.8,.9}", "micrometres", 400),
        ("{1,50,150,200,250,300}", "left out", None),
    ],
)
def test_a_missing_unit_is_guessed_aloud(write_envi, small_cube, values, said, first):
    with pytest.warns(UnmixWarning, match=said):
        image = unmix.read(write_envi(small_cube, wavelength=values))
    assert ("wavelength" in image.coords) == (first is not None)
    if first is not None:
        assert image.coords["wavelength"].values[0] == pytest.approx(first)


def test_bands_exclude_and_region(write_envi, small_cube):
    header = write_envi(
        small_cube, wavelength="{900, 500, 600, 700, 800, 400}", wavelength_units="nm", band_names="{a, b, c, d, e, f}"
    )
    image = unmix.read(header, bands=(500, 800), exclude=[(600, 700)], region=(1, 1, 4, 3))
    assert list(image.coords["band_name"].values) == ["b", "c", "d", "e"]
    assert list(image.coords["good_band"].values) == [True, False, False, True]
    np.testing.assert_array_equal(image.values, small_cube[1:4, 1:3, 1:5])
    image = unmix.read(header, bands=(700, 950))
    np.testing.assert_array_equal(image.values, small_cube[:, :, [0, 3, 4]])
    with pytest.raises(OptionError, match="reaches outside the image, which has 5 rows and 4 columns"):
        unmix.read(header, region=(0, 0, 6, 4))
    with pytest.raises(OptionError, match="level=1"):
        unmix.read(header, level=1)


@pytest.mark.parametrize(
    ("pixel", "turn"),
    [("2.000, 3.500", ""), ("1, 1", ", rotation=30"), ("1, 1", ", rotation=-90.0"), ("2, 3", ", rotation=180")],
)
def test_map_info_is_what_gdal_makes_of_it(write_envi, small_cube, pixel, turn):
    import rasterio

    header = write_envi(
        small_cube, map_info=f"{{UTM, {pixel}, 500000.0, 4000000.0, 30.0, 20.0, 33, North, WGS-84, units=Meters{turn}}}"
    )
    image = unmix.read(header, region=(1, 1, 5, 4))
    with rasterio.open(header.with_suffix(".img"), driver="ENVI") as gdal:
        expected = gdal.transform @ gdal.transform.translation(1, 1)
        assert image.rio.crs == gdal.crs
    written = [float(text) for text in image.coords["spatial_ref"].attrs["GeoTransform"].split()]
    np.testing.assert_allclose(written, expected.to_gdal(), atol=1e-6)
    assert ("y" in image.coords) == (turn not in (", rotation=30", ", rotation=-90.0"))
    assert image.attrs["quantity"] == "unknown"
    if not turn:
        assert image.coords["x"].values[0] == pytest.approx(500000 - 30 + 30 + 15)


def test_rotation_is_about_the_reference_pixel(write_envi, small_cube):
    text = "{UTM, 3, 2, 500000, 4000000, 30, 30, 33, North, WGS-84, rotation=25}"
    transform = unmix.read(write_envi(small_cube, map_info=text)).rio.transform(recalc=False)
    assert transform @ (2, 1) == pytest.approx((500000, 4000000))


def test_geographic_and_wkt_and_unknown_projections(write_envi, small_cube):
    place = "1, 1, 10.5, 50.5, 0.01, 0.01"
    image = unmix.read(write_envi(small_cube, map_info=f"{{Geographic Lat/Lon, {place}, WGS-84, units=Degrees}}"))
    assert image.rio.crs.to_epsg() == 4326
    wkt = (
        'PROJCS["WGS_1984_UTM_Zone_11N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",SPHEROID["WGS_1984",6378137,298.257223563]],'
        'PRIMEM["Greenwich",0],UNIT["Degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000],'
        'PARAMETER["False_Northing",0],PARAMETER["Central_Meridian",-117],PARAMETER["Scale_Factor",0.9996],'
        'PARAMETER["Latitude_Of_Origin",0],UNIT["Meter",1]]'
    )
    image = unmix.read(
        write_envi(small_cube, map_info=f"{{Other, {place}}}", extra=f"coordinate system string = {{{wkt}}}")
    )
    assert image.rio.crs.to_epsg() == 32611
    with pytest.warns(UnmixWarning, match="projection of 'map info' is not known"):
        image = unmix.read(write_envi(small_cube, map_info=f"{{Krovak, {place}}}"))
    assert image.coords["x"].values[0] == pytest.approx(10.505)
    image = unmix.read(write_envi(small_cube, map_info="{Arbitrary, 1, 1, 0, 0, 1, 1, 0, North}"))
    assert "x" not in image.coords


def test_a_wrong_byte_order_is_said_and_not_cured(write_envi):
    rows = np.linspace(0, 3, 40)[:, None, None]
    cube = (2000 + 900 * np.sin(rows + np.linspace(0, 5, 50)[None, :, None] + np.linspace(0, 2, 30))).astype("<i2")
    header = write_envi(cube, byte_order="1")
    with pytest.warns(UnmixWarning, match="look wrong with 'byte order = 1' and right with 0"):
        image = unmix.read(header)
    np.testing.assert_array_equal(image.values, cube.view(">i2"))
    header = write_envi((cube / 1e4).astype("<f4"), byte_order="1")
    with pytest.warns(UnmixWarning, match="look wrong"):
        unmix.read(header)
    assert unmix.read(write_envi(cube)).shape == cube.shape


def test_data_file_key_is_ignored(write_envi, small_cube):
    with pytest.warns(UnmixWarning, match="'data file' is ignored"):
        image = unmix.read(write_envi(small_cube, data_file="../../secret"))
    np.testing.assert_array_equal(image.values, small_cube)


MUTANTS = {
    "no samples": ({"samples": None}, "'samples' is missing"),
    "negative lines": ({"lines": "-5"}, "'lines = -5' is not a whole number"),
    "zero bands": ({"bands": "0"}, "'bands = 0': there is nothing"),
    "text": ({"samples": "four"}, "'samples = four' is not a whole number"),
    "huge": ({"lines": "99999999999999", "samples": "99999999999999"}, "expected .* found 240: it is cut short"),
    "too long a file": ({"lines": "4"}, r"expected 192 bytes .*, found 240: the header is wrong"),
    "too short a file": ({"lines": "6"}, r"expected 288 bytes .*, found 240: it is cut short"),
    "no interleave": ({"interleave": None}, "'interleave = ' is not bsq, bil or bip"),
    "misspelt interleave": ({"interleave": "bsqq"}, "'interleave = bsqq' is not"),
    "complex": ({"data_type": "6"}, "complex numbers"),
    "unknown type": ({"data_type": "7"}, "'data type = 7' is not known"),
    "byte order 2": ({"byte_order": "2"}, "'byte order = 2' is not 0"),
    "gzip": ({"file_compression": "1"}, "compressed"),
    "frames": ({"major_frame_offsets": "{4, 4}"}, "'major frame offsets' is not supported"),
    "duplicate": ({"extra": "Samples = 4"}, "line 10: 'samples' is given twice"),
    "stray line": ({"extra": "what is this"}, "line 10: 'what is this' is not 'key = value'"),
    "unterminated": ({"extra": "fwhm = {1, 2,\n 3,"}, "line 10: the '{' of 'fwhm' is never closed"),
    "swallowed": ({"extra": "fwhm = {1, 2\nbbl = {1,1,1,1,1,1}"}, "line 10: the '{' of 'fwhm' is never closed"),
    "short list": ({"wavelength": "{1, 2, 3}", "wavelength_units": "nm"}, "'wavelength' lists 3 values for 6 bands"),
    "short bbl": ({"bbl": "{1}"}, "'bbl' lists 1 values for 6 bands"),
    "short fwhm": ({"fwhm": "{1}"}, "'fwhm' lists 1 values for 6 bands"),
    "short names": ({"band_names": "{a}"}, "'band names' lists 1 names for 6 bands"),
    "text wavelength": ({"wavelength": "{1,2,abc,4,5,6}"}, "'wavelength 3' is 'abc', which is not a number"),
    "nan wavelength": ({"wavelength": "{1,2,nan,4,5,6}"}, "'wavelength 3' is 'nan', which is not a number"),
    "negative wavelength": ({"wavelength": "{1,2,-3,4,5,6}"}, "'wavelength' of band 3 is -3, which is not positive"),
    "unknown unit": ({"wavelength": "{1,2,3,4,5,6}", "wavelength_units": "parsecs"}, "unit 'parsecs' is not known"),
    "zero scale": ({"reflectance_scale_factor": "0"}, "'reflectance scale factor = 0' is not positive"),
    "infinite scale": ({"reflectance_scale_factor": "1e999"}, "which is too large"),
    "bad map info": ({"map_info": "{UTM, 1}"}, "'map info' has 2 fields"),
    "zero pixel": ({"map_info": "{UTM, 1, 1, 0, 0, 0, 30, 33, North, WGS-84}"}, "pixel size of 0"),
    "library": ({"file_type": "ENVI Spectral Library"}, "spectral library, not an image"),
    "classes": ({"file_type": "ENVI Classification"}, "labels cannot be unmixed"),
    "tiff": ({"file_type": "TIFF"}, "Give that file itself"),
}


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_are_refused_in_one_line(write_envi, small_cube, mutant):
    changed, expected = MUTANTS[mutant]
    header = write_envi(small_cube, **changed)
    with pytest.raises(ReadError, match=expected) as caught:
        unmix.read(header)
    assert "\n" not in str(caught.value)
    assert "scene." in str(caught.value)


def test_files_that_are_not_there_or_empty(write_envi, small_cube, tmp_path):
    header = write_envi(small_cube)
    data = header.with_suffix(".img")
    content = data.read_bytes()
    data.write_bytes(b"")
    with pytest.raises(ReadError, match=r"expected 240 bytes .* found 0"):
        unmix.read(header)
    with pytest.raises(ReadError, match=r"expected 240 bytes .* found 0"):
        unmix.read(data)
    data.write_bytes(b"\x1f\x8b" + content[:50])
    with pytest.raises(ReadError, match=r"scene.img is compressed \(gzip\)"):
        unmix.read(header)
    data.unlink()
    with pytest.raises(ReadError, match=r"no data file beside the header; tried scene, scene.img"):
        unmix.read(header)
    (tmp_path / "lonely.img").write_bytes(b"\1\2\3\4")
    with pytest.raises(ReadError, match="has no ENVI header beside it"):
        unmix.read(tmp_path / "lonely.img")
    header.write_bytes(b"")
    with pytest.raises(ReadError, match=r"there is no data file|the header is empty"):
        unmix.read(header)
    data.write_bytes(content)
    with pytest.raises(ReadError, match="the header is empty"):
        unmix.read(data)
    header.write_bytes(b"ENVI\0\0\0")
    with pytest.raises(ReadError, match="binary"):
        unmix.read(data)
    header.write_text("BYTEORDER I\nNROWS 5\n")
    with pytest.raises(ReadError, match="does not begin with the line 'ENVI'"):
        unmix.read(data)


def test_a_file_that_changes_is_noticed(write_envi, small_cube):
    header = write_envi(small_cube)
    image = unmix.read(header)
    header.with_suffix(".img").write_bytes(b"\0" * 24)
    with pytest.raises(ReadError, match="has changed since it was opened"):
        image.compute()
