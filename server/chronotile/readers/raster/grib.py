"""What the headers of GRIB messages tell that GDAL does not: the grid of each, and what kind of field it is.

GDAL gives all bands the size and the place of the first message, and the rows of Gaussian grids distances that are not
theirs. Octets are those of WMO's Manual on Codes, FM 92; `octets[n - 1]` is octet n.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from affine import Affine

from chronotile.core.errors import UnsupportedSource
from chronotile.readers.raster.grib_structure import LOOK_BYTES, SPECTRAL_TYPES, MessageSpan, find_messages
from chronotile.readers.tiff import Read

GRIB = "GRIB"
"""GDAL's name of the format, and how a message begins."""
LEAST_BYTES = 80
"""Of a section, which the octets that are looked at are among."""

_MISSING = 0xFFFFFFFF
_PROCESSES = ("average", "accumulation", "maximum", "minimum", "difference", "rms", "deviation")
"""By WMO's code table 4.10."""
_PROCESS_OCTETS = {8: 47, 9: 60, 10: 48, 11: 50, 12: 49}
"""By product definition template: where the statistical process of a period stands."""
_DERIVED = {0: "mean", 1: "weighted mean", 2: "deviation", 3: "normalised deviation", 4: "spread"}
"""By WMO's code table 4.7."""
_RANGES = {
    **dict.fromkeys((3, 113, 123), "average"),
    **dict.fromkeys((4, 114, 124), "accumulation"),
    2: "interval",
    5: "difference",
}
"""By code table 5 of GRIB 1."""
_ECMWF, _NCEP = 98, 7

SPLIT = "cdo splitgrid IN OUT writes a file for each grid"
_REDUCED = "its rows have different numbers of cells; make them equal first (cdo -f nc setgridtype,regular IN OUT.nc)"
_SPECTRAL = "it holds spherical harmonics and no cells; transform them first (cdo -f nc sp2gp IN OUT.nc)"
_UNSTRUCTURED = "its cells do not lie in rows and columns; regrid it first (cdo -f nc remapnn,r360x180 IN OUT.nc)"
_UNPLACED = "GDAL places {} wrongly; convert it first (cdo -f nc copy IN OUT.nc)"


class Family(NamedTuple):
    """Grids of one template."""

    flags: int
    """Octet of the directions of vectors, which do not concern the cells."""
    scan: int
    """Octet of the scanning mode."""


