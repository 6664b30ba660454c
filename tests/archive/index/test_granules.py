"""Items of NetCDF files: footprint, time and layouts of made orbits and grids."""

import json
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely
import xarray

from chronotile.archive.index.files import FilesSource
from chronotile.archive.index.fill import fill
from chronotile.archive.index.granules import read_granule
from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.items import PutSummary
from chronotile.core.model.source import DATA, ItemsSpec, SourceSpec, VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.kinds import open_source
from chronotile.readers.mosaic.granules import open_granule, open_indexed_granule
from chronotile.readers.reader_caches import ReaderCaches
from tests.archive.index.catalogues import S2
from tests.readers.made_swaths import orbit, write_orbit


def spec_of(href, array="no2"):
    variables = {"v": VariableSpec(id="v", name=array, asset=DATA)}
    return SourceSpec(collection="s2", kind="netcdf", href=str(href), variables=variables, items=ItemsSpec())


@pytest.mark.parametrize(("start", "stop", "node"), [(-95, 95, 0), (-20, 20, 180), (80, 100, 40), (255, 285, -100)])
def test_footprint_has_all_cells_of_an_orbit_and_little_more(tmp_path, store, start, stop, node):
    number = -node / 25.7
    write_orbit(tmp_path / "a.nc", number, start=start, stop=stop, rows=480)

    assert fill(S2, FilesSource(spec_of(tmp_path / "*.nc")), store).put == PutSummary(added=1)

    item = store.items.collections["s2"]["a"]
    shape = shapely.from_geojson(json.dumps(json.loads(item.document)["geometry"]))
    angles = np.linspace(-11.6, 11.6, 40)
    cells = shapely.points(*orbit(start, stop, rows=480, angles=angles, node=node))
    assert shapely.is_valid(shape)
    assert shapely.covers(shapely.box(-180, -90, 180, 90), shape)
    assert shapely.covers(shape, cells).all()
    x, y = np.meshgrid(np.arange(-178.5, 180, 3), np.arange(-88.5, 90, 3))
    far = np.arccos(np.clip(_cosines(x, y, cells), -1, 1)) > np.radians(8)
    assert not (shapely.contains_xy(shape, x, y) & far & (abs(y) < 60)).any()


def _cosines(x, y, cells):
    """Cosine of the distance of each point to the nearest of some cells."""
    vectors = [_vectors(*np.radians(axes)) for axes in ((x, y), shapely.get_coordinates(cells)[::11].T)]
    return np.max([vectors[0] @ cell for cell in vectors[1]], axis=0)


def _vectors(x, y):
    return np.stack([np.cos(y) * np.cos(x), np.cos(y) * np.sin(x), np.sin(y)], axis=-1)


def test_time_is_the_middle_of_the_scan_lines(tmp_path, store):
    write_orbit(tmp_path / "S5P_20240601T004300.nc", 1)

    fill(S2, FilesSource(spec_of(tmp_path / "*.nc")), store)

    item = store.items.collections["s2"]["S5P_20240601T004300"]
    assert item.start == np.datetime64("2024-06-01") + np.timedelta64(6171 + 2700, "s")


def test_stated_time_of_a_swath_is_the_same_with_and_without_tiles(tmp_path, store):
    path = tmp_path / "S5P_20240601T004100.nc"
    write_orbit(path, 1, rows=40)
    with xarray.open_dataset(path, decode_times=False) as dataset:
        undated = dataset.load().drop_vars("time")
    coverage = {"time_coverage_start": "2024-06-01T00:43:00Z", "time_coverage_end": "2024-06-01T02:13:00Z"}
    undated.assign_attrs(coverage).to_netcdf(path)

    fill(S2, FilesSource(spec_of(tmp_path / "*.nc")), store)
    times = []
    for href in (path, tmp_path / "*.nc"):
        with closing(open_source(replace(spec_of(href), items=None), ReaderCaches())) as reader:
            assert not reader.info.findings
            times += reader.info.variables["v"].times.starts.tolist()

    middle = np.datetime64("2024-06-01T01:28", "ns")
    assert times == [middle.astype(int)] * 2
    assert store.items.collections["s2"][path.stem].start == middle


