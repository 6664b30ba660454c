"""`python -m benchmarks [FOLDER]`: makes the data if absent, measures, prints a table and writes it to results/."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GDAL_NUM_THREADS", "1")

import platform
import sys
import tempfile
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from benchmarks import data, tile

RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run all benchmarks."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.gettempdir()) / "chronotile-bench"
    data.make_data(folder)
    table = tile_table(tile.run(folder))
    print(table)
    (RESULTS / "tile.md").write_text(table)


def tile_table(results: list[tile.Result]) -> str:
    """Return the results as Markdown, with machine, versions and command."""
    slowest = results[-1]
    rows = [
        f"| {each.name} | {each.median:.2f} | {each.percentile(5):.2f} .. {each.percentile(95):.2f} | "
        f"{each.bytes / 1000:.0f} | {slowest.median / each.median:.1f} |"
        for each in results
    ]
    return "\n".join(
        [
            "# A 256 px tile in-process",
            "",
            f"`make bench`, {datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores, {platform.machine()}, "
            f"Python {platform.python_version()}, rio-tiler {version('rio-tiler')}, numpy {version('numpy')}, "
            f"tensorstore {version('tensorstore')}.",
            f"Synthetic NDVI, 10980² UTM uint8, {tile.TILES} distinct tiles of zoom {tile.ZOOM} (native), files warm, "
            "no cache of ours; the ways take turns, a row of 20 tiles each.",
            "",
            "| way | median ms | 5 % .. 95 % ms | kB a tile | times faster than rio-tiler |",
            "| --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


if __name__ == "__main__":
    main()
