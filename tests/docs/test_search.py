"""The search of the documentation: words of users lead to the right page within the first three pages."""

import json
import shutil
import subprocess

import pytest

from tests.docs.site import DOCS, ROOT
from tests.strict import find_program

pytestmark = [pytest.mark.slow, pytest.mark.client("zensical", "node")]

PAGES = {
    "cloud mask": "how-to/cloud-masks",
    "cloud masks": "how-to/cloud-masks",
    "SCL": "how-to/cloud-masks",
    "polygons coloured": "how-to/coloured-fields",
    "choropleth": "how-to/coloured-fields",
    "colour fields by value": "how-to/coloured-fields",
    "COG to Zarr": "how-to/scenes-to-a-cube",
    "convert to Zarr": "how-to/scenes-to-a-cube",
    "permission denied": "operations",
    "empty map": "how-to/troubleshooting",
    "prometheus": "reference/monitoring",
    "metrics with a key": "reference/monitoring",
    "alerts": "reference/monitoring",
    "many regions grafana": "how-to/grafana",
    "dashboard": "how-to/grafana",
    "logo": "how-to/make-it-yours",
    "title": "how-to/make-it-yours",
    "base map": "how-to/make-it-yours",
    "production": "how-to/production",
    "debian": "how-to/production",
    "TLS certificate": "how-to/production",
    "nightly backup": "how-to/production",
    "postgresql": "how-to/production",
    "run commands next to a service": "how-to/commands-beside-a-service",
    "monthly netcdf": "how-to/monthly-netcdf",
    "0 360 longitude": "how-to/monthly-netcdf",
    "404": "reference/statuses",
    "401": "reference/statuses",
    "429": "reference/statuses",
    "503": "reference/statuses",
    "retry-after": "reference/statuses",
    "notebook job": "how-to/from-a-notebook-to-a-job",
    "install": "reference/installing",
    "pip": "reference/installing",
    "extras": "reference/installing",
    "docker": "how-to/containers",
    "restore": "how-to/backup-and-upgrade",
    "upgrade": "how-to/backup-and-upgrade",
    "nginx": "how-to/behind-a-proxy",
    "api key": "how-to/access",
    "sign in": "how-to/access",
    "hide a layer": "how-to/access",
    "keycloak": "how-to/keycloak",
    "quota": "how-to/quotas-and-usage",
    "qgis": "how-to/qgis",
    "qgis time": "how-to/qgis",
    "excel": "how-to/spreadsheets",
    "csv": "how-to/spreadsheets",
    "dataframe": "how-to/pandas",
    "R sf": "how-to/r",
    "embed viewer": "how-to/embed-the-viewer",
    "iframe": "how-to/embed-the-viewer",
    "leaflet slider": "how-to/leaflet",
    "jupyter": "how-to/notebooks",
    "stackstac": "how-to/stac-clients",
    "pystac": "how-to/stac-clients",
    "sentinel-2": "how-to/sentinel-2-from-a-bucket",
    "webhook": "reference/changes",
    "colour ramp": "how-to/colours",
    "legend": "reference/ogc-api-maps",
    "date in file name": "reference/times-of-files",
    "CORS": "how-to/troubleshooting",
    "start a worker": "reference/jobs",
    "slurm": "reference/jobs",
    "animation": "reference/animations",
    "GDAL driver": "clients",
}
"""Page for each query."""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the pages that each query finds, best first."""
    folder = tmp_path_factory.mktemp("site")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(DOCS, folder / "docs")
    shutil.copytree(ROOT / "tools/site_theme", folder / "tools/site_theme")
    subprocess.run([find_program("zensical"), "build", "--strict"], cwd=folder, capture_output=True, check=True)
    answer = subprocess.run(
        [find_program("node"), ROOT / "tests/docs/search.mjs", folder / "site"],
        input=json.dumps(list(PAGES)),
        capture_output=True,
        text=True,
        check=True,
    )
    return {
        query: list(dict.fromkeys(location.partition(".html")[0] for location in locations))
        for query, locations in json.loads(answer.stdout).items()
    }


@pytest.mark.parametrize(("query", "page"), PAGES.items())
def test_query_finds_page_among_the_first_three(results, query, page):
    assert page in results[query][:3]
