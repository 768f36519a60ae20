"""One pixel's quadratic programme, solved exactly: min |y - R a|^2 with a >= 0, and with a >= 0, sum(a) = 1.

With G = R'R and f = R'y the optimum is unique and lies on some passive set S (the indices where a > 0).
Block principal pivoting finds S (Kim and Park 2011, SIAM J. Sci. Comput. 33(6), after Judice and Pires 1994); up to
`TABLE_LIMIT` endmembers it walks a table of the solution operators of every S, beyond that it solves for each it meets.
Where it does not settle, and with so many endmembers that most are absent, the primal active-set method of Lawson and
Hanson (1974, chapter 23) decides; it always ends.
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
        if count < fewest:
            fewest, patience = count, 3
        elif patience > 0:
            patience -= 1
        else:
            wrong = 1 << last
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


@exact_kernel
def solve_by_pivoting(G, f, summed, a, g, z, passive, L):
    """Fill `a` by block principal pivoting from the set `passive`; return False where it does not settle.

    `g`, `z` (r) and `L` (r, r) are work space; `passive` ends as the optimal set.
    """
    r = len(f)
    scale = 0.0
    for i in range(r):
        scale = max(scale, abs(f[i]) / _length(G, i, summed))
    least = -DUAL_TOLERANCE * scale
    fewest, patience = r + 1, 3
    for _ in range(10 + r):
        if not _solve_passive(G, f, passive, summed, z, L):
            return False
        multiplier = _gradient(G, f, z, passive, summed, g)
        count, last, members = 0, 0, 0
        for i in range(r):
            members += passive[i]
            value = z[i] if passive[i] else (g[i] + multiplier) / _length(G, i, summed) - least
            a[i] = max(z[i], 0.0)
            if value < 0.0:
                count, last = count + 1, i
        if summed and members == 0:
            return False
        if count == 0:
            return True
        at_once = count < fewest or patience > 0
        if count < fewest:
            fewest, patience = count, 3
        else:
            patience -= 1
        for i in range(r):
            value = z[i] if passive[i] else (g[i] + multiplier) / _length(G, i, summed) - least
            if value < 0.0 and (at_once or i == last):
                passive[i] = not passive[i]
    return False


@exact_kernel
def solve_by_active_set(G, f, summed, a, g, z, passive, U):
    """Fill `a` by the primal active-set method; `g`, `z` (r), `passive` (r, bool) and `U` (r, r) are work space.

    The factor U grows with the members; only where one leaves is it made again, from there on.
    """
    r = len(f)
    scale, members, n, known = 0.0, np.empty(r, np.int64), 0, 0
    for i in range(r):
        scale = max(scale, abs(f[i]) / _length(G, i, summed))
        a[i] = 0.0
        passive[i] = False
    tolerance = DUAL_TOLERANCE * scale
    if summed:
        best = 0
        for i in range(1, r):
            if 0.5 * G[i, i] - f[i] < 0.5 * G[best, best] - f[best]:
                best = i
        passive[best], members[0], n = True, best, 1
        a[best] = 1.0
    for _ in range(20 + 10 * r):
        entering = _most_negative(G, f, a, passive, summed, g, tolerance)
        if entering < 0:
            return
        passive[entering], members[n], n = True, entering, n + 1
        for inner in range(r + 1):
            if not factor_within(G, members, known, n, U):
                passive[entering], n = False, n - 1
                if inner == 0:
                    return
                break
            _solve_members(f, members, n, summed, U, z)
            known = n
            if not _move_until_blocked(a, z, members, n, passive):
                break
            n, known = _keep_passive(members, n, passive)
            if not passive[entering]:
                return


@exact_kernel
def _move_until_blocked(a, z, members, n, passive):
    """Move `a` towards z as far as it stays above zero; take those at zero out of the passive set, say if any was."""
    step, blocking = 1.0, -1
    for q in range(n):
        i = members[q]
        if z[i] <= 0.0:
            ratio = a[i] / (a[i] - z[i]) if a[i] > z[i] else 0.0
            if ratio < step:
                step, blocking = ratio, i
    for q in range(n):
        i = members[q]
        a[i] += step * (z[i] - a[i])
    if blocking < 0:
        return False
    a[blocking] = 0.0
    passive[blocking] = False
    for q in range(n):
        i = members[q]
        if a[i] <= 0.0 and z[i] <= 0.0:
            a[i] = 0.0
            passive[i] = False
    return True


@exact_kernel
def _keep_passive(members, n, passive):
    """Close the ranks of the members that are passive; return how many there are, and how many kept their places."""
    kept, unmoved = 0, n
    for q in range(n):
        if passive[members[q]]:
            members[kept] = members[q]
            kept += 1
        else:
            unmoved = min(unmoved, q)
    return kept, unmoved


@exact_kernel
def _length(G, i, summed):
    """Return what gradients are measured by: the endmember's own length, where its abundance may be of any size."""
    return 1.0 if summed or G[i, i] <= 0.0 else np.sqrt(G[i, i])


