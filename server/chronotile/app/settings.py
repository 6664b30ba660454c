"""Settings of a process, from `CHRONOTILE_*` variables. The configuration file, not the settings, lists the data.

Only `cli` and `app` read settings, and pass them on as plain values.
"""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from tempfile import gettempdir
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from chronotile.core.errors import ConfigurationError
from chronotile.core.logs import LogFormat
from chronotile.core.machine import Machine

PREFIX = "CHRONOTILE_"
MIN_TOKEN_BYTES, MAX_TOKENS = 24, 2
"""Limits of tokens for writing; two are needed while clients change from one to the next."""
DEFAULT_CONFIGURATION = Path("config/chronotile.yaml")

MAX_WORKERS = 1024
WORKER_BYTES = 420 * 10**6
"""Maximum memory of a worker without its caches and `/cog`, measured by `benchmarks.soak` and `benchmarks.memory`."""
SUPERVISOR_BYTES = 45 * 10**6
"""Maximum memory of the process that starts several workers; 34 MB were measured."""
ANSWER_BYTES = 176 << 20
"""Part of `WORKER_BYTES` for large answers while they are made; tiles alone take the rest."""
CACHE_PART = 8
"""All caches together take the memory divided by this, by default."""
MAX_CACHE_BYTES = 2 << 30
"""Default maximum of all caches: larger ones hardly improve the hit rate."""

DISK_PARTS = {"previews": 2, "mosaics": 4, "blocks": 4, "cubes": 1}
"""Shares of the disk caches: rasters without overviews, mosaics, remote files, cube tiles."""
REPLACED = {"DIR": "CACHE_DIR, in which each cache has a folder", "BYTES": "DISK_CACHE_BYTES for all caches on disk"}
"""Replacements of the former variables of each cache."""

MISSPELT = 0.85
"""Similarity (0 to 1) above which an unknown variable is reported as a misspelt setting."""

_FORMER_VARIABLE = re.compile(rf"{PREFIX}(PREVIEW|MOSAIC|BLOCK|CUBE)_(DIR|BYTES)")
_SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://.+:\d+", re.IGNORECASE)

LogLevel = Literal["debug", "info", "warning", "error"]


class CacheShares(NamedTuple):
    """Sizes of the caches of a process in bytes."""

    pixels: int
    """Decoded pixels of Zarr arrays and raster files."""
    payloads: int
    """Encoded answers."""
    plans: int
    """Warp plans: positions of the source cells of a tile's pixels."""


