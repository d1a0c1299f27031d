"""nginx as a server that takes every request and answers `{}`, over TLS and without: it costs less than any client."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from importlib import import_module, util
from pathlib import Path

import attrs
import certifi

_CONFIG = """
daemon off; worker_processes 1; error_log stderr error; pid {folder}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s; client_body_buffer_size 256k;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{
    listen 127.0.0.1:{http_port};
    listen 127.0.0.1:{https_port} ssl; ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/cert.key;
    location / {{ default_type application/json; return 200 '{{}}'; }}
  }}
}}
"""


@attrs.frozen
class Sink:
    """Where the server is, and what proves that it is the right one.

    Attributes:
        http_port: The port without TLS, on 127.0.0.1.
        https_port: The port with TLS.
        ca: A file with the private authority alone.
        trusted: certifi's authorities and the private one, so that loading them costs what it costs in life.
            `SSL_CERT_FILE` names it in every contestant's environment.
        pusher_trusted: The same with the authorities that the PyPI library brings; empty without that library.
        server: The server's name and version.
    """

    http_port: int
    https_port: int
    ca: str
    trusted: str
    pusher_trusted: str
    server: str


@contextmanager
def serving(folder: Path) -> Generator[Sink]:
    """Run the server, with all of its files in the folder.

    Raises:
        SystemExit: nginx or openssl is missing, or does not start.
    """
    nginx = nginx_path()
    if nginx is None or shutil.which("openssl") is None:
        raise SystemExit("nginx and openssl are needed as the other end: apt-get install nginx-light openssl")
    ca = make_certificates(folder)
    version = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr
    # nginx is handed these, as it hands them to its successor: a port that is only looked up may be taken by then.
    listeners = [socket.create_server(("127.0.0.1", 0), backlog=511) for _ in range(2)]
    for listener in listeners:
        listener.setblocking(False)
    sink = Sink(
        http_port=listeners[0].getsockname()[1],
        https_port=listeners[1].getsockname()[1],
        ca=str(ca),
        trusted=_with_ca(Path(certifi.where()), ca, folder / "trusted.pem"),
        pusher_trusted=_with_ca(path, ca, folder / "pusher.pem") if (path := _pusher_authorities()) else "",
        server=version.strip().removeprefix("nginx version: "),
    )
    config = folder / "nginx.conf"
    config.write_text(_CONFIG.format(folder=folder, http_port=sink.http_port, https_port=sink.https_port))
    handed = [listener.fileno() for listener in listeners]
    environment = {**os.environ, "NGINX": "".join(f"{number};" for number in handed)}
    command = [nginx, "-p", str(folder), "-c", str(config)]
    process = subprocess.Popen(command, env=environment, pass_fds=handed)
    for listener in listeners:
        listener.close()
    try:
        _wait_for(sink.http_port, process)
        yield sink
    finally:
        process.terminate()
        process.wait()


def nginx_path() -> str | None:
    """Find nginx, which Debian keeps off the path of those who are not root."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


def make_certificates(folder: Path) -> Path:
    """Make a private authority and a server certificate for 127.0.0.1 signed by it (rustls wants them apart)."""
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    signed = ["-CA", str(folder / "ca.pem"), "-CAkey", str(folder / "ca.key")]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    server = [*names, *signed, "-addext", "basicConstraints=critical,CA:FALSE"]
    authority = ["-subj", "/CN=benchmark CA", "-addext", "keyUsage=critical,keyCertSign"]
    for name, extra in {"ca": authority, "cert": server}.items():
        files = ["-keyout", str(folder / f"{name}.key"), "-out", str(folder / f"{name}.pem")]
        subprocess.run(["openssl", "req", "-x509", *key, *extra, *files], check=True, capture_output=True)
    return folder / "ca.pem"


def _pusher_authorities() -> Path | None:
    """Find the authorities that the PyPI library trusts instead of the system's."""
    if util.find_spec("pusher") is None:
        return None
    return Path(str(import_module("pusher").__file__)).parent / "cacert.pem"


def _with_ca(authorities: Path, ca: Path, target: Path) -> str:
    target.write_bytes(authorities.read_bytes() + b"\n" + ca.read_bytes())
    return str(target)


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    ends = time.monotonic() + 60
    while True:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=1)  # which the system accepts in nginx's stead
            connection.request("GET", "/")
            connection.getresponse()
            connection.close()
            return
        except (OSError, HTTPException):
            if time.monotonic() > ends or process.poll() is not None:
                raise SystemExit("nginx did not start") from None
            time.sleep(0.05)
