"""Compressed answers, and their validation."""

import pytest

GZIP = {"Accept-Encoding": "gzip"}
PLAIN = {"Accept-Encoding": "identity"}
LAYERS = "/layers/NDVI"
WMS = "/wms"
TILE = "/tiles/NDVI/WebMercatorQuad/10/525/343"


def test_text_leaves_compressed_for_who_takes_that(client):
    answer = client.get(LAYERS, headers=GZIP)

    assert answer.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["vary"]
    assert answer.json() == client.get(LAYERS, headers=PLAIN).json()


@pytest.mark.parametrize("path", [LAYERS, WMS], ids=["compressed when sent", "kept compressed"])
@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        *(("gzip;q=0", None), ("gzip;q=0.000, identity", None), ("br, *;q=0", None), ("gzip;q=0, *", None)),
        *(("gzip;q=0.5, identity;q=0.8", None), ("gzipped", None), ("identity;q=0", None), ("", None)),
        *(("GZIP", "gzip"), ("x-gzip", "gzip"), ("*", "gzip"), ("identity;q=0, *;q=0.1", "gzip")),
        *(("br;q=1, gzip;q=0.1", "gzip"), ("gzip, identity", "gzip")),
    ],
)
def test_weights_decide_whether_text_is_compressed(client, path, accepted, encoding):
    answer = client.get(path, headers={"Accept-Encoding": accepted})

    assert (answer.status_code, answer.headers.get("content-encoding")) == (200, encoding)
    assert "Accept-Encoding" in answer.headers["vary"]


@pytest.mark.parametrize("ending", ["png", "webp", "jpg", "tif", "npy"])
def test_pixels_are_not_compressed(client, ending):
    answer = client.get(f"{TILE}.{ending}", headers=GZIP)

    assert (answer.status_code, answer.headers.get("content-encoding")) == (200, None)


def test_compressed_and_plain_bytes_have_different_strong_etags(client):
    compressed, plain = (client.get(LAYERS, headers=each).headers["etag"] for each in (GZIP, PLAIN))

    assert compressed != plain
    assert not {compressed[:2], plain[:2]} & {"W/"}


@pytest.mark.parametrize("encoding", [GZIP, PLAIN], ids=["gzip", "plain"])
def test_answer_is_confirmed_under_the_etag_of_the_client(client, encoding):
    etag = client.get(LAYERS, headers=encoding).headers["etag"]

    answer = client.get(LAYERS, headers={"If-None-Match": etag, **encoding})

    assert (answer.status_code, answer.headers["etag"]) == (304, etag)


@pytest.mark.parametrize("path", [LAYERS, "/layers", "/?f=html", "/ogcapi?f=json", WMS])
@pytest.mark.parametrize("encoding", [GZIP, PLAIN], ids=["gzip", "plain"])
def test_vary_lists_each_header_once(client, path, encoding):
    named = client.get(path, headers=encoding).headers["vary"].lower().split(", ")

    assert "accept-encoding" in named
    assert len(named) == len(set(named))
