"""Two servers of one index behind a cache that stores `immutable` answers permanently, while scenes change.

`python -m tests.scenes_archive.behind_a_cache --seconds 600` runs for ten minutes and prints a report. Each picture is
compared, by the formula, with all states of its date: the picture at an address must show the state of its revision.
"""

import argparse
import itertools
import json
import math
import os
import random
import re
import subprocess
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from tests.agreement.scenes_served import Tile
from tests.running import PROGRAM, serving, until
from tests.scenes_archive import documents
from tests.scenes_archive.files import TIME_PATTERN, path_of, write_asset
from tests.scenes_archive.kept_for_ever import TOKEN, Cache, ask
from tests.scenes_archive.plan import Scene
from tests.scenes_archive.states import (
    HIGHEST,
    MADE,
    PROCESSINGS,
    SCENES,
    TILES,
    Contents,
    State,
    There,
    expected,
    processed,
    shows,
)

CLIENTS = 4
STYLE = f'title: Cell\nrange: [0, {HIGHEST}]\nramp: {{0: "#000000", {HIGHEST}: "#ffffff"}}\n'
CONFIGURATION = """
service: {{id: cached}}
collections:
  posted:
    source: {{kind: stac, href: '{catalogue}'}}
    time: {{group: solar_day}}
    mosaic: {{order_by: "eo:cloud_cover"}}
    variables: {{CELL: {{layer: POSTED, asset: CELL, styles: [cells]}}}}
  files:
    source: {{kind: cog, href: '{folder}/files/tiles/*/*/*_{{variable}}.tif', tiles: true, time_pattern: '{pattern}'}}
    time: {{group: solar_day}}
    variables: {{CELL: {{layer: FILES, styles: [cells]}}}}
"""
LAYERS = ("POSTED", "FILES")
ITEMS = "/stac/collections/posted/items"
TEMPLATE = re.compile(r'resourceType="tile" template="[^"]*(/wmts/1\.0\.0/(\w+)/[^"]*\.png)"')


@dataclass(frozen=True)
class Address:
    """Address of a picture."""

    layer: str
    date: int
    tile: Tile
    door: str
    revision: str
    told_s: tuple[float, float]
    """Times of the request for the address and of its answer, in seconds."""
    path: str


@dataclass(frozen=True)
class Seen:
    """A picture that a client got."""

    address: Address
    asked_s: float
    is_kept: bool
    """Whether the cache keeps it."""
    body: bytes


@dataclass
class Report:
    """Results of a trial."""

    answers: Counter[str] = field(default_factory=Counter)
    """By protocol and status."""
    faults: list[str] = field(default_factory=list)
    changes: Counter[str] = field(default_factory=Counter)
    stayed: int = 0
    """Unchanged addresses of other dates after a change."""
    others: int = 0
    hits: int = 0
    pictures: int = 0
    contents: int = 0
    """Different pictures."""
    late_address_s: float = 0.0
    """Longest time after a change at which an address of the previous state was still returned, in seconds."""
    late_picture_s: float = 0.0
    """The same for a picture of the previous state, under an address that is not cached."""

    def lines(self) -> list[str]:
        """Return the lines to print."""
        return [
            f"answers: {dict(sorted(self.answers.items()))}",
            f"faults: {len(self.faults)} {self.faults[:5]}",
            f"changes: {dict(sorted(self.changes.items()))}",
            f"addresses of other dates that stayed: {self.stayed} of {self.others}",
            f"pictures: {self.pictures}, {self.contents} different; answered by the cache: {self.hits}",
            f"a state that was over: address told {self.late_address_s:.2f} s later, "
            f"picture without an address of its own given {self.late_picture_s:.2f} s later",
        ]


