"""Each folder of ../shared/data in `chronotile serve`, compared with direct reads by rasterio and xarray."""

import io
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyproj import Transformer
from starlette.testclient import TestClient

from chronotile.archive.open import Archive
from chronotile.core.model.space.tiles import TileMatrixSet
from chronotile.core.model.time.instants import format_instant
from tests.ctc1 import decode_cube
from tests.real_data.layers import DATA, LAYERS
from tests.real_data.truth import Truth, client_of, open_place

pytestmark = [pytest.mark.data, pytest.mark.slow]

SINUSOIDAL = "+proj=sinu +R=6371007.181 +units=m"
LAEA = "+proj=laea +lat_0=52 +lon_0=10 +x_0=4321000 +y_0=3210000 +ellps=GRS80 +units=m"
MEXICO = "+proj=lcc +lat_0=12 +lon_0=-102 +lat_1=17.5 +lat_2=29.5 +x_0=2500000 +datum=WGS84 +units=m"


@dataclass(frozen=True)
class Expected:
    """Expected properties of a layer."""

    place: Path
    layer: str
    times: tuple[int, str, str]
    """How many, the first, the last."""
    crs: str
    truth: Callable[[], Truth]


KNOWN = {
    "ndvi-north-america-2001.ndvi": ((12, "2001-01-01T00:00:00Z", "2001-12-01T00:00:00Z"), "EPSG:4326"),
    "ndvi-scl-romania-10m": ((140, "2015-08-01T00:00:00Z", "2021-01-01T00:00:00Z"), "EPSG:3035"),
    "sentinel2-cube-subset-romania-20m": ((140, "2015-08-01T00:00:00Z", "2021-01-01T00:00:00Z"), "EPSG:3035"),
    "tree-cover-density-romania.band1": ((1, "2018-01-01T00:00:00Z", "2018-01-01T00:00:00Z"), LAEA),
    "sinop.NDVI": ((23, "2013-09-14T00:00:00Z", "2014-08-29T00:00:00Z"), SINUSOIDAL),
    "terra-modis-h12v10-ndvi.NDVI": ((23, "2013-09-14T00:00:00Z", "2014-08-29T00:00:00Z"), SINUSOIDAL),
    "slovenia.EVI": ((365, "2000-02-18T00:00:00Z", "2015-12-19T00:00:00Z"), "EPSG:32633"),
    "slovenia-evi-mod13q1.EVI": ((365, "2000-02-18T00:00:00Z", "2015-12-19T00:00:00Z"), "EPSG:32633"),
    "ndmi.NDMI": ((612, "2001-01-01T00:00:00Z", "2017-12-21T00:00:00Z"), MEXICO),
    "cgls-ndvi-lts-june21-1999-2017.ndvi": ((0, "", ""), "EPSG:4326"),
    "ndvi-global-1deg-2dates.ndvi": ((2, "2019-08-01T00:00:00Z", "2020-02-01T00:00:00Z"), "EPSG:4326"),
    "ndvi-global-halfdeg.ndvi": ((1, "2019-08-01T00:00:00Z", "2019-08-01T00:00:00Z"), "EPSG:4326"),
    "cube-1-250-250.conc_chl": ((5, "2017-01-16T10:09:21.834255872Z", "2017-01-30T10:46:33.836892416Z"), "EPSG:4326"),
    "raw-s2-ndvi-field.NDVI": ((33, "2019-01-27T00:00:00Z", "2019-12-28T00:00:00Z"), "EPSG:32630"),
    "fapar-1km.FAPAR": ((1, "2009-07-10T00:00:00Z", "2009-07-10T00:00:00Z"), "EPSG:4326"),
    "ndvi-300m.NDVI": ((0, "", ""), "EPSG:4326"),
    "s2-bands": ((0, "", ""), "EPSG:32631"),
}
"""Times and CRS of a layer, or of all layers of a collection."""
EXPECTED = [
    Expected(place, layer, *(KNOWN.get(layer) or KNOWN[layer.partition(".")[0]]), truth)
    for layer, (place, truth) in LAYERS.items()
]

each_layer = pytest.mark.parametrize("expected", EXPECTED, ids=[each.layer for each in EXPECTED])


@pytest.fixture(scope="module")
def archive_at() -> Iterator[Callable[[Path], Archive]]:
    """Return `archive_at(place)`: the archive at a place, opened only one time for all tests."""
    archives: dict[Path, Archive] = {}

    def open_once(place: Path) -> Archive:
        if place not in archives:
            archives[place] = open_place(place)
        return archives[place]

    yield open_once
    for archive in archives.values():
        archive.close()


@pytest.fixture
def served(archive_at, expected) -> Iterator[TestClient]:
    """A client of the application over the expected layer's archive."""
    with client_of(archive_at(expected.place)) as client:
        yield client


def test_no_source_of_the_folders_fails_to_open(archive_at):
    findings = [finding for place in {each.place for each in EXPECTED} for finding in archive_at(place).findings]

    assert [finding for finding in findings if finding.severity == "error"] == []


