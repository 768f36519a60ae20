"""``unmix stains`` on what is no ordinary tile: an answer that is right, or one line that says why not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import xarray as xr
from click.testing import CliRunner

from unmix.cli import main
from unmix.materials.stain_sets import measured_stain_set, stain_set_to_json
from unmix.synthetic import stained_slide

TISSUE = stained_slide(11, shape=(128, 128)).image.values
NOISE = np.random.default_rng(0)
OPAQUE = np.full((128, 128, 1), 255, np.uint8)
HALF = np.where(np.arange(128) < 64, 255, 0).astype(np.uint8)[:, None, None].repeat(128, 1)
ANSWERED = {
    "blank": (np.full((60, 60, 3), 255, np.uint8), "too little tissue"),
    "ink": (np.zeros((60, 60, 3), np.uint8), "too little tissue"),
    "one pixel": (TISSUE[:1, :1], "too little tissue"),
    "alpha": (np.concatenate([TISSUE, HALF], axis=2), "none"),
    "sixteen bits": (TISSUE.astype(np.uint16) * 257, "none"),
}
REFUSED = {"grey": TISSUE[..., :1].repeat(3, axis=2), "one channel": TISSUE[..., 0]}


def run(values: np.ndarray, folder: Path, *more: str) -> tuple[int, str, Path]:
    source, out = folder / "a tile.png", folder / "its stains"
    source.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(values)))
    done = CliRunner().invoke(main, ["stains", str(source), "--out", str(out), "--format", "netcdf", *more])
    return done.exit_code, done.output, out


@pytest.mark.filterwarnings("ignore::unmix.errors.UnmixWarning")
@pytest.mark.parametrize("name", ANSWERED)
def test_an_answer_without_nan_that_says_what_it_is(name: str, tmp_path: Path) -> None:
    values, flag = ANSWERED[name]
    code, output, out = run(values, tmp_path)
    assert code == 0, output
    with xr.open_dataset(out / "result.nc", engine="h5netcdf") as result:
        assert result.attrs["stain_flag"] == flag
        seen = np.ones(values.shape[:2], bool) if values.shape[2] == 3 else values[..., 3] > 0
        maps = result["abundances"].values
        np.testing.assert_array_equal(np.isfinite(maps).all(axis=0), seen)
        assert (maps[:, seen] >= 0).all()
        assert (maps[:, seen].max() == 0) == (name == "blank")
    assert imagecodecs.png_decode((out / "figure.png").read_bytes()).max() > 0


@pytest.mark.filterwarnings("ignore::unmix.errors.UnmixWarning")
@pytest.mark.parametrize("kind", ["result.nc", "lab.json"])
def test_vectors_of_a_result_or_a_stain_set_are_used_as_they_are(kind: str, tmp_path: Path) -> None:
    lab = measured_stain_set("lab", {"our dab": np.array([0.26, 0.57, 0.78]), "our blue": np.array([0.6, 0.7, 0.3])})
    (tmp_path / "lab.json").write_text(stain_set_to_json(lab))
    known, names = lab.matrix, lab.stains
    if kind == "result.nc":
        run(TISSUE, tmp_path)
        (tmp_path / "its stains" / "result.nc").rename(tmp_path / "result.nc")
        with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf") as first:
            known, names = first["endmembers"].values, tuple(first["endmember"].values)
    _, output, out = run(TISSUE[:64], tmp_path, "--endmembers-from", str(tmp_path / kind), "--overwrite")
    with xr.open_dataset(out / "result.nc", engine="h5netcdf") as result:
        assert tuple(result["endmember"].values) == names, output
        assert result.attrs["stain_flag"] == "given"
        np.testing.assert_allclose(result["endmembers"].values, known, atol=1e-12)


def test_jpeg_noise_keeps_the_stains(tmp_path: Path) -> None:
    source, out = tmp_path / "tile.jpg", tmp_path / "o"
    source.write_bytes(imagecodecs.jpeg_encode(np.ascontiguousarray(TISSUE), level=40))
    assert CliRunner().invoke(main, ["stains", str(source), "-o", str(out), "--format", "netcdf"]).exit_code == 0
    with xr.open_dataset(out / "result.nc", engine="h5netcdf") as result:
        assert result.attrs["stain_flag"] == "none"
        assert np.isfinite(result["abundances"].values).all()


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_colour_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    code, output, out = run(REFUSED[name], tmp_path)
    assert code == 1
    *stages, refusal = output.strip().splitlines()
    assert all(line.endswith(" ...") for line in stages)
    assert "colour" in refusal
    assert not out.exists()


def test_threads_hold_for_writing_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()

    def watched(work: Callable[[Any], Any], items: list[Any], threads: int) -> list[Any]:
        seen.add(threads)
        return [work(item) for item in items]

    monkeypatch.setattr("unmix.writers.stored_pieces.side_by_side", watched)
    code, output, _ = run(TISSUE, tmp_path, "--threads", "3")
    assert (code, seen) == (0, {3}), output
