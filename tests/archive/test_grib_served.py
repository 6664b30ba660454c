"""GRIB files over HTTP: the rows of Gaussian grids, ensembles, and messages on separate grids."""

import subprocess
import sys

import numpy as np
import pyproj
import pytest
import rasterio
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.describe import archive_lines
from tests.grib import code, first_edition, gaussian, gaussian_rows, message

NUMBER = 16
STEP = 90 / NUMBER
ROWS = gaussian_rows(NUMBER)
EACH = code(2 * NUMBER, 4 * NUMBER)


def write(path, *messages):
    path.write_bytes(b"".join(messages))


def layers_of(archive):
    return {layer.id.partition(".")[2]: layer for layer in archive.services.catalogue.layers}


def findings_of(archive):
    return " | ".join(each.message for each in archive.findings)


@pytest.mark.parametrize("edition", [1, 2])
def test_a_gaussian_grid_has_one_place_in_all_answers(open_at, tmp_path, edition):
    if edition == 2:
        found = gaussian(message(tmp_path, EACH, north=float(ROWS[0]), step=STEP), NUMBER)
    else:
        found = first_edition(EACH, latitudes=(ROWS[0], ROWS[-1]), longitudes=(0, 360 - STEP), gaussian=NUMBER)
    write(tmp_path / "era.grib", found)

    archive = open_at(tmp_path)
    (layer,) = layers_of(archive).values()
    with TestClient(application(archive.services)) as client:
        places = [(row, column) for row in (0, 1, 8, 15, 16, 30, 31) for column in (0, 20, 63)]
        answers = {
            (row, column): client.get(
                f"/timeseries/{layer.id}/point", params={"x": (column * STEP + 180) % 360 - 180, "y": ROWS[row]}
            ).json()["values"]
            for row, column in places
        }
        coverage = client.get(f"/ogcapi/collections/{layer.id}/coverage", params={"f": "GTiff"})
        described = client.get(f"/ogcapi/collections/{layer.id}").json()

    assert answers == {(row, column): [pytest.approx(EACH[row, column], abs=0.1)] for row, column in places}
    south, north = described["extent"]["spatial"]["bbox"][0][1::2]
    assert -90 < south < ROWS[-1]
    assert ROWS[0] < north < 90
    with rasterio.MemoryFile(coverage.content) as memory, memory.open() as file:
        served = file.read(1)
        for row in (0, 9, 31):
            inside = file.index(10.0 * STEP, ROWS[row])
            assert served[inside] == pytest.approx(EACH[row, 10], abs=0.1)
    text = "\n".join(archive_lines(archive.services.catalogue))
    assert "px in degrees on a sphere of radius 63" in text
    assert "imported" not in text


def test_each_grid_has_its_place_or_is_reported(open_at, tmp_path):
    write(
        tmp_path / "rain.grib2",
        message(tmp_path, code(37, 72), west=-180, north=90, step=5, day="2017-10-17"),
        message(tmp_path, code(45, 90) + 10000, west=-180, north=88, step=4, day="2017-10-18"),
    )

    archive = open_at(tmp_path)
    (layer,) = layers_of(archive).values()
    with TestClient(application(archive.services)) as client:
        answer = client.get(f"/timeseries/{layer.id}/point", params={"x": 0.1, "y": 0.1}).json()

    assert [time[:10] for time in answer["times"]] == ["2017-10-17"]
    assert answer["values"] == [pytest.approx(1800 + 36, abs=0.1)]
    assert "left out: band 2 on another grid than band 1 (90 x 45 cells, not 72 x 37 cells; grib_copy IN" in (
        findings_of(archive)
    )


def members(tmp_path, count):
    return [message(tmp_path, code(5, 7) + member, definition=1, more=(3, member, count)) for member in range(count)]


def test_few_members_are_layers(open_at, tmp_path):
    write(tmp_path / "eps.grib2", *members(tmp_path, 3))

    archive = open_at(tmp_path)
    with TestClient(application(archive.services)) as client:
        found = {
            name: client.get(f"/timeseries/{layer.id}/point", params={"x": 2.2, "y": 47.9}).json()["values"]
            for name, layer in layers_of(archive).items()
        }

    assert found == {f"PRES_0-SFC_member{number}": [pytest.approx(202 + number, abs=0.01)] for number in range(3)}


