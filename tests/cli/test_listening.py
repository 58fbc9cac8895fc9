"""`innoai webhooks listen`: what the receiver gets, and what becomes of connections, receivers and Ctrl-C."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from innoai import webhooks
from tests.cli.conftest import COMMAND
from tests.cli.peer import Answer, Peer
from tests.support.samples import frame

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Run

ROUTE = "GET /webhooks/stream"
AS_EVENTS = {"content-type": "text/event-stream"}
SOON = b"retry: 1\n\n"


def streamed(*frames: bytes, endless: bool = True) -> Answer:
    return Answer(200, SOON + b"".join(frames), AS_EVENTS, endless)


@pytest.fixture
def receiver() -> Iterator[Peer]:
    receiver = Peer()
    receiver.start()
    receiver.answer("POST /hooks", 204)
    yield receiver
    receiver.stop()


class Listening:
    """The command under way, with --json; `line` waits for its next line."""

    def __init__(self, environment: dict[str, str], url: str, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [*COMMAND, "webhooks", "listen", "--forward-to", url, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def json(self) -> Any:
        return json.loads(self.line())

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C, the exit code, and what was written to stderr."""
        self.process.send_signal(signal.SIGINT)
        _, err = self.process.communicate()
        return self.process.returncode, err


@pytest.fixture
def listen(environment: dict[str, str], receiver: Peer) -> Iterator[Any]:
    started: list[Listening] = []

    def start(*arguments: str, url: str = f"{receiver.base_url}/hooks") -> Listening:
        started.append(Listening(environment, url, *arguments))
        return started[-1]

    yield start
    for listening in started:
        listening.process.kill()
        listening.process.communicate()


def test_events_arrive_as_deliveries_signed_with_the_sessions_secret(
    peer: Peer, receiver: Peer, listen: Any
) -> None:
    peer.answer_in_turn(ROUTE, streamed(frame(1), frame(2, "key.revoked")))
    listening = listen("--event-type", "key.*", "--json")
    secret = listening.json()["secret"]
    for number, type_name in ((1, "key.created"), (2, "key.revoked")):
        line = listening.json()
        assert (line["id"], line["type"], line["status"], line["error"]) == (
            f"evt_{number}",
            type_name,
            204,
            None,
        )
        assert line["duration_ms"] >= 0
    assert peer.asked[0].path == "/v1/webhooks/stream?event_types=key.%2A"
    for number, sent in enumerate(receiver.asked, start=1):
        assert b"data: " + sent.raw + b"\n" in frame(number, sent.body["type"])
        assert webhooks.verify(sent.raw, sent.headers["x-innoai-signature"], secret)
        assert webhooks.verify_standard(sent.raw, sent.headers, secret)
        assert sent.headers["webhook-id"] == f"evt_{number}"
        assert sent.headers["content-type"] == "application/json"
        assert sent.headers["user-agent"].startswith("innoai/")
    assert listening.interrupt() == (0, "stopped\n")


def test_people_get_the_secret_once_and_a_line_an_event(peer: Peer, listen: Any) -> None:
    peer.answer_in_turn(ROUTE, streamed(frame(1)))
    listening = listen()
    assert listening.line().startswith("secret      whsec_")
    assert listening.line().startswith("forward_to  http://127.0.0.1:")
    assert listening.line().startswith("204  key.created  evt_1  ")
    code, err = listening.interrupt()
    assert code == 0
    assert "whsec_" not in err


def test_a_receiver_that_refuses_or_is_not_there_is_told_and_listening_goes_on(
    peer: Peer, receiver: Peer, listen: Any
) -> None:
    receiver.answer_in_turn(
        "POST /hooks", Answer(500, {}), Answer(302, None, {"location": f"{peer.base_url}/x"}), Answer(200, {})
    )
    peer.answer_in_turn(ROUTE, streamed(frame(1), frame(2), frame(3)))
    listening = listen("--json")
    listening.line()
    assert [listening.json()["status"] for _ in range(3)] == [500, 302, 200]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    absent = listen("--json", url=closed)
    absent.line()
    line = absent.json()
    assert (line["status"], line["error"]) == (None, "ConnectError")
    assert absent.interrupt()[0] == 0


def test_people_are_told_in_words_of_a_receiver_that_is_not_there(peer: Peer, listen: Any) -> None:
    peer.answer_in_turn(ROUTE, streamed(frame(1)))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    listening = listen(url=closed)
    while "key.created" not in (line := listening.line()):
        pass
    assert line.startswith("nothing listens there  key.created")
    assert listening.interrupt()[0] == 0


def test_a_receiver_that_says_nothing_is_given_up_after_the_timeout(
    peer: Peer, receiver: Peer, listen: Any
) -> None:
    receiver.may_answer.clear()
    peer.answer_in_turn(ROUTE, streamed(frame(1)))
    listening = listen("--json", "--timeout", "0.1")
    listening.line()
    assert listening.json()["error"] == "ReadTimeout"


def test_a_lost_connection_is_made_again_behind_the_last_event(peer: Peer, listen: Any) -> None:
    peer.answer_in_turn(ROUTE, streamed(frame(1), endless=False), streamed(frame(1), frame(2)))
    listening = listen("--json")
    listening.line()
    assert [listening.json()["id"] for _ in range(2)] == ["evt_1", "evt_2"]
    assert [asked.headers.get("last-event-id") for asked in peer.asked] == [None, "evt_1"]
    assert listening.interrupt() == (0, "the connection is lost; trying again in 0.001 s\nstopped\n")


def test_ctrl_c_ends_it_while_it_waits_for_the_server(peer: Peer, listen: Any) -> None:
    peer.answer_in_turn(ROUTE, streamed())
    listening = listen()
    listening.line()
    peer.arrived.wait()
    code, err = listening.interrupt()
    assert (code, err.splitlines()[-1]) == (0, "stopped")


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [(401, "invalid_api_key", 3), (403, "insufficient_permissions", 4), (503, "service_unavailable", 8)],
)
def test_what_the_server_refuses_at_the_beginning_ends_it(
    peer: Peer, innoai: Run, status: int, code: str, exit_code: int
) -> None:
    peer.refuse(ROUTE, status, code, "No.")
    ended = innoai("webhooks", "listen", "--forward-to", "http://127.0.0.1:1/")
    assert ended.code == exit_code
    assert "error: No." in ended.err


def test_a_key_that_is_revoked_meanwhile_ends_it(peer: Peer, listen: Any) -> None:
    refused = {"error": {"code": "invalid_api_key", "message": "Gone.", "type": "t"}}
    peer.answer_in_turn(ROUTE, streamed(endless=False), Answer(401, refused))
    listening = listen("--json")
    _, err = listening.process.communicate()
    assert listening.process.returncode == 3
    assert "Gone. (invalid_api_key)" in err


def test_a_page_from_somebody_else_is_no_stream(peer: Peer, innoai: Run) -> None:
    peer.answer(ROUTE, 200, b"<html>hello</html>")
    ended = innoai("webhooks", "listen", "--forward-to", "http://127.0.0.1:1/")
    assert ended.code == 8
    assert "it is not text/event-stream" in ended.err


def test_an_event_without_an_id_is_no_event_of_ours(peer: Peer, innoai: Run) -> None:
    peer.answer(ROUTE, 200, b'data: {"id": "evt_1"}\n\n', AS_EVENTS)
    ended = innoai("webhooks", "listen", "--forward-to", "http://127.0.0.1:1/")
    assert ended.code == 8
    assert "without id" in ended.err
