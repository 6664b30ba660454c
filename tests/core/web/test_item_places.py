"""Allowed addresses inside items."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import AddressRefused, ConfigurationError
from chronotile.core.web.inner_hosts import InnerHosts
from chronotile.core.web.item_places import ItemPlaces, absolute
from chronotile.core.web.places import AllowedPlaces

CATALOGUE = "https://stac.example.org/v1/collections/s2"
NOTHING = AllowedPlaces()


def refused(places, address):
    with pytest.raises(AddressRefused) as caught:
        places.require_allowed(address)
    return caught.value


@pytest.mark.parametrize(
    ("href", "address", "opened"),
    [
        (CATALOGUE, "https://stac.example.org/data/a.tif", "https://stac.example.org/data/a.tif"),
        (CATALOGUE, "HTTPS://STAC.example.org:443/d%61ta/a.tif", "https://stac.example.org/data/a.tif"),
        (CATALOGUE, "https://stac.example.org/données/é.tif", "https://stac.example.org/donn%C3%A9es/%C3%A9.tif"),
        (CATALOGUE, "https://stac.example.org/a.tif?se=2&sig=a%2Fb%3D", "https://stac.example.org/a.tif?se=2&sig=a%2Fb%3D"),
        ("http://127.0.0.1:8080/catalog.json", "http://127.0.0.1:8080/a.tif", "http://127.0.0.1:8080/a.tif"),
        ("http://[::1]:8080/catalog.json", "http://[0:0::1]:8080/a.tif", "http://[::1]:8080/a.tif"),
        ("s3://bucket/stac/catalog.json", "s3://bucket/data/a.tif", "s3://bucket/data/a.tif"),
    ],
)  # fmt: skip
def test_files_at_the_host_or_bucket_of_a_source_are_allowed(href, address, opened):
    assert ItemPlaces(href, NOTHING).require_allowed(address) == opened


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("https://data.example.org/a.tif", "https://data.example.org/"),
        ("https://Data.Example.org:8443/a/b.tif?x=1", "https://data.example.org:8443/"),
        ("http://stac.example.org/a.tif", "http://stac.example.org/"),
        ("https://stac.example.org:444/a.tif", "https://stac.example.org:444/"),
        ("http://169.254.169.254/latest/meta-data", "http://169.254.169.254/"),
        ("http://[fd00:ec2:0::254]/latest", "http://[fd00:ec2::254]/"),
        ("s3://stac.example.org/a.tif", "s3://stac.example.org/"),
    ],
)
def test_files_elsewhere_are_refused_with_the_prefix_that_would_allow_them(address, prefix):
    error = refused(ItemPlaces(CATALOGUE, NOTHING), address)

    assert error.prefix == prefix
    assert ItemPlaces(CATALOGUE, AllowedPlaces([prefix])).require_allowed(address)


@pytest.mark.parametrize(
    "address",
    [
        *("https://stac.example.org@evil.example/a.tif", "https://user:word@stac.example.org/a.tif"),
        *("https://stac.example.org./a.tif", "https://stac.example.org:/a.tif", "https://stac.example.org:0/a.tif"),
        *("https://stac.example.org:99999/a.tif", "https://stac.example.org\\@evil.example/a.tif"),
        *("https://stac.example.org/a/../b.tif", "https://stac.example.org/%2e%2e/b.tif"),
        *("https://stac.example.org/a.tif#b", "https://stac.example.org/a.tif?b#c"),
        *("https://stac.example.org/a.tif?b c", "https://\u017ftac.example.org/a.tif", "https://2130706433/a.tif"),
        *("https://0x7f.1/a.tif", "https://127.1/a.tif", "https://0177.0.0.1/a.tif", "http://[fe80::1%eth0]/a.tif"),
        *("s3://bucket/a.tif?versionId=1", "ftp://stac.example.org/a.tif", "/vsicurl/https://stac.example.org/a.tif"),
        *("../a.tif", "//stac.example.org/a.tif", "/etc/passwd", "file:///etc/passwd", ""),
    ],
)
def test_ambiguous_address_is_refused_and_nothing_allows_it(address):
    error = refused(ItemPlaces(CATALOGUE, AllowedPlaces(["/", "https://127.0.0.1/"])), address)

    assert error.prefix == ""


@pytest.mark.parametrize(
    ("base", "address", "opened"),
    [
        ("https://h.example/a/b/item.json", "../c.tif", "https://h.example/a/c.tif"),
        ("https://h.example/a/b/item.json", "/c.tif", "https://h.example/c.tif"),
        ("https://h.example/a/item.json", "//other.example/c.tif", "https://other.example/c.tif"),
        ("https://h.example/a/item.json?token=1", "c.tif", "https://h.example/a/c.tif"),
        ("s3://bucket/a/b/item.json", "../c.tif", "s3://bucket/a/c.tif"),
        ("s3://bucket/item.json", "../../c.tif", "s3://bucket/c.tif"),
        ("s3://bucket/a/item.json", "//other/c.tif", "s3://bucket/other/c.tif"),
        ("/data/a/item.json", "../c.tif", "/data/c.tif"),
        ("/data/a/item.json", "s3://bucket/c.tif", "s3://bucket/c.tif"),
        ("file:///data/a%20b/item.json", "./c.tif", "/data/a b/c.tif"),
        ("/data/a/item.json", "/other/../c.tif", "/c.tif"),
        ("/data/a/item.json", "file:///other/a%20c.tif", "/other/a c.tif"),
    ],
)
def test_relative_addresses_are_relative_to_their_document(base, address, opened):
    assert absolute(address, base) == opened


@pytest.mark.parametrize("base", ["https://h.example/item.json", "s3://bucket/item.json", "/data/item.json", ""])
@pytest.mark.parametrize("address", ["https://[x/a", "https://x]/a", "https://[x]/a", "s3://[x/a"])
def test_address_with_an_invalid_host_in_brackets_is_an_error(base, address):
    with pytest.raises(ValueError, match="IP"):
        absolute(address, base)


@pytest.fixture
def folder(tmp_path):
    """Write a catalogue with a file, another file next to it, and links out of it."""
    (tmp_path / "stac" / "scenes").mkdir(parents=True)
    (tmp_path / "more").mkdir()
    for name in ("stac/catalog.json", "stac/scenes/a.tif", "more/b.tif", "secret.tif"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "stac" / "link.tif").symlink_to(tmp_path / "secret.tif")
    (tmp_path / "stac" / "way").symlink_to(tmp_path / "more")
    (tmp_path / "entry").symlink_to(tmp_path / "stac")
    return tmp_path


@pytest.mark.parametrize("href", ["stac/catalog.json", "stac", "stac/*/item.json", "stac/{year}/*.json", "entry"])
def test_files_below_the_folder_of_a_local_catalogue_are_allowed(folder, href):
    places = ItemPlaces(f"{folder}/{href}", NOTHING)

    real = os.path.realpath(folder / "stac" / "scenes" / "a.tif")
    assert places.require_allowed(f"{folder}/stac/scenes/a.tif") == real


@pytest.mark.parametrize("address", ["../secret.tif", "link.tif", "way/b.tif", "scenes/../../secret.tif", "../more"])
def test_files_outside_are_refused_by_every_way(folder, address):
    places = ItemPlaces(f"{folder}/stac/catalog.json", NOTHING)

    assert refused(places, f"{folder}/stac/{address}").prefix.startswith(os.path.realpath(folder))


@pytest.mark.parametrize(
    ("href", "address", "prefix"),
    [
        ("/eo/s2/stac/collection.json", "/eo/s2/scenes/31UFS/20240503/a.tif", "/eo/s2/scenes"),
        ("/eo/s2/stac/collection.json", "/eo/s2/a.tif", "/eo/s2"),
        ("/home/stac/collection.json", "/eo/s2/scenes/31UFS/20240503/a.tif", "/eo/s2"),
        ("/home/stac/collection.json", "/eo/a.tif", "/eo"),
    ],
)
def test_scenes_of_a_folder_each_have_one_prefix(href, address, prefix):
    places = ItemPlaces(href, NOTHING)

    assert refused(places, address).prefix == prefix
    assert ItemPlaces(href, AllowedPlaces([prefix])).require_allowed(address) == address


def test_files_in_an_allowed_folder_are_opened(folder):
    places = ItemPlaces(f"{folder}/stac/catalog.json", AllowedPlaces([str(folder / "more")]))

    assert places.require_allowed(f"file://{folder}/stac/way/b.tif") == os.path.realpath(folder / "more" / "b.tif")


def test_items_from_elsewhere_name_no_files_of_this_machine(folder):
    places = ItemPlaces(CATALOGUE, AllowedPlaces([str(folder)]))

    assert "files of this one" in refused(places, f"{folder}/more/b.tif").message


def test_a_local_catalogue_names_no_host_unless_it_is_allowed(folder):
    href, address = f"{folder}/stac/catalog.json", "https://data.example.org/s2/a.tif"

    assert refused(ItemPlaces(href, NOTHING), address).prefix == "https://data.example.org/"
    assert ItemPlaces(href, AllowedPlaces(["https://data.example.org/s2"])).require_allowed(address) == address


def test_hosts_of_documents_may_not_lead_inside_but_addresses_that_are_allowed_may(monkeypatch):
    """Documents that items name have places too, and others write them."""
    hosts = InnerHosts()
    monkeypatch.setattr("chronotile.core.web.item_places.inner_hosts", hosts)

    ItemPlaces("https://data.example.org/references.json", AllowedPlaces(["https://10.1.2.3/"]))

    assert hosts.permitted_addresses("data.example.org", ["10.1.2.4", "10.1.2.3"]) == ["10.1.2.3"]


def test_the_digest_of_places_changes_with_them_and_not_with_their_spelling(tmp_path):
    places = [str(tmp_path), "https://data.example.org/a"]

    assert AllowedPlaces(places).digest == AllowedPlaces(["HTTPS://data.example.org:443/a/", f"{tmp_path}/"]).digest
    assert (
        len(
            {
                AllowedPlaces(places).digest,
                AllowedPlaces(places[:1]).digest,
                AllowedPlaces(places[1:]).digest,
                AllowedPlaces().digest,
            }
        )
        == 4
    )


def test_a_source_with_a_password_in_its_url_has_no_places():
    with pytest.raises(ConfigurationError):
        ItemPlaces("https://user:word@example.org/catalog.json", NOTHING)


pieces = st.sampled_from(
    [
        *("https://", "http://", "s3://", "//", "/", "..", ".", "%2e", "%2f", "%00", "@", ":", "?", "#", "\\", " "),
        *(
            "stac.example.org",
            "evil.example",
            "a.tif",
            "443",
            "0x7f000001",
            "[::1]",
            "127.0.0.1",
            "é",
            "\uff0e",
            "\u3002",
        ),
    ]
)


@given(st.lists(pieces, max_size=10).map("".join) | st.text(max_size=40))
def test_every_allowed_file_is_at_the_host_of_the_source(text):
    places = ItemPlaces(CATALOGUE, NOTHING)
    for spelt in (text, f"https://{text}", f"https://stac.example.org{text}"):
        try:
            opened = places.require_allowed(spelt)
        except AddressRefused:
            continue
        plain = opened.partition("?")[0]
        assert plain.startswith("https://stac.example.org/")
        assert plain.isascii()
        assert not {"..", "."} & set(plain.split("/"))


@given(st.text(max_size=40))
def test_no_text_as_the_address_of_a_source_fails_otherwise_than_by_a_message(text):
    for href in (text, f"https://{text}", f"s3://{text}"):
        with suppress(ConfigurationError):
            ItemPlaces(href, NOTHING)


@pytest.mark.parametrize("base", ["/catalog.json", "/a/b/catalog.json", "/a//b/./catalog.json", "/a/../b/c.json"])
@pytest.mark.parametrize(
    "address", ["x.json", "./x.json", "../x.json", "c//d/../x.json", ".", "..", "../../../../x", "x/"]
)
def test_relative_addresses_count_from_the_folder_of_their_document(address, base):
    expected = os.path.normpath(Path(base).parent / address)
    assert absolute(address, base) == expected
    assert absolute(address, f"file://{base}") == expected
