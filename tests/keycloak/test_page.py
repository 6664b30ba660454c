"""docs/how-to/keycloak.md is followed to its end, up to the tokens that QGIS gets."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import httpx2
import pytest

from chronotile.demo import DemoPlan, make_demo
from tests.docs.blocks import blocks_of
from tests.docs.site import DOCS, ROOT
from tests.keycloak.keycloak import PLACE, Keycloak
from tests.running import serving

pytestmark = [
    pytest.mark.audit,
    pytest.mark.skipif(PLACE not in os.environ, reason="`make test-keycloak` fetches Keycloak and runs them"),
]
PLAN = DemoPlan(size_px=200, first_day="2022-01-01", dekads=36, levels=2, picture_days=("2024-06-01",))
PORT = "8081"
QGIS = {"client": "qgis", "redirect": "http://127.0.0.1:7070/"}


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return str(found.getsockname()[1])


def test_the_page_leads_to_a_private_layer(tmp_path: Path) -> None:
    page, port = DOCS / "how-to" / "keycloak.md", free_port()
    start, password, configuration, serve = (
        each.text.replace(PORT, port) for each in blocks_of(page) if each.language != "text"
    )
    shutil.copytree(os.environ[PLACE], tmp_path / "keycloak")
    shutil.copytree(ROOT / "deploy" / "keycloak", tmp_path / "deploy" / "keycloak")
    (tmp_path / "maps.yaml").write_text(configuration)
    make_demo(tmp_path / "data" / "demo", plan=PLAN)
    waiting = "until grep --quiet 'Listening on' log; do sleep 1; done"
    with (tmp_path / "log").open("w") as log:
        shell = subprocess.Popen(
            ["bash", "-ec", f"{start}\n{waiting}\n{password}\ntouch done\nwait"],
            cwd=tmp_path,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        while not (tmp_path / "done").exists():
            assert shell.poll() is None, (tmp_path / "log").read_text()
            time.sleep(0.5)
        keycloak = Keycloak(f"http://localhost:{port}", "")
        tokens = keycloak.first_sign_in("ann", (tmp_path / "password").read_text().strip(), **QGIS)
        program, *arguments = serve.split()
        assert program == "chronotile"
        command = [arguments[0], tmp_path / arguments[1]]
        with serving(*command, CHRONOTILE_JOBS_DIR=str(tmp_path / "jobs"), CHRONOTILE_WORKERS="1") as found:
            everyone, ann = (
                {each["id"] for each in httpx2.get(f"{found[1]}/layers", headers=headers).json()["layers"]}
                for headers in ({}, {"Authorization": f"Bearer {tokens.access}"})
            )
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.wait()

    assert everyone == {"pictures.RED", "pictures.GREEN", "pictures.BLUE"}
    assert "vegetation.NDVI" in ann
