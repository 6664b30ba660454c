"""Maps of a period: its clearest date and its anomaly, compared with numpy over the source and with series."""

import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import xarray
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from tests.protocols.maps.animations.films import frames_of, on_white

CONFIGURATION = """
collections:
  fields:
    source: {kind: zarr, href: fields.zarr}
    variables:
      ndvi: {layer: NDVI, styles: [greens]}
"""
STYLE = """
title: Greens
range: [0, 1]
ramp: {0: "#000000", 1: "#00fa00"}
"""
WEST, NORTH, CELL, SIDE = 4.4, 51.0, 0.01, 16
TILE = "/tiles/NDVI/WorldCRS84Quad/9/524/111"
"""Tile across the edge of the data, with pixels of 0.0014 degrees."""
TILE_WEST, TILE_NORTH, TILE_PX = -180 + 524 * 180 / 2**9, 90 - 111 * 180 / 2**9, 180 / 2**9 / 256


@dataclass(frozen=True)
class Archive:
    """Five years of cloudy values at uneven dates, and a client that requests them."""

    times: np.ndarray
    values: np.ndarray
    """(time, y, x); NaN stands for no value."""
    client: TestClient
    folder: Path

    def of(self, start: str, end: str) -> np.ndarray:
        """Return a (time,) mask of times in a half-open interval."""
        return (self.times >= np.datetime64(start)) & (self.times < np.datetime64(end))


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fields")
    random = np.random.default_rng(20240611)
    days = np.arange(np.datetime64("2018-03-02"), np.datetime64("2022-12-28"))
    times = np.sort(random.choice(days, 330, replace=False)).astype("datetime64[ns]")
    numbers = random.integers(0, 200, (times.size, SIDE, SIDE)).astype(np.uint8)
    numbers[random.random(numbers.shape) < random.random((times.size, 1, 1)) * 0.8] = 255
    numbers[:, 0, 0] = 255  # never has a value
    numbers[:, 0, 1] = 77  # never changes
    lon, lat = WEST + (np.arange(SIDE) + 0.5) * CELL, NORTH - (np.arange(SIDE) + 0.5) * CELL
    coords = {"time": times, "lat": lat, "lon": lon}
    data = xarray.Dataset({"ndvi": (("time", "lat", "lon"), numbers)}, coords)
    data.ndvi.attrs |= {"scale_factor": 0.00390625, "units": "1"}
    data.ndvi.encoding |= {"_FillValue": None}
    data.ndvi.attrs["_FillValue"] = np.uint8(255)
    data.lon.attrs |= {"standard_name": "longitude", "units": "degrees_east"}
    data.lat.attrs |= {"standard_name": "latitude", "units": "degrees_north"}
    data.to_zarr(folder / "fields.zarr", zarr_format=2, consolidated=True)
    (folder / "styles").mkdir()
    (folder / "styles" / "greens.yaml").write_text(STYLE)
    (folder / "chronotile.yaml").write_text(CONFIGURATION)
    opened = open_archive(folder / "chronotile.yaml", environment={}, clock=lambda: np.datetime64("2023-01-01", "ns"))
    values = np.where(numbers == 255, np.nan, numbers * 0.00390625)
    with TestClient(application(opened.services)) as client:
        yield Archive(times, values, client, folder)


def pixels(response):
    assert response.status_code == 200, response.text
    return np.load(io.BytesIO(response.content))


def rgba(response):
    assert response.status_code == 200, response.text
    return np.asarray(Image.open(io.BytesIO(response.content)).convert("RGBA"))


def on_tile(cells):
    """Return the values of (y, x) cells at the pixel centres of a tile, as (256, 256)."""
    middles = (np.arange(256) + 0.5) * TILE_PX
    columns = np.floor((TILE_WEST + middles - WEST) / CELL).astype(int)
    rows = np.floor((NORTH - TILE_NORTH + middles) / CELL).astype(int)
    inside = np.ix_((rows >= 0) & (rows < SIDE), (columns >= 0) & (columns < SIDE))
    found = np.full((256, 256), np.nan)
    found[inside] = cells[np.clip(rows, 0, SIDE - 1)][:, np.clip(columns, 0, SIDE - 1)][inside]
    return found


