"""Series of 365 values at a point: the serving cube and a bare route; ours and peers on both plain layouts."""

import json
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import zip_longest

from benchmarks.figures import median
from benchmarks.findings import Findings
from benchmarks.load.exchange import Answer
from benchmarks.load.kept_alive import connected
from benchmarks.peers import chronotile, pygeoapi, titiler, xcube
from benchmarks.peers.bare import bare
from benchmarks.peers.ground import Ground, cube_inside
from benchmarks.peers.server import running
from benchmarks.places import Point, points
from benchmarks.suites.closed_loop import Found, Standing, Turns, start
from benchmarks.suites.options import Options

OURS = chronotile.SERVING
BARE = "bare Starlette route"
TIME_CHUNKS = "time chunks"
LAYOUTS = {TIME_CHUNKS: "series_cube", "map chunks": "map_cube"}
LAYERS = {TIME_CHUNKS: "PLAIN_SERIES", "map chunks": "PLAIN"}
SAME = 0.003
"""Values closer than one digital number are the same."""


def run(ground: Ground, options: Options) -> Findings:
    """Measure."""
    side = ground.archive.size.cube_side
    findings = Findings(
        suite="point-series",
        title=f"Point series of 365 values, cube of 365 x {side}²",
        about="One worker or process each, ms over one kept connection, all points different; the peers, and ours "
        "if stated, over the same plain Zarr in chunks of all dates (365 x 64²) and of one date (512²).",
        ours=OURS,
    )
    places = points(cube_inside(side))
    ours = chronotile.points(ground, "SERVING", OURS)
    with running(ours.name, ours.server, ground.scratch) as port, connected(port) as connection:
        answer = connection.ask(ours.ask(places[0]))
    found: Found = [
        ours,
        bare(ground, BARE, answer),
        *(chronotile.points(ground, layer, _name_of_plain(name)) for name, layer in LAYERS.items()),
        *(
            contender
            for name, attribute in LAYOUTS.items()
            for peer in (xcube, titiler, pygeoapi)
            for contender in peer.points(ground, getattr(ground.archive, attribute), name)
        ),
    ]
    with ExitStack() as stack:
        standing = start(stack, found, findings, ground)
        _compare(standing, places[:3], findings)
        turns = Turns(standing, findings, options)
        turns.latency({"365 values": places})
    rounds = {row.contender: row.rounds for row in findings.rows}
    above = median([a - b for a, b in zip(rounds[OURS], rounds[BARE], strict=True)])
    findings.notes += [
        f"ours takes {above:.2f} ms more than the bare route with the same {len(answer.body)} bytes",
        *_beside_the_best(rounds),
        "likeness: largest difference of any value to ours at three points",
        "MapServer, terracotta, xpublish-tiles: cannot: no series of a point",
    ]
    return findings


def _name_of_plain(layout: str) -> str:
    return f"{chronotile.SAME_STORE}, {layout}"


def _beside_the_best(rounds: dict[str, list[float]]) -> list[str]:
    """How long the quickest peer takes over the same time chunks, if there is one."""
    ours = _name_of_plain(TIME_CHUNKS)
    times = {name: taken for name, taken in rounds.items() if name.endswith(f", {TIME_CHUNKS}") and name != ours}
    if not times or ours not in rounds:
        return []
    best = min(times, key=lambda name: median(times[name]))
    share = median([theirs / own for theirs, own in zip(times[best], rounds[ours], strict=True)])
    return [f"from the same time chunks the fastest peer ({best}) takes {share:.1f} times our time"]


def _compare(standing: Sequence[Standing], places: Sequence[Point], findings: Findings) -> None:
    """Report the difference between the peers' numbers and ours."""
    expected = [json.loads(_answer(standing[0], place).body)["values"] for place in places]
    for number, each in enumerate(standing):
        if each.contender.name == BARE:
            continue
        values_of = _values_of(each.contender.name)
        found = [values_of(_answer(each, place).body) for place in places]
        pairs = [pair for a, b in zip(expected, found, strict=True) for pair in zip_longest(a, b)]
        missing = sum((a is None) != (b is None) for a, b in pairs)
        apart = max((abs(a - b) for a, b in pairs if a is not None and b is not None), default=0.0)
        doubt = "" if missing == 0 and apart < SAME else " (NOT THE SAME SERIES)"
        told = f"differs by up to {apart:.1g}, {missing} of {len(pairs)} missing in one{doubt}"
        findings.told[number] = replace(findings.told[number], likeness=told)


def _values_of(name: str) -> Callable[[bytes], list[float | None]]:
    peers = {"xcube": xcube.values_of, "titiler": titiler.values_of, "pygeoapi": pygeoapi.values_of}
    return next((read for start, read in peers.items() if name.startswith(start)), titiler.values_of)


def _answer(each: Standing, place: Point) -> Answer:
    with connected(each.port) as connection:
        return connection.ask(each.contender.ask(place))
