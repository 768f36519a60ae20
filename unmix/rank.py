"""How many endmembers an image holds: a suggestion, the curves behind it, and how sure it is. Never an answer."""

from __future__ import annotations

import numbers
from dataclasses import dataclass
from typing import Any

import numpy as np

from .blocks import Progress
from .errors import DataError, OptionError, warn
from .nmf.rank import EigenvalueCounts, anchor_fit_errors, eigenvalue_counts, knee, most_parameters
from .nmf.stability import cophenetic_correlations, split_half_angles
from .nmf.threads import one_blas_thread
from .options import Options
from .prepare import Prepared, open_image, prepare

MOST_ENDMEMBERS = 40
STABLE_ANGLE = 0.1
"""Anchors of two halves closer than this, in radians, say the same."""

_KNEE_WINDOW = 12
_SAMPLE = 20_000
_FEW_BANDS = 20


@dataclass(frozen=True, eq=False)
class RankEstimate:
    """A suggested number of endmembers, with everything it was judged by.

    Parameters
    ----------
    suggested : int
        The number to try first.
    sure : {'high', 'moderate', 'low'}
        How far the figures below agree.
    reason : str
        One sentence: what decided, and what speaks against it.
    ranks : ndarray of int, shape (n,)
        1, 2, ..., the numbers that were tried.
    fit_error : ndarray, shape (n,)
        Root mean square residual of a fit with so many anchors, in the additive values' unit.
    split_half_angle : ndarray, shape (n,)
        Largest angle in radians between the anchors of two halves of the pixels; NaN where there are none.
    cophenetic : ndarray, shape (n,)
        Consensus of random-start NMF restarts, 1 at most; NaN where it was not asked for.
    knee : int
        Where the logarithm of `fit_error` bends most.
    counts : EigenvalueCounts
        Signals above the noise by four eigenvalue rules; only ``above_noise`` takes part in the suggestion.
    most_parameters : float
        1 / (1/n + 1/b): the number of endmembers must stay far below it.
    n_pixels : int
        How many pixels were looked at.
    """

    suggested: int
    sure: str
    reason: str
    ranks: np.ndarray
    fit_error: np.ndarray
    split_half_angle: np.ndarray
    cophenetic: np.ndarray
    knee: int
    counts: EigenvalueCounts
    most_parameters: float
    n_pixels: int


def estimate_rank(
    image: Any,
    max_rank: int = 12,
    *,
    mask: Any = None,
    restarts: int = 10,
    seed: int = 0,
    progress: Progress | None = None,
    **options: Any,
) -> RankEstimate:
    """Suggest how many endmembers an image holds, with the curves to judge the suggestion by.

    Where the noise-whitened eigenvalues show a floor (independent noise, little variability within a material), the
    number of them above it is taken; else the knee of the log anchor-fit error, which noise with a structure and
    variability move least.

    Parameters
    ----------
    image : DataArray, array_like of shape (y, x, band), or path
        What would be unmixed.
    max_rank : int
        Largest number to try, 2 to 40.
    mask : array_like of bool, shape (y, x), optional
        Pixels to use.
    restarts : int
        Random starts behind each point of the consensus curve; 0 leaves it out, which saves most of the time.
    seed : int
        Chooses the halves and the random starts; the same seed gives the same answer.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.
    **options
        The knobs of `unmix.Options` that say what the image is: ``quantity=``, ``bands=``, ``exclude=``, ``scale=``.

    Returns
    -------
    RankEstimate

    Raises
    ------
    OptionError
        A number is out of its range, or the image is a stained slide of three channels, which cannot tell.
    DataError
        The image has too few valid pixels to judge its noise by.

    References
    ----------
    The eigenvalue rules and the consensus: see `unmix.nmf.rank` and `unmix.nmf.stability`.

    Examples
    --------
    >>> import unmix
    >>> from unmix.synthetic import hyperspectral_scene
    >>> scene = hyperspectral_scene(3, 4, shape=(40, 40), snr=40)
    >>> unmix.estimate_rank(scene.image, restarts=0).suggested
    4
    """
    _require_whole("max_rank", max_rank, 2, MOST_ENDMEMBERS)
    _require_whole("restarts", restarts, 0, 1000)
    _require_whole("seed", seed, 0, 2**32 - 1)
    chosen = Options.from_keywords(options)
    prepared = prepare(open_image(image, chosen), mask, chosen, progress)
    return rank_of(prepared, max_rank, restarts=restarts, seed=seed)


