"""Errors as pygeoapi words them: of any other kind it makes a bare 500."""

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from pygeoapi.provider.base import (
    ProviderConnectionError,
    ProviderGenericError,
    ProviderInvalidQueryError,
    ProviderItemNotFoundError,
)

from chronotile.errors import ChronotileError, ConfigurationError


class ProviderUnavailableError(ProviderConnectionError):  # type: ignore[misc]  # pygeoapi has no types
    """A source cannot be read now."""

    http_status_code = HTTPStatus.SERVICE_UNAVAILABLE


@contextmanager
def translate_errors() -> Iterator[None]:
    """Turn our errors into pygeoapi's, with our words.

    Raises:
        ProviderGenericError: The block raised an error of ours.
    """
    try:
        yield
    except ChronotileError as error:
        raise _provider_error(error) from error


def _provider_error(error: ChronotileError) -> ProviderGenericError:
    if isinstance(error, ConfigurationError):  # its words name files, which clients must not see
        return ProviderUnavailableError(error.message, user_msg="the data of this collection cannot be served now")
    if error.status == HTTPStatus.NOT_FOUND:
        return ProviderItemNotFoundError(user_msg=error.message)
    if error.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProviderInvalidQueryError(user_msg=error.message)
    return ProviderUnavailableError(user_msg=error.message)
