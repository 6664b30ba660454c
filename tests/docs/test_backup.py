"""The commands of docs/how-to/backup-and-upgrade.md, run in order in a shell."""

import pytest

from chronotile.demo import DemoPlan, make_demo
from tests.docs.bash import run_in_bash
from tests.docs.blocks import blocks_of
from tests.docs.site import DOCS

pytestmark = [pytest.mark.slow, pytest.mark.client("bash")]

PAGE = DOCS / "how-to" / "backup-and-upgrade.md"
BACKUP, TRIAL = (block.text for block in blocks_of(PAGE) if block.language == "sh")
PLAN = DemoPlan(size_px=64, first_day="2023-01-01", dekads=2, levels=1, picture_days=())


@pytest.fixture
def run(tmp_path):
    """Return a function: it runs commands in a folder with an archive, `config.yaml`, and returns their output."""
    make_demo(tmp_path, plan=PLAN).rename(tmp_path / "config.yaml")
    (tmp_path / "backups").mkdir()

    def run(commands):
        for folder in ("backups", "tmp/trial"):
            commands = commands.replace(f"/{folder}", str(tmp_path / folder.removeprefix("tmp/")))
        return run_in_bash(commands, tmp_path, CHRONOTILE_JOBS_DIR=str(tmp_path / "jobs"))

    run("chronotile keys create ann config.yaml")
    return run


def test_restored_backup_has_the_keys_of_the_archive(run, tmp_path):
    run(BACKUP)
    (file,) = (tmp_path / "backups").glob("chronotile-*.tar")

    restored = run(TRIAL.replace("FILE", file.name))

    assert "ann" in restored
    assert file.stat().st_mode & 0o077 == 0
    assert (tmp_path / "trial").is_dir()


def test_backup_contains_the_configuration(run, tmp_path):
    run(BACKUP)

    run("tar -xf /backups/chronotile-*.tar configuration")

    assert (tmp_path / "configuration").exists()
