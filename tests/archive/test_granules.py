"""Swaths and grids in NetCDF files as items: made orbits of a day, and real granules of TEMPO."""

import io
import json

import numpy as np
import pytest
import shapely
import xarray
from scipy.spatial import cKDTree

from chronotile.archive.index import granules
from chronotile.core.errors import InvalidItem
from chronotile.core.model.source import ItemsSpec, VariableSpec
from chronotile.readers.library_errors import Damaged
from chronotile.readers.stac.footprints import Footprint
from tests.readers.made_swaths import values_at, write_orbit
from tests.real_data.truth import SHARED
from tests.scenes import make_spec
from tests.walk.serving import served

TEMPO = SHARED / "data" / "instruments" / "swath"
CONFIGURATION = """collections:
  orbits:
    source: {{kind: netcdf, href: '{href}', tiles: true}}
    time: {{group: {group}}}
    variables: {{no2: {{layer: no2, range: [0, 4]{name}}}}}
"""
ORBITS = 14
TEMPO_BOX = "-77,33,-66,34"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("orbits")
    for number in range(ORBITS):
        write_orbit(folder / f"orbit_{number:02}.nc", number)
    (folder / "orbit_99.nc").write_bytes((folder / "orbit_00.nc").read_bytes()[:5000])
    return folder


@pytest.fixture(scope="module")
def client(folder):
    with served(write_configuration(folder, folder / "orbit_*.nc"), folder / "server") as client:
        yield client


def write_configuration(folder, href, *, group="day", name=""):
    place = folder / "chronotile.yaml"
    place.write_text(CONFIGURATION.format(href=href, group=group, name=name))
    return place


def world(client):
    """Return (y, x) values of a map of the earth in degrees."""
    tiles = [client.get(f"/tiles/no2/WorldCRS84Quad/0/{column}/0.npy").content for column in (0, 1)]
    return np.concatenate([np.load(io.BytesIO(tile)).squeeze() for tile in tiles], axis=-1)


@pytest.mark.slow
def test_orbits_of_a_day_are_one_map(client):
    values = world(client)

    size = 180 / len(values)
    x, y = np.meshgrid((np.arange(2 * len(values)) + 0.5) * size - 180, 90 - (np.arange(len(values)) + 0.5) * size)
    assert np.isfinite(values).mean() > 0.99
    np.testing.assert_allclose(values, np.where(np.isfinite(values), values_at(x, y), np.nan), atol=0.05)


PLACES = [(179.99, 10), (-179.99, 10), (180, -45), (-180, 60), (0, 89.9), (120, 89.99), (77, -89.9), (10, 20)]


@pytest.mark.slow
@pytest.mark.parametrize(("lon", "lat"), PLACES)
def test_points_have_the_nearest_cell_of_an_orbit(client, orbits, lon, lat):
    document = client.get(f"/timeseries/no2/point?lon={lon}&lat={lat}").json()

    nearest = [values[tree.query(vectors_of(lon, lat))[1]] for tree, values in orbits]
    assert document["times"] == ["2024-06-01T00:00:00Z"]
    assert document["values"][0] == pytest.approx(values_at(lon, lat), abs=0.03)
    assert min(abs(document["values"][0] - value) for value in nearest) < 1e-5


def vectors_of(longitudes, latitudes):
    x, y = np.radians(longitudes), np.radians(latitudes)
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)


@pytest.fixture(scope="module")
def orbits(client, folder):
    """Trees over all cells of each file, with the values of the cells."""
    files = [xarray.load_dataset(path, decode_times=False) for path in sorted(folder.glob("orbit_0*.nc"))]
    files += [xarray.load_dataset(path, decode_times=False) for path in sorted(folder.glob("orbit_1*.nc"))]
    return [(cKDTree(vectors_of(file.lon, file.lat).reshape(-1, 3)), file.no2.to_numpy().ravel()) for file in files]


