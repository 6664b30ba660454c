"""Possible differences between scenes of one collection, and their answers."""

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from pyproj import Transformer

from chronotile.archive import live_archive
from chronotile.catalog.items.index import ItemIndex
from chronotile.readers.stac.items import item_of
from tests.full_disk import disk_without_room
from tests.odd_scenes import NUMBERS, OddScenes, box_around, place_of_cell

ROW, COLUMN = 9, 7
LONGITUDE, LATITUDE = place_of_cell(ROW, COLUMN)
VALUE = int(NUMBERS[ROW, COLUMN])
INFO_OF_N = (
    "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&STYLES=&CRS=CRS:84&WIDTH=9&HEIGHT=9&BBOX={0},{1},{2},{3}"
    "&I=4&J=4&INFO_FORMAT=application/json&LAYERS=N&QUERY_LAYERS=N&TIME=2024-01-01/2024-01-02"
)
AT_POINT = f"/timeseries/B/point?lon={LONGITUDE}&lat={LATITUDE}"


@pytest.fixture
def scenes(tmp_path):
    return OddScenes(tmp_path)


FORMS = {
    "a": {"nodata": 0},
    "b": {"numbers": NUMBERS.astype("int16"), "nodata": -1, "scale": 0.5, "offset": 3.0},
    "c": {"numbers": NUMBERS.astype("float32"), "nodata": float("nan")},
    "d": {"numbers": NUMBERS.astype("uint16"), "nodata": 65535, "scale": 0.1},
}
"""How files of a date each are written."""
VALUES = [VALUE, VALUE * 0.5 + 3, VALUE, VALUE * 0.1]
"""Values of the files at the point."""


@pytest.fixture
def unstated(scenes):
    """Items that do not state the encodings of their files, which differ."""
    scenes.put(
        *(
            scenes.document(id_, {"B": scenes.write(id_, **form)}, day=day)
            for day, (id_, form) in enumerate(FORMS.items(), 1)
        )
    )
    return scenes


def test_encodings_missing_from_items_are_read_from_files(unstated):
    with unstated.served() as client:
        first = client.get(AT_POINT)
        later = client.get(AT_POINT)

    assert first.json()["values"] == pytest.approx(VALUES)
    assert first.json()["reasons"] == [None] * 4
    assert "warning" not in first.headers
    assert (first.content, first.headers["etag"]) == (later.content, later.headers["etag"])


@pytest.mark.parametrize(("day", "value"), list(enumerate(VALUES, 1)))
def test_the_first_picture_of_files_of_an_unknown_encoding_shows_them(unstated, day, value):
    request = INFO_OF_N.format(LONGITUDE - 1e-5, LATITUDE - 1e-5, LONGITUDE + 1e-5, LATITUDE + 1e-5)
    of_day = request.replace("=N", "=B").replace("2024-01-01/2024-01-02", f"2024-01-{day:02}")
    with unstated.served() as client:
        picture = client.get(of_day.replace("GetFeatureInfo", "GetMap") + "&FORMAT=image/png")
        found = client.get(of_day)

    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
    assert "warning" not in picture.headers
    (feature,) = found.json()["features"]
    assert feature["properties"]["value"] == pytest.approx(value)


def test_files_are_read_though_the_index_has_no_room_for_their_headers(scenes):
    band = {"data_type": "uint8", "nodata": 0}
    scenes.put(
        *(scenes.document(f"{day}", {"B": scenes.write(f"{day}", nodata=0)}, day=day, band=band) for day in (1, 2, 3))
    )
    with scenes.served() as client, disk_without_room():
        series = client.get(AT_POINT)

    assert series.json()["values"] == [VALUE] * 3
    assert "warning" not in series.headers


def test_encodings_are_found_when_the_index_has_room_for_them(unstated):
    with unstated.served() as client:
        with disk_without_room():
            lacking = client.get(AT_POINT)
        later = client.get(AT_POINT)

    assert lacking.status_code == 503
    assert later.json()["values"] == pytest.approx(VALUES)


