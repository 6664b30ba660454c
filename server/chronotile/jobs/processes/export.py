"""A part of layers as a file, however large."""

from collections.abc import Mapping, Sequence

from chronotile.errors import LimitExceeded
from chronotile.jobs.asked import located, without_limits
from chronotile.jobs.job import Json, Result
from chronotile.jobs.maps import (
    BBOX,
    CRS84_URI,
    DATETIME,
    LAYER,
    keep,
    kept_result,
    trims_of,
)
from chronotile.jobs.process import Input, Inputs, Output, Plan, Process, Work
from chronotile.model.coverage import CoverageRequest
from chronotile.model.time import parse_time
from chronotile.pipeline.deliver_coverage import COVERAGE_FORMATS, deliver_coverage
from chronotile.pipeline.extract_coverage import extract_coverage
from chronotile.pipeline.services import Services

FORMATS = ("GTiff", "NetCDF", "zarr")
"""Those that are written in bounded memory."""
MOST_LAYERS = 100
MOST_BYTES = 1 << 38
"""Of all numbers, before they are compressed."""
BYTES_A_SECOND = 30e6
"""About as many are read, written and compressed."""


def _plan(inputs: Inputs, services: Services) -> Plan:
    with located({"time": "datetime"}):
        coverage = extract_coverage(_request(inputs, services), without_limits(services))
    if coverage.nbytes > MOST_BYTES:
        raise LimitExceeded(
            "bytes of an export",
            allowed=MOST_BYTES,
            asked=coverage.nbytes,
            alternative="ask for a smaller bbox or fewer times",
            locator="inputs.bbox",
        )
    return Plan(blocks=[{}], seconds=coverage.nbytes / BYTES_A_SECOND)


def _run(inputs: Inputs, _block: Json, work: Work) -> Json:
    request = _request(inputs, work.services)
    delivery = deliver_coverage(request, _format(inputs), without_limits(work.services), is_wanted=work.is_wanted)
    keep(delivery.body, work.folder / delivery.file_name, work)
    return {"file": delivery.file_name, "media_type": delivery.media_type}


def _finish(_inputs: Inputs, done: Sequence[Json], work: Work) -> Mapping[str, Result]:
    return {"export": kept_result(done[0], work)}


def _request(inputs: Inputs, services: Services) -> CoverageRequest:
    layers = inputs["layer"]
    return CoverageRequest(
        layers=tuple([layers] if isinstance(layers, str) else layers),
        trims=trims_of(inputs, services),
        time=parse_time(inputs.get("datetime")),
        crs=services.catalogue.offered_crs(inputs["crs"]) if "crs" in inputs else None,
    )


def _format(inputs: Inputs) -> str:
    return str(inputs.get("format", FORMATS[0]))


process = Process(
    id="export",
    title="Export",
    description="The numbers of layers of one collection as a file: a part of them in space and time, as they are or "
    "in another CRS. What coverages give to a request, without its limit of size.",
    keywords=("coverage", "file"),
    inputs={
        "layer": Input(
            title="Layers",
            description="Ids or aliases of layers of one collection, on one grid.",
            schema=LAYER.schema,
            most=MOST_LAYERS,
        ),
        "datetime": DATETIME,
        "bbox": BBOX,
        "crs": Input(
            title="CRS",
            description="URI or code of the CRS of the file, one that maps are offered in; the layers' own where none "
            "is named.",
            schema={"type": "string", "maxLength": 200, "examples": [CRS84_URI]},
            is_required=False,
        ),
        "format": Input(
            title="Format",
            description="A cloud optimised GeoTIFF with a band a layer and time, a NetCDF file, or a zip file of a "
            "Zarr store.",
            schema={"type": "string", "enum": list(FORMATS), "default": FORMATS[0]},
            is_required=False,
        ),
    },
    outputs={
        "export": Output(
            title="Export",
            description="The file.",
            schema={
                "oneOf": [
                    {
                        "type": "string",
                        "contentEncoding": "binary",
                        "contentMediaType": COVERAGE_FORMATS[name].media_type,
                    }
                    for name in FORMATS
                ]
            },
        )
    },
    plan=_plan,
    run=_run,
    finish=_finish,
)
