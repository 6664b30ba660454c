"""The form of the page "One Debian host"; tests/deploy/production runs its commands."""

import re

from tests.deploy.production.host import AUTHORITY, TRUSTED
from tests.docs.blocks import blocks_of
from tests.docs.site import DOCS, ROOT

PAGE = DOCS / "how-to" / "production.md"
TEXT = PAGE.read_text(encoding="utf-8")
FILTER = re.compile(r"^\s*request>uri regexp .*$", re.MULTILINE)


def test_page_has_ten_steps_in_1500_words():
    assert len(TEXT.split()) <= 1_500
    assert re.findall(r"^## (\d+)\.", TEXT, re.MULTILINE) == [str(step) for step in range(1, 11)]


def test_all_blocks_are_commands_that_run():
    blocks = blocks_of(PAGE)

    assert {block.language for block in blocks} == {"bash"}
    assert [str(block) for block in blocks if block.is_marked] == []


def test_ci_follows_the_page():
    assert "make production-test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_page_names_the_certificate_that_clients_of_a_private_host_install():
    assert f"`{AUTHORITY}` to `{TRUSTED}`, run `update-ca-certificates`" in TEXT


def test_caddy_removes_keys_from_logs_as_the_shipped_file_does():
    shipped = (ROOT / "deploy" / "caddy" / "Caddyfile").read_text(encoding="utf-8")

    (ours,), (theirs,) = FILTER.findall(TEXT), FILTER.findall(shipped)
    assert ours.split() == theirs.split()
