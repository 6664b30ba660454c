"""GRIB files. Each message is cut out of its file and opened separately with GDAL.

A separate message has its own grid, time and values, independent of other messages. GDAL takes the rows of Gaussian
grids for evenly spaced; they are at the roots of Legendre polynomials, which numpy computes.
"""

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from chronotile.audit.truth import Axis, Cells, NumberMeaning, StoredTruth, override_meaning
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.types import Float64Array, NumberArray

MAGIC, END = b"GRIB", b"7777"
MIN_SIZE = 12
"""Bytes of a message with its first section and its end."""
GAUSSIAN = 40
"""Number of the template of section 3, edition 2."""
GAUSSIAN_1 = 4
"""Number of the type of grid, edition 1."""
PROCESS_AT = {"8": 23, "9": 30, "10": 24, "11": 26, "12": 25}
PROCESSES = ("average", "accumulation", "maximum", "minimum", "difference", "rms", "deviation")
DERIVED = {"0": "mean", "1": "weighted_mean", "2": "deviation", "3": "normalised_deviation", "4": "spread"}
"""Statistics of ensemble members."""
ROUNDING = 1e-6
"""GRIB stores millionths of a degree, or thousandths in edition 1."""
MAX_OPEN, MAX_FILES = 2, 64
"""Numbers of cached fields, and of files whose messages are cached."""


class Message(NamedTuple):
    """The position of a message in its file."""

    path: str
    start: int
    size: int


class FieldOfMessage(NamedTuple):
    """A field of a message; most messages have one field."""

    message: Message
    band: int
    name: str
    """Element, level and kind, as reported by GDAL."""
    time: np.datetime64 | None
    run: np.datetime64
    """Reference time."""


class GribTruth(StoredTruth):
    """One element at one level, whose times are messages."""

    def __init__(self, variable: VariableSpec, paths: list[str]) -> None:
        if variable.band is not None:
            raise UnsupportedSource("messages that the configuration numbers are not audited")
        steps = {step.dimension: step.value for step in variable.select}
        name = variable.name or variable.id
        if "number" in steps:
            name += f"_member{steps['number']}"
        fields = [field for path in paths for field in _fields(path, Path(path).stat().st_mtime_ns)]
        element_fields = [f for f in fields if f.name == name]
        if not element_fields:  # our names end with the kind of field, which GDAL does not report for GRIB edition 1
            element_fields = [f for f in fields if name.startswith(f"{f.name}_")]
            if len({f.time for f in element_fields}) != len(element_fields) or not element_fields:
                raise UnsupportedSource("it is not certain which messages are of its element, level and kind")
        self._variable = variable
        self._by_time = {f.time: f for f in sorted(_select_run(element_fields, steps.get("run")), key=lambda f: f.run)}
        self._open_message = lru_cache(MAX_OPEN)(_read)

    def cells(self, instant: np.datetime64 | None, index: int, x: Float64Array, y: Float64Array) -> Cells:  # noqa: ARG002 -- part of the protocol
        """Return numbers (y, x) with their encoding."""
        if instant not in self._by_time:
            raise UnsupportedSource(f"no message is of {instant}")
        place = self._by_time[instant]
        field = self._open_message(place)
        stored_meaning = NumberMeaning(scale=1.0, offset=0.0, nodata=() if field.nodata is None else (field.nodata,))
        return Cells(
            field.at(x, y), override_meaning(stored_meaning, self._variable), origin=Path(place.message.path).name
        )

    def has(self, instant: np.datetime64) -> bool:
        """Return whether a message has the instant."""
        return instant in self._by_time


def _select_run(fields: list[FieldOfMessage], run: float | str | None) -> list[FieldOfMessage]:
    """Return the fields of a run, which is a date, an instant or `latest`; of all runs if it is `None`."""
    if run is None:
        return fields
    text = str(max(f.run for f in fields)) if run == "latest" else str(run).removesuffix("Z")
    return [f for f in fields if str(f.run).startswith(text)]


class Corners(NamedTuple):
    """Longitude and latitude in degrees of the first and the last cell of a grid."""

    first: tuple[float, float]
    last: tuple[float, float]


class _GribField(NamedTuple):
    """The numbers of a field, and their positions."""

    numbers: NumberArray
    nodata: float | None
    x: Axis
    y: Axis

    def at(self, x: Float64Array, y: Float64Array) -> NumberArray:
        return self.numbers[self.y.places(y), self.x.places(x)]


def is_grib(path: str) -> bool:
    """Return whether a file starts with GRIB, possibly after the heading of a bulletin."""
    with Path(path).open("rb") as file:
        return MAGIC in file.read(200)


def _messages(path: str) -> Iterator[Message]:
    """Yield the messages of a file by their stated lengths."""
    with Path(path).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        start = content.find(MAGIC)
        while start >= 0:
            edition = int.from_bytes(content[start + 7 : start + 8])
            size = int.from_bytes(content[start + 8 : start + 16] if edition == 2 else content[start + 4 : start + 7])
            if size < MIN_SIZE or content[start + size - len(END) : start + size] != END:
                raise UnsupportedSource("the lengths of its messages are not those of GRIB")
            yield Message(path, start, size)
            start = content.find(MAGIC, start + size)


@lru_cache(MAX_FILES)
def _fields(path: str, _changed_ns: int) -> tuple[FieldOfMessage, ...]:
    fields = []
    for message in _messages(path):
        with _open_message(message) as dataset:
            for band in dataset.indexes:
                tags = dataset.tags(band)
                parts = (tags.get("GRIB_ELEMENT", "").strip(), tags.get("GRIB_SHORT_NAME", "").strip(), *_kind(tags))
                run = np.datetime64(_seconds(tags, "REF_TIME"), "s")
                fields.append(FieldOfMessage(message, band, "_".join(filter(None, parts)), _time(tags), run))
    return tuple(fields)


