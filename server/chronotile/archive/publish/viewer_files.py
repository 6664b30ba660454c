"""The viewer, and answers of the server about one collection, as files for any web server or bucket.

The answers are those of the application; `viewer/base/api.js` computes the same file names.
"""

import itertools
import json
import math
import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import unquote_plus

import anyio
import anyio.to_thread

from chronotile.archive.publish.documents import widen
from chronotile.archive.publish.target import Target, read_document
from chronotile.core.errors import ChronotileError, UnsupportedSource, require_at_most
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox
from chronotile.core.model.time.instants import TimeSpan
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Json

MARK = "published-viewer.json"
"""Marks a target of this collection from the first file on."""
PAGE = "viewer/index.html"
MATRIX_SET = "WebMercatorQuad"
NAME_PARAMETERS = ("format", "layer", "style", "ramp", "anomaly")
"""Parameters that are part of file names."""
MAX_DATES = 96
"""Dates per cube, as in `viewer/ctc1/source.js`."""
PERIOD_MONTHS = (12, 3, 1)
"""Lengths of periods for grouping dates; shorter groups are days."""
AT_ONCE = 4
MAX_PLACES = 10_000
JSON, CUBE, TILE = "application/json", "application/vnd.chronotile.cube", "application/vnd.mapbox-vector-tile"
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".json": JSON,
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
}
START = b'<!doctype html>\n<meta charset="utf-8">\n<meta http-equiv="refresh" content="0; url=viewer/index.html">\n'


@dataclass(frozen=True, slots=True)
class ViewerAnswer:
    """An answer of the application."""

    status: int
    headers: Mapping[str, str]
    body: bytes


