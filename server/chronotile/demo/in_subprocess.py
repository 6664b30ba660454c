"""The demo archive made in a separate process, which returns its memory when it ends."""

import multiprocessing
import signal
import threading
from multiprocessing.connection import Connection
from pathlib import Path

from chronotile.core.errors import ChronotileError, ConfigurationError, InvalidParameter, raised_instead
from chronotile.demo.archive import FIRST_STEP, DemoProgress, demo_at, make_demo
from chronotile.demo.plan import DemoPlan

PATIENCE_S = 10
"""Time that the process has to remove temporary files."""

_DemoMessage = tuple[str, str, float]
"""Kind (`progress`, `refused`, `not built`, `made`), text, and finished fraction."""


def make_demo_in_subprocess(folder: Path, *, progress: DemoProgress, plan: DemoPlan | None = None) -> Path:
    """Make the demo archive like `make_demo`, but the memory of the calling server stays 120 MB smaller.

    Raises:
        ConfigurationError: The landscape is not built.
        InvalidParameter: The folder has other files under names of the archive.
        ChronotileError: The process ended early.
    """
    archive = demo_at(folder, plan=plan)
    if archive is not None:
        return archive
    progress(FIRST_STEP, 0.0)  # now, because a busy machine takes seconds to start the process
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_make, args=(folder, plan, sender), name="chronotile-demo")
    process.start()
    sender.close()
    try:
        return _follow(receiver, progress)
    finally:
        process.terminate()
        process.join(PATIENCE_S)
        process.kill()


def _follow(receiver: "Connection[None, _DemoMessage]", progress: DemoProgress) -> Path:
    while True:
        with raised_instead(EOFError, ChronotileError("the demo archive could not be made; see the messages above")):
            kind, text, share = receiver.recv()
        if kind == "made":
            return Path(text)
        if kind == "refused":
            raise InvalidParameter(text, locator="dir")
        if kind == "not built":
            raise ConfigurationError([text])
        progress(text, share)


def _make(folder: Path, plan: DemoPlan | None, sender: "Connection[_DemoMessage, None]") -> None:
    """Run the subprocess; a stop removes unfinished files."""
    is_stopped = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both processes; the parent stops this one
    signal.signal(signal.SIGTERM, lambda _number, _frame: is_stopped.set())

    def report(what: str, share: float) -> None:
        if is_stopped.is_set():
            raise SystemExit(0)
        sender.send(("progress", what, share))

    try:
        archive = make_demo(folder, progress=report, plan=plan)
    except InvalidParameter as error:
        sender.send(("refused", error.message, 0.0))
    except ConfigurationError as error:
        sender.send(("not built", error.message, 0.0))
    else:
        sender.send(("made", str(archive), 1.0))
