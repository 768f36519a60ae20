"""The batch: what is done, skipped, done again and kept; crashes at every step end in the same outputs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

import unmix
from unmix.batch import Event, Interrupted, Policy, Recipe, plan_batch, run_batch
from unmix.batch import run as run_module
from unmix.batch.sources import Item
from unmix.batch.work import Outcome, Task, do_item
from unmix.errors import OptionError, UnmixWarning, WriteError

from .conftest import RECIPE, save_scene


def reasons(scenes: Path, out: Path, recipe: Recipe = RECIPE, **policy: Any) -> dict[str, str]:
    return {one.item.name: one.why for one in plan_batch([scenes], out, recipe, Policy(**policy))}


def test_every_item_is_what_unmix_gives_and_is_skipped_the_next_time(scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out put"
    first = run_batch([scenes], out, RECIPE)
    assert (first.n_done, first.n_skipped, first.failures, first.n_left) == (3, 0, (), 0)
    alone = unmix.unmix(scenes / "east" / "c d.npy", 3, quantity="reflectance")
    (path,) = unmix.write(alone, tmp_path / "alone.tif")
    assert (out / "east" / "c d" / "abundances.tif").read_bytes() == path.read_bytes()
    stamps = {path: path.stat().st_mtime_ns for path in out.rglob("*.tif")}
    again = run_batch([scenes], out, RECIPE)
    assert (again.n_done, again.n_skipped) == (0, 3)
    assert stamps == {path: path.stat().st_mtime_ns for path in out.rglob("*.tif")}
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", "east", "manifest.jsonl"]


def test_the_manifest_says_what_was_done(scenes: Path, tmp_path: Path) -> None:
    import hashlib

    run_batch([scenes], tmp_path / "out", RECIPE)
    run, first, *_ = (json.loads(line) for line in (tmp_path / "out" / "manifest.jsonl").read_text().splitlines())
    assert run["manifest"] == 1
    assert run["configuration"] == first["configuration"] == RECIPE.digest()
    assert run["recipe"]["n_endmembers"] == 3
    assert (first["item"], first["state"]) == ("a", "ok")
    assert first["input"][0]["sha256"] == hashlib.sha256((scenes / "a.npy").read_bytes()).hexdigest()
    table = (tmp_path / "out" / "a" / "endmembers.csv").read_bytes()
    assert first["outputs"]["endmembers.csv"] == {"bytes": len(table), "sha256": hashlib.sha256(table).hexdigest()}


def test_only_what_changed_is_done_again(scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert set(reasons(scenes, out).values()) == {"new"}
    run_batch([scenes], out, RECIPE)
    assert set(reasons(scenes, out).values()) == {""}
    assert set(reasons(scenes, out, replace(RECIPE, options={"threads": 1, "quantity": "reflectance"})).values()) == {
        ""
    }
    assert set(reasons(scenes, out, replace(RECIPE, n_endmembers=2)).values()) == {"done with other settings"}
    assert set(reasons(scenes, out, again="all").values()) == {"asked for again"}
    os.utime(scenes / "a.npy", (1, 1))
    assert reasons(scenes, out)["a"] == ""
    assert reasons(scenes, out, content=False)["a"] == "input changed"
    content = bytearray((scenes / "a.npy").read_bytes())
    content[-1] ^= 1
    (scenes / "a.npy").write_bytes(content)
    table = out / "b" / "endmembers.csv"
    table.write_bytes(table.read_bytes().replace(b"band", b"bond"))
    shutil.rmtree(out / "east")
    assert reasons(scenes, out) == {
        "a": "input changed", "b": "outputs missing or changed", "east/c d": "outputs missing or changed"
    }  # fmt: skip


def test_a_failing_item_harms_no_other_and_can_be_tried_again(scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    good = (scenes / "b.npy").read_bytes()
    (scenes / "b.npy").write_bytes(good[:100])
    first = run_batch([scenes], out, RECIPE)
    assert (first.n_done, [failure.path for failure in first.failures]) == (2, [str(scenes / "b.npy")])
    assert "b.npy" in first.failures[0].reason
    assert not (out / "b").exists()
    assert reasons(scenes, out) == {"a": "", "b": "failed before", "east/c d": ""}
    (scenes / "b.npy").write_bytes(good)
    shutil.rmtree(out / "a")
    failed_only = run_batch([scenes], out, RECIPE, Policy(again="failed"))
    assert (failed_only.n_done, failed_only.failures) == (1, ())
    assert reasons(scenes, out) == {"a": "outputs missing or changed", "b": "", "east/c d": ""}


def test_it_stops_after_so_many_failures(scenes: Path, tmp_path: Path) -> None:
    (scenes / "a.npy").write_bytes(b"")
    summary = run_batch([scenes], tmp_path / "out", RECIPE, Policy(max_failures=1))
    assert (summary.n_done, len(summary.failures), summary.n_left) == (0, 1, 2)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_item_is_written_by_as_many_threads_as_it_is_solved_by(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """One of many workers on a machine would otherwise take all of its cores."""
    seen: set[int] = set()

    def watched(work: Callable[[Any], Any], items: Any, n: int) -> list[Any]:
        seen.add(n)
        return [work(item) for item in items]

    monkeypatch.setattr("unmix.writers.stored_pieces.side_by_side", watched)
    run_batch([scenes], tmp_path / "out", replace(RECIPE, options={**RECIPE.options, "threads": threads}))
    assert seen == {threads}


def test_an_unexpected_error_is_the_item_s_own(scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("unmix.batch.work.unmix", broken)
    summary = run_batch([scenes], tmp_path / "out", RECIPE)
    assert [failure.reason for failure in summary.failures] == ["unexpected ZeroDivisionError: two lines"] * 3
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["manifest.jsonl"]


def test_a_folder_the_manifest_does_not_know_is_never_replaced(scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "a").mkdir(parents=True)
    (out / "a" / "thesis.txt").write_text("years of work")
    with pytest.raises(OptionError, match="the manifest does not know it"):
        run_batch([scenes], out, RECIPE)
    assert (out / "a" / "thesis.txt").exists()
    assert run_batch([scenes], out, RECIPE, Policy(again="all")).n_done == 3


def test_an_input_that_changes_while_it_is_read_fails(
    scenes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def touching(*arguments: Any, **keywords: Any) -> Any:
        result = unmix.unmix(*arguments, **keywords)
        os.utime(scenes / "a.npy", (1, 1))
        return result

    monkeypatch.setattr("unmix.batch.work.unmix", touching)
    summary = run_batch([scenes / "a.npy"], tmp_path / "out", RECIPE)
    assert "changed while it was worked on" in summary.failures[0].reason


def test_an_unwritable_folder_is_refused_before_anything_is_read(scenes: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteError):
        run_batch([scenes], tmp_path / "file" / "out", RECIPE)


def test_events_count_items_and_bytes(scenes: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    run_batch([scenes], tmp_path / "out", RECIPE, watch=events.append)
    ended = [event for event in events if event.kind == "done"]
    assert [event.ended for event in ended] == [1, 2, 3]
    assert all(event.to_do == 3 for event in ended)
    assert ended[-1].bytes_done == ended[-1].bytes_to_do == sum(path.stat().st_size for path in scenes.rglob("*.npy"))


def test_known_endmembers_are_used_for_every_item(scenes: Path, tmp_path: Path) -> None:
    known = unmix.find_endmembers(scenes / "a.npy", 3, quantity="reflectance")
    run_batch([scenes], tmp_path / "out", replace(RECIPE, n_endmembers=None, endmembers=known))
    tables = {path.read_bytes() for path in (tmp_path / "out").rglob("endmembers.csv")}
    assert len(tables) == 1


def test_one_fit_for_all_is_kept_and_made_again_when_an_input_is_new(scenes: Path, tmp_path: Path) -> None:
    out, recipe = tmp_path / "out", replace(RECIPE, endmembers="shared")
    run_batch([scenes], out, recipe)
    kept = (out / "shared_endmembers" / "endmembers.nc").read_bytes()
    assert len({path.read_bytes() for path in out.rglob("endmembers.csv")}) == 1
    assert run_batch([scenes], out, recipe).n_skipped == 3
    assert (out / "shared_endmembers" / "endmembers.nc").read_bytes() == kept
    assert set(reasons(scenes, out, recipe).values()) == {""}
    save_scene(scenes / "d.npy", 7)
    (scenes / "broken.npy").write_bytes(b"")
    with pytest.warns(UnmixWarning, match="left out of the shared fit"):
        summary = run_batch([scenes], out, recipe)
    assert (summary.n_done, len(summary.failures)) == (4, 1)


def test_stains_of_a_cohort_are_shared(tmp_path: Path) -> None:
    import imagecodecs

    from unmix.synthetic import stained_slide

    for seed in (1, 2):
        picture = imagecodecs.png_encode(stained_slide(seed, shape=(160, 160)).image.values)
        (tmp_path / f"slide {seed}.png").write_bytes(picture)
    recipe = Recipe(stains=("hematoxylin", "eosin"), endmembers="shared", formats=("csv", "ome_tiff"))
    summary = run_batch([tmp_path / "*.png"], tmp_path / "out", recipe)
    assert (summary.n_done, summary.failures) == (2, ())
    assert len({path.read_bytes() for path in (tmp_path / "out").rglob("endmembers.csv")}) == 1


def test_every_item_has_its_own_mask(scenes: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for path in (scenes / "a.npy", scenes / "b.npy"):
        np.save(
            path.with_name(f"{path.stem}_mask.npy"), np.arange(320).reshape(16, 20) % (2 if path.stem == "a" else 3)
        )
    recipe = replace(RECIPE, mask="{name}_mask.npy")
    done = run_batch([scenes], out, recipe)
    assert done.n_done == 2
    assert [(Path(one.path).stem, "c d_mask.npy: no such file" in one.reason) for one in done.failures] == [
        ("c d", True)
    ]
    for name, left in (("a", 160), ("b", 107)):
        with rasterio.open(out / name / "abundances.tif") as file:
            assert np.isnan(file.read(1)).sum() == left
    np.save(scenes / "a_mask.npy", np.ones((16, 20), bool))
    assert [(one.item.name, one.why) for one in plan_batch([scenes], out, recipe) if one.why] == [
        ("a", "input changed"),
        ("east/c d", "failed before"),
    ]
    with pytest.warns(UnmixWarning, match="left out of the shared fit: .*no such file"):
        shared = run_batch([scenes], tmp_path / "shared", replace(recipe, endmembers="shared"))
    assert (shared.n_done, len(shared.failures)) == (2, 1)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"options": {"threds": 2}}, "threads"),
        ({"reading": {"lvl": 2}}, "not an argument of reading"),
        ({"stains": "H-DAB", "n_endmembers": 2}, "leave n_endmembers out"),
        ({"known": "water"}, "library"),
        ({"endmembers": "own"}, "'shared'"),
        ({"mask": "mask.tif"}, "{name}_mask.tif"),
        ({"mask": "{name}.tif", "stains": "H-DAB", "endmembers": "shared"}, "leave out mask="),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(keywords: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        Recipe(**keywords)


class Crash(BaseException):
    """The process ends here."""


def fake_item(task: Task, progress: Any = None) -> Outcome:
    """Write what `do_item` would, quickly: the content follows from the input."""
    waiting = task.out / f"{task.item.name}.1.{os.urandom(4).hex()}.partial"
    waiting.mkdir()
    (waiting / "map").write_bytes(task.item.path.read_bytes()[::-1])
    from unmix.batch.fingerprint import fingerprints, output_record

    facts = {"input": [one.as_dict() for one in fingerprints(task.item.inputs, content=True)]}
    return Outcome(waiting, facts=facts | {"outputs": output_record(waiting)})


def crashing(function: Callable[..., Any], after: list[int]) -> Callable[..., Any]:
    def call(*arguments: Any, **keywords: Any) -> Any:
        after[0] -= 1
        if after[0] == 0:
            raise Crash
        return function(*arguments, **keywords)

    return call


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.integers(1, 40), min_size=1, max_size=4), changed=st.sampled_from(["", "a", "b"]))
def test_crashes_at_any_step_end_like_an_undisturbed_run(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], changed: str
) -> None:
    folder = tmp_path_factory.mktemp("b")
    for name in "abc":
        (folder / f"{name}.npy").write_bytes(name.encode() * 5)
    out = folder / "out"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(run_module, "do_item", fake_item)
        for k, step in enumerate(steps):
            after = [step]
            with pytest.MonkeyPatch.context() as crash:
                for name in ("rename", "fsync", "replace", "unlink", "truncate", "scandir"):
                    crash.setattr(os, name, crashing(getattr(os, name), after))
                crash.setattr(run_module, "sweep", lambda out: 0)  # a crash does not tidy up
                try:
                    run_batch([folder / "*.npy"], out, RECIPE)
                except Crash:
                    nothing_half_made(out)
            if k == 0 and changed:
                (folder / f"{changed}.npy").write_bytes(b"other")
        summary = run_batch([folder / "*.npy"], out, RECIPE)
    assert (summary.n_left, summary.failures) == (0, ())
    for name in "abc":
        assert (out / name / "map").read_bytes() == (folder / f"{name}.npy").read_bytes()[::-1]
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", "c", "manifest.jsonl"]


def nothing_half_made(out: Path) -> None:
    for name in "abc":
        if (out / name).exists():
            assert [path.name for path in (out / name).iterdir()] == ["map"]


def test_ctrl_c_drops_the_item_in_work_and_keeps_the_others(scenes: Path, tmp_path: Path) -> None:
    import signal

    before = signal.getsignal(signal.SIGINT)

    def interrupt(event: Event) -> None:
        if event.kind == "stage" and event.name == "b":
            signal.raise_signal(signal.SIGINT)

    out = tmp_path / "out"
    with pytest.raises(Interrupted) as caught:
        run_batch([scenes], out, RECIPE, watch=interrupt)
    assert caught.value.signal == signal.SIGINT
    assert (caught.value.summary.n_done, caught.value.summary.n_left) == (1, 2)
    assert sorted(path.name for path in out.iterdir()) == ["a", "manifest.jsonl"]
    assert signal.getsignal(signal.SIGINT) is before
    assert run_batch([scenes], out, RECIPE).n_done == 2


def test_a_task_is_small_and_carries_no_pixels(scenes: Path, tmp_path: Path) -> None:
    from distributed.protocol.pickle import dumps, loads

    task = Task(Item("a", scenes / "a.npy"), RECIPE, tmp_path)
    assert len(dumps(task)) < 2_000
    outcome = do_item(loads(dumps(task)))
    assert outcome.folder is not None
    assert len(dumps(outcome)) < 4_000
    assert np.isfinite(outcome.facts["relative_error"])


def test_options_of_reading_are_those_of_a_single_run(tmp_path: Path) -> None:
    """Water bands, bands and scale: the same maps as `unmix` gives by itself, and recorded as it records them."""
    rng = np.random.default_rng(0)
    nm = np.linspace(1000, 2400, 15)
    values = 1000 * rng.dirichlet([0.3] * 3, (20, 20)) @ rng.random((3, 15))
    profile = {"driver": "GTiff", "dtype": "float32", "count": 15, "height": 20, "width": 20, "crs": "EPSG:32611"}
    with rasterio.open(tmp_path / "a.tif", "w", transform=rasterio.Affine(30, 0, 4e5, 0, -30, 4e6), **profile) as file:
        file.write(values.transpose(2, 0, 1).astype("f4"))
        for band, wavelength in enumerate(nm, 1):
            file.update_tags(band, wavelength=str(wavelength), wavelength_units="nm")
    options = {"quantity": "reflectance", "scale": 1000, "water_bands": "keep", "exclude": [(2250, 2300)]}
    run_batch([tmp_path / "a.tif"], tmp_path / "out", replace(RECIPE, options=options))
    alone = unmix.unmix(tmp_path / "a.tif", 3, **options)
    found = json.loads((tmp_path / "out/manifest.jsonl").read_text().splitlines()[1])
    assert found["warnings"] == []
    with rasterio.open(tmp_path / "out/a/abundances.tif") as file:
        np.testing.assert_array_equal(file.read(), alone["abundances"].values)
        told = json.loads(file.tags()["unmix_options"])
    asked = json.loads(alone.attrs["provenance"])["options"]
    assert {name: told[name] for name in ("water_bands", "exclude", "quantity")} == {
        name: asked[name] for name in ("water_bands", "exclude", "quantity")
    }
