"""JSON of clients, parsed in bounded memory."""

import orjson

from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.geometry.json_estimates import containers_in
from chronotile.core.model.geometry.json_text import load_json
from chronotile.jobs.processes.inputs import MAX_CONTAINERS


def parse_json(text: bytes, *, what: str, locator: str, most: int = MAX_CONTAINERS) -> object:
    """Return what a text is as JSON.

    Args:
        text: In UTF-8.
        what: It is, for messages.
        locator: Of what is wrong with it.
        most: Lists and objects in it.

    Raises:
        InvalidParameter: It is not valid JSON, or too deep.
        LimitExceeded: It has more lists and objects, or would take more memory than there is for a body.
    """
    containers = containers_in(text)
    require_at_most("max_containers", containers, most, alternative="send less at once", locator=locator)
    try:
        value = load_json(text, locator=locator)
    except orjson.JSONDecodeError as error:
        raise InvalidParameter(f"{what} is not valid JSON: {error}", locator=locator) from error
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError as error:  # which happens earlier than for what is read
        raise InvalidParameter(f"{what} has too many nested lists and objects", locator=locator) from error
    return value
