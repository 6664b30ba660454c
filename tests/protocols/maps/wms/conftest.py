"""GetMap requests with changeable parameters, and OGC's test data."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.core.model.time.instants import system_clock
from tests.cite.burn import burn
from tests.protocols.maps.wms.cite import Cite

CELLS = "600000,5640000,610000,5650000"
"""The north-west corner of the data, 100 by 100 cells."""


@pytest.fixture
def get_map() -> Callable:
    """Return a function: `get_map(client, TIME="2020-06-11", STYLES=None)` requests `CELLS`; `None` omits."""

    def ask(client, *, path="/wms", headers=None, **changes):
        version = changes.get("VERSION", "1.3.0")
        valid = {
            "REQUEST": "GetMap",
            "VERSION": version,
            "LAYERS": "NDVI",
            "STYLES": "",
            "SRS" if version == "1.1.1" else "CRS": "EPSG:32631",
            "BBOX": CELLS,
            "WIDTH": "100",
            "HEIGHT": "100",
            "FORMAT": "image/png",
            "TRANSPARENT": "TRUE",
        }
        params = {name: value for name, value in {**valid, **changes}.items() if value is not None}
        return client.get(path, params=params, headers=headers)

    return ask


@pytest.fixture(scope="session")
def cite(shared: Path, validate_ogc, tmp_path_factory) -> Iterator[Cite]:
    """OGC's WMS 1.3.0 test data, burnt to rasters and served."""
    configuration = burn(shared / "ogc" / "cite-wms13-data", tmp_path_factory.mktemp("cite"))
    archive = open_archive(configuration, environment={}, clock=system_clock)
    with TestClient(application(archive.services), raise_server_exceptions=False) as client:
        yield Cite(client, validate_ogc)
