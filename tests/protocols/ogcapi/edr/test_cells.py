"""`/area`, `/cube` and `/radius`: native cells, by the formula."""

import csv
import io

import numpy as np
import pytest
import rasterio
import shapely
import xarray as xr
from pyproj import Geod

from chronotile.core.model.geometry.circle import circle_of
from chronotile.core.model.request import Point
from chronotile.core.model.space.crs import CRS84, transformer
from tests.decimals import cell_value
from tests.protocols import served
from tests.protocols.ogcapi.edr.conftest import point

checklist = pytest.mark.checklist
GRID = served.BELGIUM_31N
UTM = "EPSG:32631"
TRIANGLE = shapely.Polygon([(603_010, 5_646_020), (606_480, 5_646_970), (604_000, 5_649_510)])
RING = TRIANGLE.difference(shapely.box(603_900, 5_647_000, 604_700, 5_647_900))
AREA = {"coords": TRIANGLE.wkt, "crs": UTM}


def centres():
    """x and y (row, column) of all cells."""
    rows, columns = np.mgrid[0 : GRID.height, 0 : GRID.width]
    return GRID.points_at(columns + 0.5, rows + 0.5)


def numbers(time: int) -> np.ndarray:
    rows, columns = np.mgrid[0 : GRID.height, 0 : GRID.width]
    return served.number_at(rows, columns, time).astype(float)


def cells_of(shape) -> list[tuple[int, int]]:
    """Return rows and columns of the cells with centres in a shape in UTM."""
    return [tuple(cell) for cell in np.argwhere(shapely.contains_xy(shape, *centres())).tolist()]


def grid_of(coverage) -> dict[tuple[float, float], list]:
    """Return the values (time,) of each cell with values in a CoverageJSON, by the cell's centre."""
    axes = coverage["domain"]["axes"]
    x, y = (np.linspace(axes[name]["start"], axes[name]["stop"], axes[name]["num"]) for name in ("x", "y"))
    (told,) = coverage["ranges"].values()
    values = np.array(told["values"], dtype=float).reshape(-1, len(y), len(x))
    return {
        (x[column], y[row]): values[:, row, column].tolist()
        for row, column in np.argwhere(np.isfinite(values).any(axis=0)).tolist()
    }


def expected(cells, *, times=range(4), scale=0.004, offset=-0.08):
    """Return the result of `grid_of` by the formula."""
    listed = [numbers(time).astype(int) for time in times]
    return {
        GRID.centre_of(row, column): [cell_value(int(each[row, column]), scale, offset) for each in listed]
        for row, column in cells
    }


@checklist("edr", "AT 53-65")
def test_an_area_has_the_cells_whose_centres_lie_in_the_polygon(ask, coverage_of):
    coverage = coverage_of(ask("NDVI/area", **AREA))

    assert coverage["domain"]["domainType"] == "Grid"
    assert coverage["domain"]["referencing"][0]["system"]["id"] == "http://www.opengis.net/def/crs/EPSG/0/32631"
    assert grid_of(coverage) == expected(cells_of(TRIANGLE))


def test_hole_is_excluded_and_several_polygons_are_one_area(ask, coverage_of):
    other = shapely.box(610_000, 5_630_000, 610_500, 5_630_500)
    shape = shapely.MultiPolygon([RING, other])

    coverage = coverage_of(ask("NDVI/area", coords=shape.wkt, crs=UTM, datetime="2020-06-11"))

    assert grid_of(coverage) == expected(cells_of(shape), times=[2])


def test_a_polygon_in_degrees_has_native_cells_too(ask, coverage_of):
    ring = shapely.transform(TRIANGLE, lambda xy: np.column_stack(transformer(GRID.crs, CRS84).transform(*xy.T)))

    coverage = coverage_of(ask("NDVI/area", coords=ring.wkt))

    assert grid_of(coverage) == expected(cells_of(TRIANGLE))


def test_polygon_beyond_the_data_has_the_existing_cells(ask, coverage_of):
    shape = shapely.box(590_000, 5_649_000, 600_310, 5_660_000)

    coverage = coverage_of(ask("NDVI/area", coords=shape.wkt, crs=UTM, datetime="2020-06-01"))

    assert list(grid_of(coverage)) == [GRID.centre_of(row, column) for row in range(1, 10) for column in range(3)]


def test_all_parameters_are_returned_at_the_union_of_their_times(ask, coverage_of):
    coverage = coverage_of(ask("s2/area", **AREA))

    shape = [5, *(coverage["domain"]["axes"][name]["num"] for name in ("y", "x"))]
    lai = np.array(coverage["ranges"]["LAI"]["values"], dtype=float).reshape(shape)
    assert [coverage["ranges"][name]["shape"] for name in ("NDVI", "LAI")] == [shape, shape]
    assert np.isfinite(lai).any(axis=(1, 2)).tolist() == [False, True, True, False, True]


