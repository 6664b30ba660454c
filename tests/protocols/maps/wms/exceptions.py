"""Service exceptions, as clients and caches see them."""

from lxml import etree

TYPES = {"text/xml", "application/vnd.ogc.se_xml"}


def fault_of(answer):
    """Return status, code and locator of a service exception after checking its text and that no cache may store it."""
    exception = etree.fromstring(answer.content).find("{*}ServiceException")  # no namespace in 1.1.1
    assert exception.text
    assert answer.headers["Content-Type"] in TYPES
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers.keys().isdisjoint({"etag", "last-modified", "expires", "chronotile-time", "warning"})
    return answer.status_code, exception.get("code"), exception.get("locator")
