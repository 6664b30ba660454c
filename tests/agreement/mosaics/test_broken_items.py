"""Broken items are skipped and named in mosaics; all other pixels are unchanged."""

import json
import re
import threading

import numpy as np
import pyproj
import pytest
import shapely

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.space.boxes import BBox
from chronotile.jobs.processes.registry import process_of
from chronotile.jobs.processes.work.partial_results import add_unreadable, run_task
from chronotile.optimise.cube_tiles import CubeOptions, write_cubes
from chronotile.readers import skipped_items
from tests.agreement.mosaics.shown import CRS84, NATIVE_ZOOM, compare, extent, tile_values, tiles_of
from tests.ctc1 import decode_cube
from tests.faulty_source import Fault
from tests.jobs.processes.doing import plan_of, work_in
from tests.scenes_archive import broken, documents
from tests.scenes_archive.files import path_of, write_asset
from tests.scenes_archive.forms import Source, own_copy, own_http
from tests.scenes_archive.plan import SMALL, Plan, Scene
from tests.scenes_archive.serving import fill_index, serving_scenes, uncut_collections

pytestmark = pytest.mark.slow

DAY = SMALL.days[0]


@pytest.fixture(autouse=True)
def tried_again(monkeypatch):
    """Return `tried_again()`, after which each answer requests missing or damaged files again."""

    def at_once(seconds: float = 0.0) -> None:
        monkeypatch.setattr(skipped_items, "SKIP_S", seconds)

    at_once()
    return at_once


def crowded():
    """Return the tile that most pieces meet, and the first of these."""
    found = []
    for tile in tiles_of(SMALL, NATIVE_ZOOM):
        x, y = tile.centres()
        chosen = SMALL.mosaic("CELL", x, y, date=0, crs="EPSG:3857")
        found.append((np.unique(chosen.piece[chosen.piece >= 0]).tolist(), tile, chosen))
    numbers, tile, chosen = max(found, key=lambda each: len(each[0]))
    return tile, chosen.pieces[numbers[0]]


TILE, FIRST = crowded()


def ask(served, layer: str = "CELL", day: str = DAY):
    address = f"/tiles/{layer}/WebMercatorQuad/{TILE.z}/{TILE.x}/{TILE.y}.npy"
    return served.client.get(address, params={"datetime": day})


def expected(asset: str = "CELL", *, without: Scene | None = None, date: int = 0) -> np.ndarray:
    x, y = TILE.centres()
    scenes = tuple(scene for scene in SMALL.scenes(date) if without is None or scene.id != without.id)
    return SMALL.mosaic(asset, x, y, date=date, crs="EPSG:3857", scenes=scenes).values


def shown(served, layer: str = "CELL", day: str = DAY) -> np.ndarray:
    return tile_values(served, layer, TILE, day)


@pytest.mark.parametrize("name", broken.FAULTS)
def test_item_with_a_failing_file_is_skipped_and_named_until_it_works(tmp_path, name):
    with own_http(tmp_path, SMALL) as (server, source), serving_scenes(tmp_path / "served", SMALL, source) as served:
        server.switch(broken.FAULTS[name], path_of(FIRST, "CELL"))
        lacking, values = ask(served), shown(served)
        server.heal()
        whole, healed = ask(served), shown(served)

    assert compare(values, expected(without=FIRST)).same >= 0.999
    assert FIRST.id in lacking.headers["warning"]
    assert compare(healed, expected()).same >= 0.999
    assert "warning" not in whole.headers
    assert lacking.headers["etag"] != whole.headers["etag"]


def of_first() -> tuple[float, float]:
    """Return a point in the tile at which the first item is shown."""
    x, y = TILE.centres()
    chosen = SMALL.mosaic("CELL", x, y, date=0, crs="EPSG:3857")
    rows, columns = np.nonzero(chosen.piece == chosen.pieces.index(FIRST))
    middle = len(rows) // 2
    place = x[rows[middle], columns[middle]], y[rows[middle], columns[middle]]
    return pyproj.Transformer.from_crs("EPSG:3857", CRS84, always_xy=True).transform(*place)


