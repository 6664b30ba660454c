"""Points of twenty years of dekads: compared with a bare route of the same bytes, and at a fixed rate."""

import os
from contextlib import ExitStack

from benchmarks.figures import median
from benchmarks.findings import Findings, Row
from benchmarks.load.kept_alive import connected
from benchmarks.load.open_loop import open_loop
from benchmarks.peers import chronotile
from benchmarks.peers.bare import bare
from benchmarks.peers.ground import Ground, cube_inside
from benchmarks.places import points
from benchmarks.suites.closed_loop import Turns, start
from benchmarks.suites.options import Options

LAYER = "DEKADS"
RATE = 300.0
OURS = "chronotile"
BARE = "bare Starlette route"
COUNT = 20_000
"""Number of places: large, so that consecutive requests rarely repeat one."""


def run(ground: Ground, options: Options) -> Findings:
    """Measure."""
    archive = ground.archive
    findings = Findings(
        suite="point-rate",
        title=f"Points of {len(archive.dekads)} dekads",
        about=f"Serving cube of {len(archive.dekads)} x {archive.size.dekads_side}², all points different, no answers "
        f"cached: ms over one kept connection to one worker, then {RATE:.0f} req/s to one worker per core, each "
        "request over a separate connection and timed from its scheduled start.",
        ours=OURS,
    )
    inside = cube_inside(archive.size.dekads_side)
    ours = chronotile.points(ground, LAYER, OURS)
    places = points(inside, count=COUNT)
    with ExitStack() as stack:
        (standing,) = start(stack, [ours], findings, ground)
        with connected(standing.port) as connection:
            answer = connection.ask(ours.ask(places[0]))
        (route,) = start(stack, [bare(ground, BARE, answer)], findings, ground)
        Turns([standing, route], findings, options).latency({"one connection": places[:2000]})
    rounds = {row.contender: row.rounds for row in findings.rows}
    above = median([a - b for a, b in zip(rounds[OURS], rounds[BARE], strict=True)])
    findings.notes.append(f"ours takes {above:.2f} ms more than the bare route with the same {len(answer.body)} bytes")
    wide = chronotile.points(ground, LAYER, OURS, workers=os.cpu_count() or 1)
    with ExitStack() as stack:
        (standing,) = start(stack, [wide], Findings(suite="", title="", about="", ours=""), ground)
        asks = [wide.ask(place) for place in places]
        found = open_loop(standing.port, asks, rate=RATE, seconds=options.open_loop_s)
    for share in (50.0, 95.0, 99.0, 99.9):
        row = Row(
            case=f"p{share:g}", contender=OURS, unit="ms", rounds=[found.percentile_ms(share)], failed=found.failed
        )
        findings.rows.append(row)
    findings.notes.append(
        f"{found.answered} answers in {options.open_loop_s:.0f} s at {RATE:.0f} req/s, {found.failed} failed"
    )
    return findings
