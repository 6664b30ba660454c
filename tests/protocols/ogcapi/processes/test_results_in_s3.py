"""Results with files in S3 are answered as links or as content."""

import base64
import json
import shutil
import socket
import tempfile
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.client import parse_headers

import pytest

from chronotile.core.model.job import Callback, Result
from chronotile.jobs.queue.result_bucket import Bucket
from chronotile.jobs.queue.service import JobService
from chronotile.protocols.common.processes import results
from chronotile.protocols.ogcapi.processes.subscriber import message_of
from tests.protocols import served
from tests.protocols.ogcapi.processes.test_execution import execute_statistics
from tests.running import PATIENCE_S
from tests.s3 import Server

pytestmark = pytest.mark.client("moto_server")

CSV = b"time,mean\n2024-05-01,0.5\n"
FILE = Result(file="series.csv", media_type="text/csv")
BY_VALUE = {"string": {"transmissionMode": "value"}}


@pytest.fixture
def desk(tmp_path, bucket) -> JobService:
    """Job service of `client`."""
    return JobService(tmp_path / "jobs", bucket=bucket, archive="a")


@pytest.fixture
def stored(desk, submitted, end_with):
    """Return a function: `stored(body)` returns the URL of a job with its result `string` in S3."""

    def end(body, content=CSV):
        url = submitted({"inputs": {"string": "a"}, **body})
        job = end_with({"string": FILE}, files={"series.csv": content})
        desk.result_files(job).store(job.results)
        shutil.rmtree(desk.result_files(job).folder)
        return url

    return end


def fetched(url, method="GET", **headers):
    """Return the status, headers and body of an anonymous request."""
    with urllib.request.urlopen(urllib.request.Request(url, method=method, headers=headers)) as answer:
        return answer.status, answer.headers, answer.read()


def test_a_result_leads_to_its_object(client, stored):
    answer = client.get(f"{stored({})}/results/string", follow_redirects=False)

    assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
    status, headers, body = fetched(answer.headers["location"])
    assert (status, body, headers["content-type"]) == (200, CSV, "text/csv")
    assert headers["content-disposition"] == 'attachment; filename="series.csv"'
    assert fetched(answer.headers["location"], Range="bytes=5-8")[::2] == (206, b"mean")


def test_head_request_is_redirected(client, stored):
    answer = client.head(f"{stored({})}/results/string", follow_redirects=False)

    assert answer.status_code == 307
    assert fetched(answer.headers["location"], "HEAD")[1]["content-length"] == str(len(CSV))


def test_a_document_links_to_the_result_and_not_to_the_store(client, stored):
    url = stored({"response": "document"})

    assert client.get(f"{url}/results").json()["string"]["href"] == f"{url}/results/string"


def test_a_subscriber_gets_the_same_link(stored, desk, bucket, tmp_path):
    job = desk.job(stored({}).rpartition("/")[2], user=None)
    callback = Callback(
        job=job.id, status="successful", url="", base="https://example.org", tries=1, updated=job.updated
    )

    message = message_of(
        job, callback, catalogue=served.make_services().catalogue, folder=tmp_path / "jobs", bucket=bucket
    )

    href = json.loads(message.body)["string"]["href"]
    assert href == f"https://example.org/ogcapi/jobs/{job.id}/results/string"


def test_raw_file_is_sent_by_the_server(client, stored):
    content = CSV * 400_000

    answer = client.get(f"{stored({}, content)}/results", headers={"accept-encoding": "identity"})

    assert (answer.status_code, answer.content) == (200, content)
    assert answer.headers["content-length"] == str(len(content))
    assert answer.headers["content-disposition"] == 'attachment; filename="series.csv"'


def test_embedded_file_is_in_the_document(client, stored):
    document = client.get(f"{stored({'response': 'document', 'outputs': BY_VALUE})}/results").json()

    assert base64.b64decode(document["string"]["value"]) == CSV


def test_a_file_that_is_too_large_for_a_document_is_not_read(client, stored, monkeypatch):
    monkeypatch.setattr(results, "MAX_INLINE_BYTES", len(CSV) - 1)

    answer = client.get(f"{stored({'response': 'document', 'outputs': BY_VALUE})}/results")

    assert (answer.status_code, answer.json()["type"]) == (400, "limit-exceeded")
    assert answer.json()["asked"] == len(CSV)


def test_files_older_than_the_bucket_are_still_returned(client, submitted, end_with):
    url = submitted({"inputs": {"string": "a"}})
    end_with({"string": FILE}, files={"series.csv": CSV})

    answer = client.get(f"{url}/results/string", follow_redirects=False)

    assert (answer.status_code, answer.content) == (200, CSV)


@pytest.mark.parametrize("name", ["../../other/a.csv", "..", ".", "", "folder/a.csv", "a.csv?versionId=1"])
def test_names_cannot_leave_their_job(client, submitted, end_with, name):
    url = submitted({"inputs": {"string": "a"}})
    end_with({"string": Result(file=name, media_type="text/csv")}, files={})

    answer = client.get(f"{url}/results/string", follow_redirects=False)

    assert (answer.status_code, answer.json()["detail"]) == (503, "the file of this result is gone")


