"""Folders that `chronotile serve FOLDER` recognises as published ones."""

import json

import pytest

from chronotile.archive.publish.documents import DATA, FORM, ITEMS
from chronotile.cli.catalogue import published_catalogue


@pytest.mark.parametrize(
    ("text", "is_published"),
    [
        (json.dumps({"type": "Catalog", FORM: ITEMS}), True),
        (json.dumps({"type": "Catalog", FORM: DATA}), False),
        (json.dumps({"type": "Catalog"}), False),
        ("[]", False),
        ("{", False),
        ("\x00", False),
    ],
)
def test_folder_written_by_publish_is_served_by_its_items(text, is_published, tmp_path):
    (tmp_path / "catalog.json").write_text(text)

    assert (published_catalogue(str(tmp_path)) is not None) is is_published


def test_folder_without_a_catalogue_is_a_data_folder(tmp_path):
    assert published_catalogue(str(tmp_path)) is None
    assert published_catalogue(str(tmp_path / "absent")) is None
