"""`innoai init`, `serve` and `doctor`: what they print, and every way in which a start can go wrong."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import func, select

from innoai import config
from innoai.access.keys import is_well_formed
from innoai.server import listen
from innoai.store.database import Database
from innoai.store.tables import accounts, signing_keys
from tests.contract.clients import HELLO, bearer
from tests.support import warm
from tests.support.ports import free_port
from tests.support.server import INNOAI, Server, clean_environment

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIGURATION = 10
SECRET = "a secret of an installation, long enough to be one"


def innoai(directory: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end; one that would serve for ever fails the test by its timeout."""
    ended = warm.run(arguments, directory, clean_environment(**environment), timeout=60)
    assert "Traceback" not in ended.stderr
    return ended


def installed(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The same from nothing, by the command as it is installed."""
    return subprocess.run(
        [INNOAI, *arguments],
        cwd=directory,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def stops(ended: subprocess.CompletedProcess[str], *said: str) -> str:
    """The one line with which a configuration error stops the start, and which says all of `said`."""
    assert ended.returncode == CONFIGURATION, ended
    assert ended.stdout == ""
    error, *hints = ended.stderr.rstrip("\n").split("\n")
    assert error.startswith("error: ")
    assert all(hint.startswith("hint: ") for hint in hints)
    for piece in said:
        assert piece in error
    return error


def test_init_prints_the_first_key_and_the_dashboards_address_once(tmp_path: Path) -> None:
    first = installed(tmp_path, "init", "--json")
    made = json.loads(first.stdout)
    assert first.returncode == 0
    assert is_well_formed(made["api_key"])
    assert made["dashboard_setup_url"].startswith("http://127.0.0.1:8080/")
    again = json.loads(innoai(tmp_path, "init", "--json").stdout)
    assert again["api_key"] is None
    assert made["api_key"] not in json.dumps(again)


def test_init_leaves_its_secret_to_its_owner_alone(tmp_path: Path) -> None:
    key = json.loads(innoai(tmp_path, "init", "--json").stdout)["api_key"]
    assert stat.S_IMODE((tmp_path / "innoai.secret").stat().st_mode) == 0o600
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or key.encode() not in file.read_bytes()


def test_the_first_key_may_do_everything(server: Server) -> None:
    answer = httpx.get(f"{server.base_url}/auth/validate", headers=bearer(server.admin_key))
    assert answer.json()["scopes"] == ["admin:full"]


def test_serve_alone_is_enough_for_a_first_completion(tmp_path: Path) -> None:
    """An empty directory, one command, and the curl that it prints."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
    serving = subprocess.Popen(
        [INNOAI, "serve"],
        cwd=tmp_path,
        env=clean_environment(INNOAI_SERVER_BIND=f"127.0.0.1:{port}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert serving.stdout is not None
        assert serving.stderr is not None
        printed = ""
        while "/setup?invite=" not in printed:
            line = serving.stdout.readline()
            assert line
            printed += line
        while json.loads(serving.stderr.readline())["event"] != "listening":
            pass
        key = next(word for word in printed.split() if is_well_formed(word))
        base_url = f"http://127.0.0.1:{port}/v1"
        answer = httpx.post(f"{base_url}/chat/completions", json=HELLO, headers=bearer(key))
        assert answer.json()["choices"][0]["message"]["content"]
        assert f"{base_url}/chat/completions" in printed
    finally:
        serving.send_signal(signal.SIGINT)
        _, rest = serving.communicate(timeout=60)
    assert "Traceback" not in rest
    assert serving.returncode == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[server]\nbindd = 'x'", ["server", "bindd", "there is no such setting", "bind"]),
        ("[sever]\nbind = '127.0.0.1:1'", ["[sever]", "server"]),
        ("[server]\nbind = 8080", ["server", "bind", "str"]),
        ("[server]\nbind = 'nowhere'", ["server", "bind", "127.0.0.1:8080"]),
        ("[server]\ntrusted_proxies = ['10.0.0.0/99']", ["server", "trusted_proxies", "10.0.0.0/99"]),
        ("[server]\nmax_body_bytes = -1", ["server", "max_body_bytes", "1024"]),
        ("[store]\nurl = 'mysql://x'", ["store", "url", "sqlite:///"]),
        ("[limits]\nurl = 'file:x'", ["limits", "url", "redis://"]),
        ("[tokens]\nalgorithm = 'none'", ["tokens", "algorithm", "none"]),
        ("[models.a]\nupstreams = []", ["models", "upstreams", "1"]),
        ("[models.a]\nupstreams = [{ model = 'x' }]", ["models", "base_url"]),
        ("[models.a]\nupstreams = [{ base_url = 'ftp://x' }]", ["models", "base_url", "https://"]),
        ("[models.a]\nupstreams = [{ base_url = 'echo:', key = 'x' }]", ["models", "key", "api_key"]),
        (
            "[models.a]\nupstreams = [{ base_url = 'echo:', api_key = 'env:NOT_THERE' }]",
            ["models", "api_key", "NOT_THERE"],
        ),
        (
            "[models.a]\nupstreams = [{ base_url = 'echo:', api_key = 'file:not-there' }]",
            ["models", "api_key", "not-there"],
        ),
        ("models = 3", ["models"]),
        ("[server", ["TOML"]),
        ("[server]\nbind = 'a'\nbind = 'b'", ["TOML"]),
    ],
)
@pytest.mark.parametrize("command", ["serve", "init"])
def test_a_wrong_setting_stops_with_one_line_that_names_file_key_and_remedy(
    tmp_path: Path, command: str, text: str, said: list[str]
) -> None:
    (tmp_path / "innoai.toml").write_text(text)
    stops(innoai(tmp_path, command), "innoai.toml", *said)
    assert not (tmp_path / "innoai.db").exists()


def test_a_file_that_is_not_text_stops(tmp_path: Path) -> None:
    (tmp_path / "innoai.toml").write_bytes(b"\xff\xfe[server]")
    stops(innoai(tmp_path, "serve"), "innoai.toml", "UTF-8")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("INNOAI_SERVER_BIND", "8080", "INNOAI_SERVER_BIND: write host:port"),
        ("INNOAI_SERVER_MAX_BODY_BYTES", "much", "INNOAI_SERVER_MAX_BODY_BYTES: expected `int`"),
        ("INNOAI_LIMITS_FAILED_AUTH", "0", "INNOAI_LIMITS_FAILED_AUTH: expected `int` >= 1"),
        ("INNOAI_SECRET", "short", "INNOAI_SECRET"),
        ("INNOAI_SECRET", "", "INNOAI_SECRET"),
        ("INNOAI_CONFIG", "not-there.toml", "not-there.toml"),
    ],
)
def test_a_wrong_environment_stops_with_one_line(tmp_path: Path, name: str, value: str, said: str) -> None:
    error = stops(innoai(tmp_path, "serve", **{name: value}), said)
    assert value == "" or name != "INNOAI_SECRET" or value not in error


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which `innoai init` was run."""
    directory = tmp_path_factory.mktemp("made")
    assert innoai(directory, "init").returncode == 0
    return directory


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    """A copy of it to be spoiled."""
    return shutil.copytree(made, tmp_path / "copy")


def test_a_taken_port_stops_with_one_line(copy: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        bind = f"127.0.0.1:{holder.getsockname()[1]}"
        stops(innoai(copy, "serve", INNOAI_SERVER_BIND=bind), bind)


def test_an_address_of_another_machine_stops_with_one_line(copy: Path) -> None:
    stops(innoai(copy, "serve", INNOAI_SERVER_BIND="192.0.2.1:8080"), "192.0.2.1:8080")


@pytest.mark.parametrize("command", ["serve", "init"])
def test_another_secret_than_the_stores_stops(copy: Path, command: str) -> None:
    stops(innoai(copy, command, INNOAI_SECRET=SECRET, INNOAI_SERVER_BIND="127.0.0.1:0"), "secret")


def test_a_secret_that_is_too_short_stops(copy: Path) -> None:
    (copy / "innoai.secret").write_bytes(b"short\n")
    stops(innoai(copy, "serve", INNOAI_SERVER_BIND="127.0.0.1:0"), "innoai.secret", "32")


@pytest.mark.parametrize("loss", [Path.unlink, lambda file: file.write_bytes(b"")])
def test_a_lost_secret_stops_rather_than_orphan_every_key_and_token(
    copy: Path, loss: Callable[[Path], object]
) -> None:
    loss(copy / "innoai.secret")
    stops(innoai(copy, "serve", INNOAI_SERVER_BIND="127.0.0.1:0"), "restore the former INNOAI_SECRET")


def test_a_start_without_the_stores_secret_makes_no_other(tmp_path: Path) -> None:
    assert innoai(tmp_path, "init", INNOAI_SECRET=SECRET).returncode == 0
    for command in ("serve", "init"):
        stops(innoai(tmp_path, command, INNOAI_SERVER_BIND="127.0.0.1:0"), "restore the former INNOAI_SECRET")
    assert not (tmp_path / "innoai.secret").exists()


def test_a_postgres_that_is_not_there_is_no_configuration_error(tmp_path: Path) -> None:
    """It may come up later: systemd starts the service again after this status, and not after the other."""
    url = "postgresql://innoai:a-password@127.0.0.1:1/innoai"
    ended = innoai(tmp_path, "serve", INNOAI_STORE_URL=url, INNOAI_SERVER_BIND="127.0.0.1:0")
    assert (ended.returncode, ended.stdout) == (8, "")
    assert ended.stderr.startswith("error: the store postgresql://127.0.0.1:1/innoai cannot be reached")
    assert "a-password" not in ended.stderr


def test_a_new_store_is_its_owners_alone(tmp_path: Path) -> None:
    assert innoai(tmp_path, "init").returncode == 0
    for file in tmp_path.glob("innoai.db*"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_a_secret_that_others_can_read_is_told_at_the_start(
    new_server: Callable[..., Server], usual_settings: str
) -> None:
    own = new_server(usual_settings)
    assert own.stop() == 0
    file = own.directory / "innoai.secret"
    file.chmod(0o644)
    own.start()
    (told,) = [json.loads(line) for line in own.child.log if "others can read" in line]
    assert (told["level"], told["remedy"]) == ("warning", f"chmod 600 {file}")


def test_a_spool_that_cannot_be_written_stops_with_its_setting_before_anything_is_made(
    tmp_path: Path,
) -> None:
    (tmp_path / "file").touch()
    ended = innoai(tmp_path, "serve", INNOAI_METERING_SPOOL="file/spool", INNOAI_SERVER_BIND="127.0.0.1:0")
    stops(ended, "environment: INNOAI_METERING_SPOOL: ", str(tmp_path / "file/spool"))
    assert not (tmp_path / "innoai.db").exists()


def test_a_store_that_is_no_database_stops(copy: Path) -> None:
    for extra in copy.glob("innoai.db-*"):
        extra.unlink()
    (copy / "innoai.db").write_bytes(b"this is no database at all" * 1000)
    stops(innoai(copy, "serve", INNOAI_SERVER_BIND="127.0.0.1:0"), "sqlite:///innoai.db")


def test_a_store_in_a_directory_that_is_not_there_is_made_with_it(tmp_path: Path) -> None:
    ended = innoai(tmp_path, "init", "--json", INNOAI_STORE_URL="sqlite:///deep/down/innoai.db")
    assert ended.returncode == 0
    assert (tmp_path / "deep" / "down" / "innoai.db").exists()


def test_the_secret_may_come_from_the_environment_and_be_changed_with_the_former_one(
    tmp_path: Path, new_server: Callable[..., Server], usual_settings: str
) -> None:
    own = new_server(usual_settings, INNOAI_SECRET=SECRET)
    assert not (own.directory / "innoai.secret").exists()
    assert own.stop() == 0
    own.environment = {
        **own.environment,
        "INNOAI_SECRET": SECRET[::-1],
        "INNOAI_SECRET_PREVIOUS": SECRET,
    }
    own.start()
    assert httpx.get(f"{own.base_url}/models", headers=bearer(own.admin_key)).status_code == 200


def test_doctor_is_content_with_what_init_made(made: Path) -> None:
    ended = innoai(made, "doctor", "--json")
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["ok"] is True


@pytest.mark.parametrize(
    "fault", ["no store", "open store", "open secret", "lost secret", "no limits", "no directory"]
)
def test_doctor_names_each_fault_and_its_remedy(copy: Path, fault: str) -> None:
    environment = {}
    if fault == "no store":
        (copy / "innoai.db").unlink()
    elif fault == "open store":
        (copy / "innoai.db").chmod(0o644)
    elif fault == "open secret":
        (copy / "innoai.secret").chmod(0o644)
    elif fault == "lost secret":
        (copy / "innoai.secret").unlink()
    elif fault == "no limits":
        environment["INNOAI_LIMITS_URL"] = "redis://127.0.0.1:1/0"
    else:
        environment["INNOAI_METERING_SPOOL"] = "innoai.db/spool"
    ended = innoai(copy, "doctor", "--json", **environment)
    assert ended.returncode == CONFIGURATION
    report = json.loads(ended.stdout)
    assert report["ok"] is False
    faults = [finding for finding in report["findings"] if not finding["ok"]]
    assert faults
    assert all(finding["remedy"] and finding["remedy"] not in finding["detail"] for finding in faults)
    assert "innoai init" not in json.dumps(faults) or fault in ("no store", "lost secret")
    assert "✗" in innoai(copy, "doctor", **environment).stdout


def test_a_stopped_server_leaves_its_port(new_server: Callable[..., Server], usual_settings: str) -> None:
    own = new_server(usual_settings)
    assert own.stop() == 0
    with socket.create_server(own.address):
        pass
    own.start()


@pytest.mark.usefixtures("made")  # what forks the commands has to be there before threads ask for it
def test_servers_that_start_together_on_an_empty_store_make_one_installation(
    tmp_path: Path, new_postgres: Callable[[str | None], str]
) -> None:
    url = new_postgres(None)

    def start(_number: int) -> str | None:
        made = innoai(tmp_path, "init", "--json", INNOAI_STORE_URL=url, INNOAI_SECRET=SECRET)
        key: str | None = json.loads(made.stdout)["api_key"]
        return key

    with ThreadPoolExecutor(4) as pool:
        keys = [key for key in pool.map(start, range(4)) if key is not None]
    assert len(keys) == 1
    assert asyncio.run(_counts(url)) == (1, 1)


async def _counts(url: str) -> tuple[int, int]:
    """Accounts, and signing keys."""
    database = Database(url)
    try:
        async with database.read() as connection:
            found = [
                (await connection.execute(select(func.count()).select_from(table))).scalar_one()
                for table in (accounts, signing_keys)
            ]
    finally:
        await database.close()
    return found[0], found[1]


def test_of_two_servers_that_start_on_one_port_the_second_stops(tmp_path: Path) -> None:
    """Long before either serves."""
    environment = {"INNOAI_SERVER_BIND": f"127.0.0.1:{free_port()}", "INNOAI_CONFIG": str(tmp_path / "none")}
    (tmp_path / "none").write_text("")
    settings = config.load(None, environment)
    with (
        listen(settings),
        pytest.raises(config.ConfigError, match=r"^environment: INNOAI_SERVER_BIND: 127.*cannot be"),
    ):
        listen(settings)
