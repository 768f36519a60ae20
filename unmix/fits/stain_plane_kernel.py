"""The compiled loops of `stain_plane`: sums and counts over pixels, without arrays in between."""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import kernel


@kernel
def lengths_and_bounded(density, largest, least, lengths, bounded):
    """Note the length of every density (n, 3), and the density at a length that is bounded between two."""
    for i in range(len(density)):
        x, y, z = density[i, 0], density[i, 1], density[i, 2]
        length = np.sqrt(x * x + y * y + z * z)
        share = min(length, largest) / max(length, least)
        lengths[i] = length
        bounded[i, 0], bounded[i, 1], bounded[i, 2] = share * x, share * y, share * z


@kernel
def products(vectors, kept, gram):
    """Sum the products (3, 3) of the coordinates of those vectors (n, 3) that are kept."""
    xx, xy, xz, yy, yz, zz = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(len(vectors)):
        x, y, z = vectors[i, 0], vectors[i, 1], vectors[i, 2]
        share = 1.0 if kept[i] else 0.0
        xx += share * x * x
        xy += share * x * y
        xz += share * x * z
        yy += share * y * y
        yz += share * y * z
        zz += share * z * z
    gram[0, 0], gram[0, 1], gram[0, 2] = xx, xy, xz
    gram[1, 0], gram[1, 1], gram[1, 2] = xy, yy, yz
    gram[2, 0], gram[2, 1], gram[2, 2] = xz, yz, zz


@kernel
def sines_off_plane(density, lengths, normal, sines):
    """Note the sine of the angle of every density (n, 3) to the plane with a unit normal."""
    a, b, c = normal[0], normal[1], normal[2]
    for i in range(len(density)):
        sines[i] = abs(a * density[i, 0] + b * density[i, 1] + c * density[i, 2]) / lengths[i]


@kernel
def count_near(directions, normals, limit, counts):
    """Count the directions (3, n) whose sine to the plane of each normal (m, 3) is less than a limit."""
    for k in range(len(normals)):
        a, b, c = normals[k, 0], normals[k, 1], normals[k, 2]
        n = 0
        for i in range(directions.shape[1]):
            n += abs(a * directions[0, i] + b * directions[1, i] + c * directions[2, i]) < limit
        counts[k] = n
