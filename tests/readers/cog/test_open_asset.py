"""Files of items as readers: by the metadata in the index, and otherwise by their headers."""

from dataclasses import replace

import pytest

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.items import Asset
from chronotile.core.model.source import SourceSpec, VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.readers.cog import open_asset as module
from chronotile.readers.cog.open_asset import open_cog_asset
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.tiff import UnsupportedCog
from tests.readers.cog.made_tifs import HEIGHT, WIDTH, Kind, write_made
from tests.readers.cog.truth import assert_equal, by_gdal

SPEC = SourceSpec(collection="made", kind="stac", href="catalogue.json")
WHOLE = Window(0, HEIGHT, 0, WIDTH)


def opened(asset, variable=None, spec=SPEC):
    return open_cog_asset(spec, asset, variable or VariableSpec(id="red"), ReaderCaches())


@pytest.fixture
def asset(tmp_path):
    return Asset(name="red", href=str(write_made(tmp_path, Kind(bands=2, scale=0.5, nodata=7))))


def noted(asset, file):
    """Return the asset as the index has it after it was opened."""
    return replace(asset, header=file.header.to_bytes(), etag=file.tag, size=file.size)


def test_asset_with_a_header_is_read_as_one_without(asset):
    reader = opened(asset)
    again = opened(noted(asset, reader.file))

    assert again.info == reader.info
    assert_equal(again.read_window("red", index=0, level=0, window=WHOLE), by_gdal(asset.href, 0, WHOLE))


def test_header_of_another_version_is_read_again(asset):
    known = replace(noted(asset, opened(asset).file), header=b"C0 of another version")

    assert_equal(opened(known).read_window("red", index=0, level=0, window=WHOLE), by_gdal(asset.href, 0, WHOLE))


def test_configuration_overrides_the_file(asset):
    variable = VariableSpec(id="red", band=2, offset=-1.0, nodata=9, units="m", has_classes=True, title="Red")

    info = opened(asset, variable).info.variables["red"]

    assert info.encoding == Encoding(dtype="int16", scale=0.5, offset=-1.0, nodata=9, units="m")
    assert (info.is_categorical, info.title) == (True, "Red")


def test_band_that_the_file_lacks_is_refused(asset):
    with pytest.raises(UnsupportedSource, match="no band 3"):
        opened(asset, VariableSpec(id="red", band=3))


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(UnsupportedSource, match=r"gone\.tif cannot be opened"):
        opened(Asset(name="red", href=str(tmp_path / "gone.tif")))


@pytest.mark.parametrize("end", [".ovr", ".msk", ".aux.xml"])
def test_file_with_a_sidecar_is_left_to_gdal(end, asset, tmp_path):
    (tmp_path / f"a.tif{end}").touch()

    with pytest.raises(UnsupportedCog, match="beside"):
        opened(asset)


def test_file_of_a_source_with_a_configured_crs_is_left_to_gdal(asset):
    with pytest.raises(UnsupportedCog, match="CRS"):
        opened(asset, spec=replace(SPEC, crs="EPSG:3857"))


def test_large_file_without_overviews_is_left_to_gdal(asset, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_COARSEST_PX", 150)
    with_overviews = write_made(tmp_path, Kind(overviews=(2,)), "b.tif")

    with pytest.raises(UnsupportedCog, match="overviews"):
        opened(asset)
    assert opened(Asset(name="red", href=str(with_overviews))).info.variables["red"].levels[1].width == WIDTH // 2
