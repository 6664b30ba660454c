"""Text lines about an archive and its findings, for the operator."""

from collections.abc import Iterable, Iterator, Sequence

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.climatology_texts import years_text
from chronotile.core.finding import Finding
from chronotile.core.model.collection import Layer
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import format_day, format_instant

_NO_NAMES = {"unnamed", "unknown", "undefined", "coordinate system imported from grib file"}
_MARKS = {"error": "error  ", "warning": "warning", "note": "note   "}


def archive_lines(catalogue: Catalogue) -> Iterator[str]:
    """Yield a line for each collection, layer (times, extent, CRS, styles) and set of places."""
    for collection in catalogue.collections:
        title = next(iter(collection.title.values()), collection.id)
        yield f"{collection.id}" if title == collection.id else f"{collection.id}  {title}"
        width = max(len(layer.id) for layer in collection.layers)
        yield from (f"  {layer.id:{width}}  {_layer_text(layer)}" for layer in collection.layers)
    yield from place_lines(catalogue)


def place_lines(catalogue: Catalogue) -> Iterator[str]:
    """Yield a line for each place set: number of places, field of their labels, extent, CRS."""
    for places in catalogue.places.values():
        label = places.spec.label_field or places.spec.id_field or "id"
        facts = (count_text(len(places), "place"), f"label {label}", _box_text(places.bbox), crs_text(places.crs))
        yield "  ".join((f"places.{places.id}", *facts))


def unserved_lines(catalogue: Catalogue, findings: Iterable[Finding]) -> Iterator[str]:
    """Yield a line for each configured collection that is not served."""
    served = {collection.id for collection in catalogue.collections}
    left_out = (finding.collection for finding in findings if finding.is_left_out and finding.collection not in served)
    yield from (f"{name}: left out; run chronotile check for the reason" for name in dict.fromkeys(left_out) if name)


def finding_lines(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield one line for each finding, errors first."""
    ranks = list(_MARKS)
    for finding in sorted(findings, key=lambda f: ranks.index(f.severity)):
        yield f"{_MARKS[finding.severity]}  {finding.text}"


def summary(catalogue: Catalogue, findings: Sequence[Finding]) -> str:
    """Return one line with the numbers of collections, layers and findings by severity."""
    severities = ", ".join(
        count_text(sum(finding.severity == severity for finding in findings), severity) for severity in _MARKS
    )
    layers = sum(1 for _layer in catalogue.layers)
    return f"{count_text(len(catalogue.collections), 'collection')}, {count_text(layers, 'layer')}: {severities}"


def count_text(count: int, what: str) -> str:
    """Return a number with its noun; the plural of the noun adds an s."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _layer_text(layer: Layer) -> str:
    grid = layer.main_variable.grid
    styles = f"styles {', '.join(style.id for style in layer.styles)}"
    return "  ".join((times_text(layer.times), _box_text(grid.bbox_in(CRS84)), grid_text(grid), styles))


def grid_text(grid: NativeGrid) -> str:
    """Return the size of a grid and its CRS."""
    return f"{grid.width} x {grid.height} px in {crs_text(grid.crs)}"


def crs_text(crs: Crs) -> str:
    """Return a short name of a CRS.

    The first that exists of: its code, its name, the name of its projection, the radius of its sphere or ellipsoid.
    """
    if len(crs.name) <= 20:
        return crs.name
    name, operation, ellipsoid = crs.definition.name, crs.definition.coordinate_operation, crs.definition.ellipsoid
    if name.lower() not in _NO_NAMES:
        return name
    if operation is not None or ellipsoid is None:
        return name if operation is None else str(operation.method_name)
    body = "an ellipsoid" if ellipsoid.inverse_flattening else "a sphere"
    return f"degrees on {body} of radius {ellipsoid.semi_major_metre / 1000:g} km"


def times_text(times: TimeDomain) -> str:
    """Return the number of times, with the first and last."""
    if not len(times):
        return "no time"
    write = format_day if times.has_day_precision else format_instant
    first, last = write(times.instants[0]), write(times.instants[-1])
    text = f"1 time {first}" if len(times) == 1 else f"{len(times)} times {first} to {last}"
    return f"{text}, climatology of {years_text(times) or 'unknown years'}" if times.is_climatology else text


def _box_text(box: BBox) -> str:
    return f"lon {box.xmin:.6g} to {box.xmax:.6g}, lat {box.ymin:.6g} to {box.ymax:.6g}"
