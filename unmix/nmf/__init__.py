"""Non-negative matrix factorisation: arrays in, arrays out; knows nothing of files, images or screens.

The model is X ~ A E with pixels as rows: X (n_pixels, n_bands), A abundances (n_pixels, r), E endmembers (r, n_bands).
Papers write the transpose.
"""

import lazy_loader as _lazy

__getattr__, __dir__, __all__ = _lazy.attach(
    __name__,
    submod_attrs={
        "abundances": ["solve_abundances"],
        "optimality": ["kkt_residual"],
        "poisson_abundances": ["solve_poisson_abundances"],
        "anchors": ["successive_projection", "smoothed_successive_projection"],
        "anchor_methods": ["find_anchors"],
        "n_findr": ["nfindr"],
        "preconditioned": ["preconditioned_successive_projection"],
        "snpa": ["successive_nonnegative_projection"],
        "vca": ["vertex_component_analysis"],
        "refine": ["refine", "Refinement"],
        "losses": ["BetaDivergence"],
        "terms": [
            "Sparsity",
            "RootSparsity",
            "SumToOne",
            "Anchored",
            "FixedRows",
            "SmoothBands",
            "MinimumVolume",
        ],
        "spatial_terms": ["SpatialSmoothness", "TotalVariation"],
        "joint": ["refine_jointly", "JointRefinement"],
        "symmetric": ["factorise_symmetric", "SymmetricFactorisation"],
        "estimator": ["SeparableNMF"],
    },
)
