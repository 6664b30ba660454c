"""Recorded requests of an archive, from its documents, pages and tests, with variants."""

import json
import random
import re
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from starlette.routing import Match, Route

from tests.docs.blocks import in_language
from tests.docs.shell import SERVER
from tests.protocols.fuzzing.breaking import mutate
from tests.protocols.fuzzing.breaking import requests as broken_requests
from tests.protocols.fuzzing.request import parse
from tests.protocols.fuzzing.valid import VALID
from tests.protocols.fuzzing.valid_bodies import BODIES, INPUTS
from tests.replay.request import DO, ETAG, JOB, MODIFIED, Request, unlike
from tests.replay.site import HERE, TOKEN, Site
from tests.scenes_archive import documents
from tests.scenes_archive.plan import TINY
from tests.walk.walker import Extent, Walker

COG = "/proc/self/cwd/state/cog/a.tif"
"""The file of the tests of broken requests."""
LONGEST = 1_200
"""Characters of a request that is written whole."""
LARGE = (
    Request("POST", "/timeseries/NDVI/areas", (("content-type", "application/json"),), "{[*100000}"),
    Request("POST", "/stac/search", (("content-type", "application/json"),), "{[*6000}"),
    Request("POST", "/wms", (("content-type", "application/x-www-form-urlencoded"),), "{a*3000000}"),
    Request("GET", "/{a*9000}"),
    Request("GET", "/wms?{b*70000}"),
    Request("GET", "/tiles/{c*300}/WebMercatorQuad/0/0/0.png"),
    Request("GET", "/", (("x-a", "{d*70000}"),)),
)
PREFLIGHT = (("origin", "https://example.org"), ("access-control-request-method", "POST"))
PROXY = (("x-forwarded-host", "maps.example.org"), ("x-forwarded-proto", "https"), ("x-forwarded-prefix", "/p"))
VARIANTS: Sequence[Callable[[Request], Request]] = (
    lambda each: each.having(("if-none-match", ETAG)),
    lambda each: each.having(method="HEAD"),
    lambda each: each.having(("accept", "text/html;q=0.5, application/json;q=0.2, */*;q=0.1")),
    lambda each: each.having(("range", "bytes=0-9")),
    lambda each: each.having(*PREFLIGHT, method="OPTIONS"),
    lambda each: each.having(("if-modified-since", MODIFIED)),
    lambda each: each.having(("accept-encoding", "gzip, br;q=0.1")),
    lambda each: each.having(("accept", "application/xml, image/webp;q=0.9")),
    lambda each: each.having(("if-match", '"other"')),
    lambda each: each.having(("accept-language", "nl, fr;q=0.5")),
    lambda each: replace(each, target=each.target + ("&" if "?" in each.target else "?") + "bogus=1"),
    lambda each: each.having(("if-range", ETAG), ("range", "bytes=-5")),
    lambda each: each.having(method="POST"),
    lambda each: each.having(("accept", "text/turtle")),
    lambda each: each.having(("origin", "https://example.org"), ("x-request-id", "abc-1")),
    lambda each: each.having(*PROXY),
    lambda each: each.having(("if-none-match", f'"other", W/{ETAG}')),
    lambda each: each.having(method="OPTIONS"),
    lambda each: each.having(("range", "bytes=5-2, 0-1")),
    lambda each: each.having(("accept", "*/*;q=0")),
    lambda each: each.having(method="DELETE"),
    lambda each: each.having(("if-none-match", "*")),
    lambda each: each.having(("if-range", '"other"'), ("range", "bytes=5-")),
)
EACH = 4
"""Variants of a request."""
JSON = ("content-type", "application/json")
ASYNC = ("prefer", "respond-async")
SHOWN = ("authorization", f"Bearer {TOKEN}")


class _NoJudge:
    """Finds no errors: a recording documents answers, right or wrong."""

    def syntax(self, *_of: object) -> tuple[str, ...]:
        return ()

    schema = syntax


