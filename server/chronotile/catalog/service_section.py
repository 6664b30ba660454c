"""The section `service` of the configuration: settings of the whole service."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from chronotile.catalog.limits import Limits
from chronotile.catalog.service_info import Contact, ServiceInfo
from chronotile.catalog.value_types import CrsName, Link, Localised, language
from chronotile.catalog.viewer_section import ViewerInfo
from chronotile.catalog.webhook_section import WebhookSection, require_unique_webhooks
from chronotile.core.model.collection import MetadataLink
from chronotile.core.model.formats import TILE_FORMATS, TileFormat
from chronotile.core.model.space.crs import crs_of
from chronotile.core.sections import Id, Section, Text, unique

MAX_WEBHOOKS = 32


_CODE = re.compile(r"[A-Z]{2,10}:[A-Z0-9]{1,12}")
_URL_PATH = re.compile(r"(/[A-Za-z0-9_.~-]+)+")
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){0,30}", re.ASCII)
_ORIGIN = re.compile(r"https?://[a-z0-9._-]{1,253}(:[0-9]{1,5})?", re.ASCII)
_PORTS = {"http": 80, "https": 443}
_RESERVED_SEGMENTS = (
    *("viewer", "tiles", "cubes", "layers", "timeseries", "places", "animations", "ogcapi", "cog", "health", "metrics"),
    *("wcs", "catalogue", "stac", "zarr"),
)
"""First segments of the server's paths."""


def _check_url_path(path: str) -> str:
    if not _URL_PATH.fullmatch(path):
        raise ValueError(
            f"{path[:60]!r} is not a valid path; accepted are / and then letters, digits, _ . ~ -, such as /wms/v2"
        )
    if path.split("/")[1] in _RESERVED_SEGMENTS:
        raise ValueError(f"{path[:60]} starts like one of the server's own paths")
    return path


UrlPaths = Annotated[
    tuple[Annotated[str, AfterValidator(_check_url_path)], ...], Field(min_length=1), AfterValidator(unique)
]


class PathsSection(Section):
    """Paths of the services, for example the paths of a server that chronotile replaces."""

    wms: UrlPaths = ("/wms",)
    """Paths of WMS."""
    wmts: UrlPaths = ("/wmts",)
    """Paths of WMTS."""

    @model_validator(mode="after")
    def _differ(self) -> "PathsSection":
        both = sorted(set(self.wms) & set(self.wmts))
        if both:
            raise ValueError(f"{both[0]} cannot be a path of both wms and wmts")
        return self


class InspireSection(Section):
    """Options of WMS as an INSPIRE view service."""

    metadata_url: Link
    """Metadata record of the service."""
    metadata_format: Text = "application/vnd.iso.19139+xml"
    """Media type of this record."""

    def link(self) -> MetadataLink:
        """Return the link to the record."""
        return MetadataLink(url=self.metadata_url, format=self.metadata_format)


class WmsSection(Section):
    """Options of WMS."""

    exception_status: Literal[200, 400] = 200
    """HTTP status of service exceptions. QGIS shows their text only with 200; other clients may need 400."""


class WmtsSection(Section):
    """Options of WMTS."""

    formats: Annotated[tuple[TileFormat, ...], Field(min_length=1), AfterValidator(unique)] = TILE_FORMATS
    """Formats of tiles. QGIS lists a layer once per format and tile matrix set."""


def _check_code(name: str) -> str:
    if not _CODE.fullmatch(crs_of(name).name):
        raise ValueError(f"{name[:40]!r} has no code that clients could use; accepted are CRS such as EPSG:3857")
    return name


def _check_base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url[:80]!r} is not a base URL; accepted is http(s)://host/path without ? and #")
    return url.rstrip("/")


def _check_host(name: str) -> str:
    if not _HOST.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is not a host name; accepted is a name without port, such as maps.example.org")
    return name.lower()


def _check_origin(text: str) -> str:
    parts = urlsplit(text.lower())
    if not _ORIGIN.fullmatch(text.lower()) or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError(
            f"{text[:80]!r} is not a web origin; accepted is http(s)://host or http(s)://host:port without a path, "
            "such as https://maps.example.org"
        )
    is_default = parts.port == _PORTS[parts.scheme]
    return text.lower().rpartition(":")[0] if is_default else text.lower()


