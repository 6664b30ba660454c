"""`/cubes`, over a formula: numbers, times, errors, limits, validators."""

import asyncio
import gzip
import threading
from pathlib import Path

import anyio
import numpy as np
import pytest

from chronotile.app.application import application
from chronotile.catalog.limits import Limits
from chronotile.catalog.tile_matrix_sets import load_tile_matrix_set
from tests.ctc1 import Decoded, decode_cube
from tests.protocols import served
from tests.running import PATIENCE_S

TMS = load_tile_matrix_set("WebMercatorQuad", folder=Path())
TILE = "WebMercatorQuad/11/1052/687.ctc"
GRID = TMS.tile_grid(TMS.matrix("11"), row=687, column=1052)
NUMBERS = np.stack([served.expected_numbers(served.BELGIUM_31N, GRID, time) for time in range(4)])
DAYS = ["2020-05-21T00:00:00Z", "2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z", "2020-06-21T00:00:00Z"]
ELSEWHERE = "WebMercatorQuad/11/100/687.ctc"


def cube_of(answer) -> Decoded:
    assert answer.status_code == 200, answer.text
    return decode_cube(answer.content)


def test_a_cube_has_the_numbers_of_every_date(client):
    cube = cube_of(client.get(f"/cubes/NDVI/{TILE}"))

    assert cube.header["times"] == DAYS
    assert np.array_equal(cube.numbers, NUMBERS)


def test_cube_contains_its_description(client):
    header = cube_of(client.get(f"/cubes/NDVI/{TILE}?datetime=2020-06")).header

    told = {"v": 1, "layer": "NDVI", "crs": "EPSG:3857", "tms": "WebMercatorQuad", "z": 11, "x": 1052, "y": 687}
    told |= {"w": 256, "h": 256, "res": 1, "dtype": "uint8", "nodata": 255, "scale": 1.0, "offset": 0.0, "units": "1"}
    told |= {"categorical": False, "mean": False, "quantised": False, "times": DAYS[1:]}
    assert {name: header[name] for name in told} == told


def test_shares_are_those_of_pixels_with_a_value(client):
    header = cube_of(client.get(f"/cubes/NDVI/{TILE}")).header

    expected = [round(float((numbers != served.NODATA).mean()), 4) for numbers in NUMBERS]
    assert header["valid"] == expected


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("2020", DAYS),
        ("2020-06", DAYS[1:]),
        ("2020-06-01/2020-06-11", DAYS[1:3]),
        ("../2020-06-01", DAYS[:2]),
        ("2020-06-11/..", DAYS[2:]),
        ("2020-06-11", DAYS[2:3]),
        ("2020-05-21,2020-06-21", [DAYS[0], DAYS[3]]),
        ("latest", DAYS[3:]),
        ("default", DAYS[3:]),
        ("2020-05-21/2020-06-21/P1M", [DAYS[0], DAYS[3]]),
    ],
    ids=str,
)
def test_time_parameter_is_that_of_all_protocols(client, asked, expected):
    cube = cube_of(client.get(f"/cubes/NDVI/{TILE}", params={"datetime": asked}))

    assert cube.header["times"] == expected
    assert np.array_equal(cube.numbers, NUMBERS[[DAYS.index(day) for day in expected]])


def test_used_instants_are_listed(client):
    answer = client.get(f"/cubes/RECENT/{TILE}?datetime=2020-06-12")

    assert answer.headers["chronotile-time"] == DAYS[2]
    assert cube_of(answer).header["times"] == [DAYS[2]]


def test_a_layer_without_time_has_one_frame_without_a_date(client):
    cube = cube_of(client.get(f"/cubes/HEIGHT/{TILE}"))

    assert cube.header["times"] == [None]
    assert np.array_equal(cube.numbers, NUMBERS[:1])


def test_instants_have_their_time_of_day(client):
    header = cube_of(client.get(f"/cubes/TIMED/{TILE}?datetime=2020-06-30")).header

    assert header["times"] == ["2020-06-30T10:50:31.024Z"]


def test_a_cube_travels_under_gzip(client):
    answer = client.get(f"/cubes/NDVI/{TILE}")

    assert answer.headers["content-type"] == "application/vnd.chronotile.cube"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) < len(answer.content)


