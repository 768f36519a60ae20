"""Block principal pivoting without a table, of one pixel's programme or of its dual; see `quadratic`."""

from __future__ import annotations

from .compiled import exact_kernel
from .passive_set import factor_within, gradient, measure, solve_members
from .quadratic import DUAL_TOLERANCE


@exact_kernel
def solve_by_pivoting(G, f, summed, passive, a, g, room):
    """Fill `a` by block principal pivoting from the set `passive`; return False where it does not settle.

    `passive` ends as the optimal set and `g` as the gradient G a - f.
    """
    r, lengths, wrong, z, members = len(f), room.lengths, room.wrong, room.z, room.members
    U, u, ones = room.U, room.u, room.ones
    slack = DUAL_TOLERANCE * measure(G, f, summed, lengths)
    fewest, patience = r + 1, 3
    for _ in range(10 + r):
        n = _solve_passive(G, f, passive, summed, members, U, u, ones, z)
        if n < 0 or (summed and n == 0):
            return False
        multiplier = gradient(G, f, z, members, n, summed, g)
        count, last = 0, 0
        for i in range(r):
            wrong[i] = (z[i] if passive[i] else g[i] + multiplier + slack * lengths[i]) < 0.0
            a[i] = max(z[i], 0.0)
            count += wrong[i]
            last = i if wrong[i] else last
        if count == 0:
            return True
        at_once = count < fewest or patience > 0
        if count < fewest:
            fewest, patience = count, 3
        else:
            patience -= 1
        for i in range(r):
            passive[i] ^= wrong[i] & (at_once | (i == last))
    return False


@exact_kernel
def solve_dual_by_pivoting(H, start, passive, a, w, room):
    """Fill `a` by pivoting on what is absent, from the set `passive`; return False where that does not settle.

    With `start` the solution with all endmembers and H the inverse of G, the optimum is a = start + H w, w >= 0, with
    w = 0 where a > 0: in w a programme like that in a, the quicker one where most endmembers are present. A sum that
    is held is held by H and `start`.
    """
    r, f = len(a), room.f
    for i in range(r):
        f[i] = -start[i]
        passive[i] = not passive[i]
    settled = solve_by_pivoting(H, f, False, passive, w, a, room)
    for i in range(r):
        passive[i] = not passive[i]
        a[i] = max(a[i], 0.0) if passive[i] else 0.0
    return settled


@exact_kernel
def _solve_passive(G, f, passive, summed, members, U, u, ones, z):
    """Solve the equality problem on the passive set by Cholesky; return its size, -1 where it is dependent."""
    n = 0
    for i in range(len(f)):
        z[i] = 0.0
        members[n] = i
        n += passive[i]
    if not factor_within(G, members, 0, n, U, u):
        return -1
    solve_members(f, members, n, summed, U, u, ones, z)
    return n
