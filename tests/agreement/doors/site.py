"""All kinds in one archive, with one server and one worker, for all pairs of a kind and a protocol."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from chronotile.app.application import create_app
from chronotile.app.settings import load_settings
from chronotile.cli.main import app as program
from tests.agreement.conftest import STYLE
from tests.agreement.doors import kinds
from tests.archive.index.stac_api import StacApi, serving
from tests.faulty_source import faulty_source
from tests.jobs.runner.deployment import working
from tests.running import PROGRAM, until
from tests.s3 import Server, serving_s3

BUCKET = "scenes"
EXTENT = {"spatial": {"bbox": [[2, 50, 4, 52]]}, "temporal": {"interval": [["2019-01-01T00:00:00Z", None]]}}


@dataclass
class Site:
    """The served archive."""

    folder: Path
    client: TestClient
    scratch: Path
    """Folder for files of protocols."""
    jobs: dict[tuple[str, str], str] = field(default_factory=dict)
    """Addresses of submitted jobs, by kind and process."""

    @property
    def configuration(self) -> Path:
        return self.folder / "chronotile.yaml"

    def run(self, *arguments: object) -> Result:
        """Run a command of the archive."""
        return CliRunner().invoke(program, [*map(str, arguments)])

    def ended(self, kind: str, process: str) -> dict[str, Any]:
        """Return the status document of a job once it has ended."""
        address = self.jobs[kind, process]

        def look() -> dict[str, Any] | None:
            status = self.client.get(address).json()
            return status if status["status"] in {"successful", "failed", "dismissed"} else None

        return until(look)


@contextmanager
def serving_all(folder: Path, scratch: Path) -> Iterator[Site]:
    """Serve every kind, with a worker."""
    kinds.write_files(folder)
    with ExitStack() as stack:
        files = stack.enter_context(faulty_source(folder))
        api = stack.enter_context(serving(StacApi(page=100, has_sort=True, counts=True)))
        api.add(*kinds.items(files.url_of))
        api.about = {"extent": EXTENT}
        bucket = stack.enter_context(serving_s3(Server))
        bucket.make_bucket(BUCKET)
        places = kinds.Places(files=files.url_of, api=api.href, bucket=f"s3://{BUCKET}")
        kinds.write_catalogues(folder, places)
        bucket.upload(folder / "bucket")
        (folder / "styles").mkdir()
        (folder / "styles" / "numbers.yaml").write_text(STYLE)
        (folder / "chronotile.yaml").write_text(kinds.configuration(folder, places))
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        for name, value in {
            **bucket.environment,
            "CHRONOTILE_SOURCE_PREFIXES": f"{files.url},{folder}",
            "CHRONOTILE_COG_PREFIXES": str(folder),
            "CHRONOTILE_JOBS_DIR": str(folder / "jobs"),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }.items():
            environment.setenv(name, value)
        subprocess.run([PROGRAM, "index", folder / "chronotile.yaml"], check=True, capture_output=True)
        client = TestClient(create_app(load_settings(config=folder / "chronotile.yaml")), base_url="http://localhost")
        stack.enter_context(client)
        until(lambda: '"live"' in client.get("/layers").text)
        stack.enter_context(working(folder / "chronotile.yaml", log=folder / "worker.log"))
        yield Site(folder, client, scratch)
