"""Compares answers with the recording, or writes it."""

import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests.protocols.fuzzing.judging import Answer
from tests.replay.answers import seen_of
from tests.replay.archives import ARCHIVES, folder_of
from tests.replay.commands import NAME
from tests.replay.compare import differences, of_bodies
from tests.replay.recording import FILE, Row, read, written
from tests.replay.request import Request
from tests.replay.running import ask, new_folder, work_folder

SHOWN = 40
"""Differences that are shown whole."""


def main() -> None:
    """Run the command; 1 if an answer differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.replay", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write the recording anew")
    parser.add_argument("--file", type=Path, default=FILE, help="the recording")
    parser.add_argument("--keep", type=Path, help="a new folder for the bodies of answers")
    parser.add_argument("--against", type=Path, help="another checkout, or a folder of kept bodies, to show bodies")
    parser.add_argument("--archive", action="append", help="this archive alone; repeatable")
    parser.add_argument("--first", type=int, help="only so many requests of each archive")
    parser.add_argument("--statuses", action="store_true", help="compare statuses and media types alone")
    parser.add_argument("--shown", type=int, default=SHOWN, help="how many differences are shown")
    options = parser.parse_args()
    file = options.file.absolute()
    names = [name for name in (NAME, *ARCHIVES) if name in (options.archive or (NAME, *ARCHIVES))]
    with new_folder() as temporary:
        kept = (options.keep or temporary / "kept").absolute()
        if options.record:
            file.write_text(written(_asked(dict.fromkeys(names), kept)), encoding="utf-8")
            return
        rows = read(file.read_text(encoding="utf-8"))
        recorded = [row for name in names for row in [row for row in rows if row.archive == name][: options.first]]
        requests = {name: [row.request for row in recorded if row.archive == name] for name in names}
        now = _asked(requests, kept)
        if options.statuses:
            recorded, now = ([replace(row, seen=row.seen.outline) for row in rows] for rows in (recorded, now))
        differing = {after.archive for before, after in zip(recorded, now, strict=True) if before != after}
        others = _bodies_of(options.against, file, differing, temporary) if options.against and differing else None
        sys.exit(_report(recorded, now, kept, others, shown=options.shown))


def _asked(requests: Mapping[str, Sequence[Request] | None], kept: Path) -> list[Row]:
    """Send the requests, and store the bodies."""
    rows = list[Row]()

    def take(name: str, number: int, request: Request, answer: Answer) -> None:
        seen, body = seen_of(request, answer)
        rows.append(Row(name, request, seen))
        place = _place(kept, name, number)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)

    with work_folder() as folder:
        os.environ["CHRONOTILE_TEST_SCENES"] = str(folder / "made-scenes")  # also of processes that are forked
        ask(requests, take)
    return rows


def _place(folder: Path, name: str, number: int) -> Path:
    return folder / folder_of(name) / f"{number:04}"


def _bodies_of(against: Path, file: Path, names: Collection[str], temporary: Path) -> Path:
    """Return the folder of bodies that another checkout answers with, or that were kept."""
    if not (against / "pyproject.toml").exists():
        return against.absolute()
    other, folder = against.absolute(), temporary / "other"
    paths = os.pathsep.join(str(other / each) for each in ("", "server", "clients/python/src"))
    chosen = [word for name in sorted(names) for word in ("--archive", name)]
    command = [
        *(sys.executable, "-W", "ignore", "-m", "tests.replay", "--file", str(file), "--keep", str(folder), "--shown"),
        "0",
    ]
    ran = subprocess.run([*command, *chosen], cwd=other, env=os.environ | {"PYTHONPATH": paths}, check=False)
    if ran.returncode not in {0, 1} or not folder.is_dir():
        sys.exit(f"{against} did not answer: it needs tests/replay, and what the tests of this checkout need")
    return folder


def _report(recorded: Sequence[Row], now: Sequence[Row], kept: Path, others: Path | None, *, shown: int) -> int:
    """Print how answers differ from the recorded ones; return 1 if any does."""
    counts, numbers, count = Counter[str](), Counter[str](), 0
    for before, after in zip(recorded, now, strict=True):
        numbers[after.archive] += 1
        found = differences(before.seen, after.seen)
        if not found:
            continue
        count += 1
        counts.update(re.split("[:;]", each)[0] for each in found)
        if count <= shown:
            number = numbers[after.archive]
            print(f"{after.archive} {number}: {str(after.request)[:600]}")
            lines = found
            if others is not None and before.seen.digest != after.seen.digest:
                media_type = dict(after.seen.headers).get("content-type", "")
                bodies = [_place(folder, after.archive, number).read_bytes() for folder in (others, kept)]
                lines = [*found, *(f"    {line}" for line in of_bodies(*bodies, media_type))]
            print("".join(f"    {line}\n" for line in lines), end="")
    print(f"{count} of {len(now)} answers differ" + (":" if count else ""))
    for kind, number in counts.most_common():
        print(f"    {number:5} {kind}")
    return 1 if count else 0
