import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.load.exchange import Ask
from benchmarks.load.kept_alive import connected, timed

pytestmark = pytest.mark.slow


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(404 if self.path == "/nothing" else 200)
        self.send_header("Content-Length", "5")
        if self.path == "/last":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"bytes")

    def log_message(self, *args):
        pass


@pytest.fixture
def port():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_answers_come_over_one_connection(port):
    with connected(port) as connection:
        bodies = [connection.ask(Ask(path="/x")).body for _ in range(3)]

    assert bodies == [b"bytes"] * 3


def test_connection_closed_by_the_server_is_opened_again(port):
    with connected(port) as connection:
        bodies = [connection.ask(Ask(path="/last")).body for _ in range(3)]

    assert bodies == [b"bytes"] * 3


def test_unanswered_request_counts_as_failed(port):
    found = timed(port, [Ask(path="/x"), Ask(path="/nothing")])

    assert (len(found.milliseconds), found.failed) == (1, 1)
