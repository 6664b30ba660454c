"""The classes of `archive`, with `await`."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import httpx2

from chronotile_client import executions
from chronotile_client.coverages import Picture, fetch_cube, fetch_map
from chronotile_client.credential import AsyncToken, Credential, without_key
from chronotile_client.exchange import Exchange, Retries
from chronotile_client.executions import JobState, Progress, ResultInfo
from chronotile_client.layers import LayerInfo, Layers, fetch_description, fetch_layers, fetch_times
from chronotile_client.progress import show_progress
from chronotile_client.queries import map_params, series_query
from chronotile_client.results import fetch_result, only
from chronotile_client.series import fetch_series
from chronotile_client.stores import fetch_store_path, open_store
from chronotile_client.times import time_text
from chronotile_client.transport import AsyncTransport, settings_of
from chronotile_client.user_warnings import warn_user

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

Result = TypeVar("Result")


class AsyncArchive:
    """A server of chronotile; it takes the arguments of `Archive`, and the function of `token` may be async."""

    def __init__(
        self,
        url: str,
        *,
        token: AsyncToken | None = None,
        timeout_s: float = 120.0,
        retries: Retries | None = None,
        headers: Mapping[str, str] | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.headers = dict(headers or {})
        settings = settings_of(self.url, timeout_s, headers)
        self.credential = None if token is None else Credential(self.url, token)
        client = httpx2.AsyncClient(**settings, auth=self.credential, transport=transport)
        self._transport = AsyncTransport(client, retries or Retries())

    async def layers(self) -> "Layers[AsyncLayer]":
        """Return the layers by id."""
        documents = await self.run(fetch_layers())
        found = [AsyncLayer.from_document(document, archive=self) for document in documents]
        return Layers({layer.id: layer for layer in found})

    async def layer(self, name: str) -> "AsyncLayer":
        """Return a layer by its id or an alias."""
        return AsyncLayer.from_document(await self.run(fetch_description(name)), archive=self)

    async def process(self, process: str, *, at_once_s: int = 10, **inputs: Any) -> "AsyncJob":  # noqa: ANN401 -- JSON
        """Start a process and return its job, as `Archive.process`."""
        state, results = await self.run(executions.execute(process, inputs, at_once_s=at_once_s))
        return AsyncJob(self, state, results)

    async def job(self, job: str) -> "AsyncJob":
        """Return a job by its id."""
        return AsyncJob(self, await self.run(executions.fetch_job(job)))

    async def run(self, exchange: Exchange[Result]) -> Result:
        """Return the result of an exchange, and warn about values that the server omitted or substituted."""
        warned: list[str] = []
        found = await self._transport.run(exchange, warned)
        warn_user(warned)
        return found

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncArchive({without_key(self.url)!r})"


@dataclass(frozen=True, slots=True, kw_only=True)
class AsyncLayer(LayerInfo):
    """A layer of an archive; it has the methods of `Layer`."""

    archive: AsyncArchive = field(repr=False, compare=False)

    async def describe(self) -> dict[str, Any]:
        """Return the server's complete description."""
        return await self.archive.run(fetch_description(self.id))

    async def times(self, time: Any = None) -> "pd.DatetimeIndex":  # noqa: ANN401 -- the forms of time_text
        """Return its times, as `Layer.times`."""
        return await self.archive.run(fetch_times(self.id, time_text(time)))

    async def series(
        self,
        where: Any,  # noqa: ANN401 -- the forms of location_of
        *,
        time: Any = None,  # noqa: ANN401 -- the forms of time_text
        reducers: str | Sequence[str] | None = None,
        **options: Any,  # noqa: ANN401 -- parameters of the server
    ) -> "pd.DataFrame":
        """Return values along time as a table, as `Layer.series`."""
        query = series_query(self, where, {"time": time, "reducers": reducers, **options})
        return await self.archive.run(fetch_series(query))

    async def cube(self, bbox: Any = None, time: Any = None, **options: Any) -> "xr.DataArray":  # noqa: ANN401 -- as Layer
        """Return values in a box as an array, as `Layer.cube`."""
        return await self.archive.run(fetch_cube(self, map_params(bbox, {"time": time, **options})))

    async def open(self, **options: Any) -> "xr.DataArray":  # noqa: ANN401 -- parameters of xarray
        """Return the whole layer as a lazy array, as `Layer.open`; the array reads numbers without `await`."""
        url = f"{self.archive.url}/{await self.archive.run(fetch_store_path(self))}"
        archive = self.archive
        return await asyncio.to_thread(
            open_store, url, self, headers=archive.headers, credential=archive.credential, options=options
        )

    async def map(
        self,
        bbox: Any = None,  # noqa: ANN401 -- four numbers
        time: Any = None,  # noqa: ANN401 -- as series
        *,
        style: str | None = None,
        **options: Any,  # noqa: ANN401 -- parameters of the server
    ) -> Picture:
        """Return a picture, as `Layer.map`."""
        return await self.archive.run(fetch_map(self, map_params(bbox, {"time": time, **options}), style))


class AsyncJob:
    """An execution of a process; it has the methods of `Job`."""

    def __init__(self, archive: AsyncArchive, state: JobState, results: tuple[ResultInfo, ...] | None = None) -> None:
        self._archive = archive
        self._results = results
        self.state = state

    @property
    def id(self) -> str | None:
        """Its id; None if the server answered immediately and stored nothing."""
        return self.state.id

    async def status(self) -> str:
        """Return its status, requested again until the job has finished."""
        if not self.state.is_over and self.id:
            self.state = await self._archive.run(executions.fetch_job(self.id))
        return self.state.status

    async def wait(self, *, timeout_s: float | None = None, progress: Progress | None = show_progress) -> Self:
        """Wait until it has succeeded, and return it."""
        waiting = executions.wait_for(self.state, timeout_s=timeout_s, progress=progress)
        self.state = await self._archive.run(waiting)
        return self

    async def cancel(self) -> None:
        """Cancel it, or remove the results of a finished job."""
        if self.id:
            self.state = await self._archive.run(executions.cancel(self.state))
            self._results = None

    async def results(self) -> dict[str, ResultInfo]:
        """Return its outputs by name."""
        if self._results is None:
            self._results = await self._archive.run(executions.fetch_results(self.state))
        return {result.name: result for result in self._results}

    async def open(self, output: str | None = None, *, to: str | Path | None = None) -> Any:  # noqa: ANN401 -- as Job
        """Open an output as the type of its content."""
        result = only(await self.results(), output)
        return await self._archive.run(fetch_result(result, to=to, is_opened=True))

    async def save(self, to: str | Path, output: str | None = None) -> Path:
        """Save an output and return the path."""
        result = only(await self.results(), output)
        return Path(await self._archive.run(fetch_result(result, to=to, is_opened=False)))

    def __repr__(self) -> str:
        state = self.state
        return f"<AsyncJob {state.id or 'done at once'}: {state.process}, {state.status}, {state.progress} %>"
