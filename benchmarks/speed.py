"""Every timing in one run, printed and written to results.md beside this file with machine, versions and date.

    make bench                          # in an environment of its own, with the peers of peers.txt

Takes under ten minutes on two cores, and wants the machine for itself.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import abundances
import anchors
import growth
import processes
import refinement
import writing
from measuring import machine

RESULTS = Path(__file__).with_name("results.md")
NOTE = """Written by `make bench`. Times are medians of runs taken in turn, warm; ratios are what to read.

What to know when comparing: scipy's `nnls` was Fortran until 1.11, Python from 1.12 to 1.15 and is C since 1.16. At 200
bands and r = 6 they take 16, 81 to 271, and 14 us a pixel (processor time, one run of seven versions on one machine):
"times scipy" means little without the version. And no solver is faster than reading its data: two threads need about
0.02 us a pixel for 200 float32 bands, so that nothing can be much more than 500 times as fast as today's scipy."""


def main() -> None:
    """Run everything."""
    warnings.simplefilter("ignore")
    parts = ["# Speed\n", NOTE + "\n", "".join(f"- {line}\n" for line in machine())]
    for module in (processes, abundances, anchors, refinement, growth, writing):
        for table in module.tables():
            parts.append(table.markdown())
            print(parts[-1], flush=True)
    RESULTS.write_text("\n".join(parts), encoding="utf-8")


if __name__ == "__main__":
    main()
