"""The example of a public STAC API of Sentinel-2, with an API and files of the same form in its place."""

from pathlib import Path

import numpy as np
import pytest
import shapely
from rasterio.transform import Affine
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.app.application import ServerOptions, application
from chronotile.app.configured_archive import open_configured
from chronotile.app.settings import load_settings
from chronotile.cli.main import app
from tests.archive.index.stac_api import StacApi, serving
from tests.faulty_source import faulty_source
from tests.rasters import write_raster
from tests.running import PATIENCE_S

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "config" / "examples" / "sentinel-2-stac.yaml"
HOST = "https://earth-search.aws.element84.com/v1"
WEST, NORTH, SIDE_M = 600_000, 5_640_000, 2_560
CORNERS = [(4.422185, 50.902987), (4.45858, 50.902538), (4.457861, 50.879524), (4.421484, 50.879973)]
"""In longitude and latitude."""
EPSG, CODE = {"proj:epsg": 32631}, {"proj:code": "EPSG:32631"}
"""Older and newer items name their CRS so."""
SCENES = {
    "S2A_31UFS_20250402_0_L2A": {"s2:processing_baseline": "02.14", "earthsearch:boa_offset_applied": False, **EPSG},
    "S2A_31UFS_20250412_0_L2A": {"s2:processing_baseline": "05.11", "earthsearch:boa_offset_applied": True, **EPSG},
    "S2A_31UFS_20250422_0_L2A": {"s2:processing_baseline": "05.11", "earthsearch:boa_offset_applied": False, **CODE},
}
"""Ground that does not change, in scenes of before the baseline that has an offset, and after with and without it."""
IS_OFFSET = "S2A_31UFS_20250422_0_L2A"
CLOUDY = (100, 100)
"""Row and column of 20 m that have a cloud in all scenes."""


def reflectances(asset):
    """(y, x) of a band."""
    rows, columns = np.mgrid[0:256, 0:256]
    base = {"red": 300, "nir": 2500, "green": 600, "blue": 400}[asset]
    return (base + 2 * rows + 3 * columns).astype("u2")


def scene_classes():
    """(y, x) of 20 m: vegetation, with a cloud."""
    classes = np.full((128, 128), 4, dtype="u1")
    classes[CLOUDY] = 9
    return classes


def write(path, numbers, resolution):
    """Write a COG as Earth Search has them: no scale in the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    transform = Affine(resolution, 0, WEST, 0, -resolution, NORTH)
    profile = {"driver": "COG", "crs": "EPSG:32631", "transform": transform, "nodata": 0}
    write_raster(path, numbers, **profile, blocksize=128, compress="deflate")


def asset_of(href, resolution, **fields):
    """Return an asset as Earth Search writes it."""
    count = SIDE_M // resolution
    return {
        "href": href,
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "roles": ["data", "reflectance"],
        "proj:shape": [count, count],
        "proj:transform": [resolution, 0, WEST, 0, -resolution, NORTH],
        **fields,
    }


def document_of(name, files, properties):
    """Return an item as Earth Search writes it."""
    band = {"nodata": 0, "data_type": "uint16", "spatial_resolution": 10, "scale": 0.0001, "offset": -0.1}
    classes = {"nodata": 0, "data_type": "uint8", "spatial_resolution": 20}
    assets = {
        asset: asset_of(files.url_of(f"{name}/{asset}.tif"), 10, **{"raster:bands": [band]})
        for asset in ("red", "green", "blue", "nir")
    }
    assets["scl"] = asset_of(files.url_of(f"{name}/scl.tif"), 20, **{"raster:bands": [classes]})
    assets["red-jp2"] = {"href": "s3://sentinel-s2-l2a/tiles/B04.jp2", "type": "image/jp2", "roles": ["data"]}
    assets["visual"] = asset_of(files.url_of(f"{name}/visual.tif"), 10, roles=["visual"])
    assets["granule_metadata"] = {"href": files.url_of("g.xml"), "type": "application/xml", "roles": ["metadata"]}
    assets["thumbnail"] = {"href": files.url_of("preview.jpg"), "type": "image/jpeg", "roles": ["thumbnail"]}
    day = name.split("_")[2]
    time = f"{day[:4]}-{day[4:6]}-{day[6:]}T10:50:31.024000Z"
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": {"type": "Polygon", "coordinates": [[*CORNERS, CORNERS[0]]]},
        "properties": {
            "datetime": time, "created": time, "updated": time, "platform": "sentinel-2a",
            "grid:code": "MGRS-31UFS", "eo:cloud_cover": 12.3, **properties,
        },
        "links": [],
        "assets": assets,
    }  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The host of the files."""
    folder = tmp_path_factory.mktemp("cogs")
    for name in SCENES:
        for asset in ("red", "green", "blue", "nir"):
            write(folder / name / f"{asset}.tif", reflectances(asset) + (1000 if name == IS_OFFSET else 0), 10)
        write(folder / name / "scl.tif", scene_classes(), 20)
    with faulty_source(folder) as source:
        yield source