@pytest.mark.data
@pytest.mark.slow
def test_mosaic_of_tempo_has_the_nearest_cell_of_each_granule(tmp_path):
    name = "vertical_column_stratosphere"
    place = write_configuration(tmp_path, TEMPO / "TEMPO_*.nc4", name=f", name: {name}")

    with served(place, tmp_path / "server") as client:
        body = client.get(f"/ogcapi/collections/no2/coverage?f=netcdf&bbox={TEMPO_BOX}").content
    with xarray.open_dataset(io.BytesIO(body), engine="h5netcdf") as dataset:
        array = dataset["no2"].squeeze().load()

    random = np.random.default_rng(1)
    rows, columns = random.integers(0, array.shape[0], 20_000), random.integers(0, array.shape[1], 20_000)
    values = array.to_numpy()[rows, columns]
    points = vectors_of(array[array.dims[1]].to_numpy()[columns], array[array.dims[0]].to_numpy()[rows])
    expected, nearness = np.full(values.shape, np.nan), np.full(values.shape, np.inf)
    is_tie = np.zeros(values.shape, dtype=bool)
    for path in sorted(TEMPO.glob("TEMPO_*.nc4")):
        cells = xarray.load_dataset(path, group="geolocation")
        numbers = xarray.load_dataset(path, group="product")[name].to_numpy()
        vectors = vectors_of(cells.longitude, cells.latitude)
        steps = [np.linalg.norm(np.gradient(vectors, axis=axis), axis=-1) for axis in (0, 1)]
        (distances, second), (nearest, _other) = (
            axes.T for axes in cKDTree(np.nan_to_num(vectors.reshape(-1, 3), nan=9)).query(points, k=2)
        )
        ratio = distances / (np.hypot(*steps).ravel()[nearest] / 2)
        is_tie |= (ratio < 1.2) & (second - distances < 1e-3 * distances)
        is_new = np.isnan(expected) & (ratio < 1)
        expected[is_new] = numbers.ravel()[nearest[is_new]]
        nearness = np.where(abs(ratio - 1) < abs(nearness - 1), ratio, nearness)
    is_clear = ~is_tie & (abs(nearness - 1) > 0.2)
    assert np.isfinite(expected[is_clear]).sum() > 3000
    np.testing.assert_allclose(values[is_clear], expected[is_clear], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("media_type", ["application/x-netcdf", None])
def test_stac_item_may_have_a_swath(tmp_path, media_type):
    write_orbit(tmp_path / "orbit.nc", 0, start=0, stop=20)
    ring = [[-20, -5], [20, -5], [20, 25], [-20, 25], [-20, -5]]
    asset = {"href": "./orbit.nc", "roles": ["data"]} | ({"type": media_type} if media_type else {})
    item = {"type": "Feature", "stac_version": "1.0.0", "id": "orbit", "links": [], "assets": {"data": asset}}
    item |= {"properties": {"datetime": "2024-06-01T00:45:00Z"}, "bbox": [-20, -5, 20, 25]}
    (tmp_path / "orbit.json").write_text(json.dumps(item | {"geometry": {"type": "Polygon", "coordinates": [ring]}}))
    links = [{"rel": "item", "href": "./orbit.json"}]
    extent = {"spatial": {"bbox": [[-20, -5, 20, 25]]}, "temporal": {"interval": [["2024-06-01T00:00:00Z", None]]}}
    collection = {"type": "Collection", "stac_version": "1.0.0", "id": "c", "description": "d", "license": "x"}
    (tmp_path / "collection.json").write_text(json.dumps(collection | {"extent": extent, "links": links}))
    place = tmp_path / "chronotile.yaml"
    variables = "{no2: {asset: data, name: no2, layer: no2}}"
    place.write_text(f"collections: {{c: {{source: {{kind: stac, href: collection.json}}, variables: {variables}}}}}")

    with served(place, tmp_path / "server") as client:
        document = client.get("/timeseries/no2/point?lon=-2&lat=10").json()

    assert document["values"] == [pytest.approx(values_at(-2, 10), abs=0.02)]


@pytest.mark.parametrize(
    "error", [Damaged("rows are cut off"), OSError(5, "rows are cut off"), shapely.GEOSException("rows are cut off")]
)
def test_failing_footprint_makes_the_item_invalid(tmp_path, monkeypatch, error):
    def fail(*_values):
        raise error

    write_orbit(tmp_path / "orbit.nc", 0)
    monkeypatch.setattr(granules, "outlines_of", fail)
    spec = make_spec("netcdf", tmp_path / "*.nc", variables={"no2": VariableSpec(id="no2")}, items=ItemsSpec())

    with pytest.raises(InvalidItem, match="it cannot be read: rows are cut off"):
        granules.read_granule("orbit", str(tmp_path / "orbit.nc"), spec, None)


def test_rings_that_cross_themselves_make_a_valid_geometry():
    square, bow = [(0, 0), (9, 0), (9, 9), (0, 9), (0, 0)], [(5, 5), (15, 15), (15, 5), (5, 15), (5, 5)]

    geometry = granules._geometry(Footprint(rings=(square, bow), bbox=(0, 0, 15, 15), is_of_grid=False))

    shape = shapely.from_geojson(json.dumps(geometry))
    assert shape.is_valid
    assert shape.area > 81
