"""Maps of slides that are kept on disk while a run goes on, as 16-bit codes."""

PER_UNIT = 1024
"""Code of a concentration of one: codes are 0.001 apart, a quarter of what one step of 8-bit light can tell."""

INVALID_CODE, LARGEST_CODE = 65535, 65534