@pytest.fixture(scope="module")
def api(files):
    """Return an API as Earth Search is one: pages by POST, the extension `query` and no filters."""
    api = StacApi(has_filter=False, has_query=True)
    api.add(*(document_of(name, files, properties) for name, properties in SCENES.items()))
    cloudy = document_of("S2A_31UFS_20250502_0_L2A", files, {"eo:cloud_cover": 80.0, **EPSG})
    early = document_of("S2A_31UFS_20240402_0_L2A", files, EPSG)
    elsewhere = document_of("S2A_33UVR_20250402_0_L2A", files, EPSG)
    elsewhere["geometry"] = shapely.geometry.mapping(shapely.box(13.6, 49.5, 15.1, 50.5))
    return api.add(cloudy, early, elsewhere)


@pytest.fixture(scope="module")
def client(api, files, tmp_path_factory):
    """A client of the example, whose items are indexed from an API of ours."""
    folder = tmp_path_factory.mktemp("example")
    with pytest.MonkeyPatch.context() as patch, serving(api):
        patch.setenv("CHRONOTILE_JOBS_DIR", str(folder / "jobs"))
        patch.setenv("CHRONOTILE_SOURCE_PREFIXES", files.url_of(""))
        place = folder / "example.yaml"
        place.write_text(EXAMPLE.read_text().replace(f"{HOST}/collections/sentinel-2-l2a", api.href))
        done = CliRunner().invoke(app, ["index", str(place)])
        assert done.output.startswith("sentinel-2: 3 added"), done.output
        archive = open_configured(load_settings(config=place, watch_s=0), patience_s=PATIENCE_S)
        with TestClient(application(archive.services, ServerOptions())) as one:
            yield one
        archive.close()


def test_filter_is_evaluated_by_the_api(client, api):
    """Otherwise items of the whole Earth would be transferred and discarded by the server."""
    (first, following) = [query for path, query in api.requests if path == "/search"]

    assert {"intersects", "datetime", "query"} <= first.keys()
    assert first["query"] == {"eo:cloud_cover": {"lt": 60}}
    assert "filter" not in first
    assert following["token"] == 2


def series(client, layer, row, column):
    """Values of the cell of 10 m in that row and column."""
    x, y = WEST + 10 * column + 5, NORTH - 10 * row - 5
    answer = client.get(f"/timeseries/{layer}/point?x={x}&y={y}&crs=EPSG:32631").json()
    return answer["values"], answer["reasons"]


def test_values_do_not_jump_when_the_processing_changes(client):
    red, nir = (float(reflectances(asset)[40, 50]) * 0.0001 for asset in ("red", "nir"))

    assert series(client, "sentinel-2.RED", 40, 50)[0] == pytest.approx([red] * 3, abs=1e-9)
    assert series(client, "NDVI", 40, 50)[0] == pytest.approx([(nir - red) / (nir + red)] * 3, abs=1e-6)


def test_clouds_are_masked(client):
    row, column = (2 * each for each in CLOUDY)

    assert series(client, "NDVI", row, column) == ([None] * 3, ["masked"] * 3)
    assert None not in series(client, "sentinel-2.RED", row, column)[0]


def test_the_filter_leaves_out_clouds_earlier_dates_and_other_tiles(client):
    times = client.get("/layers/NDVI/times").json()["times"]

    assert [time[:10] for time in times] == ["2025-04-02", "2025-04-12", "2025-04-22"]


def test_it_has_maps_and_coverages(client):
    bbox = f"{WEST},{NORTH - SIDE_M},{WEST + SIDE_M},{NORTH}"
    picture = client.get(
        f"/wms?service=WMS&version=1.3.0&request=GetMap&layers=NDVI&styles=&crs=EPSG:32631&bbox={bbox}"
        "&width=256&height=256&format=image/png&time=2025-04-12"
    )

    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")
