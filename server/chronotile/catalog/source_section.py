"""The section `source` of a collection: its files, and facts that the files lack."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

import numpy as np
from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from chronotile.catalog.value_types import PLACEHOLDER, CrsName, TimeText
from chronotile.core.errors import InvalidParameter, raised_instead
from chronotile.core.model.time.domain import TimeDomain, domain_of_bounds, domain_of_periods
from chronotile.core.model.time.instants import DAY, DISTANT_FUTURE, ONE_NS
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.time.period_parser import parse_period
from chronotile.core.sections import Section, Text
from chronotile.core.web.places import BUCKETS

_MAX_FILTER_LENGTH = 4096


def _check_filter(text: str) -> str:
    if len(text) > _MAX_FILTER_LENGTH:
        raise ValueError(f"at most {_MAX_FILTER_LENGTH} characters, got {len(text)}")
    from chronotile.catalog.items.cql2.translate import require_accepted  # noqa: PLC0415 -- SQLAlchemy, with the first

    try:
        require_accepted(text)
    except InvalidParameter as error:
        raise ValueError(
            f"{text[:60]!r} {error.message.removeprefix('filter ')}; accepted are conditions such as "
            "eo:cloud_cover < 60 AND platform = 'sentinel-2a'"
        ) from error
    return text


FilterText = Annotated[Text, AfterValidator(_check_filter)]


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_ONE_SLASH = re.compile(f"({'|'.join(BUCKETS)}|https?):/(?!/)", re.IGNORECASE)
_SCHEMES = ("file", *BUCKETS, "http", "https")
_MAX_MONTH_NS = 31 * 86_400_000_000_000


def _check_period(text: str) -> str:
    accepted = "dekad, or a period such as P1D, P1M or PT1H"
    with raised_instead(InvalidParameter, ValueError(f"{text[:40]!r} is not a valid step; accepted are {accepted}")):
        parse_period(text)
    return text


class RegularTimes(Section):
    """Times as consecutive periods."""

    start: TimeText
    """Start of the first period."""
    step: Annotated[str, AfterValidator(_check_period)]
    """Length of a period: dekad, or ISO 8601 such as P16D or P1M."""
    count: Annotated[int, Field(ge=1, le=1_000_000)]
    """Number of periods."""

    @model_validator(mode="after")
    def _fit(self) -> "RegularTimes":
        start, period = parse_instant(self.start).start, parse_period(self.step)
        if period.is_dekad and period.step(start, 0) != start:
            raise ValueError(f"start {self.start} is not the first day of a dekad (1, 11 or 21 of a month)")
        months = self.count // 3 + 1 if period.is_dekad else self.count * period.months
        length_ns = self.count * int(period.fixed.astype(int)) + months * _MAX_MONTH_NS
        if int(start.astype(int)) + length_ns > int(DISTANT_FUTURE.astype(int)):
            raise ValueError("the times reach beyond the year 2261")
        return self

    def domain(self) -> TimeDomain:
        """Return the periods."""
        return domain_of_periods(parse_instant(self.start).start, parse_period(self.step), self.count)


def _check_order(texts: tuple[str, ...]) -> tuple[str, ...]:
    starts = [parse_instant(text).start for text in texts]
    for earlier, later, text in zip(starts, starts[1:], texts[1:], strict=False):
        if later <= earlier:
            raise ValueError(f"times must be in ascending order, but {text} is not after the time before it")
    return texts


ListedTimes = Annotated[tuple[TimeText, ...], Field(min_length=1), AfterValidator(_check_order)]


def _kind_of_times(value: object) -> str:
    return "<steps>" if isinstance(value, dict | RegularTimes) else "<list>"


ConfiguredTimes = Annotated[
    Annotated[RegularTimes, Tag("<steps>")] | Annotated[ListedTimes, Tag("<list>")], Discriminator(_kind_of_times)
]


def _listed_domain(texts: tuple[str, ...]) -> TimeDomain:
    """Return the times; a day or a longer period is an interval, anything finer an exact instant."""
    spans = [parse_instant(text) for text in texts]
    starts = np.array([span.start for span in spans])
    ends = np.array([span.end if span.end - span.start >= DAY else span.start + ONE_NS for span in spans])
    return domain_of_bounds(starts, ends)


def _check_href(href: str) -> str:
    one_slash = _ONE_SLASH.match(href)
    if one_slash is not None:
        raise ValueError(f"{one_slash[0]} has one slash; write {one_slash[0]}/ with two")
    scheme = _SCHEME.match(href)
    if scheme is not None and scheme[1].lower() not in _SCHEMES:
        accepted = ", ".join(f"{name}://" for name in _SCHEMES)
        raise ValueError(f"{scheme[0]} cannot be read; accepted are a path, {accepted}")
    if scheme is not None and scheme[1].lower() == "file" and urlsplit(href).netloc not in {"", "localhost"}:
        raise ValueError("a file URL has three slashes: file:///path")
    unknown = [name for name in PLACEHOLDER.findall(href) if name != "{variable}"]
    if unknown:
        raise ValueError(f"{unknown[0][:40]} is not valid; accepted is {{variable}}")
    return href


KIND_ALIASES = {"raster": "cog"}
"""Names that the configuration accepts for a kind, in addition to its own."""


def kind_of_word(word: str) -> str:
    """Return the name of the kind, which `word` may be an alias of."""
    return KIND_ALIASES.get(word, word)


def _check_time_pattern(pattern: str) -> str:
    try:
        groups = re.compile(pattern).groupindex
    except re.error as error:
        raise ValueError(f"not a valid regular expression: {error}") from error
    if not {"time", "year"} & set(groups):
        raise ValueError(r"a group named time, such as (?P<time>\d{8}), or year is missing")
    return pattern


_MAX_GROUP_LENGTH = 1000


def _check_group(path: str) -> str:
    parts = path.strip("/").split("/")
    if len(path) > _MAX_GROUP_LENGTH or (path.strip("/") and not {"", ".", ".."}.isdisjoint(parts)):
        raise ValueError(f"accepted is a path such as PRODUCT or product/support_data, got {path[:60]!r}")
    return path.strip("/")


class SourceSection(Section):
    """The files of a collection."""

    kind: Annotated[Text, AfterValidator(kind_of_word)]
    """`cog`, also written `raster`: raster files (GeoTIFF, JPEG 2000, VRT, GRIB, HFA, ENVI, EHdr, ASCII grid, PNG,
    JPEG). `stac`: scenes, whose STAC metadata make most keys below unnecessary."""
    href: Annotated[Text, AfterValidator(_check_href)]
    """Path, file://, https://, s3://, gs:// or az://. For kind cog and netcdf: a file, or files with `*`; cog also with
    `{variable}`. For kind zarr: a store, a .json or .parquet of references, or an Icechunk repository. For kind stac: a
    collection of a STAC API, a static catalogue or collection, or a stac-geoparquet file."""
    tiles: bool = False
    """For kind cog and netcdf: files of the same time form one mosaic, in any CRS. Files that differ only in
    {variable} are one item. For kind cog, `href` may be a tile index of GDAL: `.gti`, `.gpkg`, `.fgb` or `.parquet`.
    `mosaic`, `grid` and `time.group` of the collection define how items become one raster."""
    filter: FilterText | None = None
    """For kind stac: CQL2 text that items must match, such as `eo:cloud_cover < 60`."""
    mode: Literal["index", "live"] = "index"
    """For kind stac: `index` reads all items in advance; `live` passes searches to the STAC API, and stores the
    returned items."""
    time_pattern: Annotated[Text, AfterValidator(_check_time_pattern)] | None = None
    r"""For kind cog and netcdf: regular expression for the time in a file's path. Its groups are `time`
    (`_(?P<time>\d{8})`), or `year`, `month`, `day`, `day_of_year`, `hour`, `minute`, `second`, `dekad`,
    `pentad`, `half` (of a month: `a` or `b`), `week` and `lead` (hours to add). Times inside a NetCDF file override
    it."""
    without: tuple[Text, ...] = ()
    """For kind cog and netcdf: paths of files to skip although `href` matches them."""
    group: Annotated[Text, AfterValidator(_check_group)] | None = None
    """For kind netcdf and zarr: path of the group to read, such as `product/support_data`; `/` is the root. Default:
    the root if it has rasters, else the only group with rasters. Coordinates may be in other groups."""
    crs: CrsName | None = None
    """CRS, if it is missing or wrong in the files; not for kind stac."""
    times: ConfiguredTimes | None = None
    """If the files lack times: times of the bands of all files, or of the time axis, in their order."""

    series: Text | None = None
    """For kind cog: path of a cube for fast series, which `chronotile optimise new --layout series` wrote from these
    files."""

    @model_validator(mode="after")
    def _fit(self) -> "SourceSection":
        if self.times is not None and self.time_pattern is not None:
            raise ValueError("times and time_pattern exclude one another")
        return self

    def time_domain(self) -> TimeDomain | None:
        """Return the configured times; `None` if the files have them."""
        if self.times is None:
            return None
        return self.times.domain() if isinstance(self.times, RegularTimes) else _listed_domain(self.times)