class Settings(BaseSettings):
    """Settings of this process."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True)

    config: Path = DEFAULT_CONFIGURATION
    """Configuration file, or folder or file of data."""
    host: str = "127.0.0.1"
    """Address to listen at."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen at; 0 takes a free one."""
    workers: int | None = Field(default=None, ge=1, le=MAX_WORKERS)
    """Number of processes that answer; `serve` chooses it by default, other commands use one."""
    log_level: LogLevel = "info"
    """Least severe messages that are logged; `info` logs one line per request."""
    log_format: LogFormat = "text"
    """Format of log messages: lines of text, or one JSON object per line."""
    picture_threads: int = Field(default=8, ge=1, le=256)
    """Pictures drawn concurrently, per process."""
    series_threads: int = Field(default=8, ge=1, le=256)
    """Series of points read concurrently, and as many of areas, per process."""
    coverage_threads: int = Field(default=2, ge=1, le=256)
    """Coverages written concurrently, per process."""
    cube_threads: int = Field(default=1, ge=1, le=256)
    """Cube tiles made concurrently, per process."""
    document_threads: int = Field(default=2, ge=1, le=256)
    """Documents written concurrently, per process."""
    downloads: int = Field(default=64, ge=1, le=10_000)
    """Concurrent downloads of products per process."""
    client_downloads: int = Field(default=8, ge=1, le=10_000)
    """Concurrent downloads of products per address and process."""
    cache_bytes: int | None = Field(default=None, ge=0, le=1 << 40)
    """Memory of the caches of all workers together: decoded pixels, encoded answers and warp plans."""
    payload_bytes: int | None = Field(default=None, ge=0, le=1 << 40)
    """Memory for encoded answers in all workers, if not a fraction of `cache_bytes`; 0 disables this cache."""
    cache_dir: Path | None = None
    """Folder of disk caches, which the processes of a machine may share; default: below $XDG_CACHE_HOME."""
    disk_cache_bytes: int = Field(default=11 << 30, ge=0, le=1 << 50)
    """Size of all disk caches together, for all processes (`disk_cache`); 0 disables them."""
    cube_files: Path | None = None
    """Folder of cube tiles of closed years that `chronotile optimise cube-tiles` wrote."""
    watch_s: float = Field(default=10.0, ge=0, le=86_400)
    """Seconds between checks of configuration, styles and sources for changes; 0 checks only on SIGHUP."""
    forwarded_allow_ips: str = "127.0.0.1,::1"
    """Addresses and networks of proxies whose X-Forwarded-* headers are trusted, with commas, or `*`."""
    cog_prefixes: str | None = None
    """Folders, https:// and s3:// URLs with GeoTIFFs that `/cog` may open, with commas; none disables `/cog`."""
    write_token: str | None = Field(default=None, repr=False)
    """Token of requests that write items (Authorization: Bearer), or two with a comma; default: none is accepted."""
    client_secret: str | None = Field(default=None, repr=False)
    """Secret of `access.client_id` at the identity provider; without one it is a public client."""
    source_prefixes: str | None = None
    """Folders and URLs of files that items may name, with commas; the host of each source is always allowed."""
    sld_prefixes: str | None = None
    """https:// URLs of SLD documents that WMS may fetch, with commas; without any, only SLD_BODY is accepted."""
    input_prefixes: str | None = None
    """https:// URLs of inputs that processes may fetch, with commas; without any, inputs must be values."""
    subscriber_prefixes: str | None = None
    """https:// URLs of allowed subscribers of jobs and webhooks, with commas; without any, all are refused."""
    jobs_dir: Path | None = None
    """Folder of jobs and their results, shared by all workers; default: one per archive, below $XDG_STATE_HOME."""
    jobs_results_url: str | None = None
    """s3://bucket/prefix for files of results; default: they stay in the folder of jobs."""
    database_url: str | None = None
    """postgresql:// URL of jobs and of the item index, for several hosts; default: SQLite in the folder of jobs."""
    dask_address: str | None = None
    """Scheduler of the Dask cluster for `chronotile worker`; by default it starts a local cluster."""
    jobs_cubes_dir: Path | None = None
    """Folder in which jobs publish serving cubes that the server serves; without it, jobs may not publish cubes."""
    jobs_cubes_bytes: int = Field(default=100 << 30, ge=0, le=1 << 50)
    """Maximum size of the cubes in this folder, in bytes."""
    job_timeout_s: float = Field(default=86_400.0, gt=0, le=31_536_000)
    """Maximum duration of a job in seconds; longer jobs fail."""
    jobs_kept_days: float = Field(default=30.0, gt=0, le=36_500)
    """Days for which a finished job and its results are stored."""
    most_open_jobs: int = Field(default=1000, ge=1, le=1_000_000)
    """Maximum number of unfinished jobs per address; all addresses together may have ten times as many."""

    @field_validator("port", mode="before")
    @classmethod
    def _ignore_service_links(cls, value: object) -> object:
        return cls.model_fields["port"].default if is_service_link(value) else value

    @field_validator("forwarded_allow_ips")
    @classmethod
    def _check_addresses(cls, text: str) -> str:
        for part in text.split(","):
            if part.strip() not in {"", "*"}:
                ip_network(part.strip(), strict=False)
        return text

    @field_validator("write_token")
    @classmethod
    def _check_tokens(cls, text: str | None) -> str | None:
        tokens = _members(text)
        if len(tokens) > MAX_TOKENS or any(len(token.encode()) < MIN_TOKEN_BYTES for token in tokens):
            raise ValueError(f"one token of at least {MIN_TOKEN_BYTES} bytes is needed, or two with a comma")
        return text

    @property
    def write_tokens(self) -> tuple[str, ...]:
        """The members of `write_token`."""
        return _members(self.write_token)

    @property
    def trusted_proxies(self) -> tuple[str, ...]:
        """Addresses and networks, or `*`."""
        return _members(self.forwarded_allow_ips)

    @property
    def cog_places(self) -> tuple[str, ...]:
        """The members of `cog_prefixes`."""
        return _members(self.cog_prefixes)

    @property
    def source_places(self) -> tuple[str, ...]:
        """The members of `source_prefixes`."""
        return _members(self.source_prefixes)

    def workers_on(self, machine: Machine) -> int:
        """Return the number of workers: by default one per core, limited by the memory.

        The memory of caches and supervisor is subtracted first. A single worker runs without a supervisor.
        """
        fitting = (machine.memory_bytes - self.cache_on(machine) - SUPERVISOR_BYTES) // WORKER_BYTES
        return self.workers or max(1, min(machine.cores, fitting, MAX_WORKERS))

    def quick_slots_on(self, machine: Machine) -> int:
        """Return the number of concurrent quick calls per process: one per core, and one for a read."""
        return machine.cores // (self.workers or 1) + 1

    def cache_on(self, machine: Machine) -> int:
        """Return the size of the caches of all workers in bytes."""
        if self.cache_bytes is not None:
            return self.cache_bytes
        return min(MAX_CACHE_BYTES, machine.memory_bytes // CACHE_PART)

    def cache_shares(self, machine: Machine) -> CacheShares:
        """Return the sizes of the caches of one worker."""
        workers = self.workers or 1
        cache_bytes = self.cache_on(machine) // workers
        pixels = cache_bytes * 13 // 16
        half = (cache_bytes - pixels) // 2
        payloads = half if self.payload_bytes is None else self.payload_bytes // workers
        return CacheShares(pixels=pixels, payloads=payloads, plans=half)

    def disk_cache(self, name: str) -> tuple[Path, int]:
        """Return the folder and the maximum bytes of a disk cache, by its name in `DISK_PARTS`."""
        folder = self.cache_dir or _folder_of("XDG_CACHE_HOME", ".cache")
        return folder / name, self.disk_cache_bytes * DISK_PARTS[name] // sum(DISK_PARTS.values())

    @property
    def sld_places(self) -> tuple[str, ...]:
        """The members of `sld_prefixes`."""
        return _members(self.sld_prefixes)

    @property
    def input_places(self) -> tuple[str, ...]:
        """The members of `input_prefixes`."""
        return _members(self.input_prefixes)

    @property
    def subscriber_places(self) -> tuple[str, ...]:
        """The members of `subscriber_prefixes`."""
        return _members(self.subscriber_prefixes)

    @property
    def catalogues_folder(self) -> Path:
        """Folder of the configurations that `serve` writes for STAC catalogues."""
        return _folder_of("XDG_STATE_HOME", ".local/state") / "catalogues"

    def jobs_folder(self, archive: str) -> Path:
        """Return the folder of the jobs of an archive: `jobs_dir`, or by default a folder below `$XDG_STATE_HOME`.

        Args:
            archive: Id of the archive.
        """
        return self.jobs_dir or _folder_of("XDG_STATE_HOME", ".local/state") / "archives" / archive / "jobs"

    @property
    def threads(self) -> dict[str, int]:
        """Threads by limiter, for `application`."""
        return {
            "pictures": self.picture_threads,
            "series": self.series_threads,
            "areas": self.series_threads,
            "coverages": self.coverage_threads,
            "cubes": self.cube_threads,
            "documents": self.document_threads,
        }

    def as_environment(self) -> dict[str, str]:
        """Return the variables that give another process the same settings."""
        values = self.model_dump(exclude_none=True)
        return {f"{PREFIX}{name.upper()}": str(value) for name, value in values.items()}


def _members(text: str | None) -> tuple[str, ...]:
    return tuple(member.strip() for member in (text or "").split(",") if member.strip())


def _folder_of(variable: str, usual: str) -> Path:
    """Return a folder for files of this user (XDG Base Directory 0.8): from the variable, or in the home folder."""
    folder = Path(os.environ.get(variable, ""))
    try:
        user_folder = folder if folder.is_absolute() else Path.home() / usual
    except RuntimeError:  # a user without a home, as in containers
        user_folder = Path(gettempdir())
    return user_folder / "chronotile"


def is_service_link(value: object) -> bool:
    """Return whether a value is the `NAME_PORT` variable that Kubernetes and Docker links set for a service `NAME`.

    A service called `chronotile` sets `CHRONOTILE_PORT=tcp://10.0.0.7:8000` in all its neighbours.
    """
    return isinstance(value, str) and _SERVICE_LINK.fullmatch(value) is not None


def load_settings(**overrides: object) -> Settings:
    """Return the settings of the environment; arguments other than `None` override them.

    Raises:
        ConfigurationError: It lists all variables with invalid values, and former variables.
    """
    replaced = [
        f"{match[0]} is not used any more; set {PREFIX}{REPLACED[match[2]]}"
        for match in map(_FORMER_VARIABLE.fullmatch, sorted(name for name, value in os.environ.items() if value))
        if match
    ]
    try:
        settings = Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise ConfigurationError([*replaced, *(_mistake(detail) for detail in details)]) from error
    if replaced:
        raise ConfigurationError(replaced)
    return settings


def _mistake(detail: ErrorDetails) -> str:
    name = f"{PREFIX}{str(detail['loc'][0]).upper()}"
    text = detail["msg"]
    if detail["type"] == "int_parsing":
        text = "should be a whole number" + (" of bytes, such as 67108864" if name.endswith("_BYTES") else "")
    value = "" if detail["loc"][0] == "write_token" else f", got {detail['input']!r}"
    return f"{name}: {text}{value}"


def ignored_variables(environment: Mapping[str, str]) -> list[str]:
    """Return one sentence per ignored variable: a misspelt name, or a service link instead of a port."""
    link = environment.get(f"{PREFIX}PORT", "")
    return [*_misspelt(environment), *([_SERVICE_NAMED_AS_WE_ARE.format(link)] if is_service_link(link) else [])]


_SERVICE_NAMED_AS_WE_ARE = (
    "CHRONOTILE_PORT={!r} is not a port and is ignored: Kubernetes sets it for a Service named chronotile; "
    "enableServiceLinks: false in the pod prevents it"
)


def _misspelt(environment: Mapping[str, str]) -> list[str]:
    settings = [name.upper() for name in Settings.model_fields]
    variables = sorted(name.removeprefix(PREFIX) for name in environment if name.startswith(PREFIX))
    matches = {
        name: get_close_matches(name, settings, n=1, cutoff=MISSPELT) for name in variables if name not in settings
    }
    return [
        f"{PREFIX}{name} is unknown and has no effect; use {PREFIX}{match[0]}"
        for name, match in matches.items()
        if match
    ]
