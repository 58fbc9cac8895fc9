from __future__ import annotations

import json

import pytest

from innoai.cli import output
from innoai.cli.failures import EXIT_MEANINGS, CommandError, ExitCode, command_error


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ([], "-"),
        ({}, "-"),
        (True, "yes"),
        (False, "no"),
        (0, "0"),
        (["a", "b"], "a, b"),
        ({"plan": "gold"}, "plan=gold"),
        ("Niño", "Niño"),
    ],
)
def test_a_member_reads_as_people_read_it(value: object, text: str) -> None:
    assert output.cell(value) == text


def test_no_name_can_move_the_cursor() -> None:
    assert output.cell("a\x1b[2Jb\r\u202ec\n\x9bd") == r"a\x1b[2Jb\r\u202ec \x9bd"


def test_a_table_in_a_pipe_is_aligned_whole_and_without_trailing_blanks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.write_table(("id", "name"), [["1", "日本"], ["22222", "n" * 300]])
    assert capsys.readouterr().out == f"id     name\n1      日本\n22222  {'n' * 300}\n"


def test_json_stays_readable_and_valid(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_json({"name": "Niño"})
    assert capsys.readouterr().out == '{\n  "name": "Niño"\n}\n'


@pytest.mark.parametrize("name", ["\x9b2J", "\u202egnp", "\ud800", "\x7f"])
def test_json_with_invisible_characters_is_escaped_and_means_the_same(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    output.write_json({"name": name})
    text = capsys.readouterr().out
    assert text.isascii()
    assert json.loads(text) == {"name": name}


def test_an_error_is_one_line_then_the_hint_then_the_request_id(capsys: pytest.CaptureFixture[str]) -> None:
    output.write_error(CommandError(ExitCode.CONFLICT, "taken\nalready", hint="rename", request_id="req_1"))
    assert capsys.readouterr() == ("", "error: taken already\nhint: rename\nrequest id: req_1\n")


def test_every_exit_code_has_its_meaning() -> None:
    assert set(EXIT_MEANINGS) == set(ExitCode)


def test_an_unforeseen_exception_becomes_one_line() -> None:
    error = command_error(KeyError("limit"))
    assert error.exit_code is ExitCode.UNEXPECTED
    assert error.message == "unexpected KeyError: 'limit'"