def tilejson(address: str, layer: str, date: int) -> str | None:
    """Return the TileJSON template of a date, as NumPy arrays; `None` without a scene."""
    status, _headers, body = ask(
        address, "GET", f"/tiles/{layer}/WebMercatorQuad/tilejson.json?datetime={MADE.days[date]}"
    )
    if status != 200:
        return None
    parts = urlsplit(json.loads(body)["tiles"][0])
    return f"{parts.path}?{parts.query}".replace("%7B", "{").replace("%7D", "}").replace(".png", ".npy")


def placed(template: str, tile: Tile) -> str:
    """Return the path of a tile."""
    return template.replace("{z}", str(tile.z)).replace("{x}", str(tile.x)).replace("{y}", str(tile.y))


class Trial:
    """Clients, changes and their results."""

    def __init__(self, folder: Path, addresses: list[str], cache: Cache, seed: int) -> None:
        self.folder, self.addresses, self.cache = folder, addresses, cache
        self.report = Report()
        self.is_over = threading.Event()
        self.states: dict[str, list[State]] = {layer: [State({}, 0.0)] for layer in LAYERS}
        self.seen: list[Seen] = []
        self.seed = seed
        self._lock = threading.Lock()
        self._known: list[Address] = []
        self._contents: dict[bytes, bytes] = {}
        """Each picture once: many addresses have the same."""
        self.places: dict[str, Path] = {}
        """Files of posted scenes, by id."""
        self._count = 0

    def change(self, layer: str) -> None:
        """Change a collection repeatedly until the end of the trial."""
        draw = random.Random(f"{self.seed} {layer}")
        while not self.is_over.is_set():
            scene = draw.choice(SCENES)
            before = self._templates(layer)
            self._change(layer, scene, *self._drawn(layer, scene, draw))
            self._wait(partial(self._are_told, layer, scene.date, before[scene.date]))
            after = self._templates(layer)
            others = [date for date in before if date != scene.date]
            self.report.others += len(others)
            self.report.stayed += sum(before[date] == after[date] for date in others)

    def _drawn(self, layer: str, scene: Scene, draw: random.Random) -> tuple[str, There | None]:
        """Return a random change of a scene and its state afterwards."""
        there = self.states[layer][-1].contents.get(scene.id)
        rank, order = draw.randrange(PROCESSINGS), draw.random()
        if there is None:
            return ("posted" if layer == "POSTED" else "arrived"), There(rank, order)
        rank = (there.rank + 1 + rank % (PROCESSINGS - 1)) % PROCESSINGS
        kinds = {"replaced": There(rank, order), "deleted": None}
        if layer == "POSTED":
            kinds |= {"ordered": There(there.rank, order), "overwritten": There(rank, there.order)}
        return draw.choice(list(kinds.items()))

    def look(self, number: int) -> None:
        """Follow addresses until the end of the trial."""
        draw = random.Random(f"{self.seed} {number}")
        while not self.is_over.is_set():
            layer, date = draw.choice(LAYERS), draw.randrange(len(MADE.days))
            find = draw.choice([self.by_tilejson, self.by_layers, self.by_wmts])
            found = list(find(layer, date))
            with self._lock:
                self._known = [*self._known, *(each for each in found if each.revision)][-4_000:]
                old = draw.sample(self._known, min(2, len(self._known)))
            for each in (*found, *old):
                self.picture(each)

    def by_tilejson(self, layer: str, date: int) -> Iterator[Address]:
        """Addresses that TileJSON gives."""
        begin_s = time.monotonic()
        template = tilejson(self.cache.url, layer, date)
        told_s = begin_s, time.monotonic()
        for tile in TILES if template else ():
            path = placed(template, tile)
            yield Address(layer, date, tile, "tilejson", path.partition("rev=")[2], told_s, path)

    def by_layers(self, layer: str, date: int) -> Iterator[Address]:
        """Addresses that a client makes with the revision of the layer."""
        begin_s = time.monotonic()
        status, _headers, body = ask(self.cache.url, "GET", f"/layers/{layer}")
        told_s = begin_s, time.monotonic()
        revision = json.loads(body)["revision"] if status == 200 else ""
        for tile in TILES if revision else ():
            path = f"/tiles/{layer}/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.npy?datetime={MADE.days[date]}"
            yield Address(layer, date, tile, "layers", revision, told_s, f"{path}&rev={revision}")

    def by_wmts(self, layer: str, date: int) -> Iterator[Address]:
        """Addresses by the template of the capabilities of WMTS."""
        begin_s = time.monotonic()
        _status, _headers, body = ask(self.cache.url, "GET", "/wmts/1.0.0/WMTSCapabilities.xml")
        told_s = begin_s, time.monotonic()
        templates = {name: path for path, name in TEMPLATE.findall(body.decode())}
        for tile in TILES if layer in templates else ():
            values = {"Style": "cells", "Time": MADE.days[date], "TileMatrixSet": "WebMercatorQuad"}
            values |= {"TileMatrix": tile.z, "TileRow": tile.y, "TileCol": tile.x}
            path = re.sub(r"\{(\w+)\}", lambda found, values=values: str(values[found[1]]), templates[layer])
            yield Address(layer, date, tile, "wmts", "", told_s, path)

    def picture(self, address: Address) -> None:
        """Request a picture and record the answer."""
        asked_s = time.monotonic()
        status, headers, body = ask(self.cache.url, "GET", address.path)
        is_other = status == 200 and headers["X-Kept"] == "0" and self._is_of_other(address, headers["Chronotile-Time"])
        with self._lock:
            self.report.answers[f"{address.door} {'other date' if is_other else status}"] += 1
            if status == 200 and not is_other:
                content = self._contents.setdefault(body, body)
                self.seen.append(Seen(address, asked_s, headers["X-Kept"] == "1", content))
            elif status not in {200, 404, 503}:
                self.report.faults.append(f"{address.path}: {status} {body[:200]!r}")

    @staticmethod
    def _is_of_other(address: Address, time_told: str) -> bool:
        """Return whether a picture is of the date before, as WMTS answers for one without scenes."""
        return MADE.days[address.date] not in time_told

    def is_settled(self) -> bool:
        """Return whether clients see the last state alone, by all doors."""
        for layer, date in itertools.product(LAYERS, range(len(MADE.days))):
            wanted = self._of_date(self.states[layer][-1], date)
            found = [*self.by_tilejson(layer, date), *(self.by_layers(layer, date) if wanted else ())]
            if not wanted:
                if found:
                    return False
                continue
            for address in found:
                status, _headers, body = ask(self.cache.url, "GET", address.path)
                if status != 200 or not shows(body, self._expected(layer, date, address.tile, wanted), address.tile):
                    return False
            if not found:
                return False
        return True

    def judge(self) -> Report:
        """Compare all pictures with the states and return the report."""
        report = self.report
        by_place = defaultdict[tuple[str, int, Tile], list[Seen]](list)
        for each in self.seen:
            by_place[each.address.layer, each.address.date, each.address.tile].append(each)
        of_revision = defaultdict[tuple[str, str], list[tuple[Seen, frozenset[int]]]](list)
        for (layer, date, tile), seen in by_place.items():
            shown = self._states_shown(layer, date, tile, {each.body for each in seen})
            report.contents += len(shown)
            for each in seen:
                if not (numbers := shown[each.body]):
                    report.faults.append(f"of no state: {each.address.path}")
                elif each.is_kept:
                    of_revision[layer, each.address.revision].append((each, numbers))
                else:
                    late_s = each.asked_s - self._end_s(layer, max(numbers))
                    report.late_picture_s = max(report.late_picture_s, late_s)
        for (layer, revision), kept in of_revision.items():
            common = frozenset.intersection(*(numbers for _each, numbers in kept))
            told_s = min(each.address.told_s[1] for each, _numbers in kept)
            if not common:
                report.faults.append(f"of several states: {layer} {revision} {kept[0][0].address.path}")
            elif self.states[layer][min(common)].begin_s > told_s:
                report.faults.append(f"newer than its address: {layer} {revision} {kept[0][0].address.path}")
            else:
                asked_s = max(each.address.told_s[0] for each, _numbers in kept)
                report.late_address_s = max(report.late_address_s, asked_s - self._end_s(layer, max(common)))
        report.faults += [f"of two contents: {path}" for path in self.cache.differing]
        report.pictures, report.hits = len(self.seen), self.cache.hits
        return report

    def _states_shown(self, layer: str, date: int, tile: Tile, bodies: set[bytes]) -> dict[bytes, frozenset[int]]:
        """Return the states that each picture shows, as positions in the states of the layer."""
        numbers = defaultdict[tuple[tuple[str, There], ...], list[int]](list)
        for number, state in enumerate(self.states[layer]):
            numbers[tuple(sorted(self._of_date(state, date).items()))].append(number)
        found = dict.fromkeys(bodies, frozenset[int]())
        for contents, places in numbers.items():
            wanted = self._expected(layer, date, tile, dict(contents))
            for body in bodies:
                if shows(body, wanted, tile):
                    found[body] |= frozenset(places)
        return found

    @staticmethod
    def _expected(layer: str, date: int, tile: Tile, contents: Contents) -> np.ndarray:
        return expected(contents, date, tile, is_ordered=layer == "POSTED")

    def _end_s(self, layer: str, number: int) -> float:
        later = self.states[layer][number + 1 :]
        return later[0].begin_s if later else math.inf

    @staticmethod
    def _of_date(state: State, date: int) -> Contents:
        return {scene.id: state.contents[scene.id] for scene in MADE.scenes(date) if scene.id in state.contents}

    def _templates(self, layer: str) -> dict[int, str | None]:
        return {date: tilejson(self.addresses[0], layer, date) for date in range(len(MADE.days))}

    def _are_told(self, layer: str, date: int, before: str | None) -> bool:
        """Return whether both servers have a new address that shows the last state."""
        first, second = (tilejson(address, layer, date) for address in self.addresses)
        if not first == second != before:
            return False
        wanted = self._of_date(self.states[layer][-1], date)
        for tile in TILES if first else ():
            numbers = self._expected(layer, date, tile, wanted)
            for address in self.addresses:
                status, _headers, body = ask(address, "GET", placed(first, tile))
                if status != 200 or not shows(body, numbers, tile):
                    return False
        return bool(wanted) == bool(first)

    def _wait(self, look: Callable[[], bool]) -> None:
        while not self.is_over.is_set() and not look():
            self.is_over.wait(0.05)

    def _change(self, layer: str, scene: Scene, kind: str, new: There | None) -> None:
        """Make one change; its state starts before the change."""
        contents = {id_: there for id_, there in self.states[layer][-1].contents.items() if id_ != scene.id}
        self.states[layer].append(State(contents | ({} if new is None else {scene.id: new}), time.monotonic()))
        self.report.changes[f"{layer} {kind}"] += 1
        newer = None if new is None else processed(scene, new.rank)
        if layer == "POSTED":
            self._post(scene, newer, new, kind)
        elif newer is None:
            (self.folder / "files" / path_of(scene, "CELL")).unlink()
        else:
            write_asset(self.folder / "files" / path_of(scene, "CELL"), newer, "CELL")

    def _post(self, scene: Scene, newer: Scene | None, new: There | None, kind: str) -> None:
        if kind in {"posted", "replaced"}:
            self._count += 1
            self.places[scene.id] = self.folder / "posted" / str(self._count)
        if newer is not None and kind != "ordered":
            write_asset(self.places[scene.id] / path_of(scene, "CELL"), newer, "CELL")
        if kind == "overwritten":
            return
        document = {"properties": {"eo:cloud_cover": new and new.order}}
        if kind != "ordered":
            document = documents.item(scene, lambda path: str(self.places[scene.id] / path))
            document["properties"]["eo:cloud_cover"] = new and new.order
        method = {"posted": "POST", "replaced": "PUT", "ordered": "PATCH", "deleted": "DELETE"}[kind]
        path = ITEMS if method == "POST" else f"{ITEMS}/{scene.id}"
        address = random.choice(self.addresses)
        status, _headers, body = ask(address, method, path, None if method == "DELETE" else document)
        if status not in {201, 204}:
            self.report.faults.append(f"{kind}: {status} {body[:200]!r}")