def of_years(archive, months, reduced=np.nanmean):
    """Return the reduced values of each month, as (month, y, x)."""
    with np.errstate(all="ignore"):
        return np.stack(
            [reduced(archive.values[archive.times.astype("datetime64[M]") == each], axis=0) for each in months]
        )


def june(first, last):
    return [np.datetime64(f"{year}-06") for year in range(first, last + 1)]


def expected(value, usual, kind):
    """Compute the anomaly of each cell with numpy, in a separate loop."""
    found = np.full(value.shape, np.nan)
    for place in np.ndindex(value.shape):
        own, others = value[place], usual[:, *place]
        others = others[~np.isnan(others)]
        if np.isnan(own) or not others.size:
            continue
        if kind == "abs":
            found[place] = own - others.mean()
        elif kind == "percentile":
            found[place] = 100 * (np.sum(others < own) + np.sum(others == own) / 2) / others.size
        elif others.size > 1 and np.ptp(others) > 1e-9:
            found[place] = (own - others.mean()) / others.std(ddof=1)
    return found


def dekads_of(times):
    """Return (time,): the dekad of the year of each time, from 0."""
    months, days = times.astype("datetime64[M]"), times.astype("datetime64[D]")
    return months.astype(int) % 12 * 3 + np.minimum((days - months.astype("datetime64[D]")).astype(int) // 10, 2)


def date_matched(archive, is_reference=slice(None)):
    """Return (time, y, x): each value minus the mean of the reference in its dekad of the year."""
    dekads = dekads_of(archive.times)
    reference, own = archive.values[is_reference], dekads[is_reference]
    usual = np.stack([np.nanmean(reference[own == dekad], axis=0) for dekad in range(36)])
    return archive.values - usual[dekads]


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("kind", ["z", "percentile"])
def test_month_anomaly_ranks_its_mean_among_those_of_years(archive, kind):
    of_dates = replace(archive, values=date_matched(archive))
    years = of_years(of_dates, june(2018, 2022))

    tile = pixels(archive.client.get(f"{TILE}.npy?datetime=2022-06&anomaly={kind}"))

    np.testing.assert_allclose(tile, on_tile(expected(years[-1], years, kind)), rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_month_anomaly_is_the_mean_of_date_differences(archive):
    of_dates = replace(archive, values=date_matched(archive))

    tile = pixels(archive.client.get(f"{TILE}.npy?datetime=2022-06&anomaly=abs"))

    np.testing.assert_allclose(tile, on_tile(of_years(of_dates, june(2022, 2022))[0]), rtol=1e-5, atol=1e-6)
    assert np.isfinite(tile).any()
    assert np.isnan(tile[:, :12]).any()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize(("reducer", "reduced"), [("median", np.nanmedian), ("max", np.nanmax)])
def test_anomaly_reduces_differences_by_the_reducer(archive, reducer, reduced):
    of_dates = replace(archive, values=date_matched(archive, archive.of("2018-01-01", "2021-01-01")))

    query = f"datetime=2022-06&anomaly=abs&reference=2018/2020&reducer={reducer}"
    tile = pixels(archive.client.get(f"{TILE}.npy?{query}"))

    np.testing.assert_allclose(tile, on_tile(of_years(of_dates, june(2022, 2022), reduced)[0]), rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_season_across_the_end_of_the_year_is_compared_with_those_of_other_years(archive):
    differences = date_matched(archive, archive.of("2018-01-01", "2022-03-01"))
    winters = [(f"{year}-12-01", f"{year + 1}-03-01") for year in range(2017, 2022)]
    years = np.stack([np.nanmean(differences[archive.of(*winter)], axis=0) for winter in winters])

    tile = pixels(archive.client.get(f"{TILE}.npy?datetime=2021-12/2022-02&anomaly=z&reference=../2022-02"))

    np.testing.assert_allclose(tile, on_tile(expected(years[-1], years, "z")), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", ["abs", "z", "percentile"])
def test_the_anomaly_of_a_date_is_that_among_all_dates_of_its_dekad(archive, kind):
    index = 100
    days, dekads = archive.times.astype("datetime64[D]"), dekads_of(archive.times)
    usual = archive.values[dekads == dekads[index]]

    tile = pixels(archive.client.get(f"{TILE}.npy?datetime={days[index]}&anomaly={kind}"))

    np.testing.assert_allclose(tile, on_tile(expected(archive.values[index], usual, kind)), rtol=1e-5, atol=1e-6)


PERIODS = [
    ("2022-06", "P1M", "2018/2021"),
    ("2021-02-21/2021-02-28", "dekad", "../2022"),
    ("2020-02-21/2020-02-29", "dekad", "2018/2022"),
    ("2021-04-01/2021-06-30", "P3M", "2018/2020"),
    ("2021", "P1Y", "2018/2022"),
]


@pytest.mark.parametrize("kind", ["abs", "z", "percentile"])
@pytest.mark.parametrize(("period", "step", "reference"), PERIODS)
def test_pixel_equals_the_series_of_its_place(archive, period, step, reference, kind):
    random = np.random.default_rng(7)
    asked = {"datetime": period, "anomaly": kind, "reference": reference}
    tile = pixels(archive.client.get(f"{TILE}.npy", params=asked))
    told = []
    for row, column in zip(random.integers(0, 98, 12), random.integers(135, 245, 12), strict=True):
        place = {"lon": TILE_WEST + (column + 0.5) * TILE_PX, "lat": TILE_NORTH - (row + 0.5) * TILE_PX}
        series = archive.client.get("/timeseries/NDVI/point", params=asked | place | {"step": step})
        told.append((tile[row, column], series.json()["analysis"]["anomaly"]))

    assert [None if np.isnan(own) else own for own, _ in told] == [
        None if each[0] is None else pytest.approx(each[0], rel=1e-5, abs=1e-6) for _, each in told
    ]


def test_the_clearest_date_has_the_largest_share_of_valid_cells(archive):
    is_shown = archive.of("2021-05-01", "2021-09-01")
    shares = np.isfinite(archive.values[is_shown]).mean(axis=(1, 2)).round(4)
    index = np.flatnonzero(is_shown)[np.flatnonzero(shares == shares.max())[-1]]

    answer = archive.client.get(f"{TILE}.npy?datetime=2021-05/2021-08&reducer=clearest")

    np.testing.assert_allclose(pixels(answer), on_tile(archive.values[index]), rtol=1e-6)
    assert answer.headers["Chronotile-Time"] == f"{archive.times[index].astype('datetime64[D]')}T00:00:00Z"


def test_a_tilejson_of_the_clearest_date_names_that_date(archive):
    query = "datetime=2021-05/2021-08&reducer=clearest"
    date = archive.client.get(f"{TILE}.png?{query}").headers["Chronotile-Time"]

    (template,) = archive.client.get(f"/tiles/NDVI/WorldCRS84Quad/tilejson.json?{query}").json()["tiles"]

    answer = archive.client.get(template.replace("{z}/{x}/{y}.png", "9/524/111.png"))
    assert answer.headers["Chronotile-Time"] == date
    assert "immutable" in answer.headers["Cache-Control"]


def test_url_of_a_period_is_not_immutable_since_another_date_may_become_the_clearest(archive):
    revision = archive.client.get("/layers/NDVI").json()["revision"]

    answer = archive.client.get(f"{TILE}.png?datetime=2021-05/2021-08&reducer=clearest&rev={revision}")

    assert "immutable" not in answer.headers["Cache-Control"]


def doors(query):
    """Return the URL of the same tile in each protocol."""
    time, rest = query
    box = (TILE_NORTH - 256 * TILE_PX, TILE_WEST, TILE_NORTH, TILE_WEST + 256 * TILE_PX)
    latitude_first = ",".join(map(repr, box))
    tile = "TILEMATRIXSET=WorldCRS84Quad&TILEMATRIX=9&TILEROW=111&TILECOL=524"
    return {
        "XYZ": f"{TILE}.png?datetime={time}&{rest}",
        "WMS": "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&CRS=EPSG:4326&FORMAT=image/png"
        f"&BBOX={latitude_first}&WIDTH=256&HEIGHT=256&TRANSPARENT=TRUE&TIME={time}&{rest}",
        "WMTS": f"/wmts?SERVICE=WMTS&VERSION=1.0.0&REQUEST=GetTile&LAYER=NDVI&STYLE=&FORMAT=image/png&{tile}"
        f"&TIME={time}&{rest}",
        "WMTS REST": f"/wmts/1.0.0/NDVI/default/{time}/WorldCRS84Quad/9/111/524.png?{rest}",
        "OGC API Tiles": f"/ogcapi/collections/NDVI/map/tiles/WorldCRS84Quad/9/111/524?f=png&datetime={time}&{rest}",
    }


def test_all_protocols_show_the_same_anomaly(archive):
    addresses = doors(("2022-06", "anomaly=abs&reference=2018/2021"))

    shown = {name: rgba(archive.client.get(address)) for name, address in addresses.items()}

    first = shown["XYZ"]
    assert first[..., 3].any()
    assert [name for name, each in shown.items() if not np.array_equal(each, first)] == []
    assert {tuple(each) for each in first.reshape(-1, 4).tolist() if not each[3]} == {(0, 0, 0, 0)}


@pytest.mark.parametrize("kind", ["abs", "z", "percentile"])
def test_feature_info_returns_the_value_of_the_pixel(archive, kind):
    tile = pixels(archive.client.get(f"{TILE}.npy?datetime=2022-06&anomaly={kind}"))
    address = doors(("2022-06", f"ANOMALY={kind}"))["WMS"].replace("GetMap", "GetFeatureInfo")
    info = f"{address}&QUERY_LAYERS=NDVI&INFO_FORMAT=application/json"

    places = [(10, 150), (50, 200), (90, 240)]
    answers = [archive.client.get(f"{info}&I={i}&J={j}").json()["features"][0]["properties"] for j, i in places]

    assert [each["value"] for each in answers] == pytest.approx([tile[place] for place in places], rel=1e-5)
    assert "values" not in answers[0]
    assert {each["units"] for each in answers} == {{"abs": "1", "z": "1", "percentile": "percent"}[kind]}


@pytest.mark.parametrize(
    ("kind", "ends", "title"),
    [
        ("abs", [-0.5, 0.5], "NDVI: 2022-06 minus usual of 2018 to 2021"),
        ("z", [-3, 3], "NDVI: 2022-06 against usual of 2018 to 2021, in standard deviations"),
        ("percentile", [0, 100], "NDVI: 2022-06, percent of usual of 2018 to 2021 that is less"),
    ],
)
def test_legend_of_an_anomaly_has_its_title(archive, kind, ends, title):
    query = f"anomaly={kind}&reference=2018/2021&datetime=2022-06"
    ogcapi = "/ogcapi/collections/NDVI/legend?f=json"
    wms = "/wms?REQUEST=GetLegendGraphic&LAYER=NDVI&FORMAT=application/json&REFERENCE=2018/2021&TIME=2022-06"

    legends = [
        archive.client.get(address).json()
        for address in (
            f"/tiles/NDVI/legend.json?{query}",
            f"{wms}&ANOMALY={kind}",
            f"{ogcapi}&{query}",
        )
    ]

    assert [each["range"] for each in legends] == [ends] * 3
    assert {each["title"].replace("ndvi", "NDVI") for each in legends} == {title}
    assert legends[0]["stops"][0]["color"] != legends[0]["stops"][-1]["color"]


def test_tilejson_of_an_anomaly_has_immutable_tiles(archive):
    query = "datetime=2022-06&anomaly=abs&reference=2018/2021"

    document = archive.client.get(f"/tiles/NDVI/WorldCRS84Quad/tilejson.json?{query}").json()

    address = document["tiles"][0].replace("{z}/{x}/{y}.png", "9/524/111.png")
    answer = archive.client.get(address)
    assert "immutable" in answer.headers["Cache-Control"]
    np.testing.assert_array_equal(rgba(answer), rgba(archive.client.get(f"{TILE}.png?{query}")))
    etag = answer.headers["ETag"]
    assert archive.client.get(address, headers={"If-None-Match": etag}).status_code == 304


@pytest.mark.parametrize(
    ("query", "locator"),
    [
        ("anomaly=much", "anomaly"),
        ("anomaly=abs&reference=soon", "reference"),
        ("reference=2018", "reference"),
        ("anomaly=abs&difference=2020", "anomaly"),
        ("anomaly=abs&datetime=2018/2022", "time"),
        ("anomaly=abs&datetime=2018-06,2019-06", "time"),
        ("anomaly=abs&datetime=2022-06&reducer=mode", "reducer"),
    ],
)
def test_layer_without_an_anomaly_is_refused(archive, query, locator):
    answer = archive.client.get(f"{TILE}.png?{query}")

    assert answer.status_code == 400
    assert answer.json()["parameter"] == locator.replace("time", "datetime")


def test_a_reference_without_times_leaves_nothing_to_show(archive):
    tile = pixels(archive.client.get(f"{TILE}.npy?datetime=2022-06&anomaly=abs&reference=1998/1999"))

    assert np.isnan(tile).all()


def test_large_map_in_strips_equals_its_tiles(archive):
    box = f"{TILE_NORTH - 256 * TILE_PX!r},{TILE_WEST!r},{TILE_NORTH!r},{TILE_WEST + 256 * TILE_PX!r}"
    large = (
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&CRS=EPSG:4326&FORMAT=image/png"
        f"&BBOX={box}&WIDTH=768&HEIGHT=768&TRANSPARENT=TRUE&TIME=2022-06&ANOMALY=z"
    )
    tile = rgba(archive.client.get(f"{TILE}.png?datetime=2022-06&anomaly=z"))

    shown = rgba(archive.client.get(large))

    np.testing.assert_array_equal(shown[1::3, 1::3], tile)


def wms_of_year(side):
    box = f"{TILE_NORTH - 256 * TILE_PX!r},{TILE_WEST!r},{TILE_NORTH!r},{TILE_WEST + 256 * TILE_PX!r}"
    return (
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=NDVI&STYLES=&CRS=EPSG:4326&FORMAT=image/png"
        f"&BBOX={box}&WIDTH={side}&HEIGHT={side}&TIME=2022&ANOMALY=abs"
    )


def test_limit_of_values_counts_cells_fewer_than_pixels(archive):
    answer = archive.client.get(wms_of_year(768))

    assert answer.headers["content-type"] == "image/png"


def test_a_map_of_too_many_values_names_the_job(archive):
    limited = "service: {limits: {max_cube_values: 20000}}" + CONFIGURATION
    (archive.folder / "limited.yaml").write_text(limited)
    opened = open_archive(
        archive.folder / "limited.yaml", environment={}, clock=lambda: np.datetime64("2023-01-01", "ns")
    )
    with TestClient(application(opened.services)) as client:
        answer = client.get(wms_of_year(768))

    assert "max_cube_values" in answer.text
    assert "a job of the process anomaly" in answer.text


def test_frames_of_months_are_their_anomalies(archive):
    west, south, east, north = TILE_WEST, TILE_NORTH - 256 * TILE_PX, TILE_WEST + 256 * TILE_PX, TILE_NORTH
    film = archive.client.get(
        f"/animations/NDVI.gif?bbox={west!r},{south!r},{east!r},{north!r}&width=256&height=256&labels=none"
        "&datetime=2022-06/2022-07&step=P1M&anomaly=abs&reference=2018/2021"
    )

    frames = frames_of(film.content)

    tiles = [
        rgba(archive.client.get(f"{TILE}.png?datetime=2022-{month}&anomaly=abs&reference=2018/2021"))
        for month in ("06", "07")
    ]
    assert len(frames) == 2
    for frame, tile in zip(frames, tiles, strict=True):
        np.testing.assert_array_equal(frame[..., :3], on_white(tile)[..., :3])
