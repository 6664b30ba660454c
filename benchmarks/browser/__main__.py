"""`python -m benchmarks.browser FOLDER [PART...]`: measures the viewer in Chromium, writes results/browser.md."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GDAL_NUM_THREADS", "1")

import argparse
import json
import platform
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.browser.data import make
from benchmarks.browser.table import markdown
from benchmarks.soak.archive import chronotile

RESULTS = Path(__file__).parents[1] / "results"
MEASURE = Path(__file__).with_name("measure.mjs")


def main() -> None:
    """Measure all parts or the named parts; the table marks missed goals."""
    given = _arguments()
    given.folder.mkdir(parents=True, exist_ok=True)
    configuration, told = make(given.folder.resolve())
    with tempfile.TemporaryDirectory(prefix="browser-", dir=given.folder) as name:
        scratch = Path(name).resolve()
        settings, out = scratch / "settings.json", scratch / "found.json"
        ground = {"command": chronotile(), "configuration": str(configuration), "scratch": str(scratch)}
        settings.write_text(json.dumps({**ground, **told}))
        subprocess.run(["node", MEASURE, settings, out, *given.parts], check=True)
        found = json.loads(out.read_text())
    found |= {
        "taken": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
    }
    text = markdown(found)
    if not given.parts:
        given.results.mkdir(exist_ok=True)
        (given.results / "browser.json").write_text(json.dumps(found, indent=1) + "\n")
        (given.results / "browser.md").write_text(text)
    print(text)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.browser", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(tempfile.gettempdir()) / "chronotile-bench")
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help="parts of measure.mjs alone, which are shown and not kept"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the table")
    return parser.parse_args()


if __name__ == "__main__":
    main()
