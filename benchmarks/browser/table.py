"""The measurements of the viewer as one page: figures with their goals, the race, bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KB, MB = 1e3, 1e6
Found = Mapping[str, Any]
HEAD = """# The viewer in a browser

{machine}; Chromium {chromium}, headless, without a graphics card. Browser, server (two workers) and line share the
cores. Taken {taken} by `make bench-browser`. The map is 1024 x 768 pixels and shows 12 tiles of a year every five days
(73 dates, 10 m, under clouds 43 % of the time, synthetic). The far line has 50 ms there and back and 20 Mbit/s down,
all connections together; it is a proxy, so that it holds for workers of the page too.
"""
ABOUT_RACE = """## The race to 73 dates that can be dragged

Clock, bytes and the server's processor time from the moment that the map moves to a place that is new for browser and
server. The competitor is Leaflet with one layer of palette PNG tiles per date (`benchmarks/browser/rival/`), all loaded
beforehand, the best possible case of classic tiles.

| line | who | ready after | bytes | server's CPU | frames/s when moving |
| --- | --- | --- | --- | --- | --- |"""
ABOUT_BYTES = """## Bytes of a tile's date

Bytes of a year of cubes as sent (gzip) divided by its dates, and palette PNG of the same tiles and dates.

| data | zoom, tiles, dates | cube | preview (`res=2`) | palette PNG | cube / PNG |
| --- | --- | --- | --- | --- | --- |"""
ABOUT_CUBES = """## A year of a tile from the server

Requested one after the other, each over a new connection; ms, p50 / p95.

| data | tiles | cold | warm |
| --- | --- | --- | --- |"""
ABOUT_CROWD = """## {viewers} viewers at the same time

All viewers concurrently open a year of a new layer ({tiles_each} tiles: the date, previews, all) from two workers with
empty caches. At the same time {tiles_per_s} classic tiles per second are requested. It took {seconds:.1f} s
and {cpu_s:.1f} s of CPU; {busy} answers were 503, and the viewer repeated these requests.

| answer | p50 / p95 ms |
| --- | --- |"""
ABOUT_START = """Until the first picture {scripts_until_shown} scripts had been requested, including scripts that
load automatically after the start: {script_bytes_until_shown:,} bytes; a second later
{settled_bytes:,} bytes of all kinds had come."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure and its goal: at most `limit`, or at least it."""

    what: str
    path: str
    """Position in the results: keys joined by dots."""
    limit: float
    unit: str = ""
    per: float = 1
    """Size of one unit in units of the results."""
    is_least: bool = False


GOALS = (
    Goal("frames a second while dragging over a loaded year", "moving.drag.frames_per_s", 55, "/s", is_least=True),
    Goal("time between its frames, p95", "moving.drag.frame_p95_ms", 17, "ms"),
    Goal("the same with names, keys and two layers, p95", "layers.warm.frame_p95_ms", 17, "ms"),
    Goal("requests while dragging over two layers", "layers.warm.requests", 0),
    Goal("requests while dragging over two layers that are not loaded", "layers.cold.requests", 0),
    Goal("painting a date (12 tiles), median", "moving.drag.paint_p50_ms", 8, "ms"),
    Goal("painting a date (12 tiles), p95", "moving.drag.paint_p95_ms", 8, "ms"),
    Goal("dates shown in the drag, of 73", "moving.drag.dates", 72, is_least=True),
    Goal("requests while dragging", "moving.drag.requests", 0),
    Goal("painting in other colours, p95", "moving.recolour.p95_ms", 16, "ms"),
    Goal("requests while recolouring", "moving.recolour.requests", 0),
    Goal("keys on the strip until the next picture, p98", "moving.events.p98_ms", 100, "ms"),
    Goal("longest task while a year loads", "moving.loading.longest_ms", 50, "ms"),
    Goal("decoded cubes at most, after more places", "moving.memory.most_mib", 256, "MiB"),
    Goal("scripts that start the viewer, gzip", "start.javascript_bytes", 80, "kB", KB),
    Goal("scripts that start the viewer", "start.scripts", 2),
    Goal("page and style sheets, gzip", "start.page_and_styles_bytes", 20, "kB", KB),
    Goal("map ready to be used, far line", "start.app_ms", 0.5, "s", 1000),
    Goal("first picture, far line", "start.shown_ms", 1.0, "s", 1000),
    Goal("largest contentful paint, far line", "start.largest_ms", 1.5, "s", 1000),
    Goal("bytes until the first picture", "start.first_view_bytes", 500, "kB", KB),
    Goal("unseen place until 73 dates can be dragged (preview), far line", "race-far-cubes.preview.ms", 2.5, "s", 1000),
    Goal("new place until 73 dates are complete, far line", "race-far-cubes.full.ms", 9, "s", 1000),
    Goal("click until the chart, from cubes", "clicks.cube_ms", 200, "ms"),
    Goal("click until the chart has the server's values", "clicks.server_ms", 1000, "ms"),
    Goal("cold cube tile of the season, p95", "cubes.1.cold.p95_ms", 250, "ms"),
    Goal("warm cube tile of the season, p95", "cubes.1.warm.p95_ms", 10, "ms"),
    Goal("classic tiles during 20 viewers, p95", "crowd.beside.p95_ms", 100, "ms"),
    Goal("GIF of 73 frames 1024 x 768, by the server", "films.0.ms", 4, "s", 1000),
    Goal("MP4 of 73 frames 1024 x 768, by the server", "films.1.ms", 4, "s", 1000),
)


