"""The loops of the abundances, serial and without the interpreter lock; callers run them over blocks in threads."""

from __future__ import annotations

import numpy as np

from .active_set import solve_by_active_set
from .block_pivoting import solve_by_pivoting, solve_dual_by_pivoting
from .compiled import kernel
from .kernels import dot_rows, subtract_mixtures
from .passive_set import GRADIENT, room_for
from .programme import NON_NEGATIVE, SHADE, SUM_TO_ONE, UNCONSTRAINED
from .quadratic import DUAL_TOLERANCE, solve_best_subset, solve_by_table, solve_within

_ROWS = 128


@kernel
def abundances_of_rows(X, Q, programme, A):
    """Solve every row of X (n, b) for its abundances A (n, r), Q (rank, b); rows that are not finite become NaN.

    A few rows at a time: first all of them as if every endmember were present, then one by one those that this gives
    a negative abundance.
    """
    rank, r = programme.R.shape
    columns = np.zeros((rank, _ROWS))
    F, Z, Z1 = np.empty((r + 2, _ROWS)), np.empty((r + 2, _ROWS)), np.empty((r + 2, _ROWS))
    left, codes, rest = np.empty(_ROWS + 1, np.int64), np.empty(_ROWS, np.int64), np.empty(_ROWS + 1, np.int64)
    f, z = np.empty(r), np.empty(r + 3)
    for top in range(0, len(X), _ROWS):
        size = min(_ROWS, len(X) - top)
        dot_rows(X[top : top + size], Q, columns.T[:size], _ROWS)
        part = A[top : top + size]
        count = _solve_directly(columns, programme, Z, Z1, left, part)
        if count > 0:
            first = Z1 if programme.constraint == SUM_TO_ONE else Z
            _move_up(columns, left[:count])
            _with_all(programme.R.T, np.zeros(r), columns, -(-count // 8) * 8, F)
            if programme.use_table:
                _starting_sets(first, left[:count], codes)
                _solve_by_tables(F, left[:count], codes, programme, f, z, rest, part)
            else:
                _solve_without_tables(F, left[:count], Z, Z1, programme, part)


@kernel
def _solve_directly(columns, programme, Z, Z1, left, A):
    """Solve the pixels (rank, n) as if every endmember were in them; write which that is wrong for, return how many.

    No branch depends on a pixel: a wrongly predicted one would cost as much as the pixel.
    """
    r, constraint, count, whole = A.shape[1], programme.constraint, 0, -(-len(A) // 8) * 8
    if constraint != SUM_TO_ONE:
        _with_all(programme.M, np.zeros(r), columns, whole, Z)
    if constraint in (SUM_TO_ONE, SHADE):
        _with_all(programme.M1, programme.m1, columns, whole, Z1)
    for i in range(len(A)):
        free = (constraint == UNCONSTRAINED) | ((constraint != SUM_TO_ONE) & (Z[r, i] >= 0.0))
        summed = (constraint == SUM_TO_ONE) | ((constraint == SHADE) & free & (Z[r + 1, i] > 1.0))
        right = (summed & (Z1[r, i] >= 0.0)) | (free & ~summed & np.isfinite(Z[r + 1, i]))
        for k in range(r):
            A[i, k] = Z1[k, i] if summed else Z[k, i]
        left[count] = i
        count += ~(right & programme.direct)
    return count


@kernel
def _move_up(columns, left):
    """Put the columns of the pixels that are left side by side."""
    for place in range(len(left)):
        for m in range(len(columns)):
            columns[m, place] = columns[m, left[place]]


@kernel
def _starting_sets(Z, left, codes):
    """Write the set each pixel that is left starts from, as bits: the endmembers that were not negative."""
    for place in range(len(left)):
        i, code = left[place], 0
        for k in range(len(Z) - 2):
            code |= (Z[k, i] >= 0.0) << k
        codes[place] = code


@kernel
def _with_all(M, m, columns, n, Z):
    """Write Z = M columns + m for n columns, below it the least of each column and its sum."""
    r, last = len(M), len(columns) - 1
    least, total = Z[r], Z[r + 1]
    least[:], total[:] = np.inf, 0.0
    for k in range(r):
        for j in range(0, len(columns), 3):
            j1, j2 = min(j + 1, last), min(j + 2, last)
            v, v1, v2 = M[k, j], M[k, j1] * (j1 > j), M[k, j2] * (j2 > j1)
            if j == 0:
                for i in range(n):
                    Z[k, i] = m[k] + v * columns[j, i] + v1 * columns[j1, i] + v2 * columns[j2, i]
            else:
                for i in range(n):
                    Z[k, i] += v * columns[j, i] + v1 * columns[j1, i] + v2 * columns[j2, i]
        for i in range(n):
            least[i] = min(least[i], Z[k, i])
            total[i] += Z[k, i]


@kernel
def _solve_by_tables(F, left, codes, programme, f, z, rest, A):
    """Solve pixels by the tables from F = E X' (r, n); one that is not finite is NaN in A."""
    constraint, count = programme.constraint, len(left)
    places, over = np.arange(count), np.empty(count + 1, np.int64)
    rest[:count] = places
    if programme.most == 0:
        first = programme.one if constraint == SUM_TO_ONE else programme.free
        count, n_over = _keep_starting_sets(F, places, left, codes, first, constraint == SHADE, rest, over, A)
        if n_over > 0:
            more, _ = _keep_starting_sets(
                F, over[:n_over], left, codes, programme.one, False, rest[count:], places, A
            )  # fmt: skip
            count += more
    _pivot_by_tables(F, left, codes, rest[:count], programme, f, z, A)


@kernel
def _keep_starting_sets(F, places, left, codes, table, bounded, rest, over, A):
    """Solve the pixels at `places` within their starting sets; write and count the places where that is wrong.

    Where the sum is `bounded`, one whose set is right and whose sum is above 1 goes to `over`. No branch depends on a
    pixel: most starting sets are right.
    """
    (T, t), r = table, len(F) - 2
    f, z = np.empty(r), np.empty(r + 3)
    count, n_over = 0, 0
    for place in places:
        i, code, scale, total, wrong = left[place], codes[place], 0.0, 0.0, False
        for k in range(r):
            f[k] = F[k, place]
            scale = max(scale, abs(f[k]))
        solve_within(f, T, t, code, z)
        for k in range(r):
            inside = (code >> k) & 1
            wrong |= not z[k] >= (0.0 if inside else -DUAL_TOLERANCE * scale)
            A[i, k] = z[k] if inside else 0.0
            total += z[k] if inside else 0.0
        rest[count], over[n_over] = place, place
        count += wrong
        n_over += bounded & ~wrong & (total > 1.0)
    return count, n_over


@kernel
def _pivot_by_tables(F, left, codes, rest, programme, f, z, A):
    """Solve the pixels at places `rest` by pivoting over the tables, or by trying all small sets."""
    G, (T, t), (T1, t1) = programme.G, programme.free, programme.one
    constraint, most = programme.constraint, programme.most
    r = len(G)
    every = (1 << r) - 1
    for place in rest:
        i, code = left[place], codes[place]
        if not _taken(F, place, f, A[i]):
            continue
        summed = constraint == SUM_TO_ONE
        if most > 0:
            solve_best_subset(G, f, T, t, T1, t1, most, not summed, constraint != NON_NEGATIVE, z, np.empty(r))
            code, summed = every, False
        elif not summed:
            code = solve_by_table(f, T, t, False, code, z)
            if code < 0:
                code = _solve_slowly(G, f, False, z)
            total = 0.0
            for k in range(r):
                total += z[k] if (code >> k) & 1 else 0.0
            summed = constraint == SHADE and total > 1.0
        if summed:
            code = solve_by_table(f, T1, t1, True, code if code > 0 else every, z)
            if code < 0:
                code = _solve_slowly(G, f, True, z)
        for k in range(r):
            A[i, k] = z[k] if (code >> k) & 1 else 0.0


@kernel
def _taken(F, place, f, a):
    """Take a column of F into f; where it is not finite, fill the abundances `a` with NaN and return False."""
    finite = np.isfinite(F[len(f) + 1, place])
    for k in range(len(f)):
        f[k] = F[k, place]
        if not finite:
            a[k] = np.nan
    return finite


@kernel
def _solve_slowly(G, f, summed, z):
    """Fill `z` by the active set and return all indices; apart, so that the loop that hardly needs it stays small."""
    r = len(f)
    members, work = room_for(r)
    solve_by_active_set(G, f, summed, np.empty(r, np.bool_), z, members, work)
    return (1 << r) - 1


@kernel
def _solve_without_tables(F, left, Z, Z1, programme, A):
    """Solve pixels from F = E X' (r, n), each from the endmembers that were not negative; NaN where not finite."""
    G, H, H1, constraint = programme.G, programme.H, programme.H1, programme.constraint
    r, direct = len(G), programme.direct
    f, start, a, passive = np.empty(r), np.empty(r), np.empty(r), np.empty(r, np.bool_)
    members, work = room_for(r)
    for place in range(len(left)):
        i = left[place]
        if not _taken(F, place, f, A[i]):
            continue
        summed = constraint == SUM_TO_ONE
        first = Z1 if summed else Z
        for k in range(r):
            start[k] = first[k, i]
            passive[k] = start[k] >= 0.0
        if not summed:
            _pivot_or_search(G, f, H, start, False, direct, passive, a, members, work)
            summed = constraint == SHADE and a.sum() > 1.0
        if summed:
            for k in range(r):
                start[k] = Z1[k, i]
            _pivot_or_search(G, f, H1, start, True, direct, passive, a, members, work)
        for k in range(r):
            A[i, k] = a[k]


@kernel
def _pivot_or_search(G, f, H, start, summed, direct, passive, a, members, work):
    """Fill `a` by pivoting on the fewer of present and absent, where that settles, else by the active set."""
    settled, present, other = False, 0, work[GRADIENT]
    for k in range(len(f)):
        present += passive[k]
    if direct and 2 * present > len(f):
        settled = solve_dual_by_pivoting(H, start, passive, a, other, members, work)
    elif direct:
        settled = solve_by_pivoting(G, f, summed, passive, a, other, members, work)
    if not settled:
        solve_by_active_set(G, f, summed, passive, a, members, work)


@kernel
def residual_of_rows(X, valid, E, A, residual, squares):
    """Write the root mean square of X[i] - A[i] E over the bands, NaN where A is, and the sum of squares of X[i].

    E is padded for `subtract_mixtures`. Rows that are not valid get NaN, in A too.
    """
    n, b = X.shape
    work, sizes, lefts = np.empty((4, b), X.dtype), np.empty(4, X.dtype), np.empty(4, X.dtype)
    for top in range(0, n, 4):
        subtract_mixtures(X, top, n, A.T, E, work)
        _squares_of_four(X, top, work, sizes, lefts)
        for u in range(min(4, n - top)):
            i = top + u
            if not valid[i] or np.isnan(A[i, 0]):
                A[i] = np.nan
                residual[i], squares[i] = np.nan, 0.0
            else:
                residual[i], squares[i] = np.sqrt(lefts[u] / b), sizes[u]


@kernel
def _squares_of_four(X, i, work, sizes, lefts):
    """Write the sums of squares of four rows of X from i, the last repeated, and of the rows of work."""
    last, zero = len(X) - 1, X.dtype.type(0.0)
    i1, i2, i3 = min(i + 1, last), min(i + 2, last), min(i + 3, last)
    s, s1, s2, s3, t, t1, t2, t3 = zero, zero, zero, zero, zero, zero, zero, zero
    for j in range(X.shape[1]):
        s += X[i, j] * X[i, j]
        s1 += X[i1, j] * X[i1, j]
        s2 += X[i2, j] * X[i2, j]
        s3 += X[i3, j] * X[i3, j]
        t += work[0, j] * work[0, j]
        t1 += work[1, j] * work[1, j]
        t2 += work[2, j] * work[2, j]
        t3 += work[3, j] * work[3, j]
    sizes[0], sizes[1], sizes[2], sizes[3] = s, s1, s2, s3
    lefts[0], lefts[1], lefts[2], lefts[3] = t, t1, t2, t3


@kernel
def solve_tiles(X, valid, E, Q, programme, tile, A, residual, squares):
    """Solve the rows of X tile by tile and take their residuals while the tile is still in cache; not valid is NaN."""
    n = len(X)
    for top in range(0, n, tile):
        part = slice(top, min(top + tile, n))
        abundances_of_rows(X[part], Q, programme, A[part])
        residual_of_rows(X[part], valid[part], E, A[part], residual[part], squares[part])


@kernel
def map_tiles(X, valid, E, Q, programme, tile, divided, maps):
    """Solve rows of X tile by tile into maps (r + 1 or r + 2, n): abundances, residual and, `divided`, their sum.

    Returns the sums of squared residuals and of squared values, how many rows were solved, how many have a sum of 0.
    """
    n, b = X.shape
    r = len(programme.G)
    A, residual, squares = np.empty((tile, r), X.dtype), np.empty(tile, X.dtype), np.empty(tile, X.dtype)
    misfit, energy, n_solved, n_empty = 0.0, 0.0, 0, 0
    for top in range(0, n, tile):
        size = min(tile, n - top)
        part = slice(top, top + size)
        abundances_of_rows(X[part], Q, programme, A[:size])
        residual_of_rows(X[part], valid[part], E, A[:size], residual, squares)
        for i in range(size):
            total = X.dtype.type(0.0)
            for k in range(r):
                total += A[i, k]
            solved = not np.isnan(total)
            n_solved += solved
            n_empty += total == 0
            if solved:
                misfit += b * np.float64(residual[i]) ** 2
                energy += squares[i]
            share = X.dtype.type(1.0) / total if divided and total != 0 else X.dtype.type(1.0)
            for k in range(r):
                maps[k, top + i] = A[i, k] * share
            maps[r, top + i] = residual[i]
            if divided:
                maps[r + 1, top + i] = total
    return misfit, energy, n_solved, n_empty
