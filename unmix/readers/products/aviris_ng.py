"""AVIRIS-NG flight lines: ENVI pairs named ``angYYYYMMDDtHHMMSS``, rotated, with -9999 where nothing was seen.

Headers of some releases leave the fill value out; the value is the same in all of them.
"""

from __future__ import annotations

import re
from pathlib import Path

from ..describe import Description
from ..envi_header import Header

_NAME = re.compile(r"^ang\d{8}t\d{6}", re.IGNORECASE)
_FILL = -9999.0


def described_as_line(described: Description, header: Header, data: Path) -> Description:
    """Return the description of an ENVI cube, with what its header leaves out where it is an AVIRIS-NG line."""
    told = header.text("description") if "description" in header else ""
    if not (_NAME.match(data.name) or "aviris-ng" in told.lower()):
        return described
    described.on_earth = True
    if described.nodata is None:
        described.nodata = _FILL
    if described.quantity is None and re.search(r"rfl|reflectance", f"{data.name} {told}", re.IGNORECASE):
        described.quantity = "reflectance"
    elif described.quantity is None and re.search(r"rdn|radiance", f"{data.name} {told}", re.IGNORECASE):
        described.quantity = "radiance"
    return described
