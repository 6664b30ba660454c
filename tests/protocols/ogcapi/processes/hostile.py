"""Send bodies that need much memory to a server in a separate process; print a line of JSON for each."""

import json
import os
import resource
from collections.abc import Callable, Mapping

from starlette.testclient import TestClient

from chronotile.app.application import application
from tests.protocols import served

MOST_BYTES = 32 << 20
"""Default limit of the size of a body."""


def filled(before: bytes, member: bytes, after: bytes) -> bytes:
    """Return a body with as many members as its size allows."""
    return before + member * ((MOST_BYTES - len(before) - len(after)) // len(member)) + after


def of_names(before: bytes, count: int, after: bytes) -> bytes:
    """Return `count` members with distinct names."""
    return before + b",".join(b'"name%d":1' % number for number in range(count)) + after


BODIES: Mapping[str, tuple[str, Callable[[], bytes]]] = {
    "arrays": ("time-series", lambda: filled(b'{"inputs":{"layers":"NDVI","points":[', b"[],", b"[]]}}")),
    "as many arrays as are read": (
        "time-series",
        lambda: b'{"inputs":{"layers":"NDVI","points":[' + b"[]," * 1_300_000 + b"[]]}}",
    ),
    "depth": ("echo", lambda: b'{"inputs":{"object":' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}}"),
    "depth past all": ("echo", lambda: filled(b'{"inputs":{"object":', b"[", b"")),
    "a long text": ("echo", lambda: filled(b'{"inputs":{"string":"', b"a", b'"}}')),
    "texts": ("echo", lambda: filled(b'{"inputs":{"array":[', b'"a",', b'"a"]}}')),
    "unknown inputs": ("echo", lambda: of_names(b'{"inputs":{', 900_000, b"}}")),
    "unknown members of an input": ("export", lambda: of_names(b'{"inputs":{"layer":"NDVI","bbox":{', 900_000, b"}}}")),
    "unknown members of a body": ("echo", lambda: of_names(b'{"outputs":[],', 900_000, b"}")),
}
"""Process and body of each case."""


def peak_bytes() -> int:
    """Return the peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def told_of(name: str) -> str:
    """Return the answer of a new server to a body, as JSON."""
    process, made = BODIES[name]
    with TestClient(application(served.make_services()), raise_server_exceptions=False) as client:
        answer = client.post(f"/ogcapi/processes/{process}/execution", content=made())
    told = {"status": answer.status_code, "answer": answer.text[:2000], "bytes": len(answer.content)}
    return json.dumps({"name": name, "peak_bytes": peak_bytes(), **told})


if __name__ == "__main__":
    for each in BODIES:
        if os.fork() == 0:  # memory of one case must not count for the next
            os.write(1, told_of(each).encode() + b"\n")
            os._exit(0)
        os.wait()
