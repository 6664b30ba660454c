"""Outputs of executions, opened or saved."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from chronotile_client.errors import unreadable
from chronotile_client.exchange import Exchange, Request, fetch
from chronotile_client.executions import ResultInfo
from chronotile_client.opening import open_content, suffix_of


def only(results: Mapping[str, ResultInfo], output: str | None) -> ResultInfo:
    """Return the output with a name, or the only output.

    Raises:
        KeyError: No output has this name, or `output` is None and there are several.
    """
    if output is None and len(results) == 1:
        return next(iter(results.values()))
    if output is None or output not in results:
        raise KeyError(f"name one of the outputs {', '.join(results)}, got {output!r}")
    return results[output]


def fetch_result(result: ResultInfo, *, to: str | Path | None, is_opened: bool) -> Exchange[Any]:
    """Return an output opened, or the path of the file that it was saved to."""
    path = None if to is None else Path(to)
    if path and path.is_dir():
        path /= f"{result.name}{suffix_of(result.media_type)}"
    if result.path is None:
        if path:
            path.write_text(result.value if isinstance(result.value, str) else json.dumps(result.value))
        return result.value if is_opened else path
    answer = yield from fetch(Request(path=result.path, to=path))
    if not is_opened:
        return path
    # Use the type of the link: after a redirect to an object store, the answer has no type.
    try:
        return open_content(path or answer.body, result.media_type or answer.media_type)
    except json.JSONDecodeError as error:
        raise unreadable(answer.status, answer.media_type, path.read_bytes() if path else answer.body) from error
