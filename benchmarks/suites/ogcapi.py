"""OGC API: a position compared with the point series of the same values, and the documents of many collections."""

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from benchmarks.figures import median
from benchmarks.findings import Findings, Row, Told
from benchmarks.load.exchange import Ask
from benchmarks.load.kept_alive import Connection, connected, timed
from benchmarks.peers import chronotile
from benchmarks.peers.ground import Ground, cube_inside
from benchmarks.peers.server import running
from benchmarks.places import points
from benchmarks.suites.closed_loop import Standing, Turns, start
from benchmarks.suites.options import Options

LAYER = "DEKADS"
POSITION, POINT = "EDR position", "/timeseries/…/point"
COLLECTIONS = 500
PAGES = {
    "/collections": "/ogcapi/collections?f=json",
    "page /": "/ogcapi/?f=html",
    "page /collections": "/ogcapi/collections?f=html",
    "page of a collection": "/ogcapi/collections/L7?f=html",
}
AGAIN = 50
"""Requests of each document that is kept."""


def run(ground: Ground, options: Options) -> Findings:
    """Measure."""
    archive = ground.archive
    findings = Findings(
        suite="ogcapi",
        title=f"OGC API: {len(archive.dekads)} values of a position, and {COLLECTIONS} collections",
        about=f"One worker, ms over one kept connection. Positions of a serving cube of {len(archive.dekads)} x "
        f"{archive.size.dekads_side}², all different, no answers cached. Documents of a server that has just "
        f"started (first), then {AGAIN} times.",
        ours=POSITION,
    )
    _positions(ground, findings, options)
    _documents(ground, findings, options)
    return findings


def _positions(ground: Ground, findings: Findings, options: Options) -> None:
    places = points(cube_inside(ground.archive.size.dekads_side), count=2000)
    point = chronotile.points(ground, LAYER, POINT)
    position = replace(point, name=POSITION, ask=lambda place: Ask(path=chronotile.position_path(LAYER, place)))
    with ExitStack() as stack:
        (standing,) = start(stack, [point], findings, ground)
        connection = stack.enter_context(connected(standing.port))
        for place in places[:3]:
            _compare(connection, position.ask(place), point.ask(place))
        both = [Standing(position, standing.port), standing]
        Turns(both, findings, options).latency({f"{len(ground.archive.dekads)} values": places})
    rounds = {row.contender: row.rounds for row in findings.rows}
    above = median([a - b for a, b in zip(rounds[POSITION], rounds[POINT], strict=True)])
    findings.notes.append(f"a position takes {above:.2f} ms more than the point series of the same values")


def _compare(connection: Connection, position: Ask, point: Ask) -> None:
    """Raise an error if the answers differ."""
    document = json.loads(connection.ask(position).body)
    (found,) = document["ranges"].values()
    if found["values"] != json.loads(connection.ask(point).body)["values"]:
        raise RuntimeError(f"{position.path} has other values than {point.path}")


def _documents(ground: Ground, findings: Findings, options: Options) -> None:
    contender = chronotile.many_collections(ground, COLLECTIONS)
    taken: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        with running(contender.name, contender.server, ground.scratch) as port:
            for case, path in PAGES.items():
                taken.setdefault(f"{case}, first", []).append(_median(port, [contender.ask(path)]))
                taken.setdefault(case, []).append(_median(port, [contender.ask(path)] * AGAIN))
    findings.told.append(Told(contender.name, contender.software, contender.settings))
    findings.rows += [
        Row(case=case, contender=contender.name, unit="ms", rounds=rounds) for case, rounds in taken.items()
    ]


def _median(port: int, asks: Sequence[Ask]) -> float:
    found = timed(port, asks)
    if found.failed:
        raise RuntimeError(f"{asks[0].path}: {found.failed} of {len(asks)} answers are missing")
    return median(found.milliseconds)
