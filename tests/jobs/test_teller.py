"""Subscribers are told by HTTP; what fails is tried again, and told in the log of the job in the end."""

import os
import subprocess
import sys
import time

import pytest

from chronotile.errors import SourceUnavailable
from chronotile.model.job import Execution, Message, Subscriber
from chronotile.queue.database import open_engine
from chronotile.queue.notifier import LEASE_S, OF_A_HOST, WAITS_S, Teller
from chronotile.queue.outbox import Callbacks
from chronotile.queue.table import JobTable
from tests.jobs.conftest import Clock
from tests.listener import Answer, listener
from tests.running import until

pytestmark = pytest.mark.slow


@pytest.fixture
def web():
    """Who is told."""
    with listener() as server:
        server.answers = {"/ok": Answer(204), "/broken": Answer(500), "/hangs": server.hang}
        yield server


@pytest.fixture
def engine(tmp_path):
    engine = open_engine(None, tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def table(engine, clock):
    return JobTable(engine, clock=clock, archive="a")


def write(job, callback):
    """What is told in these tests."""
    return Message(body=f"{job.id} {callback.status} {job.message}".encode(), headers={"X-Base": callback.base})


@pytest.fixture
def make_teller(table, engine, clock):
    return lambda write=write: Teller(table, Callbacks(engine, clock=clock, archive="a"), write=write)


@pytest.fixture
def done(table, web):
    """`done("/ok")`: the id of a job that is done, of which that is to be told."""

    def end(path, *, of=web):
        subscriber = Subscriber(urls={"successful": f"{of.url}{path}"}, base="https://maps.example.org")
        execution = Execution(process="echo", inputs={})
        id_ = table.submit(execution, user=None, most_open=100, subscriber=subscriber).id
        table.claim("one", lease_s=30)
        table.succeed(id_, "one", {})
        return id_

    return end


def texts(table, id_):
    return [text for _at, text in table.log(id_)]


def test_a_subscriber_is_told_once(make_teller, done, web, table):
    id_, teller = done("/ok"), make_teller()

    assert (teller.tell_next(), teller.tell_next()) == (True, False)

    (asked,) = web.asked
    assert (asked.method, asked.path, asked.body.decode()) == ("POST", "/ok", f"{id_} successful is done")
    assert asked.headers["x-base"] == "https://maps.example.org"
    assert texts(table, id_) == []


def test_a_subscriber_that_fails_is_told_again_and_given_up_in_the_log(make_teller, done, web, table, clock):
    id_, teller = done("/broken"), make_teller()

    for wait_s in WAITS_S:
        assert (teller.tell_next(), teller.tell_next()) == (True, False)
        clock.now += wait_s
    assert texts(table, id_) == []
    assert teller.tell_next()
    clock.now += 1e6

    assert not teller.tell_next()
    assert len(web.asked) == len(WAITS_S) + 1
    (line,) = texts(table, id_)
    assert line == (
        "its subscriber was not told that it is done: the answer was 500 Internal Server Error; it was tried 5 times"
    )


def test_a_subscriber_that_answers_again_is_told(make_teller, done, web, clock):
    done("/broken")
    teller = make_teller()
    teller.tell_next()
    web.answers["/broken"] = Answer(200)
    clock.now += WAITS_S[0]

    assert (teller.tell_next(), teller.tell_next()) == (True, False)
    assert len(web.asked) == 2


def lose(_job, _callback):
    raise SourceUnavailable("the file of this result is gone")


def break_down(_job, _callback):
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("fails", "words"),
    [(lose, "the file of this result is gone"), (break_down, "something failed that nobody foresaw; the log has it")],
)
def test_what_cannot_be_written_is_not_told(make_teller, done, web, table, clock, fails, words):
    id_, teller = done("/ok"), make_teller(fails)

    for wait_s in (*WAITS_S, 0):
        teller.tell_next()
        clock.now += wait_s

    assert web.asked == []
    assert [words in line for line in texts(table, id_)] == [True]


def test_how_far_a_job_was_is_not_told_of_one_that_waits_again(make_teller, table, web):
    subscriber = Subscriber(urls={"running": f"{web.url}/ok"}, base="")
    id_ = table.submit(Execution(process="echo", inputs={}), user=None, most_open=1, subscriber=subscriber).id
    table.claim("one", lease_s=30)
    table.release(id_, "one", message="waits")

    assert make_teller().tell_next()
    assert web.asked == []


def test_all_are_told_while_it_is_entered_and_a_host_that_hangs_holds_up_no_other(make_teller, done, web):
    for _ in range(10):
        done("/hangs")
    with listener() as other:
        other.answers = {"/ok": Answer(200)}
        ids = [done("/ok", of=other) for _ in range(10)]

        with make_teller():
            told = other.wait_for(len(ids))
            hanging = web.wait_for(OF_A_HOST)
            web.is_over.set()

    assert sorted(asked.body.split()[0].decode() for asked in told) == sorted(ids)
    assert {asked.path for asked in hanging} == {"/hangs"}


def test_a_table_that_is_away_is_waited_for(make_teller, caplog, engine, tmp_path, done, web):
    done("/ok")
    for file in tmp_path.glob("jobs.sqlite*"):
        file.write_bytes(b"no database at all" * 100)

    with make_teller() as teller:
        until(lambda: "subscribers cannot be told" in caplog.text)

    assert web.asked == []
    with pytest.raises(SourceUnavailable):
        teller.tell_next()


TELLER = """
import sys
from pathlib import Path
from chronotile.queue.outbox import Callbacks
from chronotile.queue.database import open_engine
from chronotile.queue.table import JobTable
from chronotile.queue.notifier import Teller
from tests.jobs.test_teller import write

engine = open_engine(None, Path(sys.argv[1]))
Teller(JobTable(engine, archive="a"), Callbacks(engine, archive="a"), write=write).tell_next()
"""


def test_what_whoever_is_killed_was_telling_is_told_by_another(make_teller, done, web, clock, tmp_path):
    web.answers["/ok"] = web.hang
    done("/ok")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", TELLER, tmp_path], env=environment) as killed:
        web.wait_for(1)
        killed.kill()
    teller = make_teller()
    web.answers["/ok"] = Answer(204)
    clock.now = time.time()
    assert not teller.tell_next()

    clock.now += LEASE_S

    assert (teller.tell_next(), teller.tell_next()) == (True, False)
    assert len(web.asked) == 2
