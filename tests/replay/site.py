"""An application that answers requests in sequence, in this process."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anyio.from_thread import BlockingPortal, start_blocking_portal
from starlette.applications import Starlette

from chronotile.core.errors import ChronotileError
from chronotile.core.model.job import JobFault
from tests.protocols.asgi import ask
from tests.protocols.fuzzing.judging import Answer
from tests.protocols.fuzzing.site import do_claimed, made_services, running
from tests.replay import fixed
from tests.replay.request import DO, Memory, Request
from tests.walk.address import BASE
from tests.walk.serving import opened

OWNER = "replay"
OFF: Mapping[str, Any] = {"disk_cache_bytes": 0}
"""The cache on disk is off: it is filled in the background, and answers depend on its progress."""
TOKEN = "a-token-of-24-bytes-or-more"
HERE = Path(fixed.HERE)


class Told:
    """An answer, as the walk and the commands of pages read it."""

    def __init__(self, answer: Answer) -> None:
        self.status_code, self.headers, self.content = answer.status, answer.headers, answer.content

    @property
    def text(self) -> str:
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        return json.loads(self.content)


class Site:
    """An application that runs.

    Args:
        name: Of the archive.
        app: The application.
        portal: To the loop that it runs in.
    """

    def __init__(self, name: str, app: Starlette, portal: BlockingPortal) -> None:
        self.app, self._name, self._portal = app, name, portal
        self._memory = Memory()
        self.sent: list[Request] = []
        """All requests by `request`."""
        self.folder = HERE
        """Folder for files that commands of pages write."""

    def send(self, number: int, request: Request) -> Answer:
        """Return the answer to the request of this number, which is the second that it is sent in."""
        fixed.begin(self._name, number)
        if request.method == DO:
            return Answer(self._do_job(), {}, b"", 0)
        filled = [self._memory.filled(text, request.target) for text in (request.target, request.body)]
        headers = [
            (name, self._memory.filled(value, request.target).encode("latin-1")) for name, value in request.headers
        ]
        path, _, query = filled[0].partition("?")
        raw = (request.method, path.encode(), query.encode())
        body = filled[1].encode("latin-1")
        answer = self._portal.call(lambda: ask(self.app, *raw, headers=headers, body=body))
        self._memory.note(request, answer)
        return answer

    def request(
        self, method: str, url: str, *, content: bytes | str | None = None, headers: Mapping[str, str] | None = None
    ) -> Told:
        """Send a request and record it, for clients of tests."""
        body = content.encode() if isinstance(content, str) else content or b""
        given = tuple((name.lower(), value) for name, value in (headers or {}).items() if value != "*/*")
        request = Request(method, url.removeprefix(BASE).partition("#")[0] or "/", given, body.decode("latin-1"))
        self.sent.append(request)
        return Told(self.send(len(self.sent), request))

    def _do_job(self) -> int:
        """Do the oldest waiting job; return 200, 500 if it failed, or 404 without one."""
        state = self.app.state.chronotile
        desk, services = state.jobs, state.services
        job = desk.table.claim(OWNER, lease_s=60)
        if job is None:
            return 404
        try:
            do_claimed(job, desk, services, owner=OWNER)
        except ChronotileError as error:
            fault = JobFault(type="about:blank", title="Failed", detail=str(error), status=error.status)
            desk.table.fail(job.id, OWNER, fault)
            return 500
        return 200


@contextmanager
def site_of(name: str, place: Path | None, state: Path) -> Iterator[Site]:
    """Serve a place, or without one the catalogue that tests of broken requests use; caches and jobs lie in `state`."""
    state.mkdir()
    fixed.begin(name, 0)
    with start_blocking_portal() as portal:
        if place is None:
            with portal.wrap_async_context_manager(running(HERE / state, made_services())) as made:
                yield Site(name, made.app, portal)
            return
        folder = HERE / place.parent
        prefixes = {"cog_prefixes": str(folder), "source_prefixes": f"{folder},{place.parent.absolute()}"}
        app = opened(HERE / place, state, write_token=TOKEN, **prefixes, **OFF)
        with portal.wrap_async_context_manager(app.router.lifespan_context(app)):
            yield Site(name, app, portal)