def test_a_client_that_takes_no_gzip_gets_the_cube_bare(client):
    packed = client.get(f"/cubes/NDVI/{TILE}")

    bare = client.get(f"/cubes/NDVI/{TILE}", headers={"accept-encoding": "identity"})

    assert "content-encoding" not in bare.headers
    assert bare.headers["vary"] == "Accept-Encoding"
    assert bare.content == packed.content
    assert packed.headers["etag"] == bare.headers["etag"][:-1] + '-gzip"'


def test_matching_etag_is_confirmed(make_client):
    services = served.make_services()
    client, reader = make_client(services), services.readers["s2"]
    etag = client.get(f"/cubes/NDVI/{TILE}").headers["etag"]
    reader.windows_read.clear()

    answer = client.get(f"/cubes/NDVI/{TILE}", headers={"if-none-match": etag})

    assert (answer.status_code, answer.content, reader.windows_read) == (304, b"", [])
    assert (answer.headers["etag"], answer.headers["vary"]) == (etag, "Accept-Encoding")


@pytest.mark.parametrize("query", ["datetime=2020-06", "res=2", "datetime=2020-06-11"])
def test_other_dates_and_other_resolutions_are_other_entities(client, query):
    whole = client.get(f"/cubes/NDVI/{TILE}").headers["etag"]

    assert client.get(f"/cubes/NDVI/{TILE}?{query}").headers["etag"] != whole


def test_same_dates_in_another_notation_are_the_same_entity(client):
    whole = client.get(f"/cubes/NDVI/{TILE}").headers["etag"]

    assert client.get(f"/cubes/S2_NDVI/{TILE}?datetime=2020-01-01/2020-12-31&res=1").headers["etag"] == whole


def test_new_pixels_of_one_date_are_another_entity(make_client):
    services = served.make_services()
    client = make_client(services)
    before, other = (client.get(f"/cubes/NDVI/{TILE}?datetime={day}") for day in ("2020-06", "2020-05"))

    services.readers["s2"].replaced[2] = "r2"

    after, same = (client.get(f"/cubes/NDVI/{TILE}?datetime={day}") for day in ("2020-06", "2020-05"))
    assert after.headers["etag"] != before.headers["etag"]
    assert cube_of(after).header["rev"] != cube_of(before).header["rev"]
    assert same.headers["etag"] == other.headers["etag"]


def test_url_with_the_revision_of_the_layer_is_immutable(client):
    revision = client.get("/layers/NDVI").json()["revision"]

    kept = client.get(f"/cubes/NDVI/{TILE}?rev={revision}").headers["cache-control"]
    other = client.get(f"/cubes/NDVI/{TILE}?rev=old").headers["cache-control"]

    assert "immutable" in kept
    assert "immutable" not in other


def test_a_tile_that_no_date_touches_has_no_content(client):
    answer = client.get(f"/cubes/NDVI/{ELSEWHERE}")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers
    assert answer.headers["vary"] == "Accept-Encoding"


def test_an_interval_without_dates_has_no_content(client):
    assert client.get(f"/cubes/NDVI/{TILE}?datetime=1999-01-01/1999-12-31").status_code == 204


def test_no_content_is_validated_too(client):
    etag = client.get(f"/cubes/NDVI/{ELSEWHERE}").headers["etag"]

    assert client.get(f"/cubes/NDVI/{ELSEWHERE}", headers={"if-none-match": etag}).status_code == 304


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        (f"NDVI/{TILE}?datetime=1999", 404, "datetime"),
        (f"NDVI/{TILE}?datetime=yesterday", 400, "datetime"),
        (f"NDVI/{TILE}?res=3", 400, "res"),
        (f"NDVI/{TILE}?time=2020-06-11", 400, "time"),
        (f"NDVI/{TILE}?ress=2", 400, "ress"),
        (f"TRUE_COLOUR/{TILE}", 400, "layer"),
        (f"NOTHING/{TILE}", 404, "layer"),
        ("NDVI/Nowhere/11/1052/687.ctc", 404, "tms"),
        ("NDVI/WebMercatorQuad/99/1052/687.ctc", 404, "z"),
        ("NDVI/WebMercatorQuad/11/2048/687.ctc", 404, "x"),
        ("NDVI/WebMercatorQuad/11/1052/2048.ctc", 404, "y"),
        ("NDVI/WebMercatorQuad/11/1052/south.ctc", 404, "y"),
    ],
)
def test_invalid_value_is_reported_with_its_parameter(client, path, status, parameter):
    answer = client.get(f"/cubes/{path}")

    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert answer.json()["parameter"] == parameter
    assert answer.headers["access-control-allow-origin"] == "*"


