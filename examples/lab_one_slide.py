"""One slide in a laboratory: separate its stains, ask how sure that is, keep the vectors, write maps and pictures."""

import sys
from pathlib import Path

import numpy as np
from skimage.io import imsave

import unmix
from unmix.fits.stain_summary import fit_notes, stain_set_of
from unmix.materials.stain_sets import stain_set_to_json, stain_set_to_qupath
from unmix.normalise import stain_picture
from unmix.samples import sample_path


def main(slide: str | None = None, folder: str = "one_slide", stains: str = "H&E") -> str:
    """Separate `slide` (the tissue sample when not given) into `folder`; return the flag of the fit."""
    result = unmix.separate_stains(unmix.read(slide or sample_path("tissue_he"), quantity="brightfield"), stains)
    fit = fit_notes(result)
    print(f"flag: {result.attrs['stain_flag']} (none is good); white point {np.round(fit['white_point'])}")
    print(f"{fit['pixels_fitted']} pixels fitted of {fit['pixels_sampled']} sampled, gates:")
    print({gate: n for gate, n in fit.items() if gate.startswith("gate_") and n})
    for stain in result["endmember"].values:
        print(f"{stain}: {fit[f'angle_to_reference_{stain}']:.1f} degrees from the published vector")
    print(f"relative error {result.attrs['relative_error']:.3f}")

    unmix.write(result, folder, overwrite=True)
    for stain in result["endmember"].values:
        imsave(Path(folder) / f"{stain}_only.png", stain_picture(result, str(stain)), check_contrast=False)
    lab = stain_set_of(result, "our lab")
    (Path(folder) / "our_lab.json").write_text(stain_set_to_json(lab), encoding="utf-8")
    print("for QuPath:", stain_set_to_qupath(lab))
    return str(result.attrs["stain_flag"])


if __name__ == "__main__":
    main(*sys.argv[1:])
