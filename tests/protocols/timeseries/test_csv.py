"""CSV for spreadsheets: decimal commas, days, and attribution of values."""

import csv
import io

import pytest
from shapely.geometry import Polygon, mapping

from chronotile.pipeline.encoders.series.csv import CsvOptions
from tests.protocols import served

ROW, COLUMN = 30, 40
SCALE, OFFSET = 0.004, -0.08
UNITS, ATTRIBUTION = "m2; m-2", 'Field "A", station'
DAYS = ["2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21"]
SEMICOLON = "dialect=semicolon"


@pytest.fixture
def make_spreadsheet_client(make_client, make_services):
    """A layer with decimals, a flag at one time, and texts that need quotes in every dialect."""

    def make(**members):
        number = int(served.number_at(ROW, COLUMN, 1))
        members = {"scale": SCALE, "offset": OFFSET, "units": UNITS, "flags": ((number, "cloud; haze"),)} | members
        layer = served.make_layer(variable=served.make_variable(**members), attribution=ATTRIBUTION)
        return make_client(make_services(served.make_collection(layer)))

    return make


@pytest.fixture
def requests(longitude_latitude):
    """Functions of client and query that request CSV for a point, points, areas and an EDR position, by kind."""
    longitude, latitude = longitude_latitude(ROW, COLUMN)
    corners = [longitude_latitude(*each) for each in [(29.6, 39.6), (29.6, 42.4), (31.4, 42.4), (31.4, 39.6)]]
    square = mapping(Polygon(corners))
    feature = {"type": "Feature", "id": "a;b", "properties": {}, "geometry": square}
    points = {"layers": ["NDVI"], "points": [{"id": "a;b", "lon": longitude, "lat": latitude}]}
    collection = {"type": "FeatureCollection", "features": [feature]}
    position = f"/ogcapi/collections/NDVI/position?coords=POINT({longitude} {latitude})&f=CSV"
    return {
        "point": lambda client, query: client.get(
            f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}&format=csv&{query}"
        ),
        "points": lambda client, query: client.post(f"/timeseries/points?format=csv&{query}", json=points),
        "areas": lambda client, query: client.post(f"/timeseries/NDVI/areas?format=csv&{query}", json=collection),
        "position": lambda client, query: client.get(f"{position}&{query}"),
    }


KINDS = ["point", "points", "areas", "position"]


def rows_of(answer, delimiter=","):
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text), delimiter=delimiter, strict=True))


CELLS = {
    '=HYPERLINK("http://a.example";"b")': '\'=HYPERLINK("http://a.example";"b")',
    "+32 2 123": "'+32 2 123",
    "-a": "'-a",
    "@SUM(1)": "'@SUM(1)",
    "\tx": "'\tx",
    "-12.5": "-12.5",
    "+1e-3": "+1e-3",
    "a=b": "a=b",
}
"""Ids of places and their cells: no cell is a formula, and numbers are unchanged."""


@pytest.mark.parametrize("dialect", ["comma", "semicolon"])
def test_csv_cells_are_no_formulas_and_numbers_are_unchanged(make_spreadsheet_client, longitude_latitude, dialect):
    longitude, latitude = longitude_latitude(ROW, COLUMN)
    points = [{"id": each, "lon": longitude, "lat": latitude} for each in CELLS]
    body = {"layers": ["NDVI"], "points": points}
    client = make_spreadsheet_client(scale=SCALE, offset=-1.5)  # values below 0

    answer = client.post(f"/timeseries/points?format=csv&dialect={dialect}", json=body)
    header, *rows = rows_of(answer, ";" if dialect == "semicolon" else ",")

    found = dict.fromkeys(row[header.index("id")] for row in rows)
    assert list(found) == list(CELLS.values())
    assert any(cell.startswith("-") for row in rows for cell in row[2:])


