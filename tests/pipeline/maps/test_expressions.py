"""Expressions and reducers, from a request to a picture or values."""

import dataclasses
import io

import numpy as np
import pytest

from chronotile.catalog.limits import Limits
from chronotile.core.errors import InvalidParameter, LimitExceeded, SourceUnavailable
from chronotile.core.model.formats import MapFormat
from chronotile.core.model.request import PICTURE_REDUCERS
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.style import Colour, Style, StyleClass
from tests.pipeline.maps.test_render import AREA, NATIVE, request, rgba
from tests.protocols import served

INTERVAL = "2020-05-21/2020-06-30"


def values(payload):
    return np.load(io.BytesIO(payload.body))


def ask(services, layer="NDVI", **members):
    return values(served.draw_map(request(layer, format=MapFormat.NPY, **members), services))


def numbers_at(time):
    numbers = served.expected_numbers(NATIVE, AREA, time).astype(float)
    return np.where(numbers == served.NODATA, np.nan, numbers)


def bands(**members):
    """RED and NIR of one collection, and SHORT with the last two dates only."""
    short = served.make_variable("SHORT", times=served.days_of("2020-06-11", "2020-06-21"))
    layers = [served.make_layer("RED"), served.make_layer("NIR", variable=served.make_variable("NIR", scale=0.5))]
    return served.make_services(served.make_collection(*layers, served.make_layer("SHORT", variable=short)), **members)


@pytest.mark.parametrize(
    ("reducer", "truth"), [("max", np.max), ("min", np.min), ("mean", np.mean), ("median", np.median)]
)
def test_an_interval_is_reduced(reducer, truth):
    result = ask(served.make_services(), time=INTERVAL, reducer=reducer)

    cube = np.stack([numbers_at(time) for time in range(4)])
    np.testing.assert_allclose(result, truth(cube, axis=0).astype("float32"))


@pytest.mark.parametrize(("reducer", "time"), [("latest", 3), ("earliest", 0)])
def test_end_of_an_interval_is_shown(reducer, time):
    np.testing.assert_array_equal(ask(served.make_services(), time=INTERVAL, reducer=reducer), numbers_at(time))


def test_a_mean_has_the_colours_of_its_values():
    picture = rgba(served.draw_map(request(time=INTERVAL, reducer="mean"), served.make_services()))

    mean = np.mean([numbers_at(time) for time in range(4)], axis=0)
    assert np.abs(picture[..., 0] - mean)[~np.isnan(mean)].max() <= 1


def test_reducers_of_an_interval_have_separate_etags():
    services = served.make_services()

    etags = {served.draw_map(request(time=INTERVAL, reducer=reducer), services).etag for reducer in PICTURE_REDUCERS}

    assert len(etags) == len(PICTURE_REDUCERS)


def test_reducers_of_one_time_are_one_answer():
    services = served.make_services()

    answers = [served.draw_map(request(time="2020-06-11", reducer=reducer), services) for reducer in PICTURE_REDUCERS]

    assert len({answer.etag for answer in answers}) == len({answer.body for answer in answers}) == 1


def test_a_reducer_is_bounded_in_dates_times_pixels():
    services = served.make_services(limits=Limits(max_cube_values=3 * 1024))

    with pytest.raises(LimitExceeded, match="max_cube_values"):
        served.draw_map(request(time=INTERVAL, reducer="median"), services)

    assert services.readers["s2"].windows_read == []


@pytest.mark.parametrize("reducer", ["mean", "median"])
def test_classes_have_no_mean(reducer):
    classes = Style(id="classes", title="", range=(1, 2), classes=(StyleClass(1, Colour(1, 2, 3), "one"),))
    services = served.make_services(served.make_collection(served.make_layer(styles=(classes,))))

    with pytest.raises(InvalidParameter, match=f"classes, which have no {reducer}") as caught:
        served.draw_map(request(time=INTERVAL, reducer=reducer), services)

    assert caught.value.locator == "reducer"


def test_a_composite_is_reduced_variable_by_variable():
    services = served.make_services(served.make_collection(served.make_composite()))

    picture = rgba(served.draw_map(request("TRUE_COLOUR", time=INTERVAL, reducer="max"), services))

    highest = np.max([numbers_at(time) for time in range(4)], axis=0)
    assert np.abs(picture[..., 1] - highest / 250 * 255)[~np.isnan(highest)].max() <= 1