@pytest.mark.parametrize("attrs", [{}, {"time_coverage_start": "2024-06-01T00:43:00Z"}], ids=["none", "stated"])
def test_grid_is_an_item_with_the_time_in_its_name(tmp_path, store, attrs):
    axis = np.arange(8) + 0.5
    dataset = xarray.Dataset({"t": (("lat", "lon"), np.ones((8, 8)))}, {"lat": axis, "lon": axis + 10}, attrs)
    dataset.to_netcdf(tmp_path / "a_20240601.nc")

    fill(S2, FilesSource(spec_of(tmp_path / "*.nc", "t")), store)

    item = store.items.collections["s2"]["a_20240601"]
    (asset,) = item.assets
    assert item.start == np.datetime64("2024-06-01")
    assert (item.bbox.xmin, item.bbox.ymax) == pytest.approx((10, 8), abs=0.01)
    assert (asset.layouts[0].array, asset.layouts[0].levels[0].width) == ("t", 8)


def test_damaged_file_is_reported_and_others_are_indexed(tmp_path, store):
    for number in range(2):
        write_orbit(tmp_path / f"{number}.nc", number, rows=40)
    Path(tmp_path / "2.nc").write_bytes(Path(tmp_path / "0.nc").read_bytes()[:9000])
    xarray.Dataset({"no2": (("time", "lat"), np.ones((3, 4)))}).to_netcdf(tmp_path / "3.nc")

    summary = fill(S2, FilesSource(spec_of(tmp_path / "*.nc")), store)

    assert summary.put == PutSummary(added=2)
    assert sorted(Path(key).name for problem in summary.problems for key in problem.keys) == ["2.nc", "3.nc"]


def indexed_orbit(folder, number=0):
    """Return the path of an orbit, and the asset of its item."""
    path = folder / "a.nc"
    write_orbit(path, number, start=0, stop=30)
    item, _problem = read_granule("a", str(path), spec_of(path), None)
    (asset,) = item.assets
    return path, asset


def window_of(reader, level):
    grid = reader.info.variables["v"].levels[level]
    window = Window(0, grid.height, 0, grid.width)
    return reader.read_window("v", index=0, level=level, window=window).numbers


@pytest.mark.parametrize("level", [0, -1])
@pytest.mark.parametrize("has_header", [True, False])
def test_indexed_orbit_equals_the_file(tmp_path, level, has_header):
    path, asset = indexed_orbit(tmp_path)
    spec = spec_of(path)
    plain = open_granule(spec, str(path), spec.variables)
    level %= len(plain.info.variables["v"].levels)

    indexed = open_indexed_granule(spec, asset if has_header else replace(asset, header=None), spec.variables["v"])

    assert asset.header
    assert bool(indexed.swaths["v"].stored) == has_header
    assert indexed.info.variables["v"].levels == plain.info.variables["v"].levels
    np.testing.assert_array_equal(window_of(indexed, level), window_of(plain, level))


def test_replaced_orbit_is_read_without_its_old_header(tmp_path):
    path, asset = indexed_orbit(tmp_path)
    write_orbit(path, 3, start=0, stop=30)

    reader = open_indexed_granule(spec_of(path), asset, spec_of(path).variables["v"])

    x, _y = orbit(10, 11, rows=3, angles=np.zeros(1), node=-25.7 * 3)
    box = reader.info.variables["v"].grid.bbox
    assert box.xmin < x.min() < x.max() < box.xmax
    assert not reader.swaths["v"].stored


def test_orbit_replaced_while_it_is_open_is_an_error(tmp_path):
    path, asset = indexed_orbit(tmp_path)
    reader = open_indexed_granule(spec_of(path), asset, spec_of(path).variables["v"])
    write_orbit(tmp_path / "new", 3, start=0, stop=30)
    (tmp_path / "new").replace(path)

    with pytest.raises(SourceUnavailable, match="cannot be read"):
        window_of(reader, 0)


def test_header_is_not_used_for_another_array(tmp_path):
    path, asset = indexed_orbit(tmp_path)
    layouts = (replace(asset.layouts[0], array="other"),)

    reader = open_indexed_granule(spec_of(path), replace(asset, layouts=layouts), spec_of(path).variables["v"])

    assert not reader.swaths["v"].stored
