"""A hyperspectral scene: find the materials, look at the maps, compare with the known truth."""

import numpy as np

import unmix
from unmix.metrics import match_endmembers
from unmix.samples import sample_path, sample_truth


def main(folder: str = "coast_unmixed") -> float:
    """Unmix the coast sample into `folder` and return the mean angle to the truth in degrees."""
    image = unmix.read(sample_path("coast"))
    result = unmix.unmix(image, 5)
    for name, brightest in zip(result["endmember"].values, result["abundances"].max(["y", "x"]).values, strict=True):
        print(f"{name}: largest abundance {brightest:.2f}")

    truth, names = sample_truth("coast")
    order, angles = match_endmembers(result["endmembers"].values, truth)
    for name, k, angle in zip(names, order, np.degrees(angles), strict=True):
        print(f"{name} was found as {result['endmember'].values[k]}, {angle:.2f} degrees off")

    result = result.assign_coords(endmember=[names[list(order).index(k)] for k in range(len(names))])
    unmix.write(result, folder, overwrite=True)
    return float(np.degrees(angles).mean())


if __name__ == "__main__":
    main()
