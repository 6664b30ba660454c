"""`chronotile publish` of folders, cubes and NetCDF: published files have the values of the formula."""

import json
import urllib.request

import pytest
import rasterio

from chronotile.pipeline.styling.load import load_styles, style_folders
from tests.archive.publish.published import check, read
from tests.odd_archives.safe import SafeProduct
from tests.readers.made_sentinel3 import OLCI, write_olci
from tests.running import PATIENCE_S, serving
from tests.scenes import Scene, write_scene, write_tif

pytestmark = pytest.mark.slow
SCENE = Scene()
ROW, COLUMN = 10, 20
POINT = "x=500205&y=5649895&crs=EPSG:32631"
"""The centre of that cell."""
VALUES = [round(int(SCENE.number(t, ROW, COLUMN)) * 0.004 - 0.08, 6) for t in range(len(SCENE.days))]


@pytest.fixture
def place(tmp_path):
    """Return `place(kind, more)`: a configuration of a made scene, with additional keys of the variable."""

    def write(kind, more=""):
        spec = write_scene(kind, tmp_path / "source", SCENE)
        name = kind.partition("-")[0]
        pattern = ", time_pattern: '_(?P<time>\\d{8})'" if name == "cog" else ""
        (tmp_path / "c.yaml").write_text(
            "collections:\n"
            "  made:\n"
            "    title: Made of a formula\n"
            "    license: https://example.org/licence\n"
            f"    source: {{kind: {name}, href: '{spec.href}'{pattern}}}\n"
            f"    variables: {{NDVI: {{styles: [ndvi]{more}}}}}\n"
        )
        return tmp_path / "c.yaml"

    return write


def series(address):
    url = f"{address}/timeseries/made.NDVI/point?{POINT}"
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as answer:
        return json.load(answer)


@pytest.mark.parametrize("kind", ["cog", "zarr-v3", "zarr-zip", "netcdf-4"])
def test_published_files_are_served_with_the_values_of_the_source(kind, place, run, tmp_path):
    done = run("publish", "made", "--to", tmp_path / "out", "--config", place(kind))

    assert done.exit_code == 0, done.output
    check(tmp_path / "out")
    environment = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with serving("serve", tmp_path / "out", "--workers", "1", **environment) as (_process, address, _lines):
        found = series(address)
    assert found["values"] == pytest.approx(VALUES)
    assert [time[:10] for time in found["times"]] == list(SCENE.days)


def test_each_date_of_a_folder_is_an_item_with_its_file(place, run, tmp_path):
    run("publish", "made", "--to", tmp_path / "out", "--config", place("cog"))

    items = check(tmp_path / "out")
    item = read(tmp_path / "out" / "2020" / "2020-01-11" / "2020-01-11.json")
    assert sorted(each.id for each in items) == list(SCENE.days)
    with rasterio.open(tmp_path / "out" / "2020" / "2020-01-11" / "NDVI_20200111.tif") as file:
        assert (file.read(1) == SCENE.numbers(1)).all()
        assert item["assets"]["NDVI"]["proj:shape"] == [file.height, file.width]
        assert item["assets"]["NDVI"]["proj:code"] == file.crs.to_string()


def test_corrections_of_the_configuration_are_in_the_items(place, run, tmp_path):
    run("publish", "made", "--to", tmp_path / "out", "--config", place("cog", ", scale: 0.5, flags: {254: snow}"))

    item = read(tmp_path / "out" / "2020" / "2020-01-11" / "2020-01-11.json")
    (band,) = item["assets"]["NDVI"]["bands"]
    assert (band["raster:scale"], band["nodata"]) == (0.5, 255)
    assert band["classification:classes"] == [{"value": 254, "name": "snow", "description": "snow"}]
    assert any("classification" in each for each in item["stac_extensions"])


def test_a_cube_is_one_asset_with_its_dimensions(place, run, tmp_path):
    run("publish", "made", "--to", tmp_path / "out", "--config", place("zarr-v3"))

    check(tmp_path / "out")
    collection = read(tmp_path / "out" / "collection.json")
    assert [time[:10] for time in collection["cube:dimensions"]["time"]["values"]] == list(SCENE.days)
    assert collection["cube:dimensions"]["x"]["extent"] == [500_000, 500_400]
    assert list(collection["cube:variables"]) == ["NDVI"]
    assert collection["assets"]["data"]["type"] == "application/vnd.zarr; version=3"
    assert collection["license"] == "other"
    assert [each["href"] for each in collection["links"] if each["rel"] == "license"] == ["https://example.org/licence"]


