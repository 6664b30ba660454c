"""Jobs of WPS are jobs of OGC API - Processes: followed, fetched and dismissed in either version."""

import pytest

from chronotile.app.application import ServerOptions
from chronotile.core.model.job import JobFault
from tests.protocols.wps.conftest import document, element, exception_of, execute_1_0, execute_2_0, literal, texts

checklist = pytest.mark.checklist

PAUSE = 0.2
"""Seconds; a job of this length is not finished immediately."""


def in_version_2(operation, job):
    return f"service=WPS&version=2.0.0&request={operation}&jobid={job}"


@pytest.fixture
def submitted(ask):
    """Return a function: `submitted("<wps:Output …>", response="raw")` returns the id of an accepted job."""

    def submit(*outputs, response="document"):
        held = literal("2.0.0", "string", "a") + literal("2.0.0", "pause", PAUSE)
        root = ask(execute_2_0(held, *(outputs or ("string",)), mode="async", response=response))
        assert texts(root, "{*}Status") == ["Accepted"]
        return root.findtext("{*}JobID")

    return submit


@checklist("wps20", "A.5.8", "A.5.12", "A.5.14", "A.5.18")
def test_a_job_is_accepted_runs_and_succeeds(ask, client, submitted, do_next, desk):
    job, other = submitted(), submitted()
    posted = element("2.0.0", "GetStatus", f"<wps:JobID>{job}</wps:JobID>", version="2.0.0")

    accepted = ask(posted)
    early = ask(in_version_2("GetResult", job), status=400)
    do_next()
    desk.table.claim("test", lease_s=60)

    assert job != other
    assert texts(accepted, "{*}Status") == ["Accepted"]
    assert exception_of(early) == ("ResultNotReady", "JobID")
    assert texts(ask(in_version_2("GetStatus", job)), "{*}Status") == ["Succeeded"]
    assert texts(ask(in_version_2("GetStatus", other)), "{*}Status") == ["Running"]
    assert client.get(f"/ogcapi/jobs/{job}").json()["status"] == "successful"


@checklist("wps20", "A.5.15", "A.5.19")
def test_results_of_a_job_have_the_requested_form(ask, answer, client, submitted, do_next):
    whole, raw = submitted(), submitted(response="raw")
    linked = submitted('<wps:Output id="string" transmission="reference"/>')
    ogc = client.post(
        "/ogcapi/processes/echo/execution", json={"inputs": {"object": {"a": 1}}}, headers={"Prefer": "respond-async"}
    ).json()["jobID"]
    for _job in range(4):
        do_next()

    post = element("2.0.0", "GetResult", f"<wps:JobID>{whole}</wps:JobID>", version="2.0.0")
    result = ask(post)
    assert (result.findtext("{*}JobID"), texts(result, ".//{*}LiteralValue")) == (whole, ["a"])
    assert ask(in_version_2("GetResult", raw)).text == "a"
    href = ask(in_version_2("GetResult", linked)).find(".//{*}Reference").get("{http://www.w3.org/1999/xlink}href")
    assert client.get(href).text == "a"
    assert answer(in_version_2("GetResult", ogc)).json() == {"a": 1}
    status = ask(f"service=WPS&version=1.0.0&request=GetStatus&jobid={ogc}&lineage=true")
    assert texts(status, ".//{*}ComplexData") == ['{"a": 1}', '{"a":1}']


def test_failed_job_has_a_reason(ask, submitted, desk):
    job = submitted()
    desk.table.claim("test", lease_s=60)
    fault = JobFault(type="about:blank", title="Service Unavailable", detail="the file is gone", status=503)
    desk.table.fail(job, "test", fault)

    assert texts(ask(in_version_2("GetStatus", job)), "{*}Status") == ["Failed"]
    assert ask(in_version_2("GetResult", job), status=503).findtext(".//{*}ExceptionText") == "the file is gone"
    status = ask(f"service=WPS&version=1.0.0&request=GetStatus&jobid={job}")
    assert texts(status, ".//{*}ProcessFailed//{*}ExceptionText") == ["the file is gone"]