def requests_of(name: str, site: Site) -> list[Request]:
    """Return the requests of an archive, whose application answers while they are collected."""
    chance = random.Random(name)
    if name == "catalogue":
        valid = [Request.of(parse(url)) for url in (*VALID, *BODIES)]
        valid = [replace(each, target=each.target.replace("a-job", JOB).replace("a-cog", COG)) for each in valid]
        asked = [*_jobs_of(_executions()), *valid, *LARGE]
        return unlike([*asked, *_short(map(Request.of, broken_requests(2_000, 7)))[:900]])
    if name in {"demo", "scenes"}:
        told = _sample(_walked(site, Extent.WORDS), 450, site, chance)
        shown = _of_pages(site) if name == "demo" else []
        jobs = _jobs_of([each for each in told if each.target.endswith("/execution")])
        variants = _sample([*_variants(site, told)], 450, site, chance)
        written = _written() if name == "scenes" else ()
        return unlike([*told, *shown, *jobs, *variants, *_mutants(told, 250, chance), *written])
    told = _walked(site, Extent.ROUTES)
    kept = sorted(chance.sample(range(len(told)), 50))
    return unlike([*(told[number] for number in kept), *_mutants(told, 15, chance)])


def _walked(site: Site, extent: Extent) -> list[Request]:
    first = len(site.sent)
    Walker(site, _NoJudge(), extent=extent).walk()
    return _short(site.sent[first:])


def _of_pages(site: Site) -> list[Request]:
    """Requests that the documentation shows."""
    first = len(site.sent)
    for block in in_language("http"):
        for line in filter(None, block.text.splitlines()):
            site.request(*line.split(" ", 1))
    for block in in_language("sh", but=("docs/tutorials/", "docs/how-to/")):
        lines = [line for line in block.text.replace("\\\n", " ").splitlines() if line.startswith("curl")]
        for line in lines:
            if "@" not in line and "http://127.0.0.1:8000" in line and " -o" not in line:
                _send_curl(site, shlex.split(line, comments=True)[1:])
    return _short(site.sent[first:])


def _send_curl(site: Site, words: list[str]) -> None:
    """Send the request of a command line of curl, given without `curl`."""
    url, data, headers = "", None, {}
    rest = iter(words)
    for word in rest:
        match word:
            case "-d":
                data = next(rest)
            case "-H":
                name, _, value = next(rest).partition(":")
                headers[name] = value.strip()
            case _ if not word.startswith("-"):
                url = word
    site.request("GET" if data is None else "POST", url.removeprefix(SERVER), content=data, headers=headers)


def _short(requests: Any) -> list[Request]:
    """Return the requests that are written in full; long ones are in `LARGE`."""
    return [each for each in requests if len(str(each)) <= LONGEST]


def _executions() -> list[Request]:
    return [
        Request("POST", f"/ogcapi/processes/{process}/execution", (JSON,), _text({"inputs": inputs}))
        for process, inputs in INPUTS.items()
    ]


def _jobs_of(executions: Sequence[Request]) -> Iterator[Request]:
    """Yield each execution as a job: accepted, polled, done, read, and some dismissed."""
    for number, each in enumerate(executions):
        job = f"/ogcapi/jobs/{JOB}"
        yield each.having(ASYNC)
        if number % 3 == 0:
            yield Request("GET", job)
            yield Request("GET", f"{job}/results")
        yield Request(DO, "")
        for path in (job, f"{job}?f=html", f"{job}/results", f"{job}/results?f=html"):
            yield Request("GET", path)
        if number % 4 == 0:
            yield Request("DELETE", job)
            yield Request("GET", job)
    yield Request("GET", "/ogcapi/jobs")
    yield Request("GET", "/ogcapi/jobs?f=html&limit=3")


