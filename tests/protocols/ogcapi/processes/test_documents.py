"""Documents of processes and jobs: valid by OGC's schemas, with links and pages."""

import html
import re
from contextlib import contextmanager

import pytest
from sqlalchemy import Engine, event

from chronotile.core.model.job import Execution, Result
from chronotile.jobs.processes.registry import processes

checklist = pytest.mark.checklist

RELATIONS = "http://www.opengis.net/def/rel/ogc/1.0"
CONF = "http://www.opengis.net/spec/ogcapi-processes-1/1.0/conf"
CLASSES = ("core", "ogc-process-description", "json", "html", "oas30", "job-list", "dismiss")


def links_of(document, rel):
    return [link for link in document["links"] if link["rel"] == rel]


@checklist("processes", "req core")
def test_the_landing_page_leads_to_processes_and_jobs(client, assert_valid):
    document = client.get("/ogcapi").json()

    assert_valid(document, "processes", "landingPage")
    ours = [f"{RELATIONS}/{rel}" for rel in ("processes", "job-list")]
    found = {rel: links_of(document, rel) for rel in ("service-desc", "service-doc", "conformance", *ours)}
    assert all(found.values()), found
    for link in (link for rel in ours for link in found[rel]):
        assert client.get(link["href"]).headers["content-type"].startswith(link["type"])


@checklist("processes", "conformance success")
def test_conformance_classes_are_listed(client, assert_valid):
    document = client.get("/ogcapi/conformance").json()

    assert_valid(document, "processes", "confClasses")
    assert {f"{CONF}/{name}" for name in CLASSES} <= set(document["conformsTo"])
    assert f"{CONF}/callback" not in document["conformsTo"]


@checklist("processes", "process list")
def test_processes_are_listed(client, assert_valid):
    document = client.get("/ogcapi/processes").json()

    assert_valid(document, "processes", "processList")
    assert [each["id"] for each in document["processes"]] == list(processes())
    assert len(links_of(document, "self")) == len(links_of(document, "alternate")) == 1


@checklist("processes", "process list")
def test_page_of_processes_has_the_requested_number(client):
    assert len(client.get("/ogcapi/processes?limit=1").json()["processes"]) == 1
    assert client.get("/ogcapi/processes?offset=1000").json()["processes"] == []


@checklist("processes", "process list", "job list")
@pytest.mark.parametrize("path", ["/processes", "/jobs"])
def test_limit_of_a_list_is_documented_with_its_bounds(client, path):
    parameters = client.get("/ogcapi/openapi").json()["paths"][path]["get"]["parameters"]

    (limit,) = [each for each in parameters if each["name"] == "limit"]
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}


@checklist("processes", "process process", "json encoding")
@pytest.mark.parametrize("name", list(processes()))
def test_every_process_is_described(client, assert_valid, name):
    document = client.get(f"/ogcapi/processes/{name}").json()

    assert_valid(document, "processes", "process")
    described = [*document["inputs"].values(), *document["outputs"].values()]
    assert all({"title", "description", "schema"} <= set(each) for each in described)


@pytest.mark.parametrize("name", list(processes()))
def test_every_link_of_a_process_is_answered(client, name):
    links = client.get(f"/ogcapi/processes/{name}").json()["links"]

    answers = {link["rel"]: client.get(link["href"]).status_code for link in links}

    assert answers.pop(f"{RELATIONS}/execute") == answers.pop("estimate") == 405
    assert set(answers.values()) == {200}


@checklist("processes", "process process")
def test_an_unknown_process_is_a_problem_of_its_type(client, assert_valid):
    answer = client.get("/ogcapi/processes/nothing")

    assert answer.status_code == 404
    assert_valid(answer.json(), "processes", "exception")
    assert answer.json()["type"].endswith("/ogcapi-processes-1/1.0/no-such-process")


def test_echo_has_inputs_of_every_kind_of_the_suite(client):
    schemas = {name: told["schema"] for name, told in client.get("/ogcapi/processes/echo").json()["inputs"].items()}

    assert {schema.get("type") for schema in schemas.values()} >= {"string", "number", "array", "object", None}
    assert schemas["bbox"]["format"] == "ogc-bbox"
    assert schemas["binary"]["contentEncoding"] == "base64"
    assert len(schemas["mixed"]["oneOf"]) == 2
    assert "pause" in schemas


