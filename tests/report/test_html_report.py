"""The HTML page: complete, self-contained, escaped, and honest about what could not be read."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.errors import DataError, WriteError
from unmix.report import write_report
from unmix.report.comparison import angles_to_median
from unmix.report.entry import entry_of
from unmix.report.html_report import MOST_IN_DETAIL, html_page, report_entries

KINDS = [{}, {"quantity": "brightfield", "n_bands": 3}, {"quantity": "counts"}]


class Elements(HTMLParser):
    """Gathers the tags, what they refer to, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "action", "data", "srcset")]

    def handle_data(self, data):
        self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(word for word in self.words if word)


@pytest.mark.parametrize("kind", KINDS, ids=["scene", "stains", "dyes"])
def test_the_page_asks_for_nothing_from_elsewhere(make, tmp_path: Path, kind) -> None:
    path = write_report(make(**kind), tmp_path / "a report.html")
    page = path.read_text(encoding="utf-8")
    found = Elements(page)
    assert all(one.startswith(("data:image/", "#")) for one in found.references)
    assert not {"script", "iframe", "link", "object", "embed", "form"} & set(found.tags)
    assert re.findall(r"url\(|@import|\bon\w+=", re.sub(r"base64,[^\"]*", "", page)) == []
    assert "default-src 'none'" in page


def test_every_map_and_number_is_on_the_page(make, make_image) -> None:
    result = make(4)
    (entry,) = report_entries([result], make_image("reflectance", (40, 50), 20))
    titles = [picture.title for picture in entry.pictures]
    assert titles == ["image", "all together", *result["endmember"].values, "residual", "brightness"]
    text = Elements(html_page([entry])).text
    for words in ("scene_2021.hdr", "2.1 %", "11.0°", "4 endmembers", *result["endmember"].values):
        assert words in text
    shares = [
        float(row[entry.sheet.endmember_headings.index("most abundant in")][:-2]) for row in entry.sheet.endmember_rows
    ]
    assert sum(shares) == pytest.approx(100, abs=0.3)


def test_pictures_hold_the_maps(make) -> None:
    result = make(3, quantity="counts")
    entry = entry_of(result)
    picture = next(one for one in entry.pictures if one.title == "material 2")
    decoded = imagecodecs.png_decode(base64.b64decode(picture.uri.partition("base64,")[2]))
    values = result["abundances"].values[1]
    assert decoded.shape == (*values.shape, 3)
    known = np.isfinite(values)
    brightness = decoded.astype(float).sum(axis=2)
    order = np.argsort(values[known])
    assert (np.diff(brightness[known][order]) >= -1e-9).all(), "brighter where there is more"
    assert len({tuple(colour) for colour in decoded[~known]}) == 1, "invalid pixels share one grey"


def test_names_are_text_and_never_markup(make) -> None:
    name = "<script>alert('x')</script> & \"more\""
    result = make(2, names=[name, "plain"])
    result.attrs["provenance"] = '{"source": {"path": "/a/<b>.hdr"}, "warnings": ["<img src=q>"]}'
    page = html_page(report_entries([result]))
    assert "script" not in Elements(page).tags
    assert name in Elements(page).text
    assert "<b>.hdr" in Elements(page).text
    assert "<img src=q>" in Elements(page).text


def test_warnings_come_first_and_are_counted(make) -> None:
    plain, warned = make(2), make(3)
    warned.attrs["provenance"] = '{"warnings": ["the white point is a guess"]}'
    flagged = make(2, quantity="brightfield", n_bands=3)
    flagged.attrs["stain_flag"] = "one_stain"
    text = Elements(html_page(report_entries([plain, warned, flagged]))).text
    assert "2 with something to look at" in text
    assert text.index("the white point is a guess") < text.index("Endmembers")
    assert "one stain" in text


def test_one_broken_file_harms_no_other(make, tmp_path: Path) -> None:
    unmix.write(make(2), tmp_path / "good" / "result.nc")
    (tmp_path / "bad.nc").write_bytes(b"not a result")
    path = write_report([tmp_path / "good" / "result.nc", tmp_path / "bad.nc"], tmp_path / "both.html")
    text = Elements(path.read_text(encoding="utf-8")).text
    assert "1 that could not be read" in text
    assert "bad.nc" in text
    assert "material 2" in text
    with pytest.raises(DataError, match="no result can be read"):
        write_report([tmp_path / "bad.nc"], tmp_path / "none.html")
    with pytest.raises(DataError, match="no result to report on"):
        write_report([], tmp_path / "none.html")
    assert not (tmp_path / "none.html").exists()


def test_an_earlier_report_is_kept(make, tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("mine")
    with pytest.raises(WriteError, match="exists"):
        write_report(make(2), tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text() == "mine"
    write_report(make(2), tmp_path / "r.html", overwrite=True)
    assert "unmix" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_many_results_are_one_table(make) -> None:
    results = [make(2, shape=(6, 8))] * (MOST_IN_DETAIL + 1)
    entries = report_entries(results)
    assert all(entry.thumbnail and not entry.pictures for entry in entries)
    assert Elements(html_page(entries)).tags.count("tr") == MOST_IN_DETAIL + 2


def test_the_stain_unlike_the_others_is_said() -> None:
    usual = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
    moved = np.array([[0.65, 0.70, 0.29], [0.60, 0.75, 0.11]])
    names = ("hematoxylin", "eosin")
    angles = angles_to_median([names] * 4, [usual, 2 * usual, usual, moved])
    truth = np.degrees(np.arccos(moved[1] @ usual[1] / np.linalg.norm(moved[1]) / np.linalg.norm(usual[1])))
    assert angles[3]["eosin"] == pytest.approx(truth)
    assert all(angle < 1e-5 for one in angles[:3] for angle in one.values())
    assert angles_to_median([names] * 2, [usual, moved]) == [{}, {}], "two results have no median worth the name"
    numbered = [("endmember 1",)] * 4
    assert angles_to_median(numbered, [usual[:1]] * 4) == [{}] * 4
    assert angles_to_median([names] * 4, [usual, usual, usual, None])[3] == {}


def test_results_of_one_name_are_told_apart_by_their_folders(make, tmp_path: Path) -> None:
    files = [tmp_path / folder / "result.nc" for folder in ("first", "second")]
    for file in files:
        unmix.write(make(2), file)
    assert [entry.name for entry in report_entries(files)] == ["first: scene_2021.hdr", "second: scene_2021.hdr"]


def test_a_result_of_nothing_but_invalid_pixels_has_a_page(make) -> None:
    result = make(2)
    for name in ("abundances", "residual", "brightness"):
        result[name] = xr.full_like(result[name], np.nan)
    assert "material 1" in Elements(html_page(report_entries([result]))).text
