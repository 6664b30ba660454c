"""Products of three collections in an index, requested through the whole application."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.app.configured_archive import item_index
from chronotile.app.settings import Settings
from chronotile.core.model.items import IndexSettings
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.stac.items import item_of
from tests.protocols import served

ROOT = "/odata/v1"
SERVED = ("SENTINEL-1", "SENTINEL-2", "LANDSAT-8")


def document(id_: str, *, start: str, west: float = 4.0, south: float = 50.0, assets=None, **properties):
    """A STAC item of one degree."""
    east, north = west + 1, south + 1
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": id_,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "properties": {"datetime": start, **properties},
        "links": [{"rel": "self", "href": "https://secret.test/item.json"}],
        "assets": {"B04": {"href": f"s3://secret-bucket/{id_}/B04.tif"}} if assets is None else assets,
    }


def sentinel_2(day: int, tile: str = "31UFS", **properties):
    """A scene of May 2022, at 10:50."""
    level = properties.pop("level", "L2A")
    return document(
        f"S2{'AB'[day % 2]}_MSI{level}_202205{day:02}T105031_N0400_R051_T{tile}.SAFE",
        start=f"2022-05-{day:02}T10:50:31.024Z",
        **{
            "created": f"2022-05-{day:02}T18:00:00Z",
            "updated": f"2022-06-{day:02}T00:00:00Z",
            "constellation": "sentinel-2",
            "platform": f"sentinel-2{'ab'[day % 2]}",
            "instruments": ["msi"],
            "eo:cloud_cover": float(day * 10),
            "product:type": f"S2MSI{level[1:]}",
            "grid:code": f"MGRS-{tile}",
            "sat:absolute_orbit": 1000 + day,
            "sat:relative_orbit": 51,
            "sat:orbit_state": "descending",
            **properties,
        },
    )


def sentinel_1(day: int):
    """Return a scene of May 2022, farther east, that lasts 25 s with `datetime` in the middle."""
    return document(
        f"S1A_EW_GRDM_202205{day:02}T000100",
        start=f"2022-05-{day:02}T00:01:12.75Z",
        west=14.0,
        start_datetime=f"2022-05-{day:02}T00:01:00Z",
        end_datetime=f"2022-05-{day:02}T00:01:25.5Z",
        updated=f"2022-05-{day:02}T03:00:00Z",
        platform="sentinel-1a",
        constellation="sentinel-1",
        **{"sar:polarizations": ["HH", "HV"], "sat:orbit_state": "ascending", "sar:product_type": "GRD"},
    )


@pytest.fixture
def index(tmp_path, closed_at_end):
    place = tmp_path / "c.yaml"
    place.write_text("collections: {}")
    index = closed_at_end(item_index(Settings(config=place, jobs_dir=tmp_path / "jobs")))
    for name in SERVED:
        index.configure(name, IndexSettings())
    return index


@pytest.fixture
def put(index) -> Callable[..., None]:
    """Add items to a collection."""

    def add(collection, documents):
        index.configure(collection, IndexSettings())
        index.put(collection, [item_of(each, "https://scenes.test/catalog.json") for each in documents])

    return add


@pytest.fixture
def scenes(put):
    put("SENTINEL-2", [sentinel_2(day) for day in range(1, 9)] + [sentinel_2(3, "31UES", west=3.0, level="L1C")])
    put("SENTINEL-1", [sentinel_1(day) for day in (3, 4, 5)])
    put("LANDSAT-8", [])
    put("hidden", [document("not-served", start="2022-05-03T00:00:00Z")])


@pytest.fixture
def client(index):
    layers = [served.make_layer(f"{name}.B", collection=name) for name in SERVED]
    services = served.make_services(*(served.make_collection(each) for each in layers))
    services = replace(services, reader_caches=ReaderCaches(items=lambda: index))
    with TestClient(application(services), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def names_of(client, scenes) -> Callable[[str], list[str]]:
    """Return the names of the products that a filter finds, in order."""

    def find(filter_, **options):
        answer = client.get(f"{ROOT}/Products", params={"$filter": filter_, "$top": 1000, **options})
        assert answer.status_code == 200, answer.text
        return [each["Name"] for each in answer.json()["value"]]

    return find
