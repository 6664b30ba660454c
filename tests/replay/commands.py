"""Commands of `chronotile`, each in a separate process that starts with all modules imported."""

import os
import re
import shlex
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from chronotile.cli.main import main
from tests.odd_archives.every import EVERY
from tests.protocols.fuzzing.judging import Answer
from tests.replay import archives, fixed
from tests.replay.request import Request

RUN = "RUN"
"""Method of a command: its status is the exit code, its body the output."""
NAME = "commands"
ODD = {
    "gaps": "times: gaps",
    "truncated": "stores: a truncated file",
    "derived": "stores: formula, mask and composite",
    "no-system": "systems: no system",
    "empty": "stores: empty files",
    "netcdf": "stores: NetCDF of several variables",
}
ENVIRONMENT = {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1", "TZ": "UTC", "LANG": "C.UTF-8"}
DEMO, SCENES = "demo/demo/demo.yaml", "scenes/chronotile.yaml"
LINES = f"""
--version
--help
demo --help
serve --help
check --help
audit --help
layers --help
optimise --help
optimise new --help
optimise update --help
optimise verify --help
optimise cube-tiles --help
index --help
publish --help
worker --help
jobs --help
jobs list --help
jobs show --help
jobs cancel --help

bogus
check --bogus
check
check absent.yaml
check {DEMO}
check {SCENES}
index {SCENES}
index {SCENES}
index {SCENES} --full
index {SCENES} --collection absent
index {SCENES} --collection cut --export cut.parquet
index {SCENES} --collection files --export files.parquet
index {SCENES} --export all.parquet
index {SCENES} --export cut.csv --collection cut
index {DEMO}
index absent.yaml
check {SCENES}
{"".join(f"check {name}{chr(10)}" for name in ODD)}
check truncated/ndvi_20200111.tif
check gaps --bogus
check wrong.yaml
check no-yaml.yaml
layers {DEMO}
layers {SCENES}
layers gaps
layers netcdf
layers absent
audit {DEMO} --seed 1 --samples 5
audit gaps --seed 1
audit truncated --seed 1
audit netcdf --seed 1
audit derived/chronotile.yaml --seed 1
audit absent
audit gaps --samples 0

optimise gaps gaps.zarr --workers 1
optimise --config {SCENES} --collection cut bad.zarr
optimise verify gaps gaps.zarr
optimise update gaps gaps.zarr --workers 1
optimise new gaps gaps.zarr --workers 1
optimise new gaps gaps.zarr --workers 1
optimise update gaps gaps.zarr --workers 1
optimise verify gaps gaps.zarr
optimise new gaps map.zarr --layout map --dtype int16 --scale 0.1 --workers 1
optimise update gaps map.zarr --resume --workers 1
optimise verify gaps map.zarr
optimise new gaps bad.zarr --dtype complex64
optimise new gaps bad.zarr --layout bogus
optimise new gaps bad.zarr --memory much
optimise new gaps bad.txt
optimise new truncated truncated.zarr --workers 1
optimise new netcdf several.zarr --workers 1
optimise new netcdf one.zarr --variable absent
optimise new absent.tif bad.zarr
optimise new --config {SCENES} --collection cut --crs EPSG:32631 --resolution 20 scenes.zarr --workers 1 --variable B04
optimise verify --config {SCENES} --collection cut --crs EPSG:32631 --resolution 20 scenes.zarr --variable B04
optimise new --config {SCENES} --collection absent bad.zarr
optimise new --config {SCENES} --collection cut --bbox 1,2,3 bad.zarr
optimise cube-tiles gaps cubes --layer ndvi.ndvi --years 2020-2020
check gaps.zarr
layers gaps.zarr

publish cut --to published --config {SCENES}
publish cut --to published --config {SCENES}
publish cut --to some --config {SCENES} --datetime 2021-11-03/2021-11-30 --title Some --url https://example.org/some
publish cut --to some --config {SCENES} --filter "eo:cloud_cover < 0"
publish cut --to some --config {SCENES} --filter "eo:cloud_cover <"
publish cut --to some --config {SCENES} --bbox 1,2
publish absent --to absent --config {SCENES}
publish toc --to toc --config {DEMO}
publish cut --to {SCENES} --config {SCENES}
check published

jobs list
jobs list --config {DEMO}
jobs list {DEMO}
jobs show absent
jobs cancel absent
serve absent
serve {DEMO} --port 99999
serve --workers 0
serve wrong.yaml
worker absent.yaml
worker {DEMO} --processes 0
demo --port -1
"""
WRONG = (
    "collections:\n  a: {source: {kind: bogus, href: 1}, variables: {}}\n  b: {sauce: {}}\nservice: {crs: [EPSG:0]}\n"
)
TIMES = re.compile(r"\b\d+(\.\d+)?( ?(ms|s|min|MB/s|MiB/s|GB/s|items/s)\b)")
RATE = re.compile(r", \d+ items/s\b")
"""Printed by commands that take a second or more."""
BYTES = re.compile(r"\b\d+(\.\d+)? (MiB|GiB|GB|MB) (of memory|free)\b")
"""Normalised output of commands, in addition to the current folder: durations, rates and memory."""


def requests() -> list[Request]:
    """Return the commands in order, as requests: a command may need files of an earlier one."""
    return [Request(RUN, line) for line in filter(None, LINES.splitlines())]


def run_all(commands: list[Request]) -> Iterator[Answer]:
    """Run commands over archives that are made below the current folder; yield their answers."""
    folder = Path(NAME)
    folder.mkdir()
    os.chdir(folder)
    try:
        fixed.begin(NAME, 0)
        _in_fork(_make_archives, Path("made.out"))
        for number, command in enumerate(commands, start=1):
            fixed.begin(NAME, number)
            arguments = shlex.split(command.target)
            code = _in_fork(lambda arguments=arguments: _main(arguments), Path(f"../{number}.out"))
            printed = "".join(
                f"{name}:\n{Path(f'../{number}.{end}').read_text()}"
                for name, end in (("printed", "out"), ("errors", "err"))
            )
            yield Answer(code, {}, _normalised(printed).encode(), 0)
    finally:
        os.chdir("..")


def _make_archives() -> None:
    small = archives.SMALL_PLAN
    archives.make("demo", plan=small)
    archives.make("scenes")
    for folder, name in ODD.items():
        Path(folder).mkdir()
        EVERY[name](Path(folder))
    Path("wrong.yaml").write_text(WRONG)
    Path("no-yaml.yaml").write_text("a: [1\nb: {")
    archives.set_times(Path())


def _main(arguments: list[str]) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHRONOTILE_")}
    os.environ.clear()
    os.environ |= kept | ENVIRONMENT
    time.tzset()
    sys.argv = ["chronotile", *arguments]
    sys.modules["__main__"].__package__ = ""  # or else messages would name the program `python -m tests.replay`
    main()


def _in_fork(work: Callable[[], None], out: Path) -> int:
    """Run work in a process that is forked, with its output in files; return its exit code."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        for number, name in ((1, out), (2, out.with_suffix(".err"))):
            os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        work()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 -- whatever it is, the child ends here
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _normalised(text: str) -> str:
    text = text.replace(str(Path.cwd()), "{folder}").replace(str(Path.cwd().parent), "{state}")
    text = RATE.sub("", text)
    return BYTES.sub(r"… \2 \3", TIMES.sub(r"…\2", text))
