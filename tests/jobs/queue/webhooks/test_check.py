"""`chronotile check` reports webhooks that get no events."""

import pytest
from typer.testing import CliRunner

from chronotile.cli.main import app
from tests.archive.index.test_files import tree

CONFIGURATION = """service:
  url: https://maps.example.org
  webhooks: [{url: 'https://hooks.example.org/secret-path', secret: 'a secret of at least 24 bytes'}]
collections:
  tiles:
    source: {kind: cog, href: "a/*/S2_*_{variable}.tif", tiles: true}
    variables: {NDVI: {}}
"""
REMEDY = "add https://hooks.example.org/, or a longer beginning of the URL, to CHRONOTILE_SUBSCRIBER_PREFIXES"


@pytest.mark.parametrize(("prefixes", "is_named"), [("", True), ("https://hooks.example.org/", False)])
def test_a_webhook_that_is_not_allowed_is_an_error(tmp_path, monkeypatch, prefixes, is_named):
    tree(tmp_path / "a")
    place = tmp_path / "c.yaml"
    place.write_text(CONFIGURATION)
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    monkeypatch.setenv("CHRONOTILE_SUBSCRIBER_PREFIXES", prefixes)

    result = CliRunner().invoke(app, ["check", str(place)])

    assert (REMEDY in " ".join(result.output.split())) == is_named
    assert "secret-path" not in result.output
    assert "24 bytes" not in result.output