def test_categories_and_cells_without_time_are_whole_numbers(ask, coverage_of):
    crop = coverage_of(ask("CROP/area", **AREA, datetime="2020-06-01"))
    height = coverage_of(ask("HEIGHT/area", **AREA))

    assert crop["ranges"]["CROP"]["dataType"] == "integer"
    assert "categoryEncoding" in crop["parameters"]["CROP"]
    assert list(height["domain"]["axes"]) == ["x", "y"]
    assert grid_of(height) == expected(cells_of(TRIANGLE), times=[0], scale=1, offset=0)


def test_an_area_across_the_antimeridian_is_one(ask):
    answer = ask("DMP/area", coords="POLYGON((178 10,183 10,183 12,178 12,178 10))", datetime="2020-06-01", f="CSV")

    found = {(float(row["x"]), float(row["y"])): float(row["DMP"]) for row in csv.DictReader(io.StringIO(answer.text))}
    columns = {178.5: 358, 179.5: 359, 180.5: 0, 181.5: 1, 182.5: 2}
    assert found == {
        (x, 90 - row - 0.5): float(served.number_at(np.array(row), np.array(column), 1))
        for row in (78, 79)
        for x, column in columns.items()
    }


def test_features_across_the_antimeridian_have_longitudes_of_geojson(tree, ask):
    query = {"coords": "POLYGON((178 10,183 10,183 11,178 11,178 10))", "datetime": "2020-06-01", "f": "GeoJSON"}

    features = ask("DMP/area", **query).json()["features"]

    longitudes = [178.5, 179.5, -179.5, -178.5, -177.5]
    assert [feature["geometry"]["coordinates"][0] for feature in features] == longitudes
    for feature, longitude in zip(features, longitudes, strict=True):
        address = feature["properties"]["edrqueryendpoint"]
        again = tree.get(f"{address}&f=GeoJSON&datetime=2020-06-01").json()["features"][0]
        assert address.endswith(f"coords=POINT%28{longitude}+10.5%29")
        assert again["properties"]["values"] == feature["properties"]["values"]


def test_a_cube_has_the_cells_of_its_box(ask, coverage_of):
    left, bottom = GRID.transform @ (40, 33)
    box = f"{left},{bottom},{left + 300},{bottom + 300}"

    coverage = coverage_of(ask("NDVI/cube", bbox=box, crs=UTM))

    cells = [(row, column) for row in (30, 31, 32) for column in (40, 41, 42)]
    assert grid_of(coverage) == expected(cells)


def test_heights_of_a_box_are_ignored(ask):
    flat = ask("NDVI/cube", bbox="4.8,50.8,4.81,50.81")

    assert ask("NDVI/cube", bbox="4.8,50.8,0,4.81,50.81,100").content == flat.content


@pytest.mark.parametrize(
    ("crs", "box"),
    [("CRS84", "4.8,50.8,4.81,50.81"), ("http://www.opengis.net/def/crs/EPSG/0/4326", "50.8,4.8,50.81,4.81")],
)
def test_a_box_is_in_the_axis_order_of_crs_and_the_answer_in_crs(ask, coverage_of, crs, box):
    coverage = coverage_of(ask("NDVI/cube", bbox=box, crs=crs, datetime="2020-06-01"))

    axes, told = coverage["domain"]["axes"], coverage["domain"]["referencing"][0]["coordinates"]
    assert (4.79 < axes["x"]["start"] < axes["x"]["stop"] < 4.82, told == ["y", "x"]) == (True, "4326" in crs)
    x, y = np.meshgrid(*(np.linspace(axes[name]["start"], axes[name]["stop"], axes[name]["num"]) for name in "xy"))
    columns, rows = GRID.pixels_at(*transformer(CRS84, GRID.crs).transform(x, y))
    under = served.number_at(rows.astype(int), columns.astype(int), 1) * 0.004 - 0.08
    assert np.allclose(np.array(coverage["ranges"]["NDVI"]["values"]).reshape(x.shape), under)


