"""``unmix info``: what the reader sees in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import numpy as np

from .console import print_table, reported
from .flags import source_flags, source_keywords


@click.command("info")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@source_flags
def command(file: Path, debug: bool, key: str | None, series: str | None, level: int, region: str | None) -> None:
    """Show what unmix sees in FILE, without reading all of it."""
    keywords = source_keywords(key, series, level, region)
    with reported(str(file), debug):
        from ..readers import read

        image = read(file, **keywords)
        print_table(file.name, ["", ""], [[name, value] for name, value in _facts(image)], numeric=2)


def _facts(image: Any) -> list[tuple[str, str]]:
    from ..image import pixel_size, sample_rows

    height, width, n_bands = image.shape
    good = image.coords["good_band"].values
    guessed = " (guessed)" if image.attrs.get("quantity_guessed") else ""
    facts = [
        ("size", f"{height} rows x {width} columns x {n_bands} bands"),
        (
            "values",
            f"{image.dtype}, {'read block by block' if image.chunks else 'in memory'}, {image.nbytes / 1e6:.1f} MB",
        ),
        ("recorded", _recorded(image.encoding)),
        ("quantity", f"{image.attrs['quantity']}{guessed}"),
        ("good bands", f"{int(good.sum())} of {n_bands}"),
        _spectral_range(image),
        ("acquired", str(image.attrs.get("acquired", ""))),
        ("clouds", "marked; --clouds drop leaves them out" if "cloud" in image.coords else ""),
    ]
    size = pixel_size(image)
    if "latitude" in image.coords or "geolocation" in image.attrs:
        laid = "; its maps are laid out on the ground when written" if "geolocation" in image.attrs else ""
        facts.append(("place", f"as the sensor saw it{laid}"))
    elif size is not None:
        facts.append(("pixel", f"{size[0]:g} x {size[1]:g} {size[2]}"))
    if "spatial_ref" in image.coords:
        about = image.coords["spatial_ref"].attrs
        facts.append(("map projection", about.get("projected_crs_name") or about.get("geographic_crs_name") or "given"))
    sample = sample_rows(image.data)[..., good]
    finite = sample[np.isfinite(sample)] if sample.dtype.kind == "f" else sample
    if finite.size:
        low, middle, high = np.percentile(finite, [1, 50, 99])
        facts.append(("a few rows", f"1 % {low:.5g}, median {middle:.5g}, 99 % {high:.5g}"))
    return [fact for fact in facts if fact[1]]


def _recorded(encoding: dict[str, Any]) -> str:
    if "recorded_dtype" not in encoding:
        return ""
    trivial = {"scale": 1.0, "offset": 0.0, "nodata": None}
    told = {"scale": "times {}", "offset": "plus {}", "nodata": "no data {}"}
    changes = [
        told[name].format(encoding[name]) for name, usual in trivial.items() if encoding.get(name, usual) != usual
    ]
    return ", ".join([np.dtype(encoding["recorded_dtype"]).name, *changes])


def _spectral_range(image: Any) -> tuple[str, str]:
    """Return what the bands count and from where to where."""
    from ..conventions.spectral_axis import spectral_axis

    axis = spectral_axis(image.coords)
    if axis is None:
        return "wavelengths", "none"
    known = axis.values[np.isfinite(axis.values)]
    name = "wavelengths" if axis.unit == "nm" else axis.name
    return name, f"{known.min():.1f} to {known.max():.1f} {axis.unit}"