@checklist("processes", "job job")
def test_job_has_its_status_from_start_to_end(client, submitted, do_next, assert_valid):
    url = submitted({"inputs": {"string": "a"}})
    accepted = client.get(url).json()
    job = do_next()
    done = client.get(url).json()

    for document in (accepted, done):
        assert_valid(document, "processes", "statusInfo")
    assert (accepted["status"], done["status"], done["progress"]) == ("accepted", "successful", 100)
    assert (done["jobID"], done["processID"], done["type"]) == (job.id, "echo", "process")
    (link,) = links_of(done, f"{RELATIONS}/results")
    assert client.get(link["href"]).text == "a"


def test_results_are_linked_with_the_media_types_they_come_in(client, submitted, do_next):
    url = submitted({"inputs": {"string": "a", "number": 3}})
    do_next()

    items = links_of(client.get(url).json(), "item")

    assert [item["title"] for item in items] == ["string", "number"]
    assert [client.get(item["href"]).headers["content-type"] for item in items] == [item["type"] for item in items]


@pytest.mark.parametrize(("response", "media_type"), [("raw", "text/plain"), ("document", "application/json")])
def test_results_are_linked_without_a_media_type(client, submitted, do_next, response, media_type):
    url = submitted({"inputs": {"string": "a"}, "response": response})
    do_next()

    (link,) = links_of(client.get(url).json(), f"{RELATIONS}/results")

    assert "type" not in link
    assert client.get(link["href"]).headers["content-type"].startswith(media_type)


def test_why_a_job_failed_is_linked_with_its_media_type(client, submitted, fail_next):
    url = submitted({"inputs": {"string": "a"}})
    fail_next()

    (link,) = links_of(client.get(url).json(), f"{RELATIONS}/exceptions")

    assert client.get(link["href"]).headers["content-type"] == link["type"] == "application/problem+json"


def test_job_of_a_removed_process_is_shown_with_its_results(client, desk, end_with):
    desk.submit(Execution(process="bygone", inputs={}), user=None)
    results = {"note": Result(value="a"), "series": Result(file="a.csv", media_type="text/csv")}
    job = end_with(results, files={"a.csv": b"time,value\n"})

    listed, told = client.get("/ogcapi/jobs").json()["jobs"], client.get(f"/ogcapi/jobs/{job.id}").json()
    answers = {link["title"]: client.get(link["href"]) for link in told["links"]}

    assert ([each["jobID"] for each in listed], told["processID"]) == ([job.id], "bygone")
    assert {answer.status_code for answer in answers.values()} == {200}
    assert (answers["note"].text, answers["series"].text) == ("a", "time,value\n")
    assert [item["type"] for item in links_of(told, "item")] == ["text/plain;charset=utf-8", "text/csv"]
    assert links_of(told, "related") == []
    assert "/processes/bygone" not in client.get(f"/ogcapi/jobs/{job.id}?f=html").text


@checklist("processes", "job job", "job exception")
@pytest.mark.parametrize("rest", ["", "/results", "/results/string"])
def test_an_unknown_job_is_a_problem_of_its_type(client, assert_valid, rest):
    answer = client.get(f"/ogcapi/jobs/nothing{rest}")

    assert answer.status_code == 404
    assert_valid(answer.json(), "processes", "exception")
    assert answer.json()["type"].endswith("/ogcapi-processes-1/1.0/no-such-job")


@checklist("processes", "job list")
def test_jobs_are_listed_the_newest_first(client, submitted, assert_valid):
    ids = [submitted({"inputs": {"number": number}}).rpartition("/")[2] for number in range(3)]

    document = client.get("/ogcapi/jobs").json()

    assert_valid(document, "processes", "jobList")
    assert [job["jobID"] for job in document["jobs"]] == ids[::-1]
    assert (document["numberMatched"], document["numberReturned"]) == (3, 3)


def test_pages_of_jobs_lead_to_the_next(client, submitted):
    ids = [submitted({"inputs": {"number": number}}).rpartition("/")[2] for number in range(3)]

    first = client.get("/ogcapi/jobs?limit=2&status=accepted").json()
    (link,) = links_of(first, "next")
    second = client.get(link["href"]).json()

    assert [job["jobID"] for job in (*first["jobs"], *second["jobs"])] == ids[::-1]
    assert links_of(second, "next") == []


