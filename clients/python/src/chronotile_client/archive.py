"""A server of chronotile, its layers and its jobs, with calls that block."""

import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx2

from chronotile_client import executions
from chronotile_client.coverages import Picture, fetch_cube, fetch_map
from chronotile_client.credential import Credential, Token, without_key
from chronotile_client.exchange import Exchange, Retries
from chronotile_client.executions import JobState, Progress, ResultInfo
from chronotile_client.layers import LayerInfo, Layers, fetch_description, fetch_layers, fetch_times
from chronotile_client.progress import show_progress
from chronotile_client.queries import map_params, series_query
from chronotile_client.results import fetch_result, only
from chronotile_client.series import fetch_series
from chronotile_client.stores import fetch_store_path, open_store
from chronotile_client.times import time_text
from chronotile_client.transport import Transport, settings_of
from chronotile_client.user_warnings import warn_user

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Result = TypeVar("Result")


class Archive:
    """A server of chronotile.

    Args:
        url: Its address, with the prefix if it has one.
        token: A token or an API key, or a function that returns one, see `Credential`; it is sent to this server alone.
        timeout_s: Maximum wait for data of an answer.
        retries: Number and duration of repetitions of failed requests.
        headers: Sent with all requests.
        transport: The transport of httpx2, for tests and proxies; by default connections over HTTP.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Token | None = None,
        timeout_s: float = 120.0,
        retries: Retries | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.headers = dict(headers or {})
        settings = settings_of(self.url, timeout_s, headers)
        self.credential = None if token is None else Credential(self.url, token)
        client = httpx2.Client(**settings, auth=self.credential, transport=transport)
        self._transport = Transport(client, retries or Retries())
        weakref.finalize(self, client.close)  # notebooks close nothing
        self._layers: Layers[Layer] | None = None

    @property
    def layers(self) -> "Layers[Layer]":
        """The layers by id, requested once; `reload()` discards them."""
        if self._layers is None:
            documents = self.run(fetch_layers())
            found = [Layer.from_document(document, archive=self) for document in documents]
            self._layers = Layers({layer.id: layer for layer in found})
        return self._layers

    def layer(self, name: str) -> "Layer":
        """Return a layer by its id or an alias.

        Raises:
            NotFound: No layer has this name.
        """
        return Layer.from_document(self.run(fetch_description(name)), archive=self)

    def reload(self) -> None:
        """Discard the layers and their times, so that the next access requests them again."""
        self._layers = None

    def process(self, process: str, *, at_once_s: int = 10, **inputs: Any) -> "Job":  # noqa: ANN401 -- inputs are JSON
        """Start a process and return its job.

        Args:
            process: Its id, such as `trend`.
            at_once_s: Seconds, at most 20. If the process is expected to be faster, this call waits for its results.
                0 always starts a job.
            inputs: By name. `layer` may be a Layer, `time` has the forms of `Layer.series`, `bbox` is four numbers, and
                geometries are shapely's, geopandas' or GeoJSON.
        """
        state, results = self.run(executions.execute(process, inputs, at_once_s=at_once_s))
        return Job(self, state, results)

    def job(self, job: str) -> "Job":
        """Return a job by its id.

        Raises:
            NotFound: The server does not have it, or has deleted it.
        """
        return Job(self, self.run(executions.fetch_job(job)))

    def run(self, exchange: Exchange[Result]) -> Result:
        """Return the result of an exchange, and warn about values that the server omitted or substituted."""
        warned: list[str] = []
        found = self._transport.run(exchange, warned)
        warn_user(warned)
        return found

    def close(self) -> None:
        """Close all connections."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Archive({without_key(self.url)!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer(LayerInfo):
    """A layer of an archive."""

    archive: Archive = field(repr=False, compare=False)

    def describe(self) -> dict[str, Any]:
        """Return the server's complete description, such as `crs`, `resolution` and `license`."""
        return self.archive.run(fetch_description(self.id))

    def times(self, time: Any = None) -> "pd.DatetimeIndex":  # noqa: ANN401 -- the forms of time_text
        """Return its times, or only the times that overlap `time`."""
        return self.archive.run(fetch_times(self.id, time_text(time)))

    def series(
        self,
        where: Any,  # noqa: ANN401 -- the forms of location_of
        *,
        time: Any = None,  # noqa: ANN401 -- the forms of time_text
        reducers: str | Sequence[str] | None = None,
        **options: Any,  # noqa: ANN401 -- parameters of the server
    ) -> "pd.DataFrame":
        """Return values along time as a table with the index `time` (UTC).

        Args:
            where: `(lon, lat)`, `(west, south, east, north)`, `"set/id"` of a place of the server, a list, array or
                mapping of points, a shapely geometry, a GeoSeries or GeoDataFrame in any CRS, or GeoJSON.
            time: `"2023"`, `"2023-06/2023-08"`, a date, `slice(first, last)` or a list of dates; None for all times.
            reducers: For areas: `mean` (default), `min`, `max`, `std`, `sum`, `median`, `p10`, `count` and others.
            options: Other parameters of the server: `weights`, `min_valid`, `step`, `smooth`, `anomaly`, `trend`.

        Returns:
            For points `value` and `reason` (why a value is missing); for areas one column per reducer, `valid` and
            `total` cells, `reason` of missing values, and `note` if the server has remarks. Rows of several points or
            areas follow each other, with their `id`: the index of a GeoDataFrame, the name, or the number from 1.
            `attrs` has units, attribution and `analysis`: a mapping by `id`, or a list in the same order if ids repeat.

        Raises:
            InvalidRequest: A parameter is not accepted, or the only point or all areas lie outside the layer.
            LimitExceeded: A single point or area exceeds a limit.
        """
        query = series_query(self, where, {"time": time, "reducers": reducers, **options})
        return self.archive.run(fetch_series(query))

    def cube(self, bbox: Any = None, time: Any = None, **options: Any) -> "xr.DataArray":  # noqa: ANN401 -- as series
        """Return values in a box as an array of xarray in memory, in the cells and the CRS of the layer.

        Args:
            bbox: West, south, east, north in degrees; None for the whole layer.
            time: As in `series`.
            options: Other parameters of coverages: `scale_factor`, `crs`, `resolution`, `interpolation`.

        Raises:
            LimitExceeded: The array is too large for one request; its `job` names the process that exports it.
        """
        return self.archive.run(fetch_cube(self, map_params(bbox, {"time": time, **options})))

    def open(self, **options: Any) -> "xr.DataArray":  # noqa: ANN401 -- parameters of xarray
        """Return the whole layer as a lazy array of xarray: numbers are read when they are needed.

        The array shows one version of the layer: it does not contain dates that are added later, and reading fails
        after one of its dates is removed.

        Args:
            options: Parameters of `xarray.open_zarr`, such as `chunks`.

        Raises:
            InvalidRequest: The layer is a composite, or its cells are rotated.
        """
        url = f"{self.archive.url}/{self.archive.run(fetch_store_path(self))}"
        return open_store(url, self, headers=self.archive.headers, credential=self.archive.credential, options=options)

    def map(
        self,
        bbox: Any = None,  # noqa: ANN401 -- four numbers
        time: Any = None,  # noqa: ANN401 -- as series
        *,
        style: str | None = None,
        **options: Any,  # noqa: ANN401 -- parameters of the server
    ) -> Picture:
        """Return a picture.

        Args:
            bbox: West, south, east, north in degrees; None for the whole layer.
            time: As in `series`; None for the layer's default.
            style: A name of `styles`; None for the first.
            options: Other parameters of maps: `width`, `height`, `crs`, `format`, `range`, `ramp`, `reducer`.
        """
        return self.archive.run(fetch_map(self, map_params(bbox, {"time": time, **options}), style))


