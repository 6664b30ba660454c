"""The section `service` of the configuration: what holds for all that is served."""

import base64
import binascii
import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from chronotile.catalog.catalogue import BaseMap, Contact, Geocoder, Limits, PostalAddress, ServiceInfo, ViewerInfo
from chronotile.catalog.kinds import CrsName, Localised, language
from chronotile.catalog.source_section import FilterText
from chronotile.core.model.collection import MetadataLink
from chronotile.core.model.crs import crs_of
from chronotile.core.model.formats import TILE_FORMATS, TileFormat
from chronotile.core.model.webhook import Webhook
from chronotile.core.sections import Id, Positive, Section, Text, unique
from chronotile.core.web.places import remote_place

PREFIX = "whsec_"
"""How secrets begin that are written as base64 (Standard Webhooks)."""
LEAST_BYTES, MOST_BYTES = 24, 256
MOST_WEBHOOKS = 32


def _url(text: str) -> str:
    try:
        place = remote_place(text)
    except ValueError as error:
        raise ValueError(f"not a plain URL: {error}") from error
    if place.scheme not in {"http", "https"}:
        raise ValueError(f"{place.scheme}:// is not accepted; accepted are https:// and http://")
    return text


def _secret(given: object) -> object:
    """Check a secret; messages do not repeat it."""
    if not isinstance(given, str):
        raise ValueError("must be text; put it in quotes")  # noqa: TRY004 -- pydantic's way to refuse
    length = len(_key(given))
    if not LEAST_BYTES <= length <= MOST_BYTES:
        raise ValueError(f"a key of {LEAST_BYTES} to {MOST_BYTES} bytes is needed, got one of {length}")
    return given


def _key(text: str) -> bytes:
    """The bytes of a secret: behind `whsec_` as base64, else those of the text."""
    if not text.startswith(PREFIX):
        return text.encode()
    try:
        return base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"what follows {PREFIX} is not base64") from error


class WebhookSection(Section):
    """A subscriber of changes of items."""

    url: Annotated[Text, AfterValidator(_url)]
    """https:// or http:// URL that events are sent to, without user and query; CHRONOTILE_SUBSCRIBER_PREFIXES must
    allow it. It appears in no document and no log."""
    secret: Annotated[SecretStr, BeforeValidator(_secret)]
    """Key of the signatures: whsec_ and base64, or any text, of at least 24 bytes; best ${NAME}, which takes it from
    the environment."""
    collection: Id | None = None
    """Collection whose changes are sent; default: all."""
    filter: FilterText | None = None
    """CQL2 text; new and replaced items are sent only if they match: `eo:cloud_cover < 20`."""

    def webhook(self, name: str) -> Webhook:
        """Return the subscriber; `name` is its place in the configuration."""
        from chronotile.catalog.items.cql2.tree import filter_from_text  # noqa: PLC0415 -- loaded with the first filter

        return Webhook(
            url=self.url,
            collection=self.collection,
            filter=None if self.filter is None else filter_from_text(self.filter),
            key=_key(self.secret.get_secret_value()),
            name=name,
        )


def once(webhooks: tuple[WebhookSection, ...]) -> tuple[WebhookSection, ...]:
    """Return webhooks of which none is another with the same URL, collection and filter."""
    seen = set[tuple[str, str | None, str | None]]()
    for index, each in enumerate(webhooks):
        key = each.url, each.collection, each.filter
        if key in seen:
            raise ValueError(f"entry {index} has the same url, collection and filter as one before it")
        seen.add(key)
    return webhooks


# The section `service.viewer` of the configuration: what the viewer shows beside the layers.

OWN_MAPS = ("None", "NaturalEarth", "NaturalEarth_Dark")
"""Ids of the viewer's own."""
MOST_ZOOM = 24
_OF_WMTS = {"{tilematrix}": "{z}", "{tilerow}": "{y}", "{tilecol}": "{x}"}
_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_VIEWER_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")


def _template(href: str) -> str:
    template = _PLACEHOLDER.sub(lambda found: _OF_WMTS.get(found[0].lower(), found[0]), href)
    try:
        _host_of_viewer(template)
    except ValueError as error:
        raise ValueError(
            f"{href[:80]!r} is not a URL of tiles; accepted are URLs such as https://host/{{z}}/{{x}}/{{y}}.png"
        ) from error
    found = sorted(_PLACEHOLDER.findall(template))
    if found != ["{x}", "{y}", "{z}"]:
        raise ValueError(
            f"{href[:80]!r} must have each of {{z}}, {{x}} and {{y}} once, or of {{TileMatrix}}, {{TileCol}} and "
            "{TileRow} (WMTS), and no other"
        )
    return template


