"""Stain vectors against the truth and against peers, in one run: synthetic slides, then real tiles where they are.

    python benchmarks/stains.py [--seeds 5000 5008] [--data FOLDER] [--peers FOLDER_OF_PACKAGES]

Synthetic slides: classes of pixels in given shares (down to 5 / 95), each with a little of the other stains, camera
noise of 1 to 4 grey levels, rounding to 8 bits, 1 % black pigment, true vectors turned by 0, 10 or 20 degrees from the
published ones, at least 15 degrees apart as on real slides, and nearer by 3 degrees to their own published vectors than
in any other order, so that they have names. Peers are scored with their best ordering, unmix with its own. Real H&E
tiles have no truth: the error relative to the best rank-2 error, the angle between the stains and negative entries are
sanity checks; the H-DAB sheet has a measured reference. Real tiles are read from --data or from the folder named by
UNMIX_TEST_DATA.

Peers: scikit-image's fixed vectors; Macenko by torchstain (NumPy backend) and Vahadane by StainTools' recipe on spams
where these packages import, else restated here and named so. HistomicsTK is not run: it does not install from its wheel
alone.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from itertools import permutations
from pathlib import Path

import numpy as np

import unmix
from unmix.errors import UnmixWarning
from unmix.materials.stains import reference_vectors

WHITE = np.array([243.0, 240.0, 246.0])
HE, H_DAB, HED = ("hematoxylin", "eosin"), ("hematoxylin", "dab"), ("hematoxylin", "eosin", "dab")
CASES = [
    *((names, shares) for names in (HE, H_DAB) for shares in ((0.5, 0.5), (0.8, 0.2), (0.95, 0.05), (0.05, 0.95))),
    *((HED, shares) for shares in ((0.34, 0.33, 0.33), (0.6, 0.3, 0.1), (0.5, 0.45, 0.05))),
]
TILES = (
    "torchstain_source.png", "torchstain_target.png", "tia_TCGA-HE-7130-01Z-00-DX1.png", "tiatoolbox_target.png",
    "warwick_toolbox_image1.tif", "henorm_example1.png", "bksvd_hist0.png", "bksvd_hist1.png", "bksvd_hist2.png",
    "bcdsg_region.png",
)  # fmt: skip
LEAST_APART, LEAST_MARGIN = 15.0, 3.0
SHEET = "deepliif_train_Bladder1.png"
Method = Callable[[np.ndarray, tuple[str, ...]], np.ndarray]


def main() -> None:
    """Run both parts and print a table each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs=2, default=(5000, 5008), metavar=("FIRST", "END"))
    parser.add_argument("--side", type=int, default=256, help="Rows and columns of a synthetic slide.")
    parser.add_argument("--data", type=Path, default=os.environ.get("UNMIX_TEST_DATA"))
    parser.add_argument("--peers", type=Path, help="Folder of installed packages to look for peers in, after our own.")
    arguments = parser.parse_args()
    if arguments.peers:
        sys.path.append(str(arguments.peers))
    warnings.simplefilter("ignore", UnmixWarning)
    methods = all_methods()
    synthetic(methods, range(*arguments.seeds), arguments.side)
    if arguments.data:
        real(methods, Path(arguments.data) / "histology")
    else:
        print("\nreal tiles: no --data and UNMIX_TEST_DATA is not set: not run")


# --- the methods ----------------------------------------------------------------------------------


def all_methods() -> dict[str, Method]:
    """Return every method that runs here by a name that says what it is."""
    return {"unmix": by_unmix, "fixed (scikit-image)": by_fixed_vectors, **macenko_method(), **vahadane_method()}


