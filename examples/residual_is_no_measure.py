"""Why a small residual says nothing about unmixing.

Pixels X are mixtures A E. Any larger simplex that holds the pixels explains them just as well: with E' farther out,
other abundances A' make the same X. The residual measures how well the pixels are reproduced; whether the spectra are
the materials is another question, which only a known truth, a library or a stable answer can speak to.
"""

import warnings
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.decomposition import NMF
from sklearn.exceptions import ConvergenceWarning

import unmix
from unmix.materials.colours import PALETTE
from unmix.metrics import match_endmembers
from unmix.nmf import solve_abundances
from unmix.synthetic import hyperspectral_scene

MATERIALS = ("vegetation", "sand", "concrete", "water")


def main(folder: str = "residual_is_no_measure") -> dict[str, tuple[float, float]]:
    """Draw `figure.png` into `folder`; return each answer's relative residual and mean angle (degrees)."""
    scene = hyperspectral_scene(4, materials=MATERIALS, n_bands=80, shape=(60, 60), snr=35, brightness_scatter=0.1)
    X = scene.image.values.reshape(-1, scene.image.sizes["band"]).astype(np.float64)
    truth = scene.endmembers
    answers = {
        "the true materials": truth,
        "unmix": unmix.unmix(scene.image, 4)["endmembers"].values,
        "too large a simplex": moved_outwards(truth),
        "plain NMF from a random start": plain_nmf(X, "random"),
        "plain NMF from its SVD": plain_nmf(X, "nndsvda"),
        "one endmember too many": unmix.unmix(scene.image, 5)["endmembers"].values,
    }
    found = {}
    for name, E in answers.items():
        A = solve_abundances(X, E, "non_negative")
        order, angles = match_endmembers(E, truth)
        residual = float(np.linalg.norm(X - A @ E) / np.linalg.norm(X))
        found[name] = residual, float(np.degrees(angles).mean())
        answers[name] = E[order]
        print(f"{name:30} residual {100 * residual:.3f} %, {found[name][1]:5.1f} degrees from the materials")
    draw(found, answers, truth, scene.image["wavelength"].values, Path(folder))
    return found


def moved_outwards(E: np.ndarray) -> np.ndarray:
    """Return each spectrum moved away from their mean, as far as it stays positive, at most by its distance."""
    away = E - E.mean(axis=0)
    room = np.where(away < 0, 0.95 * E / np.maximum(-away, 1e-12), np.inf).min(axis=1)
    return E + np.minimum(1.0, room)[:, None] * away


def plain_nmf(X: np.ndarray, start: str) -> np.ndarray:
    """Return the spectra that least squares alone ends with, as far as it gets in 300 rounds."""
    model = NMF(4, init=start, max_iter=300, tol=0, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(np.maximum(X, 0)).components_


def draw(found: dict, answers: dict, truth: np.ndarray, wavelengths: np.ndarray, folder: Path) -> None:
    """Draw residual and angle of every answer as bars, and its spectra over the true ones."""
    figure = Figure(figsize=(14, 1.75 * len(found) + 1.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle("The residual hardly tells these answers apart. The truth does.", fontsize=15, weight="bold")
    grid = figure.add_gridspec(len(found), 3, width_ratios=[1, 1, 1.8])
    widest = [1.15 * max(values[column] for values in found.values()) for column in (0, 1)]
    for row, (name, values) in enumerate(found.items()):
        for column, (value, unit) in enumerate(zip(values, ("%", "°"), strict=True)):
            axes = figure.add_subplot(grid[row, column])
            axes.barh([0], [value], color=(PALETTE[0], PALETTE[1])[column], height=0.5)
            axes.set(xlim=(0, widest[column]), ylim=(-0.6, 0.6), yticks=[], xticks=[])
            axes.text(
                value, 0, f"  {100 * value:.2f} %" if unit == "%" else f"  {value:.1f}°", va="center", fontsize=10
            )
            for side in ("top", "right", "bottom"):
                axes.spines[side].set_visible(False)
            if column == 0:
                axes.set_title(name, fontsize=11, weight="bold", loc="left")
            if row == 0 and column == 1:
                axes.set_title("angle to the materials", fontsize=10, loc="left")
            if row == len(found) - 1:
                axes.set_xlabel(("relative residual", "mean spectral angle")[column], fontsize=9)
        axes = figure.add_subplot(grid[row, 2])
        for k, (true, spectrum) in enumerate(zip(truth, answers[name], strict=True)):
            scale = (true @ spectrum) / max(spectrum @ spectrum, 1e-300)
            axes.plot(wavelengths, true, color=PALETTE[k], lw=3.5, alpha=0.3)
            axes.plot(wavelengths, scale * spectrum, color=PALETTE[k], lw=1.2)
        axes.set(yticks=[], ylim=(0, None))
        axes.tick_params(labelsize=8)
        if row == 0:
            axes.set_title("spectra (thin) over the true materials (thick)", fontsize=10, loc="left")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "figure.png")


if __name__ == "__main__":
    main()
