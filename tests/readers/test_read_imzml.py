"""Mass-spectrometry images written by pyimzML, friendly and hostile."""

from __future__ import annotations

import numpy as np
import pytest
from pyimzml.ImzMLWriter import ImzMLWriter

import unmix
from unmix.conventions.spectral_axis import spectral_axis
from unmix.errors import OptionError, ReadError, UnmixError, UnmixWarning

MZ = np.linspace(100.0, 200.0, 11)
COUNTS = np.random.default_rng(0).integers(1, 500, (4, 5, 11)).astype("f4")


@pytest.fixture
def continuous(tmp_path):
    """Write a continuous image (4, 5, 11) without its pixel (2, 3)."""
    with ImzMLWriter(str(tmp_path / "a b.imzML"), mode="continuous") as writer:
        for y, x in np.ndindex(4, 5):
            if (y, x) != (2, 3):
                writer.addSpectrum(MZ, COUNTS[y, x], (x + 1, y + 1, 1))
    return tmp_path / "a b.imzML"


@pytest.fixture
def processed(tmp_path):
    """Write a processed image (2, 3) whose pixel n has peaks at 100.2 + n and 150.4, of 1 and 10 n."""
    with ImzMLWriter(str(tmp_path / "p.imzML"), mode="processed") as writer:
        for n, (y, x) in enumerate(np.ndindex(2, 3)):
            writer.addSpectrum(np.array([100.2 + n, 150.4]), np.array([1.0, 10.0 * n]), (x + 1, y + 1, 1))
    return tmp_path / "p.imzML"


def test_continuous_is_read_lazily_with_its_axis(continuous):
    image = unmix.read(continuous)
    assert image.shape == (4, 5, 11)
    assert image.chunks is not None
    assert image.attrs["quantity"] == "counts"
    assert "wavelength" not in image.coords
    assert spectral_axis(image.coords).label == "m/z"
    np.testing.assert_allclose(image.coords["spectral_axis"], MZ)
    valid = image.coords["valid"].values
    assert np.argwhere(~valid).tolist() == [[2, 3]]
    np.testing.assert_array_equal(image.values[valid], COUNTS[valid])
    part = unmix.read(continuous, region=(1, 1, 4, 3), bands=(120, 160))
    np.testing.assert_array_equal(part.values, COUNTS[1:4, 1:3, 2:7])


def test_processed_is_summed_into_bins_aloud(processed):
    with pytest.warns(UnmixWarning, match=r"summed into 101 bins of 0.5 m/z"):
        image = unmix.read(processed)
    values = image.values.reshape(6, -1)
    np.testing.assert_allclose(values.sum(axis=1), 1 + 10 * np.arange(6))
    centre = float(image.coords["spectral_axis"][values[5].argmax()])
    assert abs(centre - 150.4) <= 0.25
    fine = unmix.read(processed, key="2")
    assert fine.sizes["band"] == 26
    np.testing.assert_allclose(fine.values.sum(axis=2).ravel(), 1 + 10 * np.arange(6))
    with pytest.raises(OptionError, match="is the width of its bins in m/z"):
        unmix.read(processed, key="wide")
    with pytest.raises(ReadError, match=r"make 50\d{6} bands; at most 200000"):
        unmix.read(processed, key="1e-6")


def test_the_figure_and_the_table_name_the_axis(continuous, tmp_path):
    result = unmix.unmix(continuous, endmembers=COUNTS[0, :2])
    unmix.write(result, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines()[0].split(",")[1] == "m/z"
    from unmix.report.spectra import band_axis

    assert band_axis(result)[1] == "m/z"


def test_what_does_not_fit_is_refused(continuous):
    data = continuous.with_suffix(".ibd")
    content, text = data.read_bytes(), continuous.read_text()
    data.write_bytes(content[:-10])
    with pytest.raises(ReadError, match=r"a b.ibd: expected at least \d+ bytes, found \d+: it is cut short"):
        unmix.read(continuous)
    data.write_bytes(content)
    with pytest.raises(OptionError, match="has one m/z axis for all pixels"):
        unmix.read(continuous, key="0.5")
    continuous.write_text(text.replace("?>", '?><!DOCTYPE a [<!ENTITY b "c">]>', 1))
    with pytest.raises(ReadError, match="declares a document type"):
        unmix.read(continuous)
    continuous.write_text(text.replace("MS:1000576", "MS:1000574").replace("no compression", "zlib compression"))
    with pytest.raises(ReadError, match="compressed spectra"):
        unmix.read(continuous)
    continuous.write_text(text)
    data.unlink()
    with pytest.raises(ReadError, match=r"its numbers are not beside it; tried a b\.ibd"):
        unmix.read(continuous)


def test_mutants_are_read_or_refused(continuous):
    content = continuous.read_bytes()
    rng = np.random.default_rng(2)
    mutants = [content[: len(content) * k // 9] for k in range(1, 9)]
    for _ in range(30):
        mutant = bytearray(content)
        for place in rng.integers(0, len(content), 6):
            mutant[place] ^= 1 << int(rng.integers(7))
        mutants.append(bytes(mutant))
    for mutant in mutants:
        continuous.write_bytes(mutant)
        assert "\n" not in said_about(continuous)


def said_about(path) -> str:
    """Return what reading a file says against it, nothing where it is read."""
    try:
        unmix.read(path).compute()
    except UnmixError as error:
        return str(error)
    return ""
