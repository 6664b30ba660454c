"""Settings of `chronotile serve` before it opens the archive."""

import os
import subprocess
import sys

import pytest

from tests.scenes import Scene, write_cogs

SERVING_IN_A_TERMINAL = """
import sys, threading
from pathlib import Path
from chronotile.app import process_setup
from chronotile.cli.serve import run_server
from chronotile.app.settings import Settings

done, start, tell = [], threading.Thread.start, process_setup._call_allocator

def noted_start(thread):
    done.append("thread")
    start(thread)

def noted_tell(function, *numbers):
    done.append((function, *numbers))
    tell(function, *numbers)

threading.Thread.start, process_setup._call_allocator = noted_start, noted_tell
sys.stderr.isatty = lambda: True
try:
    run_server(Settings(config=Path("missing.yaml"), port=0))
except Exception:
    print("thread" in done, done[0] == ("mallopt", process_setup.M_ARENA_MAX, 1))
"""


@pytest.mark.slow
def test_all_threads_share_one_heap_including_the_progress_bar(tmp_path):
    """The fault: that thread started first and kept a separate heap."""
    found = subprocess.run(
        [sys.executable, "-c", SERVING_IN_A_TERMINAL], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert found.stdout.split() == ["True", "True"]


OPENING_FAILS = """
import sys
from chronotile.cli import serve

def fail(*_values, **_named):
    print(sorted({"numpy", "rasterio", "starlette"} & set(sys.modules)))
    raise SystemExit

serve.open_archive = fail
serve.run_server(serve_settings())
"""


@pytest.mark.slow
@pytest.mark.parametrize(("log_format", "lines"), [("text", ["opening data", "[]"]), ("json", ["[]"])])
def test_opened_archive_is_printed_before_the_libraries_are_imported(tmp_path, log_format, lines):
    (tmp_path / "data").mkdir()
    write_cogs(tmp_path / "data", Scene())
    script = "from chronotile.cli.opening import settings_of\n" + OPENING_FAILS.replace(
        "serve_settings()", "settings_of(config='data', port=0)"
    )
    found = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**os.environ, "CHRONOTILE_LOG_FORMAT": log_format},
        capture_output=True,
        text=True,
        check=True,
    )

    assert found.stdout.splitlines() == lines