@pytest.mark.parametrize(
    ("query", "size"),
    [
        ({"resolution_x": "4", "resolution_y": "2"}, [2, 4]),
        ({"resolution_x": "4"}, [20, 4]),
        ({"resolution_x": "0", "resolution_y": "5"}, [5, 30]),
        ({"resolution_x": "0", "resolution_y": "0"}, [20, 30]),
    ],
)
def test_columns_and_rows_have_the_requested_number_or_are_native(ask, coverage_of, query, size):
    box = "604000,5645000,607000,5647000"

    coverage = coverage_of(ask("NDVI/cube", bbox=box, crs=UTM, datetime="2020-06-01", **query))

    assert coverage["ranges"]["NDVI"]["shape"] == [1, *size]
    x, y = coverage["domain"]["axes"]["x"], coverage["domain"]["axes"]["y"]
    half_x, half_y = 1500 / size[1], 1000 / size[0]
    assert (x["start"] - half_x, y["start"] + half_y) == pytest.approx((604_000, 5_647_000))


@pytest.mark.parametrize(
    ("within", "units", "metres"),
    [("1.2", "km", 1200), ("1200", "M", 1200), ("0.5", "miles", 804.672), ("1", "nmi", 1852), ("3000", "ft", 914.4)],
)
def test_radius_selects_cells_by_the_distance_of_their_centres(ask, coverage_of, place, within, units, metres):
    x, y = place(150.3, 200.2)
    longitude, latitude = transformer(GRID.crs, CRS84).transform(*centres())
    far = Geod(ellps="WGS84").inv(np.full(longitude.shape, x), np.full(longitude.shape, y), longitude, latitude)[2]

    coverage = coverage_of(
        ask("NDVI/radius", coords=point(x, y), within=within, within_units=units, datetime="2020-06-01")
    )

    assert grid_of(coverage) == expected(np.argwhere(far < metres).tolist(), times=[1])


def test_csv_has_a_line_per_cell_and_time(ask):
    answer = ask("s2/area", **AREA, f="CSV")

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    cells = cells_of(TRIANGLE)
    found = dict.fromkeys((float(row["x"]), float(row["y"])) for row in rows)
    assert list(rows[0]) == ["time", "x", "y", "NDVI", "LAI"]
    assert list(found) == [GRID.centre_of(*cell) for cell in cells]
    assert len(rows) == 5 * len(cells)
    assert [row["NDVI"] for row in rows[:5]] == [*(str(each) for each in expected(cells[:1]).popitem()[1]), ""]


def test_geojson_has_a_feature_a_cell(ask, assert_valid):
    document = ask("NDVI/area", **AREA, f="GeoJSON").json()

    assert_valid(document, "edr", "edrFeatureCollectionGeoJSON")
    values = [each["properties"]["values"]["NDVI"] for each in document["features"]]
    assert values == list(expected(cells_of(TRIANGLE)).values())
    inside = transformer(GRID.crs, CRS84).transform(*GRID.centre_of(*cells_of(TRIANGLE)[0]))
    assert document["features"][0]["geometry"]["coordinates"] == pytest.approx(inside)


def test_netcdf_and_geotiff_have_the_same_cells(ask):
    cells = cells_of(TRIANGLE)
    tall, wide = (np.unique([cell[axis] for cell in cells]).size for axis in (0, 1))
    netcdf, geotiff = ask("NDVI/area", **AREA, f="NetCDF"), ask("NDVI/area", **AREA, f="GeoTIFF")

    with xr.open_dataset(io.BytesIO(netcdf.content), engine="h5netcdf") as found:
        values = found["NDVI"].values
    with rasterio.MemoryFile(geotiff.content) as file, file.open() as found:
        bands, inside = found.read(), found.dataset_mask() > 0
        assert (found.crs.to_epsg(), found.res) == (32631, (100.0, 100.0))
    assert values.shape == bands.shape == (4, tall, wide)
    assert np.isfinite(values[0]).sum() == inside.sum() == len(cells)
    assert np.allclose(values[0][inside], bands[0][inside] * 0.004 - 0.08)


@pytest.mark.parametrize(
    ("f", "media_type"),
    [
        ("CoverageJSON", "application/prs.coverage+json"),
        ("geojson", "application/geo+json"),
        ("csv", "text/csv; charset=utf-8"),
        ("NetCDF", "application/netcdf"),
        ("GTiff", "image/tiff; application=geotiff"),
    ],
)
def test_format_is_case_insensitive(ask, f, media_type):
    answer = ask("NDVI/cube", bbox="4.8,50.8,4.81,50.81", f=f)

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.headers["chronotile-time"].startswith("2020-06-21T00:00:00Z")


@pytest.mark.parametrize("accept", ["application/vnd.cov+json", "application/json", "application/x-netcdf"])
def test_accept_is_answered_in_its_own_words(ask, accept):
    answer = ask("NDVI/cube", bbox="4.8,50.8,4.81,50.81", headers={"Accept": accept})

    assert answer.headers["content-type"] == accept


