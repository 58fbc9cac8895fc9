"""The command line itself: options before and after the command, help, version, completion, configuration."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from innoai.cli.failures import EXIT_MEANINGS
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


def test_a_config_file_that_is_not_there_is_a_configuration_error(innoai: Run) -> None:
    for command in ("init", "serve", "doctor"):
        ended = innoai(command, "--config", "nowhere.toml")
        assert (ended.code, ended.out) == (10, "")
        assert "nowhere.toml" in ended.err


def test_the_environment_names_the_config_file_too(innoai: Run) -> None:
    ended = innoai("doctor", env={"INNOAI_CONFIG": "elsewhere.toml"})
    assert ended.code == 10
    assert "elsewhere.toml" in ended.err


def test_a_setting_that_does_not_exist_is_one_line_with_file_and_key(innoai: Run, tmp_path: Path) -> None:
    (tmp_path / "innoai.toml").write_text("[server]\nbindd = '127.0.0.1:0'\n")
    ended = innoai("init", "--json")
    assert (ended.code, ended.out) == (10, "")
    assert ended.err.startswith("error: innoai.toml: server")
    assert "bindd" in ended.err


def test_without_the_servers_packages_the_way_to_install_them_is_told(
    environment: dict[str, str], tmp_path: Path
) -> None:
    without_msgspec = (
        "import sys; sys.modules['msgspec'] = None\nfrom innoai.cli.main import run\nsys.exit(run(['init']))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", without_msgspec],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (10, "")
    assert "pip install 'innoai[server]'" in ended.stderr
    assert "Traceback" not in ended.stderr
