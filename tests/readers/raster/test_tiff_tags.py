"""Truncated TIFFs: none is opened without the metadata of its numbers."""

import struct
import warnings

import numpy as np
import pytest
import rasterio

from chronotile.core.errors import UnsupportedSource
from chronotile.readers.kinds import open_source
from chronotile.readers.raster.tiff_tags import require_whole_tags
from tests.scenes import Scene, make_spec, write_cogs, write_tif

SCENE = Scene(days=("2020-01-01",))
FORMS = {"classic": {}, "big": {"BIGTIFF": "YES"}, "big-endian": {"ENDIANNESS": "BIG"}, "tiled": {"tiled": True}}


@pytest.fixture(params=FORMS)
def whole(request, tmp_path):
    """Return a file of numbers with a scale, an offset and a place."""
    return write_tif(tmp_path / "NDVI.tif", SCENE.numbers(0), SCENE, **FORMS[request.param])


def test_whole_file_passes(whole):
    require_whole_tags(str(whole))


def test_whole_file_with_overviews_passes(tmp_path):
    write_cogs(tmp_path, SCENE)

    require_whole_tags(str(tmp_path / "NDVI_20200101.tif"))


def test_file_that_is_no_tiff_passes(tmp_path):
    (tmp_path / "a.vrt").write_text("<VRTDataset/>")

    require_whole_tags(str(tmp_path / "a.vrt"))


def test_no_file_that_passes_has_lost_its_scale_or_place(whole):
    content, kept = whole.read_bytes(), []

    for length in range(8, len(content), 5):
        whole.write_bytes(content[:length])
        kept += meaning_if_passed(whole)

    assert set(kept) <= {(SCENE.scale, SCENE.offset, 32631)}


def meaning_if_passed(path):
    """Return scale, offset and CRS by rasterio if the file passes and opens; otherwise `None`."""
    try:
        require_whole_tags(str(path))
        with warnings.catch_warnings(), rasterio.open(path) as dataset:
            return [(dataset.scales[0], dataset.offsets[0], dataset.crs.to_epsg())]
    except OSError:
        return []


def test_file_that_lost_its_scale_is_not_opened(tmp_path):
    path = write_tif(tmp_path / "NDVI.tif", SCENE.numbers(0), SCENE)
    path.write_bytes(path.read_bytes()[:-2])

    with rasterio.open(path) as dataset:  # as GDAL has it: all pixels, another meaning
        assert (dataset.scales[0], np.array_equal(dataset.read(1), SCENE.numbers(0))) == (1.0, True)
    with pytest.raises(UnsupportedSource, match="cut off"):
        open_source(make_spec("cog", path))


@pytest.mark.parametrize(("compression", "name"), [(50002, "JXL"), (34712, "JP2000"), (34933, "34933")])
def test_compression_unsupported_by_gdal_is_named(tmp_path, compression, name):
    path = write_tif(tmp_path / "a.tif", SCENE.numbers(0), SCENE, compress="deflate")
    tag = struct.pack("<HHI", 259, 3, 1)
    path.write_bytes(path.read_bytes().replace(tag + struct.pack("<H", 8), tag + struct.pack("<H", compression)))

    with pytest.raises(UnsupportedSource, match=f"it is compressed with {name}, which the GDAL of rasterio lacks"):
        open_source(make_spec("cog", path))
