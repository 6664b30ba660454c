"""A cached tile, and 304, over HTTP, compared with a bare route that returns the same bytes."""

from contextlib import ExitStack

from benchmarks.findings import Findings
from benchmarks.load.exchange import Ask
from benchmarks.load.kept_alive import connected
from benchmarks.peers import chronotile
from benchmarks.peers.bare import bare
from benchmarks.peers.ground import Ground, utm_inside
from benchmarks.peers.server import running
from benchmarks.places import tiles
from benchmarks.suites.closed_loop import Turns, start, warm
from benchmarks.suites.options import Options


def run(ground: Ground, options: Options) -> Findings:
    """Measure."""
    findings = Findings(
        suite="cached",
        title="A kept tile and 304 over HTTP",
        about="`chronotile serve` with its caches, one worker, and a bare Starlette route; req/s over 8 kept "
        "connections, ms over one. A ratio below 1 is the fraction of the bare route's speed.",
        ours="chronotile, cache on",
    )
    tile = tiles(utm_inside(ground.archive.size.big_side), 14)[0]
    ours = chronotile.kept(ground, lambda headers: Ask(path=chronotile.tile_path("BIG", tile), headers=headers))
    with running(ours.name, ours.server, ground.scratch) as port, connected(port) as connection:
        answer = connection.ask(ours.ask({}))
    etag = {"If-None-Match": answer.headers["etag"]}
    theirs = bare(ground, "bare Starlette route", answer, ask=lambda headers: Ask(path="/bytes", headers=headers))
    cases: dict[str, list[dict[str, str]]] = {"kept tile": [{}], "304": [etag]}
    with ExitStack() as stack:
        standing = start(stack, [ours, theirs], findings, ground)
        warm(standing, cases)
        turns = Turns(standing, findings, options)
        turns.throughput(cases, keep_alive=True)
        turns.latency(cases)
    findings.notes.append(f"the tile has {len(answer.body)} bytes; peers do not cache answers, except terracotta "
                          "(suite cog-tiles, cache on)")  # fmt: skip
    return findings
