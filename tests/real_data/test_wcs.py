"""WCS over real data: the files of OGC API Coverages, in the same bytes."""

import pytest

from tests.agreement import test_older_wcs as older
from tests.agreement.test_wcs import FORMATS, asked_of_both
from tests.real_data.test_real_data import archive_at, each_layer, served

__all__ = ["archive_at", "served"]

pytestmark = [pytest.mark.data, pytest.mark.slow]


@each_layer
def test_files_equal_those_of_ogc_api_coverages(served, expected):
    days = ("1900-01-01", "2100-01-01")

    answers = [asked_of_both(served, expected.layer, media_type, days) for media_type in FORMATS]

    assert [ogcapi.status_code for _wcs, ogcapi in answers] == [200] * len(FORMATS), answers[0][1].text
    assert [wcs.content == ogcapi.content for wcs, ogcapi in answers] == [True] * len(FORMATS)


@each_layer
@pytest.mark.parametrize("version", older.TIMES)
def test_older_versions_have_the_files_of_ogc_api_coverages(served, expected, version):
    wcs, ogcapi = older.asked_of_both(served, expected.layer, version, expected.times[1][:10])

    assert ogcapi.status_code == 200, ogcapi.text
    # Data in a CRS without a code are described in CRS84, with the cell size of the whole coverage.
    assert wcs == ogcapi.content or not expected.crs.startswith("EPSG:")
