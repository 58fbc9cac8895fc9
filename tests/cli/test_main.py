"""The command line itself: options before and after the command, help, version, completion."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

from innoai.cli.failures import EXIT_MEANINGS
from innoai.cli.main import app
from tests.cli.answers import VALIDATION

if TYPE_CHECKING:
    from tests.cli.conftest import Run
    from tests.cli.peer import Peer


@pytest.mark.parametrize("place", ["before", "after"])
def test_the_common_options_stand_before_or_after_the_command(peer: Peer, innoai: Run, place: str) -> None:
    peer.answer("GET /auth/validate", 200, VALIDATION)
    common = ("--base-url", peer.base_url, "--api-key", "sk-inno-given", "--json")
    arguments = (*common, "validate") if place == "before" else ("validate", *common)
    ended = innoai(*arguments, env={"INNOAI_BASE_URL": "", "INNOAI_API_KEY": ""})
    assert (ended.code, json.loads(ended.out)) == (0, VALIDATION)
    assert peer.last.headers["authorization"] == "Bearer sk-inno-given"


def test_an_option_after_the_command_wins(peer: Peer, innoai: Run) -> None:
    peer.answer("GET /auth/validate", 200, VALIDATION)
    innoai("--api-key", "sk-inno-outer", "validate", "--api-key", "sk-inno-inner")
    assert peer.last.headers["authorization"] == "Bearer sk-inno-inner"


def test_the_installed_script_is_the_same_command(environment: dict[str, str]) -> None:
    script = Path(sysconfig.get_path("scripts")) / "innoai"
    ended = subprocess.run(
        [script, "--version"], capture_output=True, text=True, env=environment, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, f"innoai {version('innoai')}\n")


@pytest.mark.parametrize("arguments", [("version", "--json"), ("--json", "version"), ("--version", "--json")])
def test_the_version_is_machine_readable(innoai: Run, arguments: tuple[str, ...]) -> None:
    assert json.loads(innoai(*arguments).out) == {"version": version("innoai")}


def test_help_ends_with_the_table_of_exit_codes(innoai: Run) -> None:
    ended = innoai("--help")
    lines = {" ".join(line.split()) for line in ended.out.splitlines()}
    assert ended.code == 0
    assert {f"{code:d} {meaning}" for code, meaning in EXIT_MEANINGS.items()} <= lines


def test_help_names_what_the_environment_may_say(innoai: Run) -> None:
    said = innoai("--help").out
    for variable in (
        "INNOAI_API_KEY",
        "INNOAI_BASE_URL",
        "INNOAI_CONFIG",
        "INNOAI_SECRET,",
        "INNOAI_SECRET_PREVIOUS",
    ):
        assert variable in said


def test_a_flag_takes_no_value_in_its_help(innoai: Run) -> None:
    said = innoai("keys", "revoke", "--help").out
    for line in said.splitlines():
        assert "bool" not in line


def test_no_command_is_help_and_a_usage_error(innoai: Run) -> None:
    ended = innoai()
    assert ended.code == 2
    assert "customers" in ended.out


@pytest.mark.parametrize(
    "arguments", [("kees",), ("keys",), ("keys", "lst"), ("--nope",), ("keys", "list", "x")]
)
def test_a_slip_of_the_keyboard_is_a_usage_error_with_the_way_to_help(
    innoai: Run, arguments: tuple[str, ...]
) -> None:
    ended = innoai(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: ")
    assert "--help`" in ended.err


def test_completion_completes_the_commands(innoai: Run) -> None:
    ended = innoai(
        env={
            "_INNOAI_COMPLETE": "complete_bash",
            "_TYPER_COMPLETE_ARGS": "innoai keys r",
            "COMP_WORDS": "innoai keys r",
            "COMP_CWORD": "2",
        }
    )
    assert ended.out.split() == ["rotate", "revoke"]


def test_the_page_of_commands_names_every_one_that_is_not_the_operators() -> None:
    page = (Path(__file__).parents[2] / "docs/cli.md").read_text()
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name in ("init", "serve", "doctor", "rotate-signing-key", "accounts", "version"):
        del commands[name]
    names = {
        " ".join(words)
        for name, command in commands.items()
        for words in ([[name, below] for below in getattr(command, "commands", ())] or [[name]])
    }
    assert {name for name in names if f"`innoai {name}`" not in page} == set()
