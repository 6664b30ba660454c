"""Each tutorial is followed from its first to its last block, in an empty folder, with real servers."""

import pytest

from tests.docs.reader import reading
from tests.docs.site import DOCS
from tests.s3 import serving_s3

pytestmark = [pytest.mark.slow, pytest.mark.every_case]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return one folder for all tutorials, so that they share the demo."""
    return tmp_path_factory.mktemp("reader")


@pytest.mark.parametrize("name", ["first-map", "my-own-folder", "a-fields-season"])
def test_a_tutorial_can_be_followed_to_its_end(folder, name):
    with reading(folder) as reader:
        reader.follow(DOCS / "tutorials" / f"{name}.md")

        assert reader.server


@pytest.mark.client("moto_server")
def test_the_tutorial_of_a_bucket_can_be_followed_to_its_end(tmp_path):
    with serving_s3() as store, reading(tmp_path, **store.environment) as reader:
        store.make_bucket("my-archive")

        reader.follow(DOCS / "tutorials" / "a-country-from-a-bucket.md")

        assert len(store.keys("my-archive")) > 20


def test_every_tutorial_is_followed():
    followed = {"first-map", "my-own-folder", "a-fields-season", "a-country-from-a-bucket"}

    assert {page.stem for page in (DOCS / "tutorials").glob("*.md")} == followed
