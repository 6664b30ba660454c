"""Variables of a folder from the bands of its raster files."""

import numpy as np
import pytest
import rasterio

from tests.archive.series import series_at
from tests.scenes import Scene, write_tif

SCENE = Scene()
ROW, COLUMN = 7, 9
X, Y = SCENE.transform @ (COLUMN + 0.5, ROW + 0.5)


def write_dated(path, descriptions):
    write_tif(path, np.stack([SCENE.numbers(t) for t in range(len(descriptions))]), SCENE)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = descriptions
    return path


def value_of(band):
    """Return the value of a band, counted from 0, at the cell."""
    return pytest.approx(SCENE.number(band, ROW, COLUMN) * SCENE.scale + SCENE.offset, abs=1e-9)


def values_at(archive, layer):
    """Return the value of each day at the cell."""
    answer = series_at(archive, layer, x=X, y=Y, crs="EPSG:32631")
    return dict(zip((time[:10] for time in answer["times"]), answer["values"], strict=True))


@pytest.mark.parametrize(
    ("descriptions", "bands"),
    [
        (("2020-01-01", "2020-01-01_B8", "2020-01-11", "2020-01-11_B8"), {"ndvi.ndvi": (0, 2), "ndvi.B8": (1, 3)}),
        (("2020-01-01_B8", "2020-01-01", "2020-01-11_B8", "2020-01-11"), {"ndvi.ndvi": (1, 3), "ndvi.B8": (0, 2)}),
    ],
    ids=["unnamed first", "unnamed second"],
)
def test_dated_bands_without_and_with_a_name_are_two_layers(open_at, tmp_path, descriptions, bands):
    write_dated(tmp_path / "ndvi.tif", descriptions)

    archive = open_at(tmp_path)

    assert {layer.id: values_at(archive, layer.id) for layer in archive.services.catalogue.layers} == {
        id_: {"2020-01-01": value_of(first), "2020-01-11": value_of(second)} for id_, (first, second) in bands.items()
    }
