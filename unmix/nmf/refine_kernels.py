"""The inner loops of the refinement, serial and without the interpreter lock.

Abundances are held with one endmember a row, M (r, n), so that every innermost loop runs along pixels or bands in
memory and vectorises. `start` and `stop` name the columns of M that a call may touch; T and the like start at zero.
A term's slope and curvature are (r, 1), or (r, columns of M) where they differ from element to element.
"""

from __future__ import annotations

import numpy as np

from .compiled import kernel

_STRIP = 512


@kernel
def targets_of_columns(Y: np.ndarray, start: int, stop: int, W: np.ndarray, T: np.ndarray) -> None:
    """Write T = W Y[:, start:stop] (r, stop - start); W (r, k) and Y (k, n)."""
    for low in range(start, stop, _STRIP):
        high = min(low + _STRIP, stop)
        for k in range(len(T)):
            first = W[k, 0]
            for i in range(low, high):
                T[k, i - start] = first * Y[0, i]
            for m in range(1, len(Y)):
                weight = W[k, m]
                for i in range(low, high):
                    T[k, i - start] += weight * Y[m, i]


@kernel
def gather_residuals(
    Y: np.ndarray, start: int, stop: int, M: np.ndarray, W: np.ndarray, work: np.ndarray, out: np.ndarray
) -> float:
    """Add M D' (r, k) to out, D = Y[:, start:stop] - W'M, and return |D|^2; work is (1, strip)."""
    error = 0.0
    for low in range(start, stop, _STRIP):
        size = min(_STRIP, stop - low)
        for m in range(len(Y)):
            for i in range(size):
                work[0, i] = Y[m, low + i]
            for k in range(len(M)):
                weight = W[k, m]
                for i in range(size):
                    work[0, i] -= weight * M[k, low + i]
            s = Y.dtype.type(0.0)
            for i in range(size):
                s += work[0, i] * work[0, i]
            error += s
            for k in range(len(M)):
                s = Y.dtype.type(0.0)
                for i in range(size):
                    s += M[k, low + i] * work[0, i]
                out[k, m] += s
    return error


@kernel
def gather_products(A: np.ndarray, B: np.ndarray, start: int, stop: int, out: np.ndarray) -> None:
    """Add A[:, start:stop] B[:, start:stop]' to out, float64."""
    for low in range(start, stop, _STRIP):
        high = min(low + _STRIP, stop)
        for k in range(len(A)):
            for m in range(len(B)):
                s = A.dtype.type(0.0)
                for i in range(low, high):
                    s += A[k, i] * B[m, i]
                out[k, m] += s


@kernel
def gather_gram(M: np.ndarray, start: int, stop: int, out: np.ndarray) -> None:
    """Add M[:, start:stop] M[:, start:stop]' to out, float64."""
    r = len(M)
    for low in range(start, stop, _STRIP):
        high = min(low + _STRIP, stop)
        for k in range(r):
            for m in range(k + 1):
                s = M.dtype.type(0.0)
                for i in range(low, high):
                    s += M[k, i] * M[m, i]
                out[k, m] += s
                if m < k:
                    out[m, k] += s


@kernel
def go_ahead(M: np.ndarray, before: np.ndarray, stride: float, start: int, stop: int, out: np.ndarray) -> None:
    """Write max(0, M + stride (M - before)) for columns start to stop."""
    step, zero = M.dtype.type(stride), M.dtype.type(0.0)
    for k in range(len(M)):
        for i in range(start, stop):
            out[k, i] = max(M[k, i] + step * (M[k, i] - before[k, i]), zero)


@kernel
def sweep_hals(
    M: np.ndarray,
    start: int,
    stop: int,
    H: np.ndarray,
    T: np.ndarray,
    slope: np.ndarray,
    curvature: np.ndarray,
    fixed: np.ndarray,
    work: np.ndarray,
) -> None:
    """Give each row of M in turn its exact optimum of tr(M'HM)/2 - <T - slope, M> + curvature |M - M0|^2 / 2."""
    r = len(M)
    zero = M.dtype.type(0.0)
    wide = slope.shape[1] > 1
    for low in range(start, stop, _STRIP):
        size = min(_STRIP, stop - low)
        for k in range(r):
            if fixed[k]:
                continue
            if wide:
                for i in range(size):
                    c = curvature[k, low + i]
                    work[0, i] = T[k, low + i - start] - slope[k, low + i] + (H[k, k] + c) * M[k, low + i]
                    work[1, i] = H[k, k] + c
            else:
                c = curvature[k, 0]
                for i in range(size):
                    work[0, i] = T[k, low + i - start] - slope[k, 0] + (H[k, k] + c) * M[k, low + i]
            for m in range(r):
                weight = H[k, m]
                for i in range(size):
                    work[0, i] -= weight * M[m, low + i]
            if wide:
                for i in range(size):
                    if work[1, i] > zero:
                        M[k, low + i] = max(work[0, i] / work[1, i], zero)
                    elif work[0, i] < zero:
                        M[k, low + i] = zero
            elif H[k, k] + curvature[k, 0] > zero:
                inverse = M.dtype.type(1.0) / (H[k, k] + curvature[k, 0])
                for i in range(size):
                    M[k, low + i] = max(work[0, i] * inverse, zero)
            else:
                for i in range(size):
                    if work[0, i] < zero:
                        M[k, low + i] = zero


