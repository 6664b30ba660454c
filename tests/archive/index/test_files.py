import os
import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine

from chronotile.archive.index.file_items import outline_of
from chronotile.archive.index.files import FilesSource
from chronotile.archive.index.fill import fill
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.items import PutSummary
from chronotile.core.model.source import ItemsSpec, SourceSpec, VariableSpec
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.instants import format_instant
from tests.archive.index.catalogues import S2
from tests.rasters import write_raster

TILE_M = 1_000


def write_tile(path, *, column=0, epsg=32631, scale=0.0001, offset=-0.1, size=64, blocks=16):
    """Write a tiled GeoTIFF with overviews, one tile of a grid."""
    path.parent.mkdir(parents=True, exist_ok=True)
    transform = Affine(TILE_M / size, 0, 500_000 + column * TILE_M, 0, -TILE_M / size, 5_650_000)
    encoding = {"scale": scale, "offset": offset, "nodata": 0, "overviews": (2, 4), "compress": "deflate"}
    profile = {"crs": f"EPSG:{epsg}", "tiled": True, "blockxsize": blocks, "blockysize": blocks}
    return write_raster(path, np.full((size, size), 1 + column, np.uint16), transform=transform, **encoding, **profile)


def spec_of(href, *variables, **more):
    named = {name: VariableSpec(id=name) for name in variables}
    return SourceSpec(collection="s2", kind="cog", href=str(href), variables=named, items=ItemsSpec(), **more)


def tree(folder):
    """Two tiles of two dates with two variables each."""
    for day in ("20200601", "20200611"):
        for column, tile in enumerate(("31UFS", "31UGS")):
            for variable in ("NDVI", "SCL"):
                write_tile(folder / day[:4] / f"S2_{day}_{tile}_{variable}.tif", column=column)
    return folder / "*" / "S2_*_{variable}.tif"


def test_files_of_one_date_and_tile_are_one_item(tmp_path, store):
    source = FilesSource(spec_of(tree(tmp_path / "a"), "NDVI", "SCL"))
    assert fill(S2, source, store).put == PutSummary(added=4)
    names = ["2020--S2_20200601_31UFS", "2020--S2_20200601_31UGS", "2020--S2_20200611_31UFS", "2020--S2_20200611_31UGS"]
    assert store.items.ids() == names
    item = store.items.collections["s2"][names[1]]
    assert [asset.name for asset in item.assets] == ["NDVI", "SCL"]
    assert [Path(asset.href).name for asset in item.assets] == [
        "S2_20200601_31UGS_NDVI.tif",
        "S2_20200601_31UGS_SCL.tif",
    ]
    assert (format_instant(item.start), format_instant(item.end)) == ("2020-06-01T00:00:00Z", "2020-06-02T00:00:00Z")


def test_files_that_a_configuration_leaves_out_are_no_items(tmp_path, store):
    href = tree(tmp_path / "a")
    left_out = frozenset(str(path) for path in (tmp_path / "a").rglob("*_31UGS_*"))
    fill(S2, FilesSource(spec_of(href, "NDVI", "SCL", left_out=left_out)), store)

    assert store.items.ids() == ["2020--S2_20200601_31UFS", "2020--S2_20200611_31UFS"]


@pytest.mark.parametrize("name", ["S2_20200602_31UFS_NDVI.vrt", "S2_20200602_31UFS_NDVI.tif"])
def test_file_that_only_refers_to_others_is_skipped(tmp_path, store, name):
    tile = write_tile(tmp_path / "S2_20200601_31UFS_NDVI.tif")
    copied = tmp_path / "copied.vrt"
    rasterio.shutil.copy(tile, copied, driver="VRT")
    copied.rename(tmp_path / name)

    summary = fill(S2, FilesSource(spec_of(tmp_path / "S2_*_{variable}.*", "NDVI")), store)

    assert store.items.ids() == ["S2_20200601_31UFS"]
    (problem,) = summary.problems
    assert re.search("neither GeoTIFF(,| nor) JPEG 2000", problem.reason)


