"""Writing results: one file a format family, one line in `FORMATS` registers it.

Every file is written beside its final name, synced, re-opened, compared and renamed (`unmix.writers.commit`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from ..errors import OptionError
from ..result import check_result
from . import cog, envi, geotiff, netcdf, ome_tiff, ome_zarr, preview, slide_tiff, stac, table, zarr_result
from .commit import check_outputs
from .facts import crs_wkt, is_stained, pixel_size_um, quantity, source_path
from .slide_plan import slide_planned

__all__ = ["FORMATS", "Format", "check_out", "default_formats", "plan_outputs", "plan_slide", "write"]


@dataclass(frozen=True)
class Format:
    """One kind of file a result is written as.

    Parameters
    ----------
    name : str
        What it is called in ``formats=``.
    file_name : str
        Its name in a folder.
    write : callable
        ``write(result, path, *, overwrite)``.
    suffixes : tuple of str
        Names of single files it is taken for, longest first; empty where only ``formats=`` chooses it.
    header : bool
        A header with the suffix ``.hdr`` belongs to it.
    lists_others : bool
        It describes the other files of a folder, and is also given ``others=``, those written before it.
    """

    name: str
    file_name: str
    write: Callable[..., Path]
    suffixes: tuple[str, ...] = ()
    header: bool = False
    lists_others: bool = False

    def files(self, path: Path) -> list[Path]:
        """Return the files that writing to `path` leaves."""
        return [path, path.with_suffix(".hdr")] if self.header else [path]


FORMATS = (
    Format("netcdf", "result.nc", netcdf.write_netcdf, (".nc",)),
    Format("csv", "endmembers.csv", table.write_endmembers, (".csv",)),
    Format("preview", "preview.png", preview.write_preview, (".png",)),
    Format("ome_tiff", "abundances.ome.tif", ome_tiff.write_abundances, (".ome.tif", ".ome.tiff")),
    Format("slide", "concentrations.ome.tif", slide_tiff.write_slide),
    Format("ome_zarr", "abundances.ome.zarr", ome_zarr.write_ome_zarr, (".ome.zarr",)),
    Format("zarr", "result.zarr", zarr_result.write_zarr, (".zarr",)),
    Format("cog", "abundances.cog.tif", cog.write_cog, (".cog.tif", ".cog.tiff")),
    Format("geotiff", "abundances.tif", geotiff.write_abundances, (".tif", ".tiff")),
    Format("residual", "residual.tif", geotiff.write_residual),
    Format("brightness", "brightness.tif", geotiff.write_brightness),
    Format("envi_library", "endmembers.sli", envi.write_library, (".sli",), header=True),
    Format("envi", "abundances.img", envi.write_maps, (".img",), header=True),
    Format("stac", "item.json", stac.write_item, lists_others=True),
)

_SLIDE = next(one for one in FORMATS if one.name == "slide")

_OTHER_FILES = {
    ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".svg", ".pdf", ".html", ".txt", ".tsv", ".xls", ".xlsx", ".json",
    ".yaml", ".h5", ".hdf5", ".nc4", ".mat", ".npy", ".npz", ".hdr", ".dat", ".svs", ".ndpi", ".zip",
}  # fmt: skip


def write(
    result: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    formats: Sequence[str] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write a result to one file, or to a folder in several formats.

    Parameters
    ----------
    result : xarray.Dataset
        What `unmix.unmix` returned; in memory or lazy.
    path : path
        A name ending in ``.nc``, ``.zarr``, ``.csv``, ``.png``, ``.tif``, ``.cog.tif``, ``.ome.tif``, ``.ome.zarr``,
        ``.sli`` or ``.img`` writes that one output; anything else is a folder, made where it is missing.
    formats : sequence of str, optional
        Which of ``netcdf``, ``csv``, ``preview``, ``ome_tiff``, ``slide``, ``ome_zarr``, ``zarr``, ``cog``,
        ``geotiff``, ``residual``, ``brightness``, ``envi_library`` (endmembers), ``envi`` (maps) and ``stac`` (an item
        that lists the others) go into the folder. By default the first three and the abundance maps: OME-TIFF for
        microscopy (calibrated in micrometres, brightfield, optical density or counts), GeoTIFF for everything else.
        Stains of more than 20 million pixels: ``csv``, ``preview`` and ``slide``, a pyramid of 8-bit maps, which
        is also what a name ending in ``.ome.tif`` gives; ``"ome_tiff"`` gives float32.
    overwrite : bool
        Replace existing files. They are looked for before anything is written.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    OptionError
        A format is not known, or the path asks for a file unmix does not write.
    WriteError
        An output exists, is a link or the input, cannot be written, or did not read back as it was written.
    DataError
        `result` is not a result.

    Examples
    --------
    >>> import tempfile, numpy as np, unmix
    >>> rng = np.random.default_rng(0)
    >>> cube = rng.dirichlet([0.2] * 3, (30, 30)) @ rng.random((3, 8))
    >>> result = unmix.unmix(cube, 3, quantity="reflectance")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in unmix.write(result, folder)]
    ['result.nc', 'endmembers.csv', 'preview.png', 'abundances.tif']
    """
    check_result(result)
    outputs = plan_outputs(result, path, formats)
    check_outputs(
        [file for chosen, output in outputs for file in chosen.files(output)],
        overwrite=overwrite,
        source=source_path(result),
    )
    written: list[Path] = []
    for chosen, output in outputs:
        others = {"others": tuple(written)} if chosen.lists_others else {}
        chosen.write(result, output, overwrite=overwrite, **others)
        written += chosen.files(output)
    return written


