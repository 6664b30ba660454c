"""Formulas and masks, from the configuration to clients."""

import dataclasses
import io
from urllib.parse import urlencode

import numpy as np
import pytest
from affine import Affine
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.check import check_archive
from chronotile.archive.open import open_archive, refresh_archive
from chronotile.core.model.space.crs import CRS84, crs_of, transformer
from tests.scenes import NODATA, Scene, make_dataset, save_zarr, write_tif

SCENE = Scene(width=64, height=64, gap=-1)
COARSE = dataclasses.replace(
    SCENE, width=32, height=32, transform=SCENE.transform @ Affine.scale(2), scale=1.0, offset=0.0
)
NOW = np.datetime64("2020-07-01", "ns")
KEEP = (4, 5, 6)

VARIABLES = """
    variables:
      RED: {layer: RED}
      NIR: {layer: NIR, mask: {variable: SCL, keep: [4, 5, 6]}}
      SCL: {layer: SCL}
      NDVI: {formula: "(NIR - RED) / (NIR + RED)", layer: NDVI, range: [-1, 1], styles: [greys], title: Greenness}
      GREEN: {formula: "NDVI > 0.2", layer: GREEN}
"""


def numbers_of(variable, t):
    """Return (y, x) numbers; SCL in cells twice as large, if its files have them."""
    rows, columns = np.mgrid[:64, :64]
    if variable == "SCL":
        return ((rows + columns + t) % 9).astype("uint8")
    return SCENE.number(t + (11 if variable == "NIR" else 0), rows, columns * (3 if variable == "NIR" else 1))


def coarse_quality(t):
    return numbers_of("SCL", t)[::2, ::2]


def write_cogs(folder):
    for t, day in enumerate(SCENE.days):
        name = f"{day.replace('-', '')}.tif"
        for variable in ("RED", "NIR"):
            write_tif(folder / f"{variable}_{name}", numbers_of(variable, t), SCENE, overviews=(2,))
        write_tif(folder / f"SCL_{name}", coarse_quality(t), COARSE, overviews=(2,))
    return r'{kind: cog, href: "{variable}_*.tif", time_pattern: "_(?P<time>\\d{8})"}'


def write_cube(folder):
    """Write a cube with one grid, so that SCL is repeated in the store itself."""
    dataset = make_dataset(SCENE)
    template = dataset["NDVI"]
    for variable in ("RED", "NIR", "SCL"):
        planes = [numbers_of(variable, t) for t in range(len(SCENE.days))]
        planes = [
            np.kron(plane[::2, ::2], np.ones((2, 2), "uint8")) if variable == "SCL" else plane for plane in planes
        ]
        dataset[variable] = (template.dims, np.stack(planes), dict(template.attrs))
    dataset["SCL"].attrs |= {"scale_factor": 1.0, "add_offset": 0.0}
    save_zarr(dataset.drop_vars("NDVI"), folder / "made.zarr")
    return "{kind: zarr, href: made.zarr}"


