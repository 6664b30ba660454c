"""Maps drawn in strips equal the same maps drawn whole, in each pixel and value."""

import dataclasses
import io
import math
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from rasterio.io import MemoryFile

from chronotile.catalog.limits import Limits
from chronotile.core.errors import ClientGone, LimitExceeded
from chronotile.core.model import picture
from chronotile.core.model.formats import VALUE_FORMATS, MapFormat
from chronotile.core.model.request import Backdrop, Colouring, MapRequest
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.parser import parse_time
from chronotile.core.warp import strips as warp_strips
from chronotile.pipeline.caches import answer_memory
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from chronotile.pipeline.maps import rasters as map_rasters
from chronotile.pipeline.maps.memory import map_bytes
from chronotile.pipeline.maps.render import overlay_maps
from chronotile.pipeline.maps.resolve import resolve_map
from chronotile.pipeline.services import make_caches
from tests.protocols import served
from tests.running import PATIENCE_S, until

GRIDS = {
    "cells": Grid(crs=crs_of("EPSG:32631"), bbox=BBox(601_000, 5_640_000, 607_200, 5_646_200), width=62, height=62),
    "warped": Grid(crs=crs_of("EPSG:3857"), bbox=BBox(480_000, 6_590_000, 510_000, 6_630_000), width=90, height=120),
    "mostly beside": Grid(crs=crs_of("EPSG:4326"), bbox=BBox(2.0, 48.0, 7.0, 52.0), width=150, height=130),
}
PERIOD = "2020-06-01/2020-06-30"


def draw(monkeypatch, request, *, strips, services=None):
    """Draw whole like a tile, or in strips of some rows."""
    few = 400 if strips else 1 << 30
    monkeypatch.setattr(warp_strips, "WHOLE_PIXELS", few)
    monkeypatch.setattr(warp_strips, "STRIP_PIXELS", few)
    monkeypatch.setattr(picture, "STRIP_PIXELS", few)
    return served.draw_map(request, services or served.make_services())


def decoded(payload):
    """Pixels, of any format."""
    if payload.media_type == "application/x-npy":
        return np.load(io.BytesIO(payload.body))
    if payload.media_type in {"image/tiff", "image/geotiff"}:
        with MemoryFile(payload.body) as memory, memory.open() as file:
            return file.read()
    return np.asarray(Image.open(io.BytesIO(payload.body)).convert("RGBA"))


def require_same(monkeypatch, request, services=None):
    services = services or served.make_services()
    whole = draw(monkeypatch, request, strips=False, services=services)
    services = dataclasses.replace(services, caches=make_caches(payload_bytes=0))
    in_strips = draw(monkeypatch, request, strips=True, services=services)

    assert in_strips.etag == whole.etag
    np.testing.assert_array_equal(decoded(in_strips), decoded(whole))
    return decoded(whole)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("format", MapFormat)
def test_any_format_has_the_same_pixels(format, grid, monkeypatch):
    request = MapRequest(layer="NDVI", grid=GRIDS[grid], time=parse_time("2020-06-11"), format=format)

    assert np.unique(require_same(monkeypatch, request)).size > 1


@pytest.mark.parametrize("is_held", [True, False])
@pytest.mark.parametrize("reducer", ["latest", "earliest", "max", "min", "mean", "median"])
@pytest.mark.parametrize("grid", GRIDS)
def test_any_reducer_has_the_same_pixels(grid, reducer, is_held, monkeypatch):
    monkeypatch.setattr(map_rasters, "REDUCED_BYTES", 1000 if is_held else 0)
    request = MapRequest(layer="NDVI", grid=GRIDS[grid], time=parse_time(PERIOD), reducer=reducer)

    require_same(monkeypatch, request)


@pytest.mark.parametrize(
    "members",
    [
        {"style": "reds"},
        {"range": (0.0, 100.0)},
        {"ramp": "reds"},
        {"background": (1, 2, 3)},
        {"background": (1, 2, 3), "format": MapFormat.GEOTIFF},
        {"background": Backdrop(colour=(9, 8, 7, 255), void=(1, 2, 3, 255))},
        {"own_style": dataclasses.replace(served.STEPS, range=(0.0, 99.0))},
        {"colouring": Colouring(is_stretched=True)},
        {"difference": parse_time("2020-06-01")},
        {"difference": parse_time("2020-06-01"), "colouring": Colouring(is_stretched=True)},
        {"expression": "NDVI * 2"},
    ],
    ids=str,
)
def test_any_colouring_has_the_same_pixels(members, monkeypatch):
    request = MapRequest(layer="NDVI", grid=GRIDS["warped"], time=parse_time("2020-06-21"), **members)

    require_same(monkeypatch, request)


@pytest.mark.parametrize("format", [each for each in MapFormat if each not in VALUE_FORMATS])
@pytest.mark.parametrize("time", ["2020-06-11", PERIOD])
def test_composites_have_the_same_pixels(time, format, monkeypatch):
    services = served.make_services(served.make_collection(served.make_composite()))
    request = MapRequest(layer="TRUE_COLOUR", grid=GRIDS["warped"], time=parse_time(time), format=format)

    require_same(monkeypatch, request, services)


