"""Times as products write them, in one form: UTC, ISO 8601 with a Z."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FRACTION = re.compile(r"\.(\d{1,6})\d*")


def utc_time(text: str | None) -> str | None:
    """Return a date and time as ``2023-03-16T04:51:33Z``; None where the text is none.

    Times without an offset are UTC, as satellites count them.

    Examples
    --------
    >>> from unmix.readers.times import utc_time
    >>> utc_time("2022-03-11T03:47:12.6543210Z"), utc_time("yesterday")
    ('2022-03-11T03:47:12Z', None)
    """
    plain = _FRACTION.sub(lambda found: "." + found[1].ljust(6, "0"), (text or "").strip())
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
