"""The section `service.webhooks`, and that nothing shows its secrets."""

import base64
from pathlib import Path

import pytest

from chronotile.catalog.load import load_configuration, parse_configuration
from chronotile.core.errors import ConfigurationError
from chronotile.core.web.places import web_places
from chronotile.jobs.queue.webhooks.allowed import webhook_findings
from chronotile.readers.kinds import kind_options

SECRET = "a secret that nobody may see"
COLLECTIONS = "collections: {s2: {source: {kind: zarr, href: a.zarr}, variables: {NDVI: {}}}}\n"
GOOD = {"url": "https://hooks.example.org/new", "secret": SECRET}


def configured(*webhooks, **service):
    values = {
        "service": {"webhooks": list(webhooks), **service},
        "collections": {"s2": {"source": {"kind": "zarr", "href": "a.zarr"}, "variables": {"NDVI": {}}}},
    }
    return parse_configuration(values, file=Path("/nowhere/chronotile.yaml"), kinds=kind_options())


def mistakes_of(*webhooks):
    with pytest.raises(ConfigurationError) as raised:
        configured(*webhooks)
    assert SECRET not in str(raised.value)
    return [each.removeprefix("/nowhere/chronotile.yaml: ") for each in raised.value.mistakes]


def test_a_webhook_has_url_collection_filter_and_key():
    (webhook,) = configured({**GOOD, "collection": "s2", "filter": "eo:cloud_cover < 20"}).service.info().webhooks

    assert (webhook.url, webhook.collection, webhook.key) == (GOOD["url"], "s2", SECRET.encode())
    assert webhook.filter == {"op": "<", "args": [{"property": "eo:cloud_cover"}, 20.0]}
    assert webhook.name == "service.webhooks[0]"


def test_a_secret_of_standard_webhooks_is_base64():
    key = bytes(range(32))
    (webhook,) = configured({**GOOD, "secret": f"whsec_{base64.b64encode(key).decode()}"}).service.info().webhooks

    assert webhook.key == key


def test_a_secret_comes_from_the_environment(tmp_path):
    file = tmp_path / "chronotile.yaml"
    file.write_text(f"service: {{webhooks: [{{url: '{GOOD['url']}', secret: '${{HOOK}}'}}]}}\n{COLLECTIONS}")
    configuration = load_configuration(file, kinds=kind_options(), environment={"HOOK": SECRET})

    assert configuration.service.info().webhooks[0].key == SECRET.encode()


def test_repr_contains_neither_secret_nor_url():
    service = configured(GOOD).service

    assert SECRET not in repr(service)
    assert SECRET not in repr(service.info())
    assert GOOD["url"] not in repr(service.info())


@pytest.mark.parametrize(
    ("webhook", "mistake"),
    [
        ({"url": GOOD["url"]}, "service.webhooks[0].secret: the key is missing"),
        ({**GOOD, "secret": "short"}, "service.webhooks[0].secret: a key of 24 to 256 bytes is needed, got one of 5"),
        ({**GOOD, "secret": 12345678}, "service.webhooks[0].secret: must be text; put it in quotes"),
        ({**GOOD, "secret": f"whsec_{SECRET}"}, "service.webhooks[0].secret: what follows whsec_ is not base64"),
        (
            {**GOOD, "url": "s3://bucket/x"},
            "service.webhooks[0].url: s3:// is not accepted; accepted are https:// and http://",
        ),
        (
            {**GOOD, "url": "https://user:word@example.org/"},
            "service.webhooks[0].url: not a plain URL: it is not a URL with an accepted scheme and a plain host",
        ),
        (
            {**GOOD, "collection": "s3"},
            "service.webhooks[0].collection: collection 's3' is not configured; the nearest is s2",
        ),
        (
            {**GOOD, "secrets": SECRET},
            "service.webhooks[0].secrets: unknown key; the nearest is secret; accepted are url, secret, collection, "
            "filter",
        ),
    ],
)
def test_mistakes_are_reported_without_the_secret(webhook, mistake):
    assert mistake in mistakes_of(webhook)


def test_invalid_filter_is_refused():
    (mistake,) = mistakes_of({**GOOD, "filter": "eo:cloud_cover <"})

    assert mistake.startswith("service.webhooks[0].filter: 'eo:cloud_cover <' is not valid CQL2 text")


def test_the_same_webhook_twice_is_refused():
    (mistake,) = mistakes_of(GOOD, {**GOOD, "secret": f"{SECRET} again"})

    assert mistake == "service.webhooks: entry 1 has the same url, collection and filter as one before it"


def test_a_webhook_outside_the_prefixes_is_a_finding_that_names_the_prefix():
    service = configured(GOOD, {**GOOD, "url": "https://hooks.example.org/other"}).service.info()

    findings = list(webhook_findings(service, web_places(["https://hooks.example.org/other/"])))

    assert [(each.severity, each.place) for each in findings] == [
        ("error", "service.webhooks[0]"),
        ("warning", "service.url"),
    ]
    assert "add https://hooks.example.org/, or a longer beginning" in findings[0].message
    assert "to CHRONOTILE_SUBSCRIBER_PREFIXES" in findings[0].message


def test_allowed_webhooks_of_a_server_with_a_url_are_no_finding():
    service = configured(GOOD, url="https://maps.example.org").service.info()

    assert list(webhook_findings(service, web_places(["https://hooks.example.org"]))) == []
