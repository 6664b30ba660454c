"""Collections of items with defaults from their STAC metadata, opened and read."""

import json

import numpy as np
import pytest

from chronotile.archive.open import open_archive, reopen_grown
from chronotile.catalog.items.opening import open_items
from chronotile.core.model.items import IndexSettings
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.stac.items import item_of
from tests.scenes_archive import forms
from tests.scenes_archive.documents import RENDERS
from tests.scenes_archive.plan import SMALL

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def catalogue():
    """Return the path of a static catalogue of the made archive."""
    return forms.catalogue(SMALL)


@pytest.fixture
def opened(catalogue, tmp_path, closed_at_end):
    """Return `opened(text, href=…)`: the archive of an indexed collection `s2` with the additional keys `text`."""
    index = closed_at_end(open_items(None, tmp_path))
    index.configure("s2", IndexSettings(group="solar_day"))
    documents = {path: json.loads(path.read_text()) for path in catalogue.parent.glob("stac-1.1/scenes/*/*.json")}
    index.put("s2", [item_of(document, str(path)) for path, document in documents.items()])

    def open_collection(text="", href=catalogue):
        place = tmp_path / "chronotile.yaml"
        lines = [f"    {line}" for line in text.splitlines()]
        source = f"    source: {{kind: stac, href: '{href}'}}"
        place.write_text("\n".join(["collections:", "  s2:", source, "    time: {group: solar_day}", *lines]))
        return closed_at_end(
            open_archive(
                place,
                environment={},
                clock=lambda: np.datetime64("2026-01-01", "ns"),
                caches=ReaderCaches(items=lambda: index, places=AllowedPlaces([str(catalogue.parent)])),
            )
        )

    return open_collection


def layer_of(archive, name):
    """Return a layer of the archive's catalogue."""
    return archive.services.catalogue.layer(name)


def test_collection_without_variables_has_those_of_its_documents(opened):
    archive = opened()

    (collection,) = archive.services.catalogue.collections
    assert [layer.id for layer in collection.layers] == ["s2.B04", "s2.B08", "s2.SCL", "s2.CELL", "s2.NDVI"]
    assert (collection.title, collection.license) == ({"": "Made scenes"}, "CC0-1.0")
    assert not [finding for finding in archive.findings if finding.severity == "error"]


def test_renders_are_styles_and_ranges(opened):
    archive = opened()

    assert RENDERS["ndvi"]["rescale"] == [[-0.2, 1.0]]
    assert layer_of(archive, "s2.NDVI").styles[0].range == (-0.2, 1.0)
    assert any(each.message == "there is no style 'ylgn'" for each in archive.findings)


def test_classes_mask_computed_values(opened):
    archive = opened()

    assert archive.specs["s2"].variables["NDVI"].mask.keep == (4, 5, 6)
    assert layer_of(archive, "s2.SCL").styles[0].is_categorical


def test_configuration_overrides_the_documents(opened):
    archive = opened("title: Mine\nvariables: {RED: {asset: B04, title: Rouge}, NIR: {asset: B08}}")

    assert layer_of(archive, "s2.RED").title == {"": "Rouge"}
    assert layer_of(archive, "s2.NIR").styles[0].range == archive.services.catalogue.layer("s2.NIR").styles[0].range
    assert [layer.id for layer in archive.services.catalogue.layers] == ["s2.RED", "s2.NIR"]
    assert archive.services.catalogue.collections[0].title == {"": "Mine"}


def test_a_style_of_the_configuration_keeps_its_own_range(opened):
    archive = opened("variables: {RED: {asset: B04, styles: [greys]}}")

    assert layer_of(archive, "s2.RED").styles[0].range == archive.services.catalogue.styles["greys"].range


def test_values_equal_those_of_the_files(opened):
    archive = opened()
    reader, layer = archive.services.readers["s2"], layer_of(archive, "s2.NDVI")
    grid = layer.main_variable.grid

    def values_of(name):
        info = reader.info.variables[name]
        row, column = info.grid.cell_at(*grid.centre_of(grid.height // 2, grid.width // 2))
        numbers = reader.read_cell(name, indexes=range(len(layer.times)), row=row, column=column).numbers
        return np.where(info.encoding.valid(numbers), info.encoding.values(numbers), np.nan)

    red, nir, ndvi = values_of("B04"), values_of("B08"), values_of("NDVI")
    valid = ~np.isnan(ndvi)
    assert valid.any()
    np.testing.assert_allclose(ndvi[valid] * (nir + red)[valid], (nir - red)[valid], atol=1e-5)


def test_documents_are_read_once_for_one_configuration(opened, catalogue, tmp_path):
    copy = tmp_path / "collection.json"
    copy.write_text((catalogue.parent / "stac-1.1/scenes/collection.json").read_text())
    archive = opened(href=copy)

    copy.unlink()
    newer = reopen_grown(archive, clock=lambda: np.datetime64("2026-01-01", "ns"))

    assert newer.services.catalogue.collections[0].title == {"": "Made scenes"}


@pytest.mark.parametrize("name", ["gone.json", "items.parquet", "items.geoparquet"])
def test_collection_without_its_document_is_served_by_its_items(opened, tmp_path, name):
    archive = opened(href=tmp_path / name)

    layers = [layer.id for layer in archive.services.catalogue.layers]
    assert layers == ["s2.B04", "s2.B08", "s2.SCL", "s2.CELL", "s2.NDVI"]
    findings = [each for each in archive.findings if "STAC document" in each.message]
    assert [(each.severity, each.place) for each in findings] == ([("warning", "s2")] if name == "gone.json" else [])


def test_a_document_that_could_not_be_read_is_not_waited_for_again(opened, tmp_path):
    archive = opened(href=tmp_path / "gone.json")

    (tmp_path / "gone.json").write_text('{"type": "Collection", "title": "Late"}')
    newer = reopen_grown(archive, clock=lambda: np.datetime64("2026-01-01", "ns"))

    assert newer.services.catalogue.collections[0].title == {"": "s2"}
    assert any("could not be read" in each.message for each in newer.findings)
