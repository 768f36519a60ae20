"""How sure: a bootstrap over pixels and noise gives every endmember a spread and every abundance a standard deviation.

A replicate draws the pixels anew (63 % of them come up at least once; the others are left out, where they lie), adds
noise of the size of the misfit, finds the endmembers again, and matches them to those found first. Half the misfit is
added: leaving pixels out already gives part of the spread, and the two together give that of another image of the same
place. Every random number is drawn from (seed, replicate), never from a thread.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from .blocks import Block, Progress, map_blocks
from .errors import DataError, OptionError, UnmixWarning, warn
from .light.additive import Additive
from .nmf.abundances import AbundanceProblem, abundance_problem
from .nmf.stability import Spread, angles_between, spread_of
from .nmf.threads import one_blas_thread
from .options import Options
from .prepare import Prepared
from .result import Endmembers
from .sampling import sample_pixels
from .scratch import memory_budget

LEAST_REPLICATES = 10
UNSTABLE_SHARE = 0.1
"""An endmember that moves away in more than this share of the replicates is flagged."""

_MOST_PIXELS = 60_000
_NOISE_SHARE = 0.5
_LEVERAGE_ANGLE = 0.05
_LEVERAGE_SHARE = 0.25
_NEIGHBOURS = 2
_LEAST_ANSWERS = 0.5

Find = Callable[[Prepared], Endmembers]


@dataclass(frozen=True)
class Uncertainty:
    """What a bootstrap says about endmembers over all bands (NaN where not good) and about abundance maps.

    Parameters
    ----------
    low, high, std : ndarray, shape (r, n_bands)
        5 % and 95 % limits and standard deviation of each endmember.
    abundances_std : ndarray of float32, shape (r, y, x), or None
        Standard deviation of the abundances, from endmembers and pixel noise together; None beyond the memory budget.
    moved : ndarray, shape (r,)
        Share of the replicates in which an endmember is far from what was found.
    leverage_row, leverage_col : ndarray of int64, shape (r,)
        The pixel an endmember rests on alone; -1 where there is none.
    leverage_angle : ndarray, shape (r,)
        How far in radians the endmember moves without that pixel; 0 where there is none.
    n_replicates : int
        How many gave an answer.
    """

    low: np.ndarray
    high: np.ndarray
    std: np.ndarray
    abundances_std: np.ndarray | None
    moved: np.ndarray
    leverage_row: np.ndarray
    leverage_col: np.ndarray
    leverage_angle: np.ndarray
    n_replicates: int


def bootstrap(prepared: Prepared, found: Endmembers, find: Find, progress: Progress | None = None) -> Uncertainty:
    """Find the endmembers again in replicates of an image, and say how far they and the abundances scatter.

    Parameters
    ----------
    prepared : Prepared
        The image; its options give the number of replicates (``uncertainty``), ``seed``, ``threads`` and constraint.
    found : Endmembers
        What was found in the image itself.
    find : callable
        Finds endmembers in a prepared image.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    Uncertainty

    Raises
    ------
    OptionError
        Fewer than ten replicates are asked for.
    DataError
        Fewer than half of the replicates gave an answer.

    References
    ----------
    Efron 1979, Annals of Statistics 7(1), 1-26.
    """
    if prepared.options.uncertainty < LEAST_REPLICATES:
        raise OptionError(f"uncertainty={prepared.options.uncertainty}: use at least {LEAST_REPLICATES}; 50 is usual.")
    small = _small_enough(prepared.to_fit(), found)
    noise = _noise_by_band(small, found)
    draws = _Draws(small, noise, find, prepared.options.seed)
    answers = _repeated(draws, prepared.options, progress)
    reference = found.spectra[:, prepared.rule.good]
    kept = [spectra for spectra in answers if spectra is not None and len(spectra) == len(reference)]
    if len(kept) < max(2, _LEAST_ANSWERS * len(answers)):
        raise DataError(
            f"only {len(kept)} of {len(answers)} replicates gave endmembers: too few pixels to resample. "
            "Leave uncertainty out."
        )
    spread = spread_of(reference, np.array(kept))
    drawn = [k for k, spectra in enumerate(answers) if spectra is not None and len(spectra) == len(reference)]
    if prepared.slide is None:
        row, col, angle = _leverage(draws, small, found, spread, drawn)
    else:
        row, col, angle = _no_leverage(len(reference))
    widen = prepared.rule.widen
    return Uncertainty(
        low=widen(spread.low),
        high=widen(spread.high),
        std=widen(spread.std),
        abundances_std=_abundance_spread(prepared, spread.replicates, noise, progress),
        moved=spread.moved,
        leverage_row=row,
        leverage_col=col,
        leverage_angle=angle,
        n_replicates=len(kept),
    )


def with_uncertainty(result: xr.Dataset, uncertainty: Uncertainty) -> xr.Dataset:
    """Return a result with the spread of its endmembers and abundances, and warn of endmembers not to be trusted."""
    units = result["endmembers"].attrs.get("units", "")
    for key, words in (("low", "5 % limit"), ("high", "95 % limit"), ("std", "standard deviation")):
        about = {"long_name": f"{words} of the endmember spectra", "units": units}
        result[f"endmembers_{key}"] = (("endmember", "band"), getattr(uncertainty, key), about)
    if uncertainty.abundances_std is not None:
        about = {"long_name": "standard deviation of the abundance", "units": "1"}
        result["abundances_std"] = (("endmember", "y", "x"), uncertainty.abundances_std, about)
    flags = {
        "moved_share": (uncertainty.moved, "share of replicates in which the endmember is far from this spectrum"),
        "leverage_row": (uncertainty.leverage_row, "row of the one pixel the endmember rests on, -1 none"),
        "leverage_col": (uncertainty.leverage_col, "column of the one pixel the endmember rests on, -1 none"),
        "leverage_angle": (uncertainty.leverage_angle, "angle (rad) the endmember moves without that pixel"),
    }
    for name, (values, words) in flags.items():
        result[name] = ("endmember", values, {"long_name": words})
    result.attrs["n_replicates"] = uncertainty.n_replicates
    return result


def warn_of_doubts(uncertainty: Uncertainty, names: tuple[str, ...]) -> None:
    """Warn by name of endmembers that are unstable or rest on one pixel."""
    for k in np.flatnonzero(uncertainty.moved > UNSTABLE_SHARE):
        share = f"{100 * uncertainty.moved[k]:.0f} % of the replicates"
        warn(f"{names[k]} is unstable: far from this spectrum in {share}.")
    for k in np.flatnonzero(uncertainty.leverage_row >= 0):
        pixel = f"row {uncertainty.leverage_row[k]}, column {uncertainty.leverage_col[k]}"
        warn(
            f"{names[k]} rests on one pixel ({pixel}): without it, it moves by "
            f"{uncertainty.leverage_angle[k]:.2f} rad. Mask the pixel if it is an outlier."
        )


@dataclass(frozen=True)
class _Small:
    """An image of at most a few ten thousand pixels, and how many pixels apart its own lie in the whole."""

    prepared: Prepared
    step: int


@dataclass(frozen=True)
class _Draws:
    """Makes replicates and finds their endmembers."""

    small: _Small
    noise: np.ndarray
    find: Find
    seed: int

    def kept_pixels(self, replicate: int) -> np.ndarray:
        """Return which pixels (y, x) come up at least once in a draw with replacement of as many as there are."""
        shape = self.small.prepared.image.shape[:2]
        drawn = np.random.default_rng([self.seed, replicate, 0]).integers(shape[0] * shape[1], size=shape)
        return np.bincount(drawn.ravel(), minlength=drawn.size).reshape(shape) > 0

    def endmembers(self, replicate: int) -> np.ndarray | None:
        """Return the endmembers (r, n_good) of one replicate; None where it cannot carry them."""
        image, rule = self.small.prepared.image, self.small.prepared.rule
        valid = np.asarray(image.coords["valid"].values) & self.kept_pixels(replicate)
        noise = np.random.default_rng([self.seed, replicate, 1]).standard_normal(
            (*image.shape[:2], len(rule.good)), np.float32
        )
        noise *= (_NOISE_SHARE * self.noise).astype(np.float32)
        values = _with_noise(np.asarray(image.values), noise, rule)
        return self._found(image.copy(data=values).assign_coords(valid=(("y", "x"), valid)))

    def without(self, row: int, col: int) -> np.ndarray | None:
        """Return the endmembers of the image itself without one pixel."""
        image = self.small.prepared.image
        valid = np.asarray(image.coords["valid"].values).copy()
        valid[row, col] = False
        return self._found(image.assign_coords(valid=(("y", "x"), valid)))

    def _found(self, image: xr.DataArray) -> np.ndarray | None:
        sample, _ = sample_pixels(image, threads=1)
        if not len(sample):
            return None
        try:
            found = self.find(replace(self.small.prepared, image=image, sample=sample))
        except DataError:
            return None
        return found.spectra[:, self.small.prepared.rule.good]


def _small_enough(prepared: Prepared, found: Endmembers) -> _Small:
    """Return the image in memory, on a coarser lattice where it is large, to be fitted with one thread.

    A lattice has fewer pixels behind an endmember, which makes its spread larger, never smaller.
    """
    image = prepared.image
    step = max(1, int(np.ceil(np.sqrt(image.sizes["y"] * image.sizes["x"] / _MOST_PIXELS))))
    if step > 1:
        image = image.isel(y=slice(None, None, step), x=slice(None, None, step))
    options = replace(prepared.options, threads=1)
    return _Small(replace(prepared, image=image.compute(), options=options, settled=len(found.names)), step)


def _noise_by_band(small: _Small, found: Endmembers) -> np.ndarray:
    """Return the root mean square misfit of each good band (n_good,), for the degrees of freedom that are left."""
    rule = small.prepared.rule
    X = np.ascontiguousarray(rule(small.prepared.sample))
    E = found.spectra[:, rule.good]
    A = abundance_problem(E, "non_negative").solve(X)
    left = max(1, X.shape[1] - len(E))
    return np.sqrt(np.mean((X - A @ E) ** 2, axis=0, dtype=np.float64) * X.shape[1] / left)


def _with_noise(values: np.ndarray, noise: np.ndarray, rule: Additive) -> np.ndarray:
    """Return recorded values with noise (y, x, n_good) that was measured in additive ones."""
    if rule.quantity == "brightfield":
        changed = values[..., rule.good] * np.exp(-noise)
    else:
        changed = values[..., rule.good] + noise / rule.factor
    noisy = values.copy()
    if values.dtype.kind in "ui":
        limits = np.iinfo(values.dtype)
        changed = np.clip(np.rint(changed), limits.min, limits.max)
    noisy[..., rule.good] = changed
    return noisy


def _repeated(draws: _Draws, options: Options, progress: Progress | None) -> list[np.ndarray | None]:
    """Return the endmembers of every replicate, in order, found in parallel."""
    n = options.uncertainty
    with warnings.catch_warnings(), one_blas_thread():
        warnings.simplefilter("ignore", UnmixWarning)
        with ThreadPoolExecutor(options.threads or _cores()) as pool:
            answers = []
            for done, answer in enumerate(pool.map(draws.endmembers, range(n)), start=1):
                answers.append(answer)
                if progress is not None:
                    progress("uncertainty", done, n)
    return answers


def _leverage(
    draws: _Draws, small: _Small, found: Endmembers, spread: Spread, drawn: list[int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, column and angle of the one pixel that each endmember rests on.

    Replicates with and without each pixel near the anchor are compared (the jackknife after the bootstrap); the pixel
    that explains most of the scatter is then left out of the image itself, and counts if the endmember moves.
    """
    r = len(found.names)
    row, col, angle = _no_leverage(r)
    height, width = small.prepared.image.shape[:2]
    kept = np.array([draws.kept_pixels(k) for k in drawn])
    reference = found.spectra[:, small.prepared.rule.good]
    for k in range(r):
        y, x = int(found.anchor_row[k]) // small.step, int(found.anchor_col[k]) // small.step
        if found.anchor_row[k] < 0:
            continue
        near = [
            (i, j)
            for i in range(max(y - _NEIGHBOURS, 0), min(y + _NEIGHBOURS + 1, height))
            for j in range(max(x - _NEIGHBOURS, 0), min(x + _NEIGHBOURS + 1, width))
        ]
        shares = [_share_explained(spread.replicates[:, k], kept[:, i, j]) for i, j in near]
        best = int(np.argmax(shares))
        if shares[best] < _LEVERAGE_SHARE:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnmixWarning)
            again = draws.without(*near[best])
        if again is None or len(again) != r:
            continue
        moved = float(np.sort(angles_between(reference[k : k + 1], again)[0])[0])
        if moved > _LEVERAGE_ANGLE:
            row[k], col[k], angle[k] = near[best][0] * small.step, near[best][1] * small.step, moved
    return row, col, angle


