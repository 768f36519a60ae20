"""How noise becomes smooth spectra: Lee and Seung's multiplicative updates, watched step by step.

16,384 mixtures of four Gaussian bands, 512 samples each. Spectra and abundances start as random numbers; every step
multiplies each of them by what pulls it up over what pulls it down (Lee and Seung 2000, NIPS 13, 556-562). Nothing
tells the algorithm that spectra are smooth: it is enough that they must add up to the data and may never subtract.
`refine` calls back after each step with A and E; the animation is drawn from what it heard.

The grey curve is the same algorithm started at anchors, pixels that are nearly pure, instead of at noise.
"""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from PIL import Image

from unmix.errors import ConvergenceWarning
from unmix.materials.colours import PALETTE
from unmix.metrics import match_endmembers
from unmix.nmf import find_anchors, refine

CENTRES, WIDTHS = np.array([0.18, 0.38, 0.58, 0.80]), np.array([0.06, 0.09, 0.07, 0.08])
NOISE = 0.01
WATCHED = 150
FRAMES, MILLISECONDS, HELD = 46, 140, 3000


@dataclass
class Watcher:
    """Keeps what is drawn of every step: the objective, the spectra, and the abundances of a few mixtures."""

    objective: list[float] = field(default_factory=list)
    spectra: list[np.ndarray] = field(default_factory=list)
    abundances: list[np.ndarray] = field(default_factory=list)

    def __call__(self, step: int, objective: float, A: np.ndarray, E: np.ndarray) -> None:
        self.objective.append(objective)
        self.spectra.append(E.copy())  # what a callback gets are views: keep copies
        self.abundances.append(A[:WATCHED].copy())


def main(
    folder: str = "noise_becomes_spectra", n_mixtures: int = 16_384, n_samples: int = 512, steps: int = 256
) -> float:
    """Write `animation.gif` and its `last_frame.png` into `folder`; return the largest final angle in degrees."""
    X, A, truth = mixtures(n_mixtures, n_samples)
    rng = np.random.default_rng(1)
    noisy_E, noisy_A = rng.random(truth.shape), rng.random(A.shape)
    from_noise = watch(X, noisy_E, noisy_A, steps)
    from_anchors = watch(X, X[find_anchors(X, len(truth))], noisy_A, steps)

    order, angles = match_endmembers(from_noise.spectra[-1], truth)
    largest = float(np.degrees(angles.max()))
    sooner = int(np.argmax(np.array(from_anchors.objective) <= from_noise.objective[-1]))
    print(f"{steps} steps from noise: error {from_noise.objective[0]:.3g} -> {from_noise.objective[-1]:.3g}")
    print(f"every spectrum ends within {largest:.1f} degrees of a true one")
    print(f"from anchors the same error takes {sooner} steps")
    draw(from_noise, from_anchors, order, truth, A[:WATCHED], Path(folder))
    return largest