def _pmtiles(path: str) -> str:
    if not path.endswith(".pmtiles") or "://" in path:
        raise ValueError(f"{path[:80]!r} is not the path of a .pmtiles file")
    return path


def _host_of_viewer(href: str) -> str:
    parts = urlsplit(href)
    is_here = href.startswith("/") and not href.startswith("//")
    is_elsewhere = parts.scheme in {"http", "https"} and _VIEWER_HOST.fullmatch(parts.netloc) is not None
    if not (is_here or is_elsewhere) or not href.isprintable() or " " in href:
        raise ValueError(f"{href[:80]!r} is not a URL that browsers request; accepted is https://host/path")
    return href


class BaseMapSection(Section):
    """A map of another provider, or of a file, below or above the layers."""

    id: Id
    """Id in links of the viewer (`bgLayer`, `overlays`)."""
    title: Localised
    """Title in the list of backgrounds or overlays."""
    kind: Literal["tiles", "wms", "pmtiles"] = "tiles"
    """`tiles` (XYZ, or WMTS by its template), `wms`, or `pmtiles`, a file of Protomaps' vector tiles."""
    href: Text
    """Tiles in Web Mercator, with `{z}`, `{x}`, `{y}`, or WMTS's `{TileMatrix}`, `{TileCol}`, `{TileRow}`; address of
    the WMS; or path of the `.pmtiles` file, from the folder of this file, which this server gives to browsers."""
    layers: Text | None = None
    """Layers of the WMS, separated by commas."""
    attribution: Text
    """Text that is always shown with it."""
    max_zoom: Annotated[int, Field(ge=0, le=MOST_ZOOM)] = 19
    """Its finest zoom; at finer ones its tiles are enlarged."""
    opacity: Annotated[float, Field(ge=0, le=1)] = 1.0
    """How dense it is drawn, from 0 to 1."""

    @field_validator("href")
    @classmethod
    def _address(cls, href: str, info: ValidationInfo) -> str:
        check = {"tiles": _template, "wms": _host_of_viewer, "pmtiles": _pmtiles}.get(info.data.get("kind", ""))
        return check(href) if check else href

    @model_validator(mode="after")
    def _layers_of_wms(self) -> "BaseMapSection":
        if (self.kind == "wms") != (self.layers is not None):
            raise ValueError("layers are needed with kind wms, and with no other")
        return self

    def base_map(self, folder: Path) -> BaseMap:
        """Return the value; a file is looked for from `folder`."""
        href = str(folder / self.href) if self.kind == "pmtiles" else self.href
        return BaseMap(**{**dict(self), "href": href})


def _geocoder_address(href: str) -> str:
    if _PLACEHOLDER.findall(href) != ["{query}"]:
        raise ValueError(f"{href[:80]!r} must have {{query}} once")
    return _host_of_viewer(href)


class GeocoderSection(Section):
    """What finds addresses for the viewer's search: Nominatim, Photon, Pelias, or what answers as they do."""

    href: Annotated[Text, AfterValidator(_geocoder_address)]
    """Address with `{query}`: `https://host/search?format=jsonv2&q={query}`. Browsers request it while users type."""
    attribution: Text
    """Text that is shown with what it finds."""


class ViewerSection(Section):
    """Settings of the viewer."""

    default_layer: Text | None = None
    """Id or alias of the layer shown first; default: the first of the configuration."""
    base_maps: tuple[BaseMapSection, ...] = ()
    """Additional backgrounds; browsers load their tiles from those hosts."""
    default_base_map: Id | None = None
    """Id of the background shown first, or None for none; default: Natural Earth in the colours of the page."""
    overlays: tuple[BaseMapSection, ...] = ()
    """Maps that users may lay above the layers, such as labels or borders."""
    geocoder: GeocoderSection | None = None
    """What finds addresses for the search."""

    @model_validator(mode="after")
    def _differ(self) -> "ViewerSection":
        known = list(OWN_MAPS)
        for each in (*self.base_maps, *self.overlays):
            if each.id in known:
                raise ValueError(f"base map {each.id} is there already; others are {', '.join(known)}")
            known.append(each.id)
        first = [*OWN_MAPS, *(each.id for each in self.base_maps)]
        if self.default_base_map is not None and self.default_base_map not in first:
            raise ValueError(f"default_base_map: there is no {self.default_base_map}; there are {', '.join(first)}")
        return self

    def info(self, folder: Path) -> ViewerInfo:
        """Return the value; files are looked for from `folder`."""
        return ViewerInfo(
            default_layer=self.default_layer,
            base_maps=tuple(each.base_map(folder) for each in self.base_maps),
            overlays=tuple(each.base_map(folder) for each in self.overlays),
            default_base_map=self.default_base_map,
            geocoder=None if self.geocoder is None else Geocoder(**dict(self.geocoder)),
        )


