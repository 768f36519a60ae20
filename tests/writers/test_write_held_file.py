"""A file that goes on when the disk does not."""

from __future__ import annotations

import errno
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.writers.held_file import HeldFile

STEPS = st.one_of(
    st.tuples(st.just("write"), st.integers(0, 60), st.binary(min_size=1, max_size=20)),
    st.tuples(st.just("read"), st.integers(0, 60), st.integers(0, 30)),
    st.tuples(st.just("truncate"), st.integers(0, 70), st.just(0)),
)


def full_disk(held, written_before):
    """Let the disk take so many writes, then no more."""
    taken, write = iter(range(1000)), held._write_to_disk

    def refuse(content):
        if next(taken) >= written_before:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(content)

    held._write_to_disk = refuse


@settings(max_examples=75, deadline=None)
@given(steps=st.lists(STEPS, max_size=12), fails_at=st.integers(0, 14))
def test_it_reads_like_a_file_whether_the_disk_fails_or_not(tmp_path_factory, steps, fails_at):
    expected = io.BytesIO()
    with HeldFile(tmp_path_factory.mktemp("held") / "file") as held:
        full_disk(held, fails_at)
        for kind, position, content in steps:
            if kind == "truncate":
                size = max(position, len(expected.getvalue()))
                expected.seek(0, io.SEEK_END)
                expected.write(b"\0" * (size - expected.tell()))
                assert held.truncate(size) == size
                continue
            assert held.seek(position) == expected.seek(position)
            if kind == "write":
                assert held.write(content) == expected.write(content)
            else:
                assert held.read(content) == expected.read(content)
            assert held.tell() == expected.tell() or kind == "read"
        assert held.seek(0, io.SEEK_END) == len(expected.getvalue())
        held.seek(0)
        assert held.read() == expected.getvalue()
        n_writes = sum(kind == "write" for kind, _, _ in steps)
        assert (held.error is not None) == (n_writes > fails_at)


def test_the_first_error_is_raised_when_asked_for(tmp_path):
    with HeldFile(tmp_path / "file") as held:
        held.raise_error()
        full_disk(held, 1)
        held.write(b"one")
        held.raise_error()
        held.write(b"two")
        with pytest.raises(OSError, match="No space left") as caught:
            held.raise_error()
    assert caught.value.errno == errno.ENOSPC
    assert (tmp_path / "file").read_bytes() == b"one"


def test_what_the_disk_took_is_on_it(tmp_path):
    with HeldFile(tmp_path / "file") as held:
        held.write(b"0123456789")
        held.seek(2)
        held.write(memoryview(b"ab"))
        held.flush()
    assert (tmp_path / "file").read_bytes() == b"01ab456789"
