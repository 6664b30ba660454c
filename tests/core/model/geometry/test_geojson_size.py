"""How much GeoJSON holds, counted in its text."""

import orjson
import pytest

from chronotile.core.model.geometry.json_estimates import BYTES_AT_ONCE, features_in, positions_in


def collection(features, positions):
    ring = [[4.25, 51], [4.5, 51.25, 12]] * (positions // 2)
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": None, "geometry": geometry}] * features,
    }


@pytest.mark.parametrize("option", [0, orjson.OPT_INDENT_2], ids=["dense", "indented"])
def test_features_are_counted(option):
    assert features_in(orjson.dumps(collection(7, 4), option=option)) == 7


@pytest.mark.parametrize("option", [0, orjson.OPT_INDENT_2], ids=["dense", "indented"])
def test_positions_are_counted_past_the_parts_of_the_text(option):
    body = orjson.dumps(collection(400, 500), option=option)

    assert len(body) > 2 * BYTES_AT_ONCE
    assert positions_in(body, more_than=100_000) == 200_000


def test_short_text_is_not_checked():
    assert positions_in(orjson.dumps(collection(1, 4)), more_than=1000) == 0