@pytest.mark.parametrize("path", ["jobs", "processes"])
def test_pages_for_people_lead_to_the_next_as_pages(client, submitted, path):
    submitted({"inputs": {"number": 1}})
    submitted({"inputs": {"number": 2}})

    page = client.get(f"/ogcapi/{path}?limit=1&f=html").text
    (href,) = re.findall(r'<a href="([^"]*)" rel="next">', page)

    second = client.get(html.unescape(href))
    assert second.headers["content-type"].startswith("text/html")
    assert second.text != page
    assert client.get(f"/ogcapi/{path}?offset=1&f=html").text.count('rel="next"') == 0


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("type=process", 2),
        ("processID=echo", 2),
        ("processID=other&processID=echo", 2),
        ("processID=other,another", 0),
        ("status=accepted", 1),
        ("status=accepted&status=successful", 2),
        ("status=failed", 0),
        ("datetime=2000-01-01/..", 2),
        ("datetime=../2000-01-01", 0),
        ("minDuration=0", 1),
        ("minDuration=3600", 0),
        ("maxDuration=3600", 1),
    ],
)
def test_jobs_are_selected(client, submitted, do_next, query, count):
    submitted({"inputs": {"string": "a"}})
    submitted({"inputs": {"string": "b"}})
    do_next()

    assert client.get(f"/ogcapi/jobs?{query}").json()["numberMatched"] == count


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        *(("limit=0", "limit"), ("limit=x", "limit"), ("offset=-1", "offset"), ("type=other", "type")),
        *(("status=done", "status"), ("datetime=yesterday", "datetime"), ("datetime=latest", "datetime")),
        *(("datetime=2026/2027/P1D", "datetime"), ("minDuration=-1", "minDuration"), ("proces=echo", "proces")),
        ("f=xml", "f"),
    ],
)
def test_a_query_that_is_not_accepted_is_refused_by_its_name(client, query, parameter):
    answer = client.get(f"/ogcapi/jobs?{query}")

    assert answer.status_code == 400
    assert answer.json()["parameter"] == parameter


def test_job_lists_all_methods_if_another_is_refused(client, submitted):
    answer = client.put(submitted({"inputs": {"string": "a"}}))

    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD", "DELETE"}


def test_documents_of_jobs_are_not_cached(client, submitted):
    url = submitted({"inputs": {"string": "a"}})

    answers = [client.get(address) for address in (url, f"{url}/results", "/ogcapi/jobs", "/ogcapi/jobs/nothing")]

    assert {answer.headers["cache-control"] for answer in answers} == {"no-store"}


@pytest.mark.parametrize("path", ["processes", "processes/echo", "jobs"])
def test_client_that_accepts_html_gets_a_page(client, path):
    answer = client.get(f"/ogcapi/{path}", headers={"accept": "text/html"})

    assert answer.headers["content-type"].startswith("text/html")
    assert "script-src" not in answer.headers["content-security-policy"]
    assert client.get(f"/ogcapi/{path}", headers={"accept": "image/png"}).status_code == 406


@pytest.fixture
def statements():
    """Return a context manager that lists the SQL statements sent, with the names of all columns."""

    @contextmanager
    def listen():
        sent = []

        def note(_connection, _cursor, statement, *_more):
            sent.append(statement)

        event.listen(Engine, "before_cursor_execute", note)
        try:
            yield sent
        finally:
            event.remove(Engine, "before_cursor_execute", note)

    return listen


def submit_long(desk):
    """Return the URL of a job with 20 MiB of inputs."""
    job = desk.submit(Execution(process="echo", inputs={"string": "a" * (20 << 20)}), user=None)
    return f"/ogcapi/jobs/{job.id}"


def test_status_of_a_job_is_returned_without_reading_its_inputs(client, desk, statements):
    url = submit_long(desk)

    with statements() as sent:
        told = [client.get(url).json()["status"], client.delete(url).json()["status"]]

    assert told == ["accepted", "dismissed"]
    assert len(sent) > 2
    assert [statement for statement in sent if "inputs" in statement] == []


def test_results_are_returned_without_reading_inputs(client, desk, end_with, statements):
    url = submit_long(desk)
    end_with({"string": Result(value="a")}, files={})

    with statements() as sent:
        answer = client.get(f"{url}/results")

    assert answer.text == "a"
    assert len(sent) > 1
    assert [statement for statement in sent if "inputs" in statement] == []


def test_page_shows_the_start_of_long_inputs_and_says_so(client, desk):
    page = client.get(f"{submit_long(desk)}?f=html").text

    assert len(page) < 40_000
    assert re.search(r"These are the first 20000 of 209715\d\d characters\.", page)


