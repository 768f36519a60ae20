"""Threads take short turns as long as anybody wants them to, however those overlap."""

from __future__ import annotations

import sys
import threading

import pytest

from unmix.viewer.turns import short_turns


def test_turns_are_short_until_the_last_has_left():
    usual = sys.getswitchinterval()
    inside, leave = threading.Event(), threading.Event()

    def other():
        with short_turns():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with short_turns():
        thread.start()
        assert inside.wait(10)
        assert sys.getswitchinterval() < usual
    assert sys.getswitchinterval() < usual
    leave.set()
    thread.join()
    assert sys.getswitchinterval() == usual


def test_turns_are_as_they_were_after_an_error():
    usual = sys.getswitchinterval()
    with pytest.raises(ValueError, match="wrong"), short_turns():
        raise ValueError("wrong")
    assert sys.getswitchinterval() == usual
