"""What a command says and answers when something is in its way."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest

from innoai.cli.failures import command_error
from tests.cli.answers import KEY, SECRET, page
from tests.cli.conftest import API_KEY, COMMAND
from tests.cli.peer import REQUEST_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cli.conftest import Run
    from tests.cli.peer import Peer


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        (400, "invalid_request", 9),
        (401, "invalid_api_key", 3),
        (401, "token_expired", 3),
        (402, "insufficient_quota", 7),
        (403, "insufficient_permissions", 4),
        (403, "ip_not_allowed", 4),
        (404, "not_found", 5),
        (405, "method_not_allowed", 9),
        (409, "conflict", 6),
        (413, "payload_too_large", 9),
        (431, "headers_too_large", 9),
        (429, "rate_limit_exceeded", 7),
        (500, "internal_error", 8),
        (503, "service_unavailable", 8),
        (400, "a_code_of_the_future", 9),
    ],
)
def test_each_refusal_has_its_exit_code_sentence_hint_and_request_id(
    peer: Peer, innoai_here: Run, status: int, code: str, exit_code: int
) -> None:
    peer.refuse("GET /keys", status, code, "A sentence.")
    ended = innoai_here("keys", "list", "--json")
    assert (ended.code, ended.out) == (exit_code, "")
    error, hint, request_id = ended.err.splitlines()
    assert error == f"error: A sentence. ({code})"
    assert hint.startswith("hint: ")
    assert request_id == f"request id: {REQUEST_ID}"
    assert len(peer.asked) == 1


@pytest.mark.parametrize("base_url", ["", "/V1", "/api"])
def test_a_base_url_without_v1_is_what_the_hint_names(peer: Peer, innoai_here: Run, base_url: str) -> None:
    wrong = peer.base_url.removesuffix("/v1") + base_url
    ended = innoai_here("keys", "create", "--name", "n", "--base-url", wrong)
    assert ended.code == 5
    assert "hint: the base URL ends in /v1" in ended.err


def test_a_disk_that_is_full_is_no_defect_of_innoai() -> None:
    failure = command_error(OSError(errno.ENOSPC, "No space left on device", "usage.csv"))
    assert failure.message == "usage.csv: No space left on device"
    assert failure.hint is not None
    assert "defect" not in failure.hint


@pytest.mark.parametrize(
    ("code", "member", "value", "hint"),
    [
        ("insufficient_permissions", "required_scope", "customers:write", "the scope customers:write"),
        ("rate_limit_exceeded", "retry_after", 60, "try again in 60 s"),
        ("invalid_request", "param", "allowed_ips", "at fault is `allowed_ips`"),
    ],
)
def test_the_hint_uses_what_the_server_adds(
    peer: Peer, innoai_here: Run, code: str, member: str, value: object, hint: str
) -> None:
    status = {"insufficient_permissions": 403, "rate_limit_exceeded": 429, "invalid_request": 400}[code]
    peer.refuse("GET /keys", status, code, "No.", **{member: value})
    assert hint in innoai_here("keys", "list").err


def test_a_message_cannot_move_the_cursor_or_take_a_second_line(peer: Peer, innoai_here: Run) -> None:
    peer.refuse("GET /keys", 400, "invalid_request", "a\x1b[2J\nerror: b")
    assert innoai_here("keys", "list").err.splitlines()[0] == r"error: a\x1b[2J error: b (invalid_request)"


@pytest.mark.parametrize("status", [302, 404, 502])
def test_a_page_from_somebody_else_names_the_address_to_check(
    peer: Peer, innoai_here: Run, status: int
) -> None:
    peer.answer("GET /keys", status, b"<html>hello</html>")
    ended = innoai_here("keys", "list")
    assert ended.code == (5 if status == 404 else 8)
    assert f"answered with status {status} and no explanation" in ended.err
    assert "INNOAI_BASE_URL" in ended.err


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<html>hello</html>", "text/html"),
        (b"{broken", "application/json"),
        (b"[1, 2]", "application/json"),
        (b"null", "application/json"),
        (b'{"data": [1]}', "application/json"),
        (b'{"data": "x"}', "application/json"),
        (b"{}", "application/json"),
        (b"\xff\xfe", "application/json"),
    ],
)
def test_a_garbage_answer_is_told_without_a_traceback(
    peer: Peer, innoai_here: Run, body: bytes, content_type: str
) -> None:
    peer.answer("GET /keys", 200, body, {"content-type": content_type})
    ended = innoai_here("keys", "list")
    assert (ended.code, ended.out) == (8, "")
    assert "not an innoai server's answer" in ended.err


@pytest.mark.parametrize("key", ["key_abc123", SECRET])
def test_a_web_page_is_not_the_word_that_a_key_is_revoked(peer: Peer, innoai: Run, key: str) -> None:
    for route in ("POST /auth/revoke", "DELETE /keys/key_abc123"):
        peer.answer(route, 200, b"<html>welcome to the hotel's network</html>")
    ended = innoai("keys", "revoke", key)
    assert (ended.code, ended.out) == (8, "")


@pytest.fixture
def unanswered() -> Iterator[socket.socket]:
    """A socket that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


