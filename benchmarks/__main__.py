"""`python -m benchmarks FOLDER [SUITE...]`: makes the data, measures, prints tables and keeps them in results/."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GDAL_NUM_THREADS", "1")

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.data.archive import SIZES, archive
from benchmarks.findings import Findings, keep, markdown
from benchmarks.load.wrk import is_installed
from benchmarks.peers.ground import Ground
from benchmarks.suites import (
    areas,
    cached,
    cog_tiles,
    commands,
    cube_requests,
    cube_tiles,
    fixed_rate,
    in_process,
    jobs,
    mosaic_tiles,
    ogcapi,
    point_files,
    point_rate,
    point_series,
    polygon,
    vector_tiles,
    wms_maps,
    zarr_stores,
)
from benchmarks.suites.options import Options

RESULTS = Path(__file__).parent / "results"
SUITES: dict[str, Callable[[Ground, Options], Findings]] = {
    "cog-tiles": cog_tiles.run,
    "cog-tiles-real": cog_tiles.run_real,
    "cube-tiles": cube_tiles.run,
    "cube-requests": cube_requests.run,
    "wms": wms_maps.run,
    "wms-cube": wms_maps.run_cube,
    "in-process": in_process.run,
    "mosaic-tiles": mosaic_tiles.run,
    "cached": cached.run,
    "point-series": point_series.run,
    "point-files": point_files.run,
    "polygon": polygon.run,
    "vector-tiles": vector_tiles.run,
    "areas": areas.run,
    "point-rate": point_rate.run,
    "fixed-rate": fixed_rate.run,
    "ogcapi": ogcapi.run,
    "jobs": jobs.run,
    "zarr-stores": zarr_stores.run,
    "commands": commands.run,
}
NEED_WRK = set(SUITES) - {
    "commands",
    "in-process",
    "jobs",
    "mosaic-tiles",
    "point-series",
    "point-files",
    "polygon",
    "areas",
    "vector-tiles",
    "ogcapi",
    "zarr-stores",
}
LEFT_OUT_WHEN_QUICK = {"cog-tiles-real", "wms-cube"}


def main() -> None:
    """Run the suites."""
    given = _arguments()
    unknown = set(given.suites) - set(SUITES)
    if unknown:
        sys.exit(f"there is no suite {', '.join(sorted(unknown))}; there are {', '.join(SUITES)}")
    data = archive(given.folder, given.size)
    started = time.monotonic()
    data.make()
    print(f"data in {data.folder}, {time.monotonic() - started:.0f} s\n")
    options = Options(rounds=given.rounds, seconds=given.seconds, open_loop_s=given.open_loop_s)
    suites = given.suites or [name for name in SUITES if not (given.quick and name in LEFT_OUT_WHEN_QUICK)]
    for name in suites:
        if name in NEED_WRK and not is_installed():
            print(f"{name}: wrk is not installed: sh benchmarks/peers/setup.sh\n")
            continue
        scratch = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=given.folder))
        started = time.monotonic()
        findings = SUITES[name](Ground(data, given.peers or given.folder, scratch, given.quick), options)
        findings.command = f"python -m benchmarks FOLDER {name} {_told(given)}"
        findings.notes.append(f"took {time.monotonic() - started:.0f} s")
        keep(findings, given.results)
        print(markdown(findings))
        shutil.rmtree(scratch)  # keep the folder of a failed suite: it contains the logs


def _told(given: argparse.Namespace) -> str:
    quick = " --quick" if given.quick else ""
    return f"--size {given.size} --rounds {given.rounds} --seconds {given.seconds:g}{quick}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path(tempfile.gettempdir()) / "chronotile-bench")
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"{', '.join(SUITES)}; otherwise all")
    parser.add_argument("--peers", type=Path, help="output folder of peers/setup.sh; otherwise FOLDER")
    parser.add_argument("--size", choices=SIZES, default="full")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each contender in each case and round")
    parser.add_argument("--open-loop-s", type=float, default=60, help="seconds at the fixed rate")
    parser.add_argument("--quick", action="store_true", help="each peer at its best settings alone")
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the tables")
    return parser.parse_args()


if __name__ == "__main__":
    main()
