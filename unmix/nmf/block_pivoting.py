"""Block principal pivoting without a table, of one pixel's programme or of its dual; see `quadratic`."""

from __future__ import annotations

from .compiled import exact_kernel
from .passive_set import FACTOR, LENGTHS, PART, SOLUTION, TARGET, factor_within, gradient, measure, solve_members
from .quadratic import DUAL_TOLERANCE, exchanged


@exact_kernel
def solve_by_pivoting(G, f, summed, passive, a, g, members, work):
    """Fill `a` by block principal pivoting from the set `passive`; return False where it does not settle.

    `passive` ends as the optimal set and `g` as the gradient G a - f. At most 63 endmembers; `members` and `work` are
    from `room_for`.
    """
    r, lengths, z = len(f), work[LENGTHS], work[SOLUTION]
    slack = DUAL_TOLERANCE * measure(G, f, summed, lengths)
    fewest, patience = r + 1, 3
    for _ in range(10 + r):
        n = _solve_passive(G, f, passive, summed, members, work, z)
        if n < 0 or (summed and n == 0):
            return False
        multiplier = gradient(G, f, z, members, n, summed, g)
        wrong, count, last = 0, 0, 0
        for i in range(r):
            here = (z[i] if passive[i] else g[i] + multiplier + slack * lengths[i]) < 0.0
            a[i] = max(z[i], 0.0)
            wrong |= here << i
            count += here
            last = max(last, i * here)
        if count == 0:
            return True
        wrong, fewest, patience = exchanged(wrong, count, last, fewest, patience)
        for i in range(r):
            passive[i] ^= (wrong >> i) & 1
    return False


@exact_kernel
def solve_dual_by_pivoting(H, start, passive, a, w, members, work):
    """Fill `a` by pivoting on what is absent, from the set `passive`; return False where that does not settle.

    With `start` the solution with all endmembers and H the inverse of G, the optimum is a = start + H w, w >= 0, with
    w = 0 where a > 0: in w a programme like that in a, the quicker one where most endmembers are present. A sum that
    is held is held by H and `start`.
    """
    r, f = len(a), work[TARGET]
    for i in range(r):
        f[i] = -start[i]
        passive[i] = not passive[i]
    settled = solve_by_pivoting(H, f, False, passive, w, a, members, work)
    for i in range(r):
        passive[i] = not passive[i]
        a[i] = max(a[i], 0.0) if passive[i] else 0.0
    return settled


@exact_kernel
def _solve_passive(G, f, passive, summed, members, work, z):
    """Solve the equality problem on the passive set by Cholesky; return its size, -1 where it is dependent."""
    n = 0
    for i in range(len(f)):
        z[i] = 0.0
        members[n] = i
        n += passive[i]
    if not factor_within(G, members, 0, n, work[FACTOR:], work[PART]):
        return -1
    solve_members(f, members, n, summed, work, z)
    return n
