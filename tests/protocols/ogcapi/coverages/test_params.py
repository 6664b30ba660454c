"""The query of `/coverage` as a request for numbers."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.catalog.offered import offered_collection
from chronotile.core.errors import ChronotileError, InvalidParameter, UnknownParameter, UnknownPath, UnsupportedCrs
from chronotile.core.model.coverage import CoverageRequest, ScaleFactors, ScaleSize, Trim
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, crs_of
from chronotile.core.model.time.parser import parse_time
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.coverages.params import (
    OF_COVERAGE,
    CoverageQuery,
    PartialResolution,
    PartialSize,
    coverage_query,
    parse_coverage,
)
from tests.protocols import served

OTHER_GRID = served.make_layer("COARSE", variable=served.make_variable("COARSE", grid=served.FLANDERS_4326))
LAYERS = (served.make_layer(), served.make_layer("s2.LAI", variable=served.make_variable("LAI")), OTHER_GRID)
SERVICES = served.make_services(
    served.make_collection(*LAYERS, served.make_composite()), *served.tree_collections()[1:]
)


def asked(collection: str = "s2", *pairs: tuple[str, str], **others: str) -> CoverageQuery:
    query = coverage_query([*pairs, *((name.replace("_", "-"), text) for name, text in others.items())])
    return parse_coverage(query, offered_collection(SERVICES.catalogue, collection), SERVICES.catalogue)


def request_of(collection: str = "s2", *pairs: tuple[str, str], **others: str) -> CoverageRequest:
    return asked(collection, *pairs, **others).request


def test_default_is_all_fields_everywhere_at_all_times():
    assert asked() == CoverageQuery(request=CoverageRequest(layers=("NDVI", "s2.LAI")), scaling=None)


@pytest.mark.parametrize(
    ("text", "layers"),
    [
        ("LAI", ("s2.LAI",)),
        ("s2.LAI", ("s2.LAI",)),
        ("LAI,NDVI", ("s2.LAI", "NDVI")),
        (" LAI , NDVI ,LAI", ("s2.LAI", "NDVI")),
        ("", ("NDVI", "s2.LAI")),
    ],
)
def test_properties_name_fields_in_the_order_of_the_answer(text, layers):
    assert request_of(properties=text).layers == layers


def test_excluded_properties_are_absent():
    assert request_of(exclude_properties="NDVI").layers == ("s2.LAI",)


def test_of_many_fields_a_message_names_the_first():
    layers = [served.make_layer(f"B{number}") for number in range(600)]
    catalogue = served.make_services(served.make_collection(*layers)).catalogue

    with pytest.raises(InvalidParameter, match=r"accepted are B0, B1, .*B11 and others$"):
        parse_coverage(coverage_query([("properties", "nope")]), offered_collection(catalogue, "s2"), catalogue)


def test_a_layer_is_a_collection_of_one_field():
    assert request_of("s2.LAI", properties="LAI").layers == ("s2.LAI",)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("properties", "FAPAR", "accepted are NDVI, LAI"),
        ("properties", "ndvi", "accepted are NDVI, LAI"),
        ("properties", "NDVI,", "field ''"),
        ("properties", "TRUE_COLOUR", "accepted are NDVI, LAI"),
        ("properties", "COARSE", "use collection COARSE"),
        ("exclude-properties", "FAPAR", "accepted are NDVI, LAI"),
        ("exclude-properties", "NDVI,LAI", "leaves no field"),
    ],
)
def test_other_fields_are_refused_naming_the_parameter(name, text, message):
    with pytest.raises(InvalidParameter, match=message) as refused:
        request_of("s2", (name, text))

    assert refused.value.locator == name


def test_colours_are_no_coverage():
    with pytest.raises(UnknownPath, match="TRUE_COLOUR is not a coverage") as refused:
        request_of("TRUE_COLOUR", properties="RED")

    assert refused.value.locator == "collectionId"


def test_box_is_a_trim():
    trims = request_of(bbox="4,50,5,51").trims

    assert trims == (Trim(box=BBox(4, 50, 5, 51), crs=CRS84, locator="bbox"),)


def test_box_is_in_the_axis_order_of_its_crs():
    trims = request_of(bbox="3000000,4000000,3000100,4000200", bbox_crs="[EPSG:3035]").trims

    assert trims == (Trim(box=BBox(4_000_000, 3_000_000, 4_000_200, 3_000_100), crs=crs_of("EPSG:3035")),)


def test_subset_is_a_trim_and_a_time():
    request = request_of("s2", ("subset", "Lat(50:51)"), ("subset", "Lon(4:5)"), ("SUBSET", 'time("2020-06")'))

    assert request.trims == (Trim(box=BBox(4, 50, 5, 51), crs=CRS84, locator="subset"),)
    assert request.time == parse_time("2020-06")


def test_datetime_selects_times():
    assert request_of(datetime="2020-06-01/..").time == parse_time("2020-06-01/..")


@pytest.mark.parametrize(
    ("others", "locator"),
    [
        ({"bbox": "4,50,5,51", "subset": "Lat(50:51)"}, "subset"),
        ({"datetime": "2020-06-01", "subset": 'time("2020-06-01")'}, "datetime"),
        ({"scale_factor": "2", "scale_size": "Lat(10)"}, "scale-factor"),
        ({"scale_axes": "Lat(2)", "width": "10"}, "scale-axes"),
        ({"height": "10", "resolution": "Lat(2)"}, "height"),
    ],
    ids=["box", "time", "factor", "axes", "height"],
)
def test_contradiction_is_refused_with_both_parameters(others, locator):
    with pytest.raises(InvalidParameter, match=r" and .* (both|each)") as refused:
        request_of(**others)

    assert refused.value.locator == locator


def test_box_and_time_of_subset_go_together():
    request = request_of(bbox="4,50,5,51", subset='time("2020-06-01")')

    assert (len(request.trims), request.time) == (1, parse_time("2020-06-01"))


@pytest.mark.parametrize(
    ("others", "locator"),
    [
        ({"bbox": "4,-91,5,51"}, "bbox"),
        ({"bbox": "50,160,51,161"}, "bbox"),
        ({"bbox": "4,50,1e300,51"}, "bbox"),
        ({"bbox": "160,4,161,5", "bbox_crs": "EPSG:4326"}, "bbox"),
        ({"subset": "Lat(91:*)"}, "subset"),
        ({"subset": "Lon(-361:4)"}, "subset"),
    ],
)
def test_invalid_degrees_are_refused(others, locator):
    with pytest.raises(InvalidParameter, match=r"has a (latitude|longitude) of") as refused:
        request_of(**others)

    assert refused.value.locator == locator


@pytest.mark.parametrize(
    ("text", "resampling"),
    [
        ("nearest", "nearest"),
        ("Nearest-Neighbor", "nearest"),
        ("nearest-neighbour", "nearest"),
        ("bilinear", "bilinear"),
        ("linear", "bilinear"),
        ("http://www.opengis.net/def/interpolation/OGC/1/linear", "bilinear"),
        ("", None),
    ],
)
def test_interpolation_is_how_cells_are_resampled(text, resampling):
    assert request_of(interpolation=text).resampling == resampling


def test_unknown_interpolation_is_refused():
    with pytest.raises(InvalidParameter, match="use nearest or bilinear") as refused:
        request_of(interpolation="cubic")

    assert refused.value.locator == "interpolation"


def test_crs_is_that_of_the_answer():
    assert request_of(crs="http://www.opengis.net/def/crs/EPSG/0/3035").crs == crs_of("EPSG:3035")


@pytest.mark.parametrize("name", ["crs", "bbox-crs", "subset-crs"])
@pytest.mark.parametrize("text", ["EPSG:9999", "x" * 5000, "http://example.org/crs", "[]"])
def test_unknown_crs_is_refused_naming_the_parameter(name, text):
    with pytest.raises(UnsupportedCrs) as refused:
        request_of("s2", (name, text))

    assert refused.value.locator == name


@pytest.mark.parametrize(
    ("others", "scaling"),
    [
        ({"scale_factor": "2"}, ScaleFactors(x=2, y=2)),
        ({"scalefactor": "0.5"}, ScaleFactors(x=0.5, y=0.5)),
        ({"scale_axes": "Lat(2),Lon(4)"}, ScaleFactors(x=4, y=2, locator="scale-axes")),
        ({"scale_axes": "x(2.5),time(1)"}, ScaleFactors(x=2.5, y=1, locator="scale-axes")),
        ({"scale_size": "Lat(100),Lon(200)"}, ScaleSize(width=200, height=100)),
        ({"scaleSize": "E(200.0),N(100)"}, ScaleSize(width=200, height=100)),
        ({"scale_size": "Lat(100)"}, PartialSize(width=None, height=100)),
        ({"width": "200", "height": "100"}, ScaleSize(width=200, height=100, locator="width")),
        ({"width": "200"}, ScaleSize(width=200, height=None, locator="width")),
        ({"height": "100"}, ScaleSize(width=None, height=100, locator="height")),
        ({"resolution": "Lat(0.5),Lon(0.25)"}, PartialResolution(x=0.25, y=0.5)),
        ({"resolution": "x(10),time()"}, PartialResolution(x=10, y=None)),
        ({"resolution": "Lat(),Lon()"}, PartialResolution(x=None, y=None)),
    ],
)
def test_scaling_determines_the_number_of_cells(others, scaling):
    assert asked(**others).scaling == scaling


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("scale-factor", "0", "must be from"),
        ("scale-factor", "-2", "must be from"),
        ("scale-factor", "nan", "finite number"),
        ("scale-factor", "1e300", "must be from"),
        ("scale-factor", "two", "finite number"),
        ("scale-axes", "2", "list of up to"),
        ("scale-axes", "Lat(0)", "must be from"),
        ("scale-axes", "Lat(2),y(2)", "repeats an axis: Lat and y"),
        ("scale-axes", "height(2)", "use Lat, Lon, x, y"),
        ("scale-axes", "time(2)", "does not scale time"),
        ("scale-size", "time(12)", "does not scale time"),
        ("scale-size", "Lat(0)", "at least 1"),
        ("scale-size", "Lat(1.5)", "whole numbers"),
        ("scale-size", "Lat(-3)", "whole numbers"),
        ("scale-size", "Lat(99999999999999999999)", "whole numbers"),
        ("scale-size", "Lat()", "whole numbers"),
        ("width", "0", "at least 1"),
        ("height", "1.5", "whole number"),
        ("resolution", "time(P1D)", "does not scale time"),
        ("resolution", "Lat(0)", "must be from"),
        ("resolution", "Lat(inf)", "finite number"),
    ],
)
def test_invalid_scale_is_refused_with_the_parameter(name, text, message):
    with pytest.raises(InvalidParameter, match=message) as refused:
        request_of("s2", (name, text))

    assert refused.value.locator == name


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        *(("time", "datetime"), ("date", "datetime"), ("format", "f"), ("rangesubset", "properties")),
        *(("parameter-name", "properties"), ("bboxcrs", "bbox-crs"), ("scale_facto", "scale-factor")),
    ],
)
def test_parameter_name_of_another_standard_is_refused_with_ours(name, instead):
    with pytest.raises(UnknownParameter, match=f"use {instead}"):
        request_of("s2", (name, "1"))


def test_parameters_of_others_are_ignored():
    assert request_of("s2", ("api_key", "1")) == request_of()


def test_time_is_refused_for_a_collection_without_time():
    with pytest.raises(InvalidParameter, match="no requested field has times") as refused:
        request_of("HEIGHT", datetime="2020")

    assert refused.value.locator == "datetime"


def test_time_selects_from_a_collection_with_a_timeless_field():
    assert request_of("kinds", datetime="2020").time == parse_time("2020")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(names_of(OF_COVERAGE)),
            st.text(alphabet='LatLonxytime(:*."),0123456789-/EPSG[]nf ', max_size=40),
        ),
        max_size=4,
    )
)
def test_any_text_gives_a_request_or_a_refusal(pairs):
    with suppress(ChronotileError):
        assert request_of("s2", *pairs).layers