def test_files_of_units_that_no_other_has_are_not_read_again_and_again(scenes, monkeypatch):
    path, other = scenes.write("a", units="m"), scenes.write("b", units="cm")
    scenes.put(
        *(
            scenes.document(name, {"B": each}, day=day)
            for day, (name, each) in enumerate({"a": other, "b": path}.items(), 1)
        )
    )
    opened = []
    grown = live_archive.reopen_grown
    monkeypatch.setattr(
        live_archive, "reopen_grown", lambda *args, **more: (opened.append(args), grown(*args, **more))[1]
    )
    with scenes.served() as client:
        first = client.get(AT_POINT).json()
        of_first = len(opened)
        later = [client.get(AT_POINT).json() for _ in range(3)]

    assert [each["values"] for each in (first, *later)] == [[None, VALUE]] * 4
    assert of_first == len(opened) <= 2  # once an encoding


@pytest.mark.parametrize("band", [None, {"data_type": "uint8"}, {"data_type": "uint8", "nodata": 0}])
def test_grids_of_items_are_used_with_any_other_members(scenes, band):
    zones = {"a": {"left": 715_370, "crs": "EPSG:32631"}, "b": {"left": 284_630, "crs": "EPSG:32632"}}
    scenes.put(*(scenes.document(id_, {"B": scenes.write(id_, **zone)}, band=band) for id_, zone in zones.items()))
    with scenes.served() as client:
        refused = client.get("/ogcapi/collections/B/coverage?f=CoverageJSON")

    assert refused.status_code == 400
    assert all(name in refused.json()["detail"] for name in ("EPSG:32631", "EPSG:32632"))


@pytest.mark.parametrize("band", [{"data_type": "uint8"}, {"data_type": "uint8", "unit": "percent"}])
def test_units_only_in_the_file_are_those_of_the_layer(scenes, band):
    scenes.put(scenes.document("a", {"B": scenes.write("a", units="percent")}, band=band))
    with scenes.served() as client:
        series = client.get(AT_POINT).json()

    assert (series["values"], series["units"]) == ([VALUE], "percent")


def test_one_item_of_other_units_is_skipped(scenes):
    path = scenes.write("a")
    bands = ["m", "m", "cm"]
    scenes.put(
        *(
            scenes.document(f"{number}", {"B": path}, day=number, band={"data_type": "uint8", "unit": unit})
            for number, unit in enumerate(bands, 1)
        )
    )
    with scenes.served() as client:
        series = client.get(AT_POINT).json()

    assert (series["units"], series["values"]) == ("m", [VALUE, VALUE, None])


@pytest.mark.parametrize(("left", "x", "values"), [(500_015, 500_017, [1]), (500_005, 500_003, [1, 9])])
def test_a_statistic_combines_the_pieces_that_hold_the_centre_of_the_cell(tmp_path, left, x, values):
    scenes = OddScenes(tmp_path, rule="max")
    coarse, fine = NUMBERS * 0 + 1, NUMBERS * 0 + 9
    scenes.put(scenes.document("a", {"B": scenes.write("a", coarse, size=20)}))
    scenes.put(scenes.document("b", {"B": scenes.write("b", fine, left=left)}))
    longitude, latitude = place_of_cell(0, 0, left=x - 5, top=5_600_000 - 5)
    with scenes.served() as client:
        series = client.get(f"/timeseries/B/point?lon={longitude}&lat={latitude}").json()

    assert series["values"] == [max(values)]


def test_an_average_that_is_the_number_of_a_flag_is_a_value(tmp_path):
    scenes = OddScenes(tmp_path, rule="mean", variables="{B: {asset: B, layer: B, flags: {100: cloud}}}")
    for id_, number in (("a", 98), ("b", 102)):
        numbers = np.full_like(NUMBERS, number)
        numbers[0, 0] = 100
        scenes.put(scenes.document(id_, {"B": scenes.write(id_, numbers)}))
    cloud = "/timeseries/B/point?lon={}&lat={}".format(*place_of_cell(0, 0))
    with scenes.served() as client:
        value, flagged = client.get(AT_POINT).json(), client.get(cloud).json()

    assert (value["values"], value["reasons"]) == ([100], [None])
    assert (flagged["values"], flagged["reasons"]) == ([None], ["cloud"])


