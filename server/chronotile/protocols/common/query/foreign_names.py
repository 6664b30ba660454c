"""Names that other servers use for our parameters, and parameters that clients add to any URL."""

import re
from collections.abc import Collection, Mapping

_REDUCERS = ("stat", "stats", "statistic", "statistics", "agg", "aggmethod", "aggmethods", "aggregation")
_TIMES = ("time", "times", "date", "dates", "from", "to", "begin", "since", "until", "timerange")
_FIELDS = ("vars", "var", "variable", "variables", "bands", "parameter", "parameters", "parameternames", "rangesubset")
OTHER_NAMES: Mapping[str, Collection[str]] = {
    "datetime": (*_TIMES, "start", "end", "startdate", "enddate", "starttime", "endtime"),
    "time": ("datetime", "date", "dates"),
    "startdate": ("start", "from", "begin", "since"),
    "enddate": ("end", "to", "until"),
    "format": ("f", "outputformat"),
    "f": ("format", "outputformat"),
    "reducers": (*_REDUCERS, "reducer"),
    "reducer": (*_REDUCERS, "reducers", "mosaickingorder", "pixelselection"),
    "step": ("aggregate",),
    "lon": ("lng", "long", "longitude"),
    "lat": ("latitude",),
    "crs": ("srs", "srsname", "epsg", "dstcrs", "outcrs"),
    "bbox": ("bounds", "extent", "envelope"),
    "limit": ("count", "maxfeatures", "maxitems", "top"),
    "offset": ("startindex", "skip"),
    "lang": ("language", "locale"),
    "ramp": ("colormap", "colormapname", "cmap", "cbar", "palette", "color", "colour", "colors", "colours"),
    "style": ("styles",),
    "range": ("rescale", "vmin", "vmax", "colorscalerange"),
    "expression": ("evalscript", "formula"),
    "min_valid": ("maxcc", "maxcloudcover", "cloudcover"),
    "layer": (*_FIELDS, "layers"),
    "properties": (*_FIELDS, "parametername"),
    "parameter-name": (*_FIELDS, "properties"),
}
"""Foreign names by our name in lower case; `letters` simplifies a client's name before the lookup."""
_BY_LAYER = "each variable or band is a layer, which the address names"
_BY_CONFIGURATION = "the configuration of the layer has it"
ANSWERS: Mapping[str, str] = {
    **dict.fromkeys((*_FIELDS, "bidx", "assets", "layers", "dataset"), _BY_LAYER),
    **dict.fromkeys(("resampling", "resamplingmethod", "nodata", "unscale", "tolerance"), _BY_CONFIGURATION),
    **dict.fromkeys(("retina", "scale", "tilesize"), "a tile of twice the pixels ends with @2x before its extension"),
    "url": "the address names a layer; files are opened at /cog, if at all",
    "returnmask": "pixels without a value are transparent in PNG and WebP",
    "evalscript": "tiles, maps and animations take arithmetic as expression",
    "expression": "tiles, maps and animations take it",
    "maxcc": "masks of the configuration leave clouds out, and /stac/search finds scenes by their share",
}
"""Advice for names that match no parameter of the operation."""
ADDED = re.compile(
    r"(_|x-|utm_).*|(access_?)?token|(api_?)?key|f|lang|rev|v|version|transparent|"
    r"t|ts|timestamp|cb|cachebust(er)?|nocache|fbclid|gclid|"
)
"""Names that are ignored: caches, proxies, trackers and clients add them to any URL."""


def letters(name: str) -> str:
    """Return a name in lower case without underscores and hyphens."""
    return name.lower().replace("_", "").replace("-", "")
