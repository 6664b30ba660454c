"""Places with values in GDAL, OWSLib, geopandas and QGIS, by OGC API - Features."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import geopandas
import numpy as np
import pytest
from owslib.ogcapi.features import Features

from tests.places import make_places
from tests.protocols import served

COUNT = 12
"""Number of places; the first five lie in the layer."""
VALUED = "value=NDVI&datetime=2020-06-01"


@pytest.fixture
def url(make_url):
    return f"{make_url(served.make_services(*served.tree_collections(), places=[make_places(COUNT)]))}/ogcapi"


@pytest.fixture
def values(url):
    """Values (place,) of the matrix."""
    address = url.replace("ogcapi", "places/squares/values?layer=NDVI&datetime=2020-06-01")
    with urllib.request.urlopen(address) as answer:
        matrix = json.load(answer)
    return np.array([row[0] for row in matrix["values"]], dtype=float)


@pytest.mark.client("ogrinfo")
@pytest.mark.parametrize(
    "words",
    [
        ("-al", f"OAPIF:{{}}/collections/squares?{VALUED}"),
        (f"OAPIF:{{}}?{VALUED}", "squares"),
        (f"OAPIF:{{}}?{VALUED}&weights=pixel", "squares"),
    ],
    ids=["collection", "layer of the service", "weights"],
)
def test_gdal_pages_through_all_places_with_values(url, values, words):
    """GDAL sends the query with each request, even for documents."""
    command = ["ogrinfo", "-oo", "PAGE_SIZE=5", *(word.format(url) for word in words)]
    ran = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)

    assert f"Feature Count: {COUNT}" in ran.stdout
    assert "NDVI: Real" in ran.stdout
    assert ran.stderr == ""
    numbers = [line.split("= ")[1] for line in ran.stdout.splitlines() if line.startswith("  NDVI (Real)")]
    values_read = [np.nan if number == "(null)" else float(number) for number in numbers]
    np.testing.assert_allclose(values_read, values, rtol=1e-7)


@pytest.mark.client("ogrinfo")
def test_gdal_prints_errors_of_rasters_if_it_reads_the_service(url):
    command = ["ogrinfo", "-al", "-so", f"OAPIF:{url}?{VALUED}"]
    ran = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)

    assert "value is not a parameter here" in ran.stderr


@pytest.mark.client(sys.executable)
def test_owslib_finds_the_sets_and_their_places(url):
    features = Features(url)

    assert features.feature_collections() == ["squares"]
    assert set(features.collection_queryables("squares")["properties"]) == {"id", "label", "geometry"}
    page = features.collection_items("squares", bbox=[4.72, 50, 4.88, 51], limit=1)
    assert (page["numberMatched"], [each["id"] for each in page["features"]]) == (2, ["S2"])
    assert features.collection_item("squares", "S3")["properties"]["label"] == "S3"
    assert len(features.collection_items("squares", filter="label LIKE 'S1%'")["features"]) == 3


@pytest.mark.client(sys.executable)
@pytest.mark.parametrize("form", ["json", "fgb", "gpkg"])
def test_geopandas_reads_the_items(url, values, form, tmp_path):
    address = f"{url}/collections/squares/items?{VALUED}&f={form}"
    if form == "gpkg":  # GDAL requires this suffix
        address, _headers = urllib.request.urlretrieve(address, tmp_path / "places.gpkg")
    frame = geopandas.read_file(address).set_index("id")

    assert len(frame) == COUNT
    found = frame.loc[[f"S{number}" for number in range(COUNT)], "NDVI"]
    np.testing.assert_array_equal(found.astype(float), values)
    assert frame.crs.to_epsg() == 4326


@pytest.mark.audit
@pytest.mark.client("qgis")
def test_qgis_colours_places_by_their_value_and_opens_the_project_again(url, values, tmp_path):
    script = Path(__file__).with_name("qgis_features.py")
    environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = ["/usr/bin/python3", script, f"{url}?{VALUED}", tmp_path]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)

    for told in json.loads(done.stdout.splitlines()[-1]):
        assert (told["valid"], told["count"], told["messages"]) == (True, COUNT, [])
        assert told["fields"] == {"id": "String", "label": "String", "NDVI": "Real"}
        found = [told["values"][f"S{number}"] for number in range(COUNT)]
        np.testing.assert_allclose(np.array(found, dtype=float), values)
        # Fields are red below the middle of the values, else green, and grey without one.
        middle = np.nanmedian(values)
        rules = ["grey" if np.isnan(value) else "red" if value < middle else "green" for value in values]
        assert told["colours"] == {f"S{number}": rule for number, rule in enumerate(rules)}
