"""How positive is each region for DAB: mean density, positive fraction, H-score of pixels and of cells, in log10."""

import sys
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.io import imread, imsave
from skimage.segmentation import expand_labels

import unmix
from unmix.measure import LN10, h_score, measure_regions, write_measurements
from unmix.normalise import stain_picture
from unmix.synthetic import stained_slide


def main(slide: str | None = None, regions: str | None = None, folder: str = "dab") -> float:
    """Measure `slide` (a made-up one when not given) in the regions of a label picture; return the H-score of cells."""
    if slide is None:
        image = stained_slide(3, shape=(256, 256), stains=("hematoxylin", "dab")).image
    else:
        image = unmix.read(slide, quantity="brightfield")
    result = unmix.separate_stains(image, "H-DAB")
    labels = halves(result) if regions is None else imread(regions)
    rows = measure_regions(result, labels)
    for row in rows:
        positive, score = row["dab_positive_fraction"], row["dab_h_score_pixels"]
        print(f"region {row['region']}: {positive:.1%} of stained pixels positive, H-score {score:.0f}")
    write_measurements(rows, Path(folder) / "regions.csv", overwrite=True)

    cells = measure_regions(result, nuclei(result))
    score = h_score(cell["dab_mean_od_log10"] for cell in cells)
    print(f"H-score of {len(cells)} cells: {score:.0f}")
    write_measurements(cells, Path(folder) / "cells.csv", overwrite=True)
    imsave(Path(folder) / "dab_only.png", stain_picture(result, "dab"), check_contrast=False)
    return score


def halves(result) -> np.ndarray:
    """Return two regions, the left and the right half, where no regions are given."""
    labels = np.ones((result.sizes["y"], result.sizes["x"]), int)
    labels[:, labels.shape[1] // 2 :] = 2
    return labels


def nuclei(result) -> np.ndarray:
    """Label what is dark in both stains together; a laboratory would put its own segmentation here."""
    density = ndimage.gaussian_filter(np.nan_to_num(result["abundances"].values.sum(axis=0)) / LN10, 1.5)
    peaks, _ = ndimage.label((density == ndimage.maximum_filter(density, 9)) & (density > 0.25))
    return np.where(density > 0.2, expand_labels(peaks, 6), 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
