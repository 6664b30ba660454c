"""Metrics of all workers of a server, which any worker can collect."""

import asyncio
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

ANSWER_S = 2.0
"""Timeout of a worker's answer."""
LOGGED_FINDINGS = "findings"
"""Name of a folder in the folder of the workers."""

LONGEST_FOLDER = 75
"""Bytes. The path of a socket in a subfolder has at most 104 on macOS and 108 on Linux, with a zero byte at the end."""


def folder_for_sockets(temporary: str) -> str:
    """Return the parent of a folder of sockets: the folder for temporary files, unless its path is too long."""
    return temporary if len(os.fsencode(temporary)) <= LONGEST_FOLDER else "/tmp"  # noqa: S108 -- only its parent


@dataclass(frozen=True, slots=True)
class Siblings:
    """The workers of a server. Each sends its metrics at a socket in a common folder."""

    folder: Path
    number: int
    """Number of this worker; a process that replaces it has the same number."""

    async def serve_metrics(self, registry: CollectorRegistry) -> asyncio.Server:
        """Send the metrics of this worker to each client that connects."""

        async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                # In a thread, because the collector reads the folder of previews.
                writer.write(await asyncio.to_thread(generate_latest, registry))
                await writer.drain()
            writer.close()

        socket = self.folder / str(self.number)
        socket.unlink(missing_ok=True)  # socket of a process that this one replaces
        return await asyncio.start_unix_server(answer, socket)

    async def read_metrics(self) -> dict[str, str]:
        """Return the metrics of the other workers by their numbers; empty for a worker that does not answer in time."""
        sockets = sorted(path.name for path in self.folder.iterdir() if path.is_socket())
        numbers = [number for number in sockets if number != str(self.number)]
        texts = await asyncio.gather(*(_text(self.folder / number) for number in numbers))
        return dict(zip(numbers, texts, strict=True))


async def _text(socket: Path) -> str:
    """Return the metrics that a worker sends at a socket; empty if it does not answer."""
    try:
        async with asyncio.timeout(ANSWER_S):
            reader, writer = await asyncio.open_unix_connection(socket)
            try:
                return (await reader.read(-1)).decode()
            finally:
                writer.close()
    except (OSError, TimeoutError):
        return ""


def merge_metrics(texts: Mapping[str, str]) -> bytes:
    """Return the metrics of all workers as one text, with the label `worker` on each sample.

    `chronotile_worker_up` is 0 for a worker whose text is empty or incomplete; its metrics are omitted.
    """
    registry = CollectorRegistry()
    registry.register(_Merged(texts))
    return generate_latest(registry)


class _Merged(Collector):
    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def collect(self) -> Iterable[Metric]:
        families: dict[str, Metric] = {}
        up = GaugeMetricFamily("chronotile_worker_up", "Whether a worker's metrics are included", labels=["worker"])
        for worker, text in sorted(self._texts.items()):
            worker_families = _families(text)
            up.add_metric([worker], bool(worker_families))
            for family in worker_families:
                family_of_all = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                family_of_all.samples += [
                    sample._replace(labels={**sample.labels, "worker": worker}) for sample in family.samples
                ]
        return (up, *families.values())


def _families(text: str) -> list[Metric]:
    """Return the metrics in the text of a worker; empty if the text is incomplete."""
    try:
        return list(text_string_to_metric_families(text))
    except ValueError:
        return []