@pytest.mark.parametrize("kind", KINDS)
def test_semicolon_has_the_same_cells_with_decimal_commas(make_spreadsheet_client, requests, kind):
    client = make_spreadsheet_client()

    usual = rows_of(requests[kind](client, ""))
    written = rows_of(requests[kind](client, SEMICOLON), ";")

    numbers = {"value", "mean", "x", "y", "NDVI"}
    assert written[0] == usual[0]
    assert any("." in cell for row in usual[1:] for cell in row)
    assert written[1:] == [
        [cell.replace(".", ",") if name in numbers else cell for name, cell in zip(usual[0], row, strict=True)]
        for row in usual[1:]
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_days_are_written_without_their_time(make_spreadsheet_client, requests, kind):
    (name, *_), *rows = rows_of(requests[kind](make_spreadsheet_client(), "date=day"))

    times = [row[0 if name == "time" else 1] for row in rows]
    assert times == DAYS


@pytest.mark.parametrize("kind", KINDS)
def test_days_are_refused_if_a_day_has_several_times(make_spreadsheet_client, requests, kind):
    client = make_spreadsheet_client(
        times=served.days_of("2020-06-20T10:50:31", "2020-06-20T11:02:00", "2020-06-25T10:50:29"), flags=()
    )

    answer = requests[kind](client, "date=day&datetime=2020-06-25")

    assert answer.status_code == 400
    assert "layer NDVI has several times on one day" in answer.text
    assert "date=instant" in answer.text


def test_days_are_refused_if_layers_of_one_table_have_different_times_on_one_day(
    make_client, make_services, longitude_latitude
):
    longitude, latitude = longitude_latitude(ROW, COLUMN)
    layers = [
        served.make_layer(name, variable=served.make_variable(name, times=served.days_of(time, "2020-06-25T10:00:00")))
        for name, time in (("A", "2020-06-20T10:00:00"), ("B", "2020-06-20T11:00:00"))
    ]
    client = make_client(make_services(served.make_collection(*layers, collection_id="s2")))
    url = f"/ogcapi/collections/s2/position?coords=POINT({longitude} {latitude})&f=CSV&parameter-name="

    both = client.get(f"{url}A,B&date=day")
    alone = rows_of(client.get(f"{url}B&date=day"))

    assert both.status_code == 400
    assert "layers A, B have different times on one day, which date=day cannot tell apart" in both.text
    assert [row[0] for row in alone[1:]] == ["2020-06-20", "2020-06-25"]


def test_steps_of_days_are_written_as_days_for_any_times_of_the_layer(make_spreadsheet_client, requests):
    client = make_spreadsheet_client(
        times=served.days_of("2020-06-20T10:50:31", "2020-06-20T11:02:00", "2020-06-25T10:50:29"), flags=()
    )

    months = rows_of(requests["point"](client, "date=day&step=P1M"))
    hours = requests["point"](client, "date=day&step=PT6H")

    assert [row[0] for row in months[1:]] == ["2020-06-01"]
    assert (hours.status_code, hours.json()["parameter"]) == (400, "date")


@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("kind", ["point", "points", "areas"])
def test_all_columns_name_the_layer_its_units_and_its_attribution(make_spreadsheet_client, requests, kind, delimiter):
    client, dialect = make_spreadsheet_client(), f"&{SEMICOLON}" if delimiter == ";" else ""

    usual = rows_of(requests[kind](client, dialect[1:]), delimiter)
    written = rows_of(requests[kind](client, f"columns=all{dialect}"), delimiter)

    assert written[0] == [*usual[0], "layer", "units", "attribution"]
    assert written[1:] == [[*row, "NDVI", UNITS, ATTRIBUTION] for row in usual[1:]]


def test_columns_of_one_layer_are_refused_if_each_layer_has_a_column(make_spreadsheet_client, requests):
    answer = requests["position"](make_spreadsheet_client(), "columns=all")

    assert answer.status_code == 400
    assert "columns is not a parameter here; accepted are coords, datetime, parameter-name" in answer.text


@pytest.mark.parametrize("text", ["a\rb", "a\nb", "a\r\nb", ' "', "a;b,c", ""])
def test_every_text_is_one_field_again(text):
    line = CsvOptions().cells("first", text)

    assert list(csv.reader(io.StringIO(f"{line}\n", newline=""), strict=True)) == [["first", text]]
    assert line.endswith('"') or not set(text) & set('\r\n",')


def test_columns_of_an_analysis_follow_the_dialect(make_spreadsheet_client, requests):
    client = make_spreadsheet_client()

    usual = rows_of(requests["point"](client, "smooth=whittaker"))
    written = rows_of(requests["point"](client, f"smooth=whittaker&{SEMICOLON}&columns=all"), ";")

    assert written[0] == ["time", "value", "reason", "smooth", "layer", "units", "attribution"]
    assert [row[3] for row in written[1:]] == [row[3].replace(".", ",") for row in usual[1:]]
    assert any(row[3] for row in usual[1:])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("query", "parameter", "accepted"),
    [("dialect=tab", "dialect", "semicolon"), ("date=week", "date", "day"), ("columns=some", "columns", "all")],
)
def test_other_words_are_refused(make_spreadsheet_client, requests, kind, query, parameter, accepted):
    answer = requests[kind](make_spreadsheet_client(), query)

    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)
    assert accepted in answer.text or kind == "position"


