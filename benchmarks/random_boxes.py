"""`python -m benchmarks.random_boxes [FOLDER]`: pictures of scenes at boxes and sizes that are requested once.

Tiles of a fixed grid find their plans in the cache; boxes that a user draws do not. Each box is drawn from scenes and
from one file that covers all of them, by one server that caches no encoded answers, alternating after some pictures.
Measured: processor time of the server. The scenes are synthetic (`tests/scenes_archive`).
"""

import argparse
import http.client
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyproj

from benchmarks.big_index_server import processor_s_of
from benchmarks.figures import median
from benchmarks.hanging_host import serving
from benchmarks.soak.archive import chronotile, quiet_environment
from tests.scenes_archive.forms import Source, catalogue
from tests.scenes_archive.plan import Plan, days_of
from tests.scenes_archive.serving import uncut_collections, write_configuration

MADE = Plan(days=days_of(1), columns=3, rows=3)
"""Eighteen scenes of two UTM zones, of 1,098² cells of 10 m."""
FILE_ZONE = 31
"""UTM zone of the file that covers all boxes."""
MERCATOR = "EPSG:3857"
LEAST_M, MOST_M = 2_000, 4_000
"""Sides of boxes, on the ground."""
MERCATOR_STRETCH = 1.57
"""Approximate scale of lengths in Web Mercator at the scenes."""
LEAST_PX, MOST_PX = 200, 320
"""Sides of pictures."""


@dataclass(frozen=True, slots=True)
class Case:
    """Boxes of one kind, and the layers that they are drawn of."""

    name: str
    scenes: str
    file: str
    goal: float
    """How many times the processor time of the file it may be."""
    at_border: bool = False


CASES = (
    Case("one or two scenes", "B04", f"B04-{FILE_ZONE}", 1.5),
    Case("zone border", "B04", f"B04-{FILE_ZONE}", 2.0, at_border=True),
    Case("masked, one or two scenes", "CLEAR", f"CLEAR-{FILE_ZONE}", 1.5),
    Case("masked, zone border", "CLEAR", f"CLEAR-{FILE_ZONE}", 2.0, at_border=True),
)


def main() -> None:
    """Measure, and end with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="folder for random_boxes.json; default: not written")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--boxes", type=int, default=100, help="of a case in each round")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="random-boxes-") as place, served(Path(place)) as (port, process):
        found = measure(port, process, rounds=given.rounds, count=given.boxes)
    print("| case | scenes, ms | file, ms | ratio | goal |\n| --- | --- | --- | --- | --- |")
    for name, row in found.items():
        print(f"| {name} | {row['scenes_ms']:.2f} | {row['file_ms']:.2f} | {row['ratio']:.2f} | {row['goal']:g} |")
    if given.folder is not None:
        given.folder.mkdir(parents=True, exist_ok=True)
        (given.folder / "random_boxes.json").write_text(json.dumps(found, indent=1))
    sys.exit(0 if all(row["ratio"] <= row["goal"] for row in found.values()) else 1)


@contextmanager
def served(folder: Path) -> Iterator[tuple[int, int]]:
    """Give the port and the process of a server of the scenes and of the file."""
    source = Source("stac", str(catalogue(MADE)))
    configuration = write_configuration(folder, source, uncut=uncut_collections(MADE, FILE_ZONE))
    environment = quiet_environment() | {
        "CHRONOTILE_JOBS_DIR": str(folder / "jobs"),
        "CHRONOTILE_PAYLOAD_BYTES": "0",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    subprocess.run([*chronotile(), "index", str(configuration)], env=environment, check=True)
    with serving(configuration, environment) as served_by:
        yield served_by


def measure(port: int, process: int, *, rounds: int, count: int) -> dict[str, dict[str, float]]:
    """Return milliseconds of processor time per picture, and the median ratio of paired turns, by case."""
    boxes = {case: _Boxes(case, seed) for seed, case in enumerate(CASES)}
    taken: dict[Case, list[tuple[float, float]]] = {case: [] for case in CASES}
    for number in range(rounds + 1):
        for case in CASES:
            asked = [boxes[case].next() for _ in range(count)]
            layers = (case.scenes, case.file) if number % 2 else (case.file, case.scenes)
            own = {layer: _drawn_ms(port, process, layer, asked) for layer in layers}
            if number:  # the first fills caches of blocks
                taken[case].append((own[case.scenes], own[case.file]))
    return {
        case.name: {
            "scenes_ms": median([scenes for scenes, _ in pairs]),
            "file_ms": median([file for _, file in pairs]),
            "ratio": median([scenes / file for scenes, file in pairs]),
            "goal": case.goal,
        }
        for case, pairs in taken.items()
    }


def _drawn_ms(port: int, process: int, layer: str, boxes: list[tuple[float, ...]]) -> float:
    """Processor milliseconds of the server for each picture."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    began_s = processor_s_of(process)
    for *box, width, height in boxes:
        text = ",".join(f"{edge:.3f}" for edge in box)
        connection.request(
            "GET",
            f"/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS={layer}&STYLES=&CRS={MERCATOR}&BBOX={text}"
            f"&WIDTH={width:.0f}&HEIGHT={height:.0f}&FORMAT=image/png&TIME={MADE.days[0]}",
        )
        answer = connection.getresponse()
        body = answer.read()
        assert answer.getheader("Content-Type") == "image/png", body
    taken_s = processor_s_of(process) - began_s
    connection.close()
    return taken_s / len(boxes) * 1000


class _Boxes:
    """Boxes of a case in Web Mercator with sides of pictures: (west, south, east, north, width, height)."""

    def __init__(self, case: Case, seed: int) -> None:
        self._at_border = case.at_border
        self._random = np.random.default_rng(seed)
        self._to_mercator = pyproj.Transformer.from_crs(f"EPSG:{32600 + FILE_ZONE}", MERCATOR, always_xy=True)
        self._between = {
            tile.crs: pyproj.Transformer.from_crs(MERCATOR, tile.crs, always_xy=True) for tile in MADE.tiles()
        }
        own = [tile.box for tile in MADE.tiles() if tile.zone == FILE_ZONE]
        self._west, self._south, self._east, self._north = (
            pick(edges) for pick, edges in zip((min, min, max, max), zip(*own, strict=True), strict=True)
        )

    def next(self) -> tuple[float, ...]:
        """Return another box: across the last edge of one zone, or of one or two scenes of it."""
        while True:
            side = self._random.uniform(LEAST_M, MOST_M)
            x = self._random.uniform(self._west + MOST_M, self._east - MOST_M)
            if self._at_border:
                x = self._east + self._random.uniform(-0.4, 0.4) * side
            x, y = self._to_mercator.transform(x, self._random.uniform(self._south + MOST_M, self._north - MOST_M))
            half = side / 2 * MERCATOR_STRETCH
            box = x - half, y - half, x + half, y + half
            if self._at_border or self._scenes_at(box) <= 2:
                return *box, *self._random.integers(LEAST_PX, MOST_PX, 2, endpoint=True)

    def _scenes_at(self, box: tuple[float, ...]) -> int:
        """Number of scenes that intersect a box; more than two if one is of the other zone."""
        count = 0
        for tile in MADE.tiles():
            west, south, east, north = self._between[tile.crs].transform_bounds(box[0], box[1], box[2], box[3])
            left, bottom, right, top = tile.box
            if west < right and left < east and south < top and bottom < north:
                count += 1 if tile.zone == FILE_ZONE else 3
        return count


if __name__ == "__main__":
    main()