@pytest.mark.parametrize("words", ["CC BY 4.0", "Frei für alle", "MIT OR Apache-2.0", "proprietary"])
def test_a_licence_in_words_is_in_the_description_and_the_rights(words, place, run, tmp_path):
    configuration = place("zarr-v3")
    configuration.write_text(configuration.read_text().replace("https://example.org/licence", f"'{words}'"))
    done = run("publish", "made", "--to", tmp_path / "out", "--config", configuration)

    assert done.exit_code == 0, done.output
    check(tmp_path / "out")
    collection, record = read(tmp_path / "out" / "collection.json"), read(tmp_path / "out" / "record.json")
    assert collection["license"] == "other"
    assert collection["description"].endswith(f"\n\nLicence: {words}")
    assert "license" not in record["properties"]
    assert record["properties"]["rights"] == words


def test_renders_colour_digital_numbers_as_the_style_does(place, run, tmp_path):
    run("publish", "made", "--to", tmp_path / "out", "--config", place("zarr-v3"))

    (render,) = read(tmp_path / "out" / "collection.json")["renders"].values()
    low, high = render["rescale"][0]
    assert [low * 0.004 - 0.08, high * 0.004 - 0.08] == pytest.approx([-0.08, 0.92])
    assert len(render["colormap"]) == 256
    style = load_styles(style_folders(None))["ndvi"]
    assert (render["colormap"]["0"], render["colormap"]["255"]) == (style.ramp[0].colour.hex, style.ramp[-1].colour.hex)


def test_a_cube_that_changed_is_replaced_whole(place, run, tmp_path):
    file = place("netcdf-4")
    run("publish", "made", "--to", tmp_path / "out", "--config", file)
    (source,) = (tmp_path / "source").glob("*.nc")
    source.write_bytes(source.read_bytes())

    done = run("publish", "made", "--to", tmp_path / "out", "--config", file)

    check(tmp_path / "out")
    assert done.exit_code == 0, done.output
    (copy,) = (tmp_path / "out" / "data").rglob("*.nc")
    assert copy.read_bytes() == source.read_bytes()


def test_files_that_only_name_others_are_refused(run, tmp_path):
    write_tif(tmp_path / "a_20200101.tif", SCENE.numbers(0), SCENE)
    with rasterio.open(tmp_path / "a_20200101.tif") as file:
        rasterio.shutil.copy(file, tmp_path / "a.vrt", driver="VRT")
    (tmp_path / "c.yaml").write_text("collections: {made: {source: {kind: cog, href: a.vrt}}}\n")

    done = run("publish", "made", "--to", tmp_path / "out", "--config", tmp_path / "c.yaml")

    assert done.exit_code == 1
    assert "a.vrt names other files and holds no data" in done.output
    assert not (tmp_path / "out").exists()


def test_products_in_zip_files_are_not_published(run, tmp_path):
    for product in (SafeProduct(), SafeProduct(sensed="20220105T101401")):
        product.write_zip(tmp_path / "zips")

    done = run("publish", "t32tqm", "--to", tmp_path / "out", "--config", tmp_path / "zips")

    assert done.exit_code != 0
    assert "its files are in ZIP files; unpack these, and publish the folders" in done.output.replace("\n", " ")


@pytest.mark.parametrize("pattern", ["*.SEN3", OLCI])
def test_folders_of_products_are_not_published(run, tmp_path, pattern):
    write_olci(tmp_path)
    source = f"{{kind: netcdf, href: '{pattern}'}}"
    (tmp_path / "c.yaml").write_text(f"collections: {{made: {{source: {source}, variables: {{CHL_NN: {{}}}}}}}}\n")

    done = run("publish", "made", "--to", tmp_path / "out", "--config", tmp_path / "c.yaml")

    assert done.exit_code != 0
    assert "its files are folders of products; set tiles: true" in done.output.replace("\n", " ")