def test_cells_that_the_client_holds_are_not_sent_again(ask):
    query = {"bbox": "4.8,50.8,4.81,50.81"}
    etag = ask("NDVI/cube", **query).headers["etag"]

    again = ask("NDVI/cube", **query, headers={"If-None-Match": etag})
    other = ask("NDVI/cube", **query, f="CSV", headers={"If-None-Match": etag})

    assert (again.status_code, again.content, other.status_code) == (304, b"", 200)


BOX, POLYGON, POINT = "4.8,50.8,4.81,50.81", "POLYGON((4.8 50.8,4.81 50.8,4.81 50.81,4.8 50.8))", "POINT(4.8 50.8)"
ROUND = {"coords": POINT, "within": "1", "within_units": "km"}
REFUSED = {
    "area without anything": ("area", {}, "coords"),
    "broken polygon": ("area", {"coords": "POLYGON((4.8 50.8,4.81 50.8))"}, "coords"),
    "flat polygon": ("area", {"coords": "POLYGON((4.8 50.8,4.81 50.8,4.82 50.8,4.8 50.8))"}, "coords"),
    "area of a point": ("area", {"coords": POINT}, "coords"),
    "area elsewhere": ("area", {"coords": "POLYGON((1 2,2 2,2 3,1 2))"}, "coords"),
    "area between centres": ("area", {"coords": "POLYGON((4.8 50.8,4.80001 50.8,4.8 50.80001,4.8 50.8))"}, "coords"),
    "metres without crs": ("area", {"coords": TRIANGLE.wkt}, "coords"),
    "area of an unknown parameter": ("area", {"coords": POLYGON, "parameter_name": "FOO"}, "parameter-name"),
    "area in an unknown CRS": ("area", {"coords": POLYGON, "crs": "EPSG:9999"}, "crs"),
    "area of a broken time": ("area", {"coords": POLYGON, "datetime": "x"}, "datetime"),
    "area in an unknown format": ("area", {"coords": POLYGON, "f": "zarr"}, "f"),
    "area of a broken level": ("area", {"coords": POLYGON, "z": "x"}, "z"),
    "cube without anything": ("cube", {}, "bbox"),
    "cube of three numbers": ("cube", {"bbox": "1,2,3"}, "bbox"),
    "cube of words": ("cube", {"bbox": "a,b,c,d"}, "bbox"),
    "cube upside down": ("cube", {"bbox": "4.8,50.9,4.9,50.8"}, "bbox"),
    "cube elsewhere": ("cube", {"bbox": "1,2,3,4"}, "bbox"),
    "cube beyond degrees": ("cube", {"bbox": "4,95,5,96"}, "bbox"),
    "cube with the wrong CRS": ("cube", {"bbox": BOX, "bbox_crs": "EPSG:4326"}, "bbox-crs"),
    "columns below none": ("cube", {"bbox": BOX, "resolution_x": "-1"}, "resolution-x"),
    "rows in parts": ("cube", {"bbox": BOX, "resolution_y": "1.5"}, "resolution-y"),
    "more columns than there may be": ("cube", {"bbox": BOX, "resolution_x": "9" * 12}, "resolution-x"),
    "radius without anything": ("radius", {}, "coords"),
    "radius without a length": ("radius", {"coords": POINT}, "within"),
    "radius without units": ("radius", {"coords": POINT, "within": "1"}, "within-units"),
    "radius of other units": ("radius", {**ROUND, "within_units": "parsec"}, "within-units"),
    "radius below none": ("radius", {**ROUND, "within": "-1"}, "within"),
    "radius of a word": ("radius", {**ROUND, "within": "far"}, "within"),
    "radius round the earth": ("radius", {**ROUND, "within": "20000"}, "within"),
    "radius round two": ("radius", {**ROUND, "coords": "MULTIPOINT(4.8 50.8,4.81 50.8)"}, "coords"),
    "radius between centres": ("radius", {**ROUND, "within": "1", "within_units": "m"}, "coords"),
}


@checklist("edr", "AT 50", "AT 66", "AT 51/52")
@pytest.mark.parametrize(("path", "query", "parameter"), REFUSED.values(), ids=REFUSED)
def test_invalid_value_is_named(ask, path, query, parameter):
    answer = ask(f"NDVI/{path}", **query)

    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)


