"""NetCDF4 as its own library lays it out in HDF5: a scale for every dimension, which every variable refers to.

Written with h5py. Through h5netcdf, which reads it back, a small result takes 80 ms more: it looks up every dimension
again for every property of every variable.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

_NOT_A_VARIABLE = b"This is a netCDF dimension but not a netCDF variable."
_HIDDEN = {"CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "_Netcdf4Dimid", "_NCProperties", "_FillValue"}
_NUMBERS, _TEXT = "iuf", "UO"


class NetcdfFile:
    """A NetCDF4 file that is being written.

    Parameters
    ----------
    held : file object
        Where it is written to.
    sizes : mapping
        How long each dimension is.
    """

    def __init__(self, held: Any, sizes: Mapping[Any, int]) -> None:
        import h5py

        self._file = h5py.File(held, "w", track_order=True)
        self._sizes = {str(name): size for name, size in sizes.items()}
        self._text = h5py.string_dtype()
        told = f"version=2,hdf5={h5py.version.hdf5_version},h5py={h5py.version.version}"
        self._file.attrs["_NCProperties"] = np.bytes_(told)

    def __enter__(self) -> NetcdfFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add_attributes(self, attrs: Mapping[Any, Any]) -> None:
        """Write what the file says about itself."""
        _set_attributes(self._file, attrs)

    def add_scales(self, variables: Mapping[Any, xr.Variable]) -> None:
        """Write every dimension: as the variable of its name where there is one, else as a length alone."""
        for k, (name, size) in enumerate(self._sizes.items()):
            if name in variables:
                stored = self._create(name, variables[name])
                label = name.encode()
            else:
                stored = self._file.create_dataset(name, (size,), ">f4", track_order=True)
                label = _NOT_A_VARIABLE + b"%10d" % size
            stored.make_scale(label)
            stored.attrs["_Netcdf4Dimid"] = np.int32(k)

    def add_variable(self, name: str, variable: xr.Variable) -> None:
        """Write a small variable; `add_scales` has written what is called like a dimension."""
        if name not in self._sizes:
            self._attach(self._create(name, variable), variable)

    def add_map(self, name: str, variable: xr.Variable, chunks: tuple[int, ...]) -> Any:
        """Return a dataset to be filled in deflated chunks that carry a checksum."""
        fill = variable.dtype.type(np.nan) if variable.dtype.kind == "f" else None
        stored = self._file.create_dataset(
            name, variable.shape, variable.dtype, chunks=chunks, compression="gzip", compression_opts=4, shuffle=True,
            fletcher32=True, fillvalue=fill, track_order=True,
        )  # fmt: skip
        if fill is not None:
            stored.attrs["_FillValue"] = np.atleast_1d(fill)
        _set_attributes(stored, variable.attrs)
        self._attach(stored, variable)
        return stored

    def _create(self, name: str, variable: xr.Variable) -> Any:
        values = np.asarray(variable.values)
        attrs = dict(variable.attrs)
        fill = attrs.pop("_FillValue", None)
        if values.dtype.kind in _TEXT:
            values = values.astype(object)
            stored = self._file.create_dataset(name, values.shape, self._text, data=values, track_order=True)
        elif values.dtype.kind in _NUMBERS:
            stored = self._file.create_dataset(name, data=values, fillvalue=fill, track_order=True)
            if fill is not None:
                stored.attrs["_FillValue"] = np.atleast_1d(values.dtype.type(fill))
        else:
            raise TypeError(f"NetCDF holds no values of type {values.dtype}, as {name} has")
        _set_attributes(stored, attrs)
        return stored

    def _attach(self, stored: Any, variable: xr.Variable) -> None:
        for k, dim in enumerate(variable.dims):
            stored.dims[k].attach_scale(self._file[str(dim)])


def dimensions(stored: Any) -> tuple[str, ...]:
    """Return the names of the dimensions of a stored variable."""
    if stored.is_scale:
        return (stored.name.lstrip("/"),)
    return tuple(stored.dims[k][0].name.lstrip("/") for k in range(stored.ndim))


def attributes(stored: Any) -> dict[str, Any]:
    """Return what a stored variable or file says about itself, without what only its layout needs."""
    return {name: stored.attrs[name] for name in stored.attrs if name not in _HIDDEN}


def values_of(stored: Any) -> np.ndarray:
    """Return the values of a stored variable, text as text."""
    import h5py

    return np.asarray(stored.asstr()[()] if h5py.check_string_dtype(stored.dtype) else stored[()])


def _set_attributes(stored: Any, attrs: Mapping[Any, Any]) -> None:
    """Write attributes: text as it is, numbers as arrays of one dimension, as the NetCDF library does."""
    for name, value in attrs.items():
        array = np.asarray(value)
        if name in _HIDDEN or array.dtype.kind not in _NUMBERS + "U":
            raise TypeError(f"NetCDF has no room for the attribute {name} = {value!r}")
        stored.attrs[str(name)] = value if array.dtype.kind == "U" else np.atleast_1d(array)
