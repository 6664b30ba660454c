"""`chronotile publish --viewer`: writes the viewer of a collection as files with answers of this application."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import anyio

from chronotile.cli.index import counting
from chronotile.cli.opening import print_lines
from chronotile.core.errors import ChronotileError, UnsupportedSource

if TYPE_CHECKING:
    from chronotile.archive.open import Archive
    from chronotile.archive.publish.viewer_files import ViewerAnswer, ViewerOptions


def publish_viewer(archive: "Archive", collection: str, to: str, options: "ViewerOptions") -> None:
    """Write the viewer of a collection to a folder or bucket; print its size first, and a report at the end.

    Raises:
        ChronotileError: It cannot be published, or the target cannot be written.
    """
    from chronotile.app.application import ServerOptions, application
    from chronotile.archive.publish.bucket import BucketTarget
    from chronotile.archive.publish.target import FolderTarget
    from chronotile.archive.publish.viewer_files import ViewerPublication
    from chronotile.http.shipped_files import ViewerFolder, find_viewer

    viewer = ViewerFolder(find_viewer())
    if viewer.path is None or not viewer.is_complete:
        raise UnsupportedSource("the viewer is not built: run make viewer")
    app = application(archive.services, ServerOptions(viewer=viewer.path))
    target = BucketTarget(to) if "://" in to else FolderTarget(Path(to).expanduser())
    client = _ApplicationClient(app)
    publication = ViewerPublication(collection, client, target, viewer=viewer.path, options=options)

    failures = list[ChronotileError]()

    async def run() -> None:
        async with app.router.lifespan_context(app) as state:
            client.state = dict(state or {})
            with counting(f"publishing the viewer of {collection}", "cubes") as progress:
                try:
                    await publication.write(lambda line: print_lines([line]), progress)
                except ChronotileError as error:  # task groups would wrap it in an exception group
                    failures.append(error)

    with target.alone():
        anyio.run(run)
    if failures:
        raise failures[0]
    done = f"{publication.files} files ({publication.bytes} bytes) written to {to}, {publication.kept} were there"
    print_lines([*(f"left out: {line}" for line in publication.left_out), f"{collection}: {done}"])


class _ApplicationClient:
    """Requests answers of an application in this process, without credentials, as published files are public."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app
        self.state: dict[str, Any] = {}

    async def __call__(self, path: str, query: Mapping[str, str]) -> "ViewerAnswer":
        from chronotile.archive.publish.viewer_files import ViewerAnswer

        status, headers, parts = 0, dict[str, str](), list[bytes]()
        over = anyio.Event()

        async def receive() -> dict[str, Any]:
            # A disconnect would stop the answer, so it is reported only after the answer.
            if not parts and status == 0 and not is_sent.is_set():
                is_sent.set()
                return {"type": "http.request", "body": b"", "more_body": False}
            await over.wait()
            return {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
            else:
                parts.append(message.get("body", b""))

        is_sent = anyio.Event()
        packed = path.endswith(".ctc")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": f"/{path}",
            "raw_path": f"/{path}".encode(),
            "root_path": "",
            "query_string": urlencode(query, safe="/:").encode(),
            "headers": [(b"host", b"localhost"), *([(b"accept-encoding", b"gzip")] if packed else [])],
            "client": ("127.0.0.1", 0),
            "server": ("localhost", 80),
            "state": dict(self.state),
        }
        await self._app(scope, receive, send)
        over.set()
        return ViewerAnswer(status, headers, b"".join(parts))
