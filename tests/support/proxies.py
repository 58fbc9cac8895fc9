"""Proxies that ask innoai about each request, as deploy/ configures them, and a service behind them."""

from __future__ import annotations

import http.server
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from tests.support.local_http import listening
from tests.support.ports import free_port
from tests.support.processes import START_SECONDS, STOP_SECONDS
from tests.support.server import clean_environment
from tests.support.tools import program

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DEPLOY = Path(__file__).parents[2] / "deploy"
_LEASH = Path(__file__).with_name("leash.py")
_NGINX = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{site}
}}
"""


class _Service(http.server.BaseHTTPRequestHandler):
    """Answers with what it was asked, in JSON: method, path, headers and the body's length."""

    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        asked = {
            "method": self.command,
            "path": self.path,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "size": len(content),
        }
        body = json.dumps(asked).encode()
        self.send_response(int(self.headers.get("x-status", 200)))
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """What is called for a method is `do_` and its name."""
        if name.startswith("do_"):
            return self.handle_any
        raise AttributeError(name)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def service() -> Iterator[str]:
    """A service that knows nothing of innoai; host and port."""
    with listening(_Service) as where:
        yield where


@contextmanager
def nginx(folder: Path, innoai: str, behind: str) -> Iterator[str]:
    """nginx with deploy/nginx/innoai.conf, whose lines marked "yours" are changed; its origin."""
    installed = program("nginx")
    port = free_port()
    site = _changed(
        "nginx/innoai.conf",
        ("server 127.0.0.1:8080;", f"server {innoai};"),
        ("server 127.0.0.1:3000;", f"server {behind};"),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
    )
    with _nginx_with(site, folder, installed, port):
        yield f"http://127.0.0.1:{port}"


@contextmanager
def tls_site(folder: Path, site: str, innoai: str, certificate: Path) -> Iterator[tuple[int, int]]:
    """nginx with the site of docs/deploying.md in front of innoai; its ports for plain HTTP and for TLS."""
    installed = program("nginx")
    plain, secure = free_port(), free_port()
    changed = changed_text(
        site,
        ("server 127.0.0.1:8080;", f"server {innoai};"),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ", f"listen 127.0.0.1:{secure} "),
        ("/etc/ssl/certs/ai.example.com.pem", str(certificate)),
        ("/etc/ssl/private/ai.example.com.key", str(certificate.with_suffix(".key"))),
    )
    with _nginx_with(changed, folder, installed, secure):
        yield plain, secure


@contextmanager
def _nginx_with(site: str, folder: Path, installed: str, port: int) -> Iterator[None]:
    # Started by root, its workers would be somebody who may not enter the tests' folders.
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(_NGINX.format(user=user, folder=folder, site=site))
    log, configuration = str(folder / "error.log"), str(folder / "nginx.conf")
    with _running([installed, "-p", str(folder), "-e", log, "-c", configuration], folder, port):
        yield


@contextmanager
def caddy(folder: Path, innoai: str, behind: str) -> Iterator[str]:
    """Caddy with deploy/caddy/Caddyfile; its origin."""
    installed = program("caddy")
    port = free_port()
    # Its administration would listen on a fixed port.
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + (DEPLOY / "caddy" / "Caddyfile").read_text())
    command = [installed, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    site = f"http://127.0.0.1:{port}"
    addresses = {"SITE_ADDRESS": site, "INNOAI_ADDRESS": innoai, "SERVICE_ADDRESS": behind}
    with _running(command, folder, port, HOME=str(folder), **addresses):
        yield site


@contextmanager
def envoy(folder: Path, innoai: str, behind: str) -> Iterator[str]:
    """Envoy with deploy/envoy/envoy.yaml, whose addresses are changed; its origin."""
    installed = program("envoy")
    port = free_port()
    configuration = _changed(
        "envoy/envoy.yaml",
        ("address: 0.0.0.0, port_value: 80 ", f"address: 127.0.0.1, port_value: {port} "),
        ("address: innoai, port_value: 8080 ", _envoys(innoai)),
        ("address: service, port_value: 3000 ", _envoys(behind)),
    )
    (folder / "envoy.yaml").write_text(configuration)
    command = [installed, "-c", str(folder / "envoy.yaml"), "--disable-hot-restart", "--concurrency", "1"]
    with _running(command, folder, port):
        yield f"http://127.0.0.1:{port}"


def _envoys(address: str) -> str:
    host, _, port = address.partition(":")
    return f"address: {host}, port_value: {port} "


@contextmanager
def traefik(folder: Path, innoai: str, behind: str) -> Iterator[str]:
    """Traefik with the files of deploy/traefik, whose lines marked "yours" are changed; its origin."""
    installed = program("traefik")
    port = free_port()
    routes = folder / "innoai.yaml"
    routes.write_text(
        _changed("traefik/innoai.yaml", ("innoai:8080/", f"{innoai}/"), ("service:3000 ", f"{behind} "))
    )
    (folder / "traefik.yaml").write_text(
        _changed(
            "traefik/traefik.yaml",
            ('":80"', f'"127.0.0.1:{port}"'),
            ("/etc/traefik/innoai.yaml", str(routes)),
        )
    )
    with _running([installed, f"--configFile={folder / 'traefik.yaml'}"], folder, port):
        origin = f"http://127.0.0.1:{port}"
        _wait_until_routed(origin)
        yield origin


PROXIES = {"nginx": nginx, "caddy": caddy, "envoy": envoy, "traefik": traefik}


def _changed(file: str, *changes: tuple[str, str]) -> str:
    """A file of deploy/ with what an operator has to change in it."""
    return changed_text((DEPLOY / file).read_text(), *changes)


def changed_text(text: str, *changes: tuple[str, str]) -> str:
    """A configuration with each of these, which it has once, changed."""
    for theirs, ours in changes:
        assert text.count(theirs) == 1, theirs
        text = text.replace(theirs, ours)
    return text


@contextmanager
def _running(command: Sequence[str], folder: Path, port: int, **environment: str) -> Iterator[None]:
    leash = [sys.executable, "-I", "-S", str(_LEASH), str(os.getpid())]
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*leash, *command], cwd=folder, env=clean_environment(**environment), stdout=output, stderr=output
        )
        try:
            _wait_until_listening(process, port, log)
            yield
        finally:
            process.terminate()
            process.wait(STOP_SECONDS)


def _wait_until_routed(origin: str) -> None:
    """Traefik listens before it has read its routes."""
    deadline = time.monotonic() + START_SECONDS
    while httpx.get(origin).status_code == 404:
        assert time.monotonic() < deadline, "no route"
        time.sleep(0.02)


def _wait_until_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        else:
            return
