"""Requests over a real socket."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Iterator, List

import pytest

from conftest import SECRET
from consilium import transport
from consilium.errors import NodeFailed, Unreachable
from consilium.transport import HttpsTransport, Request


class Answers(BaseHTTPRequestHandler):
    seen: List["tuple[str, Any]"] = []

    def do_GET(self) -> None:
        Answers.seen.append((self.path, self.headers.get("Authorization")))
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/taken")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/cut":
            self.send_response(200)
            self.send_header("Content-Length", "100")
            self.end_headers()
            self.wfile.write(b"short")
        elif self.path == "/nothing":
            self.close_connection = True
        else:
            body = b'{"a": 1}'
            self.send_response(409 if self.path == "/conflict" else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture()
def server() -> Iterator[str]:
    Answers.seen = []
    server = HTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.01), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def get(path: str, method: str = "GET") -> Request:
    return Request(method, path, {"Authorization": f"Bearer {SECRET}"}, None, timeout=10)


def test_answers_come_with_their_status(server: str) -> None:
    here = HttpsTransport(server)
    assert here.send(get("/")).status == 200
    refused = here.send(get("/conflict", "POST"))
    assert (refused.status, refused.body) == (409, b'{"a": 1}')


def test_a_token_does_not_follow_a_redirection(server: str) -> None:
    assert HttpsTransport(server).send(get("/moved")).status == 302
    assert [path for path, _ in Answers.seen] == ["/moved"]


@pytest.mark.parametrize("path", ["/cut", "/nothing"])
def test_an_answer_that_breaks_off_is_none(server: str, path: str) -> None:
    with pytest.raises(Unreachable) as raised:
        HttpsTransport(server).send(get(path))
    assert raised.value.may_have_happened and SECRET not in repr(raised.value)
    assert raised.value.__cause__ is None


def test_an_answer_without_end_is_not_read(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "MOST_BYTES", 4)
    with pytest.raises(NodeFailed, match="longer than 4 bytes"):
        HttpsTransport(server).send(get("/"))


def test_nobody_there_is_known_not_to_have_taken_anything(server: str) -> None:
    free = HTTPServer(("127.0.0.1", 0), Answers)
    port = free.server_port
    free.server_close()
    with pytest.raises(Unreachable) as raised:
        HttpsTransport(f"http://127.0.0.1:{port}").send(get("/"))
    assert not raised.value.may_have_happened
