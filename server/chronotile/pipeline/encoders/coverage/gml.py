"""Coverages in the GML Application Schema for Coverages (GMLCOV 1.0, OGC 09-146r2): described, whole, with a file."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from lxml import etree
from lxml.builder import ElementMaker

from chronotile.core.model.coverage import Coverage, CoverageField, Numbers
from chronotile.core.model.crs import Crs, crs_of, is_north_first
from chronotile.core.model.grid import Grid
from chronotile.core.model.raster import Encoding
from chronotile.core.model.request import IsActive
from chronotile.core.model.time.instants import InstantArray
from chronotile.core.xml_text import xml_characters, xml_name
from chronotile.pipeline.encoders.coverage.attributes import is_scaled
from chronotile.pipeline.encoders.coverage.strips import strips
from chronotile.pipeline.encoders.document_parts import standard_name_uri
from chronotile.pipeline.encoders.file_parts import Joined, SizedBody, Whole

NAMESPACES = {
    "gml": "http://www.opengis.net/gml/3.2",
    "gmlcov": "http://www.opengis.net/gmlcov/1.0",
    "gmlrgrid": "http://www.opengis.net/gml/3.3/rgrid",
    "swe": "http://www.opengis.net/swe/2.0",
    "xlink": "http://www.w3.org/1999/xlink",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
}
SCHEMAS = {
    NAMESPACES["gmlcov"]: "http://schemas.opengis.net/gmlcov/1.0/gmlcovAll.xsd",
    NAMESPACES["gmlrgrid"]: "http://schemas.opengis.net/gml/3.3/referenceableGrid.xsd",
}
MISSING = "http://www.opengis.net/def/nil/OGC/0/missing"
TIME_CRS = "http://www.opengis.net/def/crs/OGC/0/UnixTime"
"""Whose coordinates are numbers, as GML's positions are: seconds since 1970."""
COMPOUND_CRS = "http://www.opengis.net/def/crs-compound?1={space}&2={time}"
gml, gmlcov, rgrid, swe = (
    ElementMaker(namespace=NAMESPACES[name], nsmap=NAMESPACES) for name in ("gml", "gmlcov", "gmlrgrid", "swe")
)
Axis = Literal["x", "y", "time"]
_UNIT = re.compile(r"[: \n\r\t]+")


