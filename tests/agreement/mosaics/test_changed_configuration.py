"""After a change of the configuration, cached answers of a mosaic are not used for the same items."""

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from tests.scenes_archive.indexed import indexed
from tests.scenes_archive.plan import TINY

pytestmark = pytest.mark.slow

TILE = "/tiles/scenes.SUM/WebMercatorQuad/13/4232/2760.png?range=0,1&ramp=viridis"
SUM = "{{RED: {{asset: B04}}, NIR: {{asset: B08}}, SCL: {{asset: SCL}}, SUM: {{formula: '{}'{}}}}}"
MASK = ", mask: {variable: SCL, keep: [4]}"


@pytest.mark.parametrize(
    "changed",
    [{"rule": "max"}, {"variables": SUM.format("NIR + 2 * RED", "")}, {"variables": SUM.format("NIR + RED", MASK)}],
    ids=["rule", "formula", "mask"],
)
def test_another_rule_formula_or_mask_is_another_revision(tmp_path, changed):
    scenes = indexed(TINY, tmp_path, variables=SUM.format("NIR + RED", ""))
    before, again = tile_of(scenes), tile_of(scenes)
    scenes.configure(**{"variables": SUM.format("NIR + RED", ""), **changed})

    after = tile_of(scenes)

    assert again.headers["ETag"] == before.headers["ETag"]
    assert after.content != before.content
    assert after.headers["ETag"] != before.headers["ETag"]


def tile_of(scenes):
    archive = scenes.opened()
    with TestClient(application(archive.services)) as client:
        answer = client.get(TILE)
    archive.services.reader_caches.items.close()
    assert answer.status_code == 200, answer.text[:300]
    return answer
