"""Bands of a publication state numbers that JSON has."""

import numpy as np
import orjson
import pytest

from chronotile.archive.publish.collections import band_of
from chronotile.core.model.encoding import Encoding
from tests.protocols.served import make_variable


@pytest.mark.parametrize(
    ("nodata", "stated"),
    [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf"), (1e20, 1e20), (-9999.0, -9999), (2.0**63, 2.0**63)],
)
def test_nodata_is_a_number_of_json_or_its_text(nodata, stated):
    band = band_of("NDVI", make_variable("NDVI"), Encoding(dtype="float64", nodata=nodata))

    assert orjson.loads(orjson.dumps(band))["nodata"] == stated