def mixtures(n_mixtures: int, n_samples: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return noisy mixtures (n, samples), the abundances (n, 4) and the Gaussian bands (4, samples) behind them."""
    rng = np.random.default_rng(0)
    truth = np.exp(-0.5 * ((np.linspace(0, 1, n_samples) - CENTRES[:, None]) / WIDTHS[:, None]) ** 2)
    A = rng.dirichlet(np.full(len(truth), 0.5), n_mixtures)
    X = A @ truth + NOISE * rng.standard_normal((n_mixtures, n_samples))
    return np.maximum(X, 0).astype(np.float32), A, truth


def watch(X: np.ndarray, E: np.ndarray, A: np.ndarray, steps: int) -> Watcher:
    """Run the multiplicative updates from E and A and return what was seen, the start included."""
    watcher = Watcher()
    watcher(0, 0.5 * float(np.sum((X - A @ E) ** 2)), A, E)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # all steps are wanted, converged or not
        refine(X, E, A=A, update="multiplicative", anchor_weight=0, max_iterations=steps, tolerance=0, callback=watcher)
    return watcher


def draw(
    from_noise: Watcher, from_anchors: Watcher, order: np.ndarray, truth: np.ndarray, A: np.ndarray, folder: Path
) -> None:
    """Draw the steps, the early ones slowly, into `animation.gif`, and the last into `last_frame.png`."""
    last = len(from_noise.objective) - 1
    picture = Picture(from_noise, from_anchors, order, truth, A)
    shown = np.unique(np.geomspace(1, last + 1, FRAMES).round().astype(int) - 1)
    frames = [picture.at(int(step)) for step in shown]
    palette = few_colours()
    first, *others = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    times = [MILLISECONDS] * len(others) + [HELD]
    folder.mkdir(parents=True, exist_ok=True)
    first.save(folder / "animation.gif", save_all=True, append_images=others, duration=times, loop=0, optimize=True)
    frames[-1].save(folder / "last_frame.png")


def few_colours() -> Image.Image:
    """Return a palette of greys, the four colours and their tints: few colours make a small file."""
    greys = np.linspace(0, 255, 16)[:, None].repeat(3, axis=1)
    pure = np.array([[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in PALETTE[:4]])
    tints = [255 - strength * (255 - pure) for strength in (1.0, 0.75, 0.5, 0.25)]
    image = Image.new("P", (1, 1))
    image.putpalette(np.vstack([greys, *tints]).round().astype(np.uint8).tobytes())
    return image


class Picture:
    """One frame: the spectra over the true ones, the error of both runs, found against true abundances."""

    def __init__(
        self, from_noise: Watcher, from_anchors: Watcher, order: np.ndarray, truth: np.ndarray, A: np.ndarray
    ) -> None:
        self.watched, self.order, self.truth = from_noise, order, truth
        self.figure = Figure(figsize=(7.2, 3.8), dpi=90, layout="constrained")
        self.canvas = FigureCanvasAgg(self.figure)
        left, right = self.figure.subfigures(1, 2, width_ratios=[1.7, 1])
        axes = left.subplots()
        upper, lower = right.subplots(2, 1)
        self.title = left.suptitle(" ", fontsize=13, weight="bold", x=0.06, ha="left")
        self.lines = self._spectra(axes)
        self.curve, self.dot = self._errors(upper, from_anchors.objective)
        self.points = self._abundances(lower, A)

    def _spectra(self, axes: Axes) -> list[Line2D]:
        axes.plot([], [], color="0.3", lw=6, alpha=0.25, label="true")
        axes.plot([], [], color="0.3", lw=1.2, label="found")
        position = np.arange(self.truth.shape[1])
        for colour, true in zip(PALETTE, self.truth, strict=False):
            axes.plot(position, true, color=colour, lw=6, alpha=0.25)
        axes.set(xlim=(0, len(position) - 1), ylim=(0, 1.3), xlabel="sample", ylabel="spectrum (scaled)", yticks=[0, 1])
        axes.legend(loc="upper right", ncols=2, frameon=False, fontsize=9)
        return [axes.plot(position, true, color=c, lw=1.2)[0] for c, true in zip(PALETTE, self.truth, strict=False)]

    def _errors(self, axes: Axes, anchored: list[float]) -> tuple[Line2D, Line2D]:
        steps = 1 + np.arange(len(anchored))
        axes.loglog(steps, anchored, color="0.6", lw=1.5, label="from anchors")
        axes.loglog(steps, self.watched.objective, color="0.9", lw=1)
        (curve,) = axes.loglog(steps, self.watched.objective, color="black", lw=1.5, label="from noise")
        (dot,) = axes.loglog([1], self.watched.objective[:1], "o", color="black", ms=5)
        axes.set_xlabel("step + 1", fontsize=9)
        axes.set_title("error, 1/2 |X - A E|²", fontsize=10, loc="left")
        axes.legend(frameon=False, fontsize=8)
        axes.tick_params(labelsize=8)
        return curve, dot

    def _abundances(self, axes: Axes, A: np.ndarray) -> list[Line2D]:
        axes.plot([0, 1], [0, 1], color="0.8", lw=1)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.22), xticks=[0, 1], yticks=[0, 1])
        axes.set_title(f"abundances of {len(A)} mixtures", fontsize=10, loc="left")
        axes.set_xlabel("true", fontsize=9, labelpad=-6)
        axes.set_ylabel("found", fontsize=9, labelpad=-4)
        axes.tick_params(labelsize=8)
        pairs = zip(PALETTE, A.T, strict=False)
        return [axes.plot(a, a, "o", color=c, ms=2.5, alpha=0.7, mew=0)[0] for c, a in pairs]

    def at(self, step: int) -> Image.Image:
        """Return one step drawn: every spectrum at the scale that fits its true one, its abundances at the inverse."""
        E, A = self.watched.spectra[step][self.order], self.watched.abundances[step][:, self.order]
        scale = np.sum(E * self.truth, axis=1) / np.sum(E * E, axis=1)
        for k, (line, points) in enumerate(zip(self.lines, self.points, strict=True)):
            line.set_ydata(scale[k] * E[k])
            points.set_ydata(A[:, k] / scale[k])
        self.curve.set_data(1 + np.arange(step + 1), self.watched.objective[: step + 1])
        self.dot.set_data([1 + step], [self.watched.objective[step]])
        self.title.set_text("start: noise" if step == 0 else f"step {step}")
        self.canvas.draw()
        return Image.fromarray(np.asarray(self.canvas.buffer_rgba())[..., :3])


if __name__ == "__main__":
    main()
