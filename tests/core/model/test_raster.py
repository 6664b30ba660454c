"""Digital numbers and what they mean."""

from chronotile.core.model.encoding import Encoding


def test_encodings_whose_nodata_is_nan_are_found_by_one_another():
    kept = {Encoding(dtype="float32", nodata=float("nan")): "table"}

    assert kept.get(Encoding(dtype="float32", nodata=float("nan"))) == "table"
