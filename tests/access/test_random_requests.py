"""Broken requests of strangers, also about private things, are answered as if these did not exist.

`CHRONOTILE_FUZZ=20000` sends more requests, `CHRONOTILE_FUZZ_SEED=2` other requests.
"""

import os
import random
import re
from dataclasses import replace

import anyio
import pytest

from chronotile.access.keys import open_keys
from chronotile.app.application import ServerOptions, application
from tests.access.test_leaks import with_nothing_private, with_private
from tests.protocols.fuzzing.breaking import requests
from tests.protocols.fuzzing.judging import Answer
from tests.protocols.fuzzing.request import Request
from tests.protocols.fuzzing.site import made_services, send
from tests.protocols.fuzzing.valid import COG, JOB

COUNT = int(os.environ.get("CHRONOTILE_FUZZ", "2000"))
SEED = int(os.environ.get("CHRONOTILE_FUZZ_SEED", "1"))
OF_A_PROCESS = {"metrics", "health"}
"""Paths that report on a process, not on an archive."""
PENDING = b"valid_shares_pending"
"""Text in answers that depend on the progress of counting valid pixels."""
PER_REQUEST = {"server-timing", "vary", "x-request-id"}
RANDOM = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z")
"""Ids of jobs, and instants."""


def about_private_things(request: Request, chance: random.Random) -> Request:
    """Return the request, sometimes with private names instead of public ones."""
    if chance.random() < 0.5:
        return request

    def other(text: str) -> str:
        return text.replace("NDVI", "HIDDEN").replace("squares", "fields").replace("s2", "secret")

    pairs = tuple((name, other(value)) for name, value in request.pairs)
    body = request.body.replace(b"NDVI", b"HIDDEN").replace(b"squares", b"fields")
    return replace(request, segments=tuple(map(other, request.segments)), pairs=pairs, body=body)


def seen(answer: Answer) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    """Return the parts of an answer that a stranger sees and that do not differ between requests."""
    headers = tuple(
        (name, RANDOM.sub(b"x", value.encode()).decode()) for name, value in answer.pairs if name not in PER_REQUEST
    )
    return answer.status, headers, RANDOM.sub(b"x", answer.body)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Invalid type:UserWarning")  # an expression makes numbers that PNG cannot store
def test_no_answer_to_a_stranger_differs(tmp_path) -> None:
    keys = open_keys(None, tmp_path, archive="a")
    owner = ("authorization", f"Bearer {keys.create('owner', groups=['ministry'], days=1)}".encode())
    stranger = ("authorization", f"Bearer {keys.create('stranger', groups=['farmers'], days=1)}".encode())
    keys.close()
    private = application(
        with_private(made_services()), ServerOptions(keys=lambda: open_keys(None, tmp_path, archive="a"))
    )
    public = application(with_nothing_private())
    chance = random.Random(SEED)
    differing, compared = [], 0

    async def ask() -> None:
        nonlocal compared
        async with private.router.lifespan_context(private), public.router.lifespan_context(public):
            for each in requests(COUNT, SEED):
                request = about_private_things(each, chance)
                if request.protocol in OF_A_PROCESS or {JOB, COG, "jobs"}.intersection(request.segments):
                    continue
                if any(name == "authorization" for name, _ in request.headers):
                    continue
                if chance.random() < 0.3:
                    await send(private, replace(request, headers=(*request.headers, owner)))
                answer = await send(public, request)
                if PENDING in answer.body or (answer.status == 304 and request.segments[-1] == "times"):
                    continue
                expected = seen(answer)
                for credential in ((), (stranger,)):
                    other = await send(private, replace(request, headers=(*request.headers, *credential)))
                    found = seen(other)
                    if found != expected and PENDING not in other.body:
                        differing.append(f"{request}\n  {expected}\n  {found}"[:3000])
                compared += 1

    anyio.run(ask)

    assert not differing, "\n".join(differing[:8])
    assert compared > COUNT // 2
