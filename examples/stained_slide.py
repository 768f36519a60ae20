"""A stained slide: separate hematoxylin and eosin, and ask how sure the separation is."""

import json

import unmix
from unmix.samples import sample_path


def main(folder: str = "tissue_stains") -> float:
    """Separate the stains of the tissue sample into `folder` and return the relative error."""
    result = unmix.separate_stains(sample_path("tissue_he"), stains=("hematoxylin", "eosin"))
    hematoxylin = result["abundances"].sel(endmember="hematoxylin")
    print(f"mean hematoxylin, log10 optical density: {float(hematoxylin.mean()) / 2.302585:.3f}")

    fit = json.loads(result.attrs["provenance"])["fit"]
    print(f"white point {fit['white_point']}, smallest angle {result.attrs['smallest_angle']:.1f} degrees")
    print(f"relative error {result.attrs['relative_error']:.3f}")
    unmix.write(result, folder, overwrite=True)
    return float(result.attrs["relative_error"])


if __name__ == "__main__":
    main()
