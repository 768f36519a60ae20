"""Why separable NMF works, in three materials and three bands, small enough to follow by hand.

Pixels that mix three materials lie in a triangle whose corners are the materials. If each material is pure somewhere,
its pixel is a corner, and a corner is what is farthest from the others: find it, remove it, repeat.
"""

import numpy as np

from unmix.metrics import spectral_angle
from unmix.nmf import solve_abundances, successive_projection


def main() -> float:
    """Recover three known materials from their mixtures and return the largest angle in degrees."""
    rng = np.random.default_rng(0)
    materials = np.array([[0.9, 0.2, 0.1], [0.1, 0.8, 0.3], [0.3, 0.3, 0.9]])
    shares = rng.dirichlet([1.0, 1.0, 1.0], size=200)
    shares[:3] = np.eye(3)  # one pure pixel each: this is what "separable" means
    pixels = shares @ materials

    corners = successive_projection(pixels, 3)
    print("the corners are pixels", corners)
    found = pixels[corners]
    angle = float(np.degrees(spectral_angle(found[:, None], materials[None]).min(axis=1).max()))
    print(f"largest angle to a true material: {angle:.6f} degrees")

    recovered = solve_abundances(pixels, found, "sum_to_one")
    order = np.argmax(recovered[:3], axis=0)
    print(f"largest error of a share: {np.abs(recovered[:, np.argsort(order)] - shares).max():.2e}")
    return angle


if __name__ == "__main__":
    main()
