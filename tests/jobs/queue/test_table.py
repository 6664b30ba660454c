"""The table of jobs: accepted jobs persist, only their owner writes, and each ends only one time."""

from dataclasses import replace

import pytest
from sqlalchemy import select, update

from chronotile.core.errors import ConfigurationError, ServerBusy, UnknownPath
from chronotile.core.model.job import Execution, JobFault, Result
from chronotile.jobs.queue.database import open_engine, read_transaction, write_transaction
from chronotile.jobs.queue.schema import CLIENTS, SCHEMA, VERSION
from chronotile.jobs.queue.table import JobTable, new_id

ECHO = Execution(process="echo", inputs={"string": "a"}, outputs={"string": {}}, response="document")
FAULT = JobFault(type="about:blank", title="Source unavailable", detail="the file is gone", status=503)


def submit(table, **more):
    return table.submit(ECHO, **{"user": None, "max_open": 100} | more)


def listed(table, **selection):
    jobs, count = table.jobs(**selection)
    return [job.id for job in jobs], count


def test_accepted_job_has_the_submitted_inputs(table):
    job = submit(table)

    assert (job.status, job.process, job.progress, job.attempts) == ("accepted", "echo", 0, 0)
    assert table.job(job.id) == job
    assert table.execution(job.id) == ECHO
    assert table.execution_without_inputs(job.id) == replace(ECHO, inputs={})


def test_the_oldest_job_is_done_first_and_by_one(table):
    first, second = submit(table), submit(table)

    assert table.claim("one", lease_s=30).id == first.id
    assert table.claim("two", lease_s=30).id == second.id
    assert table.claim("three", lease_s=30) is None


def test_job_without_a_heartbeat_is_taken_over_with_its_finished_tasks(table, clock):
    job = submit(table)
    begun = table.claim("one", lease_s=30)
    assert table.store_task_result(job.id, "one", 3, {"sum": 7})
    clock.now += 31

    again = table.claim("two", lease_s=30)

    assert (again.attempts, again.started) == (2, begun.started)
    assert table.finished_tasks(job.id) == {3: {"sum": 7}}
    assert not table.store_task_result(job.id, "one", 4, {})
    assert not table.succeed(job.id, "one", {})
    assert table.succeed(job.id, "two", {"string": Result(value="a")})
    assert table.job(job.id).results == {"string": Result(value="a")}


def test_a_dismissed_job_is_nobodys(table):
    job = submit(table)
    table.claim("one", lease_s=30)

    assert table.dismiss(job.id).status == "dismissed"

    assert not table.renew(job.id, "one", lease_s=30)
    assert not table.report_progress(job.id, "one", progress=50, message="half")
    assert table.claim("two", lease_s=30) is None


def test_a_user_may_not_have_more_open_jobs_than_allowed(table):
    submit(table, user="a", max_open=1)

    with pytest.raises(ServerBusy):
        submit(table, user="a", max_open=1)
    submit(table, user="b", max_open=1)


def test_a_client_may_not_have_more_open_jobs_than_allowed(table):
    first = submit(table, client="192.0.2.1", max_open=1)

    with pytest.raises(ServerBusy, match="1 jobs from your address have not ended yet"):
        submit(table, client="192.0.2.1", max_open=1)
    submit(table, client="192.0.2.2", max_open=1)
    table.dismiss(first.id)
    submit(table, client="192.0.2.1", max_open=1)


def test_all_clients_together_may_not_have_more_than_ten_times_as_many(table):
    for number in range(10):
        submit(table, client=f"192.0.2.{number}", max_open=1)

    with pytest.raises(ServerBusy, match="10 jobs have not ended yet"):
        submit(table, client="192.0.2.10", max_open=1)


def test_a_database_of_a_version_without_clients_gets_them(url, tmp_path, open_table):
    open_table()
    engine = open_engine(url, tmp_path)
    CLIENTS.drop(engine)
    engine.dispose()

    table = open_table()

    submit(table, client="192.0.2.1", max_open=1)
    with pytest.raises(ServerBusy):
        submit(table, client="192.0.2.1", max_open=1)


def test_the_address_of_a_client_goes_with_its_job(table, url, tmp_path):
    job = submit(table, client="192.0.2.1")
    engine = open_engine(url, tmp_path)

    with read_transaction(engine) as connection:
        assert connection.execute(select(CLIENTS)).all() == [(job.id, "192.0.2.1")]
    table.forget([job.id])
    with read_transaction(engine) as connection:
        assert connection.execute(select(CLIENTS)).all() == []
    engine.dispose()


