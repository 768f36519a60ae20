"""Spectral libraries of every format, written by hand with known numbers; damaged ones."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import unmix
from unmix.errors import OptionError, ReadError, UnmixWarning

NM = np.array([450.0, 550.0, 650.0, 850.0])
SPECTRA = np.array([[0.04, 0.1, 0.05, 0.5], [0.1, 0.2, 0.3, 0.4]])
ECOSTRESS = """Name: Acer rubrum
Type: vegetation
Class: tree
Description: leaves; sampled: 2014
X Units: Wavelength (micrometers)
Y Units: Reflectance (percentage)
First X Value: 0.85
Number of X Values: 4
Additional Information: none

0.8500\t50.0
0.6500\t5.0
0.5500\t10.0
0.4500\t4.0
"""


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def check(library: unmix.SpectralLibrary, names: tuple[str, ...] = ("grass", "soil")) -> None:
    assert library.names == names
    np.testing.assert_allclose(library.wavelengths, NM)
    np.testing.assert_allclose(library.spectra, SPECTRA)


def test_spectra_in_rows(tmp_path: Path) -> None:
    check(unmix.read_library(write(tmp_path, "a.csv", "Name,450,550,650,850\ngrass,.04,.1,.05,.5\nsoil,.1,.2,.3,.4\n")))
    text = "\ufeffname;class;450;550;650;850\ngrass;PV;0.04;0.1;0.05;0.5\nsoil;SOIL;0.1;0.2;0.3;0.4\n"
    library = unmix.read_library(write(tmp_path, "b.csv", text))
    check(library)
    assert library.materials == ("PV", "SOIL")


def test_spectra_in_columns_in_micrometres(tmp_path: Path) -> None:
    lines = ["wavelength\tgrass\tsoil"] + [f"{x / 1000}\t{a}\t{b}" for x, a, b in zip(NM, *SPECTRA, strict=True)]
    with pytest.warns(UnmixWarning, match="taken as micrometres"):
        check(unmix.read_library(write(tmp_path, "a.txt", "\n".join(lines))))


def test_empty_cells_and_the_usgs_mark_are_no_values(tmp_path: Path) -> None:
    library = unmix.read_library(write(tmp_path, "a.csv", "name,450,550,650\ngrass,,0.1,-1.23e34\nsoil,0.1,nan,0.3\n"))
    np.testing.assert_array_equal(np.isnan(library.spectra), [[1, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("door", ["lib.sli", "lib.hdr"])
def test_envi_libraries(tmp_path: Path, order: str, door: str) -> None:
    (tmp_path / "lib.sli").write_bytes((SPECTRA[:, ::-1] * 10000).astype(f"{order}i2").tobytes())
    header = f"""ENVI
samples = 4
lines = 2
bands = 1
header offset = 0
file type = ENVI Spectral Library
data type = 2
interleave = bsq
byte order = {int(order == ">")}
wavelength units = Micrometers
reflectance scale factor = 10000
spectra names = {{
 grass, soil}}
