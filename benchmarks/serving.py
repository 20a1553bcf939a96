"""A directory served on loopback by a process of its own: nginx if it is installed, else aiohttp."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

PATIENCE = 10.0  # seconds in which the server must answer, and in which it must end

_NGINX = """\
daemon off;
worker_processes 1;
{user}pid {scratch}/nginx.pid;
error_log {scratch}/nginx.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    keepalive_requests 1000000;
    client_body_temp_path {scratch}; proxy_temp_path {scratch}; fastcgi_temp_path {scratch};
    uwsgi_temp_path {scratch}; scgi_temp_path {scratch};
    default_type application/octet-stream;
    types {{
        text/html html htm; text/css css; text/plain txt; application/javascript js; application/json json;
        image/png png; image/svg+xml svg; application/xml xml; application/gzip gz;
    }}
    server {{ listen 127.0.0.1:{port}; root "{directory}"; }}
}}
"""


class Served(NamedTuple):
    """A site that is being served: where, and by what."""

    origin: str
    program: str


@contextmanager
def served(directory: Path, scratch: Path) -> Iterator[Served]:
    """Serve `directory` while the block runs; `scratch` is an empty directory for the server's own files."""
    port = _free_port()
    nginx = shutil.which("nginx")
    if nginx is not None:
        configuration = _configured(directory, scratch, port)
        command = [nginx, "-p", str(scratch), "-e", str(scratch / "nginx.log"), "-c", str(configuration)]
    else:
        command = [sys.executable, str(Path(__file__)), str(directory), str(port)]
    with (scratch / "output").open("wb") as output:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        _wait_until_it_listens(server, port, scratch / "output")
        yield Served(f"http://127.0.0.1:{port}", "nginx" if nginx else "aiohttp")
    finally:
        server.terminate()
        try:
            server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _configured(directory: Path, scratch: Path, port: int) -> Path:
    # Started by root, nginx would serve as another user, who may not look into a temporary directory.
    user = f"user {pwd.getpwuid(0).pw_name};\n" if os.geteuid() == 0 else ""
    path = scratch / "nginx.conf"
    path.write_text(_NGINX.format(user=user, scratch=scratch, port=port, directory=directory), encoding="utf-8")
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_it_listens(server: subprocess.Popen[bytes], port: int, output: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise SystemExit(f"the server does not start:\n{output.read_text(encoding='utf-8', errors='replace')}")


def _serve(directory: str, port: int) -> None:
    from aiohttp import web

    app = web.Application()
    app.router.add_static("/", directory, follow_symlinks=True)
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