LON, LAT = of_first()
BOX = f"{LON - 0.001:.6f},{LAT - 0.001:.6f},{LON + 0.001:.6f},{LAT + 0.001:.6f}"
AREA = shapely.geometry.mapping(shapely.box(*map(float, BOX.split(","))))
AREAS = {"type": "FeatureCollection", "features": [{"type": "Feature", "id": "a", "properties": {}, "geometry": AREA}]}
OF_COLLECTION = "/ogcapi/collections/CELL"
ANSWERS = {
    "point": (f"/timeseries/CELL/point?lon={LON}&lat={LAT}&datetime={DAY}", None),
    "points": ("/timeseries/points", {"layers": ["CELL"], "datetime": DAY, "points": [[LON, LAT]]}),
    "area": (f"/timeseries/CELL/area?datetime={DAY}", AREA),
    "areas": (f"/timeseries/CELL/areas?datetime={DAY}", AREAS),
    "terrascope": (f"/timeseries/v1.0/ts/CELL/geometry?startDate={DAY}&endDate={DAY}", AREA),
    "edr position": (f"{OF_COLLECTION}/position?coords=POINT({LON} {LAT})&datetime={DAY}", None),
    "coverage": (f"{OF_COLLECTION}/coverage?f=GTiff&crs=[{FIRST.frame.crs}]&bbox={BOX}&datetime={DAY}", None),
    "animation": (f"/animations/CELL.gif?bbox={BOX}&width=64&height=64&datetime={SMALL.days[0]}/{SMALL.days[1]}", None),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_each_answer_that_lacks_an_item_names_it_and_is_not_cached(tmp_path, name):
    address, body = ANSWERS[name]
    with own_http(tmp_path, SMALL) as (server, source), serving_scenes(tmp_path / "served", SMALL, source) as served:

        def answered():
            return served.client.get(address) if body is None else served.client.post(address, json=body)

        server.switch(broken.FAULTS["404"], path_of(FIRST, "CELL"))
        lacking = answered()
        server.heal()
        whole = answered()

    assert (lacking.status_code, whole.status_code) == (200, 200), lacking.text
    assert FIRST.id in lacking.headers["warning"]
    assert "max-age=60" in lacking.headers["cache-control"]
    assert "warning" not in whole.headers
    assert "etag" not in whole.headers or whole.headers["etag"] != lacking.headers["etag"]


def test_cubes_name_the_items_that_they_lack_and_are_not_written_to_files(tmp_path):
    address = f"/cubes/CELL/WebMercatorQuad/{TILE.z}/{TILE.x}/{TILE.y}.ctc?datetime={DAY}"
    year = int(DAY[:4])
    options = CubeOptions(layers=("CELL",), zooms=(TILE.z, TILE.z), years=(year, year), threads=1)
    with own_http(tmp_path, SMALL) as (server, source), serving_scenes(tmp_path / "served", SMALL, source) as served:
        server.switch(broken.FAULTS["404"], path_of(FIRST, "CELL"))
        lacking = served.client.get(address)
        with pytest.raises(SourceUnavailable, match=FIRST.id):
            write_cubes(served.services, tmp_path / "cubes", options, progress=lambda _what, _share: None)
        server.heal()
        whole = served.client.get(address)
        report = write_cubes(served.services, tmp_path / "cubes", options, progress=lambda _what, _share: None)

    assert FIRST.id in lacking.headers["warning"]
    assert decode_cube(lacking.content).header["left_out"] == {f"{DAY}T00:00:00Z": [FIRST.id]}
    assert "left_out" not in decode_cube(whole.content).header
    assert report.written > 0


def test_item_without_the_asset_is_named_and_does_not_prevent_a_cube(tmp_path):
    source = changed_catalogue(tmp_path, {FIRST.id: broken.BROKEN["missing asset"]})
    address = f"/cubes/CELL/WebMercatorQuad/{TILE.z}/{TILE.x}/{TILE.y}.ctc?datetime={DAY}"
    year = int(DAY[:4])
    options = CubeOptions(layers=("CELL",), zooms=(TILE.z, TILE.z), years=(year, year), threads=1)

    with serving_scenes(tmp_path / "served", SMALL, source) as served:
        answer, cube = ask(served), served.client.get(address)
        report = write_cubes(served.services, tmp_path / "cubes", options, progress=lambda _what, _share: None)

    assert FIRST.id in answer.headers["warning"]
    assert FIRST.id in cube.headers["warning"]
    assert "left_out" not in decode_cube(cube.content).header
    assert report.written > 0


@pytest.mark.parametrize("name", broken.FAULTS)
def test_request_fails_only_if_nothing_remains_and_recovers(tmp_path, name):
    with own_http(tmp_path, SMALL) as (server, source), serving_scenes(tmp_path / "served", SMALL, source) as served:
        server.switch(broken.FAULTS[name])
        failed = ask(served)
        server.heal()
        healed = shown(served)

    assert failed.status_code == 503
    assert failed.headers["cache-control"] == "no-store"
    assert "retry-after" in failed.headers
    assert compare(healed, expected()).same >= 0.999


def test_truncated_file_is_skipped(tmp_path):
    with own_http(tmp_path, SMALL) as (server, source), serving_scenes(tmp_path / "served", SMALL, source) as served:
        broken.truncate(server, FIRST, "CELL")

        answer, values = ask(served), shown(served)

    assert FIRST.id in answer.headers["warning"]
    assert compare(values, expected(without=FIRST)).same >= 0.999


def test_replaced_file_is_shown_after_it_was_noticed(tmp_path):
    folder = tmp_path / "served"
    with own_http(tmp_path, SMALL) as (server, source):
        with serving_scenes(folder, SMALL, source) as served:
            shown(served, "B04")
            newer = broken.reprocess(server.folder, FIRST, "B04")
        with serving_scenes(folder, SMALL, source) as served:  # with the index of before, and without its blocks
            shown(served, "B04")
            answer, values = ask(served, "B04"), shown(served, "B04")

    x, y = TILE.centres()
    scenes = tuple(newer if scene.id == newer.id else scene for scene in SMALL.scenes(0))
    now = SMALL.mosaic("B04", x, y, date=0, crs="EPSG:3857", scenes=scenes).values
    assert compare(values, now).same >= 0.999
    assert "warning" not in answer.headers


@pytest.mark.parametrize("name", broken.BROKEN)
def test_broken_document_is_skipped_and_the_others_are_served(tmp_path, name):
    source = changed_catalogue(tmp_path, {FIRST.id: broken.BROKEN[name]})

    with serving_scenes(tmp_path / "served", SMALL, source) as served:
        values = shown(served)
        listed = {ref.id for ref in served.index.covering("cut", BBox(*extent(SMALL)))}

    assert compare(values, expected(without=FIRST)).same >= 0.999
    assert name == "missing asset" or FIRST.id not in listed
    assert len(listed) >= sum(1 for _ in SMALL.all_scenes()) - 1


@pytest.mark.parametrize("name", broken.MISPLACED)
def test_item_with_misplaced_files_is_shown_at_their_place_or_not_at_all(tmp_path, name):
    source = changed_catalogue(tmp_path, {FIRST.id: broken.MISPLACED[name]})

    with serving_scenes(tmp_path / "served", SMALL, source) as served:
        values = shown(served)

    assert any(compare(values, each).same >= 0.999 for each in (expected(), expected(without=FIRST)))


def test_item_of_a_period_is_an_item_of_its_start(tmp_path):
    source = changed_catalogue(tmp_path, {FIRST.id: broken.period})

    with serving_scenes(tmp_path / "served", SMALL, source) as served:
        assert compare(shown(served), expected()).same >= 0.999


def test_changed_document_is_seen_when_the_index_is_filled_again(tmp_path):
    source = changed_catalogue(tmp_path, {})
    folder = tmp_path / "served"

    with serving_scenes(folder, SMALL, source) as served:
        before = shown(served)
        changed_documents(tmp_path, {FIRST.id: broken.elsewhere})
        summary = fill_index(folder / "chronotile.yaml", served.index, source)
    with serving_scenes(folder, SMALL, source) as served:
        after = shown(served)

    assert compare(before, expected()).same >= 0.999
    assert compare(after, expected(without=FIRST)).same >= 0.999
    assert summary.put.unchanged == sum(1 for _ in SMALL.all_scenes()) - 1


def test_item_at_the_antimeridian_is_shown_on_both_sides(tmp_path):
    made = broken.antimeridian(SMALL, lambda path: f"./{path}")
    write_asset(tmp_path / path_of(made.scene, "CELL"), made.scene, "CELL")
    plan = Plan(days=SMALL.days[:1], columns=0, rows=0, assets=("CELL",))
    source = Source("stac", str(write_items(tmp_path, made.document)))
    west, south, east, north = made.document["bbox"]
    longitude = np.array([west + 0.004, 179.999, -179.999, east - 0.004])
    latitude = np.full(4, (south + north) / 2)

    with serving_scenes(tmp_path / "served", plan, source) as served:
        answers = [
            served.client.get("/timeseries/CELL/point", params={"lon": lon, "lat": lat})
            for lon, lat in zip(longitude.tolist(), latitude.tolist(), strict=True)
        ]
        found = [answer.json().get("values") for answer in answers]

    chosen = plan.mosaic("CELL", longitude, latitude, date=0, scenes=(made.scene,)).texts()
    assert found == [[value] for value in chosen]
    assert None not in chosen


def test_collection_without_items_is_a_finding_and_others_are_served(tmp_path):
    source = Source("stac", str(write_items(tmp_path)))
    with serving_scenes(tmp_path / "served", SMALL, source, uncut=uncut_collections(SMALL, 31)) as served:
        answer = served.client.get("/timeseries/B04-31/point", params={"lon": 6.0, "lat": 50.5})
        layers = {layer["id"] for layer in served.client.get("/layers").json()["layers"]}

    assert answer.status_code == 200
    assert "B04" not in layers
    assert "B04-31" in layers


def test_other_sources_answer_while_one_hangs(tmp_path):
    answers = []
    with (
        own_http(tmp_path, SMALL) as (server, source),
        serving_scenes(tmp_path / "served", SMALL, source, uncut=uncut_collections(SMALL, 31)) as served,
    ):
        server.switch(Fault.HOLD)
        waiting = [threading.Thread(target=lambda: answers.append(ask(served).status_code)) for _ in range(6)]
        for each in waiting:
            each.start()
        server.wait_until_hanging()

        others = [ask(served, "CELL-31").status_code for _ in range(5)]

        assert answers == []  # all of them still wait
        server.release()
        for each in waiting:
            each.join()
    assert others == [200] * 5
    assert answers == [200] * 6


def changed_catalogue(folder, changes) -> Source:
    """Return a catalogue of a copy of the archive with some changed documents."""
    source = own_copy(folder, SMALL)
    changed_documents(folder, changes)
    return source


def changed_documents(folder, changes) -> None:
    for item_id, change in changes.items():
        (path,) = folder.glob(f"stac-1.1/**/{item_id}.json")
        document = change(json.loads(path.read_text()))
        path.write_text(json.dumps(document))


def write_items(folder, *items):
    """Return a static collection of these items."""
    document = broken.empty_collection(SMALL)
    links = [{"rel": "item", "href": f"./{item['id']}.json", "type": "application/geo+json"} for item in items]
    (folder / "collection.json").write_text(json.dumps({**document, "id": documents.COLLECTION, "links": links}))
    for item in items:
        (folder / f"{item['id']}.json").write_text(json.dumps(item))
    return folder / "collection.json"


def counted(served) -> dict[str, float]:
    found = re.findall(
        r'^chronotile_items_left_out_total{collection="\w+",reason="(\w+)"} (\S+)',
        served.client.get("/metrics").text,
        re.MULTILINE,
    )
    return {reason: float(count) for reason, count in found if float(count)}


@pytest.mark.parametrize(("name", "reason"), [("404", "missing"), ("503", "unavailable")])
def test_item_is_counted_and_logged_once_and_a_missing_file_is_not_requested_for_each_answer(
    tmp_path, tried_again, caplog, name, reason
):
    tried_again(60.0)
    file = path_of(FIRST, "CELL")
    with own_http(tmp_path, SMALL) as (server, source), serving_scenes(tmp_path / "served", SMALL, source) as served:
        server.switch(broken.FAULTS[name], file)
        first = ask(served)
        server.requests.clear()
        again = [ask(served) for _number in range(3)]
        requested = [each for each in server.requests if each.path == file]
        counts = counted(served)
        logged = [each for each in caplog.messages if FIRST.id in each and "is left out" in each]

    assert all(FIRST.id in each.headers["warning"] for each in (first, *again))
    assert all(each.content == first.content for each in again)
    assert bool(requested) == (name == "503")
    assert counts == {reason: 1.0}
    assert len(logged) == 1


JOBS = {
    "zonal-statistics": {"layer": "CELL", "places": AREAS, "datetime": DAY},
    "time-series": {"layers": "CELL", "points": [[LON, LAT]], "datetime": DAY, "format": "csv"},
    "export": {
        "layer": "CELL",
        "format": "NetCDF",
        "datetime": DAY,
        "bbox": {"bbox": [*map(float, BOX.split(","))]},
        "crs": FIRST.frame.crs,
    },
}


@pytest.mark.parametrize("name", JOBS)
def test_results_of_jobs_name_the_items_that_they_lack(tmp_path, name):
    with own_http(tmp_path, SMALL) as (server, source), serving_scenes(tmp_path / "served", SMALL, source) as served:
        server.switch(broken.FAULTS["404"], path_of(FIRST, "CELL"))
        plan, process = plan_of(name, JOBS[name], served.services), process_of(name)
        work = work_in(tmp_path / "job", served.services, shared=plan.shared)
        done = [json.loads(json.dumps(run_task(process, JOBS[name], task, work))) for task in plan.tasks]
        results = add_unreadable(process.finish(JOBS[name], done, work), done)

    assert {name: each.metadata for name, each in results.items()} == {
        name: {"left_out": [FIRST.id]} for name in results
    }


def test_several_missing_files_are_not_opened_ahead_for_each_answer(tmp_path, tried_again):
    tried_again(60.0)
    with own_http(tmp_path, SMALL) as (server, source), serving_scenes(tmp_path / "served", SMALL, source) as served:
        server.switch(broken.FAULTS["404"])
        first = ask(served)
        server.requests.clear()
        again = ask(served)
        requested = [each for each in server.requests if each.path.endswith("CELL.tif")]

    assert (first.status_code, again.status_code, requested) == (503, 503, [])
