"""People are told by webhook, mail and command; whoever cannot be told fails no night."""

from __future__ import annotations

import json
import logging
import socketserver
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.nightly.journal import Delivery, Night, Verdict
from pipeline.nightly.notify import message, notify
from pipeline.nightly.options import Command, Email, Webhook

SECRET = "T0P-SECRET"
HOOK = Webhook(kind="webhook", url_from="HOOK_URL")
NIGHT = Night(
    "2026-03-02",
    "2026-03-02T02:30:00+00:00",
    "0" * 40,
    deliveries=[
        Delivery("shapes", "a", "inbox", "", "a", "taken", noted="one sound is very long"),
        Delivery("shapes", "b", "inbox", "", "b", "held", why="it has no sound"),
    ],
    verdict=Verdict("held", "evidence", "Held: it may be luck."),
    left={"shapes/c": "there is no _SUCCESS yet"},
)


class Hooks(HTTPServer):
    """A webhook that answers with these codes, one after the other."""

    codes: list[int]
    bodies: list[Any]


class _Handler(BaseHTTPRequestHandler):
    server: Hooks

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append((self.path, json.loads(body)))
        self.send_response(self.server.codes.pop(0))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """It says nothing."""


@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    with Hooks(("127.0.0.1", 0), _Handler) as server:
        server.codes, server.bodies = [200], []
        monkeypatch.setenv("HOOK_URL", f"http://127.0.0.1:{server.server_port}/{SECRET}")
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


def test_a_message_says_all_that_a_sleepy_person_needs() -> None:
    subject, text = message(NIGHT, "shapes")
    assert subject == "shapes: night 2026-03-02 held"
    assert text.splitlines() == [
        "Held: it may be luck.",
        "- shapes/a: taken: one sound is very long",
        "- shapes/b: held: it has no sound",
        "- shapes/c waits: there is no _SUCCESS yet",
        "`pipeline nightly held` shows what is held.",
    ]


def test_a_webhook_gets_the_text_as_slack_takes_it(hooks: Hooks) -> None:
    assert notify([HOOK], "subject", "text") == []
    assert hooks.bodies == [(f"/{SECRET}", {"text": "*subject*\ntext"})]


def test_a_webhook_is_tried_again_and_then_left(
    hooks: Hooks, caplog: pytest.LogCaptureFixture
) -> None:
    hooks.codes = [500, 200]
    waited: list[float] = []
    assert notify([HOOK], "s", "t", waited.append) == []
    assert (len(hooks.bodies), waited) == (2, [2.0])
    hooks.codes = [500, 404, 503]
    with caplog.at_level(logging.DEBUG):
        failed = notify([HOOK], "s", "t", waited.append)
    assert failed == ["notify.0 (webhook): HTTP 503"]
    assert waited == [2.0, 2.0, 4.0]
    assert SECRET not in caplog.text
    assert "HTTP 503" in caplog.text


def test_a_webhook_that_hangs_costs_a_night_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.nightly.notify.TIMEOUT_S", 0.05)
    with socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as silent:
        monkeypatch.setenv("HOOK_URL", f"http://127.0.0.1:{silent.server_address[1]}/{SECRET}")
        failed = notify([HOOK], "s", "t", lambda seconds: None)
    assert len(failed) == 1
    assert SECRET not in failed[0]


def test_a_secret_that_is_not_set_is_said_and_the_others_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK_URL", raising=False)
    told = tmp_path / "told"
    code = "import sys; open(sys.argv[1], 'w').write(sys.stdin.read())"
    command = Command(kind="command", run=(sys.executable, "-c", code, str(told)))
    assert notify([HOOK, command], "s", "t") == [
        "notify.0 (webhook): the environment variable HOOK_URL is not set"
    ]
    assert told.read_text() == "s\nt\n"
    failing = Command(kind="command", run=("false",))
    assert notify([failing], "s", "t", lambda seconds: None) == [
        "notify.0 (command): it ended with 1"
    ]


class _Smtp(socketserver.StreamRequestHandler):
    """As much of SMTP as a message takes."""

    def handle(self) -> None:
        self._say("220 here")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "DATA":
                self._say("354 go on")
                lines = []
                while (part := self.rfile.readline().decode().rstrip()) != ".":
                    lines.append(part)
                self.server.mails.append(lines)  # type: ignore[attr-defined]
            self._say("221 bye" if word == "QUIT" else "250 fine")
            if word == "QUIT":
                return

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


def test_a_mail_is_sent_by_smtp() -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), _Smtp) as server:
        server.mails = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        mail = Email(
            kind="email",
            host="127.0.0.1",
            port=server.server_address[1],
            sender="night@example.org",
            to=("ada@example.org",),
        )
        assert notify([mail], "night held", "Held: it may be luck.") == []
        server.shutdown()
        (lines,) = server.mails  # type: ignore[attr-defined]
    assert "Subject: night held" in lines
    assert "To: ada@example.org" in lines
    assert lines[-1] == "Held: it may be luck."


def test_a_password_goes_over_tls_alone() -> None:
    with pytest.raises(ValidationError, match="over TLS alone"):
        Email(kind="email", sender="a", to=("b",), user_from="USER", password_from="WORD")
    with pytest.raises(ValidationError, match="url_from"):
        Webhook(kind="webhook", url_from="https://hooks.example.org/secret")