def test_forgotten_jobs_are_removed(table, clock):
    job = submit(table)
    table.dismiss(job.id)
    clock.now += 100

    assert table.list_ended_before(clock.now) == (job.id,)
    table.forget([job.id])

    with pytest.raises(UnknownPath):
        table.job(job.id)


def test_job_stored_as_finished_is_not_claimed(table):
    results = {"string": Result(value="a")}

    job = table.add_finished(new_id(), ECHO, results, user="me")

    assert (job.status, job.results, job.user) == ("successful", results, "me")
    assert table.execution(job.id) == ECHO
    assert table.claim("one", lease_s=30) is None


def test_jobs_are_selected_by_when_they_came(table, clock):
    first = submit(table)
    clock.now += 10
    second = submit(table)

    assert listed(table, created=(clock.now, None)) == ([second.id], 1)
    assert listed(table, created=(None, clock.now)) == ([first.id], 1)


def test_jobs_are_selected_by_how_long_they_ran(table, clock):
    ended, running, _waiting = submit(table), submit(table), submit(table)
    table.claim("one", lease_s=30)
    clock.now += 5
    table.succeed(ended.id, "one", {})
    table.claim("one", lease_s=30)
    clock.now += 20

    assert [job.id for job in table.jobs(seconds=(None, 5.0))[0]] == [ended.id]
    assert [job.id for job in table.jobs(seconds=(6.0, None))[0]] == [running.id]
    assert [job.id for job in table.jobs(seconds=(0.0, None))[0]] == [running.id, ended.id]


def test_jobs_are_listed_from_the_newest_a_page_at_a_time(table):
    ids = [submit(table).id for _ in range(5)]

    assert listed(table) == (ids[::-1], 5)
    assert listed(table, limit=2, offset=1) == ([ids[3], ids[2]], 5)


def test_jobs_are_selected_by_user_process_and_status(table):
    mine, theirs = submit(table, user="me"), submit(table, user="you")
    table.dismiss(mine.id)

    assert listed(table, users=["me"]) == ([mine.id], 1)
    assert listed(table, statuses=["accepted", "running"]) == ([theirs.id], 1)
    assert listed(table, processes=["echo"])[1] == 2
    assert listed(table, processes=["histogram", "\0"]) == ([], 0)


def test_list_excludes_long_fields(table):
    submit(table)

    (job,), _count = table.jobs()

    assert (job.process, job.results) == ("echo", {})


def test_readable_inputs_are_cut_off_when_long(table):
    short = table.submit(Execution(process="echo", inputs={"string": "ö", "number": 3}), user=None, max_open=100)
    long = table.submit(Execution(process="echo", inputs={"string": "a" * 5000}), user=None, max_open=100)

    whole, beginning = table.inputs(short.id, most=1000), table.inputs(long.id, most=1000)

    assert (whole.text, whole.count) == ('{\n  "string": "ö",\n  "number": 3\n}', 34)
    assert beginning.text.startswith('{"string": "aaa')
    assert 900 < len(beginning.text) <= 1000
    assert beginning.count > 5000


def test_inputs_of_a_forgotten_job_are_unknown(table):
    with pytest.raises(UnknownPath, match="or it has expired"):
        table.execution(new_id())
    with pytest.raises(UnknownPath, match="or it has expired"):
        table.execution_without_inputs(new_id())
    with pytest.raises(UnknownPath, match="or it has expired"):
        table.inputs(new_id(), most=1000)


def test_owner_reports_progress(table, clock):
    job = submit(table)
    table.claim("one", lease_s=30)
    clock.now += 5

    assert table.report_progress(job.id, "one", progress=40, message="2 of 5 tasks")

    told = table.job(job.id)
    assert (told.status, told.progress, told.message) == ("running", 40, "2 of 5 tasks")
    assert (told.created, told.started, told.updated) == (clock.now - 5, clock.now - 5, clock.now)


def test_renewed_job_is_not_taken_over(table, clock):
    job = submit(table)
    table.claim("one", lease_s=30)
    clock.now += 20
    assert table.renew(job.id, "one", lease_s=30)
    clock.now += 20

    assert table.claim("two", lease_s=30) is None


def test_a_released_job_is_begun_again_with_its_finished_tasks(table):
    job = submit(table)
    table.claim("one", lease_s=30)
    table.store_task_result(job.id, "one", 0, {"sum": 1})

    assert table.release(job.id, "one", message="waits for another worker")

    assert (table.job(job.id).status, table.job(job.id).message) == ("accepted", "waits for another worker")
    assert not table.renew(job.id, "one", lease_s=30)
    assert table.claim("two", lease_s=30).attempts == 2
    assert table.finished_tasks(job.id) == {0: {"sum": 1}}


