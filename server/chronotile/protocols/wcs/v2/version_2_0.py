"""WCS 2.0.1 (OGC 09-110r4): sections, faults and values of templates; `params` parses GetCoverage."""

import re
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core import errors
from chronotile.http.request_log import FAULT_STATUS
from chronotile.protocols.common.capabilities.layer_entries import DECIMALS
from chronotile.protocols.common.capabilities.sections import requested_sections
from chronotile.protocols.common.ows import MEDIA_TYPE, exception_report
from chronotile.protocols.common.query.axes import INTERPOLATION_URI, query_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.wcs.faults import STATUSES, message_of
from chronotile.protocols.wcs.v2 import gml
from chronotile.protocols.wcs.v2.params import ADVERTISED, FORMATS, NATIVE, OF_COVERAGE, parse_get_coverage
from chronotile.protocols.wcs.v2.xml_requests import pairs_of_xml
from chronotile.protocols.wcs.version import Pairs, WcsVersion

SECTIONS = ("ServiceIdentification", "ServiceProvider", "OperationsMetadata", "ServiceMetadata", "Contents")
_NUMBERED_SUBSET = re.compile(r"subset\d{1,2}", re.ASCII | re.IGNORECASE)
"""Parameters of GDAL's driver for axes other than the two that it draws."""


def _query_of(pairs: Pairs) -> Kvp:
    return query_of(("subset" if _NUMBERED_SUBSET.fullmatch(name) else name, value) for name, value in pairs)


SPELLING = {
    **dict.fromkeys(("bbox", "time", "datetime"), "subset"),
    **dict.fromkeys(("layer", "collectionid", "coverageid"), "coverageId"),
    "f": "format",
    "crs": "outputCrs",
    "scale-size": "scaleSize",
    **{name.lower(): name for name in ("mediaType", "subsettingCrs", "outputCrs", "rangeSubset")},
    **{name.lower(): name for name in ("scaleFactor", "scaleAxes", "scaleSize", "scaleExtent")},
    **{name: name for name in ("service", "request", "version", "subset", "format", "interpolation")},
}
"""Names of parameters in WCS 2.0 by names of the core, and by WCS names in lower case."""

OF_VALUES = {"NoSuchField", "InvalidScaleFactor", "InvalidExtent"}
"""Codes whose locator is the requested value (OGC 12-039, 12-040)."""


def fault(error: errors.ChronotileError, request: Request) -> Response:
    """Return the exception report (OGC 09-110r4 §8.5; OWS Common 2.0)."""
    code, locator = _code(error), error.locator
    if locator is not None and code not in OF_VALUES:
        locator = SPELLING.get(locator.lower(), locator)
    is_of_http = error.status >= 500 or error.status in {413, 415}
    status = request.scope[FAULT_STATUS] = error.status if is_of_http else STATUSES.get(code, error.status)
    message = message_of(error, request)
    return exception_report(message, code=code, locator=locator, status=status, common="2.0", version="2.0.1")


def _code(error: errors.ChronotileError) -> str:
    match error:
        case errors.UnknownCollection() | errors.UnknownLayer():
            return "NoSuchCoverage"
        case errors.OutsideData() | errors.TimeNotAvailable() | errors.MissingTime():
            return "InvalidSubsetting"
        case errors.UnsupportedCrs():
            return "SubsettingCrs-NotSupported" if error.locator == "SUBSETTINGCRS" else "OutputCrs-NotSupported"
        case errors.UnsupportedFormat():
            return "InvalidParameterValue"
    return error.code if error.code in STATUSES else "NoApplicableCode"


WCS_2 = WcsVersion(
    numbers=("2.0.1",),
    namespace="http://www.opengis.net/wcs/2.0",
    templates=gml.TEMPLATES,
    ids="COVERAGEID",
    without_ids="emptyCoverageIdList",
    sections=partial(requested_sections, offered=SECTIONS),
    parse=parse_get_coverage,
    fault=fault,
    parameters=OF_COVERAGE,
    query_of=_query_of,
    pairs_of_xml=pairs_of_xml,
    media_type=MEDIA_TYPE,
    values={
        **gml.VALUES,
        "domain_of": gml.domain_of,
        "time_axes": gml.time_axes,
        "subtype_of": gml.subtype_of,
        "all_sections": SECTIONS,
        "formats": tuple(FORMATS),
        "native_format": NATIVE,
        "interpolations": [INTERPOLATION_URI + name for name in ADVERTISED],
        "decimals": DECIMALS,
    },
)
