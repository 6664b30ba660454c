"""A pygeoapi as anybody installs it, with a configuration file that names our providers."""

import importlib
import sys
from collections.abc import Iterator

import pytest
import shapely
import yaml
from rasterio.warp import transform_bounds
from starlette.testclient import TestClient

from tests.places import feature, write_places
from tests.scenes import Scene, write_cogs

APPLICATION = "pygeoapi.starlette_app"

CONFIGURATION = """
server:
  bind: {{host: 0.0.0.0, port: 5000}}
  url: http://testserver
  mimetype: application/json; charset=UTF-8
  encoding: utf-8
  gzip: false
  languages: [en-US]
  pretty_print: false
  limits: {{default_items: 20, max_items: 50}}
  map:
    url: https://tile.openstreetmap.org/{{z}}/{{x}}/{{y}}.png
    attribution: OpenStreetMap
logging: {{level: ERROR}}
metadata:
  identification:
    title: Stock pygeoapi
    description: With providers of chronotile
    keywords: [vegetation]
    keywords_type: theme
    terms_of_service: https://creativecommons.org/licenses/by/4.0/
    url: https://example.org
  license: {{name: CC-BY 4.0, url: https://creativecommons.org/licenses/by/4.0/}}
  provider: {{name: Example, url: https://example.org}}
  contact:
    name: Doe, Jane
    position: Keeper
    address: Street 1
    city: Town
    stateorprovince: Province
    postalcode: "1000"
    country: Belgium
    phone: "+32"
    fax: "+32"
    email: you@example.org
    url: https://example.org
    hours: Mo-Fr
    instructions: By mail
    role: pointOfContact
resources:
  ndvi:
    type: collection
    title: NDVI
    description: Vegetation
    keywords: [vegetation]
    extents:
      spatial:
        bbox: [2.99, 50.9, 3.01, 51.1]
        crs: http://www.opengis.net/def/crs/OGC/1.3/CRS84
      temporal: {{begin: 2020-01-01T00:00:00Z, end: 2020-02-11T00:00:00Z}}
    providers:
      - type: coverage
        name: chronotile.pygeoapi.CoverageProvider
        data: {data}
        options: {{collection: NDVI}}
        format: {{name: GTiff, mimetype: image/tiff; application=geotiff}}
      - type: edr
        name: chronotile.pygeoapi.EDRProvider
        data: {data}
        options: {{collection: NDVI}}
        crs: [http://www.opengis.net/def/crs/OGC/1.3/CRS84, http://www.opengis.net/def/crs/EPSG/0/32631]
      - type: map
        name: chronotile.pygeoapi.MapProvider
        data: {data}
        options: {{collection: NDVI}}
        format: {{name: png, mimetype: image/png}}
"""


@pytest.fixture(scope="module")
def scene() -> Scene:
    """Return the served scene: 40 by 30 cells of 10 m, five dates."""
    return Scene()


@pytest.fixture(scope="module")
def archive(tmp_path_factory, scene):
    """Return a configuration file of chronotile, with a collection `made` and its layer NDVI, and two places."""
    folder = tmp_path_factory.mktemp("archive")
    spec = write_cogs(folder, scene)
    variables = {"NDVI": {"layer": "NDVI", "units": "1"}}
    source = {"kind": "cog", "href": spec.href, "time_pattern": spec.time_pattern}
    collection = {"title": "Made", "attribution": "Made here", "source": source, "variables": variables}
    quarter = shapely.box(*transform_bounds(scene.crs, "OGC:CRS84", 500_000, 5_649_900, 500_100, 5_650_000))
    write_places(folder / "parts.geojson", feature(0, quarter))
    places = {"parts": {"href": "parts.geojson", "id": "code", "label": "name"}}
    path = folder / "chronotile.yaml"
    path.write_text(yaml.safe_dump({"collections": {"made": collection}, "places": places}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def stock(tmp_path_factory, archive) -> Iterator[TestClient]:
    """Return a client of pygeoapi's Starlette application, which reads its files at import."""
    from pygeoapi.openapi import generate_openapi_document

    folder = tmp_path_factory.mktemp("pygeoapi")
    config, openapi = folder / "pygeoapi.yaml", folder / "openapi.json"
    config.write_text(CONFIGURATION.format(data=archive), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYGEOAPI_CONFIG", str(config))
        patch.setenv("PYGEOAPI_OPENAPI", str(openapi))
        openapi.write_text(generate_openapi_document(config, "json"), encoding="utf-8")
        patch.delitem(sys.modules, APPLICATION, raising=False)
        application = importlib.import_module(APPLICATION).APP
        with TestClient(application, raise_server_exceptions=False) as client:
            yield client
        sys.modules.pop(APPLICATION, None)
