"""Signed requests made by hand, so that every part of them can be wrong."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import httpx

from pusher_channels.emulator import AppConfig, Emulator


def signed_query(
    method: str,
    path: str,
    query: Mapping[str, str],
    body: bytes,
    *,
    app: AppConfig,
    changes: Mapping[str, str | None],
) -> dict[str, str]:
    """Sign with the stdlib alone. ``changes`` are made before signing, that of the signature itself after it."""
    values: dict[str, str | None] = {
        "auth_key": app.key,
        "auth_timestamp": str(int(time.time())),
        "auth_version": "1.0",
        **({"body_md5": hashlib.md5(body).hexdigest()} if body else {}),
        **query,
        **changes,
    }
    pairs = {name: value for name, value in values.items() if value is not None and name != "auth_signature"}
    canonical = "&".join(f"{name.lower()}={value}" for name, value in sorted(pairs.items(), key=lambda p: p[0].lower()))
    text = f"{method}\n{path}\n{canonical}"
    pairs["auth_signature"] = hmac.new(app.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
    if "auth_signature" in changes:
        signature = changes["auth_signature"]
        if signature is None:
            del pairs["auth_signature"]
        else:
            pairs["auth_signature"] = signature
    return pairs


class Http:
    """Calls an emulator's HTTP API as one of its apps."""

    def __init__(self, server: Emulator, app: AppConfig | None = None) -> None:
        self._server = server
        self._app = app or server.apps[0]
        self._client = httpx.Client(trust_env=False, verify=False, timeout=20)  # plain http: it needs no authorities

    def close(self) -> None:
        self._client.close()

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
        signed_path: str | None = None,
        signing: Mapping[str, str | None] | None = None,
        escape: bool = True,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send a request. ``path`` is under the app's own unless it starts with ``//``.

        ``signing`` changes the parameters of the signature, None leaves one out. Without ``escape`` the query is sent
        as it is signed.
        """
        full_path = path[1:] if path.startswith("//") else f"/apps/{self._app.app_id}{path}"
        if content is None:
            content = b"" if body is None else json.dumps(body).encode()
        pairs = signed_query(
            method, signed_path or full_path, query or {}, content, app=self._app, changes=signing or {}
        )
        query_string = urlencode(pairs) if escape else "&".join(f"{name}={value}" for name, value in pairs.items())
        url = f"http://{self._server.host}:{self._server.port}{full_path}?{query_string}"
        if headers is None:
            headers = {"Content-Type": "application/json"} if content else {}
        return self._client.request(method, url, content=content or None, headers=headers)

    def get(self, path: str, **query: str) -> httpx.Response:
        return self.call("GET", path, query=query)

    def post(self, path: str, body: object) -> httpx.Response:
        return self.call("POST", path, body)

    def trigger(self, channel: str, name: str = "my-event", data: str = "hello", **fields: object) -> dict[str, Any]:
        """Publish an event, which must succeed."""
        response = self.post("/events", {"name": name, "channels": [channel], "data": data, **fields})
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Return status and text of an error, which is plain text ending in a newline."""
    assert response.headers["content-type"].startswith("text/plain"), response.headers
    assert response.text.endswith("\n")
    return response.status_code, response.text.removesuffix("\n")
