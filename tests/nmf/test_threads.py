"""Work side by side: in order, with an error that stops it, from several callers at once, and after a fork."""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from unmix.nmf.threads import at_most_threads, each, over_rows, side_by_side, thread_count


@pytest.mark.parametrize("threads", [1, 2, 7])
@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_results_come_in_the_order_of_the_items(n: int, threads: int) -> None:
    assert side_by_side(lambda item: -item, range(n), threads) == [-item for item in range(n)]
    assert each(str, (item for item in range(n)), threads) == [str(item) for item in range(n)]


@pytest.mark.parametrize(("n", "least"), [(100, 200), (100, 10), (1001, 1), (0, 5)])
def test_spans_cover_every_row_once(n: int, least: int) -> None:
    seen = np.zeros(n, np.int64)
    sizes = []

    def visit(rows: slice) -> None:
        seen[rows] += 1
        sizes.append(rows.stop - rows.start)

    over_rows(visit, n, 3, least)
    assert (seen == 1).all()
    assert len(sizes) == 1 or min(sizes) >= least


@pytest.mark.parametrize("wrong", [0, 3])
def test_an_error_comes_out_and_nothing_more_is_begun(wrong: int) -> None:
    begun = []

    def work(item: int) -> None:
        begun.append(item)
        if item == wrong:
            raise ValueError(item)
        time.sleep(0.01)

    with pytest.raises(ValueError, match=str(wrong)):
        side_by_side(work, range(100), 2)
    assert len(begun) < 20
    time.sleep(0.03)
    assert len(begun) < 20


def test_an_error_of_another_thread_comes_out_too() -> None:
    caller, both = threading.get_ident(), threading.Barrier(2, timeout=20)

    def work(_: int) -> None:
        both.wait()
        if threading.get_ident() != caller:
            raise KeyError("elsewhere")

    with pytest.raises(KeyError, match="elsewhere"):
        side_by_side(work, range(2), 2)


def test_callers_wait_for_no_thread_that_another_holds() -> None:
    def nested(item: int) -> list[int]:
        return side_by_side(lambda other: item * other, range(5), 4)

    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda k: side_by_side(nested, range(6), 4), range(16)))
    assert answers == [[[i * j for j in range(5)] for i in range(6)]] * 16


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_process_has_threads_of_its_own() -> None:
    side_by_side(time.sleep, [0.001] * 4, 2)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=_answer_from_two_threads, args=(answers,))
    child.start()
    child.join(30)
    assert child.exitcode == 0
    assert answers.get() == 2


def _answer_from_two_threads(answers: multiprocessing.SimpleQueue) -> None:  # type: ignore[type-arg]
    both = threading.Barrier(2, timeout=20)

    def work(_: int) -> int:
        both.wait()
        return threading.get_ident()

    answers.put(len(set(side_by_side(work, range(2), 2))))


def test_only_work_that_is_not_told_how_many_threads_is_held_to_some() -> None:
    cores = thread_count(None)
    with at_most_threads(1):
        assert (thread_count(None), thread_count(3)) == (1, 3)
        with at_most_threads(None):
            assert thread_count(None) == cores
    assert thread_count(None) == cores
