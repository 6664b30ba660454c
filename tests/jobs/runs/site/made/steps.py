"""A process of tests: blocks that wait to be let through, and do what they are told."""

import errno
import os
import signal
import time
from pathlib import Path

from chronotile.errors import ClientGone, SourceUnavailable
from chronotile.jobs.job import Result
from chronotile.jobs.process import Input, Output, Plan, Process

STEP_S = 0.02


def _plan(inputs, _services):
    return Plan(blocks=[{"number": number} for number in range(inputs["count"])], seconds=0)


def _run(inputs, block, work):
    number, gates = block["number"], Path(inputs["gates"])
    _note(gates, f"began {number} {os.getpid()}")
    while number >= inputs["open"] and not (gates / "open").exists():
        if not work.is_wanted():
            _note(gates, f"left {number}")
            raise ClientGone("nobody waits any more")
        time.sleep(STEP_S)
    if number == inputs.get("at"):
        _act(inputs["act"], gates)
    (work.folder / str(number)).write_text("a piece")
    return {"square": number * number}


def _act(act, gates):
    match act:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die once" if not (gates / "died").exists():
            (gates / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        case "fill":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        case "lose":
            raise SourceUnavailable("the store is out of reach")
        case "break":
            raise ZeroDivisionError("secret of the house")


def _note(gates, text):
    descriptor = os.open(gates / "notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, f"{text}\n".encode())
    finally:
        os.close(descriptor)


def _finish(_inputs, done, work):
    pieces = [path.name for path in work.folder.iterdir()]
    (work.results / "pieces.txt").write_text(" ".join(sorted(pieces, key=int)))
    return {
        "sum": Result(value=sum(each["square"] for each in done)),
        "pieces": Result(file="pieces.txt", media_type="text/plain"),
    }


def _input(schema, *, is_required=True):
    return Input(title="", description="", schema=schema, is_required=is_required)


process = Process(
    id="steps",
    title="Steps",
    description="Adds up squares.",
    inputs={
        "count": _input({"type": "integer"}),
        "gates": _input({"type": "string"}),
        "open": _input({"type": "integer"}),
        "at": _input({"type": "integer"}, is_required=False),
        "act": _input({"type": "string"}, is_required=False),
    },
    outputs={name: Output(title="", description="", schema={}) for name in ("sum", "pieces")},
    plan=_plan,
    run=_run,
    finish=_finish,
)
