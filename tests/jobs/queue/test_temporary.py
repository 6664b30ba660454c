"""Temporary folders: gone with the process that made them, and if that was killed when the next one begins."""

import subprocess
import sys
import tempfile

import pytest

from chronotile.core.errors import SourceUnavailable
from chronotile.jobs.queue.temporary_folders import TemporaryFolders

OTHER = """
import sys
from chronotile.jobs.queue.temporary_folders import TemporaryFolders
folder = TemporaryFolders().make()
(folder / "result.tif").write_text("pixels")
print(folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    """Return the folder of temporary files, also of other processes."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@pytest.fixture
def other(temporary):
    """Run another process with a file in a separate folder."""
    with subprocess.Popen([sys.executable, "-c", OTHER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process
        process.kill()


@pytest.fixture
def folders(temporary, closed_at_end):
    return closed_at_end(TemporaryFolders())


def test_folders_are_new_and_go_in_the_end(folders, temporary):
    first, second = folders.make(), folders.make()
    (first / "result.tif").write_text("pixels")

    assert (first.is_dir(), list(second.iterdir())) == (True, [])
    folders.close()
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_folders_of_a_running_process_stay(folders, temporary, other):
    folders.make()

    assert len(list(temporary.rglob("result.tif"))) == 1


@pytest.mark.slow
def test_folders_of_a_process_that_was_killed_are_removed(folders, temporary, other):
    other.kill()
    other.wait()

    kept = folders.make()

    assert list(temporary.iterdir()) == [kept.parent]


def test_folders_of_others_stay_with_any_name(folders, temporary, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (temporary / "chronotile-data").mkdir()
    (temporary / "chronotile-executions-link").symlink_to(elsewhere)

    folders.make()

    assert elsewhere.is_dir()
    assert {"chronotile-data", "chronotile-executions-link"} <= {path.name for path in temporary.iterdir()}


def test_folders_are_created_while_others_clean_up(folders):
    folders.make().parent.rename(folders.make().parent.with_name("away"))

    assert folders.make().is_dir()


def test_folder_that_cannot_be_created_is_reported(temporary, monkeypatch):
    (temporary / "file").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary / "file"))

    with pytest.raises(SourceUnavailable, match="results cannot be written now"):
        TemporaryFolders().make()
