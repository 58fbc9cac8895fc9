"""What changes when a person sits at a terminal: questions, colour, folded columns."""

from __future__ import annotations

import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.cli.answers import KEY, SECRET, page
from tests.cli.conftest import COMMAND

if TYPE_CHECKING:
    from tests.cli.peer import Peer


def _at_terminal(
    environment: dict[str, str], *arguments: str, typed: str = "", width: int = 80
) -> tuple[int, str]:
    """Exit code, and all that appears on the terminal, of a command whose streams all are one."""
    ours, theirs = pty.openpty()
    os.write(ours, typed.encode())
    with subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment, "TERM": "xterm-256color", "COLUMNS": str(width)},
    ) as process:
        os.close(theirs)
        screen = _read_all(ours)
    os.close(ours)
    return process.returncode, screen


def _read_all(terminal: int) -> str:
    pieces = []
    while True:
        try:
            piece = os.read(terminal, 65_536)
        except OSError:  # Linux says EIO once the other side is closed
            break
        if not piece:
            break
        pieces.append(piece)
    return b"".join(pieces).decode()


@pytest.mark.parametrize("key", ["key_abc123", SECRET])
def test_revoke_asks_and_a_no_changes_nothing(peer: Peer, environment: dict[str, str], key: str) -> None:
    code, screen = _at_terminal(environment, "keys", "revoke", key, typed="n\n")
    assert (code, [asked.method for asked in peer.asked if asked.method != "GET"]) == (130, [])
    assert "Requests with it are refused at once" in screen
    assert "nothing was changed" in screen


def test_revoke_after_a_yes_revokes(peer: Peer, environment: dict[str, str]) -> None:
    peer.answer("DELETE /keys/key_abc123", 204)
    code, _ = _at_terminal(environment, "keys", "revoke", "key_abc123", typed="y\n")
    assert (code, peer.last.method) == (0, "DELETE")


def test_yes_beforehand_asks_nothing(peer: Peer, environment: dict[str, str]) -> None:
    peer.answer("DELETE /customers/customer-123", 204)
    code, screen = _at_terminal(environment, "customers", "delete", "customer-123", "--yes")
    assert code == 0
    assert "cannot be undone" not in screen


def test_errors_are_coloured_unless_colour_is_unwanted(environment: dict[str, str]) -> None:
    _, coloured = _at_terminal(environment, "keys", "show", "x")
    _, plain = _at_terminal({**environment, "NO_COLOR": "1"}, "keys", "show", "x")
    assert "\x1b[1;31merror:" in coloured
    assert "31m" not in plain


def test_nothing_has_escapes_where_colour_is_unwanted(environment: dict[str, str]) -> None:
    for arguments in (("keys", "show", "x"), ("keys", "list", "--help")):
        assert "\x1b" in _at_terminal(environment, *arguments)[1]
        assert "\x1b" not in _at_terminal({**environment, "NO_COLOR": "1"}, *arguments)[1]


def test_a_wide_terminal_gets_a_table_with_whole_words(peer: Peer, environment: dict[str, str]) -> None:
    peer.answer("GET /keys", 200, page(KEY))
    _, screen = _at_terminal(environment, "keys", "list", width=120)
    lines = screen.splitlines()
    assert any("key_abc123" in line and "sk-inno-…Zk9Q" in line and "active" in line for line in lines)
    assert "inference:read," in screen
    assert "inference:write" in screen
    assert max(map(len, lines[2:])) <= 120


def test_a_narrow_terminal_gets_blocks_and_loses_nothing(peer: Peer, environment: dict[str, str]) -> None:
    peer.answer("GET /customers", 200, page({"customer_id": "c" * 150, "id": "cus_1"}))
    _, screen = _at_terminal({**environment, "NO_COLOR": "1", "TERM": "dumb"}, "customers", "list")
    assert "c" * 150 in screen
    assert "id           cus_1" in screen.replace("\x1b[1m", "").replace("\x1b[0m", "")


def test_a_pipe_gets_no_colour_even_when_colour_is_forced(peer: Peer, environment: dict[str, str]) -> None:
    peer.answer("GET /keys", 200, page(KEY))
    ended = subprocess.run(
        [*COMMAND, "keys", "list"],
        capture_output=True,
        text=True,
        env={**environment, "FORCE_COLOR": "1"},
        check=True,
    )
    assert "\x1b" not in ended.stdout
