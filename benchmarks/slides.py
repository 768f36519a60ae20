"""Whole slides and large cubes: CPU against decoding, and peak memory against size.

    python benchmarks/slides.py [--folder /large/disk] [--sizes 8192 12288 16384] [--tile 512] [--micrometres 0.5]
        [--cube-gb 2]

Makes a tiled JPEG slide (a synthetic section and glass, three levels) of each size and an ENVI cube, runs each job in a
process of its own, prints one line a job, and deletes what it made. CPU is that of the process, kernels warm, and a
multiple of what decoding every tile of the slide takes in the same run: `decode` by unmix, `tifffile` into one array,
`openslide` a tile at a time. `apply` is fit, sums of all maps and a small picture; `read` besides every map of it, read
once from the lazy result; `write` fit and the pyramid on disk.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

BLOCK = 2048
SMALL = "small.tif"
GLASS = (243, 240, 246)
YARDSTICKS = ("decode", "tifffile", "openslide")


def make_slide(path: Path, size: int, tile: int, micrometres: float, tissue_share: float = 0.4) -> None:
    """Write a slide of size x size pixels: one round section of 2048-pixel fields of tissue on glass."""
    import tifffile

    from unmix.synthetic import stained_slide

    tissue = stained_slide(3, shape=(BLOCK, BLOCK)).image.values
    empty = np.full_like(tissue, GLASS)
    n = size // BLOCK
    away = np.hypot(*np.meshgrid(np.arange(n) - (n - 1) / 2, np.arange(n) - (n - 1) / 2))
    shown = away <= np.quantile(away, tissue_share)

    def tiles() -> Iterator[np.ndarray]:
        for row in shown:
            for y in range(0, BLOCK, tile):
                for is_tissue in row:
                    field = tissue if is_tissue else empty
                    yield from (np.ascontiguousarray(field[y : y + tile, x : x + tile]) for x in range(0, BLOCK, tile))

    def reduced(step: int) -> np.ndarray:
        m = BLOCK // step
        small = np.rint(tissue.reshape(m, step, m, step, 3).mean((1, 3))).astype(np.uint8)
        return np.concatenate([np.concatenate([small if t else empty[:m, :m] for t in row], 1) for row in shown])

    layout = {"tile": (tile, tile), "photometric": "rgb", "compression": "jpeg", "compressionargs": {"level": 85}}
    about = {"axes": "YXS", **{f"PhysicalSize{axis}": micrometres for axis in "XY"}}
    with tifffile.TiffWriter(path, bigtiff=True, ome=True) as file:
        file.write(tiles(), shape=(size, size, 3), dtype=np.uint8, subifds=2, metadata=about, **layout)
        for step in (4, 16):
            file.write(reduced(step), subfiletype=1, metadata=None, **layout)


def make_cube(path: Path, gigabytes: float, n_bands: int = 224, width: int = 1400) -> None:
    """Write an int16 BIL cube of five materials with noise."""
    rng = np.random.default_rng(0)
    E = np.clip(rng.uniform(0.1, 0.5, (5, 1)) + np.cumsum(rng.normal(0, 0.02, (5, n_bands)), 1), 0.02, 0.95)
    height = int(gigabytes * 1e9 / 2 / n_bands / width) // 64 * 64
    with open(path.with_suffix(".img"), "wb") as file:
        for _ in range(0, height, 64):
            X = rng.dirichlet([0.25] * 5, (64, width)) @ E + rng.normal(0, 0.002, (64, width, n_bands))
            file.write(np.clip(np.rint(X * 10000), 0, 32767).astype("<i2").transpose(0, 2, 1).tobytes())
    wavelengths = ", ".join(f"{400 + 9.4 * k:.1f}" for k in range(n_bands))
    path.write_text(
        f"ENVI\nsamples = {width}\nlines = {height}\nbands = {n_bands}\nheader offset = 0\ndata type = 2\n"
        f"interleave = bil\nbyte order = 0\nreflectance scale factor = 10000\n"
        f"wavelength units = Nanometers\nwavelength = {{{wavelengths}}}\n"
    )


def work(job: str, path: Path, out: Path) -> None:
    """Do one job in this process and print what it took."""
    import tifffile

    import unmix
    from unmix.blocks import map_blocks

    warnings.simplefilter("ignore")
    load_kernels(out.parent / SMALL)
    start, wall = time.process_time(), time.perf_counter()
    more, name = "", path.name
    if job == "decode":
        map_blocks(lambda values, valid, block: None, unmix.read(path))
    elif job == "tifffile":
        with tifffile.TiffFile(path) as file:
            file.pages[0].asarray()
    elif job == "openslide":
        decode_by_openslide(path)
    elif job == "apply":
        result = unmix.separate_stains(path, memory=0)
        more = f", {result.attrs.get('n_background', 0) / result['residual'].size:.0%} background"
    elif job == "read":
        found = unmix.separate_stains(path, memory=0)["abundances"]
        for y in range(0, found.sizes["y"], BLOCK):
            for x in range(0, found.sizes["x"], BLOCK):
                found[:, y : y + BLOCK, x : x + BLOCK].compute(scheduler="threads")
    elif job == "write":
        unmix.separate_stains(path, out=out)
    else:
        unmix.unmix(path, 5, out=out)
    peak = peak_megabytes()
    spent = time.process_time() - start
    print(f"{name:12} {job:9} CPU {spent:6.2f} s  wall {time.perf_counter() - wall:6.2f} s  peak {peak:5.0f} MB{more}")


def decode_by_openslide(path: Path) -> None:
    """Decode the tiles of a slide one after the other, as scripts do."""
    import openslide

    with openslide.OpenSlide(path) as slide:
        width, height = slide.dimensions
        for y in range(0, height, BLOCK // 4):
            for x in range(0, width, BLOCK // 4):
                np.asarray(slide.read_region((x, y), 0, (BLOCK // 4, BLOCK // 4)))


def load_kernels(slide: Path) -> None:
    """Run everything once on a small slide, so that imports are done and kernels loaded."""
    import unmix
    from unmix.slides import judging
    from unmix.writers import slide_tiff

    large, judging.LARGE_PIXELS, slide_tiff.LARGE_PIXELS = judging.LARGE_PIXELS, 0, 0
    with tempfile.TemporaryDirectory() as out:
        unmix.separate_stains(slide, memory=0)
        unmix.separate_stains(slide, out=out)
    judging.LARGE_PIXELS = slide_tiff.LARGE_PIXELS = large


def peak_megabytes() -> float:
    """Return the largest memory this process has held; what its parent held before is not counted on Linux."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="Where the files are made; needs some 10 GB.")
    parser.add_argument("--sizes", type=int, nargs="*", default=[8192, 12288, 16384], help="Multiples of 2048.")
    parser.add_argument("--tile", type=int, default=512, help="Rows and columns of a tile; divides 2048.")
    parser.add_argument("--micrometres", type=float, default=0.5, help="Height and width of a pixel.")
    parser.add_argument("--cube-gb", type=float, default=2.0)
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        return work(given.work[0], Path(given.work[1]), Path(given.work[2]))
    with tempfile.TemporaryDirectory(dir=given.folder) as made:
        folder = Path(made)

        def run(job: str, path: Path, *units: float) -> float:
            """Run a job, print what it took, also in units of CPU seconds, and return its CPU seconds."""
            command = [sys.executable, __file__, "--work", job, str(path), str(folder / f"{path.stem}_{job}")]
            line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
            spent = float(line.split("CPU")[1].split()[0])
            multiples = [f"{spent / unit:.2f} of {name}" for unit, name in zip(units, YARDSTICKS, strict=False)]
            print(", ".join([line, *multiples]), flush=True)
            return spent

        make_slide(folder / SMALL, BLOCK, given.tile, given.micrometres)
        for size in given.sizes:
            path = folder / f"s{size}.tif"
            make_slide(path, size, given.tile, given.micrometres)
            units = [run(yardstick, path) for yardstick in YARDSTICKS]
            for job in ("apply", "read", "write"):
                run(job, path, *units)
            path.unlink()
        if given.cube_gb:
            make_cube(folder / "cube.hdr", given.cube_gb)
            run("cube", folder / "cube.hdr")
    return None


if __name__ == "__main__":
    main()
