"""Forms of `If-None-Match` (RFC 9110 §13.1.2), alike in all protocols."""

import pytest

TILE = "/tiles/NDVI/WebMercatorQuad/10/525/343.png?datetime=2020-06-11"
PATHS = [TILE, "/timeseries/NDVI/point?lon=4.5&lat=50.85", "/wms", "/layers", "/ogcapi?f=json", "/?f=html"]
"""A picture, a series, and documents that are generated, cached, or compressed while sent."""
GZIP = {"Accept-Encoding": "gzip"}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("held", ["*", " * ", '"other", *'])
def test_star_matches_every_answer(client, path, held):
    answers = [client.get(path, headers={"If-None-Match": held}) for _ in range(2)]

    assert [(each.status_code, each.content) for each in answers] == [(304, b"")] * 2


@pytest.mark.parametrize("path", PATHS)
def test_etag_named_star_does_not_match_every_answer(client, path):
    answer = client.get(path, headers={"If-None-Match": '"*"'})

    assert (answer.status_code, "ETag" in answer.headers) == (200, True)


def test_star_does_not_match_an_unknown_layer(client):
    assert client.get("/tiles/NDVY/WebMercatorQuad/0/0/0.png", headers={"If-None-Match": "*"}).status_code == 404


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("encoding", [GZIP, {"Accept-Encoding": "identity"}], ids=["gzip", "plain"])
def test_every_line_counts(client, path, encoding):
    etag = client.get(path, headers=encoding).headers["etag"]
    lines = [("If-None-Match", '"other"'), ("If-None-Match", etag)]

    answers = [client.get(path, headers=[*encoding.items(), *lines]) for _ in range(2)]

    assert [(each.status_code, each.headers["etag"]) for each in answers] == [(304, etag)] * 2


def test_answer_is_not_repeated_by_the_first_line_of_a_header_alone(client):
    lines = [("If-None-Match", '"other"'), ("If-None-Match", client.get(TILE).headers["etag"])]
    assert client.get(TILE, headers=lines).status_code == 304

    assert client.get(TILE, headers=lines[:1]).status_code == 200
