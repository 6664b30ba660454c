"""Objects in S3: stored objects can be read again, and only the right ones are deleted."""

import hashlib
import hmac
import os
import sys
import threading
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from chronotile.core.errors import ClientGone, ConfigurationError, SourceUnavailable
from chronotile.jobs.queue import result_bucket as module
from chronotile.jobs.queue.result_bucket import PART_BYTES, Bucket
from tests.running import PATIENCE_S
from tests.s3 import ACCESS_KEY, REGION, SECRET, Server

pytestmark = pytest.mark.client("moto_server")


@pytest.fixture
def put(bucket, tmp_path):
    """Return `put("job/a.csv", b"…")`, which uploads a file with that name and content."""

    def put_file(key, content, **more):
        file = tmp_path / key.rpartition("/")[2]
        file.write_bytes(content)
        bucket.put(key, file, media_type="text/csv", **more)

    return put_file


def fetched(url, method="GET", **headers):
    """Return the status, headers and body of an anonymous request."""
    with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers)) as answer:
        return answer.status, answer.headers, answer.read()


@pytest.mark.parametrize("size", [0, 1, PART_BYTES, PART_BYTES + 1, 2 * PART_BYTES + 3])
def test_stored_object_is_read_back(bucket, put, size):
    content = os.urandom(size)

    put("job/a.csv", content)

    assert bucket.size("job/a.csv") == size
    assert b"".join(bucket.iter_bytes("job/a.csv")) == content


def test_large_files_go_in_parts_and_small_ones_whole(bucket, put):
    put("job/large.csv", bytes(2 * PART_BYTES + 1))
    put("job/small.csv", b"a")

    tags = [fetched(bucket.sign_url(f"job/{name}.csv", "HEAD"), "HEAD")[1]["etag"] for name in ("large", "small")]

    assert [tag.strip('"').partition("-")[2] for tag in tags] == ["3", ""]


def test_a_file_of_more_parts_than_s3_allows_has_larger_ones(bucket, put, monkeypatch):
    monkeypatch.setattr(module, "MAX_PARTS", 2)

    put("job/a.csv", bytes(3 * PART_BYTES))

    assert fetched(bucket.sign_url("job/a.csv", "HEAD"), "HEAD")[1]["etag"].strip('"').endswith("-2")


def test_object_stored_again_is_replaced(bucket, put):
    put("job/a.csv", b"before")
    put("job/a.csv", b"after")

    assert b"".join(bucket.iter_bytes("job/a.csv")) == b"after"


def test_cancelled_upload_creates_no_object(bucket, put, s3_server):
    answers = iter([True] * 10 + [False])

    with pytest.raises(ClientGone):
        put("job/a.csv", bytes(4 * PART_BYTES), is_active=lambda: next(answers))

    assert s3_server.keys(bucket.url.split("/")[2]) == []


def test_file_missing_before_its_upload_is_reported(bucket, tmp_path, caplog):
    with pytest.raises(SourceUnavailable, match="a result file disappeared before it was stored"):
        bucket.put("job/a.csv", tmp_path / "a.csv", media_type="text/csv")

    assert "No such file" in caplog.text


