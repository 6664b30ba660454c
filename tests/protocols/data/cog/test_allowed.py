"""Spellings of file names that may be opened."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ConfigurationError, UnknownPath
from chronotile.core.web.places import AllowedPlaces
from chronotile.protocols.data.cog.application import file_to_open


@pytest.fixture
def place(tmp_path):
    """A folder `allowed` with a file, next to secret files."""
    (tmp_path / "allowed" / "deep").mkdir(parents=True)
    (tmp_path / "allowed-not").mkdir()
    for name in ("allowed/a.tif", "allowed/deep/b b.TIFF", "allowed/x.vrt", "allowed-not/s.tif", "secret.tif"):
        (tmp_path / name).write_bytes(b"II*\0")
    (tmp_path / "allowed" / "link.tif").symlink_to(tmp_path / "secret.tif")
    (tmp_path / "allowed" / "inner.tif").symlink_to(tmp_path / "allowed" / "a.tif")
    (tmp_path / "allowed" / "vrt.tif").symlink_to(tmp_path / "allowed" / "x.vrt")
    (tmp_path / "allowed" / "folder.tif").symlink_to(tmp_path / "allowed-not")
    return tmp_path


def refused(allowed, text):
    with pytest.raises(UnknownPath) as caught:
        file_to_open(allowed, text)
    assert caught.value.locator == "url"
    return caught.value.message


@pytest.mark.parametrize(
    ("text", "opened"),
    [
        ("{}/allowed/a.tif", "{}/allowed/a.tif"),
        ("{}/allowed/deep/../a.tif", "{}/allowed/a.tif"),
        ("{}/allowed//deep/./b b.TIFF", "{}/allowed/deep/b b.TIFF"),
        ("file://{}/allowed/a.tif", "{}/allowed/a.tif"),
        ("FILE://localhost{}/allowed/deep/b%20b.TIFF", "{}/allowed/deep/b b.TIFF"),
        ("{}/allowed/inner.tif", "{}/allowed/a.tif"),
    ],
)
def test_a_file_in_an_allowed_folder_is_opened_by_its_real_path(place, text, opened):
    allowed = AllowedPlaces([str(place / "allowed")])

    assert file_to_open(allowed, text.format(place)) == opened.format(os.path.realpath(place))


@pytest.mark.parametrize(
    "text",
    [
        *("{}/secret.tif", "{}/allowed/../secret.tif", "{}/allowed/deep/../../secret.tif", "{}/allowed-not/s.tif"),
        *("{}/allowed/../allowed-not/s.tif", "{}/allowed/link.tif", "{}/allowed/vrt.tif", "{}/allowed/x.vrt"),
        *("{}/allowed/folder.tif", "{}/allowed/folder.tif/s.tif", "{}/allowed/gone.tif", "{}/allowed"),
        *("{}/ALLOWED/a.tif", "{}/allowed/%2e%2e/secret.tif", "{}/allowed/..%2fsecret.tif"),
        *("file://{}/allowed/%2e%2e/secret.tif", "file://{}/allowed/%252e%252e/secret.tif"),
        *("file://evil{}/allowed/a.tif", "file://{}/allowed/a.tif?x.tif", "file:{}/secret.tif"),
        *("{}/allowed/a.tif\0.tif", "{}/allowed/a.tif\n.tif", " {}/allowed/a.tif", "allowed/a.tif", "../allowed/a.tif"),
        *("a.tif", "/etc/passwd", "/etc/passwd#.tif", "/proc/self/environ", "/vsimem/x.tif"),
        *("/vsizip/{}/allowed/a.zip/a.tif", "/vsisubfile/0_10,{}/allowed/a.tif"),
        *("/vsicurl/https://example.org/data/a.tif", "/VSICURL/https://example.org/data/a.tif"),
        *("/vsicurl_streaming/https://example.org/data/a.tif", "/vsis3/bucket/data/a.tif", "/vsistdin/x.tif"),
        *("//vsicurl/https://example.org/data/a.tif", "zip://{}/allowed/a.zip!a.tif"),
        *("zip+https://example.org/data/a.zip!a.tif", "vrt://{}/allowed/a.tif", "vrt://{}/secret.tif?bands=1&x=.tif"),
        *("GTIFF_DIR:1:{}/allowed/a.tif", "GTIFF_RAW:{}/allowed/a.tif"),
        *("DERIVED_SUBDATASET:LOGAMPLITUDE:{}/allowed/a.tif", 'NETCDF:"{}/allowed/a.tif"', "HDF5:{}/allowed/a.tif"),
        "<VRTDataset><SourceFilename>{}/secret.tif</SourceFilename></VRTDataset>.tif",
        *('<VRTDataset rasterXSize="1" rasterYSize="1"/><!--.tif', "WMS:https://example.org/data/a.tif", "", ".tif"),
        "/" + "a" * 3000 + ".tif",
    ],
)
def test_any_other_spelling_of_a_path_is_refused(place, text):
    allowed = AllowedPlaces([str(place / "allowed"), "https://example.org/data/", "s3://bucket/data"])

    message = refused(allowed, text.format(place))

    assert str(place) not in message


@pytest.mark.parametrize(
    ("text", "opened"),
    [
        ("https://example.org/data/a.tif", "https://example.org/data/a.tif"),
        ("HTTPS://Example.ORG:443/data/b/c.TIF", "https://example.org/data/b/c.TIF"),
        ("https://example.org/data/%61.tif", "https://example.org/data/a.tif"),
        ("https://example.org/d%61ta/a~1=2.tif", "https://example.org/data/a~1%3D2.tif"),
        ("https://example.org:8443/a.tif", "https://example.org:8443/a.tif"),
        ("s3://bucket/data/2020/a.tif", "s3://bucket/data/2020/a.tif"),
    ],
)
def test_a_url_below_an_allowed_one_is_opened_in_its_one_spelling(text, opened):
    allowed = AllowedPlaces(["https://example.org/data/", "https://example.org:8443", "s3://bucket/data"])

    assert file_to_open(allowed, text) == opened


@pytest.mark.parametrize(
    "text",
    [
        *("http://example.org/data/a.tif", "https://example.org/a.tif", "https://example.org/data-not/a.tif"),
        *("https://example.org/data.tif", "https://example.org/DATA/a.tif", "https://example.org/data/../a.tif"),
        *("https://example.org/data/%2e%2e/a.tif", "https://example.org/data/%2E./a.tif"),
        *("https://example.org/data/%252e%252e/a.tif", "https://example.org/data/..%2fa.tif"),
        *("https://example.org/data/..%5ca.tif", "https://example.org/data/..\\a.tif"),
        *("https://example.org/data//a.tif", "https://example.org/data/./a.tif", "https://example.org/data/%00.tif"),
        *("https://example.org/data/%ff.tif", "https://example.org/data/a.tif?to=http://evil/x.tif"),
        *("https://example.org/data/a?x=.tif", "https://example.org/data/a#.tif", "https://example.org/data/a b.tif"),
        *("https://example.org.evil.net/data/a.tif", "https://example.org@evil.net/data/a.tif"),
        *("https://user:pass@example.org/data/a.tif", "https://example.org:444/data/a.tif"),
        *("https://example.org:x/data/a.tif", "https://example.org:99999/data/a.tif"),
        *("https://example.org./data/a.tif", "https://evil.net\\@example.org/data/a.tif"),
        *("https://evil.net#@example.org/data/a.tif", "https:/example.org/data/a.tif", "https:example.org/data/a.tif"),
        *("https:///example.org/data/a.tif", "https://\texample.org/data/a.tif", "https://exa\nmple.org/data/a.tif"),
        *("https://\uff45xample.org/data/a.tif", "https://[::1]/data/a.tif"),
        *("https://169.254.169.254/latest/meta-data/a.tif", "http://127.0.0.1/data/a.tif"),
        *("ftp://example.org/data/a.tif", "gopher://example.org/data/a.tif", "dict://example.org/data/a.tif"),
        *("s3://other/data/a.tif", "s3://bucket/a.tif", "s3://bucket/data/../a.tif", "s3://bucket/data/%2e%2e/a.tif"),
        *("gs://bucket/data/a.tif", "https://example.org/data/a.vrt", "https://example.org/data/a.tif.vrt"),
        *("https://example.org/data/", "https://example.org/data"),
    ],
)
def test_any_other_url_is_refused(text):
    refused(AllowedPlaces(["https://example.org/data/", "s3://bucket/data"]), text)


def test_linked_folder_is_its_target(place):
    (place / "way").symlink_to(place / "allowed")

    assert file_to_open(AllowedPlaces([f"{place}/way/"]), f"{place}/way/a.tif").endswith("/allowed/a.tif")


@pytest.mark.parametrize(
    "prefix",
    ["data", "", "ftp://example.org/", "https://", "https://u@example.org/", "https://example.org/../", "/vsicurl/"],
)
def test_invalid_prefix_is_a_mistake(prefix):
    with pytest.raises(ConfigurationError, match="COG_PREFIXES"):
        AllowedPlaces([prefix], setting="CHRONOTILE_COG_PREFIXES")


def test_all_invalid_prefixes_are_reported_together():
    with pytest.raises(ConfigurationError) as caught:
        AllowedPlaces(["a", "/fine", "b"])

    assert len(caught.value.mistakes) == 2


pieces = st.sampled_from(
    [
        *(
            *("https://", "http://", "file://", "/", "..", ".", "%2e", "%2f", "example.org", "data", "a.tif", "@", ":"),
            "?",
        ),
        *("#", "evil.net", "/vsicurl/", "<", "443", "%00", "//", "secret", "s3://", "\\"),
    ]
)


@given(st.lists(pieces, max_size=12).map("".join) | st.text(max_size=60))
def test_every_opened_file_is_below_the_prefix(text):
    allowed = AllowedPlaces(["https://example.org/data/"])
    for spelt in (text, f"https://example.org/data/{text}", f"{text}.tif", f"https://example.org/data/{text}.tif"):
        try:
            opened = file_to_open(allowed, spelt)
        except UnknownPath:
            continue
        assert opened.startswith("https://example.org/data/")
        assert not {"..", "", "."} & set(opened.removeprefix("https://").split("/"))
