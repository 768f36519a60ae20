"""A file is complete under its name or not there at all, whatever goes wrong on the way."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from unmix.errors import OptionError, WriteError
from unmix.writers import commit as module
from unmix.writers.commit import check_outputs, commit, commit_bytes, temporary_name


def fill(temporary: Path) -> int:
    return temporary.write_bytes(b"new")


def nothing_differs(temporary: Path, written: int) -> str:
    return "" if temporary.stat().st_size == written else "size"


def test_a_file_is_written_and_its_folders_are_made(tmp_path):
    path = tmp_path / "with space" / "and ünïcode 水" / "-note.txt"
    assert commit(path, fill, nothing_differs) == path
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == [path.name]


def test_the_check_sees_a_synced_file_beside_the_final_name(tmp_path, monkeypatch):
    events = []
    sync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda handle: (events.append("fsync"), sync(handle)))
    monkeypatch.setattr(os, "replace", lambda a, b: (events.append("replace"), replace(a, b)))

    def check(temporary: Path, written: int) -> str:
        events.append("check")
        assert temporary.parent == tmp_path
        assert temporary.name.startswith("note.txt.")
        assert temporary.name.endswith(".partial")
        assert not (tmp_path / "note.txt").exists()
        return ""

    commit(tmp_path / "note.txt", fill, check)
    assert events == ["fsync", "check", "replace", "fsync"]


def broken_fill(temporary: Path) -> int:
    temporary.write_bytes(b"half")
    Path(f"{temporary}.aux.xml").write_text("sidecar")
    raise OSError(errno.EIO, "Input/output error")


def interrupted_fill(temporary: Path) -> int:
    temporary.write_bytes(b"half")
    raise KeyboardInterrupt


def broken_check(temporary: Path, written: int) -> str:
    raise RuntimeError("cannot\nopen it")


def raising(error: BaseException):
    def fail(*arguments: object) -> None:
        raise error

    return fail


STAGES = {
    "fill": ({"fill": broken_fill}, {}, WriteError),
    "interrupted fill": ({"fill": interrupted_fill}, {}, KeyboardInterrupt),
    "sync": ({}, {"fsync": raising(OSError(errno.EIO, "bad disk"))}, WriteError),
    "interrupted sync": ({}, {"fsync": raising(KeyboardInterrupt())}, KeyboardInterrupt),
    "check raises": ({"differences": broken_check}, {}, WriteError),
    "check finds a difference": ({"differences": lambda path, written: "values"}, {}, WriteError),
    "interrupted check": ({"differences": raising(KeyboardInterrupt())}, {}, KeyboardInterrupt),
    "rename": ({}, {"replace": raising(OSError(errno.EXDEV, "cross-device"))}, WriteError),
    "interrupted rename": ({}, {"replace": raising(KeyboardInterrupt())}, KeyboardInterrupt),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("existing", [False, True])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, stage, existing):
    steps, system, expected = STAGES[stage]
    path = tmp_path / "note.txt"
    if existing:
        path.write_bytes(b"old")
    for name, broken in system.items():
        monkeypatch.setattr(os, name, broken)
    with pytest.raises(expected) as caught:
        commit(path, steps.get("fill", fill), steps.get("differences", nothing_differs), overwrite=True)
    monkeypatch.undo()
    assert os.listdir(tmp_path) == (["note.txt"] if existing else [])
    if existing:
        assert path.read_bytes() == b"old"
    if expected is WriteError:
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_an_existing_file_is_refused_before_anything_is_called(tmp_path):
    path = tmp_path / "note.txt"
    path.write_bytes(b"old")
    with pytest.raises(WriteError, match=r"note\.txt exists\. .*overwrite=True"):
        commit(path, raising(AssertionError("called")), nothing_differs)
    assert path.read_bytes() == b"old"
    assert commit(path, fill, nothing_differs, overwrite=True).read_bytes() == b"new"


def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "note.txt"

    def slow(temporary: Path) -> int:
        path.write_bytes(b"theirs")
        return fill(temporary)

    with pytest.raises(WriteError, match="exists"):
        commit(path, slow, nothing_differs)
    assert path.read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["note.txt"]


@pytest.mark.parametrize("dangling", [False, True])
def test_a_symbolic_link_is_refused_even_with_overwrite(tmp_path, dangling):
    target = tmp_path / "target.txt"
    if not dangling:
        target.write_bytes(b"old")
    link = tmp_path / "note.txt"
    link.symlink_to(target)
    with pytest.raises(WriteError, match="symbolic link"):
        commit(link, fill, nothing_differs, overwrite=True)
    assert target.exists() is not dangling


def test_the_input_is_never_written_over(tmp_path):
    source = tmp_path / "scene.tif"
    source.write_bytes(b"input")
    hard_link = tmp_path / "again.tif"
    os.link(source, hard_link)
    for path in (source, tmp_path / "." / "scene.tif", hard_link):
        with pytest.raises(WriteError, match="is the input itself"):
            commit(path, fill, nothing_differs, overwrite=True, source=source)
    assert source.read_bytes() == b"input"


def test_a_folder_is_not_written_over(tmp_path):
    (tmp_path / "note.txt").mkdir()
    with pytest.raises(WriteError, match="is not a file"):
        commit(tmp_path / "note.txt", fill, nothing_differs, overwrite=True)


def test_a_path_below_a_file_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(WriteError, match="is a file, not a folder"):
        check_outputs([tmp_path / "file" / "deeper" / "note.txt"])


def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(WriteError, match=r"may not be written to .*Choose another folder"):
        check_outputs([tmp_path / "note.txt"])


def test_a_folder_the_system_owns_is_refused(tmp_path):
    if not Path("/proc/1").exists():
        pytest.skip("no /proc here")
    with pytest.raises(WriteError, match=r"^/proc/.*note\.txt"):
        commit(Path("/proc/unmix/note.txt"), fill, nothing_differs)


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left"), OSError(errno.EDQUOT, "quota"), RuntimeError("Write failed")]
)
def test_a_full_disk_is_named_with_the_space_left(tmp_path, monkeypatch, error):
    monkeypatch.setattr(module, "_free_bytes", lambda path: 300_000)
    with pytest.raises(WriteError, match=r"no space left on the disk \(0\.3 MB free\)\. Free some"):
        commit(tmp_path / "note.txt", raising(error), nothing_differs)
    assert os.listdir(tmp_path) == []


def test_a_failed_write_with_space_left_gives_the_reason(tmp_path):
    with pytest.raises(WriteError, match=r"note\.txt could not be written: Unknown GDAL Error"):
        commit(tmp_path / "note.txt", raising(SystemError("Unknown\nGDAL Error")), nothing_differs)


@pytest.mark.parametrize("letter", ["a", "é", "水"])
def test_the_longest_name_a_disk_takes_can_be_written(tmp_path, letter):
    size = len(letter.encode())
    name = letter * ((255 - 4) // size) + ".txt"
    assert 250 < len(name.encode()) <= 255
    assert len(os.fsencode(temporary_name(tmp_path / name).name)) <= 255
    assert commit(tmp_path / name, fill, nothing_differs).read_bytes() == b"new"
    with pytest.raises(WriteError, match="at most 255"):
        commit(tmp_path / (letter * 3 + name), fill, nothing_differs)


@pytest.mark.parametrize("path", ["/vsimem/x.tif", "https://host/x.tif", "s3://bucket/x.nc", "a\0b", ""])
def test_what_is_not_a_local_file_is_refused(path):
    with pytest.raises(OptionError):
        commit(path, fill, nothing_differs)


def test_bytes_that_do_not_read_back_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "read_bytes", lambda self: b"other")
    with pytest.raises(WriteError, match=r"values did not read back as written"):
        commit_bytes(tmp_path / "note.txt", b"mine")
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_synced_does_not_matter(tmp_path, monkeypatch):
    opened = os.open

    def refuse_folders(path, flags, *mode):
        if os.path.isdir(path):
            raise OSError(errno.EINVAL, "not here")
        return opened(path, flags, *mode)

    monkeypatch.setattr(os, "open", refuse_folders)
    assert commit_bytes(tmp_path / "note.txt", b"mine").read_bytes() == b"mine"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_killed_writer_leaves_no_file_under_the_final_name(tmp_path):
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from unmix.writers.commit import commit\n"
        "def fill(p):\n"
        "    p.write_bytes(b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "commit(Path(sys.argv[1]), fill, lambda p, n: '')\n"
    )
    path = tmp_path / "note.txt"
    finished = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert finished.returncode == -9
    assert not path.exists()
    assert commit(path, fill, nothing_differs).read_bytes() == b"new"
