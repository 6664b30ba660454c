"""Providers over live services: cases that pygeoapi's requests do not reach."""

import io
from types import SimpleNamespace

import numpy as np
import pytest
import shapely
from PIL import Image
from pygeoapi.provider.base import ProviderGenericError

from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.pygeoapi import CoverageProvider, EDRProvider, MapProvider
from chronotile.pygeoapi.archives import OpenData
from tests.places import make_places
from tests.protocols import served
from tests.protocols.served import BELGIUM_31N, number_at

UTM = crs_of("EPSG:32631")
CELL = (100, 200)


@pytest.fixture
def make_definition():
    """Return `make_definition("NDVI", "edr", places=…)`: pygeoapi's definition of a provider."""

    def make(collection, kind="coverage", *, broken=(), **members):
        services = served.make_services(*served.tree_collections(), broken=broken, **members)
        options = {} if collection is None else {"collection": collection}
        return {"name": "ours", "type": kind, "data": OpenData(services), "options": options}

    return make


def read(document, name):
    told = document["ranges"][name]
    return np.array(told["values"], dtype=float).reshape(told["shape"])


def point(*, crs=CRS84):
    return shapely.Point(*transformer(UTM, crs).transform(*BELGIUM_31N.centre_of(*CELL)))


def asked_in(crs):
    """Return the form in which pygeoapi 0.24 passes `crs`."""
    return SimpleNamespace(target_crs_uri=crs.uri)


def test_fields_are_the_variables_with_their_units(make_definition):
    assert CoverageProvider(make_definition("s2")).fields == {
        "NDVI": {"type": "number", "title": "NDVI", "x-ogc-unit": "1"},
        "LAI": {"type": "number", "title": "LAI", "x-ogc-unit": "m2 m-2"},
    }


@pytest.mark.parametrize(
    ("collection", "axes"), [("NDVI", ["x", "y", "time"]), ("FAPAR", ["Lon", "Lat", "time"]), ("HEIGHT", ["x", "y"])]
)
def test_axes_are_those_of_the_data(make_definition, collection, axes):
    assert CoverageProvider(make_definition(collection)).axes == axes


def test_without_options_it_is_the_first_collection(make_definition):
    assert set(EDRProvider(make_definition(None, "edr")).fields) == {"NDVI", "LAI"}


def test_layer_is_found_by_its_alias(make_definition):
    assert set(EDRProvider(make_definition("S2_NDVI", "edr")).fields) == {"NDVI"}


@pytest.mark.parametrize(("provider", "kind"), [(CoverageProvider, "coverage"), (EDRProvider, "edr")])
def test_a_composite_is_no_coverage_but_a_map(make_definition, provider, kind):
    with pytest.raises(ProviderGenericError) as refused:
        provider(make_definition("TRUE_COLOUR", kind))

    assert "colours" in refused.value.message
    assert MapProvider(make_definition("TRUE_COLOUR", "map")).fields == {}


def test_unknown_collection_is_not_found(make_definition):
    with pytest.raises(ProviderGenericError) as refused:
        CoverageProvider(make_definition("NDVO"))

    assert refused.value.http_status_code == 404
    assert "NDVI" in refused.value.message


def test_unknown_field_is_refused_with_the_existing_ones(make_definition):
    with pytest.raises(ProviderGenericError) as refused:
        CoverageProvider(make_definition("s2")).query(properties=["NDVX"])

    assert refused.value.http_status_code == 400
    assert "NDVI, LAI" in refused.value.message


def test_missing_source_is_unavailable(make_definition):
    provider = EDRProvider(make_definition("NDVI", "edr", broken=["NDVI"]))

    with pytest.raises(ProviderGenericError) as refused:
        provider.query(query_type="position", wkt=point())

    assert refused.value.http_status_code == 503


@pytest.mark.parametrize(
    "crs",
    [None, UTM, crs_of("EPSG:4326"), crs_of("EPSG:3035")],
    ids=["none", "own", "latitude first", "northing first"],
)
def test_position_is_in_the_requested_crs(make_definition, crs):
    place = point(crs=crs or CRS84)
    is_turned = crs is not None and crs.name in {"EPSG:4326", "EPSG:3035"}
    wkt = shapely.Point(place.y, place.x) if is_turned else place
    spec = None if crs is None else asked_in(crs)

    document = EDRProvider(make_definition("NDVI", "edr")).query(
        query_type="position", wkt=wkt, crs_transform_spec=spec, select_properties=["NDVI"]
    )

    row, column = (np.array(index) for index in CELL)
    expected = [(int(number_at(row, column, time)) * 4 - 80) / 1000 for time in range(4)]  # exact decimals
    np.testing.assert_array_equal(read(document, "NDVI"), expected)


