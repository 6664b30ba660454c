"""Time-lapses over HTTP, compared with the formula, maps and tiles."""

import io
import threading

import av
import numpy as np
import pytest
from PIL import Image

from chronotile.catalog.limits import Limits
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.domain import domain_of_instants
from chronotile.protocols.maps.animations import routes
from tests.protocols import served
from tests.protocols.maps.animations.films import boxes_of, durations_ms, frames_of, on_white, video_frames
from tests.protocols.pictures import rgba_of
from tests.running import PATIENCE_S, until

BOX = (604_000.0, 5_622_000.0, 620_000.0, 5_634_000.0)
GRID = Grid(crs=crs_of("EPSG:32631"), bbox=BBox(*BOX), width=80, height=60)
"""Pixels of 200 m; a pixel shows one cell out of four."""
AREA = "crs=EPSG:32631&bbox=604000,5622000,620000,5634000&width=80&height=60"
CLOSE = "crs=EPSG:32631&bbox=604000,5622000,605600,5623200&width=160&height=120"
"""Each cell is ten pixels wide, so that video compression preserves it."""
CLOSE_GRID = Grid(crs=crs_of("EPSG:32631"), bbox=BBox(604_000, 5_622_000, 605_600, 5_623_200), width=160, height=120)
PLAIN = "/animations/RECENT"
"""A layer of four dates without attribution."""


def expected(grid=GRID, times=(0, 1, 2, 3)):
    return np.stack([on_white(served.expected_rgba(served.BELGIUM_31N, grid, time)) for time in times])


def get(client, url):
    answer = client.get(url)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize(("extension", "media_type"), [("gif", "image/gif"), ("webp", "image/webp")])
def test_frames_are_the_dates_in_the_colours_of_the_formula(client, extension, media_type):
    answer = get(client, f"{PLAIN}.{extension}?{AREA}&labels=none")

    assert answer.headers["content-type"] == media_type
    assert np.array_equal(frames_of(answer.content), expected())


def test_film_without_times_has_the_newest_frames_and_a_hint_how_to_request_all(client, monkeypatch):
    monkeypatch.setattr(routes, "DEFAULT_FRAMES", 3)

    newest = get(client, f"{PLAIN}.gif?{AREA}&labels=none")
    every = get(client, f"{PLAIN}.gif?{AREA}&labels=none&datetime=2000/..")

    assert np.array_equal(frames_of(newest.content), expected(times=(1, 2, 3)))
    assert (
        newest.headers["warning"]
        == '299 - "the newest 3 of 4 frames; an interval such as datetime=2000/.. requests all"'
    )
    assert np.array_equal(frames_of(every.content), expected())
    assert "warning" not in every.headers


def test_a_video_shows_the_dates_nearly_in_the_colours_of_the_formula(client):
    answer = get(client, f"{PLAIN}.mp4?{CLOSE}&labels=none")

    frames = video_frames(answer.content)
    assert answer.headers["content-type"] == "video/mp4"
    assert frames.shape == (4, 120, 160, 3)
    assert np.abs(frames.astype(int) - expected(CLOSE_GRID)).mean() < 2


@pytest.mark.parametrize(
    "query",
    [
        *("style=reds", "range=50,200", "ramp=reds", "reducer=max&style=reds", "difference=2020-05-21"),
        "expression=255-NDVI",
    ],
)
def test_a_frame_has_the_pixels_of_a_tile_on_white(client, make_services, query):
    quad = make_services().catalogue.tile_matrix_set("WebMercatorQuad")
    box = quad.tile_grid(quad.matrices[11], row=687, column=1052).bbox
    area = f"crs=EPSG:3857&bbox={','.join(map(repr, box))}&width=256&height=256"

    frames = frames_of(get(client, f"/animations/NDVI.webp?{area}&labels=none&datetime=2020-06-11&{query}").content)

    tile = get(client, f"/tiles/NDVI/WebMercatorQuad/11/1052/687.png?datetime=2020-06-11&{query}")
    assert np.array_equal(frames[0], on_white(rgba_of(tile.content)))


