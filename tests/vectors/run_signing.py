"""Runners: request signing."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import httpx

from pusher_channels import InvalidArgumentError, InvalidSignatureError, InvalidWebhookBodyError, SignatureAuth
from pusher_channels.signing import sign_request, string_to_sign

from .differences import Difference
from .support import KEY, Case, Session, as_object, as_text, is_list, md5, refused, sha256_hmac, webhook_headers


def sign_request_vector(case: Case) -> None:
    """The signed text, the signature, and the URL as httpx and the client send it."""
    inputs, expected = case.inputs, case.expected
    method, path = inputs.text("method"), inputs.text("path")
    query = as_object(inputs["query"])
    pairs = [pair for name, value in query.items() for pair in _pairs(name, value)]
    text_only = all(isinstance(value, str) for value in query.values())
    if not text_only:
        case.differs(Difference.QUERY_IS_TEXT)
        with refused(InvalidArgumentError, "query"):
            Session(case.twin).call("request", method, path, query=query)
        with refused(InvalidArgumentError, "query"):
            sign = cast("Callable[..., object]", sign_request)  # as without a type checker
            sign(method, path, query, None, key="k", secret="s", timestamp=1)
    if "key" not in inputs:
        assert string_to_sign(method, path, pairs) == expected["string_to_sign"]
        return

    key, secret, timestamp = inputs.text("key"), inputs.text("secret"), int(inputs.text("auth_timestamp"))
    body = inputs.optional_text("body")
    signature, body_md5 = expected["auth_signature"], expected.get("body_md5")
    auth = [("auth_key", key), ("auth_timestamp", str(timestamp)), ("auth_version", inputs.text("auth_version"))]
    md5_pair = [("body_md5", md5(body.encode()))] if body else []
    text = expected.text("string_to_sign", string_to_sign(method, path, [*pairs, *auth, *md5_pair]))
    assert sha256_hmac(secret, text) == signature
    if body_md5 is not None and not body:
        case.differs(Difference.NO_MD5_OF_NOTHING)
        text = text.replace(f"&body_md5={body_md5}", "")
        signature, body_md5 = sha256_hmac(secret, text), None
    assert string_to_sign(method, path, [*pairs, *auth, *md5_pair]) == text
    if text_only:
        signed = sign_request(method, path, dict(pairs), body, key=key, secret=secret, timestamp=timestamp)
        assert signed.pop("auth_signature") == signature
        assert signed.get("body_md5") == body_md5
        assert signed == dict([*pairs, *auth, *md5_pair])
    if "url" in expected:
        _check_url(case, httpx.URL(expected.text("url")), pairs, body, key=key, secret=secret, timestamp=timestamp)


def _pairs(name: str, value: object) -> list[tuple[str, str]]:
    if value is None:
        return [(name, "")]
    if is_list(value):
        return [(f"{name}[]", as_text(item)) for item in value]
    return [(name, as_text(value))]


def _check_url(
    case: Case, url: httpx.URL, pairs: list[tuple[str, str]], body: str | None, *, key: str, secret: str, timestamp: int
) -> None:
    method, path = case.inputs.text("method"), case.inputs.text("path")
    wire: list[httpx.URL] = []

    def keep(request: httpx.Request) -> httpx.Response:
        wire.append(request.url)
        return httpx.Response(200)

    auth = SignatureAuth(key, secret, clock=lambda: timestamp + 0.999)
    with httpx.Client(auth=auth, transport=httpx.MockTransport(keep)) as client:
        client.request(method, url.copy_with(query=None), params=dict(pairs), content=body)
    assert wire[0].copy_with(query=None) == url.copy_with(query=None)
    assert dict(wire[0].params) == dict(url.params)

    secure = bool(case.inputs.get("secure", url.scheme == "https"))
    host, cluster = case.inputs.get("host") or None, case.inputs.get("cluster")
    session = Session(case.twin, path.split("/")[2], key, secret, host=host, cluster=cluster, ssl=secure)
    session.call("request", method, path, query=dict(pairs), body=body)
    sent = session.sent(key, secret)
    if host is None and not cluster:
        case.differs(Difference.DEFAULT_HOST)
        url = url.copy_with(host="api-mt1.pusher.com")
    assert (sent.method, sent.base_url, sent.path) == (method, f"{url.scheme}://{url.netloc.decode()}", path)
    assert sent.own_query == dict(pairs)
    assert sent.content == (body or "").encode()


def body_md5(case: Case) -> None:
    """The digest of a body, signed and as it is sent."""
    body = case.inputs.text("body")
    signed = sign_request("POST", "/apps/3/events", None, body, key=KEY, secret="s", timestamp=1)
    assert signed["body_md5"] == case.expected["body_md5"]
    session = Session(case.twin)
    session.call("request", "POST", "/events", body=body)
    sent = session.sent()
    assert sent.query["body_md5"] == case.expected["body_md5"]
    assert sent.content == body.encode()


def hmac(case: Case) -> None:
    """The HMAC alone is what verifies a webhook: its signature passes, and only then is the body looked at."""
    secret, message, signature = case.inputs.text("secret"), case.inputs.text("message").encode(), case.expected["hex"]
    assert webhook_headers(message, secret=secret)["X-Pusher-Signature"] == signature
    session = Session(case.twin, "3", KEY, secret)
    headers = {"X-Pusher-Key": KEY, "X-Pusher-Signature": as_text(signature)}
    with refused(InvalidWebhookBodyError, None, secret):
        session.call("webhook", headers, message)
    with refused(InvalidSignatureError, None, secret, signature):
        session.call("webhook", headers, message + b" ")