@pytest.mark.slow
def test_members_above_a_limit_must_be_configured(open_at, tmp_path):
    other = message(tmp_path, code(5, 7), category=2)
    write(tmp_path / "eps.grib2", *members(tmp_path, 13), other)
    file = tmp_path / "chronotile.yaml"
    file.write_text(
        "collections:\n  eps: {source: {kind: cog, href: eps.grib2}, variables: "
        "{P: {name: PRES_0-SFC, select: {number: 7}}, Q: {name: PRES_0-SFC_member9}}}\n"
    )

    archive = open_at(tmp_path / "eps.grib2")

    assert list(layers_of(archive)) == ["WDIR_0-SFC"]
    assert "left out: PRES_0-SFC (13 messages): it has 13 steps of the dimension number " in findings_of(archive)
    assert "configuration, select: {number: 0}: accepted are 0, 1, 2, 3," in findings_of(archive)
    configured = open_at(file)
    with TestClient(application(configured.services)) as client:
        answers = [
            client.get(f"/timeseries/eps.{name}/point", params={"x": 2.2, "y": 47.9}).json()["values"] for name in "PQ"
        ]
    np.testing.assert_allclose(answers, [[209], [211]], atol=0.01)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a stream of glibc")
def test_messages_of_gdal_about_headers_do_not_reach_the_terminal(tmp_path):
    own = bytes([1, 2, 3, 4]) + bytes(8)  # an extension of a centre that GDAL does not support
    write(tmp_path / "a.grib", first_edition(code(5, 7), latitudes=(50, 46), longitudes=(0, 6), centre=34, own=own))
    run = "import sys; from chronotile.cli.main import main; sys.argv = ['chronotile', 'layers', sys.argv[1]]; main()"

    ran = subprocess.run(
        [sys.executable, "-c", run, str(tmp_path / "a.grib")], capture_output=True, text=True, check=True
    )

    assert len(ran.stdout.splitlines()) == 2
    assert ran.stdout.startswith("a\n  a.PRES_0-SFC  1 time 2020-01-01")
    assert "ensemble" not in ran.stderr


def answers_of(client, layer, x, y):
    """Return values of a cell at 3 October 2021 in WMS, series, EDR and coverages."""
    when = "2021-10-03T00:00:00Z"
    box = {"VERSION": "1.3.0", "CRS": "CRS:84", "BBOX": f"{x - 1},{y - 1},{x + 1},{y + 1}", "WIDTH": 3, "HEIGHT": 3}
    info = {"I": 1, "J": 1, "QUERY_LAYERS": layer, "LAYERS": layer, "INFO_FORMAT": "application/json", "TIME": when}
    wms = client.get("/wms", params={"SERVICE": "WMS", "REQUEST": "GetFeatureInfo", "STYLES": "", **box, **info})
    series = client.get(f"/timeseries/{layer}/point", params={"x": x, "y": y, "datetime": when})
    edr = client.get(f"/ogcapi/collections/{layer}/position", params={"coords": f"POINT({x} {y})", "datetime": when})
    coverage = client.get(
        f"/ogcapi/collections/{layer}/coverage", params={"f": "GTiff", "datetime": when, "subset": f"Lat({y}),Lon({x})"}
    )
    with rasterio.MemoryFile(coverage.content) as memory, memory.open() as file:
        cells = file.read(1)
    (ranges,) = edr.json()["ranges"].values()
    return [wms.json(), series.json()["values"], ranges["values"], cells.ravel().tolist()]