class Job:
    """A running or finished execution of a process."""

    def __init__(self, archive: Archive, state: JobState, results: tuple[ResultInfo, ...] | None = None) -> None:
        self._archive = archive
        self._results = results
        self.state = state
        """The last state that was requested."""

    @property
    def id(self) -> str | None:
        """Its id; None if the server answered immediately and stored nothing."""
        return self.state.id

    @property
    def status(self) -> str:
        """Its status, requested again until it has ended."""
        if not self.state.is_over and self.id:
            self.state = self._archive.run(executions.fetch_job(self.id))
        return self.state.status

    def wait(self, *, timeout_s: float | None = None, progress: Progress | None = show_progress) -> Self:
        """Wait until it has succeeded, and return it.

        Args:
            timeout_s: Maximum wait; None for no limit.
            progress: Called with each state. The default writes a line of text in a terminal or a notebook, otherwise
                it logs messages at INFO. None for no output.

        Raises:
            JobFailed: It failed, or was cancelled.
            TimeoutError: It has not finished in time; the server continues it.
        """
        self.state = self._archive.run(executions.wait_for(self.state, timeout_s=timeout_s, progress=progress))
        return self

    def cancel(self) -> None:
        """Cancel it, or remove the results of a finished job."""
        if self.id:
            self.state = self._archive.run(executions.cancel(self.state))
            self._results = None

    def results(self) -> dict[str, ResultInfo]:
        """Return its outputs by name: values, and locations of files.

        Raises:
            JobFailed: It failed, or was cancelled.
            NotFound: It has not finished.
        """
        if self._results is None:
            self._results = self._archive.run(executions.fetch_results(self.state))
        return {result.name: result for result in self._results}

    def open(self, output: str | None = None, *, to: str | Path | None = None) -> Any:  # noqa: ANN401 -- by media type
        """Open an output as the type of its content: a Dataset of xarray, a DataFrame, or the value.

        Tables have the index `time` (UTC). If a table comes from CSV of either dialect, `id` is text.

        Args:
            output: Its name; None if the job has a single output.
            to: A file to save it in and read it from, if it is too large for memory.

        Raises:
            KeyError: No output has this name, or `output` is None and there are several.
        """
        result = only(self.results(), output)
        return self._archive.run(fetch_result(result, to=to, is_opened=True))

    def save(self, to: str | Path, output: str | None = None) -> Path:
        """Save an output and return the path; a folder gets a file with the name of the output.

        Raises:
            KeyError: As in `open`.
        """
        result = only(self.results(), output)
        return Path(self._archive.run(fetch_result(result, to=to, is_opened=False)))

    def __repr__(self) -> str:
        state = self.state
        return f"<Job {state.id or 'done at once'}: {state.process}, {state.status}, {state.progress} %>"
