"""One place of a mosaic is one value in every protocol: point series, position, feature info, and by each rule."""

import numpy as np
import pytest

from tests.agreement.mosaics.shown import places_of, series_at
from tests.scenes_archive.forms import FILES
from tests.scenes_archive.plan import SMALL, by_cloud_cover, days_of
from tests.scenes_archive.serving import Served

pytestmark = pytest.mark.slow

COUNT = 60
DATES = range(len(SMALL.days))


def expected_series(made, asset, longitude, latitude, **order) -> list[list[float | None]]:
    """(place, time) by the formula."""
    by_date = [made.mosaic(asset, longitude, latitude, date=date, **order).texts() for date in range(len(made.days))]
    return [list(values) for values in zip(*by_date, strict=True)]


@pytest.mark.parametrize("asset", ["CELL", "B04", "B08", "SCL"])
def test_point_series_is_the_formula(serve, asset):
    longitude, latitude = places_of(SMALL, COUNT)

    found = series_at(serve(), asset, longitude, latitude)

    assert found == expected_series(SMALL, asset, longitude, latitude)


def test_point_series_of_files_without_documents_is_the_formula(serve):
    longitude, latitude = places_of(SMALL, COUNT)

    found = series_at(serve(FILES), "B04", longitude, latitude)

    assert found == expected_series(SMALL, "B04", longitude, latitude)


def test_cell_is_that_of_the_first_piece_in_the_order_of_a_property(serve):
    longitude, latitude = places_of(SMALL, COUNT)

    found = series_at(serve(mosaic='rule: first, order_by: "eo:cloud_cover"'), "CELL", longitude, latitude)

    assert found == expected_series(SMALL, "CELL", longitude, latitude, order=by_cloud_cover)


@pytest.mark.parametrize("layer", ["CELL", "B04", "NDVI", "CLEAR"])
def test_position_and_feature_info_are_the_series(serve, layer):
    served = serve()
    longitude, latitude = places_of(SMALL, 25)
    series = series_at(served, layer, longitude, latitude)

    positions = [position(served, layer, *place) for place in zip(longitude, latitude, strict=True)]
    infos = [
        [feature_info(served, layer, lon, lat, day) for day in SMALL.days]
        for lon, lat in zip(longitude, latitude, strict=True)
    ]

    assert positions == series
    assert infos == series


def test_masked_variable_equals_the_formula_where_the_mask_accepts(serve):
    longitude, latitude = places_of(SMALL, COUNT)

    found = series_at(serve(), "CLEAR", longitude, latitude)

    expected = expected_series(SMALL, "B08", longitude, latitude)
    classes = expected_series(SMALL, "SCL", longitude, latitude)
    assert found == [
        [value if kind in {4, 5, 6} else None for value, kind in zip(*row, strict=True)]
        for row in zip(expected, classes, strict=True)
    ]


def test_ratio_of_two_bands_is_that_of_their_values(serve):
    longitude, latitude = places_of(SMALL, COUNT)

    found = np.array(series_at(serve(), "NDVI", longitude, latitude), dtype=float)

    red, nir = (np.array(expected_series(SMALL, band, longitude, latitude), dtype=float) for band in ("B04", "B08"))
    assert np.allclose(found, (nir - red) / (nir + red), rtol=0, atol=1e-6, equal_nan=True)


OWN = SMALL.__class__(
    **{name: getattr(SMALL, name) for name in SMALL.__dataclass_fields__}
    | {"has_own_numbers": True, "days": days_of(3), "baseline": 2, "assets": ("B04", "B08", "SCL", "CELL")}
)
"""Pieces that overlap have different numbers."""


@pytest.mark.parametrize("rule", ["max", "mean", "median"])
def test_rule_combines_all_pieces_that_hold_the_centre_of_the_cell(serve, rule):
    longitude, latitude = places_of(OWN, COUNT)

    found = series_at(serve(made=OWN, mosaic=f"rule: {rule}"), "B04", longitude, latitude)

    places = np.asarray(longitude), np.asarray(latitude)
    expected = np.stack([OWN.combined("B04", *places, date=date, rule=rule) for date in range(3)], axis=1)
    assert np.allclose(np.array(found, dtype=float), expected, rtol=0, atol=6e-5, equal_nan=True)
    several = series_at(serve(made=OWN), "B04", longitude, latitude)
    assert found != several  # by the rule first


def test_latest_is_the_most_recent_piece(serve):
    longitude, latitude = places_of(OWN, COUNT)

    found = series_at(serve(made=OWN, mosaic="rule: latest"), "B04", longitude, latitude)

    def newest_first(scene):
        return -np.datetime64(scene.datetime[:-1], "ms").astype(int), scene.id

    assert found == expected_series(OWN, "B04", longitude, latitude, order=newest_first)


def position(served: Served, layer: str, longitude: float, latitude: float) -> list[float | None]:
    address = f"/ogcapi/collections/{layer}/position"
    answer = served.client.get(address, params={"coords": f"POINT({float(longitude)!r} {float(latitude)!r})"})
    assert answer.status_code == 200, answer.text
    (values,) = answer.json()["ranges"].values()
    return values["values"]


def feature_info(served: Served, layer: str, longitude: float, latitude: float, day: str) -> float | None:
    """Return the value in the middle of three by three small pixels around the point."""
    half = 1.5e-7
    box = f"{longitude - half!r},{latitude - half!r},{longitude + half!r},{latitude + half!r}".replace("np.float64", "")
    answer = served.client.get(
        f"/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&LAYERS={layer}&QUERY_LAYERS={layer}&STYLES=&CRS=CRS:84"
        f"&BBOX={box.replace('(', '').replace(')', '')}&WIDTH=3&HEIGHT=3&I=1&J=1&TIME={day}"
        "&FORMAT=image/png&INFO_FORMAT=application/json"
    )
    assert answer.status_code == 200, answer.text
    (feature,) = answer.json()["features"]
    return feature["properties"]["value"]
