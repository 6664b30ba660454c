"""The realm of deploy/keycloak, and the profile of docker-compose.yml that has it."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from chronotile.catalog.access_section import AccessSection

ROOT = Path(__file__).parents[2]
REALM = json.loads((ROOT / "deploy" / "keycloak" / "realm.json").read_text(encoding="utf-8"))
SERVICES = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]


CLIENTS = {each["clientId"]: each for each in REALM["clients"]}


def test_realm_has_no_passwords_and_clients_of_this_machine_alone():
    assert "credentials" not in json.dumps(REALM)
    assert "secret" not in json.dumps(REALM)
    for each in CLIENTS.values():
        assert each["publicClient"]
        assert (each["directAccessGrantsEnabled"], each["implicitFlowEnabled"]) == (False, False)
        assert {urlsplit(uri).hostname for uri in each["redirectUris"]} <= {"localhost", "127.0.0.1"}
        assert not any("*" in uri for uri in each["redirectUris"])
    assert CLIENTS["chronotile"]["attributes"]["pkce.code.challenge.method"] == "S256"


def test_tokens_of_all_clients_have_groups_and_an_audience_that_is_no_client():
    """So that ID tokens are for others."""
    for each in CLIENTS.values():
        mappers = {mapper["name"]: mapper["config"] for mapper in each["protocolMappers"]}

        assert mappers["audience"]["included.custom.audience"] not in CLIENTS
        assert mappers["groups"]["claim.name"] == AccessSection().groups_claim


def test_browsers_and_the_server_use_one_url_of_keycloak():
    keycloak, server = SERVICES["keycloak"], SERVICES["server"]
    address = urlsplit(keycloak["environment"]["KC_HOSTNAME"])

    assert address.hostname in keycloak["networks"]["default"]["aliases"]
    assert "default" in server["networks"]
    assert keycloak["ports"][0].endswith(f":{address.port}:{keycloak['environment']['KC_HTTP_PORT']}")
    assert AccessSection(issuer=f"{address.geturl()}/realms/{REALM['realm']}", audience="a").issuer


def test_profile_is_off_by_default_and_its_passwords_have_no_default():
    named = {name for name, each in SERVICES.items() if each.get("profiles") == ["access"]}
    passwords = {
        value
        for each in SERVICES.values()
        for name, value in each.get("environment", {}).items()
        if name.endswith("PASSWORD")
    }

    assert named == {"database", "keycloak"}
    assert len(passwords) == 2
    for each in passwords:
        (name, again) = re.fullmatch(r"\$\{(\w+):-\$\{COMPOSE_PROFILES:\+\$\{(\w+):\?[^}]+\}\}\}", each).groups()
        assert name == again
    assert SERVICES["worker"]["environment"]["CHRONOTILE_DATABASE_URL"].startswith("${CHRONOTILE_DATABASE_PASSWORD:+")