def axis_labels(crs: Crs) -> dict[Axis, str]:
    """Return what the axes of a CRS are called, by x and y, in the order of the CRS.

    They are its own abbreviations, unless these mislead: EPSG:2180 calls its northing `x`.
    """
    labels: dict[Axis, str] = {"x": "E", "y": "N"}
    if crs.is_geographic:
        labels = {"x": "Long", "y": "Lat"}
    else:
        order: list[Axis] = ["y", "x"] if is_north_first(crs) else ["x", "y"]
        registered = crs_of(crs.name).definition  # files may have other words for the same axes
        own = dict(zip(order, (axis.abbrev for axis in registered.axis_info[:2]), strict=False))
        if own.get("x") in {"E", "X"} and own.get("y") in {"N", "Y"}:
            labels = own
    return {axis: labels[axis] for axis in (("y", "x") if is_north_first(crs) else ("x", "y"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class GridAxis:
    """An axis of a grid, which is an axis of its CRS."""

    key: Axis
    label: str
    unit: str
    low: float
    high: float
    """The edges of the outermost cells, as values are of areas; of time the first and last instant."""
    origin: float
    """Where the first cell has its centre."""
    step: float
    offsets: Sequence[float]
    """In steps from the origin, of an irregular axis; none of a regular one."""
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """Where and when a coverage has values."""

    axes: tuple[GridAxis, ...]
    """In the order of the CRS, then time."""
    srs: str
    """The URI of the CRS."""

    @property
    def subtype(self) -> str:
        """What a coverage of this domain is."""
        return "ReferenceableGridCoverage" if any(axis.offsets for axis in self.axes) else "RectifiedGridCoverage"

    @property
    def labels(self) -> str:
        """The labels of all axes."""
        return " ".join(axis.label for axis in self.axes)


def domain_of(grid: Grid, instants: InstantArray, *, sliced: Collection[Axis] = ()) -> Domain:
    """Return the domain of a coverage.

    Args:
        grid: Of a CRS with a URI.
        instants: (time,); empty without time.
        sliced: Axes that a slice took away; if these are all, those in space stay.
    """
    every: list[GridAxis] = [_in_space(grid, key, label) for key, label in axis_labels(grid.crs).items()]
    every += [_in_time(instants)] if instants.size else []
    axes = tuple(axis for axis in every if axis.key not in sliced) or tuple(every[:2])
    keys = [axis.key for axis in axes]
    space = str(grid.crs.uri)
    if len(set(keys) & {"x", "y"}) == 1:  # the part of the CRS that is left
        space = f'{space}?axis-label="{next(axis.label for axis in axes if axis.key != "time")}"'
    srs = (
        space
        if "time" not in keys
        else TIME_CRS
        if keys == ["time"]
        else COMPOUND_CRS.format(space=space, time=TIME_CRS)
    )
    return Domain(axes=axes, srs=srs)


def _in_space(grid: Grid, key: Axis, label: str) -> GridAxis:
    place = 0 if key == "x" else 1
    low, high, size = grid.bbox[place], grid.bbox[place + 2], grid.resolution[place]
    unit = "deg" if grid.crs.is_geographic else crs_of(grid.crs.name).definition.axis_info[0].unit_name
    origin, step = (low + size / 2, size) if key == "x" else (high - size / 2, -size)
    return GridAxis(
        key=key,
        label=label,
        unit="m" if unit == "metre" else _UNIT.sub("_", unit),
        low=low,
        high=high,
        origin=origin,
        step=step,
        offsets=(),
        count=grid.width if key == "x" else grid.height,
    )


def _in_time(instants: InstantArray) -> GridAxis:
    seconds = instants.astype("datetime64[ns]").astype(np.int64) / 1e9
    return GridAxis(
        key="time",
        label="time",
        unit="s",
        low=float(seconds[0]),
        high=float(seconds[-1]),
        origin=float(seconds[0]),
        step=1.0,
        offsets=(seconds - seconds[0]).tolist(),
        count=instants.size,
    )


# The parts of descriptions and of coverages.


def bounded_by(domain: Domain) -> etree._Element:
    """Return `gml:boundedBy`."""
    envelope = gml.Envelope(
        gml.lowerCorner(_numbers(axis.low for axis in domain.axes)),
        gml.upperCorner(_numbers(axis.high for axis in domain.axes)),
        srsName=domain.srs,
        axisLabels=domain.labels,
        uomLabels=" ".join(axis.unit for axis in domain.axes),
        srsDimension=str(len(domain.axes)),
    )
    return gml.boundedBy(envelope)


def coverage_function(domain: Domain) -> etree._Element:
    """Return `gml:coverageFunction`: numbers go along x, then y, then time."""
    keys = [axis.key for axis in domain.axes]
    order = " ".join(f"+{keys.index(key) + 1}" for key in ("x", "y", "time") if key in keys)
    rule = gml.sequenceRule("Linear", axisOrder=order)
    return gml.coverageFunction(gml.GridFunction(rule, gml.startPoint(" ".join("0" for _key in keys))))


def domain_set(domain: Domain, name: str) -> etree._Element:
    """Return `gml:domainSet`: a rectified grid, or with time one by vectors (GML 3.3, OGC 10-129r1 §10.3).

    Args:
        domain: It.
        name: From which ids in the document are made.
    """
    axes, dimension = domain.axes, str(len(domain.axes))
    limits = gml.limits(
        gml.GridEnvelope(
            gml.low(" ".join("0" for _axis in axes)), gml.high(" ".join(str(axis.count - 1) for axis in axes))
        )
    )
    point = gml.Point(gml.pos(_numbers(axis.origin for axis in axes)), id_of(f"{name}-origin"), srsName=domain.srs)
    head = (limits, gml.axisLabels(domain.labels))
    vectors = [_numbers(axis.step * (other is axis) for other in axes) for axis in axes]
    if domain.subtype == "RectifiedGridCoverage":
        offsets = [gml.offsetVector(vector, srsName=domain.srs) for vector in vectors]
        grid = gml.RectifiedGrid(*head, gml.origin(point), *offsets, id_of(f"{name}-grid"), dimension=dimension)
    else:
        general = [_general_axis(axis, vector, domain.srs) for axis, vector in zip(axes, vectors, strict=True)]
        grid = rgrid.ReferenceableGridByVectors(
            *head, rgrid.origin(point), *general, id_of(f"{name}-grid"), dimension=dimension
        )
    return gml.domainSet(grid)


def _general_axis(axis: GridAxis, vector: str, srs: str) -> etree._Element:
    return rgrid.generalGridAxis(
        rgrid.GeneralGridAxis(
            rgrid.offsetVector(vector, srsName=srs),
            rgrid.coefficients(_numbers(axis.offsets)),
            rgrid.gridAxesSpanned(axis.label),
            rgrid.sequenceRule("Linear", axisOrder="+1"),
        )
    )


def range_type(fields: Iterable[CoverageField]) -> etree._Element:
    """Return `gmlcov:rangeType`: fields whose numbers are the source's, with scale and offset in words."""
    return gmlcov.rangeType(swe.DataRecord(*(_field(each) for each in fields)))


def _field(field: CoverageField) -> etree._Element:
    encoding, variable = field.encoding, field.layer.main_variable
    units = _UNIT.sub(".", (encoding.units or "1").strip()) or "1"
    parts = [swe.label(xml_characters(field.title))]
    if is_scaled(field):
        scale, offset = (_number(each) for each in (encoding.scale, encoding.offset))
        parts.append(swe.description(f"value = number * {scale} + {offset}"))
    nil = swe.nilValues(swe.NilValues(swe.nilValue(_nodata(encoding), reason=MISSING)))
    quantity = swe.Quantity(*parts, nil, swe.uom(code=xml_characters(units)))
    if variable.standard_name:
        quantity.set("definition", standard_name_uri(variable.standard_name))
    return swe.field(quantity, name=xml_name(field.name))


def _nodata(encoding: Encoding) -> str:
    return "NaN" if encoding.nodata is None or np.isnan(encoding.nodata) else _number(encoding.nodata)


# Whole coverages.


def encode_coverage_gml(coverage: Coverage, domain: Domain, name: str, *, is_active: IsActive) -> bytes:
    """Return a coverage with its numbers in the document, all of which are held at once.

    Raises:
        SourceUnavailable: The source is gone or damaged.
        ClientGone: The client left.
    """
    columns = [_texts(coverage, number, is_active) for number in range(len(coverage.fields))]
    tuples = " ".join(columns[0] if len(columns) == 1 else map(",".join, zip(*columns, strict=True)))
    block = gml.DataBlock(gml.rangeParameters(), gml.tupleList(tuples, cs=",", ts=" "))
    return _document(coverage, domain, name, block)


def _texts(coverage: Coverage, field: int, is_active: IsActive) -> list[str]:
    numbers: Numbers = np.concatenate([each.numbers.ravel() for each in strips(coverage, field, is_active=is_active)])
    texts: list[str] = numbers.astype(str).tolist()
    return texts if numbers.dtype.kind in "iu" else ["NaN" if text == "nan" else text for text in texts]


def _document(coverage: Coverage, domain: Domain, name: str, block: etree._Element) -> bytes:
    kind = getattr(gmlcov, domain.subtype)
    document = kind(
        bounded_by(domain),
        domain_set(domain, name),
        gml.rangeSet(block),
        coverage_function(domain),
        range_type(coverage.fields),
        id_of(name),
    )
    return serialised(document, SCHEMAS)


def serialised(document: etree._Element, schemas: dict[str, str]) -> bytes:
    """Return a document as bytes, with where the schemas of its namespaces are."""
    locations = " ".join(f"{namespace} {place}" for namespace, place in schemas.items())
    document.set(f"{{{NAMESPACES['xsi']}}}schemaLocation", locations)
    return bytes(etree.tostring(document, xml_declaration=True, encoding="UTF-8"))


BOUNDARY = "chronotile-6f0d2c4be1a94c5f8a37"
"""Between the parts of an answer: the same in all, so that equal answers are equal bytes."""
MULTIPART = f'multipart/related; boundary="{BOUNDARY}"; type="application/gml+xml"; start="<coverage>"'


def gml_with_file(coverage: Coverage, domain: Domain, name: str, file: SizedBody, *, media_type: str) -> Joined:
    """Return a coverage in parts (RFC 2387, GMLCOV 1.0 §8.3): the document, and the file that has its numbers."""
    link = f"{{{NAMESPACES['xlink']}}}"
    reference = {f"{link}href": "cid:file", f"{link}role": media_type, f"{link}arcrole": "fileReference"}
    block = gml.File(
        gml.rangeParameters(reference),
        gml.fileReference("cid:file"),
        gml.fileStructure("inapplicable"),
        gml.mimeType(media_type),
    )
    head = _part("application/gml+xml", "coverage") + _document(coverage, domain, name, block) + b"\r\n"
    return Joined([Whole(head + _part(media_type, "file")), file, Whole(f"\r\n--{BOUNDARY}--\r\n".encode())])


def _part(media_type: str, name: str) -> bytes:
    return f"--{BOUNDARY}\r\nContent-Type: {media_type}\r\nContent-ID: <{name}>\r\n\r\n".encode()


def id_of(text: str) -> dict[str, str]:
    """Return the attribute `gml:id`."""
    return {f"{{{NAMESPACES['gml']}}}id": text}


def _numbers(values: Iterable[float]) -> str:
    return " ".join(map(_number, values))


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else np.format_float_positional(value, trim="-")
