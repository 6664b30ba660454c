"""Series have the requested format; contents of files are tested with their encoders."""

import csv
import io
import json
import sys

import pytest
import xarray as xr
from covjson_pydantic.coverage import CoverageCollection

MEDIA_TYPES = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "geojson": "application/geo+json",
    "covjson": "application/prs.coverage+json",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "netcdf": "application/netcdf",
}


@pytest.fixture
def square(longitude_latitude):
    """Polygon around the centres of rows 30 and 31, columns 40 to 42."""
    corners = [list(longitude_latitude(*corner)) for corner in [(29.6, 39.6), (29.6, 42.4), (31.4, 42.4), (31.4, 39.6)]]
    return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}


@pytest.fixture
def ask(client, square, longitude_latitude):
    """Return a function: `ask("point", query, **request)` returns the answer for a point or an area."""
    longitude, latitude = longitude_latitude(30, 40)

    def answer(kind, query, **request):
        if kind == "point":
            return client.get(f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}&{query}", **request)
        return client.post(f"/timeseries/NDVI/area?{query}", json=square, **request)

    return answer


@pytest.mark.parametrize("kind", ["point", "area"])
@pytest.mark.parametrize(("name", "media_type"), MEDIA_TYPES.items(), ids=MEDIA_TYPES)
def test_format_parameter_selects_the_format(ask, kind, name, media_type):
    answer = ask(kind, f"format={name.upper()}")

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert "Accept" in answer.headers["vary"]


@pytest.mark.parametrize("kind", ["point", "area"])
@pytest.mark.parametrize(("name", "media_type"), MEDIA_TYPES.items(), ids=MEDIA_TYPES)
def test_accept_header_selects_the_format(ask, kind, name, media_type):
    wanted = media_type.partition(";")[0]

    answer = ask(kind, "", headers={"Accept": f"image/png;q=0.9, {wanted}, */*;q=0.1"})

    assert answer.headers["content-type"] == media_type


@pytest.mark.parametrize("kind", ["point", "area"])
def test_unknown_format_is_reported_with_the_existing_ones(ask, kind):
    answer = ask(kind, "format=xlsx")

    assert (answer.status_code, answer.json()["parameter"]) == (400, "format")
    assert ", ".join(MEDIA_TYPES) in answer.json()["detail"]


@pytest.mark.parametrize("kind", ["point", "area"])
@pytest.mark.parametrize(("name", "file"), [("csv", "NDVI.csv"), ("parquet", "NDVI.parquet"), ("netcdf", "NDVI.nc")])
def test_files_are_saved_under_the_name_of_the_layer(ask, kind, name, file):
    assert ask(kind, f"format={name}").headers["content-disposition"] == f'attachment; filename="{file}"'


@pytest.mark.parametrize("kind", ["point", "area"])
@pytest.mark.parametrize(("name", "library"), [("parquet", "pyarrow"), ("netcdf", "h5netcdf")])
def test_format_without_its_library_names_what_to_install(ask, monkeypatch, kind, name, library):
    monkeypatch.setitem(sys.modules, library, None)

    answer = ask(kind, f"format={name}")

    assert (answer.status_code, answer.json()["parameter"]) == (501, "format")
    assert answer.json()["detail"] == (
        f"format {name} needs {library}, which the server lacks: in its environment, pip install 'chronotile[{name}]'"
    )


def test_without_its_library_a_format_is_not_chosen_by_accept(ask, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    answer = ask("point", "", headers={"Accept": "application/vnd.apache.parquet, text/csv;q=0.5"})

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/csv; charset=utf-8")


def test_a_csv_of_an_area_is_a_long_table(ask):
    rows = list(csv.reader(io.StringIO(ask("area", "format=csv&reducers=mean,p90").text)))

    assert rows[0] == ["id", "time", "mean", "p90", "valid", "total"]
    assert len(rows) == 1 + 4


def test_files_carry_the_attribution_of_the_layer(ask):
    document = ask("area", "format=geojson").json()

    with xr.open_dataset(io.BytesIO(ask("point", "format=netcdf").content), engine="h5netcdf") as found:
        assert document["attribution"] == found.attrs["attribution"] == "Copernicus & co"


def test_all_formats_of_a_point_have_its_values(ask):
    values = ask("point", "").json()["values"]

    (feature,) = ask("point", "format=geojson").json()["features"]
    coverage = ask("point", "format=covjson").json()["coverages"][0]
    line = json.loads(ask("point", "format=ndjson").text)
    assert feature["properties"]["series"]["value"] == values
    assert coverage["ranges"]["value"]["values"] == values
    assert line["properties"]["series"]["value"] == values


@pytest.mark.parametrize("kind", ["point", "area"])
def test_an_interval_without_times_has_no_coverages(ask, kind):
    answer = ask(kind, "format=covjson&datetime=2019-01-01/2019-02-01")

    document = CoverageCollection.model_validate(answer.json())
    assert (answer.status_code, document.coverages) == (200, [])


def test_formats_of_a_point_have_separate_validators(ask):
    etag = ask("point", "format=geojson").headers["etag"]

    assert ask("point", "format=geojson", headers={"If-None-Match": etag}).status_code == 304
    assert ask("point", "format=covjson", headers={"If-None-Match": etag}).status_code == 200


def test_an_area_of_a_layer_without_time_is_a_file_too(client, square):
    answer = client.post("/timeseries/HEIGHT/area?format=netcdf", json=square)

    with xr.open_dataset(io.BytesIO(answer.content), engine="h5netcdf") as found:
        assert found["mean"].shape == (1, 1)


@pytest.mark.parametrize("name", ["csv", "parquet", "netcdf", "geojson", "covjson"])
@pytest.mark.parametrize(("kind", "column"), [("point", b"climatology"), ("area", b"mean.climatology")])
def test_findings_per_time_are_in_files_too(ask, kind, column, name):
    answer = ask(kind, f"format={name}&climatology=mean")

    assert answer.status_code == 200
    assert column in answer.content


@pytest.mark.parametrize("kind", ["point", "area"])
@pytest.mark.parametrize("name", ["csv", "parquet", "geojson"])
def test_findings_that_are_not_one_value_per_time_are_refused(ask, kind, name):
    answer = ask(kind, f"format={name}&trend=theil_sen")

    assert (answer.status_code, answer.json()["parameter"]) == (400, "trend")
