"""Legends: the description of a style on a layer."""

import dataclasses
import io

import orjson
import pytest
from PIL import Image

from chronotile.core.model.request import PICTURE_REDUCERS, LegendRequest, MapRequest
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.style import Colour
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.maps.legend import draw_legend, legend_pixels
from tests.protocols import served

WITH_FLAGS = dataclasses.replace(served.STEPS, flags=(("cloud", Colour(255, 255, 255)), ("water", Colour(0, 0, 255))))


def legend(layer, extension="json"):
    services = served.make_services(served.make_collection(layer))
    return draw_legend(LegendRequest(layer=layer.id), extension, services).body


def test_only_flags_of_the_variable_are_listed():
    variable = served.make_variable(flags=((254, "water"),))
    layer = served.make_layer(variable=variable, styles=(WITH_FLAGS,))

    assert [flag["name"] for flag in orjson.loads(legend(layer))["flags"]] == ["water"]


@pytest.mark.parametrize("reducer", PICTURE_REDUCERS)
def test_flags_are_listed_if_pictures_of_several_times_have_them(reducer):
    """Cells of row 1: numbers 3 to 253 at column 0 … 5, and 40 more at each time; both dates are clouds at column 0."""
    variable = served.make_variable(flags=((3, "cloud"), (43, "cloud")))
    services = served.make_services(served.make_collection(served.make_layer(variable=variable, styles=(WITH_FLAGS,))))
    cell = Grid(crs=served.BELGIUM_31N.crs, bbox=BBox(600_000, 5_649_800, 600_100, 5_649_900), width=1, height=1)
    request = MapRequest(layer="NDVI", grid=cell, time=parse_time("2020-05-21/2020-06-01"), reducer=reducer)

    picture = Image.open(io.BytesIO(served.draw_map(request, services).body)).convert("RGBA")
    flags = orjson.loads(draw_legend(LegendRequest(layer="NDVI", reducer=reducer), "json", services).body)["flags"]

    is_painted = picture.getpixel((0, 0)) == (255, 255, 255, 255)
    assert is_painted == (reducer in {"latest", "clearest"})
    assert [flag["name"] for flag in flags] == (["cloud"] if is_painted else [])


def test_composite_shows_the_variable_of_each_colour():
    document = orjson.loads(legend(served.make_composite()))

    assert document["type"] == "classes"
    assert [(each["color"], each["label"]) for each in document["classes"]] == [
        ("#ff0000", "RED"),
        ("#00a000", "GREEN"),
        ("#0000ff", "BLUE"),
    ]


@pytest.mark.parametrize(
    "layer", [served.make_layer(styles=(WITH_FLAGS,)), served.make_composite()], ids=["ramp", "composite"]
)
def test_advertised_size_is_that_of_the_picture(layer):
    picture = Image.open(io.BytesIO(legend(layer, "png")))

    assert picture.size == legend_pixels(layer, layer.styles[0])
