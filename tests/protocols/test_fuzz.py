"""No broken request is answered by a fault of the server.

`CHRONOTILE_FUZZ=20000` sends more requests, `CHRONOTILE_FUZZ_SEED=2` other requests, and `CHRONOTILE_FUZZ_OF=/wcs`
only requests of this protocol; `python -m benchmarks.fuzz` sends them over files, too.
"""

import os

import anyio
import pytest

from tests.protocols.fuzzing.breaking import requests
from tests.protocols.fuzzing.judging import is_exception
from tests.protocols.fuzzing.request import parse
from tests.protocols.fuzzing.site import fuzz, made_services, running
from tests.protocols.fuzzing.valid import VALID
from tests.protocols.fuzzing.valid_bodies import BODIES, REFUSED

pytest.importorskip("titiler.core", reason="titiler.core is absent (pip install 'chronotile[cog]')")

COUNT = int(os.environ.get("CHRONOTILE_FUZZ", "3000"))
SEED = int(os.environ.get("CHRONOTILE_FUZZ_SEED", "1"))
OF = os.environ.get("CHRONOTILE_FUZZ_OF", "/")

# TiTiler requests PROJ texts of pyproj, and multiplies transforms the old way.
pytestmark = pytest.mark.filterwarnings(
    "ignore:You will likely lose important projection information:UserWarning",
    "ignore:Use `@` matmul:PendingDeprecationWarning",
    "ignore:Invalid type:UserWarning",  # an expression makes numbers that PNG cannot store
)


@pytest.fixture(scope="module")
def statuses_of_valid_requests(tmp_path_factory):
    """Statuses by URL; `None` for an exception with status 200."""

    async def ask():
        async with running(tmp_path_factory.mktemp("valid"), made_services()) as site:
            answers = {url: await site.send(parse(url)) for url in (*VALID, *BODIES)}
            return {url: None if is_exception(answer) else answer.status for url, answer in answers.items()}

    return anyio.run(ask)


@pytest.mark.parametrize("url", [*VALID, *BODIES])
def test_broken_request_was_valid_before(statuses_of_valid_requests, url):
    assert statuses_of_valid_requests[url] == REFUSED.get(url, 200)


def test_requests_are_the_same_for_the_same_seed():
    assert list(requests(50, 3)) == list(requests(50, 3))


@pytest.mark.slow
def test_broken_requests_get_answers_for_their_senders(tmp_path):
    async def ask():
        async with running(tmp_path, made_services()) as site:
            return await fuzz(site, requests(COUNT, SEED, of=OF))

    findings = anyio.run(ask)

    assert findings.faults == []
    assert findings.statuses.total() == COUNT
