"""Copies of files, local and from the web: complete and of one version, or an error."""

import pytest

from chronotile.archive.publish import sources
from chronotile.archive.publish.sources import (
    LocalSourceFile,
    RemoteSourceFile,
    files_and_left_out,
    files_below,
    source_at,
)
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.web.item_places import ItemPlaces
from chronotile.core.web.places import AllowedPlaces
from tests.faulty_source import faulty_source

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def web(tmp_path, monkeypatch):
    """A web server with one file, which is read in parts of 1,000 bytes."""
    (tmp_path / "a.tif").write_bytes(CONTENT)
    monkeypatch.setattr(sources, "PART_BYTES", 1000)
    with faulty_source(tmp_path) as server:
        yield server


@pytest.mark.slow
def test_a_file_of_the_web_is_read_in_parts(web):
    source = source_at(web.url_of("a.tif"))

    assert source.name == "a.tif"
    assert source.state()
    assert b"".join(source.parts()) == CONTENT


@pytest.mark.slow
def test_file_replaced_on_the_web_during_the_run_is_an_error(web):
    parts = RemoteSourceFile(web.url_of("a.tif")).parts()
    next(parts)
    web.replace("a.tif", CONTENT[::-1])

    with pytest.raises(SourceUnavailable, match=r"a\.tif cannot be read: it was replaced"):
        list(parts)


@pytest.mark.slow
def test_missing_file_on_the_web_is_named_without_its_address(web):
    with pytest.raises(SourceUnavailable, match=r"^b\.tif cannot be read: its server answers 404") as error:
        RemoteSourceFile(web.url_of("b.tif?token=secret")).state()

    assert "secret" not in error.value.message


@pytest.mark.slow
def test_a_store_of_a_web_server_cannot_be_copied(web):
    with pytest.raises(UnsupportedSource, match=r"a\.zarr is a folder of a web server"):
        files_below(web.url_of("a.zarr"))


def test_a_file_that_is_written_while_it_is_copied_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "READ_BYTES", 1000)
    path = tmp_path / "a.tif"
    path.write_bytes(CONTENT)
    parts = LocalSourceFile(path).parts()
    next(parts)
    with path.open("ab") as file:
        file.write(b"more")

    with pytest.raises(SourceUnavailable, match=r"a\.tif was written while it was copied"):
        list(parts)


def test_missing_file_is_an_error(tmp_path):
    source = LocalSourceFile(tmp_path / "a.tif")

    with pytest.raises(SourceUnavailable, match=r"a\.tif cannot be read: No such file"):
        source.state()
    with pytest.raises(SourceUnavailable, match=r"a\.tif cannot be read: No such file"):
        list(source.parts())


def test_another_content_is_another_state(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(b"one")
    before = LocalSourceFile(path).state()
    path.write_bytes(b"three")

    assert LocalSourceFile(path).state() != before


def test_documents_that_describe_a_store_are_copied_last(tmp_path):
    for name in ("zarr.json", "0/zarr.json", "0/c/0", ".zgroup"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)

    assert list(files_below(str(tmp_path))) == ["0/c/0", ".zgroup", "0/zarr.json", "zarr.json"]


@pytest.fixture
def linked(tmp_path):
    """Write a product with links inside it, inside the source, outside it, to a folder, and to a missing file."""
    product, elsewhere = tmp_path / "source" / "a.SAFE", tmp_path / "elsewhere"
    for folder in (product, elsewhere):
        folder.mkdir(parents=True)
        (folder / "data.tif").write_bytes(CONTENT)
    (tmp_path / "source" / "shared.xml").write_bytes(b"shared")
    (product / "own").symlink_to("data.tif")
    (product / "shared").symlink_to("../shared.xml")
    (product / "secret").symlink_to(elsewhere / "data.tif")
    (product / "folder").symlink_to(elsewhere)
    (product / "gone").symlink_to("nothing")
    return product


def test_links_that_lead_out_of_a_source_are_skipped_and_named(linked):
    places = ItemPlaces(str(linked.parent / "catalog.json"), AllowedPlaces())

    files, left_out = files_and_left_out(str(linked), places.require_allowed)

    assert list(files) == ["data.tif", "own", "shared"]
    assert left_out == ["folder", "gone", "secret"]
    assert [b"".join(files[name].parts()) for name in ("own", "shared")] == [CONTENT, b"shared"]
    assert files["own"].name == "own"


def test_a_store_with_links_that_lead_out_of_it_is_not_published(linked):
    with pytest.raises(UnsupportedSource, match=r"a\.SAFE has links .*\(folder, gone, secret, shared\)"):
        files_below(str(linked))
