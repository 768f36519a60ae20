"""Which files belong to an input, so that a batch notices when any of them changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from unmix.readers.families import files_of

ENMAP = "ENMAP01-____L2A-DT0000001_20220701T000000Z_001_V010101_20220702T000000Z"
FAMILIES = {
    f"{ENMAP}-SPECTRAL_IMAGE.TIF": [f"{ENMAP}-METADATA.XML", f"{ENMAP}-QL_QUALITY_CLOUD.TIF"],
    f"{ENMAP}-METADATA.XML": [f"{ENMAP}-SPECTRAL_IMAGE.TIF", f"{ENMAP}-QL_QUALITY_CLASSES.TIF"],
    "LC09_L2SP_1_T1_MTL.txt": ["LC09_L2SP_1_T1_SR_B1.TIF", "LC09_L2SP_1_T1_QA_PIXEL.TIF"],
    "ang20160928t135411_rfl": ["ang20160928t135411_rfl.hdr", "ang20160928t135411_glt", "ang20160928t135411_glt.hdr"],
    "brain.imzML": ["brain.ibd"],
    "scene (1).hdr": ["scene (1).img"],
    "scene.img": ["scene.hdr"],
    "alone.tif": [],
}
STRANGERS = [
    "LC09_L2SP_2_T1_SR_B1.TIF", "ang20160928t140000_glt", "brain2.ibd", "LC09_L2SP_1_T1_ST_B10.TIF", "notes.txt",
    f"{ENMAP}X-METADATA.XML", f"{ENMAP}-QL_VNIR.TIF",
]  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_an_input_is_all_the_files_its_reader_looks_at(name: str, tmp_path: Path) -> None:
    for one in [name, *FAMILIES[name], *STRANGERS]:
        (tmp_path / one).write_text("")
    assert files_of(tmp_path / name) == sorted(tmp_path / one for one in [name, *FAMILIES[name]])


def test_metadata_of_sentinel_2_stands_for_its_images(tmp_path: Path) -> None:
    images = tmp_path / "GRANULE" / "L2A_T32" / "IMG_DATA" / "R20m"
    images.mkdir(parents=True)
    metadata = tmp_path / "MTD_MSIL2A.xml"
    for file in (metadata, images / "T32_B02_20m.jp2", images / "T32_B03_20m.jp2", images.parent / "report.xml"):
        file.write_text("")
    assert files_of(metadata) == [images / "T32_B02_20m.jp2", images / "T32_B03_20m.jp2", metadata]


def test_what_is_not_there_is_named_alone(tmp_path: Path) -> None:
    missing = tmp_path / "no folder" / "brain.imzML"
    assert files_of(missing) == [missing]
