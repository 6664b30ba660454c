"""One made archive in each form of access: files, STAC of three kinds, object storage."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.faulty_source import FaultySource, faulty_source
from tests.postgresql import Server
from tests.s3 import SignedServer, serving_s3
from tests.scenes_archive import documents
from tests.scenes_archive.files import TILES, TIME_PATTERN, archive, made_once
from tests.scenes_archive.pgstac import StacApi, serving_stac_api
from tests.scenes_archive.plan import Plan, Scene

FILES, STATIC, STATIC_OLD, OVER_HTTP, STAC_API, SIGNED_S3, GEOPARQUET = FORMS = (
    *("files", "static-1.1", "static-1.0", "http", "stac-api", "s3", "geoparquet"),
)
NEEDS = {STAC_API: ("pypgstac", "postgres"), SIGNED_S3: ("moto_server",)}
"""Programs, by form."""
WITHOUT_SERVERS = (FILES, STATIC, STATIC_OLD)


@dataclass(frozen=True)
class Source:
    """How one form of an archive is configured."""

    kind: str
    href: str
    more: str = ""
    """Additional keys of `source`, as YAML."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables of the process that reads it."""

    @property
    def section(self) -> str:
        """The value of the key `source`, as YAML."""
        return f"{{kind: {self.kind}, href: '{self.href}'{self.more}}}"


class Forms:
    """Makes each form when it is first used; servers run until `stack` is closed."""

    def __init__(self, stack: ExitStack, postgresql: Callable[[], Server], folder: Path) -> None:
        self._stack = stack
        self._postgresql = postgresql
        self._folder = folder
        self._sources: dict[tuple[Plan, str], Source] = {}
        self._https: dict[Plan, FaultySource] = {}

    def source(self, made: Plan, form: str) -> Source:
        """Return the source of an archive in one form."""
        key = (made, form)
        if key not in self._sources:
            make = {
                FILES: self._files,
                OVER_HTTP: self._over_http,
                STAC_API: self._stac_api,
                SIGNED_S3: self._signed_s3,
                GEOPARQUET: self._geoparquet,
            }.get(form, self._static)
            self._sources[key] = make(made) if make != self._static else self._static(made, form)
        return self._sources[key]

    def http(self, made: Plan) -> FaultySource:
        """Return the server of an archive's files, well at first; a test that switches faults on heals it."""
        if made not in self._https:
            catalogue(made)
            self._https[made] = self._stack.enter_context(faulty_source(archive(made)))
        return self._https[made]

    def api(self, made: Plan, *, href: Callable[[str], str]) -> StacApi:
        """Return a new STAC API with all items of an archive."""
        api = self._stack.enter_context(serving_stac_api(self._postgresql()))
        api.load_collection(documents.collection(made), self._folder)
        api.load_items((documents.item(scene, href) for scene in made.all_scenes()), self._folder)
        return api

    def _files(self, made: Plan) -> Source:
        pattern = archive(made) / "tiles" / "*" / "*" / "*_{variable}.tif"
        return Source("cog", str(pattern), f", tiles: true, time_pattern: '{TIME_PATTERN}'")

    def _static(self, made: Plan, form: str) -> Source:
        return Source("stac", str(catalogue(made, version=form.removeprefix("static-"))))

    def _over_http(self, made: Plan) -> Source:
        return Source("stac", self.http(made).url_of(catalogue(made).name))

    def _stac_api(self, made: Plan) -> Source:
        files = self.http(made)
        api = self.api(made, href=files.url_of)
        url = f"{api.url}/collections/{documents.COLLECTION}"
        return Source("stac", url, environment={"CHRONOTILE_SOURCE_PREFIXES": files.url})

    def _signed_s3(self, made: Plan) -> Source:
        name = catalogue(made).name
        server = self._stack.enter_context(serving_s3(SignedServer))
        server.upload(archive(made))
        return Source("stac", f"s3://{server.bucket}/{name}", environment=server.environment)

    def _geoparquet(self, made: Plan) -> Source:
        files = self.http(made)
        path = archive(made) / "items.parquet"
        # Used only by this run: the file contains the port of the file server.
        path = documents.write_geoparquet(
            self._folder / path.name, (documents.item(scene, files.url_of) for scene in made.all_scenes())
        )
        return Source("stac", str(path), environment={"CHRONOTILE_SOURCE_PREFIXES": files.url})


def catalogue(made: Plan, *, version: documents.Version = "1.1") -> Path:
    """Return the static catalogue next to an archive's tiles, whose items have relative addresses."""

    def write(folder: Path) -> None:
        documents.write_catalogue(folder, made, lambda path: f"../../../{path}", version=version)

    archive(made)
    return made_once(made, f"catalog-{version}.json", write, sources=("documents.py", "forms.py"))


def own_copy(folder: Path, made: Plan, *, scenes: Iterable[Scene] = ()) -> Source:
    """Return a copy of an archive in a folder, with a catalogue, which a test may change."""
    shutil.copytree(archive(made) / TILES, folder / TILES, copy_function=shutil.copyfile)
    root = documents.write_catalogue(folder, made, lambda path: f"../../../{path}", scenes=scenes)
    return Source("stac", str(root))


@contextmanager
def own_http(folder: Path, made: Plan, *, scenes: Iterable[Scene] = ()) -> Iterator[tuple[FaultySource, Source]]:
    """A server of a copy of an archive, and the source that it is."""
    copied = own_copy(folder, made, scenes=scenes)
    with faulty_source(folder) as server:
        yield server, Source("stac", server.url_of(Path(copied.href).name))