@one_blas_thread()  # many small products: more threads only spin
def rank_of(prepared: Prepared, max_rank: int = 12, *, restarts: int = 0, seed: int = 0) -> RankEstimate:
    """Suggest how many endmembers a prepared image holds; see `estimate_rank`."""
    n_bands = len(prepared.rule.good)
    if n_bands <= 3 and prepared.image.attrs["quantity"] in ("brightfield", "optical_density"):
        raise OptionError(f"{n_bands} channels cannot tell how many stains there are. Say n_endmembers=2 or 3.")
    X = np.ascontiguousarray(prepared.rule(prepared.sample[:: max(1, len(prepared.sample) // _SAMPLE)]))
    if not X.any():
        raise DataError("every sampled pixel is zero: there is nothing to count.")
    errors = anchor_fit_errors(X, max_rank)
    counts = eigenvalue_counts(_evenly_noisy(X, prepared.image.attrs["quantity"]))
    bend = knee(errors[:_KNEE_WINDOW])
    halves = split_half_angles(X, len(errors), seed)
    suggested, sure, reason = _judged(bend, counts.above_noise, max_rank, len(errors), n_bands, halves)
    return RankEstimate(
        suggested=suggested,
        sure=sure,
        reason=reason,
        ranks=np.arange(1, len(errors) + 1),
        fit_error=errors,
        split_half_angle=halves,
        cophenetic=cophenetic_correlations(X, len(errors), restarts, seed),
        knee=bend,
        counts=counts,
        most_parameters=most_parameters(len(X), n_bands),
        n_pixels=len(X),
    )


def say_suggestion(estimate: RankEstimate) -> int:
    """Return the suggested number, with a warning that says so."""
    text = f"n_endmembers is not given: {estimate.suggested} suggested ({estimate.sure} confidence)."
    warn(f"{text} {estimate.reason} Say n_endmembers= to be sure.")
    return estimate.suggested


def _judged(
    bend: int, above_noise: int, max_rank: int, carried: int, n_bands: int, halves: np.ndarray
) -> tuple[int, str, str]:
    """Return the suggestion, how sure it is, and why."""
    floor_seen = 1 <= above_noise <= min(max_rank, max(n_bands - 2, 1))
    suggested = min(above_noise if floor_seen else bend, max(carried, 1))
    stable = bool(suggested <= len(halves) and halves[suggested - 1] < STABLE_ANGLE)
    if floor_seen:
        agree = abs(above_noise - bend) <= 1
        reason = f"{above_noise} eigenvalues stand above a floor of noise; the anchor fit bends at {bend}."
    else:
        agree = False
        reason = f"The anchor fit bends at {bend}; {above_noise} eigenvalues show no floor of noise."
    if not stable:
        reason += f" Two halves of the pixels disagree on {suggested} anchors."
    if floor_seen and agree and stable and n_bands >= _FEW_BANDS:
        return suggested, "high", reason
    return suggested, "moderate" if stable or agree else "low", reason


def _evenly_noisy(X: np.ndarray, quantity: str) -> np.ndarray:
    """Return counts scaled so that their Poisson noise is about even over pixels and bands; anything else as it is.

    References
    ----------
    Keenan and Kotula 2004, Surf. Interface Anal. 36(3), 203-212.
    """
    if quantity != "counts":
        return X
    rows, columns = X.mean(axis=1, dtype=np.float64), X.mean(axis=0, dtype=np.float64)
    lit = rows > 0.01 * rows.mean()
    columns = np.maximum(columns, 0.01 * columns.mean())
    return X[lit] / np.sqrt(rows[lit, None]) / np.sqrt(columns)


def _require_whole(name: str, value: Any, low: int, high: int) -> None:
    whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        raise OptionError(f"{name}={value!r} is not a whole number from {low} to {high}.")
