"""What the numbers of an image can be: the physics, which decides units and the default constraint, nothing else."""

from __future__ import annotations

from .errors import OptionError

QUANTITIES = ("reflectance", "radiance", "counts", "brightfield", "optical_density", "unknown")

UNITS = {
    "reflectance": "1",
    "radiance": "radiance",
    "counts": "counts",
    "brightfield": "optical density (natural log)",
    "optical_density": "optical density",
    "unknown": "unknown",
}
"""Unit of the additive values of each quantity."""

DEFAULT_CONSTRAINT = {
    "reflectance": "shade",
    "radiance": "shade",
    "counts": "non_negative",
    "brightfield": "non_negative",
    "optical_density": "non_negative",
    "unknown": "shade",
}


def check_quantity(quantity: str | None) -> str | None:
    """Return `quantity` if it is one of the known names or None."""
    if quantity is not None and quantity not in QUANTITIES:
        raise OptionError(f"quantity={quantity!r} is not known. Use one of {', '.join(QUANTITIES)}.")
    return quantity
