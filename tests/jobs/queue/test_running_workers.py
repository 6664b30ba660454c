"""Jobs without a running worker report it."""

import pytest

from chronotile.core.model.job import Execution
from chronotile.jobs.queue.running_workers import GONE_S, no_worker_message

ECHO = Execution(process="echo", inputs={})


@pytest.fixture
def heartbeat(table):
    return table.heartbeat


def test_worker_exists_for_all_users_of_the_table_until_it_ends(heartbeat, open_table):
    other = open_table().heartbeat
    assert not other.has_workers()

    heartbeat.report_alive("a")
    heartbeat.report_alive("b")
    assert other.has_workers()

    heartbeat.report_end("a")
    assert other.has_workers()
    heartbeat.report_end("b")
    assert not other.has_workers()


def test_worker_without_a_heartbeat_for_long_is_gone(heartbeat, clock):
    heartbeat.report_alive("a")
    clock.now += GONE_S
    assert heartbeat.has_workers()

    clock.now += 0.1
    assert not heartbeat.has_workers()
    heartbeat.report_alive("a")
    assert heartbeat.has_workers()


def test_unfinished_jobs_report_that_no_worker_exists(table, heartbeat):
    ended, running, accepted = (table.submit(ECHO, user=None, max_open=3).id for _ in range(3))
    table.dismiss(ended)
    table.claim("a", lease_s=30)
    jobs, _count = table.jobs()

    assert {job.id: job.message for job in heartbeat.mark_unattended(jobs)} == {
        ended: "was dismissed",
        running: f"is being prepared; {no_worker_message('a')}",
        accepted: f"queued; {no_worker_message('a')}",
    }
    heartbeat.report_alive("a")
    assert heartbeat.mark_unattended(jobs) == jobs
