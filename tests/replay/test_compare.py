"""Reports of differences from the recording."""

import io

import numpy as np
from PIL import Image

from tests.protocols.fuzzing.judging import Answer
from tests.replay.answers import Seen, seen_of
from tests.replay.compare import differences, of_bodies
from tests.replay.recording import Row, read, written
from tests.replay.request import Memory, Request

TYPE = ("content-type", "application/json")
SEEN = Seen(200, (TYPE, ("etag", '"a"')), 12, "abc")


def _png(shade, side=4):
    pixels = np.zeros((side, side, 3), dtype="uint8")
    pixels[0, 0] = shade
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _answer(body=b"", status=200, **headers):
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status, dict(pairs), body, 0, pairs=pairs)


def test_equal_answers_do_not_differ():
    assert differences(SEEN, Seen(200, SEEN.headers, 12, "abc")) == []


def test_differences_of_status_headers_and_body_are_reported():
    now = Seen(404, (("etag", '"b"'), ("vary", "accept")), 14, "xyz")

    assert differences(SEEN, now) == [
        "status 200 → 404",
        "header content-type is gone; it was 'application/json'",
        "header etag: '\"a\"' → '\"b\"'",
        "header vary is new: 'accept'",
        "body: 12 bytes → 14 bytes",
    ]


def test_body_of_equal_size_and_a_missing_one_are_reported():
    assert differences(SEEN, Seen(200, SEEN.headers, 12, "xyz")) == ["body: 12 bytes → 12 bytes, other bytes"]
    assert differences(SEEN, Seen(200, SEEN.headers, 0, "-")) == ["body: 12 bytes → none"]


def test_repeated_header_is_reported_whole():
    both = (("link", "<a>"), ("link", "<b>"))

    assert differences(Seen(200, both, 0, "-"), Seen(200, both[:1], 0, "-")) == ["header link: '<a> | <b>' → '<a>'"]


def test_json_and_xml_differ_by_lines():
    assert of_bodies(b'{"a":1,"b":[1,2]}', b'{"a":1,"b":[1,3]}', "application/json")[1:] == [
        *("   1,", "-  2", "+  3", "  ]"),
    ]
    assert "+  <b>2</b>" in of_bodies(b"<a><b>1</b></a>", b"<a><b>2</b></a>", "text/xml")


def test_pictures_differ_by_pixels():
    assert of_bodies(_png(0), _png(7), "image/png") == ["1 of 16 pixels differ, by 7 at most"]
    assert of_bodies(_png(0), _png(0, side=5), "image/png") == ["4 x 4 pixels → 5 x 5"]
    assert of_bodies(_png(0), b"no", "image/png")[0].startswith("no picture")


def test_other_bytes_differ_from_a_place_on():
    assert of_bodies(b"\0ab", b"\0ac", "application/zip") == ["the first byte that differs is 2"]
    assert of_bodies(b"\0ab", b"\0abc", "application/zip") == ["the first byte that differs is 3"]


def test_values_unique_to_each_run_are_ignored():
    timed = _answer(b"x", server_timing="read;dur=1.25, encode;dur=0.1", content_length="1")
    metrics = _answer(b'# HELP a b\na{b="c"} 12.5\nprocess_cpu_seconds_total 4\n')
    viewer = _answer(b"x", last_modified="now", etag='"a"', vary="accept")

    assert seen_of(Request("GET", "/wms"), timed)[0].headers == (
        ("content-length", "="),
        ("server-timing", "read;dur=…, encode;dur=…"),
    )
    assert seen_of(Request("GET", "/metrics"), metrics)[1] == b'# HELP a b\na{b="c"}\n'
    assert seen_of(Request("GET", "/viewer/main.js"), viewer)[0] == Seen(200, (("vary", "accept"),), 0, "-")
    assert seen_of(Request("GET", "/viewer/config.json"), viewer)[0].size == 1


def test_recording_is_read_as_written():
    rows = [
        Row("a", Request("GET", "/x?y=%00"), SEEN),
        Row("a", Request("POST", "/x", (("accept", "*/*"), ("x-a", "é\t")), '{"a": "\n"}'), Seen(400, (TYPE,), 0, "-")),
        Row("b: c", Request("RUN", 'check "a b" # not'), Seen(0, (), 3, "abc")),
        Row("b: c", Request("DO", ""), Seen(200, (("link", "<a>"), ("link", "<b: c>")), 3, "abc")),
    ]

    assert read(written(rows)) == rows


def test_requests_refer_to_answers_before():
    memory = Memory()
    memory.note(Request("POST", "/jobs"), _answer(status=201, location="http://localhost/ogcapi/jobs/j1?f=json"))
    memory.note(Request("GET", "/a"), _answer(etag='"1"'))
    memory.note(Request("GET", "/a", (("accept", "text/html"),)), _answer(etag='"2"'))

    assert memory.filled("/ogcapi/jobs/{job}", "") == "/ogcapi/jobs/j1"
    assert memory.filled("W/{etag}", "/a") == 'W/"1"'
    assert memory.filled("{a*3}{etag}", "/b") == 'aaa"none"'
