"""Inputs and outputs that several processes have."""

from collections.abc import Iterable, Mapping, Sequence

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import TableFormat
from chronotile.core.model.series.analysis import SLOT_KINDS
from chronotile.core.model.space.crs import CRS84_URI
from chronotile.core.model.types import Json
from chronotile.jobs.processes.process import Input, Inputs, Output, choice, optional
from chronotile.pipeline.encoders.series.csv import DIALECTS, CsvOptions, require_days_apart

LAYER = Input(title="Layer", description="Id or alias of the layer.", schema={"type": "string", "maxLength": 200})
MAX_LAYERS = 100
LAYERS = Input(
    title="Layers",
    description="Ids or aliases of layers of one collection, on one grid.",
    schema=LAYER.schema,
    most=MAX_LAYERS,
)
DATETIME = optional(
    "Times",
    "An instant, an interval, or a list of either; default: all times of the layer.",
    {"type": "string", "maxLength": 10_000},
)
BBOX = optional(
    "Bounding box",
    "Cells outside are left out; default: the whole layer. Coordinates are in the axis order of their "
    "CRS (default: CRS84). A west greater than the east crosses the antimeridian.",
    {
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
)
BY = optional(
    "Division of the year",
    "Parts of a year: days, dekads or months; by default, months for times four weeks and more apart, else dekads.",
    {"type": "string", "enum": list(SLOT_KINDS)},
)
CSV_INPUTS: Mapping[str, Input] = {
    "dialect": optional("Dialect of CSV", "semicolon writes ; between fields and a decimal comma.", choice(DIALECTS)),
    "date": optional(
        "Dates of CSV",
        "day writes times as YYYY-MM-DD, of layers with at most one time per day.",
        choice(("instant", "day")),
    ),
    "columns": optional(
        "Columns of CSV", "all adds the columns layer, units and attribution.", {"type": "string", "enum": ["all"]}
    ),
}


def check_csv_inputs(inputs: Inputs, layers: Iterable[Layer]) -> None:
    """Refuse inputs that a CSV of these layers, or a file in another format, cannot have.

    Raises:
        InvalidParameter: Such an input is present.
    """
    csv_inputs = [name for name in CSV_INPUTS if name in inputs]
    if csv_inputs and inputs.get("format", "csv") != "csv":
        raise InvalidParameter(f"{csv_inputs[0]} is accepted for format csv alone; leave it out", locator=csv_inputs[0])
    if csv_options_of(inputs).has_days:
        require_days_apart(layers)


def csv_options_of(inputs: Inputs) -> CsvOptions:
    """Return the CSV options of a job."""
    return CsvOptions(
        dialect=inputs.get("dialect", "comma"), has_days=inputs.get("date") == "day", has_source="columns" in inputs
    )


def series_file(title: str, description: str, formats: Sequence[TableFormat]) -> Output:
    """Return an output that is a file of series in any of these formats."""
    kinds: dict[str, Json] = {"csv": {"type": "string"}, "parquet": {"type": "string", "contentEncoding": "binary"}}
    media_types = {str(format_): format_.media_type for format_ in formats}
    schemas = [
        {**kinds.get(name, {"type": "object"}), "contentMediaType": media_type}
        for name, media_type in media_types.items()
    ]
    return Output(title=title, description=description, schema={"oneOf": schemas}, formats=media_types)
