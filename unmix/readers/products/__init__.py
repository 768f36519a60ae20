"""Products the agencies ship, one adapter a file, each chosen by what is in the file.

An adapter returns where the numbers are and what the product says about them; the rest is the same for every format.
"""

from __future__ import annotations

import fnmatch
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..describe import Description
from ..window import Raw


@dataclass(frozen=True)
class Hdf5Product:
    """One line of the registry: a product in HDF5 or NetCDF, and the datasets by which it is known.

    `marks` are sets of full names, ``*`` for any; a file that holds all names of one of them is such a product.
    """

    name: str
    module: str
    marks: tuple[tuple[str, ...], ...]

    def adapter(self) -> Any:
        """Return the module that reads it."""
        return importlib.import_module(f".{self.module}", __name__)

    def open(self, file: Any, found: Mapping[str, Any], path: Path) -> tuple[Raw, Description]:
        """Return where the numbers are and what the product says about them."""
        raw, described = self.adapter().open_product(file, found, path)
        return raw, described


_BANDS = "sensor_band_parameters"
_SWATHS, _GRIDS = "HDFEOS/SWATHS", "HDFEOS/GRIDS"
_HYP = "HYP/Data Fields/surface_reflectance"
HDF5_PRODUCTS = (
    Hdf5Product("EMIT", "emit", (("reflectance", f"{_BANDS}/wavelengths"), ("radiance", f"{_BANDS}/wavelengths"))),
    Hdf5Product("AVIRIS-3", "aviris3", (("reflectance/reflectance",), ("radiance/radiance", "radiance/wavelength"))),
    Hdf5Product("PRISMA", "prisma", ((f"{_SWATHS}/PRS_L2[CD]_HCO/Data Fields/VNIR_Cube",),)),
    Hdf5Product("Tanager", "tanager", ((f"{_SWATHS}/{_HYP}",), (f"{_GRIDS}/{_HYP}",))),
    Hdf5Product("PACE OCI", "pace_oci", (("geophysical_data/rhos", f"{_BANDS}/wavelength_3d"),)),
    Hdf5Product("HyperSpy", "hyperspy", (("Experiments/*/data",),)),
)


def product_of(found: Mapping[str, Any]) -> Hdf5Product | None:
    """Return the product a file with these datasets is, or None."""
    for product in HDF5_PRODUCTS:
        if any(all(fnmatch.filter(found, name) for name in names) for names in product.marks):
            return product
    return None


def product_called(name: str) -> Hdf5Product | None:
    """Return a product by its name, or None."""
    return next((product for product in HDF5_PRODUCTS if product.name == name), None)