def _form(request: Request, site: Site) -> tuple[str, ...]:
    """Return the route of a request and its form."""
    path = unquote(request.target.partition("?")[0])
    scope = {"type": "http", "app": site.app, "path": path, "method": request.method}
    routes = (each for each in site.app.routes if isinstance(each, Route))
    route = next((each.path for each in routes if each.matches(scope)[0] is Match.FULL), path.partition("/")[0])
    return (request.method, route, *re.findall(r"request=\w+|f=\w+", request.target, re.IGNORECASE))


def _sample(requests: Sequence[Request], count: int, site: Site, chance: random.Random) -> list[Request]:
    """Requests in their order: the first of each form, and others up to a count."""
    first: dict[object, int] = {}
    for number, each in enumerate(requests):
        first.setdefault(_form(each, site), number)
    others = sorted(set(range(len(requests))) - set(first.values()))
    more = chance.sample(others, min(len(others), max(0, count - len(first))))
    return [requests[number] for number in sorted([*first.values(), *more])]


def _variants(site: Site, told: Sequence[Request]) -> Iterator[Request]:
    """Yield variants of one request per form, alternately: conditional, ranged, other methods, odd headers."""
    seen, turn = set[tuple[str, ...]](), 0
    for request in told:
        form = _form(request, site)
        if request.method != "GET" or form in seen:
            continue
        seen.add(form)
        bare = Request("GET", request.target)
        yield bare
        yield from (VARIANTS[(turn + number) % len(VARIANTS)](bare) for number in range(EACH))
        turn += EACH


def _mutants(told: Sequence[Request], count: int, chance: random.Random) -> list[Request]:
    """Requests of the walk with one or two things broken."""
    found = []
    while len(found) < count:
        request = chance.choice(told)
        broken = parse(request.target)
        if request.body:
            broken = replace(broken, method="POST", headers=(("content-type", b"application/json"),))
            broken = replace(broken, body=request.body.encode("latin-1"))
        for _ in range(chance.randint(1, 2)):
            broken = mutate(broken, chance)
        found += _short([Request.of(broken)])
    return found


def _written() -> Iterator[Request]:
    """Items that a program adds, replaces and removes."""
    place, items, layer = "/stac/collections/cut", "/stac/collections/cut/items", "/layers/B04/items"
    first, second = TINY.scenes(0)[:2]
    new = documents.item(first, lambda path: str(HERE / "scenes" / path)) | {"id": "new"}
    changed = {**new, "properties": {**new["properties"], "eo:cloud_cover": 12}}
    both = {"type": "FeatureCollection", "features": [{**new, "id": "a/b"}, {**new, "id": "newer"}]}
    for path in (items, layer):
        yield Request("POST", path, (JSON,), _text(new))
        yield Request("POST", path, (JSON, ("authorization", "Bearer other")), _text(new))
        for document in (new, new, {"type": "Feature"}, both, changed, {**new, "id": ""}):
            yield Request("POST", path, (JSON, SHOWN), _text(document))
        yield Request("GET", f"{items}/new")
    at = f"{items}/new"
    yield Request("PUT", at, (JSON, SHOWN), _text(changed))
    yield Request("PUT", at, (JSON, SHOWN, ("if-match", '"other"')), _text(changed))
    yield Request("PUT", f"{items}/absent", (JSON, SHOWN), _text(changed))
    yield Request("PATCH", at, (JSON, SHOWN), '{"properties": {"eo:cloud_cover": 30}}')
    yield Request("PATCH", at, (JSON, SHOWN), '{"id": "other"}')
    for path in (
        *(at, "/stac/changes", f"{place}/feed.atom", "/odata/v1/DeletedProducts"),
        "/tiles/B04/WebMercatorQuad/0/0/0.png",
    ):
        yield Request("GET", path)
    for path in (at, at, f"{layer}/newer", f"{items}/{second.id}"):
        yield Request("DELETE", path)
        yield Request("DELETE", path, (SHOWN,))
    for path in (
        *("/stac/changes", "/stac/search?limit=3", f"{place}/feed.atom", "/layers/B04/times"),
        "/odata/v1/DeletedProducts",
    ):
        yield Request("GET", path)


def _text(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"))