def test_a_frame_has_the_pixels_of_a_map_of_wms(client):
    box = "BBOX=604000,5622000,620000,5634000&WIDTH=80&HEIGHT=60&CRS=EPSG:32631"
    shown = get(
        client,
        f"/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=TRUE_COLOUR&STYLES=&{box}&FORMAT=image/png"
        "&TIME=2020-06-21",
    )

    frames = frames_of(get(client, f"/animations/TRUE_COLOUR.gif?{AREA}&labels=none").content)

    assert np.abs(frames[-1].astype(int) - rgba_of(shown.content)[..., :3]).mean() < 8  # in 256 colours


@pytest.mark.parametrize(
    ("query", "times"),
    [
        ("datetime=2020-06", (1, 2, 3)),
        ("datetime=2020-05-21,2020-06-21", (0, 3)),
        ("step=2", (0, 2)),
        ("step=3&datetime=2020-06-01/..", (1,)),
        ("step=P1M", (0, 3)),
        ("step=p1m&reducer=earliest", (0, 1)),
        ("step=dekad", (0, 1, 2, 3)),
    ],
)
def test_datetime_and_step_choose_the_frames(client, query, times):
    frames = frames_of(get(client, f"{PLAIN}.gif?{AREA}&labels=none&{query}").content)

    assert np.array_equal(frames, expected(times=times))


def test_times_of_a_period_are_reduced(client):
    frames = frames_of(get(client, f"{PLAIN}.gif?{AREA}&labels=none&step=P1M&reducer=max").content)

    greatest = np.max([served.expected_numbers(served.BELGIUM_31N, GRID, time) for time in (1, 2, 3)], axis=0)
    assert np.array_equal(frames[1][..., 0], greatest)


@pytest.mark.parametrize(("extension", "least_ms"), [("gif", 10), ("webp", 1)])
@pytest.mark.parametrize("fps", [0.5, 3, 7, 30])
def test_frames_last_the_requested_total_time(client, extension, least_ms, fps):
    durations = durations_ms(get(client, f"{PLAIN}.{extension}?{AREA}&labels=none&fps={fps}").content)

    assert len(durations) == 4
    assert abs(sum(durations) - 4000 / fps) <= least_ms / 2
    assert max(durations) - min(durations) <= least_ms


@pytest.mark.parametrize(("fps", "seconds"), [("0.5", 8), ("4", 1), ("2.5", 1.6)])
def test_video_lasts_the_requested_time(client, fps, seconds):
    body = get(client, f"{PLAIN}.mp4?{AREA}&fps={fps}").content

    with av.open(io.BytesIO(body)) as container:
        (stream,) = container.streams
        assert (stream.frames, float(stream.duration * stream.time_base)) == (4, seconds)


def test_video_has_the_format_of_every_player(client):
    body = get(client, f"{PLAIN}.mp4?{AREA}").content

    with av.open(io.BytesIO(body)) as container:
        context = container.streams.video[0].codec_context
        assert (context.codec.name, context.pix_fmt, context.colorspace, context.color_range) == (
            *("h264", "yuv420p", 1, 1),
        )
    assert [box for box in boxes_of(body) if box != "free"] == ["ftyp", "moov", "mdat"]


def test_odd_sides_of_a_video_are_a_pixel_longer(client):
    odd = CLOSE.replace("width=160&height=120", "width=161&height=121")

    frames = video_frames(get(client, f"{PLAIN}.mp4?{odd}&labels=none").content)

    assert frames.shape == (4, 122, 162, 3)
    assert np.abs(frames[:, :, 160].astype(int) - frames[:, :, 161]).mean() < 4


@pytest.mark.parametrize("extension", ["gif", "webp", "mp4"])
def test_a_film_begins_as_its_kind_does(client, extension):
    body = get(client, f"{PLAIN}.{extension}?{AREA}").content

    signatures = {"gif": (0, b"GIF89a"), "webp": (8, b"WEBPVP8X"), "mp4": (4, b"ftyp")}
    place, signature = signatures[extension]
    assert body[place:].startswith(signature)


@pytest.mark.parametrize("extension", ["gif", "webp"])
def test_films_repeat_without_end(client, extension):
    film = Image.open(io.BytesIO(get(client, f"{PLAIN}.{extension}?{AREA}").content))

    assert film.info["loop"] == 0