@pytest.mark.parametrize(("run", "number"), [("latest", 2), ("2021-10-01", 1)])
def test_selected_run_has_one_value_in_all_answers(open_at, tmp_path, run, number):
    write(
        tmp_path / "gfs.grib2",
        *(message(tmp_path, code(5, 7) + 7 * n, day=f"2021-10-0{n}", hours=72 - 24 * n) for n in (1, 2)),
    )
    file = tmp_path / "chronotile.yaml"
    variables = f"{{P: {{name: PRES_0-SFC, select: {{run: {run}}}, layer: P}}}}"
    file.write_text(f"collections:\n  gfs: {{source: {{kind: cog, href: gfs.grib2}}, variables: {variables}}}\n")

    with TestClient(application(open_at(file).services)) as client:
        features, series, position, cells = answers_of(client, "P", 2.0, 48.0)

    assert features["features"][0]["properties"]["value"] == pytest.approx(202 + 7 * number, abs=0.01)
    assert [series, position, cells] == [[pytest.approx(202 + 7 * number, abs=0.01)]] * 3


NCEP = "var167 of table 128 of center 7_0-SFC"


@pytest.mark.slow
def test_member_of_a_real_ensemble_is_served(open_at, tmp_path, shared_data):
    path = shared_data / "instruments" / "grib" / "ncep-seasonal-monthly.grib"
    content = path.read_bytes()
    starts = [at for at in range(len(content)) if content[at : at + 4] == b"GRIB"]
    bands = [n for n, at in enumerate(starts, start=1) if content[at + 57 : at + 59] == (120).to_bytes(2, "big")]
    file = tmp_path / "chronotile.yaml"
    source = f"{{kind: cog, href: '{path}'}}"
    variables = f"{{T: {{name: '{NCEP}', select: {{number: 120}}, layer: T}}}}"
    file.write_text(f"collections:\n  ncep: {{source: {source}, variables: {variables}}}\n")
    with rasterio.Env(GRIB_NORMALIZE_UNITS=False), rasterio.open(path) as dataset:
        x, y = dataset.xy(3, 5)
        times = [int(dataset.tags(band)["GRIB_VALID_TIME"].split()[0]) for band in bands]
        expected = [float(dataset.read(bands[n])[3, 5]) for n in np.argsort(times)]

    with TestClient(application(open_at(file).services)) as client:
        answer = client.get("/timeseries/T/point", params={"x": (x + 180) % 360 - 180, "y": y}).json()

    assert answer["values"] == pytest.approx(expected, rel=1e-6)
    assert len(answer["times"]) == 3


@pytest.mark.slow
def test_damaged_real_message_does_not_hide_the_others(open_at, tmp_path, shared_data):
    for name in ("era5-levels-corrupted.grib", "era5-single-level-scalar-time.grib"):
        (tmp_path / name).write_bytes((shared_data / "instruments" / "grib" / name).read_bytes())

    archive = open_at(tmp_path)

    assert sorted(layers_of(archive)) == ["2T_0-SFC", "T_850-ISBL_member0"]
    (finding,) = archive.findings
    assert finding.place.endswith("era5-levels-corrupted.grib")
    assert finding.message.startswith(
        "left out: message 1: no end of message stands at its stated length of 1588 bytes"
    )


@pytest.mark.slow
def test_points_of_a_real_mercator_grid_across_180_equal_rasterio(open_at, tmp_path, shared_data):
    path = shared_data / "instruments" / "grib" / "ds.waveh.5.grib"
    (tmp_path / path.name).write_bytes(path.read_bytes())
    archive = open_at(tmp_path)
    (layer,) = archive.services.catalogue.layers
    random = np.random.default_rng(1)
    compared = []
    with rasterio.open(path) as dataset, TestClient(application(archive.services)) as client:
        to_degrees = pyproj.Transformer.from_crs(dataset.crs, "OGC:CRS84", always_xy=True)
        numbers = dataset.read(1, masked=True)
        rows, columns = np.nonzero(~np.ma.getmaskarray(numbers))
        for cell in random.choice(rows.size, 60, replace=False):
            row, column = int(rows[cell]), int(columns[cell])
            longitude, latitude = to_degrees.transform(*dataset.xy(row, column))
            answer = client.get(
                f"/timeseries/{layer.id}/point", params={"lon": (longitude + 180) % 360 - 180, "lat": latitude}
            ).json()
            compared.append((longitude, answer["values"], [pytest.approx(float(numbers[row, column]), rel=1e-6)]))

    assert {longitude > 0 for longitude, *_values in compared} == {True, False}
    for _longitude, values, expected in compared:
        assert values == expected
