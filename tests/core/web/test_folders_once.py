"""Addresses are allowed or refused as individually, though each folder is checked only one time."""

import os
from itertools import product

import pytest

from chronotile.core.errors import AddressRefused
from chronotile.core.web import item_places
from chronotile.core.web.item_places import FoldersOnce, ItemPlaces
from chronotile.core.web.places import AllowedPlaces

HOST = "https://files.test"
NAMES = ("a.tif", "x", "..", ".", "", "a b", "%41.tif", "ü.tif", ".hidden", "a.tif?sig=/b.tif", "a\\b", "a#b")
FOLDERS = (
    *("", "/", "/x", "/x/y", "/x/y/", "/x//y", "/x/../y", "/x/./y", "/%2e%2e/x", "/x?q=1", "/X", "/x/y.z"),
    *(f"/{'d' * 990}", "/x/" * 300),
)
ROOTS = (HOST, "https://FILES.test", "http://files.test", "https://files.test:443", "s3://bucket", "https://other.test")
ADDRESSES = [f"{root}{folder}/{name}" for root, folder, name in product(ROOTS, FOLDERS, NAMES)]


def answer_of(allowed, address):
    try:
        return allowed(address)
    except AddressRefused as error:
        return error.message, error.prefix


@pytest.mark.parametrize("prefix", [HOST, f"{HOST}/x", f"{HOST}/x/x", "s3://bucket/x", f"{HOST}/x/y/a.tif"])
def test_remote_addresses(prefix):
    places = ItemPlaces("https://catalogue.test/catalog.json", AllowedPlaces([prefix]))
    once = FoldersOnce(places.require_allowed)
    for address in [*ADDRESSES, *ADDRESSES[::-1]]:
        assert answer_of(once.require_allowed, address) == answer_of(places.require_allowed, address), address


def test_files_and_links_here(tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own / "deep", other / "deep"):
        folder.mkdir(parents=True)
        (folder / "a.tif").touch()
    (own / "inside.tif").symlink_to(own / "deep" / "a.tif")
    (own / "outside.tif").symlink_to(other / "deep" / "a.tif")
    (own / "linked").symlink_to(other / "deep")
    (other / "back").symlink_to(own)
    (own / "deep" / "_").symlink_to(other / "deep" / "a.tif")
    (own / "near").mkdir()
    (own / "near" / "_").symlink_to(own / "deep" / "a.tif")
    (own / "near" / "deeper").symlink_to(own / "deep")
    places = ItemPlaces(str(own / "catalog.json"), AllowedPlaces())
    once = FoldersOnce(places.require_allowed)
    parts = (
        *("a.tif", "gone.tif", "deep/a.tif", "inside.tif", "outside.tif", "linked/a.tif", "back/deep/a.tif"),
        *("near/a.tif", "near/_", "near/deeper/a.tif", "near/deeper/x/y/z.tif", "..", ".", ""),
    )
    for folder, part in product((own, other, tmp_path, "file://" + str(own)), parts):
        address = f"{folder}/{part}"
        assert answer_of(once.require_allowed, address) == answer_of(places.require_allowed, address), address


def test_changed_link_is_seen_after_a_while(tmp_path):
    own, other = tmp_path / "own", tmp_path / "other"
    for folder in (own / "real", other):
        folder.mkdir(parents=True)
    (own / "scenes").symlink_to(own / "real")
    now_s = 0.0
    once = FoldersOnce(ItemPlaces(str(own / "catalog.json"), AllowedPlaces()).require_allowed, clock=lambda: now_s)
    assert once.require_allowed(str(own / "scenes" / "a.tif")) == str(own / "real" / "a.tif")
    os.unlink(own / "scenes")  # noqa: PTH108 -- a link
    (own / "scenes").symlink_to(other)
    now_s = item_places.FOLDERS_S + 1
    with pytest.raises(AddressRefused):
        once.require_allowed(str(own / "scenes" / "a.tif"))


def test_folder_below_an_allowed_one_is_not_checked():
    """Items have a folder each."""
    looked = []
    places = ItemPlaces("https://catalogue.test/catalog.json", AllowedPlaces([HOST]))
    once = FoldersOnce(lambda address: looked.append(address) or places.require_allowed(address))
    for item in range(100):
        for name in ("red.tif", "nir.tif"):
            assert once.require_allowed(f"{HOST}/tiles/a/{item}/{name}") == f"{HOST}/tiles/a/{item}/{name}"
    assert len(looked) < 5