def test_an_expression_over_cells_of_two_sizes_is_refused(tmp_path):
    scenes = OddScenes(tmp_path, variables="{B: {asset: B, layer: B}, C: {asset: C, layer: C}}")
    scenes.put(scenes.document("a", {"B": scenes.write("b"), "C": scenes.write("c", NUMBERS[::2, ::2], size=20)}))
    with scenes.served() as client:
        refused = client.get("/tiles/B/WebMercatorQuad/0/0/0.npy?datetime=2024-01-01&expression=C-B")

    assert refused.status_code == 400
    assert all(each in refused.text for each in ("expression", "cells of C and B differ", "20 and 10"))


def test_times_of_more_items_than_a_picture_may_open_are_served(tmp_path):
    scenes = OddScenes(tmp_path, more=", max_pieces: 4")
    for number in range(9):
        path = scenes.write(f"{number}", left=500_000 + 1200 * (number % 3), top=5_600_000 - 1200 * (number // 3))
        scenes.put(scenes.document(f"{number}", {"B": path}))
    with scenes.served() as client:
        series, layer = client.get(AT_POINT).json(), client.get("/layers/B").json()

    assert series["values"] == [VALUE]
    assert layer["styles"][0]["range"] == pytest.approx([NUMBERS.min(), NUMBERS.max()], abs=10)


@pytest.mark.parametrize("asset", ["B", "Z"])
def test_days_without_a_file_that_can_be_read_do_not_hide_those_before(scenes, asset):
    path = scenes.write("a")
    broken = [scenes.document(f"broken{day}", {asset: path}, day=day) for day in range(2, 12)]
    for each in broken:
        each["assets"][asset]["href"] = f"{path.parent}/gone.tif"
    scenes.put(scenes.document("a", {"B": path}), *broken)
    with scenes.served() as client:
        series = client.get(AT_POINT).json()

    assert series["values"] == [VALUE, *[None] * 10]


@pytest.mark.parametrize(
    "path", ["/timeseries/N/area?bbox={0},{1},{2},{3}", "/timeseries/N/point?lon={0}&lat={1}", INFO_OF_N]
)
def test_scenes_that_come_in_elsewhere_disturb_no_answer(tmp_path, monkeypatch, path):
    scenes = OddScenes(tmp_path, variables="{B: {asset: B, layer: B}, N: {layer: N, formula: 'B + 1'}}")
    written = scenes.write("a")
    scenes.put(*(scenes.document(f"{day}", {"B": written}, day=day) for day in (1, 2)))
    box = (*place_of_cell(120, 7), *place_of_cell(9, 120))
    looked_up, counter = ItemIndex.state, count(1000)
    monkeypatch.setattr(
        ItemIndex,
        "state",
        lambda self, collection, **_fresh: replace(looked_up(self, collection), counter=next(counter)),
    )
    with scenes.served() as client:
        answer = client.get(path.format(*box))

    assert answer.status_code == 200, answer.text


def test_areas_of_a_mosaic_around_the_earth_are_in_cells_of_its_polar_pieces(scenes):
    world = [[-180.0, -90.0], [180.0, -90.0], [180.0, 90.0], [-180.0, 90.0], [-180.0, -90.0]]
    pole = scenes.document("pole", {"B": scenes.write("pole", left=-640, top=640, crs="EPSG:3413")})
    pole |= {"bbox": [-180.0, -90.0, 180.0, 90.0], "geometry": {"type": "Polygon", "coordinates": [world]}}
    scenes.put(pole, scenes.document("a", {"B": scenes.write("a")}))
    with scenes.served() as client:
        longitude, latitude = place_of_cell(100, 3, left=-640, top=640, crs="EPSG:3413")
        answer = client.get(f"/timeseries/B/area?bbox={box_around(longitude, latitude)}&weights=area")

    assert answer.json()["features"][0]["series"]["mean"] == [NUMBERS[100, 3]]


def _place_at(longitude, latitude):
    """Return the corner of a file in its zone."""
    crs = f"EPSG:{32631 + longitude // 6}"
    left, top = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(longitude, latitude)
    return {"left": round(left, -1), "top": round(top, -1), "crs": crs}


@pytest.mark.parametrize("east", [21, 33])
def test_areas_at_the_bent_edge_of_a_continent_are_inside(scenes, east):
    places = [_place_at(longitude, 60) for longitude in (-20, east, 40)]
    scenes.put(
        *(
            scenes.document(f"{number}", {"B": scenes.write(f"{number}", **place)})
            for number, place in enumerate(places)
        )
    )
    middle = place_of_cell(126, 64, **places[1])
    with scenes.served() as client:
        area = client.get(f"/timeseries/B/area?bbox={box_around(*middle)}&weights=area")

    assert area.json()["features"][0]["series"]["mean"] == [NUMBERS[126, 64]]


def test_scenes_between_distant_places_disturb_no_answer(tmp_path, monkeypatch):
    scenes = OddScenes(tmp_path, variables="{B: {asset: B, layer: B}, N: {layer: N, formula: 'B + 1'}}")
    lefts = (400_000, 600_000)
    for left in lefts:
        written = scenes.write(f"{left}", left=left)
        scenes.put(*(scenes.document(f"{left}-{day}", {"B": written}, day=day) for day in (1, 2)))
    covering, appended, path = ItemIndex.covering, count(), scenes.write("between", left=500_000)

    def append_and_cover(index, *place, **times):
        index.put("s", [item_of(scenes.document(f"between-{next(appended)}", {"B": path}), str(tmp_path))])
        return covering(index, *place, **times)

    points = [{"lon": x, "lat": y} for x, y in (place_of_cell(9, 7, left=left) for left in lefts)]
    with scenes.served() as client:
        monkeypatch.setattr(ItemIndex, "covering", append_and_cover)
        answer = client.post("/timeseries/points", json={"layers": ["N"], "points": points})

    assert next(appended) > 1
    assert answer.status_code == 200, answer.text
    (result,) = answer.json()["results"]
    assert [feature["series"]["mean"] for feature in result["features"]] == [[VALUE + 1] * 2] * 2


def test_pictures_beyond_the_antimeridian_change_with_their_items(scenes):
    west = scenes.document("west", {"B": scenes.write("west", **_place_at(179, 10))})
    east = _place_at(-179, 10)
    scenes.put(west, scenes.document("east", {"B": scenes.write("east", **east)}))
    box = box_around(*place_of_cell(50, 50, **east))
    picture = (
        f"/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&STYLES=&CRS=CRS:84&WIDTH=9&HEIGHT=9&BBOX={box}"
        "&FORMAT=image/png&LAYERS=B"
    )
    with scenes.served() as client:
        before = client.get(picture).headers["etag"]
    scenes.put(scenes.document("east", {"B": scenes.write("new", NUMBERS // 2, **east)}))
    with scenes.served() as client:
        after = client.get(picture, headers={"If-None-Match": before})

    assert after.status_code == 200


@pytest.mark.parametrize("request_of", ["/timeseries/B/point?lon={0}&lat={1}", "/timeseries/B/area?bbox={2}"])
def test_items_that_are_replaced_while_they_are_read_are_not_mixed_with_those_before(scenes, monkeypatch, request_of):
    before, after = (scenes.write(f"{number}", np.full_like(NUMBERS, number)) for number in (10, 20))
    scenes.put(*(scenes.document(f"{day}", {"B": before}, day=day) for day in range(1, 21)))
    looked_up, calls = ItemIndex.assets, count()

    def assets(self, numbers):
        found = looked_up(self, numbers)
        if next(calls) == 0:
            scenes.put(*(scenes.document(f"{day}", {"B": after}, day=day) for day in range(1, 21)))
        return found

    with scenes.served() as client:
        monkeypatch.setattr(ItemIndex, "assets", assets)
        answer = client.get(request_of.format(LONGITUDE, LATITUDE, box_around(LONGITUDE, LATITUDE, half=1e-3))).json()

    found = answer["values"] if "values" in answer else answer["features"][0]["series"]["mean"]
    assert found == [20] * 20