def test_without_a_size_pixels_are_square_on_the_ground(client):
    film = Image.open(io.BytesIO(get(client, f"{PLAIN}.gif?bbox=4.5,50.8,4.7,50.9&datetime=2020-06-11").content))

    assert film.size == (640, round(640 * 0.1 / (0.2 * np.cos(np.radians(50.85)))))


def test_film_without_a_bbox_shows_the_whole_layer(client):
    film = Image.open(io.BytesIO(get(client, f"{PLAIN}.gif?crs=EPSG:32631&height=150").content))

    assert film.size == (200, 150)


def test_headers_contain_times_name_and_length(client):
    answer = get(client, f"{PLAIN}.gif?{AREA}")

    told = {name: answer.headers[name] for name in ("chronotile-time", "content-disposition", "content-length")}
    assert told == {
        "chronotile-time": "2020-06-21T00:00:00Z,2020-06-11T00:00:00Z,2020-06-01T00:00:00Z,2020-05-21T00:00:00Z",
        "content-disposition": 'inline; filename="RECENT_2020-05-21_2020-06-21.gif"',
        "content-length": str(len(answer.content)),
    }


def test_head_has_all_headers_except_the_length_and_draws_nothing(client):
    answer = client.head(f"/animations/GONE.gif?{AREA}")

    assert answer.status_code == 503
    answer = client.head(f"{PLAIN}.gif?{AREA}")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/gif", b"")
    assert answer.headers["etag"] == client.get(f"{PLAIN}.gif?{AREA}").headers["etag"]


def test_matching_etag_is_confirmed_without_reading(client):
    etag = get(client, f"{PLAIN}.gif?{AREA}").headers["etag"]
    reader = client.app.state.chronotile.services.readers["s2"]
    reader.windows_read.clear()

    answer = client.get(f"{PLAIN}.gif?{AREA}", headers={"If-None-Match": etag})

    assert (answer.status_code, answer.content, reader.windows_read) == (304, b"", [])


def test_repeated_film_is_not_drawn_again(client):
    first = get(client, f"{PLAIN}.gif?{AREA}").content
    reader = client.app.state.chronotile.services.readers["s2"]
    reader.windows_read.clear()

    assert get(client, f"{PLAIN}.gif?{AREA}").content == first
    assert reader.windows_read == []


@pytest.mark.parametrize("change", ["fps=5", "labels=none", "labels=date", "step=2", "style=reds", "datetime=2020-06"])
def test_any_change_of_the_film_changes_its_etag(client, change):
    answers = [client.head(f"{PLAIN}.gif?{AREA}{more}") for more in ("", f"&{change}")]

    assert answers[0].headers["etag"] != answers[1].headers["etag"]


def test_only_a_url_with_the_current_revision_is_immutable(client):
    revision = client.get("/layers/RECENT").json()["revision"]

    kept = [client.head(f"{PLAIN}.gif?{AREA}&rev={each}").headers["cache-control"] for each in (revision, "0")]

    assert ["immutable" in each for each in kept] == [True, False]


