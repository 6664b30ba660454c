"""Run OGC's own suites of OGC API EDR, Features, Processes and Tiles, and of WPS, from a folder with their jars.

    python -m tests.cite.run_ogcapi FOLDER [LANDING_PAGE]

FOLDER, outside of the repository, has the jars of the suites with their dependencies (`ets-ogcapi-edr10-1.3-aio.jar`
etc.), and receives the results. Schemas are fetched from a stand-in (`schema_stand_in`). Without a landing page the
formula of `tests.protocols.served` is served and tested, and its jobs are run. The exit status is 1 if a suite that
ran had a failure or passed nothing; without Java or the jars no suite runs.
"""

import shutil
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Thread
from xml.sax.saxutils import quoteattr

import orjson
from lxml import etree

from chronotile.app.application import ServerOptions, application
from chronotile.archive.live_archive import LiveArchive
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.limits import Limits
from chronotile.jobs.queue.service import JobService
from chronotile.jobs.runner.cluster import Cluster
from chronotile.jobs.runner.connection import connect
from chronotile.jobs.runner.runner import JobRunner
from chronotile.pipeline.services import Services
from chronotile.readers.reader_caches import ReaderCaches
from tests.cite.schema_stand_in import java_options, schema_stand_in
from tests.places import make_places
from tests.protocols import served
from tests.protocols.listening import listening
from tests.scenes import Scene, write_cogs

SUITES = ("ets-ogcapi-edr10", "ets-ogcapi-features10", "ets-ogcapi-processes10", "ets-ogcapi-tiles10", "ets-wps20")
"""Names of suites: artifacts of `org.opengis.cite`."""
SUITES_CELLS = 200_000
"""Limit of cells per answer: the suite of EDR requests two degrees, with 125,000 cells in the finest collection."""
REASON = 160
"""Maximum number of characters of a failure."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of a suite: numbers of tests, and names and reasons of failures."""

    passed: int
    skipped: int
    failures: tuple[tuple[str, str], ...]

    @property
    def is_failure(self) -> bool:
        """Return whether a test failed, or none passed, because the suite read an unusable document."""
        return bool(self.failures) or self.passed == 0


def main(arguments: Sequence[str]) -> int:
    """Run all suites; return the exit status."""
    folder = Path(arguments[0])
    with _landing_page(arguments[1:]) as root, schema_stand_in() as found:
        outcomes = {name: run(name, root, folder, java_options(*found)) for name in SUITES}
    for name, outcome in outcomes.items():
        jar = jar_of(name, folder)
        sys.stdout.write(f"{name if jar is None else jar.stem}: {describe(outcome)}\n")
    return int(any(outcome is not None and outcome.is_failure for outcome in outcomes.values()))


def run(name: str, root: str, folder: Path, options: Sequence[str]) -> Outcome | None:
    """Run a suite against a landing page; return its outcome, or None without its jar or Java.

    Args:
        name: Name of the suite.
        root: URL of the landing page.
        folder: Folder of the jars.
        options: Options of Java.
    """
    jar = jar_of(name, folder)
    java = shutil.which("java")
    if jar is None or java is None:
        return None
    properties = folder / f"{name}.xml"
    properties.write_text(properties_document(properties_of(name, root)), encoding="utf-8")
    written = folder / f"{name}-results"
    shutil.rmtree(written, ignore_errors=True)
    subprocess.run([java, *options, "-jar", jar, "-o", written, properties], check=False, timeout=1800)
    (results,) = written.rglob("testng-results.xml")
    return outcome_of(results.read_bytes())


def jar_of(name: str, folder: Path) -> Path | None:
    """Return the jar of a suite, or None; the last one by name counts."""
    return max(folder.glob(f"{name}-*-aio.jar"), default=None)


