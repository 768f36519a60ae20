"""Scenes, slides and stacks whose answer is known: for tests, examples, samples and benchmarks.

Every maker returns a `Scene`: an unmix image and the truth it was made from. The same seed gives the same scene.
"""

from .coast import COAST_MATERIALS, coast_scene
from .lambda_stacks import DYES, Dye, lambda_stack
from .reflectance import MATERIALS, material_spectrum
from .scenes import hyperspectral_scene, separable_scene
from .slides import ARTEFACTS, STAIN_VECTORS, stained_slide
from .truth import Scene

__all__ = [
    "ARTEFACTS",
    "COAST_MATERIALS",
    "DYES",
    "MATERIALS",
    "STAIN_VECTORS",
    "Dye",
    "Scene",
    "coast_scene",
    "hyperspectral_scene",
    "lambda_stack",
    "material_spectrum",
    "separable_scene",
    "stained_slide",
]
