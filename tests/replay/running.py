"""Makes the archives and sends requests to their applications."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.protocols.fuzzing.judging import Answer
from tests.replay import commands, fixed
from tests.replay.archives import ARCHIVES, make
from tests.replay.request import Request
from tests.replay.site import Site, site_of
from tests.replay.suites import requests_of

Take = Callable[[str, int, Request, Answer], None]
"""Called with each answer: archive, number, request, answer."""
STATE = Path("state")


@contextmanager
def new_folder() -> Iterator[Path]:
    """Make a folder that is removed by the process that made it, not by a forked one that ends."""
    folder = Path(tempfile.mkdtemp(prefix="chronotile-replay-")).resolve()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def work_folder() -> Iterator[Path]:
    """Make a new folder the current one in the block, with the files of the user's programs inside."""
    before, variables = Path.cwd(), dict(os.environ)
    with new_folder() as folder:
        os.chdir(folder)
        for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
            os.environ[name] = str(folder / name.lower())
        os.environ[fixed.ROOT] = str(folder)
        try:
            yield folder
        finally:
            os.chdir(before)
            os.environ.clear()
            os.environ |= variables


@contextmanager
def _site(name: str, place: Path | None) -> Iterator[Site]:
    try:
        with site_of(name, place, STATE) as site:
            yield site
    finally:
        shutil.rmtree(STATE, ignore_errors=True)


def ask(asked: Mapping[str, Sequence[Request] | None], take: Take) -> None:
    """Send its requests to each archive, in the current folder; `None` stands for the recorded ones."""
    if commands.NAME in asked:  # first: processes are forked
        requests = asked[commands.NAME] or commands.requests()
        for number, (request, answer) in enumerate(zip(requests, commands.run_all(requests), strict=True), start=1):
            take(commands.NAME, number, request, answer)
    for name in (each for each in ARCHIVES if each in asked):
        place, requests = make(name), asked[name]
        if requests is None:
            with _site(name, place) as site:
                requests = requests_of(name, site)
        with _site(name, place) as site:
            for number, request in enumerate(requests, start=1):
                take(name, number, request, site.send(number, request))
