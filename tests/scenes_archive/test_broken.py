"""The broken items have the faults in their names, and no others."""

import urllib.error
import urllib.request

import numpy as np
import pystac
import pytest
import rasterio

from tests.faulty_source import faulty_source
from tests.scenes_archive import broken, documents
from tests.scenes_archive.files import path_of, write_asset
from tests.scenes_archive.plan import SMALL

SCENE = SMALL.scenes(0)[0]
DOCUMENT = documents.item(SCENE, str)


@pytest.mark.parametrize("name", broken.BROKEN)
def test_a_broken_document_differs_and_the_whole_one_stays(name):
    before = documents.item(SCENE, str)

    assert broken.BROKEN[name](DOCUMENT) != before
    assert before == DOCUMENT


def test_period_is_valid_stac_and_no_datetime_is_not():
    assert pystac.Item.from_dict(broken.period(DOCUMENT)).common_metadata.start_datetime is not None
    with pytest.raises(pystac.STACError):
        pystac.Item.from_dict(broken.no_datetime(DOCUMENT))


def test_both_halves_of_the_item_at_the_antimeridian_are_a_degree_wide_at_most():
    made = broken.antimeridian(SMALL, str)

    west, _south, east, _north = made.document["bbox"]
    assert 179 < west < 180
    assert -180 < east < -179
    (west_ring,), (east_ring,) = made.document["geometry"]["coordinates"]
    assert max(longitude for longitude, _ in west_ring) == 180
    assert min(longitude for longitude, _ in east_ring) == -180


@pytest.mark.slow
def test_file_at_the_antimeridian_has_a_number_in_each_cell(tmp_path):
    scene = broken.antimeridian(SMALL, str).scene
    write_asset(tmp_path / "a.tif", scene, "CELL")

    with rasterio.open(tmp_path / "a.tif") as file:
        numbers = file.read(1)

    assert file.crs.to_epsg() == 32601
    assert (numbers > 0).all()
    assert len(np.unique(numbers)) > 1_000


@pytest.mark.slow
def test_reprocessed_file_has_other_numbers_and_the_same_grid(tmp_path):
    write_asset(tmp_path / path_of(SCENE, "B04"), SCENE, "B04")

    newer = broken.reprocess(tmp_path, SCENE, "B04")

    with rasterio.open(tmp_path / path_of(SCENE, "B04")) as file:
        assert (file.read(1) == newer.numbers("B04")).all()
    assert (newer.numbers("B04") - SCENE.numbers("B04") == 10).all()


@pytest.mark.slow
def test_truncated_file_is_served_as_a_half(tmp_path):
    path = path_of(SCENE, "SCL")
    write_asset(tmp_path / path, SCENE, "SCL")
    size = (tmp_path / path).stat().st_size

    with faulty_source(tmp_path) as server:
        broken.truncate(server, SCENE, "SCL")

        assert len(urllib.request.urlopen(server.url_of(path)).read()) == size // 2


@pytest.mark.slow
@pytest.mark.parametrize(("name", "status"), [("403", 403), ("404", 404), ("500", 500), ("503", 503)])
def test_faults_of_the_server_are_the_statuses_of_their_names(tmp_path, name, status):
    with faulty_source(tmp_path) as server:
        server.switch(broken.FAULTS[name])

        with pytest.raises(urllib.error.HTTPError, match=str(status)):
            urllib.request.urlopen(server.url_of("a.tif"))