@pytest.fixture
def gone(stored, bucket):
    """Return the URL of a job after its object was deleted."""
    url = stored({})
    bucket.remove(url.rpartition("/")[2])
    return url


def test_server_reports_a_missing_object(client, gone):
    answer = client.get(f"{gone}/results")

    assert (answer.status_code, answer.json()["detail"]) == (503, "the file of this result is gone")


def test_store_reports_a_missing_object(client, gone):
    location = client.get(f"{gone}/results/string", follow_redirects=False).headers["location"]

    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetched(location)


def test_result_of_a_synchronous_execution_goes_to_the_bucket(client, s3_server, bucket, tmp_path):
    (link,) = execute_statistics(client, response="document").json().values()

    answer = client.get(link["href"], follow_redirects=False)

    assert answer.status_code == 307
    assert fetched(answer.headers["location"])[2] == execute_statistics(client).content
    (key,) = s3_server.keys(bucket.url.split("/")[2])
    assert not (tmp_path / "jobs" / key.split("/")[1]).exists()


@pytest.fixture
def unavailable(desk, monkeypatch):
    """A store that no longer answers."""
    store = Server()
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", store.address)
    monkeypatch.setattr(desk, "_bucket", Bucket("s3://results", patience_s=0.1))
    return store


def test_nothing_is_stored_if_the_store_is_unavailable(client, unavailable, desk, tmp_path, monkeypatch):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))

    answer = execute_statistics(client, response="document")

    assert answer.status_code == 503
    assert answer.json()["detail"] == "the result store is unreachable"
    assert answer.headers["retry-after"]
    assert desk.table.jobs() == ((), 0)
    assert [path.name for path in (tmp_path / "jobs").iterdir() if path.is_dir()] == []
    assert list((tmp_path / "temporary").glob("*/*")) == []


def test_a_job_whose_results_cannot_be_removed_is_still_there(client, stored, request):
    url = stored({})
    request.getfixturevalue("unavailable")

    assert client.delete(url).status_code == 503
    assert client.get(url).json()["status"] == "successful"


def test_unfinished_job_is_dismissed_although_the_store_is_unavailable(client, submitted, desk, unavailable):
    url = submitted({"inputs": {"string": "a"}})
    desk.table.claim("test", lease_s=60)

    assert client.delete(url).json()["status"] == "dismissed"
    assert client.delete(url).status_code == 503


def test_job_that_never_started_needs_no_request_to_the_store(client, submitted, unavailable, caplog):
    url = submitted({"inputs": {"string": "a"}})

    assert [client.delete(url).status_code for _ in range(2)] == [200, 200]

    assert client.get(url).status_code == 404
    assert "the result store" not in caplog.text


@pytest.fixture
def hanging(desk, monkeypatch):
    """Return a function that makes the store accept requests without answering; it returns the store's socket."""
    with socket.create_server(("127.0.0.1", 0)) as store:
        store.settimeout(PATIENCE_S)

        def hang():
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{store.getsockname()[1]}")
            monkeypatch.setattr(desk, "_bucket", Bucket("s3://results", patience_s=180))
            return store

        yield hang


def refuse(asked):
    """Refuse the requests of some connections."""
    for connection in asked:
        with connection, connection.makefile("rb") as request:
            request.readline()
            # Read the whole request: if the connection closed early, the client could see only that and retry.
            request.read(int(parse_headers(request).get("Content-Length", 0)))
            connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")


def test_jobs_are_listed_and_dismissed_while_the_store_hangs(client, stored, submitted, hanging):
    ended, waiting = [stored({}) for _ in range(4)], submitted({"inputs": {"string": "a"}})
    store = hanging()

    with ThreadPoolExecutor(len(ended)) as pool:
        removals = [pool.submit(client.delete, url) for url in ended]
        asked = [store.accept()[0] for _ in removals]
        told = [client.get("/ogcapi/jobs"), client.get(ended[0]), client.delete(waiting)]
        are_hanging = not any(removal.done() for removal in removals)
        refuse(asked)

    assert ([answer.status_code for answer in told], are_hanging) == ([200, 200, 200], True)
    assert [removal.result().status_code for removal in removals] == [503] * 4


def test_execution_without_stored_results_runs_while_the_store_hangs(client, hanging, desk, tmp_path):
    store = hanging()

    with ThreadPoolExecutor(2) as pool:
        kept = [pool.submit(execute_statistics, client, response="document") for _ in range(2)]
        asked = [store.accept()[0] for _ in kept]
        answer = execute_statistics(client)
        are_hanging = not any(each.done() for each in kept)
        refuse(asked)
        refuse([store.accept()[0] for _ in kept])  # requests to remove objects that may have been stored

    assert (answer.status_code, are_hanging) == (200, True)
    assert [each.result().status_code for each in kept] == [503, 503]
    assert [path.name for path in (tmp_path / "jobs").iterdir() if path.is_dir()] == []
