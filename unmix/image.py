"""The first contract: what an image is.

An image is an `xarray.DataArray` with dims ``("y", "x", "band")``, numpy- or Dask-backed, holding physical values.
Coordinates: ``wavelength`` and ``fwhm`` (band; nanometres), ``good_band`` (band; bool), ``band_name`` (band),
``spectral_axis`` (band; where the bands are no wavelengths: Raman shift, m/z, energy; ``long_name`` and ``units``),
``valid`` (y, x; bool), ``y`` and ``x`` (pixel centres, when the image is georeferenced or calibrated), ``spatial_ref``;
``latitude`` and ``longitude`` (y, x; swaths, in sensor geometry).
Attributes: ``quantity``, ``white_point``, ``source``, ``name``, ``acquired`` (when, UTC). What was recorded on disk
lives in ``.encoding``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from .conventions.named_axes import PLACE_COORDS, band_coords, letter_of, nodata_of, one_cube, with_our_names
from .conventions.spectral_axis import SpectralAxis, stated_nanometres
from .errors import DataError, OptionError
from .nmf.threads import each, thread_count
from .quantity import QUANTITIES, check_quantity
from .usable_pixels import UsablePixels, keep_rule, masked, usable_of

if TYPE_CHECKING:
    from affine import Affine
    from numpy.typing import ArrayLike

DIMS = ("y", "x", "band")

_SAMPLE_ROWS = 5
_SAMPLE_COLUMNS = 512


def as_image(
    values: ArrayLike | xr.DataArray,
    *,
    wavelengths: ArrayLike | None = None,
    fwhm: ArrayLike | None = None,
    good_bands: ArrayLike | None = None,
    band_names: Sequence[str] | None = None,
    spectral_axis: SpectralAxis | None = None,
    quantity: str | None = None,
    valid: ArrayLike | None = None,
    white_point: ArrayLike | None = None,
    scale: float | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    pixel_unit: str = "um",
    crs: Any = None,
    transform: Affine | None = None,
    source: str | None = None,
    name: str | None = None,
    sample: np.ndarray | None = None,
) -> xr.DataArray:
    """Make an unmix image from an array.

    Parameters
    ----------
    values : array_like, shape (y, x, band), DataArray or Dataset
        Recorded or physical values, numpy- or Dask-backed. Not copied unless `scale` is given.
        A DataArray may have its dimensions in any order and under any usual name (bands first as rioxarray has them,
        ``lat`` and ``lon``, ``wavelength``), and brings its own coordinates, CRS and wavelengths; a Dataset has one
        such variable. Pixels whose good bands all equal its ``_FillValue`` attribute are not valid. Neither are masked
        pixels of a numpy masked array.
    wavelengths, fwhm : array_like, shape (band,), optional
        Band centres and widths in nanometres, in file order; NaN where unknown. Centres that are all below 100 are
        taken as micrometres, with a warning.
    good_bands : array_like of bool, shape (band,), optional
        False where a band is not to be used. Bands that are all NaN are never good.
    band_names : sequence of str, optional
        One name a band.
    spectral_axis : SpectralAxis, optional
        Where the bands are when that is no wavelength: Raman shift, m/z, energy.
    quantity : {'reflectance', 'radiance', 'counts', 'brightfield', 'optical_density', 'unknown'}, optional
        What the numbers are. Guessed from a small fixed sample when not given.
    valid : array_like of bool, shape (y, x), optional
        False where a pixel is not to be used. Pixels with a value that is not finite in a good band never are.
    white_point : array_like, shape (band,), optional
        Brightfield: the value of each band where there is no stain.
    scale : float, optional
        Values are divided by it, as by ENVI's ``reflectance scale factor``; the result is float32.
    pixel_size : float or (float, float), optional
        Height and width of a pixel in `pixel_unit`, for calibrated (not georeferenced) images.
    pixel_unit : str
        Unit of `pixel_size`.
    crs, transform : optional
        Coordinate reference system and affine transform of a georeferenced image.
    source, name : str, optional
        Where the image came from, and what to call it.
    sample : ndarray, shape (rows, columns, band), optional
        A few of the values, for a lazy array whose reader can fetch them more cheaply than by reading whole chunks;
        the quantity and the empty bands are judged by them.

    Returns
    -------
    xarray.DataArray
        The image, dims ``("y", "x", "band")``.

    Raises
    ------
    DataError
        The array is not three-dimensional, empty, not real-valued, or has no good band.
    OptionError
        A coordinate has the wrong length, a wavelength is not positive or infinite, or a name is not known.

    Examples
    --------
    >>> import numpy as np, unmix
    >>> image = unmix.as_image(np.full((4, 5, 3), 0.5, "float32"), wavelengths=[450, 550, 650])
    >>> image.dims, image.attrs["quantity"]
    (('y', 'x', 'band'), 'unknown')
    """
    data: Any
    if isinstance(values, (xr.DataArray, xr.Dataset)):
        data, given = _given_by(one_cube(values), scale)
    else:
        given = _given_by_mask(values) if isinstance(values, np.ma.MaskedArray) else {}
        data = values if hasattr(values, "dask") else np.asarray(values)
    _check_array(data)
    nodata = given.get("nodata")
    if scale is not None:
        data = _divided(data, scale)
        nodata = None if nodata is None else float(np.float32(nodata) / np.float32(scale))
    n_bands = data.shape[2]

    bands: dict[str, Any] = {
        "wavelength": _per_band(wavelengths, given.get("wavelength"), n_bands, "wavelengths", np.float64),
        "fwhm": _per_band(fwhm, given.get("fwhm"), n_bands, "fwhm", np.float64),
        "good_band": _per_band(good_bands, given.get("good_band"), n_bands, "good_bands", np.bool_),
        "band_name": _per_band(band_names, given.get("band_name"), n_bands, "band_names", np.str_),
    }
    if wavelengths is not None:
        bands["wavelength"], bands["fwhm"] = stated_nanometres(bands["wavelength"], bands["fwhm"], "wavelengths")
    bands = {key: value for key, value in bands.items() if value is not None}
    sample = sample_rows(data) if sample is None else sample
    bands["good_band"] = _good_bands(data, sample, bands.get("good_band"))

    masks = [_as_mask(mask, data.shape[:2]) for mask in (given.get("valid"), valid) if mask is not None]
    coords: dict[str, Any] = {key: ("band", value) for key, value in bands.items()}
    coords |= {key: given[key] for key in PLACE_COORDS if key in given}
    other = given.get("spectral_axis") if spectral_axis is None else spectral_axis
    if other is not None:
        _per_band(other.values, None, n_bands, "spectral_axis", np.float64)
        coords["spectral_axis"] = other.coordinate
    coords["valid"] = ("y", "x"), _valid_pixels(data, bands["good_band"], masks, nodata)
    image = xr.DataArray(data, dims=DIMS).assign_coords(coords)  # given at once they would be copied
    image.name = None  # else a lazy image is called by the hash of its graph
    image = _placed(image, pixel_size, pixel_unit, crs, transform)

    attrs = {
        key: given["attrs"][key]
        for key in ("quantity", "white_point", "source", "name", "acquired", "geolocation", "water_bands")
        if key in given.get("attrs", {}) and not (key == "quantity" and "quantity_guessed" in given["attrs"])
    }
    known = check_quantity(quantity) or check_quantity(attrs.get("quantity"))
    image.attrs["quantity"] = known or guess_quantity(sample, has_crs(image))
    if quantity is None and "quantity" not in attrs:
        image.attrs["quantity_guessed"] = 1
    if white_point is not None:
        attrs["white_point"] = _per_band(white_point, None, n_bands, "white_point", np.float64)
    for key, value in {"source": source, "name": name}.items():
        if value is not None:
            attrs[key] = value
    image.attrs.update({key: value for key, value in attrs.items() if key != "quantity"})
    if isinstance(given.get("encoding"), dict):
        image.encoding = given["encoding"]
    return image


def check_image(image: xr.DataArray) -> xr.DataArray:
    """Return `image` if it keeps the contract, else raise `DataError` with what is wrong."""
    if not isinstance(image, xr.DataArray) or image.dims != DIMS:
        raise DataError(
            f"an image has dims {DIMS}; got {getattr(image, 'dims', type(image).__name__)}. Use unmix.as_image()."
        )
    for key in ("good_band", "valid"):
        if key not in image.coords or image.coords[key].dtype != bool:
            raise DataError(f"the image has no boolean coordinate '{key}'. Use unmix.as_image().")
    if image.attrs.get("quantity") not in QUANTITIES:
        raise DataError(f"image quantity {image.attrs.get('quantity')!r} is not one of {', '.join(QUANTITIES)}.")
    return image


def guess_quantity(sample: np.ndarray, georeferenced: bool = False) -> str:
    """Guess what the numbers of an image are from a small sample of its pixels.

    8- and 16-bit pictures of three bands without a map projection are brightfield; floats within about -0.1 to 2 in
    more than four bands are reflectance; anything else is unknown.
    """
    n_bands = sample.shape[-1]
    if sample.dtype.newbyteorder("=") in (np.uint8, np.uint16) and n_bands == 3 and not georeferenced:
        return "brightfield"
    finite = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample.ravel()[:0]
    if n_bands > 4 and finite.size and np.percentile(finite, 0.5) >= -0.1 and np.percentile(finite, 99.5) <= 2.0:
        return "reflectance"
    return "unknown"


def has_crs(image: xr.DataArray) -> bool:
    """Return whether the image has a coordinate reference system."""
    attrs = image.coords["spatial_ref"].attrs if "spatial_ref" in image.coords else {}
    return any(attrs.get(key) for key in ("crs_wkt", "spatial_ref", "grid_mapping_name"))


def sample_rows(values: Any) -> np.ndarray:
    """Return a few whole-width rows of an array (y, x, band), at fixed places, without reading the rest."""
    height, width = values.shape[:2]
    rows = sorted({int((k + 0.5) / _SAMPLE_ROWS * height) for k in range(_SAMPLE_ROWS)})
    step = max(1, width // _SAMPLE_COLUMNS)
    pieces = [values[row : row + 1, ::step] for row in rows]
    return np.concatenate([np.asarray(piece) for piece in pieces])


def pixel_size(image: xr.DataArray) -> tuple[float, float, str] | None:
    """Return (height, width, unit) of a pixel from the y and x coordinates, or None where they measure nothing.

    The rows and columns of a sensor are counted (unit 1), not measured.
    """
    if "y" not in image.coords or "x" not in image.coords or min(image.sizes["y"], image.sizes["x"]) < 2:
        return None
    if image.coords["y"].attrs.get("units") == "1":
        return None
    steps = [float(np.abs(np.diff(image.coords[axis].values[:2])[0])) for axis in ("y", "x")]
    return steps[0], steps[1], str(image.coords["y"].attrs.get("units", "pixel"))


def _check_array(values: Any) -> None:
    if values.ndim != 3:
        raise DataError(f"an image has 3 axes (y, x, band); this array has {values.ndim}, shape {tuple(values.shape)}.")
    if any(not length >= 0 for length in values.shape):
        raise DataError("the Dask array does not know its own size. Call its compute_chunk_sizes() first.")
    if min(values.shape) == 0:
        raise DataError(f"the image is empty: shape {tuple(values.shape)}.")
    if values.dtype.kind not in "uif":
        raise DataError(f"an image holds real numbers; this array holds {values.dtype}.")


def _divided(values: Any, scale: float) -> Any:
    if not np.isfinite(scale) or scale <= 0:
        raise OptionError(f"scale={scale!r}: values are divided by it, so it must be a positive number.")
    return values.astype(np.float32) / np.float32(scale)


def _given_by(values: xr.DataArray, scale: float | None) -> tuple[Any, dict[str, Any]]:
    """Return the array (y, x, band) of a DataArray and everything it brings."""
    factor, offset = values.attrs.get("scale_factor", 1), values.attrs.get("add_offset", 0)
    if scale is None and (np.any(np.asarray(factor) != 1) or np.any(np.asarray(offset) != 0)):
        raise DataError(
            f"the values are not physical yet: scale_factor={factor} and add_offset={offset} wait in attrs. "
            "Open the file with mask_and_scale=True, or give scale=."
        )
    image = with_our_names(values)
    coords = image.coords
    given: dict[str, Any] = {"attrs": values.attrs, "encoding": values.encoding, "nodata": nodata_of(values)}
    given |= band_coords(image, next((str(d) for d in values.dims if letter_of(str(d)) == "b"), ""))
    if "valid" in coords and set(coords["valid"].dims) == {"y", "x"}:
        given["valid"] = coords["valid"].transpose("y", "x").data
    given.update({key: coords[key] for key in PLACE_COORDS if key in coords})
    return image.data, given


def _given_by_mask(values: np.ma.MaskedArray) -> dict[str, Any]:
    hidden = np.ma.getmaskarray(values)
    if hidden.ndim != 3:
        return {}
    good = ~hidden.all(axis=(0, 1))
    return {"good_band": good, "valid": ~hidden[:, :, good].any(axis=2)}


def _per_band(value: Any, given: Any, n_bands: int, argument: str, dtype: type) -> np.ndarray | None:
    value = given if value is None else value
    if value is None:
        return None
    try:
        array: np.ndarray = np.asarray(value).astype(dtype)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{argument} must be {n_bands} values of type {dtype.__name__}: {error}.") from error
    if array.shape != (n_bands,):
        raise OptionError(f"{argument} has shape {array.shape}; the image has {n_bands} bands.")
    return array


def _as_mask(mask: Any, shape: tuple[int, int]) -> Any:
    if isinstance(mask, xr.DataArray) and set(mask.dims) == {"y", "x"}:
        mask = mask.transpose("y", "x").data
    mask = mask if hasattr(mask, "dask") else np.asarray(mask)
    if tuple(mask.shape) != tuple(shape):
        raise OptionError(
            f"the mask has shape {tuple(mask.shape)}; the image has {shape[0]} rows and {shape[1]} columns."
        )
    if mask.dtype.kind not in "bui":
        raise OptionError(f"a mask holds True and False (or 0 and 1); this one holds {mask.dtype}.")
    return mask.astype(bool)


def _good_bands(values: Any, sample: np.ndarray, flagged: np.ndarray | None) -> np.ndarray:
    good = np.ones(values.shape[2], bool) if flagged is None else flagged.copy()
    if values.dtype.kind == "f":
        empty = good & ~np.isfinite(sample).any(axis=(0, 1))
        if isinstance(values, np.ndarray):
            for band in np.flatnonzero(empty):
                empty[band] = not np.isfinite(values[:, :, band]).any()
        if not (good & ~empty).any() and not isinstance(values, np.ndarray):
            return good  # the few rows looked at are all invalid; the walk over the image decides
        good &= ~empty
    if not good.any():
        raise DataError("the image has no good band: every band is flagged bad or holds no finite value.")
    return good


def _valid_pixels(values: Any, good: np.ndarray, masks: Sequence[Any], nodata: float | None) -> Any:
    if hasattr(values, "dask"):
        if values.dtype.kind == "f" or nodata is not None:
            valid = values.map_blocks(usable_of, good, nodata, drop_axis=2, dtype=bool, meta=np.empty((0, 0), bool))
            keep_rule(valid, UsablePixels(good, nodata))
        else:  # integers without nodata need not be looked at: one True that stands for all takes no memory
            valid = np.broadcast_to(np.True_, values.shape[:2])
        for mask in masks:
            valid = masked(valid, mask)
        return valid
    valid = np.ones(values.shape[:2], bool)
    if values.dtype.kind == "f" or nodata is not None:
        rows = max(1, (1 << 23) // max(1, values.shape[1] * values.shape[2]))

        def judge(top: int) -> None:
            valid[top : top + rows] = usable_of(values[top : top + rows], good, nodata)

        each(judge, range(0, values.shape[0], rows), thread_count(None))
    for mask in masks:
        valid &= np.asarray(mask)
    return valid


def _placed(image: xr.DataArray, size: Any, unit: str, crs: Any, transform: Any) -> xr.DataArray:
    if size is not None and (crs is not None or transform is not None):
        raise OptionError("give pixel_size (calibrated image) or crs and transform (georeferenced image), not both.")
    if size is not None:
        steps = np.broadcast_to(np.asarray(size, float), (2,))
        if not (np.isfinite(steps).all() and (steps > 0).all()):
            raise OptionError(f"pixel_size={size!r} must be positive.")
        centres = {axis: (np.arange(image.sizes[axis]) + 0.5) * step for axis, step in zip("yx", steps, strict=True)}
        image = image.assign_coords({axis: (axis, places, {"units": unit}) for axis, places in centres.items()})
    if crs is not None or transform is not None:
        import rioxarray  # noqa: F401  (registers the .rio accessor)

        image = image.copy(deep=False)  # rioxarray's default, inplace=False, copies the values too
        if transform is not None:
            if transform.b == 0 and transform.d == 0:
                y = transform.f + (np.arange(image.sizes["y"]) + 0.5) * transform.e
                x = transform.c + (np.arange(image.sizes["x"]) + 0.5) * transform.a
                image = image.assign_coords(y=("y", y), x=("x", x))
            image.rio.write_transform(transform, inplace=True)
        if crs is not None:
            image.rio.write_crs(crs, inplace=True)
        if "y" in image.coords and crs is not None:
            image.rio.set_spatial_dims("x", "y", inplace=True)
            image.rio.write_coordinate_system(inplace=True)
        image.attrs.pop("grid_mapping", None)
    return image