def _kind(tags: dict[str, str]) -> Iterator[str]:
    """Yield statistical process and ensemble member of a field of edition 2, by the template of its product."""
    template, values = tags.get("GRIB_PDS_PDTN", ""), tags.get("GRIB_PDS_TEMPLATE_ASSEMBLED_VALUES", "").split()
    process = PROCESS_AT.get(template)
    if process is not None and process < len(values):
        code = int(values[process])
        yield PROCESSES[code] if code < len(PROCESSES) else f"process {code}"
    if template in {"1", "11"}:
        yield f"member{'-' if values[15] == '2' else ''}{values[16]}"
    elif template in {"2", "12"}:
        yield f"ensemble_{DERIVED.get(values[15], values[15])}"


def _time(tags: dict[str, str]) -> np.datetime64 | None:
    """Return the valid time, or else the reference time plus the step."""
    valid, reference, step = (_seconds(tags, name) for name in ("VALID_TIME", "REF_TIME", "FORECAST_SECONDS"))
    seconds = valid or reference + step
    return np.datetime64(seconds, "s").astype("datetime64[ns]") if seconds else None


def _seconds(tags: dict[str, str], name: str) -> int:
    match = re.match(r"\s*(-?\d+)", tags.get(f"GRIB_{name}", ""))
    return int(match[1]) if match else 0


@contextmanager
def _open_message(message: Message) -> Iterator[Any]:
    with Path(message.path).open("rb") as file:
        file.seek(message.start)
        content = file.read(message.size)
    try:
        with (
            rasterio.Env(GRIB_NORMALIZE_UNITS=False),
            rasterio.MemoryFile(content, ext=".grib2") as alone,
            alone.open(driver="GRIB") as dataset,
        ):
            yield dataset
    except RasterioError as error:
        raise UnsupportedSource("a message cannot be read by GDAL") from error


def _read(field: FieldOfMessage) -> _GribField:
    with Path(field.message.path).open("rb") as file:
        file.seek(field.message.start)
        content = file.read(field.message.size)
    parallels, corners = _parallels(content), _corners(content)
    with _open_message(field.message) as dataset:
        transform, is_degrees = dataset.transform, bool(dataset.crs and dataset.crs.is_geographic)
        columns, rows = (np.arange(size) + 0.5 for size in dataset.shape[::-1])
        y = transform.f + transform.e * rows
        if parallels is not None:
            all_rows = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(2 * parallels)[0]))[::-1]
            first = int(np.abs(all_rows - y[0]).argmin())
            y = all_rows[first : first + y.size]
        x = transform.c + transform.a * columns
        if corners is not None:  # increments may contradict the corners
            south, north = sorted((corners.first[1], corners.last[1]))
            width = (corners.last[0] - corners.first[0]) % 360
            y = np.linspace(north, south, y.size) if abs(y[-1] - south) > abs(transform.e) / 2 else y
            x = x[0] + np.linspace(0, width, x.size) if abs(x[-1] - x[0] - width) > transform.a / 2 else x
        return _GribField(
            numbers=dataset.read(field.band),
            nodata=dataset.nodatavals[field.band - 1],
            x=Axis("x", x, ROUNDING, is_longitude=is_degrees),
            y=Axis("y", y, ROUNDING),
        )


def _parallels(message: bytes) -> int | None:
    """Return the number of rows between pole and equator of a Gaussian grid; `None` for other grids.

    Raises:
        UnsupportedSource: The grid is a reduced one.
    """
    if message[7] == 1:
        grid = message[8 + int.from_bytes(message[8:11]) :]  # a predefined grid has no such section
        kind, is_reduced, parallels = grid[5], grid[6:8] == b"\xff\xff", int.from_bytes(grid[25:27])
        is_gaussian = bool(message[15] & 0x80) and kind == GAUSSIAN_1
    else:
        grid = _section_3(message)
        (kind,) = struct.unpack(">H", grid[12:14])
        is_gaussian = kind == GAUSSIAN
        is_reduced, parallels = grid[30:34] == b"\xff" * 4, int.from_bytes(grid[67:71])
    if is_gaussian and is_reduced:
        raise UnsupportedSource("its grid is a reduced one")
    return parallels if is_gaussian else None


def _corners(message: bytes) -> Corners | None:
    """Return the corners of a grid of latitudes and longitudes; `None` for other grids."""
    if message[7] == 1:
        grid, unit, size = message[8 + int.from_bytes(message[8:11]) :], 1e-3, 3
        is_regular, first, last = bool(message[15] & 0x80) and grid[5] == 0, 10, 17
    else:
        grid, unit, size = _section_3(message), 1e-6, 4
        is_regular, first, last = grid[12:14] == b"\0\0", 46, 55
    latitudes, longitudes = (
        [_number_with_sign(grid[at + shift : at + shift + size]) * unit for at in (first, last)] for shift in (0, size)
    )
    return Corners((longitudes[0], latitudes[0]), (longitudes[1], latitudes[1])) if is_regular else None


def _number_with_sign(octets: bytes) -> int:
    """Return a number whose first bit is its sign."""
    sign = 1 << (8 * len(octets) - 1)
    number = int.from_bytes(octets)
    return sign - number if number & sign else number


def _section_3(message: bytes) -> bytes:
    at = 16
    while message[at + 4] != 3:
        at += int.from_bytes(message[at : at + 4])
    return message[at : at + int.from_bytes(message[at : at + 4])]
