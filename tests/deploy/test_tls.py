"""The TLS site of docs/deploying.md, run by nginx: port 443 is encrypted, and port 80 leads there."""

from __future__ import annotations

import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.contract.clients import HELLO, bearer
from tests.support import server as servers
from tests.support.certificates import self_signed
from tests.support.proxies import tls_site
from tests.support.server import MODEL, Server
from tests.support.settings import settings
from tests.support.tools import needs

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = Path(__file__).parents[2] / "docs/deploying.md"
NAME = "ai.example.com"

pytestmark = needs("nginx")


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("behind")
    trusting = {"server": {"trusted_proxies": ["127.0.0.1/32"]}}
    yield from servers.running(
        Server.initialise(directory, settings({MODEL: [{"base_url": "echo:"}]}, trusting))
    )


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return self_signed(tmp_path_factory.mktemp("certificate"), NAME)


@pytest.fixture(scope="module")
def ports(
    behind: Server, certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, int]]:
    (site,) = re.findall(r"```nginx\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    host, port = behind.address
    with tls_site(tmp_path_factory.mktemp("nginx"), site, f"{host}:{port}", certificate) as ports:
        yield ports


def test_the_site_answers_after_a_handshake(
    behind: Server, certificate: Path, ports: tuple[int, int]
) -> None:
    trusted = ssl.create_default_context(cafile=str(certificate))
    with httpx.Client(verify=trusted, base_url=f"https://127.0.0.1:{ports[1]}") as client:
        answer = client.post("/v1/chat/completions", json=HELLO, headers=bearer(behind.admin_key))
        assert (answer.status_code, answer.json()["object"]) == (200, "chat.completion")
        assert client.get("/metrics").status_code == 404


def test_no_credential_is_taken_in_plain_text(behind: Server, ports: tuple[int, int]) -> None:
    plain, secure = ports
    headers = {**bearer(behind.admin_key), "host": NAME}
    sent_on = httpx.get(f"http://127.0.0.1:{plain}/v1/models?limit=1", headers=headers)
    assert (sent_on.status_code, sent_on.headers["location"]) == (301, f"https://{NAME}/v1/models?limit=1")
    assert httpx.get(f"http://127.0.0.1:{secure}/v1/models", headers=headers).status_code == 400
