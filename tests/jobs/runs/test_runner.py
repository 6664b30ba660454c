"""Jobs are done by real processes, whatever is killed, and each ends once."""

import pytest

from chronotile.jobs.job import Execution
from tests.jobs.runs.conftest import SQUARES_OF_TEN
from tests.running import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def texts(table, id_):
    return [text for _at, text in table.log(id_)]


def test_blocks_and_their_end_make_the_results(submit, running, ended, tmp_path):
    id_ = submit()

    with running():
        job = ended(id_)

    assert (job.status, job.progress, job.attempts) == ("successful", 100, 1)
    assert job.results["sum"].value == SQUARES_OF_TEN
    assert (tmp_path / "jobs" / id_ / "results" / "pieces.txt").read_text() == "0 1 2 3 4 5 6 7 8 9"
    until(lambda: [path.name for path in (tmp_path / "jobs" / id_).iterdir()] == ["results"])


def test_progress_is_told(submit, running, table, gates, ended):
    id_ = submit(open=1, count=2)

    with running():
        until(lambda: table.job(id_).message == "1 of 2 blocks")
        assert table.job(id_).progress == 33
        (gates / "open").touch()
        ended(id_)


def test_twenty_jobs_end_once_each(submit, running, ended, table):
    ids = [submit(count=3) for _ in range(20)]

    with running():
        jobs = [ended(id_) for id_ in ids]

    assert {(job.status, job.results["sum"].value, job.attempts) for job in jobs} == {("successful", 5, 1)}
    assert {tuple(texts(table, id_)) for id_ in ids} == {("attempt 1: 3 of 3 blocks to do", "is done")}


def test_a_job_that_is_dismissed_stops_its_blocks_and_leaves_nothing(submit, running, table, notes, tmp_path):
    id_ = submit(open=0)

    with running():
        until(lambda: len(notes("began")) == 2)
        table.dismiss(id_)
        until(lambda: {number for number, _pid in notes("began")} == {number for (number,) in notes("left")})
        until(lambda: not (tmp_path / "jobs" / id_).exists())

    assert table.job(id_).status == "dismissed"
    assert not table.finished_blocks(id_)


def test_a_job_that_runs_for_too_long_is_ended(submit, running, ended, tmp_path):
    id_ = submit(open=0)

    with running(timeout_s=0.5):
        job = ended(id_)

    assert (job.status, job.fault.type, job.fault.status) == ("failed", "limit-exceeded", 400)
    assert job.fault.detail == "it ran for longer than 0.5 s, which is how long a job may; ask for less"
    assert not (tmp_path / "jobs" / id_).exists()


FULL = "there is no room to write what the job makes; ask for less, or later"


@pytest.mark.parametrize(
    ("act", "status", "detail"),
    [
        pytest.param("fill", 503, FULL, id="disk full"),
        pytest.param("lose", 503, "the store is out of reach", id="of ours"),
        pytest.param("break", 500, "something failed that nobody foresaw; the log has it", id="unforeseen"),
    ],
)
def test_a_block_that_fails_ends_its_job_and_no_other(submit, running, ended, act, status, detail):
    failing, other = submit(at=3, act=act), submit()

    with running():
        job = ended(failing)
        assert ended(other).status == "successful"

    assert (job.status, job.fault.status, job.fault.detail) == ("failed", status, detail)


def test_what_the_plan_refuses_is_a_fault(table, running, ended):
    id_ = table.submit(Execution(process="echo", inputs={"number": 1000}), user=None, most_open=10).id

    with running():
        job = ended(id_)

    assert (job.status, job.fault.status, job.fault.title) == ("failed", 400, "Bad Request")


def test_a_process_of_the_cluster_that_is_killed_costs_the_block_it_did(submit, running, ended, notes, table):
    id_ = submit(at=3, act="die once")

    with running():
        job = ended(id_)

    assert (job.status, job.attempts) == ("successful", 1)
    assert [number for number, _pid in notes("began")].count("3") == 2


def test_a_block_that_kills_whoever_does_it_is_given_up(submit, running, ended, table):
    id_ = submit(count=4, at=3, act="die")

    with running():
        until(lambda: table.job(id_).attempts == 3)
        job = ended(id_)

    assert (job.status, job.attempts, job.fault.status) == ("failed", 5, 503)
    assert job.fault.detail == "the processes of the cluster die of what they are asked to do; it was begun 5 times"
    assert texts(table, id_).count("attempt 5: 1 of 4 blocks to do") == 1


def test_whoever_is_stopped_gives_back_what_it_did(submit, running, ended, table, gates):
    id_ = submit(open=4)
    with running():
        until(lambda: len(table.finished_blocks(id_)) == 4)
    assert (table.job(id_).status, table.job(id_).attempts) == ("accepted", 0)

    (gates / "open").touch()
    with running():
        job = ended(id_)

    assert (job.status, job.results["sum"].value) == ("successful", SQUARES_OF_TEN)
    assert "attempt 1: 6 of 10 blocks to do" in texts(table, id_)


def test_what_ended_long_ago_is_forgotten(submit, running, ended, table, tmp_path):
    id_ = submit(count=1)
    with running():
        ended(id_)

    with running(kept_s=0):
        until(lambda: table.jobs()[1] == 0)

    assert not (tmp_path / "jobs" / id_).exists()
