"""The grid and the kind of field of each GRIB message, read from its header because GDAL reports them wrongly.

GDAL gives all bands the size and the georeference of the first message, and places the rows of Gaussian grids wrongly.
Octets are numbered as in WMO's Manual on Codes, FM 92; `octets[n - 1]` is octet n.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from affine import Affine

from chronotile.core.errors import UnsupportedSource
from chronotile.readers.raster.grib_structure import LOOK_BYTES, SPECTRAL_TYPES, MessageSpan, find_messages
from chronotile.readers.tiff import ReadBytes

GRIB = "GRIB"
"""GDAL's name of the format, and the first bytes of a message."""
MIN_SECTION_BYTES = 80
"""Short sections are padded to this size, so that all octets exist."""

_MISSING = 0xFFFFFFFF
_PROCESSES = ("average", "accumulation", "maximum", "minimum", "difference", "rms", "deviation")
"""Names of statistical processes (WMO code table 4.10)."""
_PROCESS_OCTETS = {8: 47, 9: 60, 10: 48, 11: 50, 12: 49}
"""Octet of the statistical process, by product definition template."""
_DERIVED = {0: "mean", 1: "weighted mean", 2: "deviation", 3: "normalised deviation", 4: "spread"}
"""Names of derived forecasts of an ensemble (WMO code table 4.7)."""
_RANGES = {
    **dict.fromkeys((3, 113, 123), "average"),
    **dict.fromkeys((4, 114, 124), "accumulation"),
    2: "interval",
    5: "difference",
}
"""Names of statistical processes in edition 1 (code table 5)."""
_ECMWF, _NCEP = 98, 7

SPLIT = "grib_copy IN 'OUT_[md5GridSection].grib' writes a file for each grid"
_REDUCED = "its rows have different numbers of cells; make them equal first (cdo -f nc setgridtype,regular IN OUT.nc)"
_SPECTRAL = "it holds spherical harmonics and no cells; transform them first (cdo -f nc sp2gp IN OUT.nc)"
_UNSTRUCTURED = "its cells do not lie in rows and columns; regrid it first (cdo -f nc remapnn,r360x180 IN OUT.nc)"
_UNPLACED = "GDAL places {} wrongly; convert it first (cdo -f nc copy IN OUT.nc)"


class Family(NamedTuple):
    """Grid templates with the same octets."""

    flags: int
    """Octet with the directions of vectors, which are ignored."""
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
"""Octets of the grid templates that GDAL places correctly."""
_SPECTRAL_TEMPLATES, _UNSTRUCTURED_TEMPLATES = range(50, 54), (100, 101)
_POLAR, _SPACE_VIEW = 20, 90
_GAUSSIAN_KINDS = (40, 4)
"""Template of edition 2 and grid type of edition 1."""
_FROM_SOUTH_ONLY = {10, 20, 30, 31}
"""Templates whose rows GDAL always reads from the south, ignoring the scanning mode."""
_LATLON_TYPES, _TYPES = {0, 4, 10}, {0, 1, 3, 4, 5, 10, 90}
"""Grid types of edition 1 that GDAL places correctly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageGrid:
    """The grid section of a message."""

    identity: tuple[object, ...]
    """Equal for grids with the same cells."""
    columns: int
    rows: int
    kind: int = 0
    """Template of edition 2 or grid type of edition 1."""
    corners: tuple[float, ...] = ()
    """Latitude and longitude of the first and, in some templates, the last cell in degrees; empty if not read."""
    fault: str | None = None
    """Why GDAL places its cells wrongly; `None` if it places them correctly."""

    def correct_transform(self, transform: Affine, *, height: int) -> Affine:
        """Return GDAL's transform for `height` rows, corrected for Gaussian grids and wrong increments.

        The rows of a Gaussian grid are served evenly spaced between the first and the last, which is wrong by at most
        0.015 rows. Increments that contradict the corners by half a cell are replaced.
        """
        if not self.corners or min(self.rows, self.columns) < 2:
            return transform
        north, first, south, last = self.corners
        down, right = (north - south) / (self.rows - 1), ((last - first) % 360 or 360) / (self.columns - 1)
        width, west, top, step = transform.a, transform.c, transform.f, -transform.e * height / self.rows
        if self.kind in _GAUSSIAN_KINDS or abs(step - down) * self.rows > down / 2:
            step, top = down, north + down / 2
        if abs(width - right) * self.columns > right / 2:
            width, west = right, west + (width - right) / 2
        return Affine(width, 0.0, west, 0.0, -step * self.rows / height, top)


@dataclass(frozen=True, slots=True, kw_only=True)
class GribMessage:
    """One field of a file."""

    grid: MessageGrid
    process: str | None
    """How values of a period were made, such as average; `None` for values at an instant."""
    derived: str | None = None
    """Statistic of an ensemble, such as its mean; `None` for a single forecast."""
    member: int | None = None
    """Number of the member of an ensemble; `None` for a single forecast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileMessages:
    """The messages of a file."""

    fields: tuple[GribMessage, ...] = ()
    """Fields of the readable messages."""
    parts: tuple[range, ...] = ()
    """Bytes of the readable messages, as offsets in the file."""
    faults: tuple[str, ...] = ()
    """Number and fault of each unreadable message; they are hidden from GDAL."""

    @property
    def fault_text(self) -> str | None:
        """Number of unreadable messages with one example; `None` if all are readable."""
        if len(self.faults) < 2:
            return next(iter(self.faults), None)
        return f"{len(self.faults)} messages cannot be read, such as {self.faults[0]}"


