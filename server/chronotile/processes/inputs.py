"""Inputs and outputs that several processes have, and what they mean."""

from collections.abc import Iterable, Mapping, Sequence

from chronotile.encoders.series.csv import DIALECTS, CsvOptions, require_days_apart
from chronotile.errors import InvalidParameter
from chronotile.model.collection import Layer
from chronotile.model.coverage import Trim
from chronotile.model.crs import CRS84_URI, is_north_first
from chronotile.model.formats import TableFormat
from chronotile.model.grid import BBox
from chronotile.model.job import Json
from chronotile.model.series.analysis import SLOT_KINDS
from chronotile.pipeline.services import Services
from chronotile.processes.process import Input, Inputs, Output
from chronotile.processes.times_and_places import locate_errors

LAYER = Input(title="Layer", description="Id or alias of the layer.", schema={"type": "string", "maxLength": 200})
MOST_LAYERS = 100
LAYERS = Input(
    title="Layers",
    description="Ids or aliases of layers of one collection, on one grid.",
    schema=LAYER.schema,
    most=MOST_LAYERS,
)
DATETIME = Input(
    title="Times",
    description="An instant, an interval, or a list of either; default: all times of the layer.",
    schema={"type": "string", "maxLength": 10_000},
    is_required=False,
)
BBOX = Input(
    title="Bounding box",
    description="Cells outside are left out; default: the whole layer. Coordinates are in the axis order of their "
    "CRS (default: CRS84). A west greater than the east crosses the antimeridian.",
    schema={
        "type": "object",
        "examples": [{"bbox": [4, 50, 5, 51]}],
        "required": ["bbox"],
        "additionalProperties": False,
        "properties": {
            "bbox": {"type": "array", "minItems": 4, "maxItems": 4, "items": {"type": "number"}},
            "crs": {"type": "string", "format": "uri", "default": CRS84_URI},
        },
        "format": "ogc-bbox",
    },
    is_required=False,
)
BY = Input(
    title="Division of the year",
    description="Parts of a year: days, dekads or months; by default, months for times four weeks "
    "and more apart, else dekads.",
    schema={"type": "string", "enum": list(SLOT_KINDS)},
    is_required=False,
)


CSV_INPUTS: Mapping[str, Input] = {
    "dialect": Input(
        title="Dialect of CSV",
        description="semicolon writes ; between fields and a decimal comma.",
        schema={"type": "string", "enum": list(DIALECTS), "default": "comma"},
        is_required=False,
    ),
    "date": Input(
        title="Dates of CSV",
        description="day writes times as YYYY-MM-DD, of layers with at most one time per day.",
        schema={"type": "string", "enum": ["instant", "day"], "default": "instant"},
        is_required=False,
    ),
    "columns": Input(
        title="Columns of CSV",
        description="all adds the columns layer, units and attribution.",
        schema={"type": "string", "enum": ["all"]},
        is_required=False,
    ),
}


def check_csv_inputs(inputs: Inputs, layers: Iterable[Layer]) -> None:
    """Refuse inputs that a CSV of these layers, or a file that is not CSV, cannot have.

    Raises:
        InvalidParameter: There is one.
    """
    given = [name for name in CSV_INPUTS if name in inputs]
    if given and inputs.get("format", "csv") != "csv":
        raise InvalidParameter(f"{given[0]} is accepted for format csv alone; leave it out", locator=given[0])
    if csv_options_of(inputs).has_days:
        require_days_apart(layers)


def csv_options_of(inputs: Inputs) -> CsvOptions:
    """Return how the CSV of a job is written."""
    return CsvOptions(
        dialect=inputs.get("dialect", "comma"), has_days=inputs.get("date") == "day", has_source="columns" in inputs
    )


def series_file(title: str, description: str, formats: Sequence[TableFormat]) -> Output:
    """Return an output that is a file of series in one of some formats."""
    kinds: dict[str, Json] = {
        "csv": {"type": "string"},
        "parquet": {"type": "string", "contentEncoding": "binary"},
    }
    media_types = {str(each): each.media_type for each in formats}
    schemas = [
        {**kinds.get(name, {"type": "object"}), "contentMediaType": media_type}
        for name, media_type in media_types.items()
    ]
    return Output(title=title, description=description, schema={"oneOf": schemas}, formats=media_types)


def layers_of(inputs: Inputs) -> tuple[str, ...]:
    """Return the ids or aliases that `layer` has, one or several."""
    layers = inputs["layer"]
    return (layers,) if isinstance(layers, str) else tuple(layers)


def layer_names_in(inputs: Inputs) -> list[str]:
    """Return the names of layers that any process is given, of inputs that are not checked yet."""
    given = [inputs.get(name, ()) for name in ("layer", "layers")]
    several = (each if isinstance(each, list | tuple) else (each,) for each in given)
    return [name for names in several for name in names[:MOST_LAYERS] if isinstance(name, str)]


def trims_of(inputs: Inputs, services: Services) -> tuple[Trim, ...]:
    """Return what `bbox` leaves: all without it.

    Raises:
        UnsupportedCrs: Its CRS is not offered.
        InvalidParameter: It is not a box.
    """
    if "bbox" not in inputs:
        return ()
    with locate_errors({"crs": "bbox.crs"}):
        layer = services.catalogue.layer(layers_of(inputs)[0])
        crs = services.catalogue.offered_crs(inputs["bbox"].get("crs", CRS84_URI), layer)
    box = BBox(*map(float, inputs["bbox"]["bbox"]))
    if is_north_first(crs):
        box = BBox(box.ymin, box.xmin, box.ymax, box.xmax)
    return (Trim(box=box, crs=crs, locator="bbox"),)
