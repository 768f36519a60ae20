"""unmix: which pure spectra or stains are mixed in an image, and how much of each is in every pixel."""

import lazy_loader as _lazy

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submodules=[
        "batch",
        "dye_references",
        "engines",
        "errors",
        "measure",
        "metrics",
        "nmf",
        "normalise",
        "stain_vectors",
        "synthetic",
    ],
    submod_attrs={
        "image": ["as_image"],
        "options": ["Options"],
        "pipeline": ["unmix", "separate_stains", "find_endmembers", "map_abundances"],
        "rank": ["estimate_rank"],
        "library_names": ["name_endmembers"],
        "nmf.estimator": ["SeparableNMF"],
        "readers": ["read", "open_result"],
        "readers.libraries": ["read_library"],
        "materials.library": ["SpectralLibrary"],
        "writers": ["write"],
    },
)
