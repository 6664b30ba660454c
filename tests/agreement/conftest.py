"""Fixtures of tests of agreement: served scenes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import numpy as np
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from tests.agreement.scenes_served import Served
from tests.scenes import Scene, write_scene

STYLE = """
title: Number as grey
range: [-0.08, 0.92]
ramp: {-0.08: "#000000", 0.92: "#fafafa"}
"""
CONFIGURATION = """
collections:
  made:
    source: {kind: KIND, href: HREF}
    variables: {NDVI: {layer: NDVI, styles: [numbers]}}
"""
SOURCES = {
    "cog": ("cog", "'NDVI_*.tif', time_pattern: '_(?P<time>\\d{8})'"),
    "zarr": ("zarr", "made.zarr"),
    "zarr-zip": ("zarr", "made.zarr.zip"),
    "netcdf": ("netcdf", "made.nc"),
}


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., Served]]:
    """Return `serve(scene, kind)`, which writes and serves a scene."""
    with ExitStack() as stack:

        def make(scene: Scene, kind: str = "zarr-v3") -> Served:
            write_scene(kind, tmp_path, scene)
            source, href = SOURCES[kind if kind in SOURCES else kind.rpartition("-")[0]]
            (tmp_path / "styles").mkdir()
            (tmp_path / "styles" / "numbers.yaml").write_text(STYLE)
            configuration = tmp_path / "chronotile.yaml"
            configuration.write_text(CONFIGURATION.replace("KIND", source).replace("HREF", href))
            archive = open_archive(configuration, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
            return Served(scene, stack.enter_context(TestClient(application(archive.services))))

        yield make