wavelength = {{ 0.85, 0.65, 0.55, 0.45 }}
fwhm = {{ 0.01, 0.01, 0.01, 0.01 }}
"""
    write(tmp_path, "lib.hdr", header)
    library = unmix.read_library(tmp_path / door)
    check(library)
    np.testing.assert_allclose(library.fwhm, 10)
    (tmp_path / "lib.sli").write_bytes(b"short")
    with pytest.raises(ReadError, match="expected 16 bytes"):
        unmix.read_library(tmp_path / door)


def test_an_envi_image_is_no_library(tmp_path: Path, write_envi) -> None:
    with pytest.raises(ReadError, match="not a spectral library"):
        unmix.read_library(write_envi(np.ones((2, 3, 4), "f4"), "bsq"))


def test_ecostress_text_is_percent_and_may_fall(tmp_path: Path) -> None:
    library = unmix.read_library(write(tmp_path, "vegetation.tree.acer.rubrum.spectrum.txt", ECOSTRESS))
    assert library.names == ("Acer rubrum",)
    assert library.materials == ("tree",)
    np.testing.assert_allclose(library.wavelengths, NM)
    np.testing.assert_allclose(library.spectra, SPECTRA[:1])


def test_usgs_splib07_finds_its_wavelengths_beside_it(tmp_path: Path) -> None:
    title = " splib07a Record=10: Alunite GDS84 Na03     ASDFRb AREF\n"
    path = write(tmp_path, "splib07a_Alunite.txt", title + "4.0E-02\n1.0E-01\n-1.23E+34\n 5.0E-01\n")
    with pytest.raises(ReadError, match="no wavelengths"):
        unmix.read_library(path)
    write(tmp_path, "splib07a_Wavelengths_ASD.txt", " splib07a Record=1: Wavelengths ASD\n 0.45\n 0.55\n 0.65\n 0.85\n")
    write(tmp_path, "splib07a_Wavelengths_BECK.txt", " splib07a Record=2: Wavelengths BECK\n 0.45\n 0.55\n 0.65\n")
    write(tmp_path, "splib07a_Bandpass_ASD.txt", " splib07a Record=3: Bandpass ASD\n 0.01\n 0.01\n 0.01\n 0.01\n")
    library = unmix.read_library(path)
    assert library.names == ("Alunite GDS84 Na03 ASDFRb AREF",)
    np.testing.assert_allclose(library.wavelengths, NM)
    np.testing.assert_allclose(library.spectra, [[0.04, 0.1, np.nan, 0.5]])
    assert len(unmix.read_library(tmp_path)) == 1, "files about the bands are not spectra"


def test_usgs_splib06_columns(tmp_path: Path) -> None:
    text = """USGS Digital Spectral Library splib06a
Clark and others 2007, USGS, Data Series 231.

ASCII Spectral Data file contents:
    line 15 title
    line 17 to end: 3-columns of data:
        wavelength    reflectance    standard deviation
