"""A server in a separate process, with one private layer."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.access.test_archive import run, write
from tests.running import serving


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str, Path]]:
    """Address, key of a user with the rights to see and download SECRET, and log."""
    folder = tmp_path_factory.mktemp("site")
    write(folder)
    configuration = folder / "chronotile.yaml"
    configuration.write_text(configuration.read_text().replace("download: [user:nobody], ", ""))
    with pytest.MonkeyPatch.context() as patch, (folder / "log").open("w") as log:
        patch.setenv("CHRONOTILE_JOBS_DIR", str(folder / "jobs"))
        key = run(folder, "keys", "create", "ann", "--group", "ministry").strip()
        settings = {"CHRONOTILE_JOBS_DIR": str(folder / "jobs"), "CHRONOTILE_WORKERS": "1"}
        with serving("serve", folder / "chronotile.yaml", log=log, **settings) as (_process, address, _lines):
            yield address, key, folder / "log"
