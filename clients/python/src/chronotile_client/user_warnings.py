"""Warnings that point to the user's line."""

import inspect
import warnings
from collections.abc import Iterable

from chronotile_client.errors import ArchiveWarning

OWN = __name__.partition(".")[0]


def warn_user(texts: Iterable[str]) -> None:
    """Warn of each text once, at the line that called this package."""
    frame, level = inspect.currentframe(), 1
    while frame and frame.f_back and str(frame.f_globals.get("__name__", "")).partition(".")[0] == OWN:
        frame, level = frame.f_back, level + 1
    for text in dict.fromkeys(texts):
        warnings.warn(text, ArchiveWarning, stacklevel=level)
