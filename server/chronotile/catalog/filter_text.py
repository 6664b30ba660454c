"""Filters in CQL2 text, as the configuration has them."""

from typing import Annotated

from pydantic import AfterValidator

from chronotile.errors import InvalidParameter
from chronotile.sections import Text

_MAX_FILTER = 4096


def _filter(text: str) -> str:
    if len(text) > _MAX_FILTER:
        raise ValueError(f"at most {_MAX_FILTER} characters, got {len(text)}")
    from chronotile.catalog.items.cql2.translate import require_accepted  # noqa: PLC0415 -- SQLAlchemy, with the first

    try:
        require_accepted(text)
    except InvalidParameter as error:
        raise ValueError(
            f"{text[:60]!r} {error.message.removeprefix('filter ')}; accepted are conditions such as "
            "eo:cloud_cover < 60 AND platform = 'sentinel-2a'"
        ) from error
    return text


FilterText = Annotated[Text, AfterValidator(_filter)]
