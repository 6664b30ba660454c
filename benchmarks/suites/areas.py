"""Series of fields: one of 64 px, and 5,000 in one call compared with single calls and with xcube."""

import json
import math
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

import numpy as np

from benchmarks.data import cube
from benchmarks.findings import Findings, Row
from benchmarks.load.exchange import Ask
from benchmarks.load.kept_alive import Connection, connected
from benchmarks.peers import chronotile, xcube
from benchmarks.peers.ground import Ground
from benchmarks.suites.closed_loop import Standing, start
from benchmarks.suites.options import Options

LAYER, PLAIN = "DEKADS", "PLAIN_DEKADS"
OURS, LOOP = "chronotile, one call", "chronotile, a call a field"
SAME_STORE = f"{chronotile.SAME_STORE}, one call"
FIELDS, ACROSS_PX, CORNERS = 5000, 10, 12
ASKED_SINGLY = 100
"""Number of fields that are requested singly, and from xcube in one call; their times are scaled to all fields."""
ONE_PX = 64
REDUCERS = "mean,std,median,p10,p90"
YEAR = 2010

Fields = list[dict[str, object]]
Means = list[list[float | None]]


def run(ground: Ground, options: Options) -> Findings:
    """Measure over one kept connection; variants alternate."""
    archive = ground.archive
    side = archive.size.dekads_side
    findings = Findings(
        suite="areas",
        title=f"Series of fields, cube of {len(archive.dekads)} x {side}²",
        about=f"One worker or process each, ms over one kept connection. A polygon {ONE_PX} px across with {REDUCERS} "
        f"of all dekads; means of {FIELDS} fields about {ACROSS_PX} px across at the 36 dekads of {YEAR}. The peer, "
        "and ours if stated, over the same plain Zarr in chunks of all dekads (64²); times of loops and of the peer "
        f"are measured with {ASKED_SINGLY} of the fields and multiplied by {FIELDS // ASKED_SINGLY}.",
        ours=OURS,
    )
    fields = [field(side, number) for number in range(FIELDS)]
    ours = chronotile.series(ground, lambda asked: asked)
    peers = xcube.areas(ground, archive.dekads_series_cube, "tuned")
    with ExitStack() as stack:
        standing, *others = start(stack, [ours, *peers], findings, ground)
        connection = stack.enter_context(connected(standing.port))
        ways: dict[str, Callable[[], Means]] = {
            OURS: lambda: _in_one_call(connection, fields, LAYER),
            SAME_STORE: lambda: _in_one_call(connection, fields, PLAIN),
            LOOP: lambda: _singly(connection, fields[:ASKED_SINGLY]),
        }
        for other in others:
            ways[other.contender.name] = _of_peer(stack, other, fields[:ASKED_SINGLY])
        _compare(ways, findings)
        times: dict[str, list[float]] = {name: [] for name in ways}
        one: list[float] = []
        for number in range(options.rounds):
            for name, way in ways.items():
                share = 1 if name in (OURS, SAME_STORE) else FIELDS // ASKED_SINGLY
                times[name].append(_timed(way) * share)
            one.append(statistics.median(_timed(partial(_one, connection, side, number)) for _ in range(9)))
    findings.notes.append("the peer counts every cell that a field touches, ours those whose centres lie inside")
    findings.rows.append(Row(case=f"{ONE_PX} px, 5 reducers", contender=OURS, unit="ms", rounds=one))
    findings.rows += [
        Row(case=f"{FIELDS} fields", contender=name, unit="ms", rounds=taken) for name, taken in times.items()
    ]
    return findings


def field(side: int, number: int) -> dict[str, object]:
    """Return a random field of the cube, as a GeoJSON feature."""
    rng = np.random.default_rng(number)
    row, column = rng.uniform(ACROSS_PX, side - ACROSS_PX, 2)
    return {
        "type": "Feature",
        "id": number,
        "properties": {},
        "geometry": polygon(row, column, rng.uniform(0.7, 1.0, CORNERS) * ACROSS_PX / 2),
    }


def polygon(row: float, column: float, radii_px: np.ndarray) -> dict[str, object]:
    """Return a polygon round a place of the cube, in degrees."""
    angles = np.linspace(0, 2 * math.pi, len(radii_px), endpoint=False)
    xs = cube.WEST + (column + radii_px * np.cos(angles)) * cube.RESOLUTION
    ys = cube.NORTH - (row - radii_px * np.sin(angles)) * cube.RESOLUTION
    corners = np.column_stack([xs, ys]).tolist()
    return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}


def _one(connection: Connection, side: int, number: int) -> None:
    middle = side / 2 + number
    body = json.dumps(polygon(middle, middle, np.full(CORNERS, ONE_PX / 2))).encode()
    _asked(connection, Ask(path=f"/timeseries/{LAYER}/area?reducers={REDUCERS}", method="POST", body=body))


def _in_one_call(connection: Connection, fields: Fields, layer: str) -> Means:
    body = json.dumps({"type": "FeatureCollection", "features": fields}).encode()
    answer = _asked(connection, Ask(path=f"/timeseries/{layer}/areas?datetime={YEAR}", method="POST", body=body))
    return [each["series"]["mean"] for each in json.loads(answer)["features"]]


def _singly(connection: Connection, fields: Fields) -> Means:
    path = f"/timeseries/{LAYER}/area?datetime={YEAR}"
    asks = [Ask(path=path, method="POST", body=json.dumps(each).encode()) for each in fields]
    return [json.loads(_asked(connection, ask))["features"][0]["series"]["mean"] for ask in asks]


def _of_peer(stack: ExitStack, standing: Standing, fields: Fields) -> Callable[[], Means]:
    connection = stack.enter_context(connected(standing.port))
    query = f"startDate={YEAR}-01-01&endDate={YEAR}-12-31&aggMethods=mean"
    body = json.dumps({"type": "FeatureCollection", "features": fields}).encode()
    ask = standing.contender.ask((query, body))
    return lambda: [[each.get("mean") for each in series] for series in json.loads(_asked(connection, ask))["result"]]


def _asked(connection: Connection, ask: Ask) -> bytes:
    answer = connection.ask(ask)
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {answer.body[:300]!r}")
    return answer.body


def _compare(ways: dict[str, Callable[[], Means]], findings: Findings) -> None:
    """Report the difference between the means of the same fields and the one call; this warms all variants, too."""
    expected = ways[OURS]()
    for name, way in ways.items():
        pairs = [pair for ours, theirs in zip(expected, way(), strict=False) for pair in zip(ours, theirs, strict=True)]
        apart = max((abs(a - b) for a, b in pairs if a is not None and b is not None), default=math.nan)
        findings.notes.append(f"{name}: means differ by at most {apart:.2g} from the one call, {len(pairs)} compared")


def _timed(way: Callable[[], object]) -> float:
    """Milliseconds."""
    started = time.perf_counter()
    way()
    return (time.perf_counter() - started) * 1000
