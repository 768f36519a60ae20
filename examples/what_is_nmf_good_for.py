"""What NMF is good for: PCA, ICA, k-means and NMF of the same scene, side by side.

Four materials are mixed in a scene of which we know the truth. Each method writes the pixels as maps times spectra:

- PCA takes the directions of most variance. They are orthogonal, so all but the first have negative parts (red):
  a reflectance below zero, an amount below zero. Nothing in the scene looks like them.
- ICA takes the directions that are least alike statistically. Shares of a pixel sum to one, so they are not
  independent, and the sources come out with negative parts and an arbitrary sign.
- k-means (vector quantisation) gives each pixel wholly to one centre. Nothing is negative, but a mixture gets a
  centre of its own or is called pure.
- NMF allows only sums of parts. Its spectra can be materials, and its maps can be amounts; with anchors they are.
"""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA, FastICA

import unmix
from unmix.materials.colours import PALETTE
from unmix.metrics import spectral_angle
from unmix.synthetic import hyperspectral_scene

MATERIALS = ("vegetation", "sand", "concrete", "water")
NEGATIVE = "#D6202A"
SIGNED = LinearSegmentedColormap.from_list("signed", [NEGATIVE, "white", "#1B1B1B"])


def main(folder: str = "what_is_nmf_good_for") -> dict[str, dict[str, float]]:
    """Draw `figure.png` into `folder`; return, for each method, its negative shares and its angle to the truth."""
    scene = hyperspectral_scene(4, materials=MATERIALS, n_bands=80, shape=(60, 60), snr=35, brightness_scatter=0.15)
    X = scene.image.values.reshape(-1, scene.image.sizes["band"]).astype(np.float64)
    found = {"truth": (scene.abundances.reshape(4, -1).T, scene.endmembers), **factorise(X, scene.image)}
    found = {name: in_order_of(scene.endmembers, *parts) for name, parts in found.items()}

    said = {}
    for name, (maps, spectra) in found.items():
        said[name] = {
            "negative in spectra": float((spectra < -1e-9).mean()),
            "negative in maps": float((maps < -1e-9).mean()),
            "angle": float(np.degrees(spectral_angle(spectra, scene.endmembers)).mean()),
        }
        print(
            f"{name:8} {100 * said[name]['negative in spectra']:4.0f} % of the spectra and "
            f"{100 * said[name]['negative in maps']:4.0f} % of the maps below zero, "
            f"{said[name]['angle']:5.1f} degrees from the materials"
        )
    draw(found, scene.image["wavelength"].values, scene.image.shape[:2], Path(folder))
    return said


def factorise(X: np.ndarray, image: object) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return maps (n_pixels, 4) and spectra (4, n_bands) of each method."""
    pca = PCA(4).fit(X)
    ica = FastICA(4, random_state=0, whiten="unit-variance", max_iter=1000).fit(X)
    groups = KMeans(4, n_init=5, random_state=0).fit(X)
    result = unmix.unmix(image, 4)
    shares = result["abundances"].values.reshape(4, -1).T.astype(np.float64)
    return {
        "PCA": (pca.transform(X), pca.components_),
        "ICA": (ica.transform(X), ica.mixing_.T),
        "k-means": (np.eye(4)[groups.labels_], groups.cluster_centers_),
        "NMF": (shares, result["endmembers"].values),
    }


def in_order_of(materials: np.ndarray, maps: np.ndarray, spectra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return maps and spectra in the order of the materials they are nearest to, each with its kinder sign."""
    from scipy.optimize import linear_sum_assignment

    signs = np.where(spectra.sum(axis=1) < 0, -1.0, 1.0)
    maps, spectra = maps * signs, spectra * signs[:, None]
    _, order = linear_sum_assignment(spectral_angle(materials[:, None], spectra[None]))
    return maps[:, order], spectra[order]


def draw(found: dict, wavelengths: np.ndarray, shape: tuple[int, int], folder: Path) -> None:
    """Draw one row a method: four spectra, then four maps; whatever is below zero is red."""
    figure = Figure(figsize=(15, 2.15 * len(found) + 0.9), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle("The same pixels, written as maps times spectra. Red is below zero.", fontsize=15, weight="bold")
    grid = figure.add_gridspec(len(found), 5, width_ratios=[2.1, 1, 1, 1, 1])
    for row, (name, (maps, spectra)) in enumerate(found.items()):
        axes = figure.add_subplot(grid[row, 0])
        for k, spectrum in enumerate(spectra):
            drawn = spectrum / np.abs(spectrum).max()
            axes.plot(wavelengths, drawn, color=PALETTE[k], lw=1.4)
            axes.fill_between(wavelengths, drawn, 0, where=drawn < 0, color=NEGATIVE, alpha=0.35, lw=0)
        axes.axhline(0, color="black", lw=0.7)
        axes.set_ylim(-1.05, 1.05) if (spectra < -1e-9).any() else axes.set_ylim(0, 1.05)
        axes.set_ylabel(name, fontsize=13, weight="bold")
        axes.set_yticks([])
        axes.tick_params(labelsize=8)
        if row == len(found) - 1:
            axes.set_xlabel("wavelength (nm)", fontsize=9)
        for k in range(4):
            panel = figure.add_subplot(grid[row, 1 + k])
            values = maps[:, k].reshape(shape)
            limit = float(np.percentile(np.abs(values), 99.5)) or 1.0
            panel.imshow(values, cmap=SIGNED, vmin=-limit, vmax=limit)
            panel.set(xticks=[], yticks=[])
            for spine in panel.spines.values():
                spine.set(color=PALETTE[k], linewidth=2.2)
            if row == 0:
                panel.set_title(MATERIALS[k], fontsize=11, color=PALETTE[k], weight="bold")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "figure.png")


if __name__ == "__main__":
    main()
