"""The cluster that a worker starts: no client without its certificate can connect, and its files are private."""

import os
import socket
import ssl
import stat
from functools import partial
from pathlib import Path

import pytest

from chronotile.jobs.queue.database import JOBS_FILE
from chronotile.jobs.runner.cluster import Cluster
from chronotile.jobs.runner.connection import connect
from tests.running import PATIENCE_S, listening_addresses, until

distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

CONNECT_S = 2.0
"""How long a client that is refused tries again."""
REFUSED = r"Timed out trying to connect|in <T(CP|LS)"


def without_certificate():
    """Return the TLS context of a client that trusts any server and has no certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def answer_without_certificate(address):
    """Return the bytes that a server sends to a client without a certificate, once it has shown its own."""
    with (
        socket.create_connection(address, timeout=PATIENCE_S) as connection,
        without_certificate().wrap_socket(connection) as encrypted,
    ):
        assert encrypted.getpeercert(binary_form=True)
        try:
            encrypted.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return encrypted.recv(1)
        except (ssl.SSLError, ConnectionError):
            return b""


@pytest.fixture(scope="module")
def started():
    """Run a cluster with one process; return it with its new listening addresses."""
    before = listening_addresses(os.getpid())
    with Cluster(partial(connect, None, processes=1, memory_bytes=1 << 30)) as cluster:
        cluster._connection.client.wait_for_workers(1, timeout=PATIENCE_S)
        yield cluster, listening_addresses(os.getpid()) - before


@pytest.fixture
def private(started):
    return started[0]


def test_every_listening_socket_requires_a_certificate(started):
    _cluster, opened = started

    assert len(opened) == 3  # the scheduler, the worker, and the nanny, which starts it again
    assert {address.ip for address in opened} == {"127.0.0.1"}
    assert [answer_without_certificate(tuple(address)) for address in opened] == [b""] * 3


def test_a_client_without_the_certificate_cannot_connect(private):
    address = private._connection.processes.scheduler_address
    assert address.startswith("tls://")

    other = distributed.Security.temporary()
    other.tls_ca_file = private._connection.client.security.tls_ca_file  # as every server shows it

    with pytest.raises(OSError, match=REFUSED):
        distributed.Client(address, security=other, timeout=CONNECT_S, set_as_default=False)
    with pytest.raises(OSError, match=REFUSED):
        distributed.Client(address.replace("tls://", "tcp://"), timeout=CONNECT_S, set_as_default=False)

    assert private._connection.client.submit(abs, -1).result(timeout=PATIENCE_S) == 1


def test_the_certificate_is_another_in_each_run(private):
    with Cluster(partial(connect, None, processes=0, memory_bytes=1 << 30)) as other:
        certificates = {each._connection.client.security.tls_client_cert for each in (private, other)}

    assert len(certificates) == 2


def modes(folder):
    """Return the modes of a folder and its content: of folders, and of files."""
    paths = [folder, *folder.rglob("*")]
    return tuple(
        {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_dir() == is_folder}
        for is_folder in (True, False)
    )


def test_workers_keep_their_files_from_others(private):
    def made():
        folder = distributed.get_worker().local_directory
        (Path(folder) / "spilled").mkdir()
        (Path(folder) / "spilled" / "values").write_bytes(b"1")
        return folder

    folder = Path(private._connection.client.submit(made, pure=False).result(timeout=PATIENCE_S))

    assert modes(folder / "spilled") == ({0o700}, {0o600})
    assert stat.S_IMODE(folder.parent.parent.stat().st_mode) == 0o700


@pytest.fixture
def open_to_all():
    """A umask that removes no permissions of others."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_files_of_jobs_are_private(open_to_all, submit, running, ended, table, gates, tmp_path):
    id_ = submit(open=4)
    jobs = tmp_path / "jobs"

    with running():
        until(lambda: len(table.finished_tasks(id_)) == 4)
        under_way = modes(jobs)
        (gates / "open").touch()
        assert ended(id_).status == "successful"

    assert under_way == ({0o700}, {0o600})
    assert modes(jobs) == ({0o700}, {0o600})
    assert (jobs / JOBS_FILE).exists()