_CODE = re.compile(r"[A-Z]{2,10}:[A-Z0-9]{1,12}")
_URL_PATH = re.compile(r"(/[A-Za-z0-9_.~-]+)+")
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63}){0,30}", re.ASCII)
_ORIGIN = re.compile(r"https?://[a-z0-9._-]{1,253}(:[0-9]{1,5})?", re.ASCII)
_PORTS = {"http": 80, "https": 443}
_FIRST_SEGMENTS = (
    *("viewer", "tiles", "cubes", "layers", "timeseries", "places", "animations", "ogcapi", "cog", "health", "metrics"),
    *("wcs", "catalogue", "stac", "zarr"),
)
"""What the server's own paths begin with."""


class AddressSection(Section):
    """Postal address of the contact."""

    street: Text | None = None
    """Street and number, or post box."""
    city: Text | None = None
    """City."""
    region: Text | None = None
    """State or province."""
    postcode: Text | None = None
    """Postal code."""
    country: Text | None = None
    """Country."""


class ContactSection(Section):
    """Contact for users."""

    name: Text | None = None
    """Person or department."""
    email: Text | None = None
    """E-mail address."""
    telephone: Text | None = None
    """Telephone number, such as "+32 2 555 01 00"."""
    address: AddressSection = AddressSection()
    """Postal address."""

    def info(self) -> Contact:
        """Return the contact as the catalogue has it."""
        address = PostalAddress(**dict(self.address))
        return Contact(**{**dict(self), "address": None if address == PostalAddress() else address})


def _url_path(path: str) -> str:
    if not _URL_PATH.fullmatch(path):
        raise ValueError(
            f"{path[:60]!r} is not a valid path; accepted are / and then letters, digits, _ . ~ -, such as /wms/v2"
        )
    if path.split("/")[1] in _FIRST_SEGMENTS:
        raise ValueError(f"{path[:60]} starts like one of the server's own paths")
    return path


UrlPaths = Annotated[tuple[Annotated[str, AfterValidator(_url_path)], ...], Field(min_length=1), AfterValidator(unique)]


class PathsSection(Section):
    """Paths of the services, for example those of a server that chronotile replaces."""

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