def _no_leverage(r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, column and angle of endmembers that rest on no pixel alone."""
    return np.full(r, -1, np.int64), np.full(r, -1, np.int64), np.zeros(r)


def _share_explained(spectra: np.ndarray, present: np.ndarray) -> float:
    """Return the share of the scatter of spectra (n, n_bands) between those with and those without a pixel."""
    if present.all() or not present.any():
        return 0.0
    total = ((spectra - spectra.mean(axis=0)) ** 2).sum()
    groups = [spectra[present], spectra[~present]]
    within = sum(((group - group.mean(axis=0)) ** 2).sum() for group in groups)
    return float(1 - within / total) if total > 0 else 0.0


def _abundance_spread(
    prepared: Prepared, replicates: np.ndarray, noise: np.ndarray, progress: Progress | None
) -> np.ndarray | None:
    """Return the standard deviation (r, y, x) of the abundances over the replicates' endmembers and pixel noise."""
    image, rule, options = prepared.image, prepared.rule, prepared.options
    needed, budget = 4 * replicates.shape[1] * image.sizes["y"] * image.sizes["x"], memory_budget(options.memory)
    if needed > budget:
        text = f"abundances_std is left out: it needs {needed / 1e9:.2g} GB, the memory budget is {budget / 1e9:.2g} GB"
        warn(f"{text} (memory=).")
        return None
    constraint = options.constraint_for(image.attrs["quantity"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmixWarning)
        solvers = [_NoisySolver.of(E, noise, constraint, (options.seed, k)) for k, E in enumerate(replicates)]
    out = np.full((replicates.shape[1], *image.shape[:2]), np.nan, np.float32)

    def spread(values: np.ndarray, valid: np.ndarray, block: Block) -> None:
        X = np.ascontiguousarray(rule(values))
        total, squares = (np.zeros((len(X), replicates.shape[1])) for _ in range(2))
        first = None
        for solver in solvers:
            A = solver.solve(X, block)
            first = A if first is None else first
            total += A - first
            squares += (A - first) ** 2
        variance = (squares - total**2 / len(solvers)) / (len(solvers) - 1)
        std = np.sqrt(np.maximum(variance, 0))
        std[~valid.ravel()] = np.nan
        out[(slice(None), *block.window)] = std.T.reshape(-1, *block.shape)

    map_blocks(spread, image, stage="uncertainty of the maps", threads=options.threads, progress=progress)
    return out


@dataclass(frozen=True)
class _NoisySolver:
    """Solves pixels for one replicate's endmembers, in the coordinates of their span, with noise of the right size."""

    basis: np.ndarray
    factor: np.ndarray
    problem: AbundanceProblem
    seeds: tuple[int, int]

    @classmethod
    def of(cls, E: np.ndarray, noise: np.ndarray, constraint: str, seeds: tuple[int, int]) -> _NoisySolver:
        basis = np.linalg.qr(E.T)[0]
        factor = np.linalg.qr(noise[:, None] * basis)[1]
        return cls(basis, factor, abundance_problem(E @ basis, constraint), seeds)

    def solve(self, X: np.ndarray, block: Block) -> np.ndarray:
        """Return the abundances (n, r) of a block, fractions where the constraint is ``shade``; noise is by pixel."""
        width, r = block.columns.stop, self.basis.shape[1]
        rows = [
            np.random.default_rng([*self.seeds, 2, row]).standard_normal((width, r))[block.columns]
            for row in range(block.rows.start, block.rows.stop)
        ]
        Y = X.astype(np.float64) @ self.basis + np.concatenate(rows) @ self.factor
        A = self.problem.solve(np.ascontiguousarray(Y))
        if self.problem.constraint == "shade":
            total = A.sum(axis=1, keepdims=True)
            A /= np.where(total == 0, 1, total)
        return A


def _cores() -> int:
    import os

    return os.cpu_count() or 1
