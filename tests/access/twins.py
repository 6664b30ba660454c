"""Two servers over the same files and catalogues; the first has private things in addition."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from chronotile.cli.main import app as program
from tests.access.provider import AUDIENCE, Provider, serving_provider
from tests.archive.index.stac_api import StacApi
from tests.archive.index.stac_api import serving as serving_api
from tests.faulty_source import faulty_source
from tests.places import write_places
from tests.running import until
from tests.scenes import Scene, write_tif
from tests.scenes_archive import documents
from tests.scenes_archive.files import archive
from tests.scenes_archive.plan import SMALL

SCENE = Scene()
SCENES = sorted(SMALL.all_scenes(), key=lambda scene: scene.datetime)
EXTENT = {"spatial": {"bbox": [[1, 40, 9, 60]]}, "temporal": {"interval": [["2015-07-01T00:00:00Z", None]]}}
TOKEN = "a secret of the tests of it"
"""Token of the operator."""
DATED = "{{kind: cog, href: {}/*.tif, time_pattern: '(?P<time>\\d{{4}}-\\d{{2}}-\\d{{2}})'}}"
ITEMS = "time: {group: solar_day}, variables: {RED: {asset: B04}}"
HIDDEN = "access: {see: [group:ministry]}"
OPEN = f"""
access: {{operate: [group:ops], issuer: ISSUER, audience: {AUDIENCE}}}
collections:
#FIRST
  fields: {{source: {DATED.format("fields")}, variables: {{NDVI: {{layer: NDVI}}}}}}
  scenes: {{source: {{kind: stac, href: 'SCENES'}}, {ITEMS}}}
  api: {{source: {{kind: stac, href: 'API', mode: live}}, {ITEMS}}}
#LAST
places:
  squares: {{href: places.geojson, id: code}}
"""
FIRST = f"""
  hidden: {{source: {DATED.format("hidden")}, variables: {{NDVI: {{layer: HIDDEN}}}}, {HIDDEN}}}
  hidden-scenes: {{source: {{kind: stac, href: 'ALL'}}, {ITEMS}, {HIDDEN}}}"""
LAST = f"""
  hidden-api: {{source: {{kind: stac, href: 'OTHER', mode: live}}, {ITEMS}, {HIDDEN}}}"""
PRIVATE = (
    OPEN.replace("#FIRST", FIRST).replace("#LAST", LAST)
    + f"  hidden-fields: {{href: more.geojson, id: code, {HIDDEN}}}\n"
)

OF_ONE_INDEX = re.compile(
    rb'(?<=cursor=)[\w-]+|(?<="cursor":")[\w-]+|(?<=skiptoken=)[\w-]+|(?<="since":")[\w-]+|(?<="revision":")\w+|(?<=rev=)\w+'
    rb"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z|[\da-f]{32}"
)
"""Numbers of rows and changes, texts made of them, and times of writing."""
OF_A_REQUEST = {"server-timing", "vary", "x-request-id"}


@dataclass
class Server:
    """A server of the pair."""

    configuration: Path
    client: TestClient
    keys: dict[str, str]

    def bearer(self, name: str) -> dict[str, str]:
        """Return the header with a key."""
        return {"Authorization": f"Bearer {self.keys[name]}"}

    def reload(self) -> None:
        """Reload the archive if it changed."""
        self.client.app.state.chronotile.live.refresh()


@dataclass
class Twins:
    """The servers with and without private things, and the catalogue of the private live collection."""

    private: Server
    public: Server
    api: StacApi
    provider: Provider
    url: str
    """URL of the files of all scenes."""


def seen(answer: httpx.Response, *, is_of_one_index: bool = True) -> tuple[object, ...]:
    """Return the visible parts of an answer; between two indexes, row numbers and ETags made of them are ignored."""
    left_out = OF_A_REQUEST if is_of_one_index else {*OF_A_REQUEST, "etag", "content-length", "last-modified"}
    headers = {name: value for name, value in answer.headers.items() if name not in left_out}
    body = answer.content if is_of_one_index else OF_ONE_INDEX.sub(b"x", answer.content)
    return answer.status_code, headers, body


@contextmanager
def twins(folder: Path) -> Iterator[Twins]:
    """Serve both, with their items indexed and live collections searched once."""
    with ExitStack() as stack:
        files = stack.enter_context(faulty_source(archive(SMALL)))
        provider = stack.enter_context(serving_provider())
        api, other = (stack.enter_context(serving_api(StacApi(page=99, has_sort=True, counts=True))) for _ in range(2))
        for each, scenes in ((api, SCENES), (other, SCENES[::2])):
            each.add(*(documents.item(scene, files.url_of) for scene in scenes))
            each.about = {"extent": EXTENT}
        (folder / "all").mkdir()
        addresses = {
            "ISSUER": provider.url,
            "SCENES": str(documents.write_catalogue(folder, SMALL, files.url_of, scenes=SCENES[:20])),
            "ALL": str(documents.write_catalogue(folder / "all", SMALL, files.url_of)),
            "API": api.href,
            "OTHER": other.href,
        }
        _write_files(folder)
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("CHRONOTILE_SOURCE_PREFIXES", files.url)
        environment.setenv("CHRONOTILE_WRITE_TOKEN", TOKEN)
        environment.setenv("CHRONOTILE_COG_PREFIXES", str(folder))
        environment.setenv("CHRONOTILE_DISK_CACHE_BYTES", "0")  # coarse maps change as files are made in the background
        servers = []
        for name, text in (("private", PRIVATE), ("public", OPEN)):
            environment.setenv("CHRONOTILE_JOBS_DIR", str(folder / name / "jobs"))
            environment.setenv("CHRONOTILE_CACHE_DIR", str(folder / name / "cache"))
            configuration = folder / f"{name}.yaml"
            configuration.write_text(re.sub("ISSUER|SCENES|ALL|API|OTHER", lambda word: addresses[word[0]], text))
            run("index", configuration)
            groups = {"owner": "ministry", "stranger": "farmers"}
            keys = {who: run("keys", "create", who, "--group", group, configuration) for who, group in groups.items()}
            app = create_app(load_settings(config=configuration, workers=1, watch_s=0))
            client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False, follow_redirects=False)
            server = Server(configuration, stack.enter_context(client), keys)
            _make_known(server)
            servers.append(server)
        yield Twins(*servers, other, provider, files.url)


def run(*arguments: object) -> str:
    """Return the output of a command."""
    done = CliRunner().invoke(program, [*map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.stdout.strip()


def _make_known(server: Server) -> None:
    owner = server.bearer("owner")
    for name in ("api", "hidden-api"):
        server.client.get(f"/stac/collections/{name}/items?limit=999", headers=owner)
    server.reload()
    until(lambda: server.client.get("/health/ready", headers=owner).json()["filling"] == [])


def _write_files(folder: Path) -> None:
    for number, day in enumerate(SCENE.days[:3]):
        for name in ("fields", "hidden"):
            (folder / name).mkdir(exist_ok=True)
            write_tif(folder / name / f"{day}.tif", SCENE.numbers(number), SCENE, overviews=(2,))
    write_places(folder / "places.geojson")
    write_places(folder / "more.geojson")
