"""The commands that work on this machine: init, serve, doctor, and the configuration they read."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from innoai.access.keys import is_well_formed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


def test_init_prints_one_object_with_the_first_key(innoai: Run) -> None:
    first = json.loads(innoai("init", "--json").out)
    assert set(first) == {"api_key", "dashboard_setup_url", "created"}
    assert is_well_formed(first["api_key"])
    assert first["created"] is True


def test_init_of_an_existing_store_shows_no_key_and_is_no_error(innoai: Run) -> None:
    innoai("init")
    again = innoai("init", "--json")
    assert again.code == 0
    assert json.loads(again.out)["api_key"] is None
    assert json.loads(again.out)["created"] is False
    assert "exists already" in again.err
    assert "innoai accounts new-key" in again.err


def test_init_for_people_says_to_store_the_key(innoai: Run) -> None:
    ended = innoai("init")
    key = ended.out.split()[1]
    assert is_well_formed(key)
    assert "Store it now" in ended.err
    assert key not in ended.err


def test_doctor_finds_a_missing_store_and_the_way_to_make_it(innoai: Run) -> None:
    ended = innoai("doctor")
    assert ended.code == 10
    assert "innoai init" in ended.out


def test_doctor_is_content_after_init(innoai: Run) -> None:
    innoai("init")
    ended = innoai("doctor", "--json")
    report = json.loads(ended.out)
    assert (ended.code, report["ok"]) == (0, True)
    assert {"name", "ok", "detail", "remedy"} == set(report["findings"][0])


def test_serve_makes_and_shows_nothing_while_its_port_is_taken(innoai: Run, tmp_path: Path) -> None:
    """A curl that is printed would reach the server that has the port, with this one's key."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        bind = f"127.0.0.1:{holder.getsockname()[1]}"
        (tmp_path / "gateway.toml").write_text(f'[server]\nbind = "{bind}"\n')
        ended = innoai("serve", "--config", "gateway.toml")
    assert (ended.code, ended.out) == (10, "")
    assert ended.err.startswith(f"error: gateway.toml: server.bind: {bind} cannot be listened on")
    assert is_well_formed(json.loads(innoai("init", "--json").out)["api_key"])


def test_a_spool_that_cannot_be_written_is_named_with_file_and_key(innoai: Run, tmp_path: Path) -> None:
    (tmp_path / "innoai.toml").write_text('[metering]\nspool = "/proc/spool"\n')
    ended = innoai("serve")
    assert (ended.code, ended.out) == (10, "")
    assert ended.err.startswith("error: innoai.toml: metering.spool: /proc/spool cannot be written")


def test_a_store_that_cannot_be_made_is_a_configuration_error(innoai: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = innoai("init", env={"INNOAI_STORE_URL": "sqlite:///file/innoai.db"})
    assert (ended.code, ended.out) == (10, "")


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
