"""Files of results are sent completely, even if their job is dismissed during the download."""

import pytest
from starlette.testclient import TestClient

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.job import Execution, Result
from chronotile.jobs.queue.job_folder import ResultFiles
from chronotile.protocols.common.processes.results import Results, file_response, results_response

CSV = b"time,value\n" * 1000


@pytest.fixture
def results(tmp_path):
    """Results with a single file."""
    (tmp_path / "a.csv").write_bytes(CSV)
    return Results(
        execution=Execution(process="echo", inputs={}),
        values={"series": Result(file="a.csv", media_type="text/csv")},
        files=ResultFiles(tmp_path),
        address_of=None,
    )


def sent(response, **headers):
    """Return the answer that a client receives."""
    return TestClient(response).get("/", headers=headers)


def test_a_file_that_is_removed_before_it_is_sent_comes_whole(results, tmp_path):
    response = file_response(results, "series")
    (tmp_path / "a.csv").unlink()

    answer = sent(response)

    assert (answer.content, answer.headers["content-length"]) == (CSV, str(len(CSV)))


@pytest.mark.parametrize(
    ("wanted", "content"), [("bytes=5-9", CSV[5:10]), ("bytes=-4", CSV[-4:])], ids=["inside", "the end"]
)
def test_parts_of_a_file_that_is_removed_before_they_are_sent_come(results, tmp_path, wanted, content):
    response = file_response(results, "series")
    (tmp_path / "a.csv").unlink()

    answer = sent(response, range=wanted)

    assert (answer.status_code, answer.content) == (206, content)


@pytest.mark.parametrize("wanted", ["lines=1-2", "bytes=abc", "bytes=5-1", "bytes=", "bytes=-", "5-9"])
def test_invalid_range_is_ignored(results, wanted):
    answer = sent(file_response(results, "series"), range=wanted)

    assert (answer.status_code, answer.content) == (200, CSV)


def test_a_file_that_the_client_holds_is_not_sent_again(results):
    held = sent(file_response(results, "series")).headers["etag"]

    answer = sent(file_response(results, "series"), **{"if-none-match": held})

    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", held)


def test_results_whose_files_are_removed_before_they_are_sent_come_whole(results, tmp_path):
    response = results_response(results)
    (tmp_path / "a.csv").unlink()

    answer = sent(response)

    assert (answer.content, answer.headers["content-type"]) == (CSV, "text/csv; charset=utf-8")


@pytest.mark.parametrize("ask", [results_response, lambda results: file_response(results, "series")])
def test_removed_files_are_reported_as_gone(results, tmp_path, ask):
    (tmp_path / "a.csv").unlink()

    with pytest.raises(SourceUnavailable, match="the file of this result is gone"):
        ask(results)
