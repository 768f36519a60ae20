"""Blind accuracy of the default against four methods taken alone, on synthetic scenes whose answer is known.

    python benchmarks/accuracy.py                     # fresh seeds, the table of docs/accuracy.md
    python benchmarks/accuracy.py --first-seed 0      # seeds that may be looked at while tuning

Conditions: signal-to-noise 20, 30, 40 dB and none; pure pixels or none (largest abundance 0.8); brightness scatter 0,
10 and 25 %; with and without a material in 0.1 % of the pixels. Every condition draws its own materials (3 to 6) and
fields. Seeds below 1000 are for tuning; the default is frozen before others are looked at. SAD: mean spectral angle
(rad) after the best one-to-one matching. RMSE: abundances by the recipe `shade` (A >= 0, sum at most one, divided by
the sum) against the fractions the scene was made of.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import warnings

import numpy as np

import unmix
from unmix.metrics import abundance_rmse, match_endmembers
from unmix.nmf import solve_abundances
from unmix.nmf.vca import best_by_volume
from unmix.synthetic import Scene, hyperspectral_scene

SNRS = (20.0, 30.0, 40.0, np.inf)
PURITIES = (1.0, 0.8)
SCATTERS = (0.0, 0.1, 0.25)
RARES = (0.0, 0.001)
METHODS = ("unmix", "spa", "vca", "nfindr", "smoothed")
CLOSE = 0.005


def main() -> None:
    """Score every method on every condition and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first-seed", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=2, help="scenes a condition")
    parser.add_argument("--size", type=int, default=90)
    parser.add_argument("--methods", nargs="*", default=list(METHODS))
    parser.add_argument("--json", help="also write every score to this file")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    for number, (snr, purity, scatter, rare) in enumerate(itertools.product(SNRS, PURITIES, SCATTERS, RARES)):
        for repeat in range(args.seeds):
            seed = args.first_seed + 48 * repeat + number
            scene = make_scene(seed, args.size, snr, purity, scatter, rare)
            scores = {method: score(scene, method) for method in args.methods}
            rows.append(
                {"snr": snr, "purity": purity, "scatter": scatter, "rare": rare, "seed": seed, "scores": scores}
            )
            cells = "  ".join(f"{m} {s['sad']:.3f}/{s['rmse']:.3f}" for m, s in scores.items())
            print(f"{snr:4g} {purity:3g} {scatter:4g} {rare:5g}  {cells}", flush=True)
    if args.json:
        with open(args.json, "w") as file:
            json.dump(rows, file, indent=1)
    report(rows, args.methods)


def make_scene(seed: int, size: int, snr: float, purity: float, scatter: float, rare: float) -> Scene:
    """Make the scene of one condition and seed; every third has a dark material."""
    r = 3 + seed % 4
    return hyperspectral_scene(
        seed,
        r,
        112,
        (size, size),
        snr=snr,
        purity=purity,
        brightness_scatter=scatter,
        rare_share=rare,
        dark_material=seed % 3 == 0,
    )


def score(scene: Scene, method: str) -> dict[str, float]:
    """Return mean spectral angle, abundance error and seconds of one method on one scene."""
    r, start = len(scene.names), time.perf_counter()
    if method == "unmix":
        E = unmix.find_endmembers(scene.image, r)["endmembers"].values
    elif method == "vca":
        E = vca_best_of_20(scene, r)
    else:
        E = unmix.find_endmembers(scene.image, r, anchors=method)["endmembers"].values
    seconds = time.perf_counter() - start
    order, angles = match_endmembers(E, scene.endmembers)
    X = scene.image.values.reshape(-1, E.shape[1])
    A = solve_abundances(X, E[order], "shade").T.astype(float)
    A /= np.maximum(A.sum(axis=0), 1e-12)
    return {"sad": float(angles.mean()), "rmse": abundance_rmse(A, scene.abundances.reshape(r, -1)), "seconds": seconds}


def vca_best_of_20(scene: Scene, r: int) -> np.ndarray:
    """Return the spectra of the largest simplex among 20 runs of vertex component analysis."""
    X = scene.image.values.reshape(-1, scene.image.sizes["band"])
    return X[best_by_volume(X, r, restarts=20)].astype(float)


def report(rows: list[dict], methods: list[str]) -> None:
    """Print means, paired bootstrap intervals of the difference, and how often the default is close to the best."""
    sad = np.array([[row["scores"][m]["sad"] for m in methods] for row in rows])
    rmse = np.array([[row["scores"][m]["rmse"] for m in methods] for row in rows])
    print(f"\n{'mean over ' + str(len(rows)) + ' scenes':34}" + "".join(f"{m:>16}" for m in methods))
    groups = {"all": np.ones(len(rows), bool)}
    for key in ("snr", "purity", "scatter", "rare"):
        for value in sorted({row[key] for row in rows}):
            groups[f"{key} {value:g}"] = np.array([row[key] == value for row in rows])
    for name, chosen in groups.items():
        cells = (f"{sad[chosen, k].mean():8.4f}/{rmse[chosen, k].mean():.3f}" for k in range(len(methods)))
        print(f"{name:34}" + "".join(f"{cell:>16}" for cell in cells))
    if methods[0] != "unmix" or len(methods) < 2:
        return
    rng = np.random.default_rng(0)
    draws = rng.integers(0, len(rows), (10_000, len(rows)))
    for k, method in enumerate(methods[1:], 1):
        difference = sad[:, 0] - sad[:, k]
        low, high = np.percentile(difference[draws].mean(axis=1), [2.5, 97.5])
        print(f"SAD of unmix minus {method:10} {difference.mean():+.4f}  95 % [{low:+.4f}, {high:+.4f}]")
    close = sad[:, 0] <= sad[:, 1:].min(axis=1) + CLOSE
    print(f"within {CLOSE} rad of the best of the others, or better: {close.mean():.0%} of {len(rows)}")
    print(
        "median seconds: "
        + "  ".join(f"{m} {np.median([row['scores'][m]['seconds'] for row in rows]):.2f}" for m in methods)
    )


if __name__ == "__main__":
    main()
