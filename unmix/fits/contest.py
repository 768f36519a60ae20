"""Which search an image needs: several are run on the same projected pixels, and the image itself decides.

No single search is best everywhere. The affine lift finds dark materials and is misled where brightness varies within
a material; linear coordinates the other way round; a fixed share of pixels averages noise and misses what is rare; a
search that follows the noise keeps what is rare and loses what is dark and noisy. But anchors are pixels, so none can
lie outside the image, and the set that leaves the least of the image outside its cone (non-negative mixtures, any
brightness) has missed the least. Where several leave as little, the one that averages most is taken: it is the least
touched by odd pixels.

Free endmembers could not be judged like that: a larger simplex always leaves less outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from ..blocks import Progress
from ..errors import DataError
from ..nmf.abundances import prepare_problem
from ..nmf.subspace import Subspace
from ..nmf.threads import each, thread_count
from .robust import PixelAnchors, ProjectedPixels, lifted_anchors, linear_anchors, noise_following_anchors

AVERAGING = (4.0, 1.0)
"""Shares of the pixels behind a vertex that compete, as multiples of ``anchor_fraction``."""

_AS_GOOD = 1.05
_NOTHING = 1e-6
_JUDGED = 10_000


@dataclass(frozen=True)
class Entry:
    """One search's anchors and how much it averaged: the multiple of ``anchor_fraction``, zero where noise decides."""

    label: str
    averaging: float
    anchors: PixelAnchors


def competing_anchors(
    pixels: ProjectedPixels,
    space: Subspace,
    share: float,
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[Entry]:
    """Run every search, side by side on the threads; one that finds no r vertices does not compete."""
    searches: list[tuple[str, float, Callable[[], PixelAnchors]]] = [  # the longest first
        ("adaptive", 0.0, partial(noise_following_anchors, pixels, space))
    ]
    for amount in AVERAGING:
        searches.append((f"robust {amount:g}", amount, partial(lifted_anchors, pixels, share * amount)))
    for amount in AVERAGING:
        searches.append((f"smoothed {amount:g}", amount, partial(linear_anchors, pixels, share * amount)))
    entries, refusal = [], DataError("no endmembers could be told apart; ask for fewer.")
    with ThreadPoolExecutor(thread_count(threads)) as pool:
        running = [pool.submit(search) for _, _, search in searches]
        try:
            for done, ((label, amount, _), search) in enumerate(zip(searches, running, strict=True)):
                if progress is not None:
                    progress("fit", done, len(searches))
                try:
                    entries.append(Entry(label, amount, search.result()))
                except DataError as error:
                    refusal = error
                except np.linalg.LinAlgError:
                    continue
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    if not entries:
        raise refusal
    return entries


def best_entry(
    entries: Sequence[Entry],
    spectra: Sequence[np.ndarray],
    additive: np.ndarray,
    space: Subspace,
    threads: int | None = None,
) -> tuple[int, PixelAnchors]:
    """Return the place of the winner and its anchors, with every entry's score in the notes.

    Parameters
    ----------
    entries, spectra : sequences of equal length
        The anchors and the spectra (r, n_good) of the pixels behind them.
    additive : ndarray, shape (n, n_good)
        A sample of the image's additive values.
    space : Subspace
        Its principal axes; says how much of what is left outside is noise.
    """
    judged = np.ascontiguousarray(additive[:: max(1, len(additive) // _JUDGED)])

    def outside_of(E: np.ndarray) -> float:
        return left_outside(np.maximum(E, 0), judged, space)

    outside = np.array(each(outside_of, spectra, thread_count(threads)))
    whole = np.array([np.linalg.norm(np.maximum(E, 0), axis=1).min() > _NOTHING * np.abs(E).max() for E in spectra])
    outside = np.where(whole | ~whole.any(), outside, np.inf)  # bare glass is no stain
    close = np.flatnonzero(outside <= _AS_GOOD * outside.min())
    winner = min((int(k) for k in close), key=lambda k: (-entries[k].averaging, float(outside[k])))
    scale = outside.min() or 1.0
    scores = {e.label: round(float(o / scale), 3) for e, o in zip(entries, outside, strict=True)}
    anchors = entries[winner].anchors
    return winner, replace(anchors, notes={**anchors.notes, "left_outside_relative_to_best": scores})


def left_outside(E: np.ndarray, additive: np.ndarray, space: Subspace) -> float:
    """Return the mean squared distance of a sample from the cone of endmembers E, without the white noise in it."""
    E = E[np.linalg.norm(E, axis=1) > _NOTHING * np.linalg.norm(E, axis=1).max()]
    problem = prepare_problem(E, "non_negative")
    _, residual, _ = problem.solve_with_residual(np.ascontiguousarray(additive), np.ones(len(additive), bool))
    total = float(np.mean(np.square(residual, dtype=np.float64))) * additive.shape[1]
    return max(total - space.noise(len(E)) * (additive.shape[1] - len(E)), np.finfo(np.float32).eps * total)
