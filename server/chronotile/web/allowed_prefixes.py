"""Addresses that clients name, for the server to read or to tell: those below places that the operator allows."""

from collections.abc import Iterable

from chronotile.errors import MAX_SHOWN, ConfigurationError, InvalidParameter
from chronotile.web.prefix import RemotePlace, remote_place

SCHEMES = {"http", "https"}
MAX_TEXT = 2000
"""Characters of an address."""


class WebPlaces:
    """Places of the web; false if there are none.

    Args:
        prefixes: http and https URLs; one ends at a slash, whether it is written or not.
        setting: The variable of the environment that names them.

    Raises:
        ConfigurationError: With all prefixes that are none.
    """

    def __init__(self, prefixes: Iterable[str] = (), *, setting: str = "") -> None:
        self._places: list[RemotePlace] = []
        mistakes = []
        for prefix in prefixes:
            try:
                self._places.append(_web_place(prefix.rstrip("/")))
            except ValueError as error:
                mistakes.append(
                    f"{setting}: {prefix[:80]!r} is not a valid prefix ({error}); accepted are https:// and http:// "
                    "URLs"
                )
        if mistakes:
            raise ConfigurationError(mistakes)

    def __bool__(self) -> bool:
        """Whether any address is allowed."""
        return bool(self._places)

    def allowed(self, address: str, *, locator: str) -> str:
        """Return the address in its one spelling.

        Raises:
            InvalidParameter: It lies below none of the places, or could mean two things.
        """
        try:
            place = _web_place(address.removesuffix("/"))
        except ValueError as error:
            raise InvalidParameter(
                f"{locator} {address[:MAX_SHOWN]!r} is not a plain URL: {error}", locator=locator
            ) from error
        if not any(each.holds(place) for each in self._places):
            raise InvalidParameter(
                f"{locator} {address[:MAX_SHOWN]!r} is not below a prefix that the operator allows",
                locator=locator,
            )
        return f"{place.url}/" if address.endswith("/") and place.segments else place.url


def _web_place(text: str) -> RemotePlace:
    if len(text) > MAX_TEXT:
        raise ValueError(f"it has more than {MAX_TEXT} characters")
    place = remote_place(text)
    if place.scheme not in SCHEMES:
        raise ValueError("it is not an http or https URL")
    return place
