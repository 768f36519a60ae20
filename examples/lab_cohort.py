"""A folder of slides: one stain matrix for all of them, the same colours for all, and a table of mean densities."""

import sys
import tempfile
from pathlib import Path

from skimage.io import imsave

import unmix
from unmix.fits.stain_summary import stain_set_of
from unmix.measure import measure_regions, write_measurements
from unmix.normalise import normalise_stains
from unmix.stain_vectors import cohort_stain_matrix
from unmix.synthetic import stained_slide

PICTURES = {".png", ".tif", ".tiff", ".jpg", ".jpeg", ".svs", ".ndpi"}


def main(slides: str | None = None, folder: str = "cohort", stains: str = "H&E") -> int:
    """Measure the pictures in `slides` (four made-up ones when not given) into `folder`; return how many there were."""
    with tempfile.TemporaryDirectory() as made_up:
        paths = sorted(p for p in Path(slides or make_slides(made_up)).iterdir() if p.suffix.lower() in PICTURES)
        images = [unmix.read(path, quantity="brightfield") for path in paths]
        cohort = cohort_stain_matrix(images, stains)
        for path, angles, flag in zip(paths, cohort["slide_angle"].values, cohort["slide_flag"].values, strict=True):
            print(f"{path.name}: own vectors {angles.max():.1f} degrees from the cohort's, flag {flag}")

        rows, target = [], None
        for path, image in zip(paths, images, strict=True):
            result = unmix.separate_stains(image, stains, stain_matrix=cohort)
            target = target or stain_set_of(result, "first slide")
            picture = normalise_stains(image, result, target)
            Path(folder).mkdir(parents=True, exist_ok=True)
            imsave(Path(folder) / f"{path.stem}_normalised.png", picture.values, check_contrast=False)
            rows += [{"slide": path.name, **row} for row in measure_regions(result)]
        write_measurements(rows, Path(folder) / "densities.csv", overwrite=True)
        return len(rows)


def make_slides(folder: str) -> str:
    """Save four synthetic slides, each stained by another strength, as pictures."""
    for seed, strength in enumerate((0.8, 1.0, 1.2, 1.4)):
        slide = stained_slide(seed, shape=(192, 192), strength=strength).image
        imsave(Path(folder) / f"slide_{seed}.png", slide.values, check_contrast=False)
    return folder


if __name__ == "__main__":
    main(*sys.argv[1:])
