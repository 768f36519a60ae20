"""A window with the panel docked in it, as the plugin does."""

from __future__ import annotations

import pytest


@pytest.fixture
def plugin(npe2pm):
    with npe2pm.tmp_plugin(package="unmix") as plugin:
        yield plugin


@pytest.fixture
def desk(make_napari_viewer, plugin):
    """Return a viewer with the panel docked by the plugin."""
    viewer = make_napari_viewer()
    _, entrance = viewer.window.add_plugin_dock_widget("unmix", "Unmix")
    return viewer, entrance.content
