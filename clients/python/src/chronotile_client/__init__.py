"""Client of chronotile servers: series as pandas, cubes as xarray, pictures, and jobs."""

from typing import TYPE_CHECKING

from chronotile_client.archive import Archive, Job, Layer
from chronotile_client.async_archive import AsyncArchive, AsyncJob, AsyncLayer
from chronotile_client.coverages import Picture
from chronotile_client.errors import (
    ArchiveError,
    ArchiveWarning,
    InvalidRequest,
    JobFailed,
    LimitExceeded,
    NotFound,
    Unavailable,
)
from chronotile_client.exchange import Retries
from chronotile_client.executions import JobState
from chronotile_client.seasons import seasons

if TYPE_CHECKING:
    from chronotile_client.map import Map as Map

__version__ = "0.1.0"

__all__ = [
    "Archive",
    "ArchiveError",
    "ArchiveWarning",
    "AsyncArchive",
    "AsyncJob",
    "AsyncLayer",
    "InvalidRequest",
    "Job",
    "JobFailed",
    "JobState",
    "Layer",
    "LimitExceeded",
    "NotFound",
    "Picture",
    "Retries",
    "Unavailable",
    "seasons",
]


def __getattr__(name: str) -> object:
    """Import `Map` when it is used: it needs anywidget."""
    if name == "Map":
        from chronotile_client.map import Map

        return Map
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
