"""Permanent limits that a process sets for itself before it parses an untrusted file.

On Linux a filter (seccomp(2)) permits the few system calls of computing and of reading and writing open files. So no
library can open a path, start a process, send a signal or make a connection, whatever the file contains. The filter
needs no privileges and works in containers. On other systems only memory, time and the size of the answer are limited.
"""

import ctypes
import platform
import resource
import struct
import sys

NO_NEW_PRIVILEGES, SET_FILTER, ALL_THREADS = 38, 1, 1
"""Arguments of prctl(2) and seccomp(2)."""
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
"""Instructions of a filter: code, lines to skip if equal and if not, number."""
ALLOW, REFUSE = 0x7FFF0000, 0x00050001
"""Results of a filter: the call is made, or fails with EPERM."""
NUMBER_AT, MACHINE_AT, FLAGS_AT = 0, 4, 16 + 3 * 8
"""Offsets of the number of a call, of the machine and of the low half of the fourth argument."""
EMPTY_PATH = 0x1000
"""Flag of newfstatat(2); C libraries use it to implement `fstat` of an open file."""
PERMITTED = (
    *("read", "write", "close", "fstat", "lseek", "mmap", "mprotect", "munmap", "brk", "rt_sigaction"),
    *("rt_sigprocmask", "rt_sigreturn", "pread64", "sched_yield", "mremap", "madvise", "getpid", "exit"),
    *("gettimeofday", "gettid", "futex", "sched_getaffinity", "clock_gettime", "exit_group", "getrandom"),
)
X86_64 = (0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 17, 24, 25, 28, 39, 60, 96, 186, 202, 204, 228, 231, 318)
ARM64 = (
    *(63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 67),
    *(124, 216, 233, 172, 93, 169, 178, 98, 123, 113, 94, 278),
)
"""Numbers of the permitted calls (asm/unistd_64.h, asm-generic/unistd.h)."""
MACHINES = {"x86_64": (0xC000003E, 317, 262, X86_64), "aarch64": (0xC00000B7, 277, 79, ARM64)}
"""Number of the machine (AUDIT_ARCH), numbers of seccomp(2), newfstatat(2) and the permitted calls."""


def limit_resources(*, memory_bytes: int, cpu_s: int, output_bytes: int) -> None:
    """Limit this process; `memory_bytes` limits its data, without the code of libraries (setrlimit(2))."""
    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))  # sends SIGXCPU, a second later SIGKILL
    resource.setrlimit(resource.RLIMIT_FSIZE, (output_bytes, output_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def refuse_system_calls() -> bool:
    """Refuse all system calls except those of computing; return whether this kernel and machine support that."""
    if sys.platform != "linux" or platform.machine() not in MACHINES:
        return False
    machine, seccomp, newfstatat, permitted = MACHINES[platform.machine()]
    lines = [
        (LOAD, 0, 0, MACHINE_AT),
        (JUMP_IF_EQUAL, 1, 0, machine),
        (RETURN, 0, 0, REFUSE),
        (LOAD, 0, 0, NUMBER_AT),
        *(line for number in permitted for line in ((JUMP_IF_EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW))),
        (JUMP_IF_EQUAL, 0, 3, newfstatat),
        (LOAD, 0, 0, FLAGS_AT),
        (JUMP_IF_EQUAL, 0, 1, EMPTY_PATH),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    program = struct.pack("@HP", len(lines), ctypes.addressof(code))
    system = ctypes.CDLL(None, use_errno=True)
    system.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    return bool(system.syscall(seccomp, SET_FILTER, ALL_THREADS, program) == 0)
