"""What is needed to run it again: versions, source with a hash of its sample, options, warnings, seconds."""

from __future__ import annotations

import hashlib
import platform
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import xarray as xr

from .errors import UnmixWarning, warn

_HASHED_PIXELS = 2_500
_PACKAGES = ("unmix", "numpy", "scipy", "numba", "xarray", "dask")


class Journal:
    """Seconds by stage and warnings, gathered while a run goes on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.warnings: list[str] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time a stage and note the warnings given in it; they are given again when the stage ends."""
        start, caught = time.perf_counter(), []
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", UnmixWarning)
                yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start
            self._give_again(caught)

    def _give_again(self, caught: list[warnings.WarningMessage]) -> None:
        for warning in caught:
            if issubclass(warning.category, UnmixWarning):
                self.warnings.append(str(warning.message))
                warn(warning.message)
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def provenance(
    image: xr.DataArray,
    sample: np.ndarray,
    options: Mapping[str, Any],
    journal: Journal,
    notes: Mapping[str, Any],
) -> dict[str, Any]:
    """Return everything that made a result, ready for JSON."""
    return {
        "versions": dict(_versions()),
        "platform": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "source": _source(image, sample),
        "image": {
            "shape": list(image.shape),
            "dtype": str(image.dtype),
            "quantity": image.attrs["quantity"],
            **{key: str(image.attrs[key]) for key in ("water_bands", "acquired") if key in image.attrs},
        },
        "quantity_guessed": bool(image.attrs.get("quantity_guessed", 0)),
        "options": dict(options),
        "fit": dict(notes),
        "warnings": list(journal.warnings),
        "seconds": {key: round(value, 3) for key, value in journal.seconds.items()},
        "seed": options.get("seed"),
    }


@cache
def _versions() -> MappingProxyType[str, str]:
    """Return the versions of what runs here; looked up once, because that reads every package's metadata."""
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return MappingProxyType(found)


def _source(image: xr.DataArray, sample: np.ndarray) -> dict[str, Any]:
    hashed = np.ascontiguousarray(sample[:: max(1, len(sample) // _HASHED_PIXELS)])
    about: dict[str, Any] = {"sample_sha256": hashlib.sha256(hashed.view(np.uint8)).hexdigest()}
    about["sample_pixels"] = len(hashed)
    if "name" in image.attrs:
        about["name"] = str(image.attrs["name"])
    path = image.attrs.get("source")
    if path:
        about["path"] = str(path)
        file = Path(path)
        if file.is_file():
            status = file.stat()
            about["bytes"], about["modified"] = status.st_size, status.st_mtime
    return about
