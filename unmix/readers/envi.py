"""ENVI raw cubes: a text header and a file of plain numbers, read in parts.

GDAL reads zeros from a truncated cube without a word, so header and data are read here: the size of the data file must
be exactly what the header says. Values are divided by ``reflectance scale factor``, or multiplied by ``data gain
values`` plus ``data offset values``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from ..conventions.spectral_axis import in_nanometres
from ..errors import ReadError, warn
from ..image import sample_rows
from .describe import Description, make_image
from .envi_header import Header, Layout, layout_of, read_header
from .map_info import placement
from .naming import shown
from .products.aviris_ng import described_as_line
from .raw_file import RawFile
from .request import Request
from .window import Physical

DATA_SUFFIXES = ("", ".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".sli", ".bin", ".rfl")
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"PK\x03\x04": "zip",
    b"\xfd7zX": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_REFUSED_TYPES = {
    "envi spectral library": "an ENVI spectral library, not an image. Give it as endmembers= or as a library",
    "envi classification": "an ENVI classification: labels cannot be unmixed",
    "envi meta file": "an ENVI meta file, which names other files. Give the cube itself",
    "envi virtual mosaic": "an ENVI virtual mosaic, which names other files. Give the cube itself",
}


def read(path: Path, request: Request) -> xr.DataArray:
    """Return an ENVI cube, given its header or its data file."""
    header_path, data_path = partners(path)
    header = read_header(header_path)
    _refuse_other_types(header)
    raw = raw_cube(header, data_path)
    _warn_if_swapped(raw, header)
    described = described_as_line(describe(header, raw.shape[2], request), header, data_path)
    return make_image(path, raw, described, request)


def raw_cube(header: Header, data: Path) -> RawFile:
    """Return the numbers of a cube as they are stored; the data file must hold exactly what the header says."""
    layout = layout_of(header)
    _check_size(data, layout, header)
    size = (layout.lines, layout.samples, layout.bands)
    return RawFile.cube(data, layout.offset, layout.dtype, size, layout.stored)


def partners(path: Path) -> tuple[Path, Path]:
    """Return (header, data file) of an ENVI cube, given either; raise `ReadError` naming what was looked for."""
    if path.suffix.lower() == ".hdr":
        tried = [path.with_suffix(suffix) for suffix in DATA_SUFFIXES]
        found = _files_named(tried, besides=path)
        if not found:
            raise ReadError(f"{shown(path)}: there is no data file beside the header; tried {_listed(tried)}.")
        if len(found) > 1:
            raise ReadError(
                f"{shown(path)} could belong to {_listed(found)}. Give the data file instead of the header."
            )
        return path, found[0]
    header = find_header(path)
    if header is None:
        raise ReadError(f"{shown(path)}: there is no header beside it; tried {_listed(header_names(path))}.")
    return header, path


def find_header(path: Path) -> Path | None:
    """Return the ENVI header beside a data file, or None."""
    return next(iter(_files_named(header_names(path), besides=path)), None)


def header_names(path: Path) -> list[Path]:
    """Return the names an ENVI header of this data file may have: ``x.dat.hdr`` first, then ``x.hdr``."""
    names = [path.with_name(path.name + ".hdr")]
    if path.suffix:
        names.append(path.with_suffix(".hdr"))
    return names


def describe(header: Header, n_bands: int, request: Request) -> Description:
    """Return what a header says about its numbers, checked."""
    if "data file" in header:
        _warn(f"{shown(header.path)}: 'data file' is ignored; the file beside the header is read.")
    wavelengths, fwhm = _wavelengths(header, n_bands)
    flags = header.numbers("bbl", n_bands)
    names = header.items("band names") or None
    if names is not None and len(names) != n_bands:
        raise header.error(f"'band names' lists {len(names)} names for {n_bands} bands")
    crs, transform = placement(header)
    described = Description(
        wavelengths=wavelengths,
        fwhm=fwhm,
        good_bands=None if flags is None else flags > 0,
        band_names=names,
        nodata=header.number("data ignore value"),
        crs=crs,
        transform=transform,
    )
    _add_scale(described, header, n_bands, request)
    return described


def _add_scale(described: Description, header: Header, n_bands: int, request: Request) -> None:
    """Put the header's scale, gains and offsets into the description, with the quantity they make."""
    divisor = header.number("reflectance scale factor")
    factors = {
        kind: [header.numbers(f"data {kind}{what} values", n_bands) for what in ("gain", "offset")]
        for kind in ("", "reflectance ")
    }
    kind = "" if any(values is not None for values in factors[""]) else "reflectance "
    gains, offsets = factors[kind]
    both = divisor not in (None, 1.0) and (gains is not None or offsets is not None)
    if both and request.scale is None:
        raise header.error(
            "both 'reflectance scale factor' and gain or offset values are given. Say which number divides by scale="
        )
    if divisor is not None and divisor <= 0:
        raise header.error(f"'reflectance scale factor = {divisor:g}' is not positive")
    described.divisor, described.scale, described.offset = divisor, gains, offsets
    if divisor is not None or (kind and gains is not None):
        described.quantity = "reflectance"
    elif gains is not None and not np.all(gains == 1):
        described.quantity = "radiance"