class SlowStore(BaseHTTPRequestHandler):
    """A store that takes an object once another request was given up, which it does not answer at all."""

    def do_PUT(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.server.has_file.set()
        self.server.is_given_up.wait()
        self.send_response(200)
        self.send_header("ETag", '"a"')
        self.end_headers()

    def do_HEAD(self):
        self.server.is_given_up.wait()

    def log_message(self, *_args):
        """Log no requests."""


@pytest.fixture
def slow_store(monkeypatch):
    with ThreadingHTTPServer(("127.0.0.1", 0), SlowStore) as server:
        server.has_file, server.is_given_up = threading.Event(), threading.Event()
        for name, value in Server().environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.is_given_up.set()
        server.shutdown()


def test_part_of_a_file_may_take_longer_than_the_timeout_of_a_silent_store(slow_store, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "PART_TIMES", 400)  # while a part is sent, the machine may stall
    bucket, file = Bucket("s3://results", patience_s=0.5), tmp_path / "a.csv"
    file.write_bytes(b"time,value\n")

    with ThreadPoolExecutor(1) as pool:
        sent = pool.submit(bucket.put, "job/a.csv", file, media_type="text/csv")
        assert slow_store.has_file.wait(PATIENCE_S)
        with pytest.raises(SourceUnavailable, match="unreachable"):
            bucket.size("job/a.csv")
        slow_store.is_given_up.set()

        sent.result()


def test_a_signed_url_opens_an_object_or_a_part_of_it(bucket, put):
    put("job/series.csv", b"time,value\n")

    url = bucket.sign_url("job/series.csv", "GET")

    status, headers, body = fetched(url)
    assert (status, body, headers["content-type"]) == (200, b"time,value\n", "text/csv")
    assert headers["content-disposition"] == 'attachment; filename="series.csv"'
    assert fetched(url, Range="bytes=5-9")[::2] == (206, b"value")


def signature_of(url, method):
    """Return the expected signature of a URL (AWS Signature Version 4, query parameters)."""
    parts = urllib.parse.urlsplit(url)
    query = sorted(each for each in parts.query.split("&") if not each.startswith("X-Amz-Signature="))
    told = dict(urllib.parse.parse_qsl(parts.query))
    request = [method, parts.path, "&".join(query), f"host:{parts.netloc}", "", "host", "UNSIGNED-PAYLOAD"]
    digest = hashlib.sha256("\n".join(request).encode()).hexdigest()
    day = told["X-Amz-Date"][:8]
    text = f"AWS4-HMAC-SHA256\n{told['X-Amz-Date']}\n{day}/{REGION}/s3/aws4_request\n{digest}"
    key = f"AWS4{SECRET}".encode()
    for each in (day, REGION, "s3", "aws4_request", text):
        key = hmac.digest(key, each.encode(), "sha256")
    return key.hex()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_signature_is_for_one_object_one_method_and_five_minutes(bucket, method):
    url = bucket.sign_url("job/a.csv", method)

    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    assert query["X-Amz-Credential"][0].split("/")[0] == ACCESS_KEY
    assert query["X-Amz-Expires"] == ["300"]
    assert query["X-Amz-Signature"] == [signature_of(url, method)]
    others = {signature_of(url.replace("a.csv", "b.csv"), method), signature_of(url, "PUT")}
    assert query["X-Amz-Signature"][0] not in others


def test_the_objects_of_a_folder_are_removed_and_no_others(bucket, put, s3_server):
    for key in ("job/a.csv", "job/b.csv", "job2/a.csv"):
        put(key, b"")

    bucket.remove("job")
    bucket.remove("job")

    assert s3_server.keys(bucket.url.split("/")[2]) == ["results/job2/a.csv"]


def test_missing_object_is_reported(bucket):
    with pytest.raises(SourceUnavailable, match="the file of this result is gone"):
        bucket.size("job/a.csv")


def test_a_trial_leaves_nothing(bucket, s3_server):
    bucket.try_out()

    assert s3_server.keys(bucket.url.split("/")[2]) == []


def test_missing_bucket_is_found_by_a_trial(bucket, caplog):
    with pytest.raises(SourceUnavailable, match="the result store is unreachable"):
        Bucket("s3://no-such-bucket", patience_s=PATIENCE_S).try_out()

    assert "NoSuchBucket" in caplog.text


def test_unavailable_store_is_reported_without_its_address(bucket, monkeypatch, caplog):
    away = Server()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", away.address)

    with pytest.raises(SourceUnavailable) as caught:
        Bucket("s3://results", patience_s=0.2).remove("job")

    assert str(away.port) not in str(caught.value)
    assert str(away.port) in caplog.text


@pytest.mark.parametrize(
    "url",
    [
        *("/srv/results", "https://bucket.s3.amazonaws.com/results", "s3://", "s3://b/results", "s3://bucket//results"),
        *("s3://bucket/../other", "s3://bucket/results?versionId=1", "s3://bucket/results of jobs"),
    ],
)
def test_invalid_bucket_url_is_refused(url):
    words = r"CHRONOTILE_JOBS_RESULTS_URL must be like s3://bucket/prefix, got .*: a bucket has 3 to 63"
    with pytest.raises(ConfigurationError, match=words):
        Bucket(url, patience_s=5)


def test_missing_obstore_is_reported_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore", None)

    with pytest.raises(ConfigurationError, match=r"pip install 'chronotile\[s3\]'"):
        Bucket("s3://bucket", patience_s=5)


def test_invalid_environment_variables_are_reported(monkeypatch):
    monkeypatch.setenv("AWS_VIRTUAL_HOSTED_STYLE_REQUEST", "perhaps")

    with pytest.raises(ConfigurationError, match=r"the result store: .*perhaps"):
        Bucket("s3://bucket", patience_s=5)


@pytest.mark.parametrize(
    ("url", "key"),
    [
        ("s3://bucket", "job/a.csv"),
        ("s3://bucket/", "job/a.csv"),
        ("s3://bucket/results/ours/", "results/ours/job/a.csv"),
    ],
)
def test_keys_are_below_the_prefix(url, key, monkeypatch):
    for name, value in Server().environment.items():
        monkeypatch.setenv(name, value)

    path = urllib.parse.urlsplit(Bucket(url, patience_s=5).sign_url("job/a.csv", "GET")).path

    assert path == f"/bucket/{key}"
