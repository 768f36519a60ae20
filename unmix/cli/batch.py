"""``unmix batch``: many files, each into a folder of its own; run again, it goes on where it stopped."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from .batch_progress import told_progress
from .console import reported
from .engine import engine
from .flags import (
    Output,
    chosen_options,
    endmembers_flag,
    engine_flags,
    format_flag,
    library_flags,
    option_flags,
    source_flags,
    source_keywords,
    stain_names,
)
from .wording import flags_of_command, in_flags

_EPILOG = """Examples:

\b
  unmix batch scenes/ --endmembers 5 --out unmixed
  unmix batch "scenes/*/*_rfl.hdr" --endmembers 5 --shared-fit --out unmixed --workers 4
  unmix batch slides/*.svs --stains hematoxylin,eosin --out stains
  unmix batch --list files.txt --endmembers-from first/result.nc --out unmixed

Exit codes: 0 every item is done; 1 some failed; 2 refused because of an option, a name or the folder; 3 no item could
be done; 130 and 143 stopped by Ctrl-C or SIGTERM: run the same command again to go on.
"""


@click.command("batch", epilog=_EPILOG)
@click.argument("files", nargs=-1)
@click.option("--list", "listed", type=click.File(), help="Text file of inputs, one a line; - for standard input.")
@click.option("--out", "-o", type=Output(), required=True, help="Folder: one folder an input in it.")
@endmembers_flag
@click.option("--stains", help="Separate these stains: two or three names, or a set such as H-DAB.")
@click.option(
    "--endmembers-from",
    "given_from",
    type=click.Path(path_type=Path),
    help="A result.nc whose endmembers are used for every input.",
)
@click.option("--mask", help="What the mask of each input is called: '{name}_mask.tif' is a file beside it.")
@click.option("--shared-fit", is_flag=True, help="Find the endmembers once, in a sample of all inputs.")
@library_flags
@format_flag
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and why.")
@click.option("--retry-failed", is_flag=True, help="Only what failed before.")
@click.option("--force", is_flag=True, help="Do everything again, and replace folders the manifest does not know.")
@click.option("--fail-fast", is_flag=True, help="Stop at the first failure.")
@click.option("--max-failures", type=click.IntRange(1), help="Stop after so many failures.")
@click.option("--fast", is_flag=True, help="Know files again by size and time of change instead of by their SHA-256.")
@engine_flags
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@source_flags
@option_flags("run", "stains")
def command(files: tuple[str, ...], listed: Any, out: Path, dry_run: bool, debug: bool, **given: Any) -> None:
    """Unmix many FILES: files, folders and patterns in quotes. What an earlier run has done is verified and skipped."""
    _refuse_what_contradicts(given)
    with reported("batch", debug, code=2):
        from ..batch import plan_batch, read_list

        sources = [*files, *(read_list(listed) if listed is not None else ())]
        if not sources:
            raise click.UsageError("say which files: names, folders, patterns in quotes, or --list.")
        recipe, policy = _recipe(given), _policy(given)
        if dry_run:
            sys.exit(_say_plan(plan_batch(sources, out, recipe, policy)))
    sys.exit(_run(sources, out, recipe, policy, given, debug))


def _run(sources: list[str], out: Path, recipe: Any, policy: Any, given: dict[str, Any], debug: bool) -> int:
    """Run the batch, say what became of it, and return the exit code."""
    from ..batch import Interrupted, run_batch

    with reported("batch", debug, code=2):
        try:
            with engine(given["workers"], given["scheduler"]), told_progress() as watch:
                summary = run_batch(sources, out, recipe, policy, watch)
        except Interrupted as stopped:
            _say_summary(stopped.summary, out)
            click.echo("unmix: stopped; run the same command again to go on.", err=True)
            return 128 + stopped.signal
        _say_summary(summary, out)
    if summary.nothing_worked:
        return 3
    return 1 if summary.failures else 0


def _refuse_what_contradicts(given: dict[str, Any]) -> None:
    for pair in (
        ("retry_failed", "force"),
        ("shared_fit", "given_from"),
        ("fail_fast", "max_failures"),
        ("stains", "n_endmembers"),
        ("stains", "library"),
    ):
        if all(given[name] for name in pair):
            one, other = (flags_of_command()[name] for name in pair)
            raise click.UsageError(f"{one} and {other} contradict each other: give one of them.")
    if given["known"] is not None and given["library"] is None:
        raise click.UsageError("--known names spectra of a library: give --library too.")


def _recipe(given: dict[str, Any]) -> Any:
    from ..batch import Recipe
    from ..readers.saved_result import open_endmembers

    door, other = ("run", "stains") if given["stains"] is None else ("stains", "run")
    options = chosen_options(given, door)
    for name in chosen_options(given, other).keys() - options.keys():
        why = "needs" if door == "run" else "means nothing with"
        raise click.UsageError(f"{flags_of_command()[name]} {why} --stains.")
    shared: Any = "shared" if given["shared_fit"] else None
    if given["given_from"] is not None:
        shared = open_endmembers(given["given_from"])
    return Recipe(
        given["n_endmembers"],
        stains=None if given["stains"] is None else stain_names(given["stains"]),
        endmembers=shared,
        library=given["library"],
        known=given["known"],
        library_scale=given["library_scale"],
        mask=given["mask"],
        formats=given["formats"] or None,
        reading=source_keywords(given["key"], given["series"], given["level"], given["region"]),
        options=options,
    )


def _policy(given: dict[str, Any]) -> Any:
    from ..batch import Policy

    again = "failed" if given["retry_failed"] else "all" if given["force"] else "rest"
    most = 1 if given["fail_fast"] else given["max_failures"]
    return Policy(again, most, content=not given["fast"])


def _say_plan(planned: list[Any]) -> int:
    """Print one line an item that would be done; return the exit code."""
    to_do = [one for one in planned if one.why]
    for one in to_do:
        click.echo(f"{one.item.name}\t{one.bytes / 1e6:.1f} MB\t{one.why}")
    total = sum(one.bytes for one in to_do)
    click.echo(f"{len(to_do)} to do ({total / 1e9:.2f} GB), {len(planned) - len(to_do)} done already.", err=True)
    return 0 if planned else 3


def _say_summary(summary: Any, out: Path) -> None:
    """Print the counts and one line a failure."""
    left = f", {summary.n_left} not come to" if summary.n_left else ""
    failed = len(summary.failures)
    click.echo(f"{summary.n_done} done, {summary.n_skipped} done before, {failed} failed{left}. Outputs: {out}")
    for failure in summary.failures:
        text = in_flags(failure.reason, failure.path)
        click.echo(f"failed: {text if failure.path in text else f'{failure.path}: {text}'}")
