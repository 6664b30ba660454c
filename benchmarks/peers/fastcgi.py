"""`python -m benchmarks.peers.fastcgi SOCKET COUNT PROGRAM`: processes of a FastCGI program at one listening socket."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

BACKLOG = 128


def main() -> None:
    """Run them until stopped."""
    place, count, program = sys.argv[1:]
    Path(place).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(place)
        listener.listen(BACKLOG)
        processes = [subprocess.Popen([program], stdin=listener.fileno()) for _ in range(int(count))]

        def stop(*_: object) -> None:
            for process in processes:
                process.kill()

        signal.signal(signal.SIGTERM, stop)
        for process in processes:
            process.wait()


if __name__ == "__main__":
    main()