@pytest.mark.parametrize("query", [SEMICOLON, "date=day", "columns=all"])
@pytest.mark.parametrize("format_", ["json", "parquet", "geojson"])
def test_other_formats_refuse_options_of_csv(client, longitude_latitude, query, format_):
    longitude, latitude = longitude_latitude(ROW, COLUMN)

    answer = client.get(f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}&format={format_}&{query}")

    name = query.partition("=")[0]
    assert (answer.status_code, answer.json()["parameter"]) == (400, name)
    assert answer.json()["detail"] == f"{name} is accepted only for CSV; request CSV or omit it"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("query", ["date=2020-06-01", "date=2020"])
def test_a_date_that_was_meant_as_times_is_refused_with_the_right_name(make_spreadsheet_client, requests, kind, query):
    answer = requests[kind](make_spreadsheet_client(), query)

    assert (answer.status_code, answer.json()["parameter"]) == (400, "date")
    assert "to choose times use datetime" in answer.text


@pytest.mark.parametrize("path", ["/ogcapi/collections/NDVI/items", "/timeseries/NDVI/point"])
def test_dates_of_other_answers_are_refused_too(client, longitude_latitude, path):
    longitude, latitude = longitude_latitude(ROW, COLUMN)

    answer = client.get(f"{path}?lon={longitude}&lat={latitude}&date=2020-06-01")

    assert answer.status_code == 400
    assert "use datetime" in answer.text


@pytest.mark.parametrize("kind", KINDS)
def test_every_csv_has_a_file_name(make_spreadsheet_client, requests, kind):
    assert requests[kind](make_spreadsheet_client(), "").headers["content-disposition"] == (
        'attachment; filename="NDVI.csv"'
    )


@pytest.mark.parametrize("kind", ["point", "position"])
def test_each_notation_has_a_separate_etag(make_spreadsheet_client, requests, kind):
    client = make_spreadsheet_client()

    etags = {requests[kind](client, query).headers["etag"] for query in ("", SEMICOLON, "date=day")}

    assert len(etags) == 3


@pytest.mark.parametrize("query", [SEMICOLON, "date=day"])
def test_cells_of_edr_follow_the_dialect(client, query):
    path = "/ogcapi/collections/NDVI/cube?bbox=4.60,50.80,4.601,50.801&datetime=2020-06-01&f=CSV"

    usual, written = rows_of(client.get(path)), rows_of(client.get(f"{path}&{query}"), ";" if "semi" in query else ",")

    assert len(usual) > 1
    assert len(written) == len(usual)
    assert written != usual