(-1.23e34 indicates a deleted number)
----------------------------------------------------
Kaolinite CM9                    W1R1Ba AREF
copyright: none
"""
    rows = "\n".join(f"   {x / 1000:.6f}   {v:.6f}   0.001" for x, v in zip(NM, SPECTRA[1], strict=True))
    library = unmix.read_library(write(tmp_path, "kaolinite.asc", text + rows + "\n"))
    assert library.names == ("Kaolinite CM9 W1R1Ba AREF",)
    np.testing.assert_allclose(library.wavelengths, NM)
    np.testing.assert_allclose(library.spectra, SPECTRA[1:])


def test_a_folder_becomes_one_library_on_all_wavelengths(tmp_path: Path) -> None:
    write(tmp_path, "a.txt", ECOSTRESS)
    write(tmp_path, "b.txt", ECOSTRESS.replace("Acer rubrum", "Quercus").replace("0.8500\t50.0\n", "0.6000\t20.0\n"))
    write(tmp_path, "notes.txt", "these are notes, not a spectrum\n")
    library = unmix.read_library(tmp_path)
    assert library.names == ("Acer rubrum", "Quercus")
    np.testing.assert_allclose(library.wavelengths, [450, 550, 600, 650, 850])
    np.testing.assert_allclose(library.spectra[0], [0.04, 0.1, 0.075, 0.05, 0.5])
    np.testing.assert_allclose(library.spectra[1], [0.04, 0.1, 0.2, 0.05, np.nan])


@pytest.mark.parametrize("kind", ["npz", "mat"])
def test_usgs_arrays_with_their_leading_columns(tmp_path: Path, kind: str) -> None:
    names = ["Wavelengths in microns 4c", "Resolution  in microns 4c", "Data value = channel number", "grass", "soil"]
    lib = np.column_stack([NM / 1000, np.full(4, 0.01), np.arange(1.0, 5), *SPECTRA])
    path = tmp_path / f"usgs.{kind}"
    if kind == "npz":
        np.savez(path, lib=lib, names=np.array(names))
    else:
        scipy.io.savemat(path, {"datalib": lib, "names": np.array(names)})
    library = unmix.read_library(path)
    check(library)
    np.testing.assert_allclose(library.fwhm, 10)


def test_arrays_with_wavelengths_of_their_own(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", spectra=SPECTRA.T, wavelengths=NM, names=np.array(["grass", "soil"]))
    check(unmix.read_library(tmp_path / "a.npz"))
    np.savez(tmp_path / "b.npz", mine=SPECTRA, wavelengths=NM)
    with pytest.raises(ReadError, match="key="):
        unmix.read_library(tmp_path / "b.npz")


def test_scale_divides_and_its_absence_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "name,450,550,650,850\ngrass,400,1000,500,5000\nsoil,1000,2000,3000,4000\n")
    check(unmix.read_library(path, scale=10000))
    with pytest.warns(UnmixWarning, match="values reach 5,000.*scale="):
        unmix.read_library(path)
    for wrong in (0, -1, np.nan, "10"):
        with pytest.raises(OptionError, match="scale"):
            unmix.read_library(path, scale=wrong)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.csv", "", "comma|table"),
        ("a.csv", "name,450,550\n", "no spectra"),
        ("a.csv", "name,450,550\ngrass,0.1\n", "row 2 has 2 cells"),
        ("a.csv", "name,450,550\ngrass,0.1,high\n", "'high' is not a number"),
        ("a.csv", "a,b,c\nd,e,f\n", "not a table of spectra"),
        ("a.csv", "name,450,550\ngrass,,\n", "no spectrum has a value"),
        ("a.txt", "Name: nothing\nType: none\nX Units: um\n", "lines of numbers"),
        ("a.sli", "no header", "header"),
        ("a.npz", "PK\x03\x04 damaged", "damaged"),
        ("a.bin", "\0\0\0\0", "binary"),
    ],
)
def test_what_is_no_library_is_refused_in_one_line(tmp_path: Path, name: str, content: str, words: str) -> None:
    with pytest.raises(ReadError, match=words) as caught:
        unmix.read_library(write(tmp_path, name, content))
    assert "\n" not in str(caught.value)


def test_what_is_not_there_or_not_here_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadError, match=r"nothing\.csv"):
        unmix.read_library(tmp_path / "nothing.csv")
    with pytest.raises(ReadError):
        unmix.read_library("https://example.org/library.csv")
    with pytest.raises(ReadError, match="no USGS or ECOSTRESS"):
        unmix.read_library(tmp_path)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.one_of(
        st.binary(max_size=300), st.text(alphabet="0123456789.,;\n\t eE-Name:Record=", max_size=300).map(str.encode)
    )
)
@pytest.mark.filterwarnings("ignore::unmix.errors.UnmixWarning")
def test_any_bytes_are_a_library_or_a_read_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(content)
    with contextlib.suppress(ReadError):
        assert len(unmix.read_library(path)) > 0


@pytest.mark.realdata
@pytest.mark.filterwarnings("ignore:.*values reach")
def test_real_libraries(real_data: Path) -> None:
    berlin = unmix.read_library(real_data / "formats" / "library_berlin.sli")
    assert (len(berlin), len(berlin.wavelengths)) == (75, 177)
    assert berlin.wavelengths[0] == pytest.approx(460)
    emit = unmix.read_library(real_data / "formats" / "emit_basic_endmember_library.csv")
    assert emit.names == ("SOIL", "SOIL 2", "SOIL 3", "PV", "NPV")
    assert emit.materials == ("SOIL", "SOIL", "SOIL", "PV", "NPV")
    usgs = unmix.read_library(real_data / "hyperspectral" / "usgs_1995.npz")
    assert (len(usgs), len(usgs.wavelengths)) == (498, 224)
    assert usgs.names[0] == "Acmite NMNH133746"
    assert usgs.fwhm[0] == pytest.approx(9.94)
