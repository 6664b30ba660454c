"""Texts and addresses with which the service describes itself."""

from dataclasses import dataclass, field
from pathlib import Path

from chronotile.catalog.viewer_section import ViewerInfo
from chronotile.core.model.collection import LocalisedText, MetadataLink
from chronotile.core.model.formats import TILE_FORMATS, TileFormat
from chronotile.core.model.webhook import Webhook
from chronotile.core.sections import Section, Text


class PostalAddress(Section):
    """Postal address of the contact."""

    street: Text | None = None
    """Street and number, or post box."""
    city: Text | None = None
    """Town or city."""
    region: Text | None = None
    """State or province."""
    postcode: Text | None = None
    """Postal code."""
    country: Text | None = None
    """Name of the country."""

    @property
    def lines(self) -> tuple[str, ...]:
        """The configured parts in the order of an envelope."""
        town = " ".join(part for part in (self.postcode, self.city) if part)
        return tuple(part for part in (self.street, town, self.region, self.country) if part)


class Contact(Section):
    """Contact for users."""

    name: Text | None = None
    """Person or department."""
    email: Text | None = None
    """E-mail address."""
    telephone: Text | None = None
    """Telephone number, such as "+32 2 555 01 00"."""
    address: PostalAddress = PostalAddress()
    """Postal address."""

    @property
    def is_empty(self) -> bool:
        """Whether nothing is configured."""
        return self == Contact()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    """Description and public addresses of the service."""

    title: LocalisedText = field(default_factory=lambda: {"": "chronotile"})
    logo: Path | None = None
    """Configured file of the logo, which may be missing."""
    abstract: LocalisedText = field(default_factory=dict)
    keywords: tuple[str, ...] = ()
    url: str | None = None
    """Public base URL without a slash at the end; `None` takes it from the request."""
    contact: Contact = field(default_factory=Contact)
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