def test_headers_give_the_place_of_cells_and_the_meaning_of_numbers(tmp_path, store):
    fill(S2, FilesSource(spec_of(tree(tmp_path / "a"), "NDVI", "SCL")), store)
    asset = store.items.collections["s2"]["2020--S2_20200601_31UGS"].assets[0]
    with rasterio.open(asset.href) as file:
        assert asset.grid.transform == file.transform
        assert (asset.grid.crs.name, asset.grid.width, asset.grid.height) == ("EPSG:32631", 64, 64)
    [layout] = asset.layouts
    assert [level.width for level in layout.levels] == [64, 32, 16]
    assert (layout.encoding.dtype, layout.encoding.scale, layout.encoding.offset, layout.encoding.nodata) == (
        *("uint16", 0.0001, -0.1, 0.0),
    )


def test_the_box_holds_all_cells(tmp_path, store):
    fill(S2, FilesSource(spec_of(tree(tmp_path / "a"), "NDVI")), store)
    for item in store.items.collections["s2"].values():
        grid = item.assets[0].grid
        box = grid.bbox_in(CRS84)
        assert max(item.bbox.xmin - box.xmin, item.bbox.ymin - box.ymin) <= 0
        assert min(item.bbox.xmax - box.xmax, item.bbox.ymax - box.ymax) >= 0
        assert item.bbox.xmax - box.xmax < 1e-3


def test_one_file_without_variable_is_one_item(tmp_path, store):
    for day in ("20200601", "20200602"):
        write_tile(tmp_path / "a" / f"{day}.tif")
    fill(S2, FilesSource(spec_of(tmp_path / "a" / "*.tif")), store)
    assert store.items.ids() == ["20200601", "20200602"]
    assert [asset.name for asset in store.items.collections["s2"]["20200601"].assets] == ["data"]


def test_variables_that_are_not_configured_are_found_in_names(tmp_path, store):
    fill(S2, FilesSource(spec_of(tree(tmp_path / "a"))), store)
    assert len(store.items.ids()) == 4
    assert [asset.name for asset in store.items.collections["s2"]["2020--S2_20200601_31UFS"].assets] == ["NDVI", "SCL"]


def test_a_new_a_replaced_and_a_removed_file_are_noticed(tmp_path, store):
    spec = spec_of(tree(tmp_path / "a"), "NDVI", "SCL")
    fill(S2, FilesSource(spec), store)
    folder = tmp_path / "a" / "2020"
    write_tile(folder / "S2_20200601_31UFS_NDVI.tif", scale=0.5)
    for variable in ("NDVI", "SCL"):
        write_tile(folder / f"S2_20200621_31UFS_{variable}.tif")
        (folder / f"S2_20200611_31UGS_{variable}.tif").unlink()
    (folder / "S2_20200611_31UFS_SCL.tif").unlink()  # the item stays, with one asset
    summary = fill(S2, FilesSource(spec), store)
    assert (summary.put, summary.removed) == (PutSummary(added=1, replaced=2, unchanged=1), 1)
    item = store.items.collections["s2"]["2020--S2_20200601_31UFS"]
    assert item.assets[0].layouts[0].encoding.scale == 0.5
    assert len(store.items.collections["s2"]["2020--S2_20200611_31UFS"].assets) == 1


