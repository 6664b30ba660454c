"""Texts and addresses with which the service describes itself."""

from dataclasses import dataclass, field

from chronotile.catalog.viewer_section import ViewerInfo
from chronotile.core.model.collection import LocalisedText, MetadataLink
from chronotile.core.model.formats import TILE_FORMATS, TileFormat
from chronotile.core.model.webhook import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class PostalAddress:
    """A postal address; any part may be missing."""

    street: str | None = None
    city: str | None = None
    region: str | None = None
    postcode: str | None = None
    country: str | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """The configured parts in the order of an envelope."""
        town = " ".join(part for part in (self.postcode, self.city) if part)
        return tuple(part for part in (self.street, town, self.region, self.country) if part)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """Contact for users of the service."""

    name: str | None = None
    email: str | None = None
    telephone: str | None = None
    address: PostalAddress | None = None
    """`None` if no part of it is configured."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is configured."""
        return self == Contact()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    """Description and public addresses of the service."""

    title: LocalisedText = field(default_factory=lambda: {"": "chronotile"})
    abstract: LocalisedText = field(default_factory=dict)
    keywords: tuple[str, ...] = ()
    url: str | None = None
    """Public base URL without a slash at the end; `None` takes it from the request."""
    contact: Contact = Contact()
    hosts: tuple[str, ...] = ()
    """Host names in lower case that may be used for jobs, in addition to `url`, localhost and IP addresses."""
    origins: tuple[str, ...] = ()
    """Web origins, as browsers write them, whose pages may use jobs, in addition to the server's origin."""
    languages: tuple[str, ...] = ("en",)
    wms_paths: tuple[str, ...] = ("/wms",)
    wmts_paths: tuple[str, ...] = ("/wmts",)
    wms_exception_status: int = 200
    wmts_formats: tuple[TileFormat, ...] = TILE_FORMATS
    inspire: MetadataLink | None = None
    """Metadata record of the service, if WMS is an INSPIRE view service."""
    viewer: ViewerInfo = field(default_factory=ViewerInfo)
    webhooks: tuple[Webhook, ...] = ()
    """Subscribers of changes of items; no document shows them."""
