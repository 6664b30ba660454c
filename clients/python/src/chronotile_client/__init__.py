"""Client of chronotile servers: series as pandas, cubes as xarray, pictures, and jobs."""

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
]
