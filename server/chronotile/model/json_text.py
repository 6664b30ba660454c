"""JSON from clients, of millions of lists for some, taken apart."""

import gc
from typing import Any

import orjson


def loaded(text: bytes) -> Any:  # noqa: ANN401 -- any JSON
    """Return what a text in UTF-8 is as JSON.

    Nobody looks for garbage meanwhile: there is none in lists within lists, and to look for it among millions that are
    being made takes six times as long as to make them, in one step of the interpreter, for which all else waits.

    Raises:
        orjson.JSONDecodeError: It is none.
    """
    gc.disable()
    try:
        return orjson.loads(text)
    finally:
        gc.enable()  # which another thread may have done already: that takes time alone
