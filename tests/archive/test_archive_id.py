"""Ids of archives: equal for all servers and workers of an archive, different between archives, without any path."""

import os

import pytest

from chronotile.archive.archive_ids import archive_id, archive_id_at
from chronotile.catalog.load import load_configuration
from chronotile.core.errors import ConfigurationError
from chronotile.readers.kinds import kind_options


@pytest.fixture
def written(tmp_path):
    """Return `written("service: …")`, which writes a configuration file."""

    def write(text="", name="Belgïe 10m.yaml"):
        (tmp_path / "secret").mkdir(exist_ok=True)
        file = tmp_path / "secret" / name
        file.write_text(text)
        return file

    return write


def test_configured_id_is_used(written):
    file = written("service: {id: belgium.v2}\ncollections: {a: {nonsense: 1}}\n")

    assert archive_id_at(file, environment={}) == "belgium.v2"


def test_an_included_file_may_have_it(written):
    written("service: {id: '${NAME}'}\n", "service.yaml")
    file = written("include: [service.yaml]\n")

    assert archive_id_at(file, environment={"NAME": "flanders"}) == "flanders"


def test_derived_id_stays_when_the_file_is_edited(written):
    before = archive_id_at(written(), environment={})

    assert archive_id_at(written("service: {title: New}\n"), environment={}) == before


def test_derived_id_contains_the_name_and_not_the_path(written):
    found = archive_id_at(written(), environment={})

    assert found.startswith("belgie-10m-")
    assert "secret" not in found


def test_other_paths_have_other_ids(written, tmp_path):
    (tmp_path / "other").mkdir()
    places = [written(), written(name="a.yaml"), tmp_path / "other", tmp_path]

    assert len({archive_id(place, None) for place in places}) == len(places)


def test_path_has_one_id_in_any_spelling(written, tmp_path, monkeypatch):
    file = written()
    (tmp_path / "link").symlink_to(file.parent)
    (tmp_path / "link.yaml").symlink_to(file)
    monkeypatch.chdir(tmp_path)
    ways = [file, tmp_path / "link" / file.name, tmp_path / "link.yaml", file.relative_to(tmp_path)]

    assert len({archive_id(way, None) for way in ways}) == 1


def test_a_name_without_letters_is_an_id_too(tmp_path):
    (tmp_path / "数据").mkdir()

    assert archive_id(tmp_path / "数据", None).startswith("archive-")
    assert archive_id(tmp_path / os.fsdecode(b"\xff"), None).startswith("archive-")


@pytest.mark.parametrize("text", ["service: {id: ../other}\n", "service: {id: 5}\n", "service: {id: 'a b'}\n"])
def test_invalid_id_is_refused(written, text):
    with pytest.raises(ConfigurationError, match=r"service\.id"):
        archive_id_at(written(text), environment={})
    with pytest.raises(ConfigurationError, match=r"service\.id"):
        load_configuration(written(text), kinds=kind_options(), environment={})


def test_missing_path_is_reported(tmp_path):
    with pytest.raises(ConfigurationError, match="there is no such file; name the configuration"):
        archive_id_at(tmp_path / "chronotile.yaml", environment={})
