"""70 % of the capacity of two workers, at a fixed rate, mixed zooms and dates: duration of the slowest answers."""

import random
from contextlib import ExitStack

from benchmarks.figures import median
from benchmarks.findings import Findings, Row
from benchmarks.load.exchange import Ask
from benchmarks.load.kept_alive import connected
from benchmarks.load.open_loop import OpenLoop, open_loop
from benchmarks.load.wrk import throughput
from benchmarks.peers import chronotile
from benchmarks.peers.bare import bare
from benchmarks.peers.ground import Ground, cube_inside, utm_inside
from benchmarks.places import tiles
from benchmarks.suites.closed_loop import CONNECTIONS, start
from benchmarks.suites.options import Options

SHARE = 0.7
OURS = "chronotile"
BARE = "bare Starlette route"


def run(ground: Ground, options: Options) -> Findings:
    """Measure: capacity by the closed loop, then ours and a bare route of the same bytes at the same rate."""
    findings = Findings(
        suite="fixed-rate",
        title=f"Open loop at {SHARE:.0%} of capacity",
        about="256 px tiles of the large COG, the dated COGs and the serving cube, mixed zooms and dates, no answers "
        "cached, 2 workers; each request over a separate connection and timed from its scheduled start; the "
        "bare route at the same rate shows the generator's part of the latency.",
        ours=OURS,
    )
    asks = mixed(ground)
    ours = chronotile.cog_tiles(ground, "BIG", workers=2)
    with ExitStack() as stack:
        (standing,) = start(stack, [ours], findings, ground)
        with connected(standing.port) as connection:
            answer = connection.ask(asks[0])
        throughput(standing.port, asks, connections=CONNECTIONS, seconds=2)
        measured = [
            throughput(standing.port, asks, connections=CONNECTIONS, seconds=max(2.0, options.seconds)).per_s
            for _ in range(options.rounds)
        ]
        rate = SHARE * median(measured)
        _tell(findings, OURS, open_loop(standing.port, asks, rate=rate, seconds=options.open_loop_s))
    with ExitStack() as stack:
        (standing,) = start(stack, [bare(ground, BARE, answer)], findings, ground)
        bare_asks = [standing.contender.ask(None)]
        seconds = min(10.0, options.open_loop_s)
        _tell(findings, BARE, open_loop(standing.port, bare_asks, rate=rate, seconds=seconds))
    findings.notes.insert(0, f"capacity {median(measured):.0f} req/s (closed loop, 8 fresh connections)")
    return findings


def mixed(ground: Ground) -> list[Ask]:
    """Return tiles of all sources in an order of chance."""
    archive = ground.archive
    big, stack = utm_inside(archive.size.big_side), utm_inside(archive.size.stack_side)
    cube = cube_inside(archive.size.cube_side)
    asks = [
        *(chronotile.tile_path("BIG", tile) for zoom in (14, 12, 10, 8) for tile in tiles(big, zoom)),
        *(chronotile.tile_path("STACK", tile) for zoom in (14, 12) for tile in tiles(stack, zoom, archive.stack_days)),
        *(chronotile.tile_path("SERVING", tile) for zoom in (9, 7, 5) for tile in tiles(cube, zoom, archive.days)),
    ]
    random.Random(9).shuffle(asks)
    return [Ask(path=path) for path in asks]


def _tell(findings: Findings, name: str, found: OpenLoop) -> None:
    for case, share in (("p50", 50.0), ("p95", 95.0), ("p99", 99.0), ("p99.9", 99.9)):
        taken = [found.percentile_ms(share)]
        findings.rows.append(Row(case=case, contender=name, unit="ms", rounds=taken, failed=found.failed))
    findings.notes.append(f"{name}: {found.answered} answers at {found.rate:.0f} req/s, {found.failed} failed")
