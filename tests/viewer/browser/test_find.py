"""Dates and scenes are found at the position of the map: `find.mjs`, over an archive of scenes and its index."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from PIL import Image
from pyproj import Transformer

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.cli.index import run_index
from tests.protocols.listening import listening
from tests.viewer.browser.checks import run_checks
from tests.viewer.browser.served import DATELINE_3832, NUMBERS_STYLE, Store, every, ramp_of

SCENARIOS = Path(__file__).with_name("find.mjs")
FIJI = DATELINE_3832 @ Affine.translation(80, 0)
"""Longitude 180 is 60 cells from its west edge."""
UTM_31 = Affine(60.0, 0, 545_000.0, 0, -60.0, 5_662_000.0)
SIZE = 128
COUNT = 23
"""Scenes at Ghent, one every five days from 1 June 2023; scene k is 4k % cloudy."""
HOSTILE = "<img src=x onerror=document.title=1>"
"""Id of the last scene."""
CONFIGURATION = """
service: {viewer: {default_layer: scenes}}
collections:
  scenes_data:
    title: Scenes of Ghent
    source: {kind: stac, href: scenes/catalog.json}
    variables: {value: {layer: scenes, title: Scenes, range: [-0.08, 0.92], styles: [numbers]}}
  fiji_data:
    source: {kind: stac, href: fiji/catalog.json}
    time: {group: solar_day}
    variables: {value: {layer: fiji, title: Across 180 degrees, range: [-0.08, 0.92], styles: [numbers]}}
  cube_data:
    source: {kind: zarr, href: cube.zarr}
    variables: {value: {layer: cube, title: A cube, range: [-0.08, 0.92], styles: [numbers]}}
"""


@dataclass(frozen=True)
class Scene:
    """A raster and its item."""

    id: str
    datetime: str
    crs: str
    transform: Affine
    cloud: float | None = None

    @property
    def corners(self) -> list[tuple[float, float]]:
        """Return longitudes and latitudes, anticlockwise, the first repeated at the end."""
        to_degrees = Transformer.from_crs(self.crs, "OGC:CRS84", always_xy=True).transform
        cells = [(0, SIZE), (SIZE, SIZE), (SIZE, 0), (0, 0), (0, SIZE)]
        return [to_degrees(*(self.transform @ cell)) for cell in cells]

    def write(self, folder: Path, file: str) -> None:
        """Write the raster, a picture of it, and the item."""
        folder.mkdir(parents=True, exist_ok=True)
        row, column = np.ogrid[:SIZE, :SIZE]
        numbers = ((row + 2 * column) % 251).astype("uint8")
        profile = {"driver": "COG", "dtype": "uint8", "count": 1, "width": SIZE, "height": SIZE, "nodata": 255}
        with rasterio.open(folder / f"{file}.tif", "w", crs=self.crs, transform=self.transform, **profile) as raster:
            raster.write(numbers, 1)
            raster.scales, raster.offsets = (0.004,), (-0.08,)
        Image.fromarray(numbers).resize((64, 64)).save(folder / f"{file}.png")
        (folder / f"{file}.json").write_text(json.dumps(self.document(file)), encoding="utf-8")

    def document(self, file: str) -> dict[str, object]:
        """Return the STAC item."""
        cloud = {} if self.cloud is None else {"eo:cloud_cover": self.cloud}
        geometry, bbox = self._footprint()
        return {
            "type": "Feature",
            "stac_version": "1.1.0",
            "id": self.id,
            "geometry": geometry,
            "bbox": bbox,
            "properties": {"datetime": self.datetime, "proj:code": self.crs, **cloud},
            "links": [],
            "assets": {
                "value": {
                    "href": f"./{file}.tif",
                    "type": "image/tiff; application=geotiff; profile=cloud-optimized",
                    "proj:shape": [SIZE, SIZE],
                    "proj:transform": list(self.transform)[:6],
                    "bands": [{"data_type": "uint8", "nodata": 255, "raster:scale": 0.004, "raster:offset": -0.08}],
                },
                "thumbnail": {"href": f"./{file}.png", "type": "image/png", "roles": ["thumbnail"]},
            },
        }

    def _footprint(self) -> tuple[dict[str, object], list[float]]:
        """Return the geometry and bbox of RFC 7946: cut in two at 180 degrees."""
        west, east = self.corners[0][0], self.corners[1][0]
        south, north = self.corners[0][1], self.corners[2][1]
        if west < east:
            return {"type": "Polygon", "coordinates": [self.corners]}, [west, south, east, north]
        halves = [
            [[[left, south], [right, south], [right, north], [left, north], [left, south]]]
            for left, right in ((west, 180), (-180, east))
        ]
        return {"type": "MultiPolygon", "coordinates": halves}, [west, south, east, north]


def ghent_scenes() -> list[Scene]:
    """Return the scenes at Ghent, each slightly east of the one before."""
    days = every(5, "2023-06-01", COUNT)
    return [
        Scene(
            id=HOSTILE if number == COUNT - 1 else f"scene-{number:02}",
            datetime=f"{day}T10:50:00Z",
            crs="EPSG:32631",
            transform=UTM_31 @ Affine.translation(2 * number, number % 3 * 8),
            cloud=4.0 * number,
        )
        for number, day in enumerate(days)
    ]


def write_catalogue(folder: Path, scenes: list[Scene]) -> None:
    """Write scenes and the catalogue that links to them."""
    names = [f"scene{number}" for number in range(len(scenes))]
    for name, scene in zip(names, scenes, strict=True):
        scene.write(folder, name)
    links = [{"rel": "item", "href": f"./{name}.json"} for name in names]
    document = {"type": "Catalog", "id": folder.name, "stac_version": "1.1.0", "description": "Scenes", "links": links}
    (folder / "catalog.json").write_text(json.dumps(document), encoding="utf-8")


def write_archive(folder: Path) -> Path:
    """Write scenes, a cube, styles and configuration; return the path of the configuration."""
    write_catalogue(folder / "scenes", ghent_scenes())
    times = ("2023-06-01T10:00:00Z", "2023-06-01T22:00:00Z")
    write_catalogue(folder / "fiji", [Scene(f"fiji {time[11:13]}", time, "EPSG:3832", FIJI) for time in times])
    Store(name="cube", formulas={"value": ramp_of}).write(folder)
    (folder / "styles").mkdir()
    (folder / "styles" / "numbers.yaml").write_text(NUMBERS_STYLE, encoding="utf-8")
    configuration = folder / "chronotile.yaml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    return configuration


@pytest.fixture(scope="module")
def base_url(tmp_path_factory):
    folder = tmp_path_factory.mktemp("find")
    settings = Settings(config=write_archive(folder), jobs_dir=folder / "jobs")
    run_index(settings, collection=None, is_watching=False, export=None, every_s=60, is_full=False)
    with listening(create_app(settings)) as url:
        yield f"{url}/"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.client("node")
def test_dates_and_scenes_are_found_shown_and_saved(base_url, tmp_path):
    run_checks(SCENARIOS, base_url, tmp_path / "pictures")
