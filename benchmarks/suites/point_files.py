"""Series of 365 values at a point over 365 COG files without optimisation, compared with a loop of rio-tiler."""

import json
import time

from rio_tiler.errors import PointOutsideBounds
from rio_tiler.io import Reader

from benchmarks.figures import median
from benchmarks.findings import Findings, Row, Told
from benchmarks.load.kept_alive import connected
from benchmarks.peers import chronotile
from benchmarks.peers.ground import Ground, utm_inside
from benchmarks.peers.server import running
from benchmarks.places import Point, points
from benchmarks.suites.options import Options

OURS, LOOP = "chronotile", "rio-tiler loop"
POINTS_A_ROUND = 3


class OtherNumbers(Exception):
    """Two ways gave other numbers."""


def run(ground: Ground, options: Options) -> Findings:
    """Measure: ours over HTTP, the loop in this process, which favours the loop."""
    from importlib.metadata import version  # noqa: PLC0415

    side = ground.archive.size.many_side
    findings = Findings(
        suite="point-files",
        title=f"Point series over 365 COG files of {side}²",
        about="Files warm, nothing optimised; ours over HTTP with no answers kept, the loop in-process "
        "(`Reader(file).point(lon, lat)` for each file).",
        ours=OURS,
    )
    ours = chronotile.points(ground, "MANY", OURS)
    places = points(utm_inside(side), count=POINTS_A_ROUND * options.rounds + 1)
    times: dict[str, list[float]] = {OURS: [], LOOP: []}
    with running(ours.name, ours.server, ground.scratch) as port, connected(port) as connection:

        def ask(place: Point) -> list[float | None]:
            values: list[float | None] = json.loads(connection.ask(ours.ask(place)).body)["values"]
            return values

        _require_same(ask(places[0]), _loop(ground, places[0]))
        for number in range(options.rounds):
            some = places[1 + number * POINTS_A_ROUND :][:POINTS_A_ROUND]
            for name, way in ((OURS, ask), (LOOP, lambda place: _loop(ground, place))):
                taken = []
                for place in some:
                    started = time.perf_counter()
                    way(place)
                    taken.append((time.perf_counter() - started) * 1000)
                times[name].append(median(taken))
    findings.rows += [Row(case="365 files", contender=name, unit="ms", rounds=taken) for name, taken in times.items()]
    findings.told += [
        Told(OURS, ours.software, ours.settings),
        Told(LOOP, f"rio-tiler {version('rio-tiler')}", "one thread, in-process", "the same numbers"),
    ]
    return findings


def _loop(ground: Ground, place: Point) -> list[float | None]:
    values: list[float | None] = []
    for file in ground.archive.many:
        with Reader(str(file)) as reader:
            try:
                found = reader.point(place.longitude, place.latitude).array
            except PointOutsideBounds:
                values.append(None)
                continue
            values.append(None if found.mask.any() else float(found[0]) * 0.004 - 0.08)
    return values


def _require_same(ours: list[float | None], theirs: list[float | None]) -> None:
    """Refuse to compare the speed of other answers.

    Raises:
        OtherNumbers: They are.
    """
    for a, b in zip(ours, theirs, strict=True):
        if (a is None) != (b is None) or (a is not None and b is not None and abs(a - b) > 1e-6):
            raise OtherNumbers(f"{a} and {b}")
