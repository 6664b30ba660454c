"""Files of items are opened only at allowed locations, independent of the index."""

import numpy as np
import pytest

from chronotile.core.errors import AddressRefused, UnsupportedSource
from chronotile.core.model.items import Asset, ItemRef
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.boxes import BBox
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.mosaic.kind import open_asset
from chronotile.readers.reader_caches import ReaderCaches
from tests.scenes import Scene, make_spec, write_tif

SCENE = Scene(width=16, height=16)
REF = ItemRef(1, "a", np.datetime64("2024-01-01", "ns"), 1, BBox(3, 50, 4, 51))


@pytest.fixture
def files(tmp_path):
    """Write a catalogue's folder, and one next to it, with a file in each."""
    for name in ("stac", "beside"):
        (tmp_path / name).mkdir()
        write_tif(tmp_path / name / "a.tif", SCENE.numbers(0), SCENE)
    return tmp_path


def opened(files, name, places=None):
    spec = make_spec("stac", f"{files}/stac/catalog.json")
    asset = Asset(name="ndvi", href=f"{files}/{name}/a.tif")
    return open_asset(spec, ReaderCaches(places=places), REF, asset, variable=VariableSpec(id="ndvi"))


def test_file_next_to_its_catalogue_is_opened(files):
    reader = opened(files, "stac")

    assert np.array_equal(reader.read_cell("ndvi", indexes=[0], row=3, column=5).numbers, SCENE.numbers(0)[3, 5:6])


def test_a_file_elsewhere_is_not(files):
    with pytest.raises(AddressRefused, match="not allowed"):
        opened(files, "beside")


def test_file_elsewhere_is_opened_if_allowed(files):
    assert opened(files, "beside", AllowedPlaces([f"{files}/beside"])).info.variables


@pytest.mark.parametrize("name", ["a.vrt", "b.tif"])
def test_a_file_that_leads_to_others_is_not_opened(files, name):
    (files / "stac" / name).write_text(
        f"""<VRTDataset rasterXSize="16" rasterYSize="16"><VRTRasterBand dataType="Byte" band="1"><SimpleSource>
        <SourceFilename>{files}/beside/a.tif</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"""
    )
    spec = make_spec("stac", f"{files}/stac/catalog.json")
    asset = Asset(name="ndvi", href=f"{files}/stac/{name}")

    with pytest.raises(UnsupportedSource, match="neither GeoTIFF nor JPEG 2000"):
        open_asset(spec, ReaderCaches(), REF, asset, variable=VariableSpec(id="ndvi"))
