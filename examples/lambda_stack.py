"""A fluorescence lambda stack: find the dyes' spectra and map them."""

import unmix
from unmix.samples import sample_path, sample_truth


def main(folder: str = "cells_dyes") -> tuple[float, ...]:
    """Unmix the cells sample into `folder` and return the wavelength where each dye found is brightest."""
    image = unmix.read(sample_path("cells_lambda"))
    _, names = sample_truth("cells_lambda")
    result = unmix.unmix(image, len(names), quantity="counts")
    peaks = result["endmembers"].idxmax("band") if "band" in result.coords else result["endmembers"].argmax("band")
    wavelengths = tuple(float(result["wavelength"][int(k)]) for k in peaks)
    for name, wavelength in zip(result["endmember"].values, wavelengths, strict=True):
        print(f"{name}: brightest at {wavelength:.0f} nm")
    unmix.write(result, folder, overwrite=True)
    return wavelengths


if __name__ == "__main__":
    main()
