"""Digital numbers and their encoding."""

from chronotile.core.model.encoding import Encoding


def test_equal_encodings_with_nodata_nan_have_equal_hashes():
    kept = {Encoding(dtype="float32", nodata=float("nan")): "table"}

    assert kept.get(Encoding(dtype="float32", nodata=float("nan"))) == "table"
