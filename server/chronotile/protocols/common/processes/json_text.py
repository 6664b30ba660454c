"""JSON of clients, parsed in bounded memory."""

import orjson

from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.geometry.json_estimates import containers_in
from chronotile.core.model.geometry.json_text import load_json
from chronotile.jobs.processes.inputs import MAX_CONTAINERS


def parse_json(text: bytes, *, what: str, locator: str, most: int = MAX_CONTAINERS) -> object:
    """Return the value of a JSON text.

    Args:
        text: UTF-8 text.
        what: Subject of error messages, such as "the body".
        locator: Locator of errors.
        most: Maximum number of lists and objects.

    Raises:
        InvalidParameter: The text is not valid JSON, or nested too deeply.
        LimitExceeded: It has too many lists and objects, or would need more memory than a body may.
    """
    containers = containers_in(text)
    require_at_most("max_containers", containers, most, alternative="send less at once", locator=locator)
    try:
        value = load_json(text, locator=locator)
    except orjson.JSONDecodeError as error:
        raise InvalidParameter(f"{what} is not valid JSON: {error}", locator=locator) from error
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError as error:  # the encoder has a lower nesting limit than the parser
        raise InvalidParameter(f"{what} has too many nested lists and objects", locator=locator) from error
    return value
