"""`python -m benchmarks.answers record FILE`, then `compare BEFORE AFTER`: does a change of the code change answers?

It records the answers to 2,000 requests of every protocol over files that it makes: the valid requests of
`tests/protocols/fuzzing`, then requests with one to three faults each, the same for the same seed. Two recordings
must agree in status, headers and bytes. Exempt are ETags, `rev` values, ids of jobs, boundaries of parts, dates and
versions, and the wording of error documents: their status, code, parameter, `limit`, `allowed` and `asked` must
agree. Answers that differ in wording alone are counted.
"""

import argparse
import gzip
import hashlib
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import anyio
from lxml import etree

from benchmarks.fuzz import damage, file_services
from chronotile.archive.open import open_archive
from tests.protocols import served
from tests.protocols.fuzzing.breaking import requests
from tests.protocols.fuzzing.judging import Answer, is_exception
from tests.protocols.fuzzing.request import Request, parse
from tests.protocols.fuzzing.site import running
from tests.protocols.fuzzing.valid import VALID
from tests.protocols.fuzzing.valid_bodies import BODIES

COUNT, SEED, SHOWN = 2_000, 18, 40
FOLDER = Path(tempfile.gettempdir()) / "chronotile-answers"
"""The same for all recordings: addresses of files are in some answers."""
CHANGING = {"etag", "date", "last-modified", "server-timing", "age"}
"""Headers that may differ."""
VARYING = (
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "JOB"),
    (re.compile(r"([?&](?:amp;)?rev=)[0-9A-Za-z_-]+"), r"\1REV"),
    (re.compile(r'("(?:rev|revision)": ?")[^"]+'), r"\1REV"),
    (re.compile(r'updateSequence="\d+"'), "updateSequence"),
    (re.compile(r"202[6-9]-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)"), "NOW"),
    (re.compile(r'("(?:seconds|uptime_s|duration_s)": ?)[0-9.e-]+'), r"\1S"),
)
"""Parts of texts that may differ."""
IN_ERRORS = ("status", "code", "type", "parameter", "limit", "allowed", "asked")
UNSTABLE = {"metrics", "health"}
"""Protocols that describe the process, not the archive."""

WRITTEN_NS = 1_600_000_000_000_000_000
"""When all files were written, for the sequence of capabilities."""


def main() -> None:
    """Record, or compare; end with 1 if any answer differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    record = verbs.add_parser("record")
    record.add_argument("file", type=Path)
    record.add_argument("--count", type=int, default=COUNT, help=f"requests; default {COUNT}")
    record.add_argument("--seed", type=int, default=SEED, help=f"default {SEED}")
    compare = verbs.add_parser("compare")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    given = parser.parse_args()
    if given.verb == "record":
        logging.disable(logging.CRITICAL)
        warnings.simplefilter("ignore")
        anyio.run(_record, given.file, given.count, given.seed)
    else:
        sys.exit(_compare(given.before, given.after))


async def _record(file: Path, count: int, seed: int) -> None:
    FOLDER.mkdir()  # an error if another recording runs
    try:
        services = file_services(FOLDER)
        damage(FOLDER)
        for each in FOLDER.rglob("*"):
            os.utime(each, ns=(WRITTEN_NS, WRITTEN_NS))
        services = open_archive(FOLDER / "fuzz.yaml", environment={}, clock=lambda: served.NOW).services
        async with running(FOLDER, services) as site:
            with gzip.open(file, "wt", encoding="utf-8") as rows:
                for request in _requests(count, seed):
                    answer = await site.send(request)
                    rows.write(json.dumps(_row(request, answer, job=site.job)) + "\n")
                    if request.method == "DELETE" and answer.status == 200:
                        await site.do_job()
    finally:
        shutil.rmtree(FOLDER)


def _requests(count: int, seed: int) -> Iterator[Request]:
    valid = [parse(url) for url in (*VALID, *BODIES)]
    candidates = chain(valid, requests(count * 2, seed))
    for _ in range(count):
        request = next(candidates)
        while request.protocol in UNSTABLE:
            request = next(candidates)
        yield request


def _row(request: Request, answer: Answer, *, job: str) -> dict[str, Any]:
    content = answer.content
    try:
        text = _settled(content.decode().replace(job, "JOB"))
    except UnicodeDecodeError:
        text = hashlib.sha256(content).hexdigest()
    headers = {name: _settled(value.replace(job, "JOB")) for name, value in answer.headers.items()}
    kept = {name: value for name, value in headers.items() if name not in CHANGING}
    if text != content.decode("utf-8", "replace") or answer.headers.get("content-encoding") == "gzip":
        kept.pop("content-length", None)
    error = _error(answer)
    return {"request": str(request), "status": answer.status, "headers": kept, "error": error, "body": text}


def _settled(text: str) -> str:
    for pattern, instead in VARYING:
        text = pattern.sub(instead, text)
    return text


def _error(answer: Answer) -> list[Any] | None:
    """Comparable part of an error document, or `None` if the answer is not an error document."""
    if answer.media_type.endswith("json") and answer.status >= 400:
        document = json.loads(answer.content or b"{}")
        return [document.get(name) for name in IN_ERRORS]
    if answer.media_type.endswith("xml") and (answer.status >= 400 or is_exception(answer)):
        root = etree.fromstring(answer.content)
        return [dict(each.attrib) for each in root.iter() if isinstance(each.tag, str) and "Exception" in each.tag]
    return None


def _compare(before: Path, after: Path) -> int:
    kinds, shown = Counter[str](), 0
    with gzip.open(before, "rt", encoding="utf-8") as old, gzip.open(after, "rt", encoding="utf-8") as new:
        for was, now in zip(map(json.loads, old), map(json.loads, new), strict=True):
            kind, what = _difference(was, now)
            kinds[kind] += 1
            if kind != "same" and shown < SHOWN:
                shown += 1
                print(f"{kind}: {was['request'][:300]}\n    {what}")
    print(", ".join(f"{kind}: {count}" for kind, count in sorted(kinds.items())))
    return 1 if kinds["DIFFERENT"] else 0


def _difference(was: dict[str, Any], now: dict[str, Any]) -> tuple[str, str]:
    if was["request"] != now["request"]:
        return "DIFFERENT", f"requests: {now['request'][:300]}"
    names = [name for name in ("status", "error") if was[name] != now[name]]
    if was["error"] is not None and now["error"] is not None:
        for row in (was, now):
            row["headers"].pop("content-length", None)
    names += [
        f"header {name}"
        for name in sorted({*was["headers"], *now["headers"]})
        if was["headers"].get(name) != now["headers"].get(name)
    ]
    if was["body"] != now["body"]:
        if was["error"] is not None and not names:
            return "wording of an error", f"{was['body'][:300]}\n    {now['body'][:300]}"
        names.append("body")
    differences = "; ".join(f"{name}: {_at(was, name)} != {_at(now, name)}" for name in names)
    return ("DIFFERENT", differences) if names else ("same", "")


def _at(row: dict[str, Any], name: str) -> str:
    kind, _, header = name.partition(" ")
    return str(row["headers"].get(header) if kind == "header" else row[name])[:200]


if __name__ == "__main__":
    main()