def check_out(path: str | os.PathLike[str]) -> None:
    """Raise where the outputs of a run to come could not be written to `path`, before any work is done."""
    if not isinstance(path, (str, os.PathLike)):
        raise OptionError(f"out={path!r} is no path. Give a file or a folder.")
    if not os.fspath(path):
        raise OptionError("the output path is empty. Give a file or a folder.")
    path = Path(path)
    single = _single(path)
    check_outputs(single.files(path) if single else [f for one in FORMATS for f in one.files(path / one.file_name)])


def plan_outputs(
    result: xr.Dataset, path: str | os.PathLike[str], formats: Sequence[str] | None = None
) -> list[tuple[Format, Path]]:
    """Return the formats and paths `write` would write; touches nothing."""
    if not os.fspath(path):
        raise OptionError("the output path is empty. Give a file or a folder.")
    path = Path(path)
    chosen = None if formats is None else _named(result, [formats] if isinstance(formats, str) else list(formats))
    single = _single(path)
    if single is not None and single.name == "ome_tiff" and _is_whole_slide(result):
        single = _SLIDE
    if single is None:
        return [(one, path / one.file_name) for one in chosen or default_formats(result)]
    if chosen is None or chosen == [single]:
        return [(single, path)]
    if len(chosen) == 1 and path.suffix.lower() == Path(chosen[0].file_name).suffix:
        return [(chosen[0], path)]
    names = ", ".join(one.name for one in chosen)
    raise OptionError(
        f"{path.name} is one {single.name} file, but formats={names}. Give a folder, or leave out formats."
    )


def default_formats(result: xr.Dataset) -> list[Format]:
    """Return what is written into a folder when nothing is asked for."""
    if _is_whole_slide(result):
        return [one for one in FORMATS if one.name in ("csv", "preview", "slide")]
    microscopy = pixel_size_um(result) is not None or quantity(result) in ("brightfield", "optical_density", "counts")
    maps = "ome_tiff" if microscopy and crs_wkt(result) is None else "geotiff"
    return [one for one in FORMATS if one.name in ("netcdf", "csv", "preview", maps)]


def _is_whole_slide(result: xr.Dataset) -> bool:
    """Return whether maps are of stains and so large that they are written as a pyramid of 8-bit values."""
    return is_stained(result) and result.sizes["y"] * result.sizes["x"] > slide_tiff.LARGE_PIXELS


def _named(result: xr.Dataset, names: list[str]) -> list[Format]:
    """Return the formats of these names, in the order of the registry."""
    known = [one.name for one in FORMATS]
    for name in names:
        if name not in known:
            raise OptionError(f"formats: {name!r} is not known. Use any of {', '.join(known)}.")
    if not names:
        raise OptionError(f"formats is empty. Use any of {', '.join(known)}, or leave it out.")
    if "brightness" in names and "brightness" not in result:
        raise OptionError(
            "formats: this result has no brightness map; only the constraint 'shade' makes one. Leave it out."
        )
    if "stac" in names and len(names) == 1:
        raise OptionError("formats: 'stac' describes other files. Name those too, such as cog.")
    if "slide" in names and not is_stained(result):
        raise OptionError("formats: 'slide' holds concentrations of stains. Use 'ome_tiff' or 'ome_zarr' for others.")
    return [one for one in FORMATS if one.name in names]


def plan_slide(out: str | os.PathLike[str] | None, formats: Sequence[str] = ()) -> AbstractContextManager[None]:
    """Return a context in which a whole slide is made into the tiles of its pyramid while it is solved.

    Where nothing of the kind will be written to `out`, it changes nothing.
    """
    if out is None:
        return nullcontext()
    single = _single(Path(out))
    asked = "slide" in formats if formats else single is None or single.name == "ome_tiff"
    return slide_planned(out) if asked else nullcontext()


def _single(path: Path) -> Format | None:
    """Return the format of a path that is one output, None where it is a folder's."""
    return None if path.is_dir() and path.suffix.lower() != ".zarr" else _format_of(path)


def _format_of(path: Path) -> Format | None:
    """Return the format a file name asks for, None where it is a folder's name."""
    name = path.name.lower()
    for one in FORMATS:
        if any(name.endswith(suffix) for suffix in one.suffixes):
            return one
    if path.suffix.lower() in _OTHER_FILES:
        known = ", ".join(suffix for one in FORMATS for suffix in one.suffixes)
        raise OptionError(f"unmix does not write {path.suffix} files ({path.name}). Use one of {known}, or a folder.")
    return None