def read_messages(read: ReadBytes) -> FileMessages:
    """Return the messages of a file.

    Raises:
        OSError: No message can be read.
    """
    spans = list(find_messages(read))
    messages = FileMessages(
        fields=tuple(f for span in spans if span.fault is None for f in _fields(read, span)),
        parts=tuple(range(span.start, span.stop) for span in spans if span.fault is None),
        faults=tuple(f"message {n}: {span.fault}" for n, span in enumerate(spans, start=1) if span.fault is not None),
    )
    if spans and not messages.parts:
        raise OSError(f"none of its messages can be read; {messages.fault_text}")
    return messages


def require_placed(messages: Sequence[GribMessage], count: int) -> None:
    """Check that GDAL finds the fields of a file and places them correctly.

    Args:
        messages: Fields of the file.
        count: Number of bands that GDAL finds.

    Raises:
        UnsupportedSource: The numbers differ, or GDAL places the fields wrongly.
    """
    if len(messages) != count:
        raise UnsupportedSource(
            f"its headers list {len(messages)} messages, GDAL finds {count}; write it again (grib_copy IN OUT)"
        )
    if messages[0].grid.fault is not None:
        raise UnsupportedSource(messages[0].grid.fault)


def bands_on_other_grids(messages: Sequence[GribMessage]) -> frozenset[int]:
    """Return the numbers of the bands on another grid than the first; GDAL reads all bands on the grid of the first."""
    first = messages[0].grid.identity if messages else ()
    return frozenset(number for number, m in enumerate(messages, start=1) if m.grid.identity != first)


def grid_difference(grid: MessageGrid, first: MessageGrid) -> str:
    """Return how a grid differs from the first one, for messages."""
    pairs = (
        (f"{grid.columns} x {grid.rows} cells", f"{first.columns} x {first.rows} cells"),
        (f"grid type {grid.kind}", f"grid type {first.kind}"),
        (_corners_text(grid), _corners_text(first)),
    )
    return next((f"{one}, not {other}" for one, other in pairs if one != other), "other parameters of the projection")


def _corners_text(grid: MessageGrid) -> str:
    places = [f"{lat:g}, {lon:g}" for lat, lon in zip(grid.corners[::2], grid.corners[1::2], strict=True)]
    return f"from latitude and longitude {' to '.join(places)}"


def _fields(read: ReadBytes, span: MessageSpan) -> Iterator[GribMessage]:
    """Yield the fields of a message; in edition 2 a section is valid until its number occurs again."""
    if span.edition == 1:
        yield _field_of_first_edition(read, span.start)
        return
    grid = None
    for number, start, size in span.sections:
        if number == 3:
            grid = _grid(_section(read, start, size))
        elif number == 4 and grid is not None:
            yield _kind(_section(read, start, size), grid)


