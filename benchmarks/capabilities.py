"""Capabilities of many layers and of many dates: bytes, and milliseconds to make them and to return cached ones.

    python -m benchmarks.capabilities

Layers are made in memory and never drawn. A document is requested from the whole application, first without a cache,
then again. Milliseconds are processor time of client and server together, the best of some rounds, because other work
on the machine only adds to it.
"""

import gzip
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.core.model.time.domain import TimeDomain, domain_of_instants
from chronotile.core.model.time.period_parser import parse_period
from chronotile.core.model.time.periods import step_instants
from chronotile.pipeline.services import Services
from tests.protocols import served

RESULTS = Path(__file__).parent / "results"
ROUNDS, ASKED_AGAIN = 5, 20
FIRST = np.datetime64("1990-01-01", "ns")
NOW = np.datetime64("2100-01-01", "ns")
DOCUMENTS = {
    "WMS 1.3.0": "/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.3.0",
    "WMS 1.1.1": "/wms?SERVICE=WMS&REQUEST=GetCapabilities&VERSION=1.1.1",
    "WMTS 1.0.0": "/wmts?SERVICE=WMTS&REQUEST=GetCapabilities",
    "/layers": "/layers",
    "landing page": "/",
}


@dataclass(frozen=True)
class Result:
    """One document over one archive."""

    archive: str
    document: str
    bytes: int
    gzipped: int
    cold_ms: float
    warm_ms: float


def irregular(count: int, seed: int) -> TimeDomain:
    """Return minutes without a period."""
    minutes = np.cumsum(np.random.default_rng(seed).integers(300, 5000, count))
    return domain_of_instants(FIRST + minutes.astype("timedelta64[m]"))


def irregular_days(count: int, seed: int) -> TimeDomain:
    """Return days without a period."""
    days = np.cumsum(np.random.default_rng(seed).integers(1, 12, count))
    return domain_of_instants(FIRST + days.astype("timedelta64[D]"))


def regular(period: str, count: int) -> TimeDomain:
    """Return times a period apart."""
    return domain_of_instants(step_instants(FIRST, parse_period(period), count))


def archive(domains: Sequence[TimeDomain]) -> Services:
    """Return services over a layer for each time domain, in collections of 25."""
    layers = [
        served.make_layer(
            f"LAYER_{number:03}",
            collection=f"collection-{number // 25}",
            variable=served.make_variable(f"LAYER_{number:03}", times=domain),
        )
        for number, domain in enumerate(domains)
    ]
    collections = [served.make_collection(*layers[start : start + 25]) for start in range(0, len(layers), 25)]
    return served.make_services(*collections, now=NOW)


ARCHIVES = {
    "500 layers of 1,000 irregular days": lambda: archive([irregular_days(1000, seed) for seed in range(500)]),
    "500 layers of 1,000 dekads": lambda: archive([regular("dekad", 1000)] * 500),
    "1 layer of 134,000 irregular instants": lambda: archive([irregular(134_000, 1)]),
}


def run() -> list[Result]:
    """Return the figures of all documents over all archives."""
    results = []
    for name, make in ARCHIVES.items():
        services = make()  # type: ignore[no-untyped-call]  # a fixture of the tests, which have no types
        with TestClient(application(services)) as client:
            results += [_asked(client, services, name, document) for document in DOCUMENTS]
    return results


def _asked(client: TestClient, services: Services, archive_name: str, document: str) -> Result:
    url = DOCUMENTS[document]
    cold, warm = [], []
    for _round in range(ROUNDS):
        services.documents.clear()
        services.layer_revisions.clear()
        start = time.process_time()
        body = client.get(url).content
        cold.append(time.process_time() - start)
    for _round in range(ASKED_AGAIN):
        start = time.process_time()
        client.get(url)
        warm.append(time.process_time() - start)
    return Result(archive_name, document, len(body), len(gzip.compress(body)), min(cold) * 1000, min(warm) * 1000)


def table(results: list[Result]) -> str:
    """Return the results as Markdown, with machine, versions and command."""
    rows = [
        f"| {each.archive} | {each.document} | {each.bytes / 1000:,.0f} | {each.gzipped / 1000:,.0f} | "
        f"{each.cold_ms:.0f} | {each.warm_ms:.1f} |"
        for each in results
    ]
    return "\n".join(
        [
            "# Capabilities of large archives",
            "",
            f"`python -m benchmarks.capabilities`, {datetime.now(UTC):%Y-%m-%d}; {os.cpu_count()} cores, "
            f"{platform.machine()}, Python {platform.python_version()}, numpy {np.__version__}.",
            f"In-process through the test client, which unpacks the answer; processor time, best of {ROUNDS} when the "
            f"document is made and of {ASKED_AGAIN} when it is kept.",
            "",
            "| archive | document | kB | kB gzipped | ms made | ms kept |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            "",
        ]
    )


def main() -> None:
    """Measure, print the table and write it to results/."""
    text = table(run())
    sys.stdout.write(text)
    (RESULTS / "capabilities.md").write_text(text)


if __name__ == "__main__":
    main()