@checklist("wps20", "dismiss")
def test_a_job_is_dismissed_and_forgotten(ask, submitted, do_next):
    waiting = submitted()
    dismiss = element("2.0.0", "Dismiss", f"<wps:JobID>{waiting}</wps:JobID>", version="2.0.0")

    assert texts(ask(dismiss), "{*}Status") == ["Dismissed"]
    assert exception_of(ask(in_version_2("GetResult", waiting), status=400)) == ("ResultNotReady", "JobID")
    ended = submitted()
    do_next()
    assert texts(ask(in_version_2("Dismiss", ended)), "{*}Status") == ["Dismissed"]
    assert exception_of(ask(in_version_2("GetStatus", ended), status=400)) == ("NoSuchJob", "JobID")


@checklist("wps10", "Execute stored", "Execute status", "Execute lineage")
def test_the_status_document_of_1_0_becomes_the_response(ask, client, do_next, desk):
    held = literal("1.0.0", "string", "a") + literal("1.0.0", "pause", PAUSE)
    stored = 'storeExecuteResponse="true" status="true" lineage="true"'
    asked = execute_1_0(held, document("string", of_document=stored, of_output='asReference="true"'))

    first, other = ask(asked), ask(asked)
    query = first.get("statusLocation").partition("?")[2]
    do_next()
    desk.table.claim("test", lease_s=60)
    done = ask(query)
    running = ask(other.get("statusLocation").partition("?")[2])

    assert first.find("{*}Status/{*}ProcessAccepted") is not None
    assert running.find("{*}Status/{*}ProcessStarted").get("percentCompleted") == "0"
    assert done.find("{*}Status/{*}ProcessSucceeded") is not None
    assert client.get(done.find(".//{*}Reference").get("href")).text == "a"
    assert texts(done, "{*}DataInputs//{*}LiteralData") == ["a", str(PAUSE)]


@checklist("wps10", "Execute stored")
def test_response_stored_without_status_is_available_immediately_and_later(ask):
    form = document("string", of_document='storeExecuteResponse="true"')
    first = ask(execute_1_0(literal("1.0.0", "string", "a"), form))
    later = ask(first.get("statusLocation").partition("?")[2])

    assert texts(first, ".//{*}LiteralData") == texts(later, ".//{*}LiteralData") == ["a"]


def test_job_of_another_user_is_unknown(ask, desk, submitted):
    job = submitted()
    mine = desk.table.execution(job)
    theirs = desk.submit(mine, user="user:other").id

    for operation in ("GetStatus", "GetResult", "Dismiss"):
        assert exception_of(ask(in_version_2(operation, theirs), status=400)) == ("NoSuchJob", "JobID")
    stranger = ask(f"service=WPS&version=1.0.0&request=GetStatus&jobid={theirs}", status=400)
    assert exception_of(stranger) == ("InvalidParameterValue", "JobID")
    assert desk.table.job(theirs).status == "accepted"


class TestWithoutJobs:
    """A server that has no table of jobs."""

    @pytest.fixture
    def options(self):
        return ServerOptions()

    @pytest.mark.parametrize("version", ["1.0.0", "2.0.0"])
    def test_process_executes_synchronously_only_and_says_so(self, ask, version):
        described = ask(f"service=WPS&version={version}&request=DescribeProcess&identifier=echo")[0]
        if version == "2.0.0":
            assert described.get("jobControlOptions") == "sync-execute"
            assert described.get("outputTransmission") == "value"
            held = literal(version, "string", "a")
            refused = ask(execute_2_0(held, "string", mode="async"), status=400)
            assert texts(ask(execute_2_0(held, "string", mode="auto")), ".//{*}LiteralValue") == ["a"]
            assert exception_of(refused) == ("NoSuchMode", "mode")
        else:
            assert (described.get("storeSupported"), described.get("statusSupported")) == ("false", "false")
            form = '<wps:ResponseDocument storeExecuteResponse="true" status="true"/>'
            refused = ask(execute_1_0(literal(version, "string", "a"), form), status=400)
            assert exception_of(refused)[0] == "InvalidParameterValue"
        assert "does not run jobs" in refused.findtext(".//{*}ExceptionText")
