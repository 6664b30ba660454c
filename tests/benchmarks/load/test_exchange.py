import gzip

import pytest

from benchmarks.load.exchange import Ask, BrokenAnswer, parse_answer


def test_answer_is_parsed():
    answer = parse_answer(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 3\r\n\r\nabc")

    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/png", b"abc")


def test_chunks_are_put_together():
    received = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n"

    assert parse_answer(received).body == b"abc"


def test_gzip_is_unpacked():
    body = gzip.compress(b"layers")
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n\r\n".encode()

    assert parse_answer(head + body).body == b"layers"


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-", id="within the head"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", id="within the body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n", id="before the last chunk"),
    ],
)
def test_incomplete_answer_is_reported(received):
    with pytest.raises(BrokenAnswer):
        parse_answer(received)


def test_request_closes_its_connection():
    wire = Ask(path="/x?y=1", method="POST", body=b"{}").wire("127.0.0.1:80")

    expected = b"POST /x?y=1 HTTP/1.1\r\nHost: 127.0.0.1:80\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
    assert wire == expected
