"""nginx in the foreground with one worker, everything it writes inside one folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  {servers}
}}
"""


def command(folder: Path, servers: str) -> list[str]:
    """Write the configuration into `folder`; the command that runs it."""
    folder.chmod(0o755)  # started by root, nginx's worker is another user and has to read its answers
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, servers=servers))
    return ["nginx", "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(configuration)]