_LATLON, _PLANE = Family(55, 72), Family(47, 65)
_TEMPLATES = {
    **dict.fromkeys((0, 1, 40), _LATLON),
    **dict.fromkeys((20, 30, 31), _PLANE),
    **dict.fromkeys((10, 12), Family(47, 60)),
    90: Family(47, 64),
    140: Family(55, 64),
}
"""Of the templates that GDAL places."""
_SPECTRAL_TEMPLATES, _UNSTRUCTURED_TEMPLATES = range(50, 54), (100, 101)
_GAUSSIAN, _POLAR, _SPACE_VIEW = 40, 20, 90
_FROM_SOUTH_ONLY = {10, 20, 30, 31}
"""Templates whose rows GDAL takes to begin in the south, whatever the scanning mode."""
_LATLON_TYPES, _TYPES = {0, 4, 10}, {0, 1, 3, 4, 5, 10, 90}
"""Of GRIB 1: the types that GDAL places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageGrid:
    """The grid section of a message."""

    identity: tuple[object, ...]
    """Equal for grids of the same cells."""
    columns: int
    rows: int
    kind: int = 0
    """Number of the template of edition 2, of the type of edition 1."""
    corners: tuple[float, ...] = ()
    """Latitude and longitude of the first and, of some kinds, the last cell in degrees; empty where not read."""
    latitudes: tuple[float, float] | None = None
    """Of the first and last row of a Gaussian grid, in degrees."""
    fault: str | None = None
    """Why its cells are not where GDAL puts them."""

    def placed(self, transform: Affine, *, height: int) -> Affine:
        """Return GDAL's transform of `height` rows, with the rows of a Gaussian grid where they are.

        They are served as evenly spaced between the first and the last, which misses none by more than 0.015 rows.
        """
        if self.latitudes is None or self.rows < 2:
            return transform
        step = abs(self.latitudes[0] - self.latitudes[1]) / (self.rows - 1)
        top = max(self.latitudes) + step / 2
        return Affine(transform.a, 0.0, transform.c, 0.0, -step * self.rows / height, top)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One field of a file."""

    grid: MessageGrid
    process: str | None
    """What the values are of a period, such as its average; `None` of values at an instant."""
    member: str | None
    """Which of an ensemble it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMessages:
    """The messages of a file."""

    fields: tuple[Message, ...] = ()
    """Of the messages that can be read."""
    parts: tuple[range, ...] = ()
    """The bytes of those messages."""
    faults: tuple[str, ...] = ()
    """The numbers of the other messages, which GDAL is not given, and why."""

    @property
    def fault_text(self) -> str | None:
        """The number of messages that cannot be read, with one example; `None` without any."""
        if len(self.faults) < 2:
            return next(iter(self.faults), None)
        return f"{len(self.faults)} messages cannot be read, such as {self.faults[0]}"


def read_messages(read: Read) -> FileMessages:
    """Return the messages of a file.

    Raises:
        OSError: None can be read.
    """
    spans = list(find_messages(read))
    messages = FileMessages(
        fields=tuple(each for span in spans if span.fault is None for each in _fields(read, span)),
        parts=tuple(range(span.start, span.stop) for span in spans if span.fault is None),
        faults=tuple(f"message {n}: {span.fault}" for n, span in enumerate(spans, start=1) if span.fault is not None),
    )
    if spans and not messages.parts:
        raise OSError(f"none of its messages can be read; {messages.fault_text}")
    return messages


def require_placed(messages: Sequence[Message], count: int) -> None:
    """Check the fields of a file of which GDAL finds `count`.

    Raises:
        UnsupportedSource: They are others, or the first, by which GDAL places all, is not where GDAL puts it.
    """
    if len(messages) != count:
        raise UnsupportedSource(
            f"its headers tell of {len(messages)} messages, GDAL finds {count}; write it again (grib_copy IN OUT)"
        )
    if messages[0].grid.fault is not None:
        raise UnsupportedSource(messages[0].grid.fault)


def bands_elsewhere(messages: Sequence[Message]) -> frozenset[int]:
    """Return the numbers of the bands on another grid than the first, as which GDAL reads all."""
    first = messages[0].grid.identity if messages else ()
    return frozenset(number for number, each in enumerate(messages, start=1) if each.grid.identity != first)


def grid_difference(grid: MessageGrid, first: MessageGrid) -> str:
    """Return in words how a grid differs from another one."""
    pairs = (
        (f"{grid.columns} x {grid.rows} cells", f"{first.columns} x {first.rows} cells"),
        (f"grid type {grid.kind}", f"grid type {first.kind}"),
        (_corners_text(grid), _corners_text(first)),
    )
    return next((f"{one}, not {other}" for one, other in pairs if one != other), "other parameters of the projection")


def _corners_text(grid: MessageGrid) -> str:
    places = [f"{lat:g}, {lon:g}" for lat, lon in zip(grid.corners[::2], grid.corners[1::2], strict=True)]
    return f"from latitude and longitude {' to '.join(places)}"


def _fields(read: Read, span: MessageSpan) -> Iterator[Message]:
    """Yield the fields of a message; in edition 2 each section counts until the next of its number."""
    if span.edition == 1:
        yield _field_of_first_edition(read, span.start)
        return
    grid = None
    for number, start, size in span.sections:
        if number == 3:
            grid = _grid(_section(read, start, size))
        elif number == 4 and grid is not None:
            process, member = _kind(_section(read, start, size))
            yield Message(grid=grid, process=process, member=member)


def _section(read: Read, at: int, size: int) -> bytes:
    # The beginning of a section; of one that is cut short with zeros for the octets that are looked at.
    return read(at, min(size, LOOK_BYTES)).ljust(LEAST_BYTES, b"\0")


def _grid(octets: bytes) -> MessageGrid:
    template = int.from_bytes(octets[12:14], "big")
    columns, rows = (int.from_bytes(octets[at : at + 4], "big") for at in (30, 34))
    family = _TEMPLATES.get(template)
    if octets[10]:
        return MessageGrid(identity=(octets,), columns=columns, rows=rows, fault=_REDUCED)
    if family is None:
        reason = (
            _UNSTRUCTURED if template in _UNSTRUCTURED_TEMPLATES else _UNPLACED.format(f"grids of template {template}")
        )
        fault = _SPECTRAL if template in _SPECTRAL_TEMPLATES else reason
        return MessageGrid(identity=(octets,), columns=columns, rows=rows, fault=fault)
    identity: tuple[object, ...] = (octets[12 : family.flags - 1], octets[family.flags :])
    if family is _LATLON:
        # In whatever order the rows are stored, GDAL's begin in the north.
        sides = frozenset((octets[46:50], octets[55:59]))
        identity = (octets[12:46], sides, octets[50:54], octets[59:63], octets[72:])
    return MessageGrid(
        identity=identity,
        columns=columns,
        rows=rows,
        kind=template,
        corners=_corners(octets) if family is _LATLON else (),
        latitudes=_latitudes(octets) if template == _GAUSSIAN else None,
        fault=_fault(octets, template, octets[family.scan - 1]),
    )


def _fault(octets: bytes, template: int, scan: int) -> str | None:
    if template == _SPACE_VIEW:
        is_meteosat = not any(octets[38:46]) and not any(octets[72:80])
        return None if is_meteosat else _UNPLACED.format("views from space but those of the whole disc at 0 degrees")
    if scan & 0x80:
        return _UNPLACED.format("rows from east to west")
    if template in _FROM_SOUTH_ONLY and not scan & 0x40:
        return _UNPLACED.format("rows from north to south on a plane")
    if template == _POLAR and octets[63] & 0x80 and _signed(octets[47:51]) > 0:
        return _UNPLACED.format("a plane at the south pole with a latitude in the north")
    return None


def _latitudes(octets: bytes) -> tuple[float, float]:
    return _signed(octets[46:50]) * _unit(octets), _signed(octets[55:59]) * _unit(octets)


def _corners(octets: bytes) -> tuple[float, ...]:
    latitudes, (west, east) = _latitudes(octets), (_signed(octets[at : at + 4]) * _unit(octets) for at in (50, 59))
    return max(latitudes), west, min(latitudes), east


def _unit(octets: bytes) -> float:
    # Of angles, in degrees.
    basic, parts = (int.from_bytes(octets[at : at + 4], "big") for at in (38, 42))
    return 1e-6 if basic in (0, _MISSING) or parts in (0, _MISSING) else basic / parts


def _kind(octets: bytes) -> tuple[str | None, str | None]:
    """The statistical process and the member of a product definition."""
    template = int.from_bytes(octets[7:9], "big")
    process = member = None
    octet = _PROCESS_OCTETS.get(template, 0)
    if 0 < octet <= len(octets):
        code = octets[octet - 1]
        process = _PROCESSES[code] if code < len(_PROCESSES) else f"process {code}"
    if template in (1, 11):
        sign = "-" if octets[34] == 2 else ""  # of the pair that is perturbed both ways
        member = f"member {sign}{octets[35]}"
    elif template in (2, 12):
        member = f"ensemble {_DERIVED.get(octets[34], octets[34])}"
    return process, member


def _field_of_first_edition(read: Read, start: int) -> Message:
    at = start + 8
    product = read(at, int.from_bytes(read(at, 3), "big"))
    at += len(product)
    section = read(at, int.from_bytes(read(at, 3), "big")) if product[7] & 0x80 else b""
    return Message(
        grid=_grid_of_first_edition(section), process=_RANGES.get(product[20]), member=_member_of_first_edition(product)
    )


def _grid_of_first_edition(octets: bytes) -> MessageGrid:
    if len(octets) < 32:
        return MessageGrid(identity=(octets,), columns=0, rows=0, fault=_UNPLACED.format("grids by their number alone"))
    kind, list_at = octets[5], octets[4]
    columns, rows = int.from_bytes(octets[6:8], "big"), int.from_bytes(octets[8:10], "big")
    end = list_at - 1 if list_at not in (0, 255) else len(octets)  # then follow levels, which do not concern the cells
    identity: tuple[object, ...] = (octets[5:16], octets[17:end])
    if kind in _LATLON_TYPES:
        identity = (
            octets[5:10],
            frozenset((octets[10:13], octets[17:20])),
            octets[13:16],
            octets[20:23],
            octets[32:end],
        )
    return MessageGrid(
        identity=identity,
        columns=columns,
        rows=rows,
        kind=kind,
        corners=_corners_of_first_edition(octets) if kind in _LATLON_TYPES else (),
        latitudes=(_signed(octets[10:13]) / 1000, _signed(octets[17:20]) / 1000) if kind == 4 else None,
        fault=_fault_of_first_edition(octets, kind, columns),
    )


def _corners_of_first_edition(octets: bytes) -> tuple[float, ...]:
    north, west, south, east = (_signed(octets[at : at + 3]) / 1000 for at in (10, 13, 17, 20))
    return max(north, south), west, min(north, south), east


def _fault_of_first_edition(octets: bytes, kind: int, columns: int) -> str | None:
    if columns == 0xFFFF:
        return _REDUCED
    if kind in SPECTRAL_TYPES:
        return _SPECTRAL
    if kind not in _TYPES:
        return _UNPLACED.format(f"grids of type {kind}")
    if kind == _SPACE_VIEW and (any(octets[10:16]) or any(octets[34:38])):
        return _UNPLACED.format("views from space but those of the whole disc at 0 degrees")
    return _UNPLACED.format("rows from east to west") if octets[27] & 0x80 and kind != _SPACE_VIEW else None


def _member_of_first_edition(product: bytes) -> str | None:
    """The member that the extension of a product definition by its centre names."""
    centre, own = product[4], product[40:]
    if centre == _NCEP and len(own) >= 4 and own[0] == 1 and own[1] in (1, 2, 3):
        sign = "-" if own[1] == 2 else ""
        return f"member {sign}{own[2] if own[1] > 1 else 0}"
    is_ecmwf = _ECMWF in (centre, product[25]) and len(own) >= 11
    if is_ecmwf and own[0] in (12, 15, 16):
        return f"member {int.from_bytes(own[9:11], 'big')}"
    if is_ecmwf and own[0] in (1, 26, 30, 36) and own[10]:
        return f"member {own[9]}"
    return None


def _signed(octets: bytes) -> int:
    # A number whose first bit is its sign.
    number, sign = int.from_bytes(octets, "big"), 1 << (8 * len(octets) - 1)
    return sign - number if number & sign else number