Ask = Callable[[str, Mapping[str, str]], Awaitable[ViewerAnswer]]
"""Sends a request to the application: a path without a leading slash, and the query."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerOptions:
    """The part of the collection to publish."""

    title: str | None = None
    bbox: BBox | None = None
    span: TimeSpan | None = None
    zooms: tuple[int, int] | None = None
    """First and last zoom; by default all zooms with tiles of the layer."""
    max_files: int = 100_000


def file_of(path: str, query: Mapping[str, str]) -> str:
    """Return the file with the answer to a request."""
    # In other paths `.json` may be part of a name: `layers/a.json` is the layer `a.json`, whose times are below it.
    name = path.removesuffix(".json") if path.startswith(("tiles/", "viewer/")) else path
    return "/".join([name, *(query[N] for N in NAME_PARAMETERS if N in query)]) + ".json"


def windows_of(times: Iterable[str], level: int = 0) -> Iterator[str]:
    """Return the periods whose dates share a cube, as `windowsOf` of the viewer does."""
    for period, group in itertools.groupby(times, lambda time: _period(time, level)):
        dates = list(group)
        if len(dates) > MAX_DATES and level < len(PERIOD_MONTHS):
            yield from windows_of(dates, level + 1)
        else:
            yield period


def _period(time: str, level: int) -> str:
    day = datetime.fromisoformat(time).astimezone(UTC).date()
    if level == len(PERIOD_MONTHS):
        return f"{day}/{day}"
    months = PERIOD_MONTHS[level]
    first = day.replace(month=(day.month - 1) // months * months + 1, day=1)
    last = date(first.year, first.month + months - 1, 28) + timedelta(4)
    return f"{first}/{last.replace(day=1) - timedelta(1)}"


def tiles_of(box: BBox, zoom: int) -> list[tuple[int, int]]:
    """Return column and row of all tiles that intersect a box in degrees."""
    count = 1 << zoom
    east = box.xmax if box.xmax > box.xmin else box.xmax + 360
    columns = range(math.floor((box.xmin / 360 + 0.5) * count), math.floor((east / 360 + 0.5) * count) + 1)
    rows = range(_row(box.ymax, count), _row(box.ymin, count) + 1)
    return [(column, row) for column in dict.fromkeys(c % count for c in columns) for row in rows]


def shared_box(one: BBox, other: BBox) -> BBox | None:
    """Return the intersection of two boxes in degrees; `None` if they are disjoint."""
    # Parts on both sides of 180 degrees are joined there, which gives a narrower hull than joining at Greenwich.
    hulls = [hull for x in ((one, other), (other, one)) if (hull := _shared_hull(*x)) is not None]
    if not hulls:
        return None
    box, half = min(hulls, key=lambda hull: hull.xmax - hull.xmin), WHOLE_CIRCLE / 2
    return box._replace(
        xmin=box.xmin - WHOLE_CIRCLE * (box.xmin >= half), xmax=box.xmax - WHOLE_CIRCLE * (box.xmax > half)
    )


def _shared_hull(still: BBox, turned: BBox) -> BBox | None:
    whole, turned_box = still.unwound(), turned.unwound()
    copies = [
        turned_box._replace(xmin=turned_box.xmin + turn, xmax=turned_box.xmax + turn)
        for turn in (-WHOLE_CIRCLE, 0, WHOLE_CIRCLE)
    ]
    parts = [copy.common(whole) for copy in copies if copy.intersects(whole)]
    if not parts:
        return None
    return parts[0]._replace(xmin=min(part.xmin for part in parts), xmax=max(p.xmax for p in parts))


def _row(latitude: float, count: int) -> int:
    down = 0.5 - math.asinh(math.tan(math.radians(max(-89.0, min(89.0, latitude))))) / (2 * math.pi)
    return max(0, min(count - 1, math.floor(down * count)))


@dataclass(slots=True, kw_only=True)
class _ViewerLayer:
    """A layer with its published data."""

    document: Json
    whole: Json
    times: Json
    box: BBox
    zooms: tuple[int, int]

    @property
    def id(self) -> str:
        return str(self.document["id"])

    @property
    def windows(self) -> list[str | None]:
        return list(windows_of(self.times["times"])) or [None]

    def cubes(self) -> Iterator[tuple[str, str, dict[str, str]]]:
        """Yield file, path and query of each cube."""
        finest = self.zooms[1]
        for zoom in range(self.zooms[0], finest + 1):
            for (column, row), window in itertools.product(tiles_of(self.box, zoom), self.windows):
                name = "all" if window is None else window.replace("/", "_")
                query = ({} if window is None else {"datetime": window}) | ({"cells": "1"} if zoom == finest else {})
                tile = f"{zoom}/{column}/{row}"
                file = f"cubes/{self.id}/{self.document['revision']}/{tile}/{name}.ctc"
                yield file, f"cubes/{self.id}/{MATRIX_SET}/{tile}.ctc", query


@dataclass(frozen=True, slots=True, kw_only=True)
class _ViewerPlaces:
    """A published place set."""

    document: Json
    layers: list[_ViewerLayer]
    """Layers with values of its places."""
    tiles: list[tuple[int, int, int]]
    """Zoom, column and row."""


class ViewerPublication:
    """The viewer of one collection, written into a target.

    Args:
        collection: Id of the collection.
        ask: Sends requests to the application.
        target: The target.
        viewer: The folder with the built viewer.
        options: The part of the collection to publish.
    """

    def __init__(self, collection: str, ask: Ask, target: Target, *, viewer: Path, options: ViewerOptions) -> None:
        self._collection, self._ask, self._viewer = collection, ask, viewer
        self._target, self._options = target, options
        self.files = self.bytes = self.kept = 0
        self.left_out = list[str]()
        """Omitted parts, with reasons."""

    async def write(self, report_size: Callable[[str], None], progress: Callable[[int], None]) -> None:
        """Write the files, or continue an interrupted run; report the size first.

        Raises:
            UnsupportedSource: There is nothing to publish, or the target has other content.
            LimitExceeded: There are too many files.
            WriteFailed: The target cannot be written.
        """
        self._claim()
        listed = await self._json("layers")
        documents = [x for x in listed["layers"] if x["collection"] == self._collection]
        dated = {d["id"] for d in documents if d["times"]["count"] > 0}
        layers = [await self._layer(d) for d in documents if any(link["rel"] == "cubes" for link in d["links"])]
        self.left_out += [
            f"{d['id']}: it has colours alone" for d in documents if d["id"] not in {layer.id for layer in layers}
        ]
        layers = [x for x in layers if x.times["times"] or x.id not in dated]
        if not layers:
            raise UnsupportedSource(f"{self._collection} has no layers with numbers there that all may see")
        cubes = [cube for layer in layers for cube in layer.cubes()]
        shipped = [r for r in sorted(self._viewer.rglob("*")) if r.is_file()]
        sets = await self._sets(layers)
        files = len(shipped) + sum(len(s.tiles) for s in sets)
        report_size(await self._estimate(cubes, files, sum(s.stat().st_size for s in shipped)))
        await self._documents(listed, layers)
        await self._places(sets)
        await self._cubes(cubes, progress)
        for file in shipped:
            path = f"viewer/{file.relative_to(self._viewer).as_posix()}"
            if path != PAGE:
                await self._write(path, file.read_bytes(), MEDIA_TYPES.get(file.suffix, "application/octet-stream"))
        await self._page()
        for layer in layers:
            self._remove_former(layer)
        await anyio.to_thread.run_sync(self._target.finish)

    def _claim(self) -> None:
        mark = read_document(self._target, MARK)
        if mark is None and not self._target.is_empty():
            raise UnsupportedSource(f"{self._target.name} holds something else than a viewer; name another place")
        if mark is not None and mark.get("collection") != self._collection:
            raise UnsupportedSource(
                f"{self._target.name} holds the viewer of {mark.get('collection')!r}; name another place"
            )
        self._former: dict[str, str] = {} if mark is None else mark.get("revisions", {})
        if mark is None:
            self._target.write(MARK, json.dumps({"collection": self._collection}).encode(), media_type=JSON)

    async def _layer(self, document: Json) -> _ViewerLayer:
        id_, options = str(document["id"]), self._options
        times = await self._times(id_)
        tiles = await self._json(f"tiles/{id_}/{MATRIX_SET}/tilejson.json", style=document["styles"][0]["id"])
        box = BBox(*document["bbox"])
        if options.bbox is not None:
            shared = shared_box(options.bbox, box)
            if shared is None:
                raise UnsupportedSource(f"{id_} has nothing in the box of --bbox")
            box = shared
        least, most = options.zooms or (0, 99)
        zooms = max(least, int(tiles["minzoom"])), min(most, int(tiles["maxzoom"]))
        if zooms[0] > zooms[1]:
            raise UnsupportedSource(
                f"{id_} has the zooms {tiles['minzoom']} to {tiles['maxzoom']}, others than --zooms"
            )
        instants = times["times"]
        default = document["times"]["default"]
        usual = {"count": len(instants), "first": None, "last": None, "default": default}
        if instants:
            usual |= {
                "first": instants[0],
                "last": instants[-1],
                "default": default if default in instants else instants[-1],
            }
        changed = {"bbox": list(box), "times": usual, "links": [{"rel": "cubes", "href": "cubes"}]}
        whole = await self._json(f"layers/{id_}")
        for layer in (document, whole):
            layer.update(changed)
            layer.pop("clear", None)
        return _ViewerLayer(document=document, whole=whole, times=times, box=box, zooms=zooms)

    async def _times(self, layer: str) -> Json:
        """Return the published dates with their ends."""
        dates, cursor, span = list[tuple[str, str | None]](), "", self._options.span
        while True:
            page = await self._json(f"layers/{layer}/times", limit="1000", **({"cursor": cursor} if cursor else {}))
            dates += zip(page["times"], page["ends"], strict=True)
            cursor_match = re.search(r"[?&]cursor=([^&]+)", page["next"] or "")
            if cursor_match is None:
                break
            cursor = unquote_plus(cursor_match[1])
        if span is not None:
            dates = [d for d in dates if span.start <= parse_instant(d[0]).start < span.end]
        return {
            "times": [time for time, _ in dates],
            "ends": [end for _, end in dates],
            "valid_shares": [None] * len(dates),
            "valid_shares_pending": 0,
            "total": len(dates),
            "next": None,
        }

    async def _estimate(self, cubes: list[tuple[str, str, dict[str, str]]], files: int, size: int) -> str:
        """Return the size of the publication as text, estimated by one of the finest cubes."""
        finest = [cube for cube in cubes if "cells" in cube[2]]
        _, path, query = finest[len(finest) // 2]
        sample = await self._get(path, query)
        files, size = files + len(cubes), size + len(cubes) * len(sample.body)
        words = (
            f"{self._collection}: {files} files, about {size / 1e6:.0f} MB "
            f"({len(cubes)} cubes, the rest the viewer, and places that are not in the MB)"
        )
        require_at_most(
            "--max-files",
            files,
            self._options.max_files,
            alternative=f"{words}: choose less with --zooms, --datetime or --bbox, or allow more",
        )
        return words

    async def _documents(self, listed: Json, layers: list[_ViewerLayer]) -> None:
        config = await self._json("viewer/config.json")
        ids = {x.id for x in layers}
        # Maps from files of the server are omitted: each would be as large as the data.
        maps = {kind: [c for c in config[kind] if c["kind"] != "pmtiles"] for kind in ("base_maps", "overlays")}
        first = config["default_layer"] if config["default_layer"] in ids else layers[0].id
        config |= {"default_layer": first, "title": self._options.title or config["title"], **maps}
        config.pop("sign_in", None)
        if config.get("logo"):
            logo = await self._get(config["logo"], {})
            await self._write(config["logo"], logo.body, logo.headers["content-type"])
        await self._answer("viewer/config.json", {}, config)
        collections = [x for x in listed["collections"] if x["id"] == self._collection]
        await self._answer("layers", {}, {"layers": [x.document for x in layers], "collections": collections})
        ramps = await self._json("ramps")
        await self._answer("ramps", {}, ramps)
        names = [{}, *({"ramp": str(r["id"])} for r in ramps["ramps"])]
        for layer in layers:
            await self._answer(f"layers/{layer.id}", {}, layer.whole)
            await self._answer(f"layers/{layer.id}/times", {}, layer.times)
            zooms = {"minzoom": layer.zooms[0], "maxzoom": layer.zooms[1]}
            for style in (str(d["id"]) for d in layer.document["styles"]):
                await self._answer(f"tiles/{layer.id}/{MATRIX_SET}/tilejson.json", {"style": style}, zooms)
                for ramp, anomaly in itertools.product(names, ({}, {"anomaly": "abs"})):
                    query = {"style": style, **ramp, **anomaly}
                    legend = await self._ask(f"tiles/{layer.id}/legend.json", query)
                    if legend.status == 200:  # a style of classes accepts no ramp and no anomaly
                        await self._answer(f"tiles/{layer.id}/legend.json", query, json.loads(legend.body))

    async def _sets(self, layers: list[_ViewerLayer]) -> list[_ViewerPlaces]:
        """Return place sets that intersect a layer, with the tiles of the intersection."""
        finest = max(x.zooms[1] for x in layers)
        sets = []
        for place_set in (await self._json("places"))["places"]:
            whole = BBox(*place_set["bbox"])
            parts = {layer.id: shared_box(whole, layer.box) for layer in layers}
            met_layers = [layer for layer in layers if parts[layer.id] is not None]
            box = widen(part for part in parts.values() if part is not None)
            if box is None:
                continue
            if place_set["count"] > MAX_PLACES:
                self.left_out.append(
                    f"places {place_set['id']}: it has {place_set['count']}, at most {MAX_PLACES} are published"
                )
                continue
            tiles = [(zoom, *tile) for zoom in range(finest + 1) for tile in tiles_of(box, zoom)]
            document = {**place_set, "bbox": list(box), "links": [], "maxzoom": finest}
            sets.append(_ViewerPlaces(document=document, layers=met_layers, tiles=tiles))
        return sets

    async def _places(self, sets: list[_ViewerPlaces]) -> None:
        """Write place sets, with the means of each place at all dates."""
        for place_set in sets:
            path = f"places/{place_set.document['id']}"
            for layer in place_set.layers:
                await self._values(path, layer)
            await self._answer(path, {}, await self._json(path, limit=str(MAX_PLACES)))
            outlines = await self._json(path, format="geojson", limit=str(MAX_PLACES))
            await self._answer(path, {"format": "geojson"}, outlines)
            for zoom, column, row in place_set.tiles:
                file = f"{path}/tiles/{MATRIX_SET}/{zoom}/{column}/{row}.mvt"
                await self._write(file, (await self._get(file, {"rev": place_set.document["revision"]})).body, TILE)
        await self._answer("places", {}, {"places": [s.document for s in sets]})

    async def _values(self, path: str, layer: _ViewerLayer) -> None:
        """Write all values of a place set, by the periods of cubes; none if the server refuses a request."""
        query = {"layer": layer.id, "reducer": "mean"}
        joined: Json = {"times": [], "values": []}
        for window in layer.windows:
            window_query = query | ({} if window is None else {"datetime": window})
            answer = await self._ask(f"{path}/values", window_query)
            if answer.status != 200:
                self.left_out.append(f"values of {layer.id} in {path}: {_reason(answer)}")
                return
            part = json.loads(answer.body)
            joined["times"] += part["times"]
            rows = joined["values"] or [[] for _ in part["values"]]
            joined = {
                **part,
                "times": joined["times"],
                "values": [a + b for a, b in zip(rows, part["values"], strict=True)],
            }
        await self._answer(f"{path}/values", query, joined)

    async def _cubes(self, cubes: list[tuple[str, str, dict[str, str]]], progress: Callable[[int], None]) -> None:
        remaining = iter(cubes)

        async def work() -> None:
            for file, path, query in remaining:
                # The name contains the revision of the layer, so an existing file is up to date.
                if await anyio.to_thread.run_sync(self._target.size, file) is None:
                    await self._write(file, (await self._get(path, query)).body, CUBE)
                else:
                    self.kept += 1
                progress(self.files + self.kept)

        try:
            async with anyio.create_task_group() as tasks:
                for _ in range(AT_ONCE):
                    tasks.start_soon(work)
        except BaseExceptionGroup as group:
            errors = group.subgroup(ChronotileError)
            if errors is None:
                raise
            raise errors.exceptions[0] from None

    async def _page(self) -> None:
        """Write the page that uses all other files; it has to be last."""
        policy = (await self._get("viewer/", {})).headers["content-security-policy"]
        policy = "; ".join(s for s in policy.split("; ") if not s.startswith("frame-ancestors"))
        page = (self._viewer / "index.html").read_text(encoding="utf-8")
        page = page.replace('<html lang="en">', '<html lang="en" data-static>', 1)
        page = page.replace('href="../"', 'href="../index.html"')
        meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        page = page.replace('<meta charset="utf-8">', f'<meta charset="utf-8">\n\t{meta}', 1)
        await self._write(PAGE, page.encode(), "text/html")
        await self._write("index.html", START, "text/html")

    def _remove_former(self, layer: _ViewerLayer) -> None:
        """Remove cubes of the previous revision of a layer."""
        former = self._former.get(layer.id)
        if former not in {None, layer.document["revision"]}:
            self._target.remove_folder(f"cubes/{layer.id}/{former}")
        self._former[layer.id] = layer.document["revision"]
        mark = {"collection": self._collection, "revisions": self._former}
        self._target.write(MARK, json.dumps(mark).encode(), media_type=JSON)

    async def _get(self, path: str, query: Mapping[str, str]) -> ViewerAnswer:
        answer = await self._ask(path, query)
        if answer.status >= 400:
            raise UnsupportedSource(f"{path} cannot be published: {_reason(answer)}")
        return answer

    async def _json(self, path: str, **query: str) -> Json:
        return dict(json.loads((await self._get(path, query)).body))

    async def _answer(self, path: str, query: Mapping[str, str], document: Json) -> None:
        await self._write(file_of(path, query), json.dumps(document, separators=(",", ":")).encode(), JSON)

    async def _write(self, path: str, data: bytes, media_type: str) -> None:
        await anyio.to_thread.run_sync(partial(self._target.write, path, data, media_type=media_type))
        self.files += 1
        self.bytes += len(data)


def _reason(answer: ViewerAnswer) -> str:
    try:
        return str(json.loads(answer.body).get("detail", answer.status))
    except ValueError:
        return str(answer.status)
