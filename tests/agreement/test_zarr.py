"""`/zarr` over files of every kind: each cell of the store equals that in the source and in a point series."""

import numpy as np
import pytest
import rasterio
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive, refresh_archive
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from tests.agreement.conftest import STYLE
from tests.agreement.scenes_served import EACH_SCENE_AND_KIND, SCENES
from tests.scenes import NODATA, Scene, write_cogs
from tests.zarr_stores import open_store

MASKED = """
collections:
  made:
    source: {kind: cog, href: 'NDVI_*.tif', time_pattern: '_(?P<time>\\d{8})'}
    variables:
      NDVI: {layer: NDVI, flags: {10: cloud, 20: water}, styles: [numbers]}
      CLEAR: {layer: CLEAR, formula: "NDVI + 0", mask: {variable: NDVI, keep: [KEPT]}, styles: [numbers]}
"""


def north_up(array, scene: Scene):
    """(…, y, x) of the scene as a store has it."""
    return array[..., ::-1, :] if scene.transform.e > 0 else array


@pytest.mark.parametrize(("scene", "kind"), EACH_SCENE_AND_KIND)
def test_every_cell_equals_that_of_the_source(serve, scene, kind):
    served = serve(SCENES[scene] if isinstance(scene, str) else scene, kind)

    dataset = open_store(served.client, "/zarr/NDVI")

    numbers = served.scene.cube()
    values = np.where(numbers == NODATA, np.nan, numbers * served.scene.scale + served.scene.offset)
    np.testing.assert_allclose(dataset["NDVI"].values, north_up(values, served.scene), rtol=0, atol=1e-12)
    assert np.array_equal(dataset["time"], served.scene.times)
    x, y = served.scene.coordinates()
    np.testing.assert_allclose(dataset[dataset["NDVI"].dims[2]], x, rtol=1e-12)
    np.testing.assert_allclose(dataset[dataset["NDVI"].dims[1]], np.sort(y)[::-1], rtol=1e-12)


@pytest.mark.parametrize("kind", ["cog", "zarr-v3"])
def test_cells_equal_those_of_point_series(serve, kind):
    served = serve(SCENES["UTM"], kind)
    ndvi = open_store(served.client, "/zarr/NDVI")["NDVI"]

    for row, column in [(0, 0), (3, 14), (10, 12), (29, 39), (16, 1)]:
        x, y = float(ndvi["x"][column]), float(ndvi["y"][row])
        lon, lat = transformer(crs_of(served.scene.crs), CRS84).transform(x, y)
        asked = served.client.get("/timeseries/NDVI/point", params={"lon": lon, "lat": lat}).json()["values"]
        series = np.array(asked, dtype=float)
        np.testing.assert_allclose(ndvi.values[:, row, column], series, rtol=0, atol=1e-9)


@pytest.fixture
def masked(tmp_path):
    """A client of NDVI with flags, and of CLEAR, which has a mask as well."""
    write_cogs(tmp_path, Scene())
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "numbers.yaml").write_text(STYLE)
    file = tmp_path / "chronotile.yaml"
    file.write_text(MASKED.replace("KEPT", ", ".join(map(str, range(100)))))
    archive = open_archive(file, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
    with TestClient(application(archive.services)) as client:
        yield client


def test_flags_have_no_value(masked):
    values = open_store(masked, "/zarr/NDVI")["NDVI"].values

    numbers = Scene().cube()
    lacking = np.isin(numbers, [10, 20, NODATA])
    np.testing.assert_allclose(values, np.where(lacking, np.nan, numbers * 0.004 - 0.08), rtol=0, atol=1e-12)


def test_masked_cells_have_no_value(masked):
    values = open_store(masked, "/zarr/CLEAR")["CLEAR"].values

    numbers = Scene().cube()
    lacking = np.isin(numbers, [10, 20]) | (numbers >= 100)
    np.testing.assert_allclose(values, np.where(lacking, np.nan, numbers * 0.004 - 0.08), rtol=0, atol=1e-6)


def test_a_serving_cube_has_chunks_of_its_map_layout(tmp_path):
    scene = Scene(width=700, height=600, gap=500)
    (tmp_path / "tifs").mkdir()
    write_cogs(tmp_path / "tifs", scene, overviews=())
    files = sorted(str(path) for path in (tmp_path / "tifs").glob("*.tif"))
    optimise(files, tmp_path / "made.zarr", Options(threads=1, block=4))
    archive = open_archive(tmp_path / "made.zarr", environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))

    with TestClient(application(archive.services)) as client:
        (layer,) = archive.services.catalogue.layers
        dataset = open_store(client, f"/zarr/{layer.id}", mask_and_scale=False)

    assert dataset[layer.id].encoding["chunks"] == (1, 512, 512)
    assert np.array_equal(dataset[layer.id].values, scene.cube())


def test_a_file_that_arrives_late_gives_no_open_store_another_date(tmp_path):
    (tmp_path / "all").mkdir()
    write_cogs(tmp_path / "all", Scene())
    files = sorted((tmp_path / "all").glob("*.tif"))
    for file in (*files[:1], *files[2:]):
        file.rename(tmp_path / file.name)
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text(MASKED.replace("KEPT", "1").replace(", styles: [numbers]", ""))
    clock = {"environment": {}, "clock": lambda: np.datetime64("2021-01-01", "ns")}
    archive = open_archive(configuration, **clock)
    with TestClient(application(archive.services)) as client:
        revision = client.get("/zarr/NDVI/zarr.json").json()["attributes"]["revision"]
        assert client.get("/zarr/NDVI/NDVI/c/0/0/0").status_code == 200

    files[1].rename(tmp_path / files[1].name)
    newer = refresh_archive(archive, configuration, **clock)

    with TestClient(application(newer.services)) as client:
        assert client.get("/zarr/NDVI/NDVI/c/0/0/0").status_code == 410
        assert client.get("/zarr/NDVI/time/c/0").status_code == 410
        assert client.get("/zarr/NDVI/x/c/0").status_code == 200
        assert client.get(f"/zarr/NDVI@{revision}/zarr.json").status_code == 410
        assert np.array_equal(open_store(client, "/zarr/NDVI")["time"], Scene().times)


def test_temporarily_unreadable_file_changes_no_chunk_shape(tmp_path):
    scene = Scene(width=700, height=600)
    write_cogs(tmp_path, scene, overviews=())
    files = sorted(tmp_path.glob("*.tif"))
    with rasterio.open(files[0]) as source:
        numbers, profile = source.read(), {**source.profile, "tiled": False, "blockxsize": None, "blockysize": 7}
    with rasterio.open(files[0], "w", **profile) as other:  # rows, and tiles in the others
        other.write(numbers)
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text(MASKED.replace("KEPT", "1").replace(", styles: [numbers]", ""))
    archives = [
        open_archive(configuration, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns")) for _ in range(2)
    ]

    with TestClient(application(archives[0].services)) as one_worker:
        before = one_worker.get("/zarr/NDVI/zarr.json").json()
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[:200])
    with TestClient(application(archives[1].services)) as another_worker:
        meanwhile = another_worker.get("/zarr/NDVI/zarr.json").json()
        files[0].write_bytes(whole)
        revision = before["attributes"]["revision"]

        assert meanwhile == before
        arrays = before["consolidated_metadata"]["metadata"]
        assert arrays["NDVI"]["chunk_grid"]["configuration"]["chunk_shape"][2] == scene.width
        assert another_worker.get(f"/zarr/NDVI@{revision}/NDVI/c/0/0/0").status_code == 200