@kernel
def sweep_multiplicative(
    M: np.ndarray,
    start: int,
    stop: int,
    H: np.ndarray,
    T: np.ndarray,
    slope: np.ndarray,
    curvature: np.ndarray,
    fixed: np.ndarray,
    work: np.ndarray,
) -> None:
    """Multiply M by the factor that minimises the separable majoriser of the squared error and the terms at M."""
    r = len(M)
    wide = slope.shape[1] > 1
    for low in range(start, stop, _STRIP):
        size = min(_STRIP, stop - low)
        for k in range(r):
            for i in range(size):
                work[k, i] = 0.0
            for m in range(r):
                weight = H[k, m]
                for i in range(size):
                    work[k, i] += weight * M[m, low + i]
        for k in range(r):
            if fixed[k]:
                continue
            for i in range(size):
                place = low + i if wide else 0
                held = curvature[k, place] * M[k, low + i]
                q = work[k, i] + held
                if q > 0.0:
                    p = T[k, low + i - start] - slope[k, place] + held
                    M[k, low + i] *= max(p, M.dtype.type(0.0)) / q


@kernel
def descend_fast_gradient(
    M: np.ndarray,
    start: int,
    stop: int,
    H: np.ndarray,
    T: np.ndarray,
    slope: np.ndarray,
    curvature: np.ndarray,
    fixed: np.ndarray,
    steepest: float,
    steps: int,
    work: np.ndarray,
) -> None:
    """Take projected accelerated gradient steps on every column of M; a column that ends worse takes a plain step.

    `steepest` is the largest eigenvalue of H; work holds (5 r, strip).
    """
    r = len(M)
    wide = slope.shape[1] > 1
    strip = work.shape[1]
    ahead, kept, first, grad, gain = work[:r], work[r : 2 * r], work[2 * r : 3 * r], work[3 * r : 4 * r], work[4 * r :]
    for low in range(start, stop, strip):
        size = min(strip, stop - low)
        for k in range(r):
            for i in range(size):
                ahead[k, i] = kept[k, i] = first[k, i] = M[k, low + i]
        pace = 1.0
        for _ in range(steps):
            _fill_gradient(grad, H, ahead, first, T, slope, curvature, low, start, size, wide)
            following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * pace * pace))
            momentum = M.dtype.type((pace - 1.0) / following)
            pace = following
            for k in range(r):
                if fixed[k]:
                    continue
                for i in range(size):
                    length = steepest + curvature[k, low + i if wide else 0]
                    value = max(ahead[k, i] - grad[k, i] / length, M.dtype.type(0.0))
                    ahead[k, i] = value + momentum * (value - kept[k, i])
                    kept[k, i] = value
        _fill_gradient(grad, H, kept, first, T, slope, curvature, low, start, size, wide)
        gain[0, :size] = 0.0
        for k in range(r):
            for i in range(size):
                gain[0, i] += grad[k, i] * (kept[k, i] - first[k, i])
                ahead[k, i] = grad[k, i]
        _fill_gradient(grad, H, first, first, T, slope, curvature, low, start, size, wide)
        for k in range(r):
            for i in range(size):
                gain[0, i] += grad[k, i] * (kept[k, i] - first[k, i])
        for k in range(r):
            if fixed[k]:
                continue
            for i in range(size):
                if gain[0, i] <= 0.0:
                    M[k, low + i] = kept[k, i]
                else:
                    length = steepest + curvature[k, low + i if wide else 0]
                    M[k, low + i] = max(first[k, i] - grad[k, i] / length, M.dtype.type(0.0))


@kernel
def _fill_gradient(
    grad: np.ndarray,
    H: np.ndarray,
    M: np.ndarray,
    first: np.ndarray,
    T: np.ndarray,
    slope: np.ndarray,
    curvature: np.ndarray,
    low: int,
    start: int,
    size: int,
    wide: bool,
) -> None:
    """Write the gradient of the block's quadratic at M, whose terms were measured at `first`."""
    for k in range(len(M)):
        for i in range(size):
            place = low + i if wide else 0
            grad[k, i] = slope[k, place] - T[k, low + i - start] + curvature[k, place] * (M[k, i] - first[k, i])
        for m in range(len(M)):
            weight = H[k, m]
            for i in range(size):
                grad[k, i] += weight * M[m, i]
