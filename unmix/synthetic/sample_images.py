"""The sample images that come with unmix, made from nothing: ``python -m unmix.synthetic.sample_images FOLDER``."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

import numpy as np

from ..errors import WriteError
from .coast import coast_scene, swath_edge
from .lambda_stacks import lambda_stack
from .slides import stained_slide
from .truth import Scene

SAMPLE_FILES = (
    "tissue_he.png",
    "tissue_he.truth.npz",
    "coast.hdr",
    "coast.img",
    "coast.truth.npz",
    "cells_lambda.tif",
    "cells_lambda.truth.npz",
)
NODATA = -9999
REFLECTANCE_SCALE = 10000

_SEED = 1
_LEVELS = 255
_STACK_ID = "urn:uuid:6d2f5c9e-0b7a-4a53-9a6e-2c1f8e04d71b"
_GROUND_METRES = 20
_RGB = (650, 550, 460)
_UTM_CORNER = (500000, 4650000)
_UTM_31_NORTH = (
    'PROJCS["WGS_1984_UTM_Zone_31N",GEOGCS["GCS_WGS_1984",DATUM["D_WGS_1984",'
    'SPHEROID["WGS_1984",6378137.0,298.257223563]],PRIMEM["Greenwich",0.0],UNIT["Degree",0.0174532925199433]],'
    'PROJECTION["Transverse_Mercator"],PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],'
    'PARAMETER["Central_Meridian",3.0],PARAMETER["Scale_Factor",0.9996],PARAMETER["Latitude_Of_Origin",0.0],'
    'UNIT["Meter",1.0]]'
)


def make_samples(folder: str | os.PathLike[str], *, overwrite: bool = False) -> list[Path]:
    """Write the sample images and their truth into a folder.

    Parameters
    ----------
    folder : path
        Made when it does not exist.
    overwrite : bool
        Replace files that exist.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    WriteError
        A file exists and `overwrite` is not set, or cannot be written.
    """
    folder = Path(folder)
    existing = [name for name in SAMPLE_FILES if (folder / name).exists()]
    if existing and not overwrite:
        raise WriteError(f"{folder / existing[0]} exists. Give overwrite=True or another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_put(folder / name, content) for name, content in sample_files().items()]
    except OSError as error:
        raise WriteError(f"the samples cannot be written to {folder}: {error}.") from error


def sample_files() -> dict[str, bytes]:
    """Return every sample file by name, as bytes."""
    tissue, coast, cells = tissue_sample(), coast_sample(), cells_sample()
    header, cube = _envi(coast)
    contents = (_png(tissue), _truth(tissue), header, cube, _truth(coast), _ome_tiff(cells), _truth(cells))
    return dict(zip(SAMPLE_FILES, contents, strict=True))


def tissue_sample() -> Scene:
    """Return the scene behind ``tissue_he.png``: glands and stroma in hematoxylin and eosin."""
    return stained_slide(_SEED, (512, 512), ("hematoxylin", "eosin"))


def coast_sample() -> Scene:
    """Return the scene behind ``coast.hdr`` and ``coast.img``: five materials, one far darker than the rest."""
    return coast_scene(_SEED, (80, 84), 108)


def cells_sample() -> Scene:
    """Return the scene behind ``cells_lambda.tif``: five dyes in cultured cells, counted photon by photon."""
    return lambda_stack(_SEED, 5, 28, (256, 256), photons=250.0, dtype=np.uint8)


def _png(scene: Scene) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(scene.image.values).save(out, format="PNG", optimize=True)
    return out.getvalue()


def _envi(scene: Scene) -> tuple[bytes, bytes]:
    """Return header and cube of an ENVI file: int16, line by line, with a turned flight line's empty border."""
    height, width, n_bands = scene.image.shape
    recorded = np.rint(scene.image.values.astype(np.float64) * REFLECTANCE_SCALE)
    recorded[~swath_edge((height, width))] = NODATA
    bands = {key: scene.image.coords[key].values for key in ("wavelength", "fwhm", "good_band")}
    (east, north), metres = _UTM_CORNER, _GROUND_METRES
    fields = {
        "description": "{ made coast for unmix, no real place }",
        "samples": width,
        "lines": height,
        "bands": n_bands,
        "header offset": 0,
        "file type": "ENVI Standard",
        "data type": 2,
        "interleave": "bil",
        "byte order": 0,
        "map info": f"{{UTM, 1, 1, {east}, {north}, {metres}, {metres}, 31, North, WGS-84, units=Meters}}",
        "coordinate system string": f"{{{_UTM_31_NORTH}}}",
        "default bands": f"{{{', '.join(str(np.abs(bands['wavelength'] - nm).argmin() + 1) for nm in _RGB)}}}",
        "data ignore value": NODATA,
        "reflectance scale factor": REFLECTANCE_SCALE,
        "wavelength units": "Nanometers",
        "wavelength": _listed(bands["wavelength"], ".2f"),
        "fwhm": _listed(bands["fwhm"], ".2f"),
        "bbl": _listed(bands["good_band"], "d"),
    }
    header = "ENVI\n" + "".join(f"{key} = {value}\n" for key, value in fields.items())
    return header.encode("ascii"), recorded.transpose(0, 2, 1).astype("<i2").tobytes()


def _listed(values: np.ndarray, form: str) -> str:
    """Return an ENVI list, eight values a line."""
    texts = [format(value, form) for value in values.tolist()]
    lines = [", ".join(texts[k : k + 8]) for k in range(0, len(texts), 8)]
    return "{\n  " + ",\n  ".join(lines) + " }"


def _ome_tiff(scene: Scene) -> bytes:
    import tifffile

    wavelengths = scene.image.coords["wavelength"].values.tolist()
    pixel = float(scene.image.coords["x"].values[1] - scene.image.coords["x"].values[0])
    metadata = {
        "axes": "CYX",
        "UUID": _STACK_ID,
        "Creator": "unmix synthetic",
        "Name": "cells_lambda",
        "PhysicalSizeX": pixel,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": pixel,
        "PhysicalSizeYUnit": "µm",
        "Channel": {
            "Name": [f"{w:.0f} nm" for w in wavelengths],
            "EmissionWavelength": wavelengths,
            "EmissionWavelengthUnit": ["nm"] * len(wavelengths),
        },
    }
    out = io.BytesIO()
    with tifffile.TiffWriter(out, ome=True) as writer:
        planes = np.ascontiguousarray(scene.image.values.transpose(2, 0, 1))
        writer.write(planes, photometric="minisblack", compression="zlib", metadata=metadata, software="unmix")
    return out.getvalue()


def _truth(scene: Scene) -> bytes:
    """Return endmembers, names and abundances in steps of 1/255 of each one's largest, as a compressed npz."""
    step = scene.abundances.max(axis=(1, 2)) / _LEVELS
    arrays = {
        "endmembers": scene.endmembers,
        "names": np.array(scene.names),
        "abundances": np.rint(scene.abundances / step[:, None, None]).astype(np.uint8),
        "abundance_step": step,
    }
    if "wavelength" in scene.image.coords:
        arrays["wavelengths"] = scene.image.coords["wavelength"].values
    if scene.white_point is not None:
        arrays["white_point"] = scene.white_point
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def _put(path: Path, content: bytes) -> Path:
    """Write a file beside its name, then give it its name."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)
    return path


if __name__ == "__main__":
    make_samples(sys.argv[1] if len(sys.argv) > 1 else "sample_images", overwrite=True)
