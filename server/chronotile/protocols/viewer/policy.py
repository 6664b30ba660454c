"""What the viewer's pages may load and who may show them (Content Security Policy Level 3)."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from chronotile.catalog.catalogue import BaseMap


def content_security_policy(base_maps: Iterable[BaseMap], *, is_embedded: bool) -> str:
    """Return the policy: files and answers of this server alone, and pictures of the hosts of base maps.

    Neither scripts nor styles in the page, nor text made into scripts. Leaflet and uPlot set styles of elements
    through the object model, which no policy forbids.

    Args:
        base_maps: Whose tiles are shown.
        is_embedded: Whether pages elsewhere may show this one in a frame.
    """
    addresses = [urlsplit(each.href) for each in base_maps]
    hosts = dict.fromkeys(f"{each.scheme}://{each.netloc}" for each in addresses if each.netloc)
    directives = {
        "default-src": "'self'",
        "img-src": " ".join(["'self'", "data:", "blob:", *hosts]),
        "media-src": "'self' blob:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "*" if is_embedded else "'self'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in directives.items())
