"""Links of a collection to its coverage, and to its documents."""

from collections.abc import Sequence
from urllib.parse import quote

import numpy as np

from chronotile.catalog.offered import Offered
from chronotile.encoders.coverage.geo_tags import has_geo_tags
from chronotile.encoders.coverage.png import is_grey
from chronotile.protocols.ogcapi.block import DocumentContext, Link
from chronotile.protocols.ogcapi.coverages.formats import FORMATS, JSON, JSON_SCHEMA, lacking_formats

RELATIONS = "http://www.opengis.net/def/rel/ogc/1.0"
TITLES = {
    "GTiff": "Values as GeoTIFF",
    "NetCDF": "Values as NetCDF",
    "zarr": "Values as a zipped Zarr store",
    "json": "Values as CoverageJSON",
    "png": "Numbers of one field at one time as PNG",
}


def coverage_links(offered: Offered, context: DocumentContext) -> Sequence[Link]:
    """Return the links of a collection, one a format that can hold the whole; none of one that has colours alone.

    The newer draft lists the fields by `schema`, the older ones by `coverage-rangetype` and `coverage-domainset`.
    """
    if not offered.has_values:
        return ()
    base = f"{context.base}/collections/{quote(offered.id)}"
    described = [
        ("coverage-domainset", "coverage/domainset", JSON, "Where and when there are values"),
        ("coverage-rangetype", "coverage/rangetype", JSON, "Of which kind the values are"),
        ("schema", "schema", JSON_SCHEMA, "The fields as a JSON Schema"),
    ]
    left_out = set[str]() if _is_one_picture(offered) else {"png"}
    left_out |= set[str]() if has_geo_tags(next(iter(offered.fields.values())).main_variable.grid.crs) else {"GTiff"}
    left_out |= {"json"} if _values(offered) > context.catalogue.limits.max_series_values else set()
    left_out |= lacking_formats()
    names = [name for name in FORMATS if name not in left_out]
    return [
        *(
            Link(rel=f"{RELATIONS}/coverage", href=f"{base}/coverage?f={name}", type=FORMATS[name], title=TITLES[name])
            for name in names
        ),
        *(
            Link(rel=f"{RELATIONS}/{rel}", href=f"{base}/{path}", type=media_type, title=title)
            for rel, path, media_type, title in described
        ),
    ]


def _is_one_picture(offered: Offered) -> bool:
    """Whether the whole of it is one field of greys at one time: the address of a PNG of more has to say which."""
    dtypes = [np.dtype(each.main_variable.encoding.dtype) for each in offered.fields.values()]
    return len(offered.times) <= 1 and len(dtypes) == 1 and is_grey(dtypes[0])


def _values(offered: Offered) -> int:
    """How many the whole of it has."""
    fields = offered.fields.values()
    grid = next(iter(fields)).main_variable.grid
    return len(fields) * max(1, len(offered.times)) * grid.width * grid.height
