"""A real browser: Debian's Chromium, driven headless by its chromedriver with plain WebDriver calls."""

from __future__ import annotations

import base64
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.peers.harness import free_port, missing

PATIENCE = 60.0

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-proxy-server",
    # Whatever a page asks of the internet fails at once.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
    "--force-color-profile=srgb",
)


class Browser:
    """One window."""

    def __init__(self, session_url: str, http: httpx.Client) -> None:
        self._url = session_url
        self._http = http

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        json = (body or {}) if method == "POST" else None
        answer = self._http.request(method, self._url + path, json=json)
        value = answer.json()["value"]
        assert answer.is_success, value
        return value

    def open(self, url: str) -> None:
        self.call("POST", "/url", {"url": url})

    def run(self, script: str, *args: object) -> Any:
        """Run the body of a function in the page, and return what it returns. A promise is waited for."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def wait(self, script: str, *args: object, until: Callable[[Any], bool] = bool) -> Any:
        """Run the script until its value is right."""
        end = time.monotonic() + PATIENCE
        while not until(value := self.run(script, *args)):
            if time.monotonic() > end:
                raise AssertionError(
                    f"{script} {args} is still {value!r}: {self.run('return document.body.innerText')}"
                )
            time.sleep(0.02)
        return value

    def screenshot(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def resize(self, width: int, height: int) -> None:
        """Make the page itself this large."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})

    def problems(self) -> list[str]:
        """What the page complained of since the last time: errors, and what its security policy refused."""
        entries = self.call("POST", "/se/log", {"type": "browser"})
        return [str(entry["message"]) for entry in entries if entry["level"] == "SEVERE"]

    def prefer(self, scheme: str) -> None:
        """Prefer a colour scheme: light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        params = {"cmd": "Emulation.setEmulatedMedia", "params": {"features": features}}
        self.call("POST", "/goog/cdp/execute", params)


class _Driver:
    """A chromedriver process with its Chromium and a profile of their own, in a process group of their own."""

    def __init__(self, chromedriver: str, chromium: str, home: str) -> None:
        port = free_port()
        self._chromium = chromium
        self._home = home
        self._http = httpx.Client(timeout=60, trust_env=False, base_url=f"http://127.0.0.1:{port}")
        self._process = subprocess.Popen(
            [chromedriver, f"--port={port}", "--log-level=SEVERE"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "HOME": home, "TMPDIR": home},
            start_new_session=True,
        )

    def open(self) -> Browser:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self._http.get("/status")
                break
            except httpx.TransportError:
                assert self._process.poll() is None, "chromedriver ended"
                assert time.monotonic() < end, "chromedriver does not answer"
                time.sleep(0.05)
        options = {"binary": self._chromium, "args": [*FLAGS, f"--user-data-dir={self._home}/profile"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        answer = self._http.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
        assert answer.is_success, answer.text
        return Browser(f"/session/{answer.json()['value']['sessionId']}", self._http)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._http.close()
        # The group has the browser too, however far it got.
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def open_browser() -> Generator[Browser]:
    """Start a browser. Skips, or fails in CI, if there is none."""
    chromium, chromedriver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        missing("chromium and chromedriver are not installed (Debian: chromium, chromium-driver)")
    with (
        tempfile.TemporaryDirectory(prefix="browser-", ignore_cleanup_errors=True) as home,
        _Driver(chromedriver, chromium, home) as driver,
    ):
        yield driver.open()