def _url(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def test_a_closed_port_is_unreachable(innoai: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = _url(listener)
    ended = innoai("validate", "--base-url", url)
    assert ended.code == 8
    assert f"error: cannot reach {url.removesuffix('/v1')}: " in ended.err
    assert "innoai serve" in ended.err


def test_a_server_that_says_nothing_is_given_up_after_the_timeout(
    innoai: Run, unanswered: socket.socket
) -> None:
    ended = innoai("--timeout", "0.1", "validate", "--base-url", _url(unanswered))
    assert ended.code == 8
    assert "no answer from" in ended.err
    assert "--timeout" in ended.err


def test_what_is_not_http_is_told(unanswered: socket.socket, environment: dict[str, str]) -> None:
    process = subprocess.Popen(
        [*COMMAND, "validate", "--base-url", _url(unanswered)],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    connection, _ = unanswered.accept()
    with connection:
        connection.sendall(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
        _, err = process.communicate()
    assert process.returncode == 8
    assert "does not speak HTTP" in err


def test_a_slow_answer_is_waited_for(peer: Peer, environment: dict[str, str]) -> None:
    peer.answer("GET /keys", 200, page(KEY))
    peer.may_answer.clear()
    with subprocess.Popen([*COMMAND, "keys", "list"], stdout=subprocess.PIPE, env=environment) as process:
        peer.arrived.wait()
        assert process.poll() is None
        peer.may_answer.set()
        out, _ = process.communicate()
    assert process.returncode == 0
    assert b"key_abc123" in out


def test_ctrl_c_ends_quietly_with_130(peer: Peer, environment: dict[str, str]) -> None:
    peer.may_answer.clear()
    with subprocess.Popen(
        [*COMMAND, "keys", "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        peer.arrived.wait()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"")


@pytest.mark.parametrize("arguments", [("keys", "list"), ("keys", "list", "--json"), ("--help",)])
def test_a_reader_that_has_left_is_no_error(
    peer: Peer, environment: dict[str, str], arguments: tuple[str, ...]
) -> None:
    peer.answer("GET /keys", 200, page(KEY))
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [*COMMAND, *arguments], stdout=writing, stderr=subprocess.PIPE, env=environment, check=False
    )
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_without_a_key_nothing_is_sent(peer: Peer, innoai: Run) -> None:
    ended = innoai("keys", "list", env={"INNOAI_API_KEY": " "})
    assert (ended.code, peer.asked) == (3, [])
    assert ended.err.startswith("error: no API key\nhint: set INNOAI_API_KEY")


def test_a_key_that_no_header_carries_is_refused_unquoted(peer: Peer, innoai: Run) -> None:
    ended = innoai("keys", "list", env={"INNOAI_API_KEY": "sk-inno-topsecret…"})
    assert (ended.code, peer.asked) == (2, [])
    assert "INNOAI_API_KEY" in ended.err
    assert "topsecret" not in ended.err


@pytest.mark.parametrize("url", ["127.0.0.1:8080/v1", "ftp://127.0.0.1/v1", "http://", "http:///v1"])
def test_a_base_url_that_is_none_is_a_usage_error(innoai_here: Run, url: str) -> None:
    ended = innoai_here("keys", "list", env={"INNOAI_BASE_URL": url})
    assert ended.code == 2
    assert "http://127.0.0.1:8080/v1" in ended.err


@pytest.mark.parametrize(
    "url", ["http://[::1/v1", "http://127.0.0.1:99999/v1", "http://a b/v1", "http://x:y/v1"]
)
def test_a_malformed_base_url_is_told_without_a_traceback(innoai_here: Run, url: str) -> None:
    ended = innoai_here("keys", "list", "--base-url", url)
    assert ended.code == 2
    assert "--base-url" in ended.err


def test_credentials_within_the_base_url_stay_out_of_the_message(innoai: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ended = innoai("validate", "--base-url", f"http://user:topsecret@127.0.0.1:{port}/v1")
    assert ended.code == 8
    assert "topsecret" not in ended.err


def test_no_error_shows_the_key_in_use(peer: Peer, innoai: Run) -> None:
    peer.refuse("GET /keys", 401, "invalid_api_key", "No.")
    ended = innoai("keys", "list")
    assert API_KEY not in ended.err + ended.out
