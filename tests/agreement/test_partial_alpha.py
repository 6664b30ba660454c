"""Cells between transparent and opaque: values and opaque by every protocol, and `check` reports it."""

import io
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.check import check_archive
from chronotile.archive.open import open_archive
from tests.odd_archives.files import HEIGHT, NUMBERS, UTM, WIDTH, write_tif

OPACITY = np.repeat(np.array([0, 64, 255], dtype="uint8"), WIDTH // 3)[np.newaxis].repeat(HEIGHT, axis=0)
PLACE = f"{UTM.c},{UTM.f - 100 * HEIGHT},{UTM.c + 100 * WIDTH},{UTM.f}"
CONFIGURATION = """
collections:
  made: {source: {kind: cog, href: 'a_*.tif'}, variables: {V: {layer: V, band: 1, range: [0, 200]}EXTRA}}
"""


def write_alpha(path, opacity=OPACITY, dtype="uint8"):
    write_tif(path, np.stack([NUMBERS, opacity]), dtype=dtype, photometric="MINISBLACK", alpha="yes")


def write_mask(path, opacity=OPACITY):
    write_tif(path, NUMBERS, dtype="uint8")
    write_tif(Path(f"{path}.msk"), opacity, dtype="uint8", tags={"INTERNAL_MASK_FLAGS_1": "2"})


@pytest.fixture
def opened(tmp_path):
    """Return `opened(extra)`: the archive, with additional variables."""

    def make(extra=""):
        file = tmp_path / "chronotile.yaml"
        file.write_text(CONFIGURATION.replace("EXTRA", extra))
        return open_archive(file, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))

    return make


def warnings_of(archive):
    return [each.message for each in check_archive(archive) if "opaque" in each.message]


def alpha_of(body):
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGBA"))[..., 3]


@pytest.fixture(params=[write_alpha, write_mask])
def client(request, tmp_path, opened):
    request.param(tmp_path / "a_20200101.tif")
    with TestClient(application(opened().services)) as client:
        yield client


def test_wms_shows_partial_alpha_opaque(client):
    parameters = {
        "service": "WMS", "version": "1.3.0", "request": "GetMap", "layers": "V", "styles": "", "crs": "EPSG:32633",
        "bbox": PLACE, "width": WIDTH, "height": HEIGHT, "format": "image/png", "transparent": "true",
    }  # fmt: skip

    alpha = alpha_of(client.get("/wms", params=parameters).content)

    np.testing.assert_array_equal(alpha, np.where(OPACITY > 0, 255, 0))


def test_xyz_tiles_show_partial_alpha_opaque(client):
    tilejson = client.get("/tiles/V/WebMercatorQuad/tilejson.json").json()
    x, y, zoom = *tilejson["center"][:2], tilejson["maxzoom"]
    column = int((x + 180) / 360 * 2**zoom)
    row = int((1 - np.arcsinh(np.tan(np.radians(y))) / np.pi) / 2 * 2**zoom)

    alpha = alpha_of(client.get(f"/tiles/V/WebMercatorQuad/{zoom}/{column}/{row}.png").content)

    assert set(np.unique(alpha)) <= {0, 255}
    assert (alpha == 255).any()


def test_coverage_has_values_where_alpha_is_partial(client):
    body = client.get("/ogcapi/collections/V/coverage", params={"f": "GTiff"}).content

    with rasterio.open(io.BytesIO(body)) as file:
        numbers = file.read(1, masked=True)
    np.testing.assert_array_equal(~np.ma.getmaskarray(numbers), OPACITY > 0)
    np.testing.assert_array_equal(numbers.compressed(), NUMBERS[OPACITY > 0])


@pytest.mark.parametrize(("write", "kind"), [(write_alpha, "alpha band"), (write_mask, "mask")])
def test_check_reports_partial_opacity(tmp_path, opened, write, kind):
    write(tmp_path / "a_20200101.tif")

    (message,) = warnings_of(opened())

    assert message.startswith(f"its {kind} has cells between transparent and opaque, such as 64 of 255")


@pytest.mark.parametrize("write", [write_alpha, write_mask])
def test_check_reports_partial_opacity_of_one_of_two_files(tmp_path, opened, write):
    write(tmp_path / "a_20200101.tif", np.where(OPACITY > 0, 255, 0).astype("uint8"))
    write(tmp_path / "a_20200111.tif")

    assert len(warnings_of(opened())) == 1


@pytest.mark.parametrize("write", [write_alpha, write_mask])
def test_check_is_silent_of_opaque_and_transparent_cells(tmp_path, opened, write):
    write(tmp_path / "a_20200101.tif", np.where(OPACITY > 0, 255, 0).astype("uint8"))

    assert warnings_of(opened()) == []


def test_remedy_for_opacities_works(tmp_path, opened):
    write_alpha(tmp_path / "a_20200101.tif")
    (message,) = warnings_of(opened())

    archive = opened(", ALPHA: {layer: ALPHA, band: 2, range: [0, 255]}")

    assert "name band: 2 as a variable" in message
    assert warnings_of(archive) == []
    found = archive.services.readers["made"].read_cell("ALPHA", indexes=[0], row=3, column=WIDTH // 2)
    assert found.numbers == [64]