def _link(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not url.isprintable():
        raise ValueError(f"{url[:80]!r} is not an http(s) URL")
    return url


Link = Annotated[Text, AfterValidator(_link)]
"""An address that clients follow."""


class InspireSection(Section):
    """Options of WMS as an INSPIRE view service."""

    metadata_url: Link
    """The service's own metadata record."""
    metadata_format: Text = "application/vnd.iso.19139+xml"
    """Media type of that record."""

    def link(self) -> MetadataLink:
        """Return the link to the record."""
        return MetadataLink(url=self.metadata_url, format=self.metadata_format)


class WmsSection(Section):
    """Options of WMS."""

    exception_status: Literal[200, 400] = 200
    """HTTP status of exceptions: QGIS shows their text only with 200; other clients may need 400."""


class WmtsSection(Section):
    """Options of WMTS."""

    formats: Annotated[tuple[TileFormat, ...], Field(min_length=1), AfterValidator(unique)] = TILE_FORMATS
    """Formats of tiles. QGIS lists a layer once per format and tile matrix set."""


def _has_code(name: str) -> str:
    if not _CODE.fullmatch(crs_of(name).name):
        raise ValueError(f"{name[:40]!r} has no code that clients could use; accepted are CRS such as EPSG:3857")
    return name


_LIMITS = Limits()


class LimitsSection(Section):
    """Limits of one request, which the capabilities state."""

    max_pixels: Positive = _LIMITS.max_pixels
    """Pixels of a picture."""
    max_cube_values: Positive = _LIMITS.max_cube_values
    """Values of a cube tile, and pixels times dates of a map (not of one date and layer, which `max_pixels` limits)."""
    max_animation_pixels: Positive = _LIMITS.max_animation_pixels
    """Pixels of all frames of a time-lapse, times the dates of each frame."""
    max_series_values: Positive = _LIMITS.max_series_values
    """Values in series: of points, or of areas and reducers."""
    max_area_values: Positive = _LIMITS.max_area_values
    """Numbers read for series of areas, those of whole chunks; also cells of all areas and times."""
    max_coverage_bytes: Positive = _LIMITS.max_coverage_bytes
    """Uncompressed bytes of a coverage's numbers; as text, at most `max_series_values` values."""
    max_seconds: Annotated[float, Field(gt=0)] = _LIMITS.max_seconds
    """Processor seconds of a request, as estimated before it starts; longer work is done by jobs."""
    max_body_bytes: Positive = _LIMITS.max_body_bytes
    """Bytes of a request's body."""
    max_features: Positive = _LIMITS.max_features
    """Features in a request's body, or in a set of places."""
    max_vertices: Positive = _LIMITS.max_vertices
    """Vertices in a request's body, or in a set of places."""


def _base_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(f"{url[:80]!r} is not a base URL; accepted is http(s)://host/path without ? and #")
    return url.rstrip("/")


def _host(name: str) -> str:
    if not _HOST.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is not a host name; accepted is a name without port, such as maps.example.org")
    return name.lower()


def _origin(text: str) -> str:
    parts = urlsplit(text.lower())
    if not _ORIGIN.fullmatch(text.lower()) or not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError(
            f"{text[:80]!r} is not a web origin; accepted is http(s)://host or http(s)://host:port without a path, "
            "such as https://maps.example.org"
        )
    is_default = parts.port == _PORTS[parts.scheme]
    return text.lower().rpartition(":")[0] if is_default else text.lower()


_AS_WRITTEN = {"title", "abstract", "keywords", "url", "hosts", "origins", "languages"}
"""Keys that the service says of itself as they are."""


class ServiceSection(Section):
    """Settings of the whole service."""

    title: Localised = Field(default_factory=lambda: {"": "chronotile"})
    """Title of the service; default: chronotile."""
    abstract: Localised = Field(default_factory=dict)
    """A paragraph about it."""
    keywords: Annotated[tuple[Text, ...], AfterValidator(unique)] = ()
    """Keywords of the service as a whole; INSPIRE requires infoMapAccessService for a view service."""
    url: Annotated[Text, AfterValidator(_base_url)] | None = None
    """Public base URL; default: that of the request."""
    contact: ContactSection = ContactSection()
    """Contact for users."""
    hosts: Annotated[tuple[Annotated[Text, AfterValidator(_host)], ...], AfterValidator(unique)] = ()
    """Further host names under which jobs may be used; the host of `url`, localhost and IP addresses always may."""
    origins: Annotated[tuple[Annotated[Text, AfterValidator(_origin)], ...], AfterValidator(unique)] = ()
    """Further web origins whose pages may use jobs, such as https://maps.example.org; the server's own always may."""
    id: Id | None = None
    """Id of this archive, to which its jobs are bound; default: made of the absolute path of the configuration."""
    languages: Annotated[
        tuple[Annotated[Text, AfterValidator(language)], ...], Field(min_length=1), AfterValidator(unique)
    ] = ("en",)
    """Languages of titles and abstracts, the first is the default."""
    paths: PathsSection = PathsSection()
    """Paths of the services."""
    crs: Annotated[
        tuple[Annotated[CrsName, AfterValidator(_has_code)], ...], Field(min_length=1), AfterValidator(unique)
    ] = (*("EPSG:4326", "CRS:84", "EPSG:3857", "EPSG:32631", "EPSG:3035"),)
    """Coordinate reference systems of maps."""
    tile_matrix_sets: Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(unique)] = (
        *("WebMercatorQuad", "WorldCRS84Quad"),
    )
    """morecantile's names, or paths to JSON files (OGC 17-083r4); EPSG:3857, EPSG:900913 and
    GoogleMapsCompatible are other names for WebMercatorQuad."""
    limits: LimitsSection = LimitsSection()
    """Limits of one request."""
    wms: WmsSection = WmsSection()
    """Options of WMS."""
    wmts: WmtsSection = WmtsSection()
    """Options of WMTS."""
    inspire: InspireSection | None = None
    """Adds INSPIRE's extended capabilities to WMS 1.3.0."""
    viewer: ViewerSection = ViewerSection()
    """Settings of the viewer."""
    webhooks: Annotated[tuple[WebhookSection, ...], Field(max_length=MOST_WEBHOOKS), AfterValidator(once)] = ()
    """Subscribers of changes of items, at most 32."""

    def info(self, folder: Path = Path()) -> ServiceInfo:
        """Return what the service says of itself; files of the viewer are looked for from `folder`."""
        return ServiceInfo(
            **{name: getattr(self, name) for name in _AS_WRITTEN},
            contact=self.contact.info(),
            wms_paths=self.paths.wms,
            wmts_paths=self.paths.wmts,
            wms_exception_status=self.wms.exception_status,
            wmts_formats=self.wmts.formats,
            inspire=self.inspire.link() if self.inspire else None,
            viewer=self.viewer.info(folder),
            webhooks=tuple(each.webhook(f"service.webhooks[{index}]") for index, each in enumerate(self.webhooks)),
        )