def markdown(found: Found) -> str:
    """Return the page; of a part that failed, why."""
    lines = [HEAD.format(**found), *_goals(found)]
    for table in (_race, _bytes, _cubes, _crowd, _start):
        lines += ["", *table(found)]
    failed = [
        f"- {name}: {part['failed']}" for name, part in found.items() if isinstance(part, dict) and "failed" in part
    ]
    return "\n".join([*lines, "", *failed]).rstrip() + "\n"


def value_at(found: object, path: str) -> float | None:
    """Return the number under keys joined by dots, or `None`."""
    for key in path.split("."):
        if isinstance(found, list):
            found = dict(enumerate(found)).get(int(key))
        else:
            found = found.get(key) if isinstance(found, Mapping) else None
    return float(found) if isinstance(found, int | float) else None


def is_met(goal: Goal, value: float) -> bool:
    """Whether a figure, in the goal's unit, is as good as the goal."""
    return value >= goal.limit if goal.is_least else value <= goal.limit


def _goals(found: Found) -> list[str]:
    lines = ["| figure | measured | goal | |", "| --- | --- | --- | --- |"]
    for goal in GOALS:
        value = value_at(found, goal.path)
        sign = "≥" if goal.is_least else "≤"
        limit = f"{sign} {goal.limit:g} {goal.unit}".rstrip()
        if value is None:
            lines.append(f"| {goal.what} | - | {limit} | not measured |")
            continue
        scaled = value / goal.per
        verdict = "met" if is_met(goal, scaled) else "**missed**"
        lines.append(f"| {goal.what} | {_number(scaled)} {goal.unit} | {limit} | {verdict} |".replace("  ", " "))
    return lines


def _race(found: Found) -> list[str]:
    lines = [ABOUT_RACE]
    for line in ("near", "far"):
        cubes, pictures = found.get(f"race-{line}-cubes") or {}, found.get(f"race-{line}-pictures") or {}
        rows = [
            ("cubes, preview", cubes.get("preview"), None),
            ("cubes, in full", cubes.get("full"), value_at(found, "moving.drag.frames_per_s")),
            ("pictures", pictures.get("full"), pictures.get("frames_per_s")),
        ]
        for who, run, frames in rows:
            if run:
                moving = f"{frames:.0f}" if frames else ""
                figures = f"{run['ms'] / 1000:.2f} s | {run['bytes'] / MB:.1f} MB | {run['cpu_s']:.2f} s"
                lines.append(f"| {line} | {who} | {figures} | {moving} |")
    return lines


def _bytes(found: Found) -> list[str]:
    lines = [ABOUT_BYTES]
    for row in _rows(found, "bytes"):
        sizes = f"{row['cube'] / KB:.1f} kB | {row['preview'] / KB:.1f} kB | {row['pictures'] / KB:.1f} kB"
        ratio = row["cube"] / row["pictures"]
        lines.append(f"| {row['title']} | {row['z']}, {row['tiles']}, {row['dates']} | {sizes} | {ratio:.2f} |")
    return lines


def _cubes(found: Found) -> list[str]:
    return [
        ABOUT_CUBES,
        *(
            f"| {row['title']} | {row['tiles']} | {_pair(row['cold'])} | {_pair(row['warm'])} |"
            for row in _rows(found, "cubes")
        ),
    ]


def _crowd(found: Found) -> list[str]:
    crowd = found.get("crowd") or {}
    if "beside" not in crowd:
        return []
    rows = {
        "viewer: first picture": crowd["opened"],
        "viewer: previews of the year": crowd["preview"],
        "viewer: the year in full": crowd["full"],
        "classic tiles before": crowd["alone"],
        "classic tiles at the same time": crowd["beside"],
    }
    return [ABOUT_CROWD.format(**crowd), *(f"| {what} | {_pair(times)} |" for what, times in rows.items())]


def _start(found: Found) -> list[str]:
    start = found.get("start") or {}
    return [ABOUT_START.format(**start)] if "scripts_until_shown" in start else []


def _rows(found: Found, part: str) -> list[Found]:
    """Return the rows of a part; empty if the part failed or was skipped."""
    rows = found.get(part)
    return rows if isinstance(rows, list) else []


def _pair(times: Found) -> str:
    return f"{_number(times['p50_ms'])} / {_number(times['p95_ms'])}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
