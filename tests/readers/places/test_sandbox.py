"""Operations that a process can no longer do after it gave up system calls."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from chronotile.readers.places.sandbox import MACHINES, PERMITTED

ATTEMPTS = {
    "open": "open('/etc/passwd')",
    "open itself": "open('/proc/self/environ')",
    "list": "os.listdir('/')",
    "look": "os.stat('/etc/passwd')",
    "write": "os.open('/tmp/x', os.O_CREAT)",
    "remove": "os.unlink('/tmp/x')",
    "link": "os.symlink('/etc/passwd', '/tmp/x')",
    "fork": "os.fork()",
    "thread": "threading.Thread(target=print).start()",
    "execute": "os.execv('/bin/true', ['true'])",
    "connect": "socket.socket()",
    "signal": "os.kill(os.getppid(), 0)",
    "limits": "resource.setrlimit(resource.RLIMIT_CPU, (99, 99))",
    "memory file": "os.memfd_create('x')",
    "duplicate": "os.dup(0)",
    "pipe": "os.pipe()",
    "change folder": "os.chdir('/')",
}
PROGRAM = """
import os, resource, socket, threading
from chronotile.readers.places.sandbox import limit_resources, refuse_system_calls
limit_resources(memory_bytes=1 << 28, cpu_s=5, output_bytes=4096)
assert refuse_system_calls()
try:
    {attempt}
except (OSError, ValueError, RuntimeError) as error:
    print("refused")
else:
    print("done")
"""


def outcome(attempt):
    program = [sys.executable, "-c", PROGRAM.format(attempt=attempt)]
    return subprocess.run(program, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_system_call_that_is_not_of_computing_is_refused(name):
    assert outcome(ATTEMPTS[name]) == "refused"


@pytest.mark.slow
def test_memory_can_still_be_allocated():
    assert outcome("sum(range(10)), bytearray(1 << 24), os.fstat(0), os.getpid()") == "done"


HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}


@pytest.mark.parametrize("machine", HEADERS)
@pytest.mark.skipif(
    not all(path.exists() for path in HEADERS.values()), reason="needs headers of Linux (linux-libc-dev)"
)
def test_numbers_of_system_calls_are_those_of_the_headers(machine):
    defined = re.findall(r"#define\s+__NR(?:3264)?_(\w+)\s+(\d+)", HEADERS[machine].read_text())
    numbers = {name.replace("newfstatat", "fstatat"): int(number) for name, number in defined}

    _audit, seccomp, newfstatat, permitted = MACHINES[machine]

    assert permitted == tuple(numbers[name] for name in PERMITTED)
    assert (seccomp, newfstatat) == (numbers["seccomp"], numbers["fstatat"])