def test_another_extension_is_no_cube(client):
    assert client.get("/cubes/NDVI/WebMercatorQuad/11/1052/687.png").status_code == 404


def test_more_values_than_allowed_are_refused_with_a_way_out(make_client):
    client = make_client(served.make_services(limits=Limits(max_cube_values=3 * 256 * 256)))

    refused = client.get(f"/cubes/NDVI/{TILE}")

    problem = refused.json()
    assert (refused.status_code, problem["type"], problem["parameter"]) == (400, "limit-exceeded", "datetime")
    assert (problem["limit"], problem["allowed"], problem["asked"]) == ("max_cube_values", 3 * 256**2, 4 * 256**2)
    assert client.get(f"/cubes/NDVI/{TILE}?datetime=2020-06").status_code == 200


def test_failing_source_is_503_and_nothing_is_cached(client):
    answer = client.get(f"/cubes/GONE/{TILE}")

    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")
    assert "retry-after" in answer.headers


def test_layers_link_to_their_cubes(client):
    links = client.get("/layers/S2_NDVI").json()["links"]

    (cubes,) = [link for link in links if link["rel"] == "cubes"]
    href = cubes["href"].replace("{tms}", "WebMercatorQuad").replace("{z}", "11")
    answer = client.get(href.replace("{x}", "1052").replace("{y}", "687"))
    assert (cubes["type"], cubes["templated"]) == ("application/vnd.chronotile.cube", True)
    assert cube_of(answer).header["layer"] == "NDVI"


def test_composites_have_no_cubes(client):
    links = client.get("/layers/TRUE_COLOUR").json()["links"]

    assert "cubes" not in {link["rel"] for link in links}


def test_the_body_is_gzip_as_it_lies(client):
    with client.stream("GET", f"/cubes/NDVI/{TILE}") as answer:
        raw = b"".join(answer.iter_raw())

    assert np.array_equal(decode_cube(gzip.decompress(raw)).numbers, NUMBERS)


def test_head_has_the_headers_of_get(client):
    got, told = client.get(f"/cubes/NDVI/{TILE}"), client.head(f"/cubes/NDVI/{TILE}")

    names = ("etag", "content-type", "content-encoding", "content-length", "vary", "cache-control", "chronotile-time")
    assert (told.status_code, told.content) == (200, b"")
    assert {name: told.headers.get(name) for name in names} == {name: got.headers.get(name) for name in names}


def test_work_for_a_client_that_left_ends_between_two_dates():
    services = served.make_services()
    reader, statuses = services.readers["s2"], []

    async def main():
        app, gone, noted = application(services), anyio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        class Leaving(served.FormulaReader):
            def read_window(self, variable, **where):
                if where["index"] == 1:
                    loop.call_soon_threadsafe(gone.set)
                    assert noted.wait(PATIENCE_S)
                return reader.read_window(variable, **where)

        services.readers["s2"] = Leaving(reader.info)

        async def receive():
            await gone.wait()
            loop.call_soon(loop.call_soon, noted.set)  # after the server has noted the disconnect
            return {"type": "http.disconnect"}

        async def send(message):
            statuses.append(message.get("status"))

        scope = {"type": "http", "method": "GET", "path": f"/cubes/NDVI/{TILE}", "query_string": b"", "headers": []}
        async with app.router.lifespan_context(app):
            await app({**scope, "http_version": "1.1", "scheme": "http", "server": ("x", 80)}, receive, send)

    anyio.run(main)

    assert statuses[0] == 499
    assert len(reader.windows_read) == 2