def _check_logo(path: str) -> str:
    if "://" in path:
        raise ValueError(f"{path[:80]!r} is not a path; accepted is the path of a picture, relative to this file")
    return path


_UNCHANGED = {"title", "abstract", "keywords", "url", "contact", "hosts", "origins", "languages"}
"""Keys that are copied to `ServiceInfo` unchanged."""


class ServiceSection(Section):
    """Settings of the whole service."""

    title: Localised = Field(default_factory=lambda: {"": "chronotile"})
    """Title of the service; default: chronotile."""
    logo: Annotated[Text, AfterValidator(_check_logo)] | None = None
    """Picture in front of the title in the viewer: path of a PNG, JPEG or WebP file of at most 200,000 bytes."""
    abstract: Localised = Field(default_factory=dict)
    """A paragraph of text."""
    keywords: Annotated[tuple[Text, ...], AfterValidator(unique)] = ()
    """Keywords of the service; INSPIRE requires infoMapAccessService for a view service."""
    url: Annotated[Text, AfterValidator(_check_base_url)] | None = None
    """Public base URL; default: taken from the request."""
    contact: Contact = Contact()
    """Contact for users."""
    hosts: Annotated[tuple[Annotated[Text, AfterValidator(_check_host)], ...], AfterValidator(unique)] = ()
    """Additional host names under which clients may use jobs; the host of `url`, localhost and IP addresses are always
    allowed."""
    origins: Annotated[tuple[Annotated[Text, AfterValidator(_check_origin)], ...], AfterValidator(unique)] = ()
    """Additional web origins whose pages may use jobs, such as https://maps.example.org; the server's origin is always
    allowed."""
    id: Id | None = None
    """Id of the archive and its jobs; default: derived from the absolute path of the configuration."""
    languages: Annotated[
        tuple[Annotated[Text, AfterValidator(language)], ...], Field(min_length=1), AfterValidator(unique)
    ] = ("en",)
    """Languages of titles and abstracts, the default first."""
    paths: PathsSection = PathsSection()
    """URL paths of WMS and WMTS, such as the paths of a server that chronotile replaces."""
    crs: Annotated[
        tuple[Annotated[CrsName, AfterValidator(_check_code)], ...], Field(min_length=1), AfterValidator(unique)
    ] = (*("EPSG:4326", "CRS:84", "EPSG:3857", "EPSG:32631", "EPSG:3035"),)
    """Coordinate reference systems of maps."""
    tile_matrix_sets: Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(unique)] = (
        *("WebMercatorQuad", "WorldCRS84Quad"),
    )
    """Names in the library morecantile, or paths of JSON files (OGC 17-083r4). EPSG:3857, EPSG:900913 and
    GoogleMapsCompatible mean WebMercatorQuad."""
    limits: Limits = Limits()
    """Limits of one request."""
    wms: WmsSection = WmsSection()
    """Options of WMS."""
    wmts: WmtsSection = WmtsSection()
    """Options of WMTS."""
    inspire: InspireSection | None = None
    """Extended capabilities of an INSPIRE view service, in WMS 1.3.0."""
    viewer: ViewerInfo = ViewerInfo()
    """Settings of the viewer."""
    webhooks: Annotated[
        tuple[WebhookSection, ...], Field(max_length=MAX_WEBHOOKS), AfterValidator(require_unique_webhooks)
    ] = ()
    """Subscribers of changes of items, at most 32."""

    def info(self, folder: Path = Path()) -> ServiceInfo:
        """Return the description of the service; relative paths of its files start at `folder`."""
        return ServiceInfo(
            **{name: getattr(self, name) for name in _UNCHANGED},
            logo=None if self.logo is None else folder / self.logo,
            wms_paths=self.paths.wms,
            wmts_paths=self.paths.wmts,
            wms_exception_status=self.wms.exception_status,
            wmts_formats=self.wmts.formats,
            inspire=self.inspire.link() if self.inspire else None,
            viewer=self.viewer.resolve_hrefs(folder),
            webhooks=tuple(
                webhook.webhook(f"service.webhooks[{index}]") for index, webhook in enumerate(self.webhooks)
            ),
        )