def test_expression_replaces_the_layer():
    result = ask(bands(), "RED", time="2020-06-11", expression="(NIR - RED) / (NIR + RED + 1)")

    red = numbers_at(2)
    np.testing.assert_allclose(result, (red / 2 - red) / (red / 2 + red + 1), rtol=1e-6)


def test_an_expression_is_painted_in_the_layers_style():
    services = bands()

    picture = rgba(served.draw_map(request("RED", time="2020-06-11", expression="NIR * 2", style="reds"), services))

    expected = rgba(served.draw_map(request("RED", time="2020-06-11", style="reds"), services))
    assert np.abs(picture.astype(int) - expected).max() <= 1


def test_an_expression_has_the_times_that_all_its_variables_have():
    payload = served.draw_map(request("RED", time=INTERVAL, expression="RED + SHORT", reducer="mean"), bands())

    assert [str(instant)[:10] for instant in payload.time.instants] == ["2020-06-21", "2020-06-11"]


def test_an_expression_is_reduced_over_an_interval():
    result = ask(bands(), "RED", time=INTERVAL, expression="RED + SHORT", reducer="max")

    cube = np.stack([numbers_at(2) + numbers_at(0), numbers_at(3) + numbers_at(1)])
    np.testing.assert_array_equal(result, cube.max(axis=0))


def test_a_composites_collection_can_be_computed_with():
    services = served.make_services(served.make_collection(served.make_composite()))

    result = ask(services, "TRUE_COLOUR", time="2020-06-11", expression="RED + BLUE")

    np.testing.assert_array_equal(result, 2 * numbers_at(2))


def test_expressions_have_separate_etags_independent_of_spaces():
    services = bands()
    texts = (None, "RED + NIR", " RED+NIR ", "(RED + NIR)", "RED - NIR")

    etags = [served.draw_map(request("RED", expression=text), services).etag for text in texts]

    assert len(set(etags)) == 3
    assert etags[1] == etags[2] == etags[3]


def test_a_new_revision_of_an_operand_is_a_new_etag():
    services = bands()
    before = served.draw_map(request("RED", expression="RED + NIR"), services).etag

    services.readers["s2"].revisions["NIR"] = "r2"

    assert served.draw_map(request("RED", expression="RED + NIR"), services).etag != before


@pytest.mark.parametrize("text", ["RED.tofile", "BLUE + 1", "1", "open(RED)", "RED[0]", "="])
def test_invalid_expression_is_refused_before_reading(text):
    services = bands()

    with pytest.raises(InvalidParameter) as caught:
        served.draw_map(request("RED", expression=text), services)

    assert caught.value.locator == "expression"
    assert services.readers["s2"].windows_read == []


def test_variables_of_another_collection_are_not_those_of_the_layer():
    other = served.make_collection(served.make_layer("BLUE", collection="other"))
    services = served.make_services(served.make_collection(served.make_layer("RED")), other)

    with pytest.raises(InvalidParameter, match="'BLUE' is not a variable of the collection"):
        served.draw_map(request("RED", expression="RED + BLUE"), services)


def test_variables_of_different_grids_are_refused():
    coarse = NativeGrid(crs=NATIVE.crs, transform=NATIVE.transform @ NATIVE.transform.scale(2), width=200, height=150)
    layers = served.make_layer("RED"), served.make_layer("COARSE", variable=served.make_variable("COARSE", grid=coarse))
    services = served.make_services(served.make_collection(*layers))

    with pytest.raises(InvalidParameter, match="different grids"):
        served.draw_map(request("RED", expression="RED + COARSE"), services)


def test_an_operand_that_cannot_be_read_names_the_layer():
    with pytest.raises(SourceUnavailable, match="layer RED"):
        served.draw_map(request("RED", expression="RED + NIR"), bands(broken=["NIR"]))


def test_an_expression_over_a_bilinear_layer_is_resampled_so():
    services = bands()
    smooth = tuple(
        dataclasses.replace(layer, resampling="bilinear") for layer in services.catalogue.collections[0].layers
    )
    collection = dataclasses.replace(services.catalogue.collections[0], layers=smooth)
    services = dataclasses.replace(
        services, catalogue=dataclasses.replace(services.catalogue, collections=(collection,))
    )
    half = dataclasses.replace(AREA, width=64, height=64)

    result = ask(services, "RED", grid=half, expression="RED * 1")

    np.testing.assert_array_equal(result, np.rint(result * 16) / 16)  # quarters of quarters of whole numbers
    assert not np.isin(result, np.arange(256)).all()
