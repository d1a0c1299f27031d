"""Runners: where a client connects, by its URL or by its options."""

from __future__ import annotations

import base64
import re
from urllib.parse import urlsplit

from pusher_channels import ChannelList, ConfigurationError

from .differences import Difference
from .loopback import proxy
from .support import (
    APP_ID,
    KEY,
    SECRET,
    Answer,
    Case,
    Sent,
    Session,
    Setup,
    as_object,
    as_text,
    refused,
)

_TLS_FLAGS = ("ssl", "useTLS", "use_tls", "forceTLS", "encrypted", "secure")
_EMPTY_LIST = Answer(body='{"channels":{}}')


def _list_channels(session: Session, key: str, secret: str) -> Sent:
    assert isinstance(session.call("channels.list"), ChannelList)
    return session.sent(key, secret)


def url_parse(case: Case) -> None:
    """``from_url`` and ``from_env``, seen in the request that the client sends."""
    inputs, expected = case.inputs, case.expected
    if "proxy" in expected:
        _check_proxy(case)
        return
    if "env" in inputs:
        variables = {name: as_text(value) for name, value in as_object(inputs["env"]).items()}
        case.monkeypatch.delenv("PUSHER_URL", raising=False)
        for name, value in variables.items():
            case.monkeypatch.setenv(name, value)
        maker, option = "from_env", next(iter(variables), "PUSHER_URL")
        argument: object = option
        url: object = variables.get(option, "")
    else:
        maker, option, argument = "from_url", "url", inputs["url"]
        url = argument

    parts = urlsplit(url) if isinstance(url, str) else None
    if expected.get("error") or parts is None or parts.scheme not in ("http", "https"):
        if not expected.get("error"):
            case.differs(Difference.HTTP_SCHEME)
            case.ignores("scheme", "host", "port", "key", "secret", "app_id", "ssl")
        password = None if parts is None else parts.password
        with refused(ConfigurationError, option, url if url else None, password):
            Session(Setup(case.twin, maker=maker), argument)
        return

    session = Session(Setup(case.twin, _EMPTY_LIST, maker), argument)
    key, secret = expected.get("key", parts.username), expected.get("secret", parts.password)
    sent = _list_channels(session, as_text(key), as_text(secret))
    assert as_text(secret) not in repr(session.client) or len(as_text(secret)) < 6
    assert sent.url.scheme == expected.get("scheme", parts.scheme)
    for name in _TLS_FLAGS:
        assert expected.get(name, parts.scheme == "https") is (sent.url.scheme == "https")
    if "host" in expected:
        assert expected["host"] in (sent.url.host, sent.url.netloc.decode())
    if "port" in expected:
        assert sent.url.port == expected["port"]
    if "app_id" in expected:
        assert sent.path == f"/apps/{expected['app_id']}/channels"


def _check_proxy(case: Case) -> None:
    """The URL of a proxy: its credentials reach the proxy and nothing else shows them."""
    wanted, url = as_object(case.expected["proxy"]), case.inputs.text("url")
    parts = urlsplit(url)
    assert parts.scheme == wanted["scheme"] == "http"
    assert (parts.hostname, parts.port) == (wanted["host"], wanted["port"])
    with proxy() as running:
        here = url.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{running.port}")
        # Time enough for a busy machine: a second attempt would be seen, too.
        session = Session(Setup(case.twin, network=True), proxy=here, ssl=False, cluster="eu", timeout=60.0)
        assert as_text(wanted["password"]) not in repr(session.client)
        assert isinstance(session.call_and_close("channels.list"), ChannelList)
    ((target, credentials),) = running.seen
    assert target.startswith("http://api-eu.pusher.com/apps/3/channels?auth_key=")
    assert credentials is not None
    assert base64.b64decode(credentials.removeprefix("Basic ")).decode() == f"{wanted['user']}:{wanted['password']}"


def config_default(case: Case) -> None:
    """The options, seen in the request that the client sends; ours are https, api-mt1, and no scheme in a host."""
    inputs, expected = case.inputs, case.expected
    key, secret = inputs.text("key", KEY), inputs.text("secret", SECRET)
    flags = [inputs[name] for name in _TLS_FLAGS if name in inputs]
    if "scheme" in inputs:
        flags.append(inputs["scheme"] == "https")
    options: dict[str, object] = {
        name: inputs[name] for name in ("cluster", "host", "port", "timeout") if name in inputs
    }
    if flags:
        options["ssl"] = flags[0]

    host, port = options.get("host"), options.get("port")
    if isinstance(host, str) and "://" in host:
        case.differs(Difference.HOST_HAS_NO_SCHEME)
        with refused(ConfigurationError, "host", host):
            Session(case.twin, **options)
        options["host"] = host = host.partition("://")[2]
    if isinstance(port, str):
        case.differs(Difference.PORT_IS_INT)
        with refused(ConfigurationError, "port"):
            Session(case.twin, **options)
        options["port"] = port = int(port)

    app_id = as_text(inputs.get("app_id", APP_ID))
    session = Session(Setup(case.twin, _EMPTY_LIST), app_id, key, secret, **options)
    sent = _list_channels(session, key, secret)
    assert sent.path == f"/apps/{app_id}/channels"
    scheme = "http" if options.get("ssl") is False else "https"
    name = host or f"api-{options.get('cluster') or 'mt1'}.pusher.com"
    default_port = 443 if scheme == "https" else 80
    assert (sent.url.scheme, sent.url.host, sent.url.port or default_port) == (scheme, name, port or default_port)

    wanted = dict.fromkeys(("scheme", "host", "port"), None) | _expected_parts(case)
    if wanted["host"] is not None and wanted["host"] != name:
        assert host is None
        assert wanted["host"] == "api.pusherapp.com"
        case.differs(Difference.DEFAULT_HOST)
    if wanted["scheme"] is not None and wanted["scheme"] != scheme:
        assert not flags or flags[0] is True
        case.differs(Difference.HTTPS)
    elif wanted["port"] is not None:
        assert int(str(wanted["port"])) == (port or default_port)
    if "timeout" in expected:
        if "timeout" not in inputs and expected["timeout"] != 5:
            case.differs(Difference.TIMEOUT)
        assert set(as_object(sent.timeout).values()) == {inputs.get("timeout", 5)}


def _expected_parts(case: Case) -> dict[str, object]:
    parts: dict[str, object] = {
        name: case.expected[name] for name in ("scheme", "host", "port") if name in case.expected
    }
    base_url = case.expected.optional_text("base_url")
    if base_url is not None:
        match = re.fullmatch(r"(https?)://([^:/]+)(?::([0-9]+))?/?", base_url)
        assert match is not None
        parts |= {"scheme": match[1], "host": match[2]} | ({"port": match[3]} if match[3] else {})
    return parts
