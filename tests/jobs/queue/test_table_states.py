"""For any operations on jobs in any order, their statuses follow the order of the standard."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

from chronotile.core.model.job import ENDED, Execution, JobFault
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.table import JobTable
from tests.jobs.queue.conftest import Clock

LEASE_S = 30
owners = st.sampled_from(["one", "two"])


class Jobs(RuleBasedStateMachine):
    """The table and a dictionary with its expected content."""

    ids = Bundle("ids")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = Clock()
        self.table = JobTable(open_engine(None, Path(self.folder.name)), clock=self.clock, archive="a")
        self.expected = {}  # id: [status, owner, leased until or not to be begun before]

    def teardown(self):
        self.table.close()
        self.folder.cleanup()

    def is_owner(self, id_, owner):
        return self.expected[id_][:2] == ["running", owner]

    def has_ended(self, id_, status, owner):
        return self.expected[id_][:2] == [status, owner]

    @rule(target=ids)
    def submit(self):
        job = self.table.submit(Execution(process="echo", inputs={}), user=None, max_open=1000)
        self.expected[job.id] = ["accepted", None, 0]
        return job.id

    @rule(owner=owners)
    def claim(self, owner):
        left = [
            id_ for id_, (status, _, until) in self.expected.items() if status == "running" and until < self.clock()
        ]
        waiting = [
            id_ for id_, (status, _, before) in self.expected.items() if status == "accepted" and before <= self.clock()
        ]

        job = self.table.claim(owner, lease_s=LEASE_S)

        assert (job and job.id) == next(iter([*left, *waiting]), None)
        if job:
            self.expected[job.id] = ["running", owner, self.clock() + LEASE_S]

    @rule(seconds=st.sampled_from([1, LEASE_S, LEASE_S + 1]))
    def wait(self, seconds):
        self.clock.now += seconds

    @rule(id_=ids, owner=owners)
    def renew(self, id_, owner):
        assert self.table.renew(id_, owner, lease_s=LEASE_S) == self.is_owner(id_, owner)
        if self.is_owner(id_, owner):
            self.expected[id_][2] = self.clock() + LEASE_S

    @rule(id_=ids, owner=owners, wait_s=st.sampled_from([0, LEASE_S]))
    def release(self, id_, owner, wait_s):
        assert self.table.release(id_, owner, message="", wait_s=wait_s) == self.is_owner(id_, owner)
        if self.is_owner(id_, owner):
            self.expected[id_] = ["accepted", None, self.clock() + wait_s]

    @rule(id_=ids, owner=owners)
    def succeed(self, id_, owner):
        is_so = self.is_owner(id_, owner) or self.has_ended(id_, "successful", owner)
        assert self.table.succeed(id_, owner, {}) == is_so
        if self.is_owner(id_, owner):
            self.expected[id_] = ["successful", owner, 0]

    @rule(id_=ids, owner=owners)
    def fail(self, id_, owner):
        fault = JobFault(type="about:blank", title="", detail="", status=500)
        is_so = self.is_owner(id_, owner) or self.has_ended(id_, "failed", owner)
        assert self.table.fail(id_, owner, fault) == is_so
        if self.is_owner(id_, owner):
            self.expected[id_] = ["failed", owner, 0]

    @rule(id_=ids)
    def dismiss(self, id_):
        if self.expected[id_][0] not in ENDED:
            self.expected[id_] = ["dismissed", None, 0]
        assert self.table.dismiss(id_).status == self.expected[id_][0]

    @rule(target=ids, id_=consumes(ids))
    def forget(self, id_):
        if self.expected[id_][0] not in ENDED:
            return id_
        self.table.forget([id_])
        del self.expected[id_]
        return multiple()

    @invariant()
    def all_are_as_expected(self):
        jobs, count = self.table.jobs()
        assert count == len(self.expected)
        assert {job.id: job.status for job in jobs} == {id_: state[0] for id_, state in self.expected.items()}
        assert all((job.finished is not None) == (job.status in ENDED) for job in jobs)


TestJobs = Jobs.TestCase
TestJobs.settings = settings(max_examples=20, stateful_step_count=30)
TestJobs.pytestmark = [pytest.mark.slow]
