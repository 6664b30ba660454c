"""Mean of a polygon over the stack of dates, compared with rio-tiler's loop and one manual mask."""

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
import rasterio
from pyproj import Transformer
from rasterio.features import geometry_mask
from rasterio.windows import Window
from rasterio.windows import transform as window_transform
from rio_tiler.io import Reader

from benchmarks.data.cog import NORTH, RESOLUTION_M, WEST
from benchmarks.data.field import NODATA, OFFSET, SCALE
from benchmarks.findings import Findings, Row, Told
from benchmarks.load.exchange import Ask
from benchmarks.load.kept_alive import connected
from benchmarks.peers import chronotile
from benchmarks.peers.ground import Ground
from benchmarks.peers.server import running
from benchmarks.suites.options import Options

OURS = "chronotile"
SIZES_PX = (30, 300)
CORNERS = 24
Means = list[float | None]
Ring = list[tuple[float, float]]


def run(ground: Ground, options: Options) -> Findings:
    """Measure ours over HTTP, and the others in this process, which favours them."""
    archive = ground.archive
    findings = Findings(
        suite="polygon",
        title=f"Mean of a polygon over {archive.size.stack_dates} COGs",
        about=f"COGs of {archive.size.stack_side}², a polygon of {CORNERS} corners, files warm; "
        "ours over HTTP without cached answers (each round moves the polygon by a pixel), the other ways in-process.",
        ours=OURS,
    )
    ours = chronotile.series(ground, _ask)
    findings.told += [
        Told(OURS, ours.software, ours.settings),
        *(Told(name, f"rasterio {rasterio.__version__}", "in-process") for name in ("by hand", "by hand, 2 threads")),
        Told("rio-tiler loop", f"rio-tiler {version('rio-tiler')}", "feature().statistics() of each file, in-process"),
    ]
    ways: dict[str, Callable[[Ring], Means]] = {
        "by hand": lambda ring: by_hand(archive.stack, ring, 1),
        "by hand, 2 threads": lambda ring: by_hand(archive.stack, ring, 2),
        "rio-tiler loop": lambda ring: _rio_tiler(archive.stack, ring),
    }
    with running(ours.name, ours.server, ground.scratch) as port, connected(port) as connection:
        answer = connection.ask(_ask(polygon(archive.size.stack_side, SIZES_PX[0], 0)))
        if answer.status == 200:
            ways = {OURS: lambda ring: _means(connection.ask(_ask(ring)).body)} | ways
        else:
            findings.absent.append(f"{OURS}: answers {answer.status} at /timeseries/STACK/area")
        for size_px in SIZES_PX:
            _measure(
                findings,
                ways,
                [polygon(archive.size.stack_side, size_px, number) for number in range(options.rounds + 1)],
                f"{size_px} px",
            )
    return findings


def polygon(side: int, across_px: int, number: int) -> Ring:
    """Return an uneven polygon round the middle of the rasters, in UTM; each number is a pixel on."""
    rng = np.random.default_rng(5)
    x = WEST + (side / 2 + number) * RESOLUTION_M + 3
    y = NORTH - side / 2 * RESOLUTION_M - 4
    radii = rng.uniform(0.7, 1.0, CORNERS) * across_px / 2 * RESOLUTION_M
    angles = np.linspace(0, 2 * math.pi, CORNERS, endpoint=False)
    corners = [(x + r * math.cos(a), y + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]
    return [*corners, corners[0]]


def by_hand(files: list[Path], ring: Ring, threads: int) -> Means:
    """Return the means by one mask and a window of each file: cells whose centres lie inside."""
    xs, ys = zip(*ring, strict=True)
    with rasterio.open(files[0]) as first:
        transform = first.transform
    left, right = int((min(xs) - WEST) // RESOLUTION_M), math.ceil((max(xs) - WEST) / RESOLUTION_M)
    top, bottom = int((NORTH - max(ys)) // RESOLUTION_M), math.ceil((NORTH - min(ys)) / RESOLUTION_M)
    window = Window(left, top, right - left, bottom - top)
    shape = (bottom - top, right - left)
    geometry = {"type": "Polygon", "coordinates": [ring]}
    inside = geometry_mask([geometry], shape, window_transform(window, transform), invert=True)

    def mean(file: Path) -> float | None:
        with rasterio.open(file) as dataset:
            counts = np.bincount(dataset.read(1, window=window)[inside], minlength=256)[:NODATA]
        total = int(counts.sum())
        return float(counts @ np.arange(NODATA)) / total * SCALE + OFFSET if total else None

    if threads == 1:
        return [mean(file) for file in files]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(mean, files))


def _measure(findings: Findings, ways: dict[str, Callable[[Ring], Means]], rings: list[Ring], case: str) -> None:
    """Compare the variants on the first polygon, and time them alternately on the others."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    expected = ways["by hand"](rings[0])
    for name, way in ways.items():
        pairs = [(a, b) for a, b in zip(expected, way(rings[0]), strict=True) if a is not None and b is not None]
        apart = max((abs(a - b) for a, b in pairs), default=math.nan)
        findings.notes.append(f"{case}, {name}: means within {apart:.2g} of those by hand, {len(pairs)} dates")
    for ring in rings[1:]:
        for name, way in ways.items():
            started = time.perf_counter()
            way(ring)
            times[name].append((time.perf_counter() - started) * 1000)
    findings.rows += [Row(case=case, contender=name, unit="ms", rounds=taken) for name, taken in times.items()]


def _rio_tiler(files: list[Path], ring: Ring) -> Means:
    feature = {"type": "Feature", "properties": {}, "geometry": _geometry(ring)}
    means: Means = []
    for file in files:
        with Reader(str(file)) as reader:
            statistics = reader.feature(feature, max_size=None).statistics()
        mean = next(iter(statistics.values())).mean
        means.append(None if math.isnan(mean) else mean * SCALE + OFFSET)
    return means


def _ask(ring: Ring) -> Ask:
    body = json.dumps(_geometry(ring)).encode()
    return Ask(path="/timeseries/STACK/area", method="POST", headers={"Content-Type": "application/json"}, body=body)


def _geometry(ring: Ring) -> dict[str, object]:
    to_degrees = Transformer.from_crs("EPSG:32631", "OGC:CRS84", always_xy=True)
    return {"type": "Polygon", "coordinates": [[list(to_degrees.transform(x, y)) for x, y in ring]]}


def _means(body: bytes) -> Means:
    means: Means = json.loads(body)["features"][0]["series"]["mean"]
    return means
