"""The metrics of all workers of a server, from any of them."""

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
"""After which a worker that does not answer is left out."""
LOGGED_FINDINGS = "findings"
"""Folder in that of the workers."""

LONGEST_FOLDER = 75
"""In bytes: the path of a socket in a folder of its own there has at most 104 on macOS, 108 on Linux, one of them 0."""


def folder_for_sockets(temporary: str) -> str:
    """Return where a folder of sockets may be made: the one for temporary files, unless its path is too long."""
    return temporary if len(os.fsencode(temporary)) <= LONGEST_FOLDER else "/tmp"  # noqa: S108 -- for a folder of ours


@dataclass(frozen=True, slots=True)
class Siblings:
    """The workers of a server; each gives its metrics at a socket in a folder of theirs."""

    folder: Path
    number: int
    """Of this worker; a process that replaces it has the same number."""

    async def tell(self, registry: CollectorRegistry) -> asyncio.Server:
        """Send the metrics of this worker to a client that connects."""

        async def answer(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                # In a thread: the folder of previews is looked at for it.
                writer.write(await asyncio.to_thread(generate_latest, registry))
                await writer.drain()
            writer.close()

        socket = self.folder / str(self.number)
        socket.unlink(missing_ok=True)  # of the worker whose place this one took
        return await asyncio.start_unix_server(answer, socket)

    async def ask(self) -> dict[str, str]:
        """Return the metrics of each other worker by its number; of one that does not answer in time, an empty text."""
        sockets = sorted(path.name for path in self.folder.iterdir() if path.is_socket())
        numbers = [number for number in sockets if number != str(self.number)]
        texts = await asyncio.gather(*(_text(self.folder / number) for number in numbers))
        return dict(zip(numbers, texts, strict=True))


async def _text(socket: Path) -> str:
    """The metrics of the worker at a socket; empty if it does not answer."""
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
    """Return the metrics of all workers as one text, in which each sample is labelled with its worker.

    `chronotile_worker_up` is 0 for a worker whose metrics are left out: its text is empty, or ended midway.
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
            found = _families(text)
            up.add_metric([worker], bool(found))
            for family in found:
                family_of_all = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                family_of_all.samples += [
                    sample._replace(labels={**sample.labels, "worker": worker}) for sample in family.samples
                ]
        return (up, *families.values())


def _families(text: str) -> list[Metric]:
    """The metrics of a worker; nothing where it ended midway."""
    try:
        return list(text_string_to_metric_families(text))
    except ValueError:
        return []
