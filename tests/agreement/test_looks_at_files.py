"""Number of checks of plain files per request; each changed file is still noticed."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zarr
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.readers.kinds import open_source
from chronotile.readers.reader_caches import ReaderCaches
from tests.looked_at import looked_at, settle
from tests.protocols import served
from tests.scenes import Scene, make_dataset, make_spec, save_zarr, write_cogs, write_once, write_tif, write_zarr

DAYS = tuple(str(day) for day in np.arange("2020-01-01", "2020-02-10", dtype="datetime64[D]"))
SCENE = Scene(width=60, height=50, days=DAYS)
CELL = 20, 35
CHUNK_ROW = CELL[0] // 16
ARRAY = "made.zarr/NDVI"
DOTS = {"chunk_key_encoding": {"name": "v2", "separator": "."}}
SLASHES = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}

ZARR = {
    "chunks of all dates": (("time", "y", "x"), {"chunks": (len(DAYS), 16, 16)}),
    "chunks of seven dates": (("time", "y", "x"), {"chunks": (7, 16, 16)}),
    "chunks of a date": (("time", "y", "x"), {"chunks": (1, 16, 16)}),
    "time last": (("y", "x", "time"), {"chunks": (16, 16, 1)}),
    "chunks named as in version 2": (("time", "y", "x"), {"chunks": (7, 16, 16)} | SLASHES),
    "all chunks in one folder": (("time", "y", "x"), {"chunks": (1, 16, 16)} | DOTS),
}
FILES = "a file a date"
LEVELS = "with an overview"

MAX_LOOKS = 4
"""For a Zarr store: one for the state, one before and one after the read, one for chunks that share a folder."""


def longitude_latitude(row, column):
    x, y = SCENE.transform @ (column + 0.5, row + 0.5)
    return transformer(crs_of(SCENE.crs), CRS84).transform(x, y)


WEST_SOUTH, EAST_NORTH = longitude_latitude(40, 10), longitude_latitude(10, 50)
BOX = ",".join(f"{degrees:.6f}" for degrees in (*WEST_SOUTH, *EAST_NORTH))
POINT = "lon={:.7f}&lat={:.7f}".format(*longitude_latitude(*CELL))
CORNERS = [longitude_latitude(row, column) for row, column in ((40, 10), (40, 50), (10, 50), (10, 10), (40, 10))]
RING = ",".join(f"{longitude:.6f} {latitude:.6f}" for longitude, latitude in CORNERS)
MAP = (
    "/wms?SERVICE=WMS&VERSION=1.1.1&REQUEST=GetMap&LAYERS=NDVI&STYLES=&SRS=EPSG:4326&FORMAT=image/png"
    f"&TIME=2020-01-09&BBOX={BOX}"
)

REQUESTS = {
    "point": f"/timeseries/NDVI/point?{POINT}",
    "map": f"{MAP}&WIDTH=64&HEIGHT=64",
    "cube": "/cubes/NDVI/WebMercatorQuad/13/4164/2742.ctc?datetime=2020-01-01/2020-02-09",
    "coverage": "/ogcapi/collections/NDVI/coverage?f=netcdf&datetime=2020-01-01/2020-02-09",
    "area": f"/ogcapi/collections/NDVI/area?coords=POLYGON(({RING}))&f=csv",
}

SECOND = longitude_latitude(25, 40)
INSIDE = ",".join(f"{degrees:.6f}" for degrees in (*longitude_latitude(29.5, 9.5), *longitude_latitude(17.5, 49.5)))
CELLS = {
    "identify": MAP.replace("GetMap", "GetFeatureInfo")
    + "&WIDTH=64&HEIGHT=64&QUERY_LAYERS=NDVI&INFO_FORMAT=application/json&X=32&Y=32",
    "positions": "/ogcapi/collections/NDVI/position?f=csv&coords=MULTIPOINT(({} {}),({} {}))".format(
        *longitude_latitude(*CELL), *SECOND
    ),
    "native coverage": f"/ogcapi/collections/NDVI/coverage?f=netcdf&bbox={INSIDE}",
}
"""Requests for cells only in the second row of chunks."""


def write(folder: Path, store: str, scene: Scene):
    """Store the scene in one of the ways; return its configuration."""
    if store == FILES:
        return write_cogs(folder, scene, overviews=())
    if store == LEVELS:
        return write_zarr(folder, scene)
    dims, encoding = ZARR[store]
    write_once(
        folder,
        ("looks", store, scene),
        lambda place: save_zarr(make_dataset(scene, dims=dims), place / "made.zarr", NDVI=encoding),
    )
    return make_spec("zarr", folder / "made.zarr")


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[..., TestClient]]:
    """Return `serve(store, scene)`: a client of the scene in this kind of store, in `tmp_path`."""
    with ExitStack() as stack:

        def make(store: str, scene: Scene = SCENE) -> TestClient:
            spec = write(tmp_path, store, scene)
            settle(tmp_path)
            caches = ReaderCaches()
            services = replace(served.make_services_of(open_source(spec, caches)), reader_caches=caches)
            return stack.enter_context(TestClient(application(services)))

        yield make


def read(client: TestClient, request: str, **headers: str):
    answer = client.get(REQUESTS[request], headers=headers)
    assert answer.status_code in (200, 304), answer.text
    return answer


def etags(client: TestClient) -> dict[str, str]:
    return {name: read(client, name).headers["etag"] for name in REQUESTS}


def changed(client: TestClient, before: dict[str, str]) -> set[str]:
    """Return the requests whose answer is another by now, by their ETags."""
    return {name for name in REQUESTS if read(client, name, **{"If-None-Match": before[name]}).status_code == 200}


# Looks.


@pytest.mark.quick_cases("a file a date", "chunks of seven dates-point")
@pytest.mark.parametrize(
    ("store", "request_name"),
    [
        pytest.param(
            store,
            request_name,
            id=f"{store}-{request_name}",
            marks=[] if request_name == "point" or store in {"chunks of seven dates", FILES} else pytest.mark.slow,
        )
        for store in (*ZARR, FILES, LEVELS)
        for request_name in REQUESTS
    ],
)
def test_state_of_an_answer_is_found_by_one_check_of_each_file(serve, tmp_path, store, request_name):
    """An answer that the client has already takes no read, so all looks are for its state."""
    client = serve(store)
    etag = read(client, request_name).headers["etag"]

    with looked_at(tmp_path) as looks:
        again = read(client, request_name, **{"If-None-Match": etag})

    assert again.status_code == 304
    assert looks
    assert set(looks.values()) == {1}


@pytest.mark.quick_cases("chunks of seven dates")
@pytest.mark.parametrize(
    ("store", "request_name"),
    [
        pytest.param(
            store,
            request_name,
            id=f"{store}-{request_name}",
            marks=[] if request_name == "point" or store == "chunks of seven dates" else pytest.mark.slow,
        )
        for store in ZARR
        for request_name in ("point", "map", "coverage")
    ],
)
def test_answer_from_zarr_takes_few_checks_for_its_state_and_its_read(serve, tmp_path, store, request_name):
    client = serve(store)

    with looked_at(tmp_path) as looks:
        read(client, request_name)

    assert looks
    assert max(looks.values()) <= MAX_LOOKS


def test_cube_from_zarr_takes_few_checks_for_its_state_and_its_read(serve, tmp_path):
    client = serve("chunks of all dates")

    with looked_at(tmp_path) as looks:
        read(client, "cube")

    assert looks
    assert max(looks.values()) <= MAX_LOOKS


def test_state_of_a_point_is_that_of_the_folder_with_its_chunk(serve, tmp_path):
    client = serve("chunks of all dates")
    etag = read(client, "point").headers["etag"]

    with looked_at(tmp_path) as looks:
        read(client, "point", **{"If-None-Match": etag})

    assert looks == {f"{ARRAY}/zarr.json": 1, f"{ARRAY}/c/0/{CHUNK_ROW}": 1}


@pytest.mark.parametrize("path", CELLS.values(), ids=CELLS)
def test_state_of_native_cells_is_that_of_the_folders_with_their_chunks(serve, tmp_path, path):
    client = serve("chunks of all dates")
    first = client.get(path)
    assert first.status_code == 200, first.text
    held = {"If-None-Match": first.headers["etag"]}

    with looked_at(tmp_path) as looks:
        assert client.get(path, headers=held).status_code == 304
    write_chunk(tmp_path, "chunks of all dates", date=8, row=2, column=3)
    assert client.get(path, headers=held).status_code == 304
    write_chunk(tmp_path, "chunks of all dates", date=8, row=CELL[0], column=CELL[1])

    assert client.get(path, headers=held).status_code == 200
    assert looks == {f"{ARRAY}/zarr.json": 1, f"{ARRAY}/c/0/{CHUNK_ROW}": 1}


def test_series_of_an_area_takes_as_many_checks_for_one_date_as_for_all_of_a_chunk(serve, tmp_path):
    client = serve("chunks of all dates")
    area = {"type": "Polygon", "coordinates": [CORNERS]}
    read(client, "point")

    with looked_at(tmp_path) as of_one:
        client.post("/timeseries/NDVI/area?datetime=2020-01-05", json=area).raise_for_status()
    with looked_at(tmp_path) as of_all:
        client.post("/timeseries/NDVI/area", json=area).raise_for_status()

    assert 0 < sum(of_all.values()) <= sum(of_one.values())


def test_point_of_files_checks_each_for_its_state_before_and_after_its_read(serve, tmp_path):
    """A block that another one took the place of is decoded again, which takes one more look, so it may be kept."""
    client = serve(FILES)
    read(client, "point")

    blocks = client.app.state.chronotile.services.reader_caches.blocks
    decoded_before = blocks.state.misses
    with looked_at(tmp_path) as looks:
        read(client, "point")
    decoded = blocks.state.misses - decoded_before

    assert set(looks) == {f"NDVI_{day.replace('-', '')}.tif" for day in DAYS}
    assert sum(count - 3 for count in looks.values()) == decoded
    assert set(looks.values()) <= {3, 4}


# Changes of files.


def write_chunk(folder: Path, store: str, *, date: int, row: int, column: int) -> None:
    """Write a number into one cell, which replaces one chunk."""
    dims, _encoding = ZARR[store]
    place = {"time": date, "y": row, "x": column}
    zarr.open_array(str(folder / ARRAY), mode="r+")[tuple(place[dim] for dim in dims)] = 3


@pytest.mark.parametrize(
    "store", ["chunks of seven dates", "chunks of a date", "time last", "chunks named as in version 2"]
)
def test_rewritten_chunk_of_a_date_changes_answers_with_the_date(serve, tmp_path, store):
    client = serve(store)
    before = etags(client)

    write_chunk(tmp_path, store, date=20, row=CELL[0], column=CELL[1])

    assert changed(client, before) == set(REQUESTS) - ({"map"} if store != "time last" else set())


@pytest.mark.quick_cases("chunks of a date", "time last")
@pytest.mark.parametrize("store", [store for store in ZARR if store != "all chunks in one folder"])
def test_rewritten_chunk_elsewhere_does_not_change_the_point(serve, tmp_path, store):
    client = serve(store)
    before = etags(client)

    write_chunk(tmp_path, store, date=8, row=2, column=3)

    assert changed(client, before) == set(REQUESTS) - {"point"}


@pytest.mark.parametrize("store", ZARR)
def test_point_has_the_rewritten_number(serve, tmp_path, store):
    client = serve(store)
    before = read(client, "point").json()["values"]

    write_chunk(tmp_path, store, date=20, row=CELL[0], column=CELL[1])

    values = read(client, "point").json()["values"]
    assert values[20] == pytest.approx(3 * SCENE.scale + SCENE.offset)
    assert values[:20] + values[21:] == before[:20] + before[21:]


def test_rewritten_overview_changes_a_coarse_map(serve, tmp_path):
    client, path = serve(LEVELS), f"{MAP}&WIDTH=8&HEIGHT=8"
    before = client.get(path)

    zarr.open_array(str(tmp_path / "made.zarr/1/NDVI"), mode="r+")[8] = 3

    after = client.get(path, headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.content != before.content
    assert after.headers["etag"] != before.headers["etag"]


def test_rewritten_file_changes_answers_with_its_date(serve, tmp_path):
    client = serve(FILES)
    before = etags(client)

    write_tif(tmp_path / "new.tif", replace(SCENE, shift=1).numbers(20), SCENE).replace(tmp_path / "NDVI_20200121.tif")

    assert changed(client, before) == set(REQUESTS) - {"map"}


def test_removed_file_changes_answers_with_its_date(serve, tmp_path):
    client = serve(FILES)
    before = etags(client)

    (tmp_path / "NDVI_20200121.tif").unlink()

    assert changed(client, before) == set(REQUESTS) - {"map"}


@pytest.mark.parametrize(("store", "folder"), [("chunks of seven dates", "c/2"), ("chunks named as in version 2", "2")])
def test_removed_folder_of_chunks_changes_answers_with_its_dates(serve, tmp_path, store, folder):
    client = serve(store)
    before = etags(client)

    shutil.rmtree(tmp_path / ARRAY / folder)

    assert changed(client, before) == set(REQUESTS) - {"map"}


def test_date_added_to_a_chunk_is_another_state_of_all(serve, tmp_path):
    """The array's metadata and the last chunk of all dates are replaced."""
    earlier = replace(SCENE, days=DAYS[:-1])
    client = serve("chunks of seven dates", earlier)
    before = etags(client)

    zarr.open_group(tmp_path / "made.zarr", mode="r+")["NDVI"].append(SCENE.numbers(len(DAYS) - 1)[np.newaxis])

    assert changed(client, before) == set(REQUESTS)
