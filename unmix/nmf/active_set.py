"""The primal active-set method of Lawson and Hanson (1974, chapter 23) for one pixel's programme; it always ends.

It adds one endmember after the other to a pixel: for libraries, of which few are in it. See `quadratic`.
"""

from __future__ import annotations

from .compiled import exact_kernel
from .passive_set import FACTOR, GRADIENT, LENGTHS, PART, SOLUTION, factor_within, gradient, measure, solve_members
from .quadratic import DUAL_TOLERANCE


@exact_kernel
def solve_by_active_set(G, f, summed, passive, a, members, work):
    """Fill `a` by the primal active-set method.

    The factor grows with the members; only where one leaves is it made again, from there on. `passive` ends as the
    optimal set; `members` and `work` are from `room_for`.
    """
    r, U, u, z, g, lengths = len(f), work[FACTOR:], work[PART], work[SOLUTION], work[GRADIENT], work[LENGTHS]
    n, known = 0, 0
    tolerance = DUAL_TOLERANCE * measure(G, f, summed, lengths)
    for i in range(r):
        a[i] = 0.0
        passive[i] = False
    if summed:
        best = 0
        for i in range(1, r):
            if 0.5 * G[i, i] - f[i] < 0.5 * G[best, best] - f[best]:
                best = i
        passive[best], members[0], n = True, best, 1
        a[best] = 1.0
    for _ in range(20 + 10 * r):
        entering = _most_negative(g, gradient(G, f, a, members, n, summed, g), passive, lengths, tolerance)
        if entering < 0:
            return
        passive[entering], members[n], n = True, entering, n + 1
        for _inner in range(r + 1):
            if not factor_within(G, members, known, n, U, u):
                return
            solve_members(f, members, n, summed, work, z)
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
def _most_negative(g, multiplier, passive, lengths, tolerance):
    """Return the inactive index whose gradient says it should enter, -1 where there is none."""
    entering, lowest = -1, -tolerance
    for i in range(len(g)):
        if not passive[i] and g[i] + multiplier < 0.0:
            slope = (g[i] + multiplier) / lengths[i]
            if slope < lowest:
                entering, lowest = i, slope
    return entering