def test_several_points_are_a_collection(make_definition):
    both = shapely.MultiPoint([point(), point()])

    document = EDRProvider(make_definition("NDVI", "edr")).query(query_type="position", wkt=both)

    assert document["type"] == "CoverageCollection"
    assert len(document["coverages"]) == 2


def test_cells_are_in_the_requested_crs(make_definition):
    west, south = 610_000, 5_630_000

    document = EDRProvider(make_definition("NDVI", "edr")).query(
        query_type="cube",
        bbox=[west, south, west + 1000, south + 500],
        crs_transform_spec=asked_in(UTM),
        datetime_="2020-06-21",
    )

    rows, columns = np.mgrid[195:200, 100:110]
    expected = (number_at(rows, columns, 3).astype(int) * 4 - 80) / 1000  # exact decimals
    np.testing.assert_array_equal(read(document, "NDVI")[0], expected)


@pytest.mark.parametrize("crs_name", ["EPSG:4326", "http://www.opengis.net/def/crs/EPSG/0/4326"])
def test_bbox_is_in_the_axis_order_of_its_crs(make_definition, crs_name):
    provider = CoverageProvider(make_definition("FAPAR"))

    swapped = provider.query(bbox=[50.8, 4.5, 50.81, 4.52], bbox_crs=crs_name, datetime_="2020-06-01")
    plain = provider.query(bbox=[4.5, 50.8, 4.52, 50.81], datetime_="2020-06-01")

    assert swapped == plain


def test_heights_of_a_bbox_are_ignored(make_definition):
    provider = CoverageProvider(make_definition("FAPAR"))

    high = provider.query(bbox=[4.5, 50.8, 0, 4.52, 50.81, 100], datetime_="2020-06-01")

    assert high == provider.query(bbox=[4.5, 50.8, 4.52, 50.81], datetime_="2020-06-01")


def test_ends_of_a_subset_may_be_open(make_definition):
    provider = CoverageProvider(make_definition("HEIGHT"))

    document = provider.query(subsets={"x": ["*", 600_500], "y": [5_649_000, "*"]})

    rows, columns = np.mgrid[:10, :5]
    expected = np.where(rows == 0, np.nan, number_at(rows, columns, 0).astype(float))
    np.testing.assert_array_equal(read(document, "HEIGHT"), expected)


@pytest.mark.parametrize("name", ["GTiff", "NetCDF", "zarr", "png"])
def test_every_format_of_coverages_is_written(make_definition, name):
    provider = CoverageProvider(make_definition("HEIGHT"))

    body = provider.query(subsets={"x": [600_000, 600_500]}, format_=name)

    magic = {"GTiff": b"II*\x00", "NetCDF": b"\x89HDF", "zarr": b"PK\x03\x04", "png": b"\x89PNG"}[name]
    assert body.startswith(magic)
    assert provider.filename.startswith("kinds")


def test_locations_are_offered_if_there_are_places(make_definition):
    without = EDRProvider(make_definition("NDVI", "edr")).get_query_types()
    with_places = EDRProvider(make_definition("NDVI", "edr", places=[make_places()])).get_query_types()

    assert without == ["position", "area", "radius", "cube"]
    assert with_places == [*without, "locations"]


@pytest.mark.parametrize(
    ("bbox", "limit", "expected"),
    [
        (None, None, ["squares:S0", "squares:S1", "squares:S2"]),
        ([4.61, 50.8, 4.69, 50.9], None, ["squares:S1"]),
        (None, 2, ["squares:S0", "squares:S1"]),
        ([5, 50, 6, 51], None, []),
    ],
)
def test_locations_are_cut_down_by_box_and_number(make_definition, bbox, limit, expected):
    provider = EDRProvider(make_definition("NDVI", "edr", places=[make_places()]))

    document = provider.query(query_type="locations", bbox=bbox, limit=limit)

    assert [each["id"] for each in document["features"]] == expected


def test_map_is_opaque_if_requested(make_definition):
    provider = MapProvider(make_definition("NDVI", "map"))

    def corner(transparent):
        body = provider.query(bbox=[4, 50, 5, 51], width=50, height=50, transparent=transparent)
        return Image.open(io.BytesIO(body)).convert("RGBA").getpixel((0, 0))

    assert corner("false") == (255, 255, 255, 255)
    assert corner(True)[3] == 0