@each_layer
def test_layer_has_the_times_of_its_files(archive_at, expected):
    times = archive_at(expected.place).services.catalogue.layer(expected.layer).times

    written = [format_instant(instant) for instant in times.instants]
    assert (len(written), *(written[:1] or [""]), *(written[-1:] or [""])) == expected.times


@each_layer
def test_layer_has_the_place_of_its_files(archive_at, expected):
    grid = archive_at(expected.place).services.catalogue.layer(expected.layer).main_variable.grid
    truth = expected.truth()

    assert grid.transform.almost_equals(truth.transform, precision=1e-9 * abs(truth.transform.c))
    assert (grid.height, grid.width) == truth.numbers.shape[1:]


@each_layer
def test_layer_has_the_crs_of_its_files(archive_at, expected):
    crs = archive_at(expected.place).services.catalogue.layer(expected.layer).main_variable.grid.crs
    truth = expected.truth()
    xs, ys = truth.centres(*np.transpose(truth.cells(50)))

    ours = Transformer.from_crs(crs.definition, "OGC:CRS84", always_xy=True).transform(xs, ys)
    theirs = Transformer.from_crs(expected.crs, "OGC:CRS84", always_xy=True).transform(xs, ys)

    np.testing.assert_allclose(ours, theirs, atol=1e-9)
    assert crs.name == expected.crs or not expected.crs.startswith("EPSG:")


@each_layer
def test_point_series_are_the_numbers_of_the_files(served, expected):
    truth = expected.truth()
    cells = truth.cells(50)

    series = [_series(served, expected.layer, truth.lonlat(row, column)) for row, column in cells]

    assert series == [truth.expected(row, column) for row, column in cells]


@each_layer
def test_tile_over_a_valid_pixel_is_not_empty(served, archive_at, expected):
    truth = expected.truth()
    valid = np.argwhere(truth.valid()[-1])
    row, column = valid[len(valid) // 2]  # at an edge of the data a tile may have less than half a pixel of them
    sets = archive_at(expected.place).services.catalogue.tile_matrix_sets

    path = _tile_path(next(each for each in sets if each.id == "WebMercatorQuad"), truth.lonlat(row, column), zoom=10)
    answer = served.get(f"/tiles/{expected.layer}/WebMercatorQuad/{path}.png")

    assert answer.status_code == 200
    assert np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))[..., 3].any()


@each_layer
def test_cube_has_the_values_of_tiles(served, archive_at, expected):
    truth = expected.truth()
    valid = np.argwhere(truth.valid()[-1])
    row, column = valid[len(valid) // 2]
    sets = archive_at(expected.place).services.catalogue.tile_matrix_sets
    path = _tile_path(next(each for each in sets if each.id == "WebMercatorQuad"), truth.lonlat(row, column), zoom=10)
    instants = archive_at(expected.place).services.catalogue.layer(expected.layer).times.instants
    days = (
        [format_instant(instant) for instant in np.unique(instants[[0, len(instants) // 2, -1]])]
        if len(instants)
        else []
    )

    cube = decode_cube(
        served.get(f"/cubes/{expected.layer}/WebMercatorQuad/{path}.ctc", params={"datetime": ",".join(days)}).content
    )

    tiles = [
        np.load(io.BytesIO(served.get(f"/tiles/{expected.layer}/WebMercatorQuad/{path}.npy", params=params).content))
        for params in [{"datetime": day} for day in days] or [{}]
    ]
    step = cube.header["scale"] / 2 if cube.header["quantised"] else 0.0
    assert cube.header["times"] == (days or [None])
    np.testing.assert_allclose(cube.exact_values(), np.stack(tiles), rtol=2e-7, atol=step)


def test_cube_of_a_calendar_of_360_days_has_the_times_that_are_listed(archive_at):
    with client_of(archive_at(DATA / "weird" / "tos_O1_2001-2002.nc")) as client:
        (layer,) = [each["id"] for each in client.get("/layers").json()["layers"] if each["variable"] == "tos"]
        header = decode_cube(client.get(f"/cubes/{layer}/WebMercatorQuad/0/0/0.ctc?res=2").content).header

        assert header["times"] == client.get(f"/layers/{layer}/times").json()["times"]


def _series(client: TestClient, layer: str, lonlat: tuple[float, float]) -> list[float | None]:
    answer = client.get(f"/timeseries/{layer}/point", params={"lon": lonlat[0], "lat": lonlat[1]})
    return answer.json().get("values", answer.text)


def _tile_path(tile_matrix_set: TileMatrixSet, lonlat: tuple[float, float], *, zoom: int) -> str:
    matrix = tile_matrix_set.matrices[zoom]
    x, y = Transformer.from_crs("OGC:CRS84", "EPSG:3857", always_xy=True).transform(*lonlat)
    span = matrix.cell_size * matrix.tile_width
    return f"{zoom}/{math.floor((x - matrix.left) / span)}/{math.floor((matrix.top - y) / span)}"