def test_damaged_files_are_reported_and_others_served(tmp_path, store):
    pattern = tree(tmp_path / "a")
    folder = tmp_path / "a" / "2020"
    (folder / "S2_20200701_31UFS_NDVI.tif").write_bytes(b"no raster")
    write_tile(folder / "S2_undated_NDVI.tif")
    profile = {"driver": "GTiff", "width": 4, "height": 4, "count": 1, "dtype": "uint8"}
    with rasterio.open(folder / "S2_20200702_31UFS_NDVI.tif", "w", **profile, transform=Affine(1, 0, 0, 0, -1, 9)):
        pass
    summary = fill(S2, FilesSource(spec_of(pattern, "NDVI")), store)
    assert len(store.items.ids()) == 4
    assert sum(each.count for each in summary.problems) == 3
    assert any("no time" in each.reason for each in summary.problems)
    assert any("names no coordinate reference system" in each.reason for each in summary.problems)


def test_a_truncated_file_that_grows_is_read_again(tmp_path, store):
    path = write_tile(tmp_path / "a" / "20200601.tif", size=256)
    data = path.read_bytes()
    path.write_bytes(data[:100])
    source = FilesSource(spec_of(tmp_path / "a" / "*.tif"))
    assert fill(S2, source, store).problems[0].count == 1
    path.write_bytes(data)
    assert fill(S2, source, store).problems == ()
    assert store.items.ids() == ["20200601"]


def test_nothing_is_removed_if_no_file_exists(tmp_path, store):
    pattern = tree(tmp_path / "a")
    fill(S2, FilesSource(spec_of(pattern, "NDVI")), store)
    (tmp_path / "a").rename(tmp_path / "unmounted")
    with pytest.raises(SourceUnavailable, match="is its disk mounted"):
        fill(S2, FilesSource(spec_of(pattern, "NDVI")), store)
    assert len(store.items.ids()) == 4


def test_nothing_is_removed_if_a_folder_cannot_be_listed(tmp_path, store, monkeypatch):
    pattern = tree(tmp_path / "a")
    write_tile(tmp_path / "a" / "2021" / "S2_20210601_31UFS_NDVI.tif")
    fill(S2, FilesSource(spec_of(pattern, "NDVI")), store)

    def scandir(folder, scandir=os.scandir):  # as root, no folder is refused
        if folder.endswith("2021"):
            raise PermissionError(13, "Permission denied")
        return scandir(folder)

    monkeypatch.setattr(os, "scandir", scandir)
    summary = fill(S2, FilesSource(spec_of(pattern, "NDVI")), store)
    assert (summary.removed, summary.is_complete) == (0, False)
    assert "2021: it cannot be listed: Permission denied" in summary.lines()[2]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a/**/*.tif", ["a/2020/06/x_20200601.tif", "a/2020/x_20200602.tif", "a/x_20200603.tif"]),
        ("a/2020/*.tif", ["a/2020/x_20200602.tif"]),
        ("a/*/0?/x_*.tif", ["a/2020/06/x_20200601.tif"]),
        ("a/x_2020060[34].tif", ["a/x_20200603.tif"]),
        ("a/x_20200603.tif", ["a/x_20200603.tif"]),
    ],
)
def test_patterns_match_as_glob_does(tmp_path, pattern, expected):
    from chronotile.archive.index.files import FolderScan

    for name in ("a/2020/06/x_20200601.tif", "a/2020/x_20200602.tif", "a/x_20200603.tif", "b/x_20200604.tif"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    full = str(tmp_path / pattern)
    found = sorted(path for _name, path, _state in FolderScan().files({"": full}))
    assert found == sorted(map(str, tmp_path.glob(pattern))) == [str(tmp_path / name) for name in sorted(expected)]


def test_patterns_elsewhere_are_refused():
    with pytest.raises(UnsupportedSource, match="cannot be listed"):
        FilesSource(spec_of("https://example.test/*.tif"))


@pytest.mark.parametrize(("north", "latitude"), [(91, 90), (90.125, 90), (51, 51)])
def test_outline_of_cells_centred_on_the_pole_ends_at_it(north, latitude):
    grid = NativeGrid(crs=CRS84, transform=Affine(2, 0, -1, 0, -2, north), width=72, height=20)

    assert max(y for _x, y in outline_of(grid)) == latitude
