"""Bands that are times over HTTP, in folders and by name, and made into a serving cube."""

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.optimise.verify import verify_cube
from chronotile.readers.kinds import open_source
from tests.archive.series import series_at
from tests.rasters import write_raster
from tests.scenes import Scene, make_spec, write_tif

SCENE = Scene()
ROW, COLUMN = 7, 9
X, Y = SCENE.transform @ (COLUMN + 0.5, ROW + 0.5)
DATES = [(t, f"2020-{t // 28 + 1:02}-{t % 28 + 1:02}") for t in range(137)]


def write_bands(path, bands, scene=SCENE):
    write_tif(path, np.stack([scene.numbers(t) for t, _text in bands]), scene)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = [text for _t, text in bands]
    return path


def write_grib(path, *instants):
    """Temperatures as GDAL writes them; a longer file holds later times."""
    source = path.with_suffix(".tif.part")
    values = [20.0 + place + np.arange(200, dtype="float32").reshape(10, 20) / 16 for place in range(len(instants))]
    write_raster(source, np.stack(values), crs="EPSG:4326", transform=rasterio.Affine(1, 0, 0, 0, -1, 50))
    ids = {f"BAND_{band}_IDS": f"CENTER=98 REF_TIME={each}" for band, each in enumerate(instants, start=1)}
    product = "0 0 2 0 0 0 0 1 0 103 0 2 255 0 0"
    copy(
        source,
        path,
        driver="GRIB",
        DISCIPLINE="0",
        PDS_PDTN="0",
        PDS_TEMPLATE_ASSEMBLED_VALUES=product,
        DATA_ENCODING="IEEE_FLOATING_POINT",
        **ids,
    )
    source.unlink()


def values_of(numbers):
    return [pytest.approx(float(number) * SCENE.scale + SCENE.offset, abs=1e-9) for number in numbers]


@pytest.mark.parametrize("is_configured", [True, False], ids=["configuration", "folder"])
def test_all_dates_of_files_with_a_variable_in_their_names_are_served(open_at, tmp_path, is_configured):
    for shift, name in enumerate(("NDVI", "LAI")):
        write_bands(tmp_path / f"S2_{name}_all.tif", DATES, Scene(shift=40 * shift))
    file = tmp_path / "chronotile.yaml"
    file.write_text(
        "collections:\n  s2-all: {source: {kind: cog, href: 'S2_{variable}_all.tif'}, variables: {NDVI: {}, LAI: {}}}\n"
    )

    archive = open_at(file if is_configured else tmp_path)
    answer = series_at(archive, "s2-all.LAI", x=X, y=Y, crs="EPSG:32631")

    assert len(answer["times"]) == 137
    assert answer["values"] == values_of(Scene(shift=40).number(t, ROW, COLUMN) for t in range(137))
    assert not [each for each in archive.findings if each.severity != "note"]


def test_maps_features_and_series_of_yearly_files_show_the_same(open_at, tmp_path):
    write_bands(tmp_path / "NDVI_2019.tif", [(0, "2019-12-11"), (1, "2019-12-21")])
    write_bands(tmp_path / "NDVI_2020.tif", [(2, "2020-01-01"), (3, "2020-01-11")])
    archive = open_at(tmp_path)
    (layer,) = archive.services.catalogue.layers
    left, top = SCENE.transform @ (0, 0)

    with TestClient(application(archive.services)) as client:
        info = client.get(
            "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&STYLES=&CRS=EPSG:32631&WIDTH=40&HEIGHT=30"
            f"&LAYERS={layer.id}&QUERY_LAYERS={layer.id}&I={COLUMN}&J={ROW}&BBOX={left},{top - 300},{left + 400},{top}"
            "&TIME=2020-01-01&INFO_FORMAT=application/json"
        )

    number = SCENE.number(2, ROW, COLUMN)
    assert info.status_code == 200, info.text
    assert f"{number * SCENE.scale + SCENE.offset:.3f}".rstrip("0") in info.text
    assert series_at(archive, layer.id, x=X, y=Y, crs="EPSG:32631")["values"] == values_of(
        SCENE.number(t, ROW, COLUMN) for t in range(4)
    )


def test_a_serving_cube_of_yearly_files_has_their_numbers(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    write_bands(source / "NDVI_2019.tif", [(0, "2019-12-11"), (1, "2019-12-21")])
    write_bands(source / "NDVI_2020.tif", [(2, "2020-01-01"), (3, "2020-01-11")], Scene(scale=0.002, offset=0.12))

    optimise([str(source)], tmp_path / "cube.zarr", Options(layout="both", threads=1))
    verify_cube([str(source)], tmp_path / "cube.zarr", Options())

    cube = open_source(make_spec("zarr", tmp_path / "cube.zarr", variables={}))
    ((name, info),) = cube.info.variables.items()
    cell = cube.read_cell(name, indexes=range(4), row=ROW, column=COLUMN).numbers
    encodings = [(0.004, -0.08)] * 2 + [(0.002, 0.12)] * 2
    expected = [SCENE.number(t, ROW, COLUMN) * scale + offset for t, (scale, offset) in enumerate(encodings)]
    np.testing.assert_allclose(info.encoding.values(cell), expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("place", ["", "a.grib2"], ids=["folder", "by name"])
def test_grib_is_served_with_times_and_units_in_a_folder_and_by_name(open_at, tmp_path, place):
    write_grib(tmp_path / "a.grib2", "2020-01-01T00:00:00Z", "2020-01-01T06:00:00Z")
    with rasterio.Env(GRIB_NORMALIZE_UNITS=False), rasterio.open(tmp_path / "a.grib2") as file:
        stored = file.read()[:, 3, 4]

    archive = open_at(tmp_path / place if place else tmp_path)

    (layer,) = archive.services.catalogue.layers
    answer = series_at(archive, layer.id, lon=4.5, lat=46.5)
    assert (layer.id, answer["units"], layer.styles[0].id) == ("a.TMP_2-HTGL", "K", "temperature")
    assert answer["times"] == ["2020-01-01T00:00:00Z", "2020-01-01T06:00:00Z"]
    assert answer["values"] == [pytest.approx(float(value), abs=1e-4) for value in stored]


def test_grib_files_of_a_folder_join(open_at, tmp_path):
    write_grib(tmp_path / "era5_20200101.grib", "2020-01-01T00:00:00Z", "2020-01-01T12:00:00Z")
    write_grib(tmp_path / "era5_20200102.grib", "2020-01-02T00:00:00Z", "2020-01-02T12:00:00Z")

    archive = open_at(tmp_path)

    (layer,) = archive.services.catalogue.layers
    assert len(series_at(archive, layer.id, lon=4.5, lat=46.5)["times"]) == 4
