"""What every test shares: the folder of real images, and no GUI test without a display."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("unmix", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unmix")

NO_DISPLAY = "CI=true and no display: GUI tests must run. Use xvfb-run (make test does)."
GUI_FIXTURES = {"make_napari_viewer", "make_napari_viewer_proxy", "qtbot", "qapp"}


def has_display() -> bool:
    known = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(known) or not sys.platform.startswith("linux")


def pytest_configure(config: pytest.Config) -> None:
    """Refuse at once, and clearly, where windows cannot open."""
    if hasattr(config, "workerinput"):
        return
    if config.getoption("numprocesses", default=None) and os.environ.get("CI") == "true" and not has_display():
        raise pytest.UsageError(NO_DISPLAY)  # a worker that refuses says so less clearly


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Deal tests out to processes by file, all windows to one of them: they would take the focus from each other."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "tests/viewer" if nodeid.startswith("tests/viewer/") else super()._split_scope(nodeid)

    return ByFile(config, log)


def pytest_report_header() -> str:
    folder = os.environ.get("UNMIX_TEST_DATA")
    return (
        f"real images: {folder}"
        if folder
        else "real images: UNMIX_TEST_DATA is not set, tests marked realdata are skipped"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep Qt from aborting the whole run where there is no display; with CI=true that is a failure, not a skip."""
    if has_display():
        return
    for item in items:
        if GUI_FIXTURES & set(getattr(item, "fixturenames", ())) or item.get_closest_marker("gui"):
            if os.environ.get("CI") == "true":
                raise pytest.UsageError(NO_DISPLAY)
            item.add_marker(pytest.mark.skip(reason="needs a display (make test uses Xvfb)"))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real images, or skip visibly where there is none."""
    folder = os.environ.get("UNMIX_TEST_DATA")
    if not folder:
        pytest.skip("UNMIX_TEST_DATA is not set")
    path = Path(folder)
    if not path.is_dir():
        pytest.fail(f"UNMIX_TEST_DATA={folder} is not a folder")
    return path


@pytest.fixture(scope="session")
def root() -> Path:
    """Return the repository's root."""
    return Path(__file__).resolve().parents[1]
