"""Maps of slides that are solved when they are read, and the small picture of them that is kept."""

PER_UNIT = 1024
"""What a concentration of one adds to an overview: its steps are a quarter of what one step of 8-bit light can tell."""

LARGEST_NUMBER = 65535
"""The most that one pixel adds."""