@pytest.mark.parametrize(
    ("path", "query", "accepted"),
    [
        ("position", {}, "POINT(4.5 50.8)"),
        ("area", {}, "POLYGON((4 50,5 50,5 51,4 50))"),
        ("area", {"coords": "POLYGON(4.8 50.8,4.81 50.8,4.8 50.81,4.8 50.8)"}, "POLYGON((4 50,5 50,5 51,4 50))"),
        ("cube", {}, "4.4,51.0,4.5,51.1"),
        ("radius", {"coords": POINT}, "a distance"),
        ("radius", {"coords": POINT, "within": "1"}, "m, km, mi, nmi, ft"),
    ],
)
def test_missing_or_misspelt_parameter_is_reported_with_the_accepted_ones(ask, path, query, accepted):
    assert accepted in ask(f"NDVI/{path}", **query).json()["detail"]


@pytest.mark.parametrize(
    ("path", "query", "hint"),
    [
        ("position", {"coords": "POINT(5640000 610000)", "crs": "EPSG:32631"}, "in the axis order of EPSG:32631"),
        ("position", {"coords": "POINT(4.8 50.8)", "crs": "EPSG:4326"}, "longitude and latitude seem to be swapped"),
        ("area", {"coords": "POLYGON((50.8 4.8,50.81 4.8,50.81 4.81,50.8 4.8))"}, "latitude seem to be swapped"),
        ("cube", {"bbox": "50.8,4.8,50.81,4.81"}, "longitude and latitude seem to be swapped"),
    ],
)
def test_swapped_coordinates_are_hinted_at(ask, path, query, hint):
    assert ask(f"NDVI/{path}", **query).json()["detail"].endswith(hint)


def test_interval_without_an_instant_is_not_found(ask):
    answer = ask("NDVI/cube", bbox=BOX, datetime="1999/2000")

    assert (answer.status_code, answer.json()["parameter"]) == (404, "datetime")
    assert answer.json()["nearest"] == ["2020-05-21T00:00:00Z"]


@pytest.mark.parametrize("path", [f"area?coords={POLYGON}", f"cube?bbox={BOX}", "radius?coords=POINT(1 2)"])
def test_collection_of_colours_alone_has_no_cells(tree, path):
    assert tree.get(f"/ogcapi/collections/TRUE_COLOUR/{path}").status_code == 404


LIMITS = {
    "bytes": ({"max_coverage_bytes": 99}, "NetCDF", "max_coverage_bytes"),
    "values": ({"max_series_values": 99}, "CoverageJSON", "max_series_values"),
    "lines": ({"max_series_values": 99}, "CSV", "max_series_values"),
    "features": ({"max_features": 99}, "GeoJSON", "max_features"),
    "vertices": ({"max_vertices": 3}, "CSV", "max_vertices"),
}


@pytest.mark.parametrize(("limits", "f", "limit"), LIMITS.values(), ids=LIMITS)
def test_too_much_is_refused_with_another_way(make_client, limits, f, limit):
    client = make_client(served.make_services(*served.tree_collections(), limits=served.Limits(**limits)))

    answer = client.get("/ogcapi/collections/NDVI/area", params={**AREA, "f": f})

    assert (answer.status_code, answer.json()["type"], answer.json()["limit"]) == (400, "limit-exceeded", limit)
    assert answer.json()["alternative"]


@pytest.mark.parametrize("f", ["CoverageJSON", "CSV", "GeoTIFF"])
def test_missing_source_is_unavailable(make_client, f):
    client = make_client(served.make_services(*served.tree_collections(), broken=["NDVI"]))

    assert client.get("/ogcapi/collections/NDVI/area", params={**AREA, "f": f}).status_code == 503


@pytest.mark.parametrize("query", ["area", "radius"])
def test_cells_equal_those_of_the_area_series(tree, ask, coverage_of, place, query):
    x, y = place(150, 200)
    circle = circle_of(Point(x=x, y=y), 1700)
    ring = shapely.transform(TRIANGLE, lambda xy: np.column_stack(transformer(GRID.crs, CRS84).transform(*xy.T)))
    asked, polygon = {
        "area": ({"coords": ring.wkt}, ring),
        "radius": (
            {"coords": point(x, y), "within": "1.7", "within_units": "km"},
            shapely.Polygon(circle.polygons[0][0]),
        ),
    }[query]

    coverage = coverage_of(ask(f"NDVI/{query}", **asked))

    values = np.array(coverage["ranges"]["NDVI"]["values"], dtype=float).reshape(4, -1)
    (series,) = tree.post("/timeseries/NDVI/area?reducers=mean,count", json=shapely.geometry.mapping(polygon)).json()[
        "features"
    ]
    assert np.isfinite(values).sum(axis=1).tolist() == series["series"]["count"] == series["valid"]
    assert np.nanmean(values, axis=1).tolist() == pytest.approx(series["series"]["mean"], rel=1e-7)