def test_overlaid_layers_have_the_same_pixels(monkeypatch):
    requests = [
        MapRequest(layer="NDVI", grid=GRIDS["warped"], time=parse_time(time)) for time in ("2020-06-01", "2020-06-21")
    ]
    bodies = []
    for few in (1 << 30, 400):
        for module in (warp_strips, picture):
            monkeypatch.setattr(module, "STRIP_PIXELS", few)
        monkeypatch.setattr(warp_strips, "WHOLE_PIXELS", few)
        bodies.append(decoded(overlay_maps(requests, served.make_services())))

    np.testing.assert_array_equal(*bodies)


def test_a_map_of_a_single_time_is_read_once(monkeypatch):
    services = served.make_services()
    services.readers["s2"].windows_read.clear()

    draw(
        monkeypatch,
        MapRequest(layer="NDVI", grid=GRIDS["warped"], time=parse_time("2020-06-11")),
        strips=True,
        services=services,
    )

    assert len(services.readers["s2"].windows_read) == 1


def test_newest_values_are_read_from_no_more_dates_than_strips_need(monkeypatch):
    read = {}
    for strips in (False, True):
        services = served.make_services()
        services.readers["s2"].windows_read.clear()
        request = MapRequest(layer="NDVI", grid=GRIDS["cells"], time=parse_time(PERIOD))
        draw(monkeypatch, request, strips=strips, services=services)
        read[strips] = len(services.readers["s2"].windows_read)

    assert read[True] == read[False]


def test_a_map_that_takes_more_memory_than_a_worker_has_is_refused_before_it_is_read():
    services = dataclasses.replace(served.make_services(), memory=AnswerMemory(9 << 20))
    services.readers["s2"].windows_read.clear()
    grid = dataclasses.replace(GRIDS["warped"], width=1200, height=1200)

    with pytest.raises(LimitExceeded, match="request a smaller picture") as refused:
        served.draw_map(MapRequest(layer="NDVI", grid=grid, time=parse_time("2020-06-11")), services)

    assert refused.value.locator == "width"

    assert services.readers["s2"].windows_read == []
    assert services.memory.taken_bytes == 0


@pytest.mark.quick_cases("image/png", "image/geotiff")
@pytest.mark.parametrize("format", MapFormat)
def test_a_map_of_as_many_pixels_as_a_refusal_names_fits(format):
    allowed = 64 << 20
    services = dataclasses.replace(served.make_services(), memory=AnswerMemory(allowed))
    grid = dataclasses.replace(GRIDS["warped"], width=4096, height=4096)
    request = MapRequest(layer="NDVI", grid=grid, time=parse_time(PERIOD), format=format)
    services.readers["s2"].windows_read.clear()

    with pytest.raises(LimitExceeded, match="image/png takes least") as refused:
        served.draw_map(request, allowing_many_dates(services))
    side = math.isqrt(int(re.search(r"about (\d+) pixels", refused.value.alternative)[1]))
    smaller = dataclasses.replace(request, grid=dataclasses.replace(grid, width=side, height=side))

    assert map_bytes([smaller], [resolve_map(smaller, allowing_many_dates(services))]) <= allowed
    assert services.readers["s2"].windows_read == []


@pytest.mark.parametrize("resampling", ["nearest", "bilinear"])
def test_a_tile_never_waits_for_the_memory_of_large_maps(resampling):
    services = served.make_services(served.make_collection(served.make_layer("NDVI", resampling=resampling)))
    grid = dataclasses.replace(GRIDS["warped"], width=256, height=256)
    request = MapRequest(layer="NDVI", grid=grid, time=parse_time("2020-06-11"))

    assert 0 < map_bytes([request], [resolve_map(request, services)]) <= answer_memory.SMALL_BYTES


def allowing_many_dates(services):
    """Services that allow many dates of a large picture."""
    limits = Limits(max_cube_values=1 << 40)
    return dataclasses.replace(services, catalogue=dataclasses.replace(services.catalogue, limits=limits))


def test_map_is_made_for_a_waiting_client_though_the_first_one_left(monkeypatch):
    monkeypatch.setattr(answer_memory, "SMALL_BYTES", 0)
    monkeypatch.setattr(answer_memory, "LOOK_S", 0.01)
    services = dataclasses.replace(served.make_services(), memory=AnswerMemory(16 << 20))
    payloads, memory = services.caches.payloads, services.memory
    request = MapRequest(layer="NDVI", grid=GRIDS["cells"], time=parse_time("2020-06-11"))

    with ThreadPoolExecutor(2) as clients:
        with memory.taking(16 << 20, alternative=""):
            first = clients.submit(served.draw_map, request, services, is_active=lambda: payloads.state.misses < 2)
            until(lambda: memory.waiting == 1)
            second = clients.submit(served.draw_map, request, services, is_active=lambda: True)
            with pytest.raises(ClientGone):
                first.result(PATIENCE_S)
        body = second.result(PATIENCE_S).body

    assert body == served.draw_map(request, served.make_services()).body
