"""A process of tests: tasks that wait at a gate, and follow their inputs."""

import errno
import os
import signal
import time
from pathlib import Path
from queue import Empty

from chronotile.core.errors import ClientGone, SourceUnavailable
from chronotile.core.model.job import Result
from chronotile.jobs.processes.process import Input, JobPlan, Output, Process

STEP_S = 0.02


def _plan(inputs, _services):
    word = Path(inputs["gates"]) / "word"
    shared = {"word": word.read_text() if word.exists() else "none"}
    return JobPlan(
        tasks=[{"number": number} for number in range(inputs["count"])], seconds=0, held_bytes=0, shared=shared
    )


def _run(inputs, task, work):
    number, gates, job = task["number"], Path(inputs["gates"]), work.results.parent.name
    who = f"{number} {os.getpid()} {job}"
    _note(gates, f"began {who}")
    _note(gates, f"told {number} {work.shared['word']}")
    time.sleep(inputs.get("pause_s", 0))
    opened = gates / "open", gates / f"{job}-{number}"
    while number >= inputs["open"] and not any(gate.exists() for gate in opened):
        if not work.is_active():
            _note(gates, f"left {who}")
            raise ClientGone("no client is waiting any more")
        time.sleep(STEP_S)
    if inputs.get("at") in [number, "all"]:
        _act(inputs["act"], gates)
    (work.folder / str(number)).write_text("a partial result")
    return {"square": number * number}


def _act(act, gates):
    match act:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "die once" if not (gates / "died").exists():
            (gates / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        case "die again":
            if (gates / "done").exists():
                os.kill(os.getpid(), signal.SIGKILL)
            (gates / "done").touch()
        case "fill":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        case "lose" if not (gates / "back").exists():
            raise SourceUnavailable("the store is out of reach")
        case "break":
            raise ZeroDivisionError("secret of the house")
        case "break empty":
            raise Empty("secret of the house")


def _note(gates, text):
    descriptor = os.open(gates / "notes", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(descriptor, f"{text}\n".encode())
    finally:
        os.close(descriptor)


def _finish(_inputs, done, work):
    pieces = [path.name for path in work.folder.iterdir()]
    if len(pieces) < len(done):
        raise ClientGone("no client is waiting any more")
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
        "at": _input({}, is_required=False),
        "act": _input({"type": "string"}, is_required=False),
        "pause_s": _input({"type": "number"}, is_required=False),
    },
    outputs={name: Output(title="", description="", schema={}) for name in ("sum", "pieces")},
    plan=_plan,
    run=_run,
    finish=_finish,
)