@contextmanager
def served_behind_a_cache(folder: Path, seed: int) -> Iterator[Trial]:
    """Two servers with the first scenes, and the cache before them."""
    first = {"POSTED": SCENES[::2], "FILES": SCENES[1::2]}
    catalogue = documents.write_catalogue(
        folder, MADE, lambda path: str(folder / "posted" / "0" / path), scenes=first["POSTED"]
    )
    for scene in first["POSTED"]:
        write_asset(folder / "posted" / "0" / path_of(scene, "CELL"), scene, "CELL")
    for scene in first["FILES"]:
        write_asset(folder / "files" / path_of(scene, "CELL"), scene, "CELL")
    (folder / "styles").mkdir()
    (folder / "styles" / "cells.yaml").write_text(STYLE)
    file = folder / "chronotile.yaml"
    file.write_text(CONFIGURATION.format(catalogue=catalogue, folder=folder, pattern=TIME_PATTERN))
    own = {"JOBS_DIR": folder / "jobs", "WATCH_S": 1, "WRITE_TOKEN": TOKEN, "SOURCE_PREFIXES": folder}
    environment = {f"CHRONOTILE_{name}": str(value) for name, value in own.items()}
    with ExitStack() as stack:
        addresses = []
        for name in ("first", "second"):
            log = stack.enter_context((folder / f"{name}.log").open("w"))
            started = serving(
                "serve", file, "--workers", "1", log=log, XDG_CACHE_HOME=str(folder / name), **environment
            )
            addresses.append(stack.enter_context(started)[1])
        command = [PROGRAM, "index", file, "--collection", "files", "--watch"]
        log = stack.enter_context((folder / "index.log").open("w"))
        indexing = stack.enter_context(subprocess.Popen(command, stdout=log, stderr=log, env=os.environ | environment))
        stack.callback(indexing.terminate)
        cache = Cache(addresses)
        stack.callback(cache.server_close)
        thread = threading.Thread(target=cache.serve_forever, args=[0.01])
        thread.start()
        stack.callback(thread.join)
        stack.callback(cache.shutdown)
        trial = Trial(folder, addresses, cache, seed)
        for layer, scenes in first.items():
            there = {scene.id: There(0, scene.cloud_cover) for scene in scenes}
            trial.states[layer] = [State(there, 0.0)]
        trial.places = {scene.id: folder / "posted" / "0" for scene in first["POSTED"]}
        until(trial.is_settled)
        yield trial


def run(folder: Path, is_enough: Callable[[Report], bool], *, seed: int = 1) -> Report:
    """Change scenes and request pictures until the report is enough; return it."""
    with served_behind_a_cache(folder, seed) as trial:
        threads = [threading.Thread(target=trial.look, args=[number]) for number in range(CLIENTS)]
        threads += [threading.Thread(target=trial.change, args=[layer]) for layer in LAYERS]
        for each in threads:
            each.start()
        while not is_enough(trial.report) and all(each.is_alive() for each in threads):
            trial.is_over.wait(0.1)
        is_well = all(each.is_alive() for each in threads)
        trial.is_over.set()
        for each in threads:
            each.join()
        assert is_well, "a thread ended"
        until(trial.is_settled)
        return trial.judge()


def main() -> None:
    """Run a trial and print its report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    end_s = time.monotonic() + given.seconds
    with tempfile.TemporaryDirectory(prefix="chronotile-cache-") as place:
        report = run(Path(place), lambda _report: time.monotonic() > end_s, seed=given.seed)
    print("\n".join(report.lines()))  # noqa: T201 -- a program


if __name__ == "__main__":
    main()
