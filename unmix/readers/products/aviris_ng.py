"""AVIRIS-NG flight lines: ENVI pairs named ``angYYYYMMDDtHHMMSS``, rotated, with -9999 where nothing was seen.

Headers of some releases leave the fill value out; the value is the same in all of them. A line that is not on a map has
its lookup table beside it: an ENVI pair ``angYYYYMMDDtHHMMSS..._glt`` of two bands, sample and line, counted from 1, 0
for none; negative where a cell took the nearest pixel.
"""

from __future__ import annotations

import re
from pathlib import Path

from ...errors import ReadError
from ..describe import Description
from ..envi_header import Header
from ..naming import shown

_NAME = re.compile(r"^ang\d{8}t\d{6}", re.IGNORECASE)
_TABLE = re.compile(r"_glt(\.img|\.dat)?$", re.IGNORECASE)
_FILL = -9999.0
PRODUCT = "AVIRIS-NG"


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
    if described.transform is None and table_beside(data) is not None:
        described.ground = PRODUCT
    return described


def table_beside(data: Path) -> Path | None:
    """Return the data file of the lookup table beside a flight line, None where there is none."""
    flight = _NAME.match(data.name)
    if flight is None:
        return None
    start = flight.group().lower()
    found = [
        file
        for file in sorted(data.parent.iterdir())
        if file.name.lower().startswith(start) and _TABLE.search(file.name) and file.is_file()
    ]
    if len(found) > 1:
        raise ReadError(f"{shown(data)} has several lookup tables: {', '.join(file.name for file in found[:3])}.")
    return found[0] if found else None