def test_pages_of_jobs_escape_inputs_and_messages(client, desk, submitted, fail_next):
    url = submitted({"inputs": {"string": "<script>alert(1)</script>"}})
    job = fail_next()
    desk.table.add_log_line(job.id, "block 3 was <b>done</b>")

    page = client.get(f"{url}?f=html").text

    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page
    assert "block 3 was &lt;b&gt;done&lt;/b&gt;" in page
    assert "Service Unavailable: the file is gone" in page
    assert f'title="{job.id}"><code>{job.id[:8]}</code>' in client.get("/ogcapi/jobs?f=html").text


def results_on(page):
    """Return the rows of results in the page of a job."""
    (section,) = re.findall(r"<h2>Results</h2>(.*?)</table>", page, re.DOTALL)
    return re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", section)


def test_page_of_a_job_offers_its_results_first(client, submitted, end_with):
    submitted({"inputs": {"string": "a"}})
    results = {"series": Result(file="a.csv", media_type="text/csv"), "number": Result(value=3)}
    job = end_with(results, files={"a.csv": b"a" * 1234})

    page = client.get(f"/ogcapi/jobs/{job.id}?f=html").text
    file, value = results_on(page)

    assert page.index("<h2>Results</h2>") < page.index("<h2>Inputs</h2>")
    (href,) = re.findall(r'<a href="([^"]+)" type="text/csv">a.csv</a>', file)
    assert client.get(href).content == b"a" * 1234
    assert "1.2 kB" in file
    assert "number</a>" in value
    assert value.endswith("</td><td>application/json</td><td></td>")


def test_page_of_a_job_with_a_missing_file_shows_no_size(client, submitted, end_with):
    submitted({"inputs": {"string": "a"}})
    job = end_with({"series": Result(file="a.csv", media_type="text/csv")}, files={})

    (row,) = results_on(client.get(f"/ogcapi/jobs/{job.id}?f=html").text)

    assert row.endswith("<td>text/csv</td><td></td>")


def test_page_of_a_failed_job_shows_the_reason_once(client, desk, submitted, fail_next):
    url = submitted({"inputs": {"string": "a"}})
    job = fail_next()
    desk.table.add_log_line(job.id, "failed: the file is gone")

    page = client.get(f"{url}?f=html").text

    assert page.count("the file is gone") == 1
    assert "</time></code> failed</li>" in page


def test_page_of_a_job_reloads_and_offers_to_cancel_until_the_end(client, submitted, do_next):
    url = submitted({"inputs": {"string": "a"}})

    before = client.get(f"{url}?f=html").text
    job = do_next()
    after = client.get(f"{url}?f=html").text

    told = ('<meta http-equiv="refresh" content="5">', f"curl -X DELETE {url}\n", f"chronotile jobs cancel {job.id}")
    assert [text in before for text in told] == [True] * 3
    assert [text in after for text in told] == [False] * 3


def test_pages_show_how_far_a_running_job_is(client, desk, submitted):
    url = submitted({"inputs": {"string": "a"}})
    job = desk.table.claim("test", lease_s=60)
    desk.table.report_progress(job.id, "test", progress=60, message="block 6 of 10")

    page = client.get(f"{url}?f=html").text

    assert '60 % <progress max="100" value="60"' in page
    assert "block 6 of 10" in page
    assert "running, 60 %" in client.get("/ogcapi/jobs?f=html").text


def test_pages_show_times_to_the_second(client, submitted):
    url = submitted({"inputs": {"string": "a"}})

    created = client.get(url).json()["created"]

    shown = f'<time datetime="{created}">{created[:10]} {created[11:19]}Z</time>'
    assert [shown in client.get(f"{page}?f=html").text for page in (url, "/ogcapi/jobs")] == [True, True]


def test_page_of_a_process_shows_required_inputs_and_their_number(client):
    page = client.get("/ogcapi/processes/time-series?f=html").text

    told = re.findall(r'<dt><code>(\w+)</code><span class="hint">(.*?)</span></dt>', page)

    most = client.get("/ogcapi/processes/time-series").json()["inputs"]["layers"]["maxOccurs"]
    assert told == [
        *(("layers", f"1 to {most}"), ("points", "required"), ("datetime", "optional"), ("format", "optional")),
        *(("dialect", "optional"), ("date", "optional"), ("columns", "optional")),
    ]