def _wavelengths(header: Header, n_bands: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    wavelengths, fwhm = header.numbers("wavelength", n_bands), header.numbers("fwhm", n_bands)
    for key, values, lowest in (("wavelength", wavelengths, 1e-12), ("fwhm", fwhm, 0.0)):
        if values is not None and (values < lowest).any():
            band = int(np.argmax(values < lowest))
            raise header.error(f"'{key}' of band {band + 1} is {values[band]:g}, which is not positive")
    if wavelengths is None:
        return None, None
    return in_nanometres(wavelengths, fwhm, header.text("wavelength units"), shown(header.path))


def _refuse_other_types(header: Header) -> None:
    kind = " ".join(header.text("file type").lower().split())
    if kind in _REFUSED_TYPES:
        raise ReadError(f"{shown(header.path)} is {_REFUSED_TYPES[kind]}.")
    if kind.startswith(("tiff", "hdf", "jpeg", "nitf")):
        raise header.error(f"'file type = {kind[:20]}' describes a file that is not raw. Give that file itself")


def _check_size(data: Path, layout: Layout, header: Header) -> None:
    found = data.stat().st_size
    if found == layout.n_bytes:
        return
    with data.open("rb") as file:
        head = file.read(6)
    for magic, name in _COMPRESSED.items():
        if head.startswith(magic):
            raise ReadError(f"{shown(data)} is compressed ({name}). Unpack it first.")
    size = f"{layout.lines} lines x {layout.samples} samples x {layout.bands} bands, {layout.dtype.itemsize} bytes each"
    way_out = "it is cut short, or the header is wrong" if found < layout.n_bytes else "the header is wrong"
    raise ReadError(
        f"{shown(data)}: expected {layout.n_bytes} bytes ({size}, offset {layout.offset}), found {found}: {way_out}."
    )


def _warn_if_swapped(raw: RawFile, header: Header) -> None:
    """Warn when the numbers look wrong and the other byte order cures it; nothing is swapped."""
    if raw.dtype.itemsize == 1:
        return
    whole = (0, 0, raw.shape[0], raw.shape[1])
    sample = sample_rows(Physical(raw, whole, tuple(range(raw.shape[2])), np.ones(raw.shape[2], bool)))
    swapped = sample.byteswap()
    nodata = header.number("data ignore value")
    now, other = _roughness(sample, nodata), _roughness(swapped, nodata)
    if now > 0.5 and other < 0.25 * now:
        order = header.whole("byte order", 0)
        _warn(
            f"{shown(header.path)}: the numbers look wrong with 'byte order = {order}' and right with {1 - order}. "
            "If so, correct the header."
        )


def _roughness(sample: np.ndarray, nodata: float | None) -> float:
    """Return how much neighbours differ against how much all values do (1 is noise); infinite where many are absurd."""
    with np.errstate(invalid="ignore", over="ignore"):
        values = sample.astype(np.float64)
        if sample.dtype.kind == "f":
            size = np.abs(values[(values != 0) & (values != nodata)])
            if size.size and np.mean(~((size > 1e-12) & (size < 1e12))) > 0.01:
                return np.inf
        values = values[np.isfinite(values).all(axis=2)]
    if values.shape[0] < 2 or not values.size:
        return 0.0
    spread = np.abs(values - np.median(values)).mean()
    steps = [np.abs(np.diff(values, axis=axis)).mean() for axis in (0, 1) if values.shape[axis] > 1]
    return float(min(steps) / spread) if spread > 0 else 0.0


def _files_named(names: list[Path], besides: Path) -> list[Path]:
    """Return the names that are files; where none is, the files whose names differ in case only."""
    found = [name for name in names if name != besides and name.is_file()]
    if found:
        return found
    lower = [name.name.lower() for name in names]
    try:
        others = [entry for entry in besides.parent.iterdir() if entry.name.lower() in lower and entry != besides]
    except OSError:
        return []
    return sorted((entry for entry in others if entry.is_file()), key=lambda entry: lower.index(entry.name.lower()))


def _listed(paths: list[Path]) -> str:
    return ", ".join(shown(path) for path in paths)


def _warn(message: str) -> None:
    warn(message)
