"""One pixel's quadratic programme, solved exactly: min |y - R a|^2 with a >= 0, and with a >= 0, sum(a) = 1.

With G = R'R and f = R'y the optimum is unique and lies on some passive set S (the indices where a > 0).
Block principal pivoting finds S (Kim and Park 2011, SIAM J. Sci. Comput. 33(6), after Judice and Pires 1994); up to
`TABLE_LIMIT` endmembers it walks a table of the solution operators of every S, as here; beyond that it solves for each
it meets: `block_pivoting`. Where that does not settle, and with so many endmembers that most are absent, `active_set`
decides.
"""

from __future__ import annotations

import numpy as np

from .compiled import exact_kernel

TABLE_LIMIT = 12
DUAL_TOLERANCE = 1e-12


@exact_kernel
def solve_within(f, T, t, code, z):
    """Fill `z`, of the table's width at least, with the abundances within the set `code` and the slacks outside it."""
    r = len(f)
    for i in range(0, t.shape[1], 4):
        z0, z1, z2, z3 = t[code, i], t[code, i + 1], t[code, i + 2], t[code, i + 3]
        for j in range(r):
            x = f[j]
            z0 += T[code, j, i] * x
            z1 += T[code, j, i + 1] * x
            z2 += T[code, j, i + 2] * x
            z3 += T[code, j, i + 3] * x
        z[i], z[i + 1], z[i + 2], z[i + 3] = z0, z1, z2, z3


@exact_kernel
def exchanged(wrong, count, last, fewest, patience):
    """Return which of the wrong indices, as bits, change sides: all, but the last alone once that has not helped.

    Besides: the fewest there have been, and how often more of them are still put up with.
    """
    if count < fewest:
        return wrong, count, 3
    if patience > 0:
        return wrong, fewest, patience - 1
    return 1 << last, fewest, patience


@exact_kernel
def solve_by_table(f, T, t, summed, code, z):
    """Fill `z` by block principal pivoting over the table from the set `code`; return the optimal set, -1 without one.

    z has the table's width and holds abundances and slacks; those outside the set are for the caller to zero. No branch
    depends on a single entry: a wrongly predicted one would cost as much as a row of the product.
    """
    r, scale = len(f), 0.0
    for i in range(r):
        scale = max(scale, abs(f[i]))
    least = -DUAL_TOLERANCE * scale
    fewest, patience = r + 1, 3
    for _ in range(10 + 5 * r):
        solve_within(f, T, t, code, z)
        wrong = 0
        for i in range(r):
            wrong |= (z[i] < (0.0 if (code >> i) & 1 else least)) << i
        if wrong == 0:
            return code
        count, last = 0, 0
        for i in range(r):
            here = (wrong >> i) & 1
            count += here
            last = max(last, i * here)
        wrong, fewest, patience = exchanged(wrong, count, last, fewest, patience)
        code ^= wrong
        if summed and code == 0:
            return -1
    return -1


@exact_kernel
def solve_best_subset(G, f, T, t, T1, t1, most, may_be_free, may_be_one, a, z):
    """Fill `a` with the best solution that has at most `most` entries above zero, by trying every such set.

    `may_be_free` allows solutions without the condition on the sum (with `may_be_one` too: those whose sum is at most
    one), `may_be_one` those whose sum is one.
    """
    r = len(f)
    least = 0.0 if may_be_free else np.inf
    for i in range(r):
        a[i] = 0.0
    for code in range(1, 1 << r):
        size = 0
        for i in range(r):
            size += (code >> i) & 1
        if size > most:
            continue
        for with_sum in range(2):
            if (with_sum == 0 and not may_be_free) or (with_sum == 1 and not may_be_one):
                continue
            feasible, total = True, 0.0
            for i in range(r):
                z[i] = 0.0
                if (code >> i) & 1:
                    s = t1[code, i] if with_sum else t[code, i]
                    for j in range(r):
                        s += (T1[code, j, i] if with_sum else T[code, j, i]) * f[j]
                    z[i] = s
                    total += s
                    feasible = feasible and s >= 0.0
            if not feasible or (with_sum == 0 and may_be_one and total > 1.0):
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
