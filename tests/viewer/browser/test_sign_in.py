"""Users sign in to the viewer: `sign-in.mjs`, over an archive with a private layer and a local provider."""

from pathlib import Path

import pytest

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.access.provider import AUDIENCE, CLIENT, serving_provider
from tests.access.test_archive import CLOSED, SECRET_PLACE, write
from tests.protocols.listening import listening
from tests.viewer.browser.checks import run_checks

CHECKS = Path(__file__).with_name("sign-in.mjs")
SESSION_S = 16
"""Seconds that a session lasts: long enough for checks, short enough to wait for its end."""


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.client("node")
def test_users_sign_in_to_the_viewer(tmp_path: Path) -> None:
    write(tmp_path)
    with serving_provider() as provider:
        provider.lifetime_s = SESSION_S - 30  # tolerated difference of clocks
        access = f"access:\n  issuer: {provider.url}\n  audience: {AUDIENCE}\n  client_id: {CLIENT}\n"
        (tmp_path / "chronotile.yaml").write_text((CLOSED % SECRET_PLACE).replace("access:\n", access, 1))
        settings = Settings(config=tmp_path / "chronotile.yaml", jobs_dir=tmp_path / "jobs")
        with listening(create_app(settings)) as url:
            run_checks(CHECKS, f"{url}/", tmp_path / "pictures")
