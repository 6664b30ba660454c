"""The how-to of a country of Sentinel-2 is followed to its end, with a STAC API, signed S3 and PostgreSQL of ours."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.archive.index.stac_api import StacApi, serving
from tests.docs.reader import reading
from tests.docs.site import DOCS
from tests.s3 import SignedServer, serving_s3
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.plan import SMALL, by_cloud_cover

pytestmark = [pytest.mark.slow, pytest.mark.client("moto_server", "postgres")]

PAGE = DOCS / "how-to" / "sentinel-2-from-a-bucket.md"
CATALOGUE, BUCKET = "https://stac.example.org/collections/sentinel-2-l2a", "my-scenes"
LON, LAT = 6.0, 50.5
"""Point of the series."""


class Bucket(SignedServer):
    """The bucket of the page."""

    bucket = BUCKET


def item_of(scene):
    return documents.item(scene, lambda path: f"s3://{BUCKET}/{path}")


@pytest.fixture(scope="module")
def followed(tmp_path_factory, postgresql):
    """Return the output of each block of commands, in order, and the folder."""
    folder = tmp_path_factory.mktemp("reader")
    scenes = list(SMALL.all_scenes())
    api = StacApi(page=10).add(*map(item_of, scenes))
    (folder / "item.json").write_text(json.dumps(item_of(min(scenes, key=lambda scene: scene.cloud_cover))))
    homes = {"XDG_STATE_HOME": str(folder / "state"), "XDG_CACHE_HOME": str(folder / "cache")}
    with serving(api), serving_s3(Bucket) as store:
        store.upload(archive(SMALL))
        exports = store.environment | {
            "CHRONOTILE_DATABASE_URL": postgresql.make_database(),
            "CHRONOTILE_WRITE_TOKEN": "a token of the test instead of one by openssl",
        }
        with reading(folder, places={CATALOGUE: api.href}, exports=exports, **homes) as reader:
            reader.follow(PAGE)
            yield reader.printed, folder


def printed_with(followed, text):
    """Return the first block of commands that printed a text."""
    return next(each for each in followed[0] if text in each)


def test_the_index_has_the_scenes_that_the_filter_takes(followed):
    taken = sum(scene.cloud_cover < 80 for scene in SMALL.all_scenes())
    indexed = [each.splitlines()[0] for each in followed[0] if each.startswith("s2: ")]

    assert taken > 20
    assert indexed[0].startswith(f"s2: {taken} added, 0 replaced, 0 unchanged, 0 removed")
    assert indexed[1].startswith("s2: 0 added, 0 replaced")
    assert indexed[2].startswith(f"s2: {taken} added"), "the index in PostgreSQL is another one"


def test_the_map_is_whole_and_lacks_no_item(followed):
    headers = printed_with(followed, "content-type: image/png")

    assert "\nwarning:" not in headers.lower()
    with Image.open(followed[1] / "ndvi.png") as picture:
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 1


def ndvi_of(date):
    """Return the NDVI at the page's point, by the formula of the made ground; NaN outside the scenes."""
    red, nir = (
        float(SMALL.mosaic(asset, np.array([LON]), np.array([LAT]), date=date, order=by_cloud_cover).values[0])
        for asset in ("B04", "B08")
    )
    return (nir - red) / (nir + red)


def rows_of(text):
    """Return the rows of the CSV in the output."""
    table = text[text.index("time,value,reason") :].split("{")[0]
    return [row for row in csv.DictReader(io.StringIO(table)) if row["time"]]


def test_the_series_has_the_values_of_the_scenes(followed):
    rows = rows_of(printed_with(followed, "time,value,reason"))

    assert [row["time"][:10] for row in rows] == list(SMALL.days)
    assert [float(row["value"] or "nan") for row in rows] == pytest.approx(
        [ndvi_of(date) for date in range(len(SMALL.days))], abs=1e-6, nan_ok=True
    )


def test_the_cube_has_the_values_of_the_mosaic(followed):
    mosaic, cube = (rows_of(each) for each in followed[0] if "time,value,reason" in each)

    assert [row["time"] for row in cube] == [row["time"] for row in mosaic]
    assert [float(row["value"] or "nan") for row in cube] == pytest.approx(
        [float(row["value"] or "nan") for row in mosaic], abs=0.003, nan_ok=True
    )