@exact_kernel
def _most_negative(G, f, a, passive, summed, g, tolerance):
    """Return the inactive index whose gradient says it should enter, -1 where there is none."""
    multiplier = _gradient(G, f, a, passive, summed, g)
    entering, lowest = -1, -tolerance
    for i in range(len(f)):
        if not passive[i] and g[i] + multiplier < 0.0:
            slope = (g[i] + multiplier) / _length(G, i, summed)
            if slope < lowest:
                entering, lowest = i, slope
    return entering


@exact_kernel
def _gradient(G, f, a, passive, summed, g):
    """Write the gradient g = G a - f, and return the multiplier of the sum, zero without one."""
    r = len(f)
    for i in range(r):
        g[i] = -f[i]
    for j in range(r):
        if a[j] != 0.0:
            row, weight = G[j], a[j]
            for i in range(r):
                g[i] += weight * row[i]
    total, members = 0.0, 0
    if summed:
        for i in range(r):
            total += g[i] if passive[i] else 0.0
            members += passive[i]
    return -total / members if members else 0.0


@exact_kernel
def factor_within(G, members, known, n, U):
    """Fill U with the Cholesky factor of G within n members, U'U, of which `known` columns are there already.

    Returns False where the members are dependent. Innermost loops run along memory.
    """
    u = np.empty(n)
    for c in range(known, n):
        of = G[members[c]]
        for i in range(c):
            u[i] = of[members[i]]
        rest = of[members[c]]
        for i in range(c):
            u[i] /= U[i, i]
            for j in range(i + 1, c):
                u[j] -= u[i] * U[i, j]
            U[i, c] = u[i]
            rest -= u[i] * u[i]
        if rest <= 1e-13 * of[members[c]]:
            return False
        U[c, c] = np.sqrt(rest)
    return True


@exact_kernel
def _solve_passive(G, f, passive, summed, z, U):
    """Solve the equality problem on the passive set by Cholesky; return False where the set is dependent."""
    n, members = 0, np.empty(len(f), np.int64)
    for i in range(len(f)):
        z[i] = 0.0
        if passive[i]:
            members[n] = i
            n += 1
    if not factor_within(G, members, 0, n, U):
        return False
    _solve_members(f, members, n, summed, U, z)
    return True


@exact_kernel
def _solve_members(f, members, n, summed, U, z):
    """Write the solution within n members to their places in z, given the factor U of G within them."""
    u = np.empty(n)
    for i in range(n):
        u[i] = f[members[i]]
    _solve_factored(U, u)
    if summed:
        ones = np.ones(n)
        _solve_factored(U, ones)
        shift = (1.0 - u.sum()) / ones.sum()
        for i in range(n):
            u[i] += shift * ones[i]
    for i in range(n):
        z[members[i]] = u[i]


@exact_kernel
def _solve_factored(U, u):
    """Solve U'U x = u in place."""
    n = len(u)
    for i in range(n):
        u[i] /= U[i, i]
        for j in range(i + 1, n):
            u[j] -= u[i] * U[i, j]
    for i in range(n - 1, -1, -1):
        total = u[i]
        for j in range(i + 1, n):
            total -= U[i, j] * u[j]
        u[i] = total / U[i, i]