@pytest.mark.parametrize(
    ("path", "status", "parameter", "said"),
    [
        ("NDVI.avi", 404, "format", "accepted are gif, webp, mp4"),
        ("NVDI.gif", 404, "layer", "NDVI"),
        ("HEIGHT.gif", 400, "layer", "no times"),
        ("UNDATED.gif?datetime=default", 400, "datetime", "no default"),
        ("NDVI.gif?datetime=2019", 404, "datetime", "nearest is 2020-05-21"),
        ("NDVI.gif?datetime=yesterday", 400, "datetime", "not a valid time"),
        ("NDVI.gif?bbox=4,50,4,51", 400, "bbox", "empty"),
        ("NDVI.gif?bbox=1e300,0,1e301,1", 400, "bbox", "beyond"),
        ("NDVI.gif?crs=EPSG:31370", 400, "crs", "not offered"),
        ("NDVI.gif?width=15", 400, "width", "at least 16"),
        ("NDVI.gif?width=64&bbox=4,50,5,50.001", 400, "width", "give both"),
        ("NDVI.gif?height=64.5", 400, "height", "whole number"),
        ("NDVI.gif?step=0", 400, "step", "at least 1"),
        ("NDVI.gif?step=weekly", 400, "step", "one frame every N times"),
        ("NDVI.gif?step=P1M1D", 400, "step", "either"),
        ("NDVI.gif?fps=31", 400, "fps", "0.1 to 30"),
        ("NDVI.gif?fps=fast", 400, "fps", "finite"),
        ("NDVI.gif?labels=date,scale", 400, "labels", "date, legend, attribution"),
        ("NDVI.gif?style=blues", 400, "style", "blues"),
        ("NDVI.gif?reducer=sum", 400, "reducer", "latest"),
        ("NDVI.gif?label=none", 400, "label", "use labels"),
        ("NDVI.gif?width=5000&height=16", 400, "width", "4096"),
        ("GONE.gif?width=64&height=48", 503, None, "GONE"),
    ],
)
def test_invalid_values_are_explained(client, path, status, parameter, said):
    answer = client.get(f"/animations/{path}")

    problem = answer.json()
    assert (answer.status_code, problem.get("parameter")) == (status, parameter)
    assert said in problem["detail"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_more_pixels_than_the_limit_are_refused_with_an_alternative(make_client, make_services):
    client = make_client(make_services(limits=Limits(max_animation_pixels=80 * 60 * 4 - 1)))

    problem = client.get(f"/animations/NDVI.gif?{AREA}").json()

    told = {name: problem[name] for name in ("type", "limit", "allowed", "asked")}
    assert told == {"type": "limit-exceeded", "limit": "max_animation_pixels", "allowed": 19_199, "asked": 19_200}
    assert "step=2" in problem["alternative"]
    assert client.get(f"/animations/NDVI.gif?{AREA}&step=2").status_code == 200


def test_more_frames_than_may_be_are_refused(make_client, make_services):
    days = domain_of_instants(np.datetime64("2015-01-01", "ns") + np.arange(1001) * np.timedelta64(1, "D"))
    layer = served.make_layer(variable=served.make_variable(times=days))
    client = make_client(make_services(served.make_collection(layer)))

    problem = client.get("/animations/NDVI.gif?width=16&height=16&datetime=2015/..").json()

    assert (problem["limit"], problem["asked"]) == ("frames of an animation", 1001)
    assert client.head("/animations/NDVI.gif?width=16&height=16&step=2&datetime=2015/..").status_code == 200


def test_file_that_grows_too_large_is_abandoned(client, monkeypatch):
    monkeypatch.setattr("chronotile.pipeline.encoders.animation.animation.MAX_BYTES", 1000)

    problem = client.get(f"{PLAIN}.webp?{AREA}").json()

    assert (problem["limit"], problem["allowed"]) == ("bytes of an animation", 1000)


def test_films_have_separate_threads(client):
    metrics = client.get("/metrics").text

    assert 'chronotile_threads{work="animations"} 1.0' in metrics


def test_answer_without_drawing_does_not_wait_for_a_film(client):
    url = f"{PLAIN}.gif?{AREA}"
    made = get(client, url)
    limiter, hung = client.app.state.chronotile.limiters.animations, threading.Event()
    limiter.max_waiting = 1
    held = [client.portal.start_task_soon(limiter.run, hung.wait) for _ in range(2)]
    until(lambda: limiter.waiting)

    answers = (
        client.get(url),
        client.get(url, headers={"If-None-Match": made.headers["etag"]}),
        client.head(f"{url}&fps=9"),
        client.get(f"{PLAIN}.gif?width=5000&height=16"),
        client.get(f"{url}&fps=9"),
    )
    hung.set()

    assert [answer.status_code for answer in answers] == [200, 304, 200, 400, 503]
    assert [each.result(PATIENCE_S) for each in held] == [True, True]


def test_films_are_documented(client):
    landing = {link["rel"]: link for link in client.get("/?f=json").json()["links"]}
    layers = {layer["id"]: [link["rel"] for link in layer["links"]] for layer in client.get("/layers").json()["layers"]}

    film = client.get(landing["animation"]["href"].removeprefix("http://testserver") + "&width=64&height=48")

    assert film.headers["content-type"] == landing["animation"]["type"] == "video/mp4"
    assert ("animation" in layers["NDVI"], "animation" in layers["HEIGHT"]) == (True, False)