def properties_of(name: str, root: str) -> Mapping[str, str]:
    """Return the properties of a suite; for the tiles suite they come from the limits of a tileset."""
    if name == "ets-ogcapi-edr10":
        return {"iut": root, "apiDefinition": _link(_read(root), "service-desc"), "noofcollections": "3", "ics": ""}
    if name == "ets-ogcapi-features10":
        return {"iut": root, "noofcollections": "3"}
    if name == "ets-wps20":
        # The suite appends its query to this address.
        return {"IUT": f"{root.removesuffix('/ogcapi')}/wps", "ECHO_PROCESS_ID": "echo"}
    if name == "ets-ogcapi-processes10":
        limits = {"processtestlimit": "3", "testallprocesses": "false", "noofcollections": "3"}
        return {"iut": root, "echoprocessid": "echo", "uselocalschema": "true", **limits}
    collection = _read(f"{root}/collections")["collections"][0]
    tileset = _read(f"{root}/collections/{collection['id']}/map/tiles/WebMercatorQuad")
    limits = tileset["tileMatrixSetLimits"][-1]
    return {
        "iut": root,
        "tilematrixsetdefinitionuri": "http://www.opengis.net/def/tilematrixset/OGC/1.0/WebMercatorQuad",
        "urltemplatefortiles": _link(tileset, "item"),
        "tilematrix": limits["tileMatrix"],
        "mintilerow": str(limits["minTileRow"]),
        "maxtilerow": str(limits["maxTileRow"]),
        "mintilecol": str(limits["minTileCol"]),
        "maxtilecol": str(limits["maxTileCol"]),
    }


def properties_document(entries: Mapping[str, str]) -> str:
    """Return properties as the suites read them: without a document type, which newer ones refuse."""
    rows = "".join(f"<entry key={quoteattr(key)}>{_escaped(value)}</entry>" for key, value in entries.items())
    return f'<?xml version="1.0" encoding="UTF-8"?><properties version="1.0">{rows}</properties>'


def outcome_of(results: bytes) -> Outcome:
    """Return the outcome in TestNG's results."""
    methods = [each for each in etree.fromstring(results).iter("test-method") if each.get("is-config") != "true"]
    failed = [each for each in methods if each.get("status") == "FAIL"]
    return Outcome(
        passed=sum(each.get("status") == "PASS" for each in methods),
        skipped=sum(each.get("status") == "SKIP" for each in methods),
        failures=tuple((each.get("name"), " ".join("".join(each.itertext()).split())[:REASON]) for each in failed),
    )


def describe(outcome: Outcome | None) -> str:
    """Return an outcome in words."""
    if outcome is None:
        return "not found, so not run"
    counted = f"{outcome.passed} passed, {len(outcome.failures)} failed, {outcome.skipped} skipped"
    return "\n  ".join([counted, *(f"{name}: {reason}" for name, reason in outcome.failures)])


@contextmanager
def _landing_page(given: Sequence[str]) -> Iterator[str]:
    if given:
        yield given[0].rstrip("/")
        return
    with tempfile.TemporaryDirectory() as made, closing(open_items(None, Path(made), archive="a")) as index:
        services = replace(suited(), reader_caches=ReaderCaches(items=lambda: index))
        with jobs_done() as desk, listening(application(services, ServerOptions(jobs=desk))) as base:
            yield f"{base}/ogcapi"


@contextmanager
def jobs_done() -> Iterator[JobService]:
    """Yield a job service; a separate process runs its jobs on separate data."""
    own = partial(connect, None, processes=1, memory_bytes=1 << 30)
    with tempfile.TemporaryDirectory() as made, Cluster(own) as cluster:
        data, folder = Path(made) / "data", Path(made) / "jobs"
        data.mkdir()
        write_cogs(data, Scene())
        desk = JobService(folder, archive="a")
        live = LiveArchive.open(data)
        runner = JobRunner(desk.table, cluster, live, place=data, folder=folder, timeout_s=600, retention_s=1e6)
        thread = Thread(target=runner.run)
        thread.start()
        try:
            yield desk
        finally:
            runner.stop()
            thread.join()
            desk.close()


def suited() -> Services:
    """Return services that the EDR suite can query: places, and collections of layers with values and times."""
    collections = [
        replace(each, layers=tuple(layer for layer in each.layers if not layer.is_composite and len(layer.times)))
        for each in served.tree_collections()
    ]
    return served.make_services(*collections, places=[make_places()], limits=Limits(max_features=SUITES_CELLS))


def _read(url: str) -> dict[str, object]:
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return orjson.loads(answer.read())


def _link(document: Mapping[str, object], rel: str) -> str:
    return next(link["href"] for link in document["links"] if link["rel"] == rel)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
