"""Archives of files with groups: collections, findings, written configurations, reloads and real products."""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pyproj
import pytest
import zarr
from affine import Affine
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.live_archive import LiveArchive
from chronotile.core.errors import ConfigurationError
from tests.grouped import Content, scene_in_groups, write_groups
from tests.scenes import Scene
from tests.strict import SHARED

FIRST = Scene()
SECOND = Scene(transform=Affine(20, 0, 600_000, 0, -20, 5_600_000), width=20, height=12, shift=5)
STORES = {"netcdf-4": "made.nc", "hdf5": "made.h5", "zarr-2": "made.zarr", "zarr-3": "made.zarr"}


def two_groups(first: Scene = FIRST, second: Scene = SECOND) -> Content:
    return {**scene_in_groups(first, "group", "land"), **scene_in_groups(second, "group", "sea/ice")}


def sizes_of(archive) -> dict[str, tuple[int, int]]:
    layers = archive.services.catalogue.layers
    return {layer.id: (layer.main_variable.grid.width, len(layer.times)) for layer in layers}


@pytest.mark.parametrize("store", ["hdf5", "zarr-2", "zarr-3"])
def test_each_group_of_a_file_is_a_collection(tmp_path, open_at, store):
    write_groups(two_groups(), tmp_path / STORES[store], store)

    archive = open_at(tmp_path)

    assert sizes_of(archive) == {"made-land.NDVI": (40, 5), "made-sea-ice.NDVI": (20, 5)}
    assert [finding for finding in archive.findings if "group" in finding.message] == []


@pytest.mark.parametrize("store", ["hdf5", "zarr-3"])
def test_variables_of_one_name_in_two_groups_have_separate_values(tmp_path, open_at, store):
    write_groups(two_groups(), tmp_path / STORES[store], store)
    scenes = {"made-land.NDVI": FIRST, "made-sea-ice.NDVI": SECOND}

    with TestClient(application(open_at(tmp_path).services)) as client:
        series = {layer: series_of_cell(client, layer, scene) for layer, scene in (*scenes.items(), *scenes.items())}

    for layer, scene in scenes.items():
        expected = scene.cube()[:, 3, 4] * scene.scale + scene.offset
        np.testing.assert_allclose(series[layer], expected, rtol=1e-6)


def series_of_cell(client: TestClient, layer: str, scene: Scene) -> list[float]:
    x, y = scene.transform @ (4.5, 3.5)
    lon, lat = pyproj.Transformer.from_crs(scene.crs, "OGC:CRS84", always_xy=True).transform(x, y)
    return client.get(f"/timeseries/{layer}/point?lon={lon}&lat={lat}").json()["values"]


def test_written_configuration_names_the_groups(tmp_path, open_at):
    write_groups(two_groups(), tmp_path / "made.zarr", "zarr-3")
    archive = open_at(tmp_path)
    written = tmp_path / "chronotile.yaml"
    written.write_text(archive.discovery.text(tmp_path))

    assert written.read_text().count("group: sea/ice") == 1
    assert sizes_of(open_at(written)) == sizes_of(archive)


def test_only_group_is_written_and_reported(tmp_path, open_at):
    write_groups(scene_in_groups(FIRST, "sister"), tmp_path / "made.nc", "netcdf-4")

    archive = open_at(tmp_path)

    assert sizes_of(archive) == {"made.NDVI": (40, 5)}
    assert "group: a/product" in archive.discovery.text(tmp_path)
    assert any("only this group has rasters" in finding.message for finding in archive.findings)


def test_root_and_group_are_two_collections(tmp_path, open_at):
    content = {**scene_in_groups(FIRST, "root", ""), **scene_in_groups(SECOND, "group", "ice")}
    write_groups(content, tmp_path / "made.zarr", "zarr-3")

    archive = open_at(tmp_path)

    assert sizes_of(archive) == {"made.NDVI": (40, 5), "made-ice.NDVI": (20, 5)}
    assert "group: /" in archive.discovery.text(tmp_path)
    assert [finding.text for finding in archive.findings if "not served" in finding.message] == []


def test_groups_of_dated_files_are_joined_by_group(tmp_path, open_at):
    for day in ("2020-01-01", "2020-01-11"):
        scenes = (Scene(days=(day,)), Scene(days=(day,), transform=SECOND.transform, width=20, height=12))
        write_groups(two_groups(*scenes), tmp_path / f"made_{day.replace('-', '')}.nc", "hdf5")

    assert sizes_of(open_at(tmp_path)) == {"made-land.NDVI": (40, 2), "made-sea-ice.NDVI": (20, 2)}


def test_other_group_of_the_same_name_is_numbered(tmp_path, open_at):
    content = {**scene_in_groups(FIRST, "group", "sea ice"), **scene_in_groups(SECOND, "group", "sea/ice")}
    write_groups(content, tmp_path / "made.zarr", "zarr-3")

    assert set(sizes_of(open_at(tmp_path))) == {"made-sea-ice.NDVI", "made-sea-ice-2.NDVI"}


