"""Whole files elsewhere, such as documents of metadata."""

from http import HTTPStatus

from chronotile.readers.remote.requests import Refused, ask_document, place_of, read_deadline, retry


def read_whole(href: str, max_bytes: int) -> bytes | None:
    """Return a file elsewhere of at most so many bytes, or `None` where there is none.

    Raises:
        UnsupportedSource: It is larger.
        Away: Its server does not answer, or refuses access.
    """
    place = place_of(href)
    try:
        return retry(lambda: ask_document(place, max_bytes), read_deadline())
    except Refused as error:
        if error.status == HTTPStatus.NOT_FOUND:
            return None
        raise