@pytest.fixture(scope="module", params=[write_cogs, write_cube], ids=["cog", "zarr"])
def archive(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("derived")
    file = folder / "chronotile.yaml"
    source = request.param(folder)
    file.write_text(f"collections:\n  c:\n    source: {source}{VARIABLES}", encoding="utf-8")
    opened = open_archive(file, environment={}, clock=lambda: NOW)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def client(archive):
    with TestClient(application(archive.services)) as one:
        yield one


def expected(t):
    """(y, x) of NDVI."""
    red, nir = (SCENE.scale * numbers_of(name, t).astype(float) + SCENE.offset for name in ("RED", "NIR"))
    kept = np.isin(np.kron(coarse_quality(t), np.ones((2, 2))), KEEP)
    with np.errstate(all="ignore"):
        values = np.where(kept, (nir - red) / (nir + red), np.nan)
    return np.where(np.isfinite(values), values, np.nan).astype("float32")


def place_of(row, column):
    """Longitude and latitude."""
    return transformer(crs_of(SCENE.crs), CRS84).transform(*(SCENE.transform @ (column + 0.5, row + 0.5)))


def test_good_layers_have_no_findings(archive):
    assert [each for each in archive.findings if each.severity == "error"] == []
    assert [each for each in check_archive(archive) if each.severity == "error"] == []


@pytest.mark.parametrize(("row", "column"), [(5, 7), (20, 33), (41, 2), (63, 63)])
def test_a_series_is_the_formula_of_the_native_cells(client, row, column):
    longitude, latitude = place_of(row, column)

    answer = client.get(f"/timeseries/NDVI/point?lon={longitude}&lat={latitude}").json()

    values = [expected(t)[row, column] for t in range(5)]
    shortest = [float(str(np.float32(value))) for value in values]  # a formula gives float32
    assert answer["values"] == [None if np.isnan(value) else value for value in shortest]
    assert [reason == "masked" for reason in answer["reasons"]] == [np.isnan(value) for value in values]


def native_map(client, layer, **rest):
    x, y = SCENE.transform.c, SCENE.transform.f
    response = client.get(
        f"/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS={layer}&STYLES=&CRS=EPSG:32631&WIDTH=64&HEIGHT=64"
        f"&BBOX={x},{y - 640},{x + 640},{y}&FORMAT=image/png&TRANSPARENT=TRUE&{urlencode(rest)}"
    )
    assert response.headers["content-type"] == "image/png", response.text
    return np.asarray(Image.open(io.BytesIO(response.content)).convert("RGBA"))


def test_native_picture_is_that_of_the_same_cells(client):
    picture = native_map(client, "NDVI", TIME="2020-01-21")

    values = expected(2)
    np.testing.assert_array_equal(picture[..., 3] > 0, ~np.isnan(values))
    greys = np.clip((np.nan_to_num(values) + 1) / 2, 0, 1) * 255
    assert np.abs(picture[..., 0] - greys)[~np.isnan(values)].max() <= 1


def test_a_formula_of_a_formula_is_drawn(client):
    picture = native_map(client, "GREEN", TIME="2020-01-21", COLORSCALERANGE="0,1")

    values = expected(2).astype(float)  # a formula takes the float32 that the other one gives
    assert picture[..., 0][values > 0.2].min() >= 254
    assert picture[..., 0][values <= 0.2].max() <= 1


def test_masked_variable_is_drawn_at_the_place_of_its_values(client):
    picture = native_map(client, "NIR", TIME="2020-02-01")

    np.testing.assert_array_equal(picture[..., 3] > 0, np.isin(np.kron(coarse_quality(3), np.ones((2, 2))), KEEP))


def test_the_layer_is_listed_as_any_other(client):
    layer = client.get("/layers/NDVI").json()

    assert (layer["title"], layer["units"], layer["times"]["count"]) == ("Greenness", "1", 5)
    assert client.get("/tiles/NDVI/legend.json").status_code == 200
    assert client.get("/layers/NDVI/times").json()["total"] == 5


def test_a_tile_has_the_values_of_the_formula(client):
    longitude, latitude = place_of(32, 32)
    n = 2**14
    x = int((longitude + 180) / 360 * n)
    y = int((1 - np.arcsinh(np.tan(np.radians(latitude))) / np.pi) / 2 * n)

    values = np.load(io.BytesIO(client.get(f"/tiles/NDVI/WebMercatorQuad/14/{x}/{y}.npy?datetime=2020-01-21").content))

    seen = values[np.isfinite(values)]
    assert seen.size > 100
    assert np.isin(seen, expected(2)).all()


def test_a_changed_operand_is_a_new_revision(tmp_path):
    source = write_cogs(tmp_path)
    file = tmp_path / "chronotile.yaml"
    file.write_text(f"collections:\n  c:\n    source: {source}{VARIABLES}", encoding="utf-8")
    archive = open_archive(file, environment={}, clock=lambda: NOW)
    with TestClient(application(archive.services)) as client:
        before = {name: client.get(f"/layers/{name}").json()["revision"] for name in ("NDVI", "RED", "GREEN")}
        plain = dataclasses.replace(COARSE, scale=1.0, offset=0.0)
        write_tif(tmp_path / "SCL_20200211.tif", np.full((32, 32), NODATA, "uint8"), plain, overviews=(2,))
        archive.services.layer_revisions.clear()
        after = {name: client.get(f"/layers/{name}").json()["revision"] for name in ("NDVI", "RED", "GREEN")}

    assert {name: before[name] == after[name] for name in before} == {"NDVI": False, "RED": True, "GREEN": False}


def test_uncomputable_variable_is_reported_once_and_the_others_are_served(tmp_path):
    source = write_cogs(tmp_path)
    file = tmp_path / "chronotile.yaml"
    variables = (
        '{RED: {}, SCL: {}, SUM: {formula: "RED + SCL"}, TWICE: {formula: "2 * SUM"}, OWN: {formula: "2 * RED"}}'
    )
    file.write_text(f"collections:\n  c:\n    source: {source}\n    variables: {variables}", encoding="utf-8")

    archive = open_archive(file, environment={}, clock=lambda: NOW)

    assert [layer.id for layer in archive.services.catalogue.layers] == ["c.RED", "c.SCL", "c.OWN"]
    errors = {each.place: each.message for each in archive.findings if each.severity == "error"}
    assert list(errors) == ["c: SUM", "c: TWICE"]
    assert "RED and SCL lie on different grids (64 x 64 and 32 x 32 cells)" in errors["c: SUM"]
    archive.close()


def test_a_new_date_of_the_operands_is_a_new_date_of_the_formula(tmp_path):
    source = write_cogs(tmp_path)
    file = tmp_path / "chronotile.yaml"
    file.write_text(f"collections:\n  c:\n    source: {source}{VARIABLES}", encoding="utf-8")
    archive = open_archive(file, environment={}, clock=lambda: NOW)
    unchanged = refresh_archive(archive, file, environment={}, clock=lambda: NOW)
    for name, scene in (("RED", SCENE), ("NIR", SCENE), ("SCL", COARSE)):
        write_tif(tmp_path / f"{name}_20200221.tif", scene.numbers(9), scene, overviews=(2,))

    grown = refresh_archive(archive, file, environment={}, clock=lambda: NOW)

    assert unchanged is archive
    assert [len(each.services.catalogue.layer("NDVI").times) for each in (archive, grown)] == [5, 6]
    grown.close()
