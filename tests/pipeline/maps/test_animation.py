"""A time-lapse stops when its client leaves, and lists the time of each frame."""

from dataclasses import replace

import numpy as np
import pytest

from chronotile.core.errors import ClientGone, LimitExceeded, ServerBusy, StorageFull
from chronotile.core.model.animation import AnimationRequest
from chronotile.core.model.formats import AnimationFormat
from chronotile.core.model.request import MapRequest
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.style import Colour
from chronotile.core.model.time.domain import domain_of_instants
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.period_parser import parse_period
from chronotile.core.model.time.periods import Period
from chronotile.core.model.time.selection import ABSENT
from chronotile.pipeline.caches import answer_memory
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from chronotile.pipeline.encoders.scratch_files import DiskQuota, Scratch
from chronotile.pipeline.maps import animation
from chronotile.pipeline.maps.animation import draw_frames, render_animation
from chronotile.pipeline.maps.frame_times import list_frames
from chronotile.pipeline.styling.cards import lay_cards
from tests.protocols import served

GRID = Grid(crs=served.BELGIUM_31N.crs, bbox=BBox(604_000, 5_622_000, 620_000, 5_634_000), width=80, height=60)
REQUEST = AnimationRequest(map_request=MapRequest(layer="NDVI", grid=GRID), format=AnimationFormat.GIF)
SIXES = domain_of_instants(np.datetime64("2020-12-30T06:00", "ns") + np.arange(12) * np.timedelta64(6, "h"))


def texts(step: int | Period, times=served.DEKADS, datetime: str | None = None) -> list[str]:
    layer = served.make_layer(variable=served.make_variable(times=times))
    asked = parse_time(datetime) if datetime else ABSENT
    return [frame.text for frame in list_frames(layer, asked, step, now=served.NOW)]


@pytest.mark.parametrize(
    ("step", "reducer", "names"), [(1, "max", ["cloud"]), ("P2M", "max", []), ("P2M", "latest", ["cloud"])]
)
def test_the_legend_of_a_film_has_the_flags_that_its_frames_can_have(monkeypatch, step, reducer, names):
    lettered = []
    monkeypatch.setattr(animation, "lay_cards", lambda lettering: lettered.append(lettering) or lay_cards(lettering))
    style = replace(served.STEPS, flags=(("cloud", Colour(255, 255, 255)),))
    layer = served.make_layer(variable=served.make_variable(flags=((254, "cloud"),)), styles=(style,))
    request = replace(
        REQUEST,
        map_request=replace(REQUEST.map_request, reducer=reducer),
        step=step if step == 1 else parse_period(step),
    )

    render_animation(request, served.make_services(served.make_collection(layer)))

    assert [name for name, _colour in lettered[0].legend.flags] == names


def test_drawing_stops_between_frames_when_the_client_left():
    services = served.make_services()
    answers = iter([True, True, False])

    with pytest.raises(ClientGone):
        render_animation(REQUEST, services, is_active=lambda: next(answers))

    assert len(services.readers["s2"].windows_read) == 2


def test_full_disk_is_reported(monkeypatch):
    monkeypatch.setattr("chronotile.pipeline.encoders.scratch_files.IN_MEMORY_BYTES", 0)

    with pytest.raises(StorageFull, match="no disk space"):
        render_animation(REQUEST, served.make_services(), scratch=Scratch(quota=DiskQuota(1000)))


def test_small_film_is_cached_and_a_large_one_is_not(monkeypatch):
    services = served.make_services()
    render_animation(REQUEST, services)
    assert services.caches.payloads.state.entries == 1

    monkeypatch.setattr("chronotile.pipeline.maps.animation.IN_MEMORY_BYTES", 100)
    delivery = render_animation(replace(REQUEST, fps=5.0), services)

    assert (services.caches.payloads.state.entries, delivery.body.size > 100) == (1, True)


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (1, ["2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21"]),
        (2, ["2020-05-21", "2020-06-11"]),
        ("P1M", ["2020-05", "2020-06"]),
        ("P2M", ["2020-05 to 2020-06"]),
        ("P1Y", ["2020"]),
        ("P5Y", ["2020 to 2024"]),
        (
            "dekad",
            [
                "2020-05-21 to 2020-05-31",
                "2020-06-01 to 2020-06-10",
                "2020-06-11 to 2020-06-20",
                "2020-06-21 to 2020-06-30",
            ],
        ),
        ("P16D", ["2020-05-08 to 2020-05-23", "2020-05-24 to 2020-06-08", "2020-06-09 to 2020-06-24"]),
    ],
)
def test_frames_are_named_by_their_times(step, expected):
    assert texts(parse_period(step) if isinstance(step, str) else step) == expected


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (5, ["2020-12-30 06:00", "2020-12-31 12:00", "2021-01-01 18:00"]),
        ("P1D", ["2020-12-30", "2020-12-31", "2021-01-01", "2021-01-02"]),
        ("P8D", ["2020-12-26 to 2020-12-31", "2021-01-01 to 2021-01-08"]),
        (
            "PT12H",
            [
                *("2020-12-30 00:00", "2020-12-30 12:00", "2020-12-31 00:00", "2020-12-31 12:00", "2021-01-01 00:00"),
                *("2021-01-01 12:00", "2021-01-02 00:00"),
            ],
        ),
    ],
)
def test_frames_of_several_times_of_a_day_show_the_hour(step, expected):
    assert texts(parse_period(step) if isinstance(step, str) else step, times=SIXES) == expected


@pytest.fixture
def all_is_counted(monkeypatch):
    """However small it is."""
    monkeypatch.setattr(answer_memory, "SMALL_BYTES", 0)


def test_memory_is_reserved_once_for_all_frames(all_is_counted):
    services = replace(served.make_services(), memory=AnswerMemory(16 << 20))
    between = []

    render_animation(REQUEST, services, is_active=lambda: between.append(services.memory.taken_bytes) or True)

    assert len(between) == 4
    assert set(between) == {between[0]} != {0}
    assert services.memory.taken_bytes == 0


def test_memory_is_reserved_once_for_the_frames_of_a_piece(all_is_counted):
    services = replace(served.make_services(), memory=AnswerMemory(16 << 20))

    between = [services.memory.taken_bytes for _picture in draw_frames(REQUEST, services, range(1, 3))]

    assert set(between) == {between[0]} != {0}
    assert services.memory.taken_bytes == 0


@pytest.mark.parametrize("format", AnimationFormat)
def test_film_without_memory_is_refused_before_frames_are_read(all_is_counted, format):
    services = replace(served.make_services(), memory=AnswerMemory(100_000, patience_s=0))
    services.readers["s2"].windows_read.clear()

    with pytest.raises(LimitExceeded, match="request a smaller picture") as refused:
        render_animation(replace(REQUEST, format=format), services)
    small = replace(REQUEST.map_request, grid=replace(GRID, width=16, height=16))
    with services.memory.taking(100_000, alternative=""), pytest.raises(ServerBusy):
        render_animation(replace(REQUEST, map_request=small, format=format), services)

    assert refused.value.locator == "width"
    assert services.readers["s2"].windows_read == []
