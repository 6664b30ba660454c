"""Fixtures of tests of whole archives."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from chronotile.archive.open import Archive, open_archive

NOW = np.datetime64("2020-03-01T12:00:00", "ns")


@pytest.fixture
def open_at(closed_at_end) -> Callable[[Path], Archive]:
    """Return `open_at(place)`, which opens an archive at noon of 1 March 2020; it is closed at the end."""
    return lambda place: closed_at_end(open_archive(place, environment={}, clock=lambda: NOW))
