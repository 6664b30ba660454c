"""Addresses at which clients fetch a file from its bucket themselves."""

from datetime import timedelta
from typing import Literal

from chronotile.errors import SourceUnavailable
from chronotile.readers.remote.requests import place_of
from chronotile.readers.remote.s3_environment import s3_access

SIGNED_S = 300
"""How long a signed URL opens a file; what was begun by then goes on."""


def signed_url(href: str, method: Literal["GET", "HEAD"]) -> str | None:
    """Return a URL that allows any client this method on a file of S3; `None` where the server has to send the file.

    That is so of files elsewhere, and of buckets whose requests are not signed, or paid for by who sends them.

    Raises:
        SourceUnavailable: There are no credentials.
    """
    if not href.startswith("s3://"):
        return None
    access = s3_access()
    place = place_of(href, access)
    if access.is_anonymous or access.is_paying or place.store is None:
        return None
    import obstore
    from obstore.exceptions import BaseError

    try:
        return obstore.sign(place.store, method, place.key, timedelta(seconds=SIGNED_S))  # type: ignore[arg-type]  # a bucket of S3
    except (BaseError, OSError) as error:
        raise SourceUnavailable("a file of this product cannot be read now: no access to its bucket") from error
