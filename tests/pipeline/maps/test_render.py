"""From a map request to an encoded picture."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from chronotile.catalog.limits import Limits
from chronotile.core.errors import (
    InvalidParameter,
    LimitExceeded,
    SourceUnavailable,
    TimeNotAvailable,
    UnknownLayer,
    UnknownStyle,
)
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.raster import Pixels
from chronotile.core.model.request import Colouring, MapRequest
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.style import Colour, Style, StyleClass
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.revision import describe_part
from chronotile.pipeline.services import make_caches
from tests.protocols import served

NATIVE = served.BELGIUM_31N
UTM = crs_of("EPSG:32631")
AREA = Grid(crs=UTM, bbox=BBox(601_000, 5_640_000, 604_200, 5_643_200), width=32, height=32)
"""Native cells: 100 m."""
STRETCHED = Colouring(is_stretched=True)


def request(layer="NDVI", *, grid=AREA, time=None, **members):
    return MapRequest(layer=layer, grid=grid, time=parse_time(time), **members)


def rgba(payload):
    return np.asarray(Image.open(io.BytesIO(payload.body)).convert("RGBA"))


def test_a_picture_has_the_colours_of_the_formula():
    payload = served.draw_map(request(time="2020-06-11"), served.make_services())

    assert payload.media_type == "image/png"
    assert np.array_equal(rgba(payload), served.expected_rgba(NATIVE, AREA, 2))


def test_used_instant_is_returned():
    payload = served.draw_map(request(), served.make_services())

    assert [str(instant)[:10] for instant in payload.time.instants] == ["2020-06-21"]
    assert payload.time.substitution == "default"


def test_matching_etag_is_confirmed_without_reading_pixels():
    services = served.make_services()
    etag = served.draw_map(request(), services).etag
    services.readers["s2"].windows_read.clear()

    payload = served.draw_map(request(), services, client_etags={etag})

    assert payload.unchanged
    assert payload.body == b""
    assert services.readers["s2"].windows_read == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"time": "2020-06-11"}),
        ({}, {"style": "reds"}),
        ({}, {"format": MapFormat.WEBP}),
        ({}, {"range": (0.0, 100.0)}),
        ({}, {"ramp": "reds"}),
        ({}, {"background": (1, 2, 3)}),
        ({}, {"own_style": dataclasses.replace(served.STEPS, range=(0.0, 99.0))}),
        ({}, {"grid": dataclasses.replace(AREA, width=33)}),
        ({}, {"grid": dataclasses.replace(AREA, crs=crs_of("EPSG:32632"))}),
        ({}, {"colouring": Colouring(is_reversed=True)}),
        ({}, {"colouring": STRETCHED}),
        ({"colouring": STRETCHED}, {"colouring": dataclasses.replace(STRETCHED, is_reversed=True)}),
        ({}, {"difference": parse_time("2020-06-11")}),
        ({"difference": parse_time("2020-06-11")}, {"difference": parse_time("2020-06-01")}),
        (
            {"time": "2020-06-11/2020-06-21", "difference": parse_time("2020-06-01")},
            {"time": "2020-06-21", "difference": parse_time("2020-06-01/2020-06-11")},
        ),
        ({"time": "2020-06", "reducer": "mean"}, {"time": "2020-06", "reducer": "max"}),
    ],
    ids=lambda members: ", ".join(members) or "nothing",
)
def test_etag_depends_on_everything_that_changes_the_picture(one, other):
    services = served.make_services()

    assert served.draw_map(request(**other), services).etag != served.draw_map(request(**one), services).etag


def test_current_and_its_instant_are_one_etag_today():
    services = served.make_services()

    etags = {
        served.draw_map(request(time=text), services).etag for text in (None, "current", "2020-06-21", "2020-06-21T09Z")
    }

    assert len(etags) == 1


def test_a_new_revision_of_the_pixels_is_a_new_etag():
    services = served.make_services()
    before = served.draw_map(request(), services).etag

    services.readers["s2"].revisions["NDVI"] = "r2"

    assert served.draw_map(request(), services).etag != before


def test_new_revision_of_the_subtracted_date_changes_the_etag():
    services = served.make_services()
    change = request(time="2020-06-21", difference=parse_time("2020-06-11"))
    before = served.draw_map(change, services).etag

    services.readers["s2"].replaced[2] = "r2"

    assert served.draw_map(change, services).etag != before


def test_a_source_that_fails_names_the_layer():
    services = served.make_services(broken=["NDVI"])

    with pytest.raises(SourceUnavailable, match="layer NDVI"):
        served.draw_map(request(), services)


def test_outside_the_data_a_picture_is_transparent():
    beside = Grid(crs=UTM, bbox=BBox(0, 0, 3200, 3200), width=32, height=32)

    assert not rgba(served.draw_map(request(grid=beside), served.make_services())).any()


class CloudyReader(served.FormulaReader):
    """Every time has values in its own columns only: those whose number modulo 4 is its index."""

    def read_window(self, variable, *, index, level, window, step=1):
        pixels = super().read_window(variable, index=index, level=level, window=window, step=step)
        columns = np.arange(window.column_start, window.column_stop, step)
        return Pixels(np.where(columns % 4 == index, pixels.numbers, served.NODATA).astype(np.uint8))


def cloudy_services():
    services = served.make_services()
    reader = CloudyReader(services.readers["s2"].info)
    return dataclasses.replace(services, readers={"s2": reader}), reader


def test_an_interval_shows_each_pixels_newest_valid_value():
    services, _ = cloudy_services()

    picture = rgba(served.draw_map(request(time="2020-06-01/2020-06-30"), services))

    columns = np.arange(10, 42)
    expected = np.stack([served.expected_rgba(NATIVE, AREA, time)[:, i] for i, time in enumerate(columns % 4)], axis=1)
    expected[:, columns % 4 == 0] = 0  # the first time is before the interval
    assert np.array_equal(picture, expected)


def test_interval_is_read_no_further_back_than_needed():
    services = served.make_services()

    payload = served.draw_map(request(time="2020-05/2020-06"), services)

    assert len(services.readers["s2"].windows_read) == 1
    assert len(payload.time.instants) == 4


def test_a_range_stretches_the_ramp():
    services = served.make_services()

    picture = rgba(served.draw_map(request(time="2020-06-11", range=(0.0, 125.0)), services))

    numbers = served.expected_numbers(NATIVE, AREA, 2)
    assert np.abs(picture[..., 0].astype(int) - np.minimum(numbers.astype(int) * 2, 250)).max() <= 1


def test_a_ramp_replaces_the_colours():
    services = served.make_services()

    assert np.array_equal(
        rgba(served.draw_map(request(ramp="reds"), services)), rgba(served.draw_map(request(style="reds"), services))
    )


def test_a_composite_is_painted_of_its_three_variables():
    services = served.make_services(served.make_collection(served.make_composite()))

    picture = rgba(served.draw_map(request("TRUE_COLOUR", time="2020-06-11"), services))

    numbers = served.expected_numbers(NATIVE, AREA, 2)
    valid = numbers != served.NODATA
    assert np.array_equal(picture[..., 3] > 0, valid)
    assert np.abs(picture[..., 1].astype(float) - numbers / 250 * 255)[valid].max() <= 1


@pytest.mark.parametrize(
    ("members", "error", "locator"),
    [
        ({"layer": "NDVY"}, UnknownLayer, "layer"),
        ({"style": "blues"}, UnknownStyle, "style"),
        ({"ramp": "blues"}, UnknownStyle, "ramp"),
        ({"time": "2020-06-12"}, TimeNotAvailable, "time"),
    ],
)
def test_unknown_name_is_an_error_with_the_nearest_names(members, error, locator):
    with pytest.raises(error, match=r"NDVI|steps|2020-06-11") as caught:
        served.draw_map(request(**members), served.make_services())

    assert caught.value.locator == locator


def test_classes_take_no_range():
    classes = Style(id="classes", title="", range=(1, 1), classes=(StyleClass(1, Colour(1, 2, 3), "one"),))
    services = served.make_services(served.make_collection(served.make_layer(styles=(classes,))))

    with pytest.raises(InvalidParameter, match="classes"):
        served.draw_map(request(range=(0.0, 1.0)), services)


def test_a_picture_past_the_limit_is_refused_before_reading():
    services = served.make_services(limits=Limits(max_pixels=1000))

    with pytest.raises(LimitExceeded) as caught:
        served.draw_map(request(), services)

    assert (caught.value.limit, caught.value.allowed, caught.value.needed) == ("max_pixels", 1000, 1024)
    assert services.readers["s2"].windows_read == []


@pytest.mark.parametrize(("width", "height"), [(65_536, 1), (1, 65_536)])
def test_a_picture_of_a_long_side_is_refused_before_reading(width, height):
    services = served.make_services()

    with pytest.raises(LimitExceeded, match="pixels per side"):
        served.draw_map(request(grid=dataclasses.replace(AREA, width=width, height=height)), services)

    assert services.readers["s2"].windows_read == []


def test_an_interval_of_too_many_pixels_is_refused_before_reading():
    services = served.make_services(limits=Limits(max_cube_values=3000))

    with pytest.raises(LimitExceeded, match=r"max_cube_values: at most 3000, .*; of maps it limits pixels, or cells"):
        served.draw_map(request(time="2020"), services)


def test_a_map_of_one_date_is_limited_by_its_pixels_alone():
    services = served.make_services(limits=Limits(max_cube_values=1023))

    payload = served.draw_map(request(time="2020-06-11"), services)

    assert rgba(payload).shape[:2] == (32, 32)


def test_an_alias_names_the_layer():
    collection = served.varied_collections()[0]
    services = served.make_services(collection)

    assert served.draw_map(request("CGS_S2_NDVI"), services).etag == served.draw_map(request("NDVI"), services).etag


def test_the_same_picture_is_drawn_once():
    services = served.make_services()
    first = served.draw_map(request(), services)
    services.readers["s2"].windows_read.clear()

    again = served.draw_map(request(time="current"), services)

    assert again.body == first.body
    assert services.readers["s2"].windows_read == []


def test_another_date_of_a_tile_is_warped_by_the_same_plan():
    services = served.make_services()

    pictures = [rgba(served.draw_map(request(time=f"2020-06-{day}"), services)) for day in ("01", "11")]

    assert services.caches.plans.state.entries == services.caches.plans.state.hits == 1
    assert np.array_equal(pictures[1], served.expected_rgba(NATIVE, AREA, 2))


def test_cache_of_tiles_outside_is_bounded():
    services = dataclasses.replace(served.make_services(), caches=make_caches(plan_bytes=10_000))

    for x in range(50):
        served.draw_map(request(grid=Grid(crs=UTM, bbox=BBox(x, 0, x + 3200, 3200), width=32, height=32)), services)

    assert 0 < services.caches.plans.state.entries < 10


def test_styles_of_requests_are_not_cached():
    services = served.make_services()
    served.draw_map(request(), services)
    kept = describe_part.cache_info().currsize

    etags = {served.draw_map(request(own_style=replaced), services).etag for replaced in own_styles(20)}

    assert len(etags) == 20
    assert describe_part.cache_info().currsize == kept


def own_styles(count):
    return [dataclasses.replace(served.STEPS, range=(0.0, 100.0 + number)) for number in range(count)]


def test_the_steps_of_a_picture_are_timed():
    timing = served.draw_map(request(), served.make_services()).timing

    assert [name for name, _ in timing] == ["resolve", "warp", "read", "paint", "encode"]
    assert all(seconds >= 0 for _, seconds in timing)
