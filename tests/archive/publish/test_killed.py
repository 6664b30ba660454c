"""A `publish` that is killed with SIGKILL leaves no partial item, and the next run completes it."""

import os
import signal
import subprocess

import pytest

from tests.archive.publish.published import CONFIGURATION, check, read
from tests.running import PATIENCE_S, PROGRAM, until
from tests.scenes_archive.forms import catalogue
from tests.scenes_archive.plan import SMALL

pytestmark = pytest.mark.slow
SCENES = len(tuple(SMALL.all_scenes()))


@pytest.mark.parametrize("count", [1, 20])
def test_killed_run_leaves_nothing_half_written_and_the_next_continues(count, tmp_path, run):
    place, out = tmp_path / "c.yaml", tmp_path / "out"
    place.write_text(CONFIGURATION.format(href=catalogue(SMALL)))
    run("index", place)
    staged = tmp_path / ".out.publishing"

    process = subprocess.Popen(
        [PROGRAM, "publish", "s2", "--to", out, "--config", place],
        env=os.environ | {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until(lambda: len(list(staged.rglob("S2_*.json"))) >= count or process.poll() is not None)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=PATIENCE_S)
    left = {path.name for path in staged.rglob("S2_*.json")}
    is_there = out.exists()
    done = run("publish", "s2", "--to", out, "--config", place)

    assert is_there is not staged.exists() or not is_there
    assert all(read(path)["id"] for path in out.rglob("S2_*.json"))
    assert done.exit_code == 0, done.output
    assert len(left) <= SCENES
    assert f"{len(left)} unchanged" in done.output or is_there
    assert len(check(out)) == SCENES
