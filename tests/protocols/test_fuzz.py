"""No broken request is answered by a fault of the server.

`CHRONOTILE_FUZZ=20000` tries more of them, `CHRONOTILE_FUZZ_SEED=2` others.
"""

import os

import anyio
import pytest

from chronotile.app import application
from tests.protocols import fuzz

COUNT = int(os.environ.get("CHRONOTILE_FUZZ", "3000"))
SEED = int(os.environ.get("CHRONOTILE_FUZZ_SEED", "1"))


@pytest.fixture(scope="module")
def statuses_of_valid_requests():
    async def ask():
        app = application(fuzz.archive())
        async with app.router.lifespan_context(app):
            return {url: (await fuzz.send(app, fuzz.parse(url))).status for url in fuzz.VALID}

    return anyio.run(ask)


@pytest.mark.parametrize("url", fuzz.VALID)
def test_what_is_broken_was_valid(statuses_of_valid_requests, url):
    assert statuses_of_valid_requests[url] == 200


def test_requests_are_the_same_for_the_same_seed():
    assert list(fuzz.requests(50, 3)) == list(fuzz.requests(50, 3))


@pytest.mark.slow
def test_broken_requests_get_answers_for_their_senders():
    faults, statuses, _slowest = anyio.run(fuzz.fuzz, COUNT, SEED)

    assert faults == []
    assert sum(statuses.values()) == COUNT
