"""ENVI: endmembers as a spectral library with its wavelengths, abundance maps as a raw cube; each with its header.

The data file is written first and the header last: a header is there only when what it describes is complete.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..conventions.spectral_axis import spectral_axis
from ..ground_grid import on_the_ground
from .commit import commit, commit_bytes
from .facts import affine, crs_wkt, labels, source_path

_STRIP = 256


def header_of(path: Path) -> Path:
    """Return the name of the header that belongs to a data file."""
    return path.with_suffix(".hdr")


def write_library(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the endmembers as an ENVI spectral library (``.sli`` with ``.hdr``), float64, in file order of the bands.

    Bands that are not good are NaN and 0 in ``bbl``. Names lose commas and braces, which headers cannot hold.
    """
    spectra = np.ascontiguousarray(result["endmembers"].transpose("endmember", "band").values, "<f8")
    count, n_bands = spectra.shape
    lines = _header(
        "unmix endmembers", samples=n_bands, lines=count, bands=1, kind="ENVI Spectral Library", data_type=5,
        more=[*_about_bands(result), _listed("spectra names", labels(result))],
    )  # fmt: skip
    commit_bytes(path, spectra.tobytes(), overwrite=overwrite, source=source_path(result))
    return _with_header(path, lines, result, overwrite)


def write_maps(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the abundance maps as an ENVI cube (``.img`` with ``.hdr``), band-sequential float32, NaN where invalid.

    One band an endmember. A place on a map is kept where rows and columns follow its axes, and rotated ones too.
    """
    laid = on_the_ground(result)
    maps = laid["abundances"]
    count, height, width = maps.shape
    lines = _header(
        "unmix abundances", samples=width, lines=height, bands=count, kind="ENVI Standard", data_type=4,
        more=["data ignore value = nan", *_place(laid), _listed("band names", labels(result))],
    )  # fmt: skip
    _commit_cube(path, maps, result, overwrite)
    return _with_header(path, lines, result, overwrite)


def _commit_cube(path: Path, maps: xr.DataArray, result: xr.Dataset, overwrite: bool) -> None:
    """Write maps (n, y, x) as plain numbers a strip at a time, and compare them on re-reading."""
    count, height, _ = maps.shape
    strips = [(k, slice(top, min(top + _STRIP, height))) for k in range(count) for top in range(0, height, _STRIP)]

    def fill(temporary: Path) -> list[int]:
        with open(temporary, "wb") as file:
            return [_written(file.write, maps[k, rows].values) for k, rows in strips]

    def differences(temporary: Path, checksums: list[int]) -> str:
        width = maps.shape[2]
        with open(temporary, "rb") as file:
            found = [zlib.crc32(file.read((rows.stop - rows.start) * width * 4)) for _, rows in strips]
            return "" if found == checksums and not file.read(1) else "values"

    commit(path, fill, differences, overwrite=overwrite, source=source_path(result))


def _written(write: Callable[[bytes], Any], strip: np.ndarray) -> int:
    content = np.ascontiguousarray(strip, "<f4").tobytes()
    write(content)
    return zlib.crc32(content)


def _with_header(path: Path, lines: Sequence[str], result: xr.Dataset, overwrite: bool) -> Path:
    content = ("\n".join(lines) + "\n").encode()
    commit_bytes(header_of(path), content, overwrite=overwrite, source=source_path(result))
    return path


def _header(
    told: str, *, samples: int, lines: int, bands: int, kind: str, data_type: int, more: Sequence[str]
) -> list[str]:
    return [
        "ENVI", f"description = {{{told}}}", f"samples = {samples}", f"lines = {lines}", f"bands = {bands}",
        "header offset = 0", f"file type = {kind}", f"data type = {data_type}", "interleave = bsq", "byte order = 0",
        *more,
    ]  # fmt: skip


def _about_bands(result: xr.Dataset) -> list[str]:
    """Return wavelengths, widths and good bands as header lines, for a library whose samples are the bands."""
    told = []
    axis = spectral_axis(result.coords)
    if axis is not None and axis.unit == "nm" and np.isfinite(axis.values).all():
        told += ["wavelength units = Nanometers", _listed("wavelength", axis.values.tolist())]
        if "fwhm" in result.coords and np.isfinite(result["fwhm"].values).all():
            told.append(_listed("fwhm", result["fwhm"].values.tolist()))
    else:
        told.append("wavelength units = Index")
    if "good_band" in result.coords:
        told.append(_listed("bbl", result["good_band"].values.astype(int).tolist()))
    return told


def _place(laid: xr.Dataset) -> list[str]:
    """Return the place of the maps as ``map info`` and ``coordinate system string``, nothing where there is none."""
    place, wkt = affine(laid), crs_wkt(laid)
    if place is None or wkt is None:
        return []
    from rasterio.crs import CRS
    from rasterio.enums import WktVersion

    a, b, c, d, e, f = place
    width, height = float(np.hypot(a, d)), float(np.hypot(b, e))
    info = ["Arbitrary", "1", "1", repr(c), repr(f), repr(width), repr(height)]
    if (b, d) != (0.0, 0.0) or a < 0 or e > 0:
        turn = float(np.degrees(np.arctan2(d, a)))
        if not np.allclose([b, e], [d * height / width, -a * height / width], rtol=1e-6, atol=1e-9 * width):
            return []
        info.append(f"rotation={turn!r}")
    esri = CRS.from_wkt(wkt).to_wkt(version=WktVersion.WKT1_ESRI)
    return [f"map info = {{{', '.join(info)}}}", f"coordinate system string = {{{esri}}}"]


def _listed(key: str, values: Sequence[Any]) -> str:
    texts = [_plain(v) if isinstance(v, str) else repr(v) for v in values]
    return f"{key} = {{{', '.join(texts)}}}"


def _plain(name: str) -> str:
    """Return a name without what ends an entry or a list of a header."""
    return name.translate(str.maketrans(",{}", ";()"))
