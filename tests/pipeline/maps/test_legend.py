"""Legends: what there is to tell of a style on a layer."""

import dataclasses
import io

import orjson
import pytest
from PIL import Image

from chronotile.model.request import LegendRequest
from chronotile.model.style import Colour
from chronotile.pipeline.maps.legend import draw_legend, legend_pixels
from tests.protocols import served

WITH_FLAGS = dataclasses.replace(served.STEPS, flags=(("cloud", Colour(255, 255, 255)), ("water", Colour(0, 0, 255))))


def legend(layer, extension="json"):
    services = served.make_services(served.make_collection(layer))
    return draw_legend(LegendRequest(layer=layer.id), extension, services).body


def test_only_flags_that_the_variable_has_are_told():
    variable = served.make_variable(flags=((254, "water"),))
    layer = served.make_layer(variable=variable, styles=(WITH_FLAGS,))

    assert [flag["name"] for flag in orjson.loads(legend(layer))["flags"]] == ["water"]


def test_a_composite_tells_which_variable_is_which_colour():
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
def test_the_advertised_size_is_that_of_the_picture(layer):
    picture = Image.open(io.BytesIO(legend(layer, "png")))

    assert picture.size == legend_pixels(layer, layer.styles[0])
