"""Raman maps as text: the two layouts instruments export, written by hand."""

from __future__ import annotations

import numpy as np
import pytest

import unmix
from unmix.errors import ReadError, UnmixError

SHIFTS = np.array([1200.5, 1000.25, 800.0, 600.0])
COUNTS = np.round(np.random.default_rng(1).random((3, 5, 4)) * 1000, 2)


def long_text(header="#X\t\t#Y\t\t#Wave\t\t#Intensity", skip=()):
    """Return WiRE's long table of a map (3, 5) with steps of 2 and 1.5 um, long wavenumbers first."""
    lines = [header]
    for y, x in np.ndindex(3, 5):
        if (y, x) not in skip:
            for k, shift in enumerate(SHIFTS):
                lines.append(f"{-10 + 1.5 * x:.3f}\t{20 + 2.0 * y:.3f}\t{shift}\t{COUNTS[y, x, k]}")
    return "\n".join(lines) + "\n"


def wide_text(separator="\t", names=("", ""), order=(0, 1), remarks=("#Acq. time (s)=\t5",)):
    """Return a wide table: remarks, wavenumbers after two cells, a spectrum a line after its place."""
    lines = [*remarks, separator.join([*names, *map(str, SHIFTS)])]
    for y, x in np.ndindex(3, 5):
        place = (f"{-10 + 1.5 * x:.3f}", f"{20 + 2.0 * y:.3f}")
        lines.append(separator.join([place[order[0]], place[order[1]], *map(str, COUNTS[y, x])]))
    return "\n".join(lines) + "\n"


TEXTS = {
    "long, tabs": long_text(),
    "long, blanks": long_text("X Y Wavenumber Intensity").replace("\t", "  "),
    "wide, tabs": wide_text(),
    "wide, commas": wide_text(",", ("x", "y"), remarks=()),
    "wide, semicolons, y first": wide_text(";", ("Y", "X"), order=(1, 0)),
    "wide, CRLF and BOM": "\ufeff" + wide_text(remarks=()).replace("\n", "\r\n"),
}


@pytest.mark.parametrize("kind", TEXTS)
def test_both_layouts_give_the_same_image(tmp_path, kind):
    path = tmp_path / "map of cells.txt"
    path.write_bytes(TEXTS[kind].encode())
    image = unmix.read(path)
    np.testing.assert_allclose(image.values, COUNTS, rtol=1e-6)
    assert image.attrs["quantity"] == "counts"
    assert "wavelength" not in image.coords
    axis = image.coords["spectral_axis"]
    assert (axis.attrs["long_name"], axis.attrs["units"]) == ("Raman shift", "1/cm")
    np.testing.assert_array_equal(axis, SHIFTS)
    assert np.diff(image.coords["y"])[0] == pytest.approx(2.0)
    assert np.diff(image.coords["x"])[0] == pytest.approx(1.5)
    assert unmix.read(path, bands=(700, 1100)).sizes["band"] == 2


def test_a_place_without_a_spectrum_is_invalid(tmp_path):
    (tmp_path / "a.txt").write_text(long_text(skip=((1, 2),)))
    image = unmix.read(tmp_path / "a.txt")
    assert image.shape == (3, 5, 4)
    assert np.argwhere(~image.coords["valid"].values).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (long_text() + "1\t2\t3\t4\n", r"has 61 lines, not a multiple of the 4"),
        (long_text().replace("600.0\t", "601.0\t", 1), "do not share one axis of 4 wavenumbers"),
        (long_text().replace("600.0\t", "nan\t", 1), "not finite"),
        (wide_text() + "1\t2\t3\n", "the table cannot be read"),
        (wide_text() + "word\t2\t3\t4\t5\t6\n", "the table cannot be read"),
        (wide_text() + wide_text().splitlines()[-1] + "\n", "two spectra at one place"),
        (wide_text() + "900\t900\t1\t1\t1\t1\n901\t90\t1\t1\t1\t1\n7\t8\t1\t1\t1\t1\n", None),
        (wide_text().splitlines()[1] + "\n", "the table cannot be read|numbers"),
    ],
)
@pytest.mark.filterwarnings("ignore:loadtxt")
def test_tables_that_are_no_map_are_refused(tmp_path, text, said):
    (tmp_path / "a.txt").write_text(text)
    if said is None:
        assert unmix.read(tmp_path / "a.txt").shape[:2] == (6, 8)
        return
    with pytest.raises(ReadError, match=said) as caught:
        unmix.read(tmp_path / "a.txt")
    assert "\n" not in str(caught.value)


def test_scattered_points_are_no_grid(tmp_path):
    rng = np.random.default_rng(0)
    lines = ["\t".join(["", "", *map(str, SHIFTS)])]
    lines += ["\t".join(map(str, [*rng.random(2), *rng.random(4)])) for _ in range(30)]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    with pytest.raises(ReadError, match="30 spectra lie on 30 x 30 places; they are no grid"):
        unmix.read(tmp_path / "a.txt")


@pytest.mark.filterwarnings("ignore:loadtxt")
def test_mutants_are_read_or_refused(tmp_path):
    rng = np.random.default_rng(4)
    path = tmp_path / "a.txt"
    for text in (TEXTS["long, tabs"], TEXTS["wide, tabs"]):
        content = text.encode()
        mutants = [content[: len(content) * k // 7] for k in range(1, 7)]
        for _ in range(25):
            mutant = bytearray(content)
            for place in rng.integers(0, len(content), 4):
                mutant[place] = int(rng.integers(256))
            mutants.append(bytes(mutant))
        for mutant in mutants:
            path.write_bytes(mutant)
            try:
                unmix.read(path)
            except UnmixError as error:
                one_line = "\n" not in str(error)
                assert one_line, repr(error)  # noqa: PT017