def by_unmix(rgb: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    return unmix.separate_stains(rgb, names)["endmembers"].values


def by_fixed_vectors(rgb: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    from skimage.color import rgb_from_hed

    return unit(rgb_from_hed[[{"hematoxylin": 0, "eosin": 1, "dab": 2}[name] for name in names]])


def macenko_method() -> dict[str, Method]:
    try:
        from torchstain.base.normalizers import HENormalizer  # noqa: F401
        from torchstain.numpy.normalizers import NumpyMacenkoNormalizer
    except ImportError:
        return {"Macenko (restated)": macenko_restated}

    def by_torchstain(rgb: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        normaliser = NumpyMacenkoNormalizer()
        normaliser.fit(rgb)
        return unit(normaliser.HERef.T)

    return {"Macenko (torchstain)": by_torchstain}


def macenko_restated(rgb: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Macenko et al. 2009: plane of the two leading eigenvectors, 1st and 99th percentile of the angle, white 240."""
    od = -np.log((rgb.reshape(-1, 3).astype(float) + 1) / 240)
    od = od[(od >= 0.15).all(axis=1)]
    axes = np.linalg.eigh(np.cov(od.T))[1][:, 1:]
    angle = np.arctan2(*(od @ axes).T[::-1])
    ends = [axes @ [np.cos(phi), np.sin(phi)] for phi in np.percentile(angle, (1, 99))]
    return unit(np.array([end * np.sign(end.sum()) for end in ends]))


def vahadane_method() -> dict[str, Method]:
    try:
        import spams
    except ImportError:
        return {"Vahadane (restated)": vahadane_restated}

    def by_staintools(rgb: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
        x = np.asfortranarray(tissue_od(rgb).T)
        dictionary = spams.trainDL(
            x,
            K=len(names),
            lambda1=0.1,
            mode=2,
            modeD=0,
            posAlpha=True,
            posD=True,
            verbose=False,
            iter=200,
            numThreads=1,
        )
        return unit(np.array(dictionary).T)

    return {"Vahadane (StainTools' recipe, spams)": by_staintools}


def vahadane_restated(rgb: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Vahadane et al. 2016: sparse non-negative factorisation, 0.1 on the one-norm, alternating coordinate descent."""
    x = tissue_od(rgb)
    x = x[:: max(1, len(x) // 20_000)]
    w = unit(x[np.linspace(0, len(x) - 1, len(names)).astype(int)] + 0.05 * reference_vectors(names))
    h = np.zeros((len(x), len(names)))
    for _ in range(100):
        for _ in range(3):
            for k in range(len(w)):
                h[:, k] = np.maximum(0, x @ w[k] - 0.1 - h @ (w @ w[k]) + h[:, k])
        b, c = h.T @ h, h.T @ x
        for k in range(len(w)):
            w[k] = unit(np.maximum(w[k] + (c[k] - b[k] @ w) / max(b[k, k], 1e-9), 1e-9))
    return w


def tissue_od(rgb: np.ndarray) -> np.ndarray:
    """Return the density of pixels darker than 0.8 of the luminosity range, as StainTools does."""
    from skimage.color import rgb2lab

    darker = rgb2lab(rgb)[..., 0].ravel() < 80
    return np.maximum(-np.log(np.maximum(rgb.reshape(-1, 3), 1) / 255.0), 1e-6)[darker]


# --- synthetic slides -----------------------------------------------------------------------------


def synthetic(methods: dict[str, Method], seeds: range, side: int) -> None:
    """Print the angle errors of every method on slides whose vectors are known."""
    errors: dict[tuple[str, int, int], list[np.ndarray]] = {}
    seconds = dict.fromkeys(methods, 0.0)
    for names, degrees, truth, rgb in slides(seeds, side):
        for label, method in methods.items():
            if label.startswith("Macenko") and len(names) == 3:
                continue
            start = time.process_time()
            found = method(rgb, names)
            seconds[label] += time.process_time() - start
            orders = [range(len(names))] if label == "unmix" else permutations(range(len(names)))
            error = min((angles(found[list(order)], truth) for order in orders), key=np.mean)
            errors.setdefault((label, len(names), degrees), []).append(error)
    print(f"synthetic slides, seeds {seeds.start}-{seeds.stop - 1}, angle error in degrees: mean (worst stain, mean)")
    for r in (2, 3):
        print(f"{r} stains{'':33}" + "".join(f"{d:>5} degrees off" for d in (0, 10, 20)) + "         all   worst p90")
        for label in methods:
            cells = [errors.get((label, r, degrees)) for degrees in (0, 10, 20)]
            if cells[0] is None:
                print(f"  {label:38} two stains only")
                continue
            every = np.concatenate(cells)
            row = "".join(f"  {np.mean(cell):6.2f} ({np.mean(np.max(cell, 1)):5.2f})" for cell in cells)
            print(f"  {label:38}{row}  {every.mean():9.2f}{np.percentile(every.max(1), 90):12.2f}")
    print("CPU seconds: " + ", ".join(f"{label} {value:.1f}" for label, value in seconds.items()))


def slides(seeds: range, side: int) -> Iterator[tuple[tuple[str, ...], int, np.ndarray, np.ndarray]]:
    """Yield the stains, how far off the references the true vectors are, the true vectors, and the picture."""
    for names, shares in CASES:
        for degrees in (0, 10, 20):
            for seed in seeds:
                rng = np.random.default_rng([seed, degrees])
                truth = turned_apart(reference_vectors(names), degrees, rng)
                yield names, degrees, truth, picture(rng, truth, shares, side, noise=1.0 + seed % 4)


def picture(rng: np.random.Generator, vectors: np.ndarray, shares: tuple, side: int, noise: float) -> np.ndarray:
    """Return an 8-bit slide: 70 % tissue of one main stain a pixel with a little of the others, 1 % black pigment."""
    n, r = side * side, len(vectors)
    amounts = rng.gamma(0.5, 0.12, (n, r))
    amounts[np.arange(n), rng.choice(r, n, p=shares)] += rng.gamma(3.0, 0.25, n)
    amounts *= (rng.random(n) < 0.7)[:, None]
    density = amounts @ vectors
    pigment = rng.choice(n, n // 100, replace=False)
    density[pigment] += rng.uniform(0.8, 2.5, (len(pigment), 1)) * unit(np.array([1.0, 1.06, 1.12]))
    light = WHITE * np.exp(-density) + rng.normal(0, noise, (n, 3))
    return np.clip(np.rint(light), 0, 255).astype(np.uint8).reshape(side, side, 3)


def turned_apart(vectors: np.ndarray, degrees: float, rng: np.random.Generator) -> np.ndarray:
    """Return vectors turned each its own way, drawn again until they are apart and can be named."""
    while True:
        truth = np.array([turned(vector, degrees, rng) for vector in vectors])
        pairs = np.triu_indices(len(truth), 1)
        misfit = [
            np.sqrt(np.mean(angles(truth[list(order)], vectors) ** 2)) for order in permutations(range(len(truth)))
        ]
        if (
            angles(truth[pairs[0]], truth[pairs[1]]).min() >= LEAST_APART
            and min(misfit[1:]) >= misfit[0] + LEAST_MARGIN
        ):
            return truth


def turned(vector: np.ndarray, degrees: float, rng: np.random.Generator) -> np.ndarray:
    """Return a vector turned by an angle in a random direction, kept positive."""
    across = rng.standard_normal(3)
    across = unit(across - (across @ vector) * vector)
    return unit(np.maximum(np.cos(np.radians(degrees)) * vector + np.sin(np.radians(degrees)) * across, 0.02))


# --- real tiles -----------------------------------------------------------------------------------


def real(methods: dict[str, Method], folder: Path) -> None:
    """Print the sanity figures of every method on H&E tiles and its error on the H-DAB sheet."""
    from skimage.io import imread

    tiles = {name: np.ascontiguousarray(imread(folder / name)[..., :3]) for name in TILES if (folder / name).is_file()}
    print(f"\n{len(tiles)} real H&E tiles: error / best rank-2 error, angle between stains, negative entries")
    print(f"{'':42}median     max   apart min-max  negative    CPU s" + "     H-DAB sheet: H  DAB")
    for label, method in methods.items():
        ratios, apart, negative, start = [], [], 0, time.process_time()
        found = {name: method(rgb, HE) for name, rgb in tiles.items()}
        seconds = time.process_time() - start
        for name, rgb in tiles.items():
            ratios.append(error_over_floor(rgb, found[name]))
            apart.append(float(angles(found[name][:1], found[name][1:])[0]))
            negative += int((found[name] < -1e-6).sum())
        row = f"  {label:38}{np.median(ratios):8.2f}{max(ratios):8.2f}{min(apart):9.1f}-{max(apart):.1f}{negative:10}"
        row += f"{seconds:9.1f}"
        if (folder / SHEET).is_file():
            sheet = np.ascontiguousarray(imread(folder / SHEET)[..., :3])
            row += "{:18.1f}{:5.1f}".format(*sheet_error(sheet, method, label))
        print(row)


def sheet_error(sheet: np.ndarray, method: Method, label: str) -> np.ndarray:
    """Return the angles of H and DAB to those of the hematoxylin-only panel and of the marker-rich pixels."""
    tile, control, marker = (np.ascontiguousarray(sheet[:, 512 * k : 512 * k + 512]) for k in (0, 1, 4))
    x = plain_od(control)
    hematoxylin = np.abs(np.linalg.svd(x[np.linalg.norm(x, axis=1) > 0.5][::7], full_matrices=False)[2][0])
    y, m = plain_od(tile), marker.max(axis=-1).ravel()
    y = y[m > np.percentile(m, 99)]
    dab = unit(np.median(unit(y[np.linalg.norm(y, axis=1) > 0.5]), axis=0))
    found, truth = method(tile, H_DAB), np.array([hematoxylin, dab])
    orders = [(0, 1)] if label == "unmix" else [(0, 1), (1, 0)]
    return min((angles(found[list(order)], truth) for order in orders), key=np.mean)


def error_over_floor(rgb: np.ndarray, vectors: np.ndarray) -> float:
    """Return the reconstruction error of tissue pixels relative to the best two vectors of any sign."""
    from unmix.nmf import solve_abundances

    x = plain_od(rgb)
    x = x[(x > 0.15).any(axis=1)]
    x = x[:: max(1, len(x) // 6000)]
    singular = np.linalg.svd(x, compute_uv=False)
    return float(np.linalg.norm(x - solve_abundances(x, vectors) @ vectors) / singular[2])


def plain_od(rgb: np.ndarray) -> np.ndarray:
    """Return density with the 99.5th percentile (at least 200) as white, the same for every method."""
    x = rgb.reshape(-1, 3).astype(float)
    return np.maximum(-np.log(np.clip(x, 1, 255) / np.maximum(np.percentile(x, 99.5, axis=0), 200)), 0)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def angles(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the angle in degrees between vectors, row by row."""
    return np.degrees(np.arccos(np.clip(np.sum(unit(a) * unit(b), axis=-1), -1, 1)))


if __name__ == "__main__":
    main()