def test_file_with_a_missing_group_is_left_out_of_the_archive(tmp_path, open_at):
    write_groups(two_groups(), tmp_path / "made.zarr", "zarr-3")
    source = "{kind: zarr, href: made.zarr, group: %s}"
    collections = "".join(f"  {n}: {{source: {source % g}}}\n" for n, g in (("good", "land"), ("bad", "lake")))
    (tmp_path / "chronotile.yaml").write_text(f"collections:\n{collections}")

    archive = open_at(tmp_path / "chronotile.yaml")

    assert sizes_of(archive) == {"good.NDVI": (40, 5)}
    assert [finding.message for finding in archive.findings if finding.severity == "error"] == [
        "left out: group: there is no group lake with arrays in it; there are land, sea/ice"
    ]


@pytest.mark.parametrize("version", [2, 3])
def test_date_that_is_added_to_a_deep_group_is_served(tmp_path, version):
    path = write_groups(scene_in_groups(FIRST, "group", "sea/ice/north"), tmp_path / "made.zarr", f"zarr-{version}")
    (tmp_path / "chronotile.yaml").write_text("collections: {made: {source: {kind: zarr, href: made.zarr}}}")
    live = LiveArchive.open(tmp_path / "chronotile.yaml")
    group = zarr.open_group(path, mode="a")["sea/ice/north"]

    group["NDVI"].append(FIRST.numbers(5)[np.newaxis])
    group["time"].append(group["time"][-1:] + 240)
    live.refresh()

    (layer,) = live.services.catalogue.layers
    assert len(layer.times) == 6


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("kind: cog, href: a.tif, group: b", "group belongs to kinds zarr and netcdf"),
        ("kind: zarr, href: a, group: b//c", "accepted is a path such as PRODUCT or product/support_data, got 'b//c'"),
        ("kind: zarr, href: a, group: ../b", "accepted is a path"),
    ],
)
def test_invalid_group_of_the_configuration_is_refused(tmp_path, open_at, source, problem):
    (tmp_path / "chronotile.yaml").write_text(
        f"collections: {{made: {{source: {{{source}}}, variables: {{v: {{}}}}}}}}"
    )

    with pytest.raises(ConfigurationError, match=problem):
        open_at(tmp_path / "chronotile.yaml")


# Real products, compared with h5py.

PRODUCTS = SHARED / "data" / "instruments" / "grid_groups"
SMAP = PRODUCTS / "SPL3FTP_subsetted.nc4"
OPERA = PRODUCTS / "OPERA_L2_CSLC-S1-STATIC_T087-185683-IW2_20140403_S1A_v1.0.repacked.h5"


@dataclass(frozen=True)
class Product:
    """An array of a file, with its coordinates and CRS by the specification of its producer."""

    file: Path
    layer: str
    array: str
    x: str
    y: str
    crs: str
    select: tuple[int, ...] = ()


def smap(hemisphere: str, crs: str, step: int) -> Product:
    group = f"Freeze_Thaw_Retrieval_Data_{hemisphere}"
    layer = f"spl3ftp-subsetted-freeze-thaw-retrieval-data-{hemisphere.lower()}.altitude_dem_am_pm{step}"
    return Product(SMAP, layer, f"{group}/altitude_dem", f"{group}/x", f"{group}/y", crs, (step,))


EASE_2 = {"Global": "EPSG:6933", "Polar": "EPSG:6931"}
OPERA_ID = "opera-l2-cslc-s1-static-t087-185683-iw2-20140403-s1a-v1-0-repacked"
REAL = [
    *(smap(hemisphere, crs, step) for hemisphere, crs in EASE_2.items() for step in (0, 1)),
    *(
        Product(OPERA, f"{OPERA_ID}.{name}", f"data/{name}", "data/x_coordinates", "data/y_coordinates", "EPSG:32605")
        for name in ("los_east", "layover_shadow_mask")
    ),
]


@pytest.mark.data
@pytest.mark.parametrize("product", REAL, ids=lambda product: product.layer.partition(".")[2] + product.crs[-2:])
def test_values_of_products_equal_the_numbers_of_their_files(tmp_path, open_at, product):
    (tmp_path / product.file.name).symlink_to(product.file)
    archive = open_at(tmp_path)
    with h5py.File(product.file) as file:
        array = file[product.array]
        rows, columns = (np.random.default_rng(1).integers(0, size, 200) for size in array.shape[-2:])
        fill = array.attrs.get("_FillValue", [np.nan])[0]
        numbers = np.array([array[(*product.select, row, column)] for row, column in zip(rows, columns, strict=True)])
        x, y = file[product.x][:][columns], file[product.y][:][rows]
    lon, lat = pyproj.Transformer.from_crs(product.crs, "OGC:CRS84", always_xy=True).transform(x, y)
    body = {"layers": [product.layer], "points": np.column_stack([lon, lat]).tolist()}

    with TestClient(application(archive.services)) as client:
        answer = client.post("/timeseries/points", json=body).json()

    values = [feature["series"]["mean"][0] for feature in answer["results"][0]["features"]]
    expected = np.where((numbers == fill) | np.isnan(numbers), np.nan, numbers.astype(float))
    np.testing.assert_allclose(np.array(values, dtype=float), expected, rtol=1e-6)


@pytest.mark.data
def test_findings_of_products_name_the_group(tmp_path, open_at):
    for file in (SMAP, OPERA):
        (tmp_path / file.name).symlink_to(file)

    lines = [finding.text for finding in open_at(tmp_path).findings]

    assert any(line.startswith(f"{OPERA_ID}: data: only this group has rasters") for line in lines)
    assert [line for line in lines if "left out" in line] == []
