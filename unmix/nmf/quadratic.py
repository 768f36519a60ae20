"""One pixel's quadratic programme, solved exactly: min |y - R a|^2 with a >= 0, and with a >= 0, sum(a) = 1.

With G = R'R and f = R'y the optimum is unique and lies on some passive set S (the indices where a > 0).
Up to `TABLE_LIMIT` endmembers, the solution operator of every S is tabulated once and block principal pivoting walks
the table (Kim and Park 2011, SIAM J. Sci. Comput. 33(6), after Judice and Pires 1994). Beyond that, and wherever
pivoting does not settle, the primal active-set method of Lawson and Hanson (1974, chapter 23) decides; it always ends.
"""

from __future__ import annotations

import numpy as np

from .compiled import exact_kernel

TABLE_LIMIT = 10
_DUAL_TOLERANCE = 1e-12


def passive_set_table(G: np.ndarray, summed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return, for every passive set, the matrix P and vector c with a = P f + c; rows outside the set are zero.

    Parameters
    ----------
    G : ndarray of float64, shape (r, r)
        Gram matrix of the endmembers, r at most `TABLE_LIMIT`.
    summed : bool
        Whether sum(a) = 1 holds.

    Returns
    -------
    P : ndarray, shape (2**r, r, r)
    c : ndarray, shape (2**r, r)
    """
    r = len(G)
    size = np.sqrt(np.outer(np.diag(G), np.diag(G)))
    P = np.zeros((1 << r, r, r))
    c = np.zeros((1 << r, r))
    for code in range(1, 1 << r):
        S = np.flatnonzero((code >> np.arange(r)) & 1)
        inverse = np.linalg.inv((G / size)[np.ix_(S, S)]) / size[np.ix_(S, S)]
        if summed:
            column = inverse.sum(axis=1)
            c[code, S] = column / column.sum()
            inverse = inverse - np.outer(column, column) / column.sum()
        P[code][np.ix_(S, S)] = inverse
    return P, c


@exact_kernel
def solve_by_table(G, f, P, c, summed, a, g):
    """Fill `a` by block principal pivoting over the table; return False where it did not settle."""
    r = len(f)
    full = (1 << r) - 1
    scale = 0.0
    for i in range(r):
        scale = max(scale, abs(f[i]))
    tolerance = _DUAL_TOLERANCE * scale
    code, fewest, patience = full, r + 1, 3
    for _ in range(10 + 5 * r):
        for i in range(r):
            s = c[code, i]
            if (code >> i) & 1:
                for j in range(r):
                    s += P[code, i, j] * f[j]
            a[i] = s
        wrong, count, last = 0, 0, 0
        for i in range(r):
            if (code >> i) & 1 and a[i] < 0.0:
                wrong |= 1 << i
                count += 1
                last = i
        if code != full:
            multiplier = _gradient(G, f, a, code, summed, g)
            for i in range(r):
                if not (code >> i) & 1 and g[i] + multiplier < -tolerance:
                    wrong |= 1 << i
                    count += 1
                    last = i
        if count == 0:
            return True
        if count < fewest:
            fewest, patience = count, 3
        elif patience > 0:
            patience -= 1
        else:
            wrong = 1 << last
        code ^= wrong
        if summed and code == 0:
            return False
    return False


@exact_kernel
def solve_best_subset(G, f, P, c, P1, c1, most, free, summed, a, z):
    """Fill `a` with the best solution that has at most `most` entries above zero, by trying every such set.

    `free` allows solutions without the condition on the sum (with `summed` too: those whose sum is at most one),
    `summed` those whose sum is one.
    """
    r = len(f)
    least = 0.0 if free else np.inf
    for i in range(r):
        a[i] = 0.0
    for code in range(1, 1 << r):
        size = 0
        for i in range(r):
            size += (code >> i) & 1
        if size > most:
            continue
        for with_sum in range(2):
            if (with_sum == 0 and not free) or (with_sum == 1 and not summed):
                continue
            feasible, total = True, 0.0
            for i in range(r):
                s = c1[code, i] if with_sum else 0.0
                if (code >> i) & 1:
                    for j in range(r):
                        s += (P1[code, i, j] if with_sum else P[code, i, j]) * f[j]
                z[i] = s
                total += s
                feasible = feasible and s >= 0.0
            if not feasible or (with_sum == 0 and summed and total > 1.0):
                continue
            value = 0.0
            for i in range(r):
                s = -f[i]
                for j in range(r):
                    s += 0.5 * G[i, j] * z[j]
                value += s * z[i]
            if value < least:
                least = value
                for i in range(r):
                    a[i] = z[i]


@exact_kernel
def _gradient(G, f, a, code, summed, g):
    """Fill g = G a - f; return the multiplier of sum(a) = 1, zero without it."""
    r = len(f)
    total, members = 0.0, 0
    for i in range(r):
        s = -f[i]
        for j in range(r):
            s += G[i, j] * a[j]
        g[i] = s
        if summed and (code >> i) & 1:
            total += s
            members += 1
    return -total / members if members else 0.0


@exact_kernel
def solve_by_active_set(G, f, summed, a, g, z, passive, L):
    """Fill `a` by the primal active-set method; `g`, `z` (r), `passive` (r, bool) and `L` (r, r) are work space."""
    r = len(f)
    scale = 0.0
    for i in range(r):
        scale = max(scale, abs(f[i]) / _length(G, i, summed))
        a[i] = 0.0
        passive[i] = False
    tolerance = _DUAL_TOLERANCE * scale
    if summed:
        best = 0
        for i in range(1, r):
            if 0.5 * G[i, i] - f[i] < 0.5 * G[best, best] - f[best]:
                best = i
        passive[best] = True
        a[best] = 1.0
    for _ in range(20 + 10 * r):
        entering = _most_negative(G, f, a, passive, summed, g, tolerance)
        if entering < 0:
            return
        passive[entering] = True
        for _inner in range(r + 1):
            if not _solve_passive(G, f, passive, summed, z, L):
                passive[entering] = False
                break
            step, blocking = 1.0, -1
            for i in range(r):
                if passive[i] and z[i] <= 0.0:
                    ratio = a[i] / (a[i] - z[i]) if a[i] > z[i] else 0.0
                    if ratio < step:
                        step, blocking = ratio, i
            for i in range(r):
                if passive[i]:
                    a[i] += step * (z[i] - a[i])
            if blocking < 0:
                break
            a[blocking] = 0.0
            passive[blocking] = False
            for i in range(r):
                if passive[i] and a[i] <= 0.0 and z[i] <= 0.0:
                    a[i] = 0.0
                    passive[i] = False
            if blocking == entering:
                return


@exact_kernel
def _length(G, i, summed):
    """Return what gradients are measured by: the endmember's own length, where its abundance may be of any size."""
    return 1.0 if summed or G[i, i] <= 0.0 else np.sqrt(G[i, i])


@exact_kernel
def _most_negative(G, f, a, passive, summed, g, tolerance):
    """Return the inactive index whose gradient says it should enter, -1 where there is none."""
    r = len(f)
    total, members = 0.0, 0
    for i in range(r):
        s = -f[i]
        for j in range(r):
            if a[j] != 0.0:
                s += G[i, j] * a[j]
        g[i] = s
        if summed and passive[i]:
            total += s
            members += 1
    multiplier = -total / members if members else 0.0
    entering, lowest = -1, -tolerance
    for i in range(r):
        if not passive[i] and g[i] + multiplier < 0.0:
            slope = (g[i] + multiplier) / _length(G, i, summed)
            if slope < lowest:
                entering, lowest = i, slope
    return entering


@exact_kernel
def _solve_passive(G, f, passive, summed, z, L):
    """Solve the equality problem on the passive set by Cholesky; return False where the set is dependent."""
    r = len(f)
    n = 0
    index = np.empty(r, np.int64)
    for i in range(r):
        z[i] = 0.0
        if passive[i]:
            index[n] = i
            n += 1
    for i in range(n):
        for j in range(i + 1):
            s = G[index[i], index[j]]
            for k in range(j):
                s -= L[i, k] * L[j, k]
            if i == j:
                if s <= 1e-13 * G[index[i], index[i]]:
                    return False
                L[i, i] = np.sqrt(s)
            else:
                L[i, j] = s / L[j, j]
    u, ones = np.empty(n), np.empty(n)
    for i in range(n):
        s, t = f[index[i]], 1.0
        for k in range(i):
            s -= L[i, k] * u[k]
            t -= L[i, k] * ones[k]
        u[i], ones[i] = s / L[i, i], t / L[i, i]
    total, weight = 0.0, 0.0
    for i in range(n - 1, -1, -1):
        s, t = u[i], ones[i]
        for k in range(i + 1, n):
            s -= L[k, i] * u[k]
            t -= L[k, i] * ones[k]
        u[i], ones[i] = s / L[i, i], t / L[i, i]
        total += u[i]
        weight += ones[i]
    shift = (1.0 - total) / weight if summed else 0.0
    for i in range(n):
        z[index[i]] = u[i] + shift * ones[i]
    return True