def _section(read: ReadBytes, at: int, size: int) -> bytes:
    # The start of a section, padded with zeros if it is short.
    return read(at, min(size, LOOK_BYTES)).ljust(MIN_SECTION_BYTES, b"\0")


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
        # GDAL's rows start in the north for any stored order.
        sides = frozenset((octets[46:50], octets[55:59]))
        identity = (octets[12:46], sides, octets[50:54], octets[59:63], octets[72:])
    return MessageGrid(
        identity=identity,
        columns=columns,
        rows=rows,
        kind=template,
        corners=_corners(octets) if family is _LATLON else (),
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
    if template == _POLAR and octets[63] & 0x80 and _signed_number(octets[47:51]) > 0:
        return _UNPLACED.format("a plane at the south pole with a latitude in the north")
    return None


def _latitudes(octets: bytes) -> tuple[float, float]:
    return _signed_number(octets[46:50]) * _unit(octets), _signed_number(octets[55:59]) * _unit(octets)


def _corners(octets: bytes) -> tuple[float, ...]:
    latitudes, (west, east) = (
        _latitudes(octets),
        (_signed_number(octets[at : at + 4]) * _unit(octets) for at in (50, 59)),
    )
    return max(latitudes), west, min(latitudes), east


def _unit(octets: bytes) -> float:
    # Degrees per unit of stored angles.
    basic, parts = (int.from_bytes(octets[at : at + 4], "big") for at in (38, 42))
    return 1e-6 if basic in (0, _MISSING) or parts in (0, _MISSING) else basic / parts


def _kind(octets: bytes, grid: MessageGrid) -> GribMessage:
    """Return the field of a product definition on a grid."""
    template = int.from_bytes(octets[7:9], "big")
    process = derived = member = None
    octet = _PROCESS_OCTETS.get(template, 0)
    if 0 < octet <= len(octets):
        code = octets[octet - 1]
        process = _PROCESSES[code] if code < len(_PROCESSES) else f"process {code}"
    if template in (1, 11):
        member = -octets[35] if octets[34] == 2 else octets[35]  # 2: negative perturbation
    elif template in (2, 12):
        derived = f"ensemble {_DERIVED.get(octets[34], octets[34])}"
    return GribMessage(grid=grid, process=process, derived=derived, member=member)


def _field_of_first_edition(read: ReadBytes, start: int) -> GribMessage:
    at = start + 8
    product = read(at, int.from_bytes(read(at, 3), "big"))
    at += len(product)
    section = read(at, int.from_bytes(read(at, 3), "big")) if product[7] & 0x80 else b""
    return GribMessage(
        grid=_grid_of_first_edition(section), process=_RANGES.get(product[20]), member=_member_of_first_edition(product)
    )


def _grid_of_first_edition(octets: bytes) -> MessageGrid:
    if len(octets) < 32:
        return MessageGrid(identity=(octets,), columns=0, rows=0, fault=_UNPLACED.format("grids by their number alone"))
    kind, list_at = octets[5], octets[4]
    columns, rows = int.from_bytes(octets[6:8], "big"), int.from_bytes(octets[8:10], "big")
    end = list_at - 1 if list_at not in (0, 255) else len(octets)  # vertical levels follow, which are ignored
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
        fault=_fault_of_first_edition(octets, kind, columns),
    )


def _corners_of_first_edition(octets: bytes) -> tuple[float, ...]:
    north, west, south, east = (_signed_number(octets[at : at + 3]) / 1000 for at in (10, 13, 17, 20))
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


def _member_of_first_edition(product: bytes) -> int | None:
    """Return the number of the ensemble member, from the local extension of ECMWF or NCEP in a product definition."""
    centre, extension = product[4], product[40:]
    if centre == _NCEP and len(extension) >= 4 and extension[0] == 1 and extension[1] in (1, 2, 3):
        return {1: 0, 2: -extension[2], 3: extension[2]}[extension[1]]
    is_ecmwf = _ECMWF in (centre, product[25]) and len(extension) >= 11
    if is_ecmwf and extension[0] in (12, 15, 16):
        return int.from_bytes(extension[9:11], "big")
    if is_ecmwf and extension[0] in (1, 26, 30, 36) and extension[10]:
        return extension[9]
    return None


def _signed_number(octets: bytes) -> int:
    # The first bit is the sign.
    number, sign = int.from_bytes(octets, "big"), 1 << (8 * len(octets) - 1)
    return sign - number if number & sign else number