def test_a_released_job_lets_others_before_while_it_waits(table, clock):
    waiting, other = submit(table), submit(table)
    table.claim("one", lease_s=30)
    assert table.release(waiting.id, "one", message="waits: the store is away", wait_s=8)

    assert table.claim("one", lease_s=300).id == other.id
    assert table.claim("two", lease_s=300) is None
    clock.now += 8
    assert table.claim("two", lease_s=300).id == waiting.id


def left_by_killed(table, clock, *numbers):
    """Return the job that is claimed again by a worker that finishes these tasks and is killed."""
    job = table.claim("killed", lease_s=30)
    for number in numbers:
        table.store_task_result(job.id, "killed", number, {})
    clock.now += 31
    return job


def test_attempts_without_a_finished_task_are_counted(table, clock):
    submit(table)

    attempts = [left_by_killed(table, clock, *numbers) for numbers in [(), (), (0,), (1, 2), (), ()]]

    assert [job.fruitless for job in attempts] == [0, 1, 2, 0, 0, 1]
    assert [job.attempts for job in attempts] == [1, 2, 3, 4, 5, 6]


def test_stopped_worker_made_no_attempt(table):
    job = submit(table)
    table.claim("one", lease_s=30)
    table.release(job.id, "one", message="", is_attempt=False)

    job = table.claim("two", lease_s=30)

    assert (job.attempts, job.fruitless) == (1, 0)


def test_a_task_that_is_done_twice_is_remembered_once(table):
    job = submit(table)
    table.claim("one", lease_s=30)

    table.store_task_result(job.id, "one", 3, {"sum": 1})
    table.store_task_result(job.id, "one", 3, {"sum": 2})

    assert table.finished_tasks(job.id) == {3: {"sum": 2}}


def test_failed_job_has_a_reason_and_no_tasks(table):
    job = submit(table)
    table.claim("one", lease_s=30)
    table.store_task_result(job.id, "one", 0, {})

    assert table.fail(job.id, "one", FAULT)

    failed = table.job(job.id)
    assert (failed.status, failed.message, failed.fault) == ("failed", FAULT.detail, FAULT)
    assert table.finished_tasks(job.id) == {}


def test_dismissed_job_has_no_tasks_and_a_finished_one_stays(table):
    running, done = submit(table), submit(table)
    table.claim("one", lease_s=30)
    table.store_task_result(running.id, "one", 0, {})
    table.claim("one", lease_s=30)
    table.succeed(done.id, "one", {})

    table.dismiss(running.id)

    assert table.finished_tasks(running.id) == {}
    assert table.dismiss(done.id).status == "successful"


@pytest.mark.parametrize("id_", ["", "0" * 32, "a\0b", "../../etc", "\ud800"], ids=repr)
def test_invalid_id_is_unknown(table, id_):
    with pytest.raises(UnknownPath, match="there is no job"):
        table.job(id_)
    with pytest.raises(UnknownPath, match="there is no job"):
        table.dismiss(id_)


def test_log_lines_are_returned_in_order(table, clock):
    job = submit(table)
    table.add_log_line(job.id, "begun")
    clock.now += 1
    table.add_log_line(job.id, "ended")
    table.add_log_line("0" * 32, "of no job")

    assert table.log(job.id) == ((clock.now - 1, "begun"), (clock.now, "ended"))


def test_text_that_databases_do_not_take_is_stored_without_it(table):
    job = submit(table)
    table.claim("one", lease_s=30)

    table.add_log_line(job.id, "nul \0, half a pair \ud800, naïve")
    table.report_progress(job.id, "one", progress=0, message="file \udcff")

    assert table.log(job.id)[0][1] == "nul \ufffd, half a pair ?, naïve"
    assert table.job(job.id).message == "file ?"


def test_jobs_are_still_there_when_the_table_is_opened_again(table, open_table):
    job = submit(table)

    assert open_table().job(job.id) == job


def test_a_table_of_a_newer_version_is_refused(table, url, tmp_path):
    engine = open_engine(url, tmp_path)
    with write_transaction(engine) as connection:
        connection.execute(update(SCHEMA).values(version=VERSION + 1))

    with pytest.raises(ConfigurationError, match=f"version {VERSION + 1}, of a newer chronotile, and this one knows"):
        JobTable(engine, archive="a")
    engine.dispose()
