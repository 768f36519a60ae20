"""How many endmembers to ask for: what `unmix.estimate_rank` says of an image."""

from __future__ import annotations

from ..errors import UnmixError
from ..rank import estimate_rank
from .request import Request

_TOLD = ("quantity", "scale", "bands", "exclude")


def suggestion(request: Request) -> tuple[int | None, str]:
    """Return the number suggested for an image and why; None and the reason where there is none. Runs in a worker."""
    options = {name: value for name, value in request.options.items() if name in _TOLD}
    try:
        estimate = estimate_rank(request.image(), restarts=0, **options)
    except UnmixError as error:
        return None, str(error)
    said = f"{estimate.suggested} endmembers suggested, certainty {estimate.sure}: {estimate.reason}"
    return estimate.suggested, said
