"""The client's options, checked once when the client is made."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeGuard, cast

import attrs

from pusher_channels._json import plain_text
from pusher_channels._secret import Secret
from pusher_channels.errors import ConfigurationError, InvalidArgumentError
from pusher_channels_rest.codec import DEFAULT_SERVER, Server
from pusher_channels_rest.lazy import forks_wait
from pusher_channels_rest.limits import DEFAULT_LIMITS, Limits

if TYPE_CHECKING:
    import ssl

    import httpx

    from pusher_channels._attempts import Attempt

    Hook = Callable[[Attempt], None]

_APP_ID = re.compile(r"[A-Za-z0-9._~-]+")
_CLUSTER = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MAX_SECONDS = 24 * 60 * 60
_SECONDS = "must be a number of seconds above 0 and at most a day, or an httpx.Timeout of such"


@attrs.frozen(kw_only=True)
class Credentials:
    """Who signs."""

    app_id: str
    key: str
    secret: Secret


def check_credentials(app_id: object, key: object, secret: Secret) -> Credentials:
    """Check the three values that every app has."""
    if not isinstance(app_id, str) or not _APP_ID.fullmatch(app_id) or app_id in (".", ".."):
        raise ConfigurationError("app_id", "must be a str of letters, digits and - . _ ~")
    for option, good in (("key", _is_credential(key)), ("secret", _is_credential(secret.reveal()))):
        if not good:
            raise ConfigurationError(option, "must be a str that is not empty and has no control characters")
    return Credentials(
        app_id=plain_text(app_id), key=plain_text(cast("str", key)), secret=Secret(plain_text(secret.reveal()))
    )


def _is_credential(value: object) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()


@attrs.frozen(kw_only=True)
class UrlParts:
    """What a ``PUSHER_URL`` says."""

    app_id: str
    key: str
    secret: Secret
    host: str
    port: int | None
    ssl: bool


def parse_url(url: object) -> UrlParts:
    """Read ``https://KEY:SECRET@HOST[:PORT]/apps/APP_ID``. No error shows the URL: it holds the secret."""
    parts = _read_url(url)
    del url  # error trackers show the locals of the frames that an error passes
    if isinstance(parts, str):
        raise ConfigurationError("url", parts)
    return parts


def _read_url(url: object) -> UrlParts | str:
    """Return the parts of the URL, or what is wrong with it."""
    with forks_wait():
        from urllib.parse import unquote, urlsplit

    form = "must have the form https://KEY:SECRET@HOST/apps/APP_ID"
    if not isinstance(url, str):
        return form
    if not url.isprintable() or url != url.strip() or " " in url:
        return f"{form}, without white space"  # urlsplit would drop some of it without a word
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return f"{form}, with a port from 1 to 65535 if any, and what is special in the key or secret percent-escaped"
    if parts.scheme not in ("http", "https"):
        return "must begin with https:// or http://"
    if not parts.username:
        return f"has no key; it {form}"
    if not parts.password:
        return f"has no secret; it {form}"
    if not host:
        return f"has no host; it {form}"
    path = re.fullmatch(r"/apps/([^/]+)/?", parts.path)
    if path is None or parts.query or parts.fragment:
        return f"has no app id, or more than it; it {form}"
    try:
        app_id, key, secret = (
            unquote(part, errors="strict") for part in (path.group(1), parts.username, parts.password)
        )
    except UnicodeDecodeError:
        return "has percent-escapes that are not UTF-8"
    return UrlParts(
        app_id=app_id,
        key=key,
        secret=Secret(secret),
        host=f"[{host}]" if ":" in host else host,
        port=port,
        ssl=parts.scheme == "https",
    )


@attrs.frozen(kw_only=True)
class Hosts:
    """Where requests go: the API's host, and the hosts that options name for operations with a server of their own."""

    api: str
    explicit: str | None
    by_option: Mapping[str, str | None]
    ssl: bool

    def origin(self, server: Server) -> str:
        """Return scheme, host and port for an operation of ``server``."""
        scheme = "https" if self.ssl else "http"
        if server == DEFAULT_SERVER:
            return f"{scheme}://{self.api}"
        if server.client_option is None:
            return server.url
        host = self.by_option.get(server.client_option) or self.explicit
        if host is None:
            rule = "is needed for this operation: the provider's own host is gone"
            raise ConfigurationError(server.client_option, rule)
        return f"{scheme}://{host}"


@attrs.frozen(kw_only=True)
class Settings:
    """All that a transport needs to know; ``with_options`` changes some of it. A deadline of infinity is none."""

    credentials: Credentials
    hosts: Hosts
    limits: Limits
    timeout: httpx.Timeout | float
    deadline: float
    max_retries: int
    retry_unsafe: bool
    on_request: Hook | None
    on_response: Hook | None
    headers: Mapping[str, str]
    proxy: str | httpx.URL | httpx.Proxy | None = attrs.field(repr=False)  # may hold a password
    verify: bool | ssl.SSLContext


def check_hosts(*, cluster: object, host: object, port: object, ssl: object, push_notification_host: object) -> Hosts:
    """Decide the hosts: an explicit one beats the cluster."""
    check_flag(ssl, "ssl")
    explicit = None if host is None else _check_host(host, "host")
    if port is not None and (not isinstance(port, int) or isinstance(port, bool) or not 1 <= port <= 65535):
        raise ConfigurationError("port", "must be an int from 1 to 65535")
    if cluster is not None and (not isinstance(cluster, str) or (cluster and not _CLUSTER.fullmatch(cluster))):
        raise ConfigurationError("cluster", "must be a name such as eu: letters, digits and hyphens")
    if explicit is None:
        values = {**DEFAULT_SERVER.variables, **({"cluster": plain_text(cluster)} if cluster else {})}
        api = DEFAULT_SERVER.url.format(**values).partition("://")[2]
    else:
        api = explicit
    if port is not None:
        if re.search(r":[0-9]+$", api):
            raise ConfigurationError("port", "must not be given when host has a port")
        api = f"{api}:{port}"
    push = None if push_notification_host is None else _check_host(push_notification_host, "push_notification_host")
    return Hosts(
        api=api,
        explicit=api if explicit is not None else None,
        by_option={"push_notification_host": push},
        ssl=ssl is True,
    )


def _check_host(host: object, option: str) -> str:
    match = _HOST.fullmatch(plain_text(host)) if isinstance(host, str) else None
    if match is None or not _is_host_name(match["name"]):
        raise ConfigurationError(option, "must be name[:port], without scheme, path or user")
    if match["port"] is not None and not 1 <= int(match["port"]) <= 65535:
        raise ConfigurationError(option, "must have a port from 1 to 65535")
    return match[0]


def _is_host_name(name: str) -> bool:
    if name.startswith("[") or re.fullmatch("[0-9.]+", name):
        with forks_wait():
            from ipaddress import ip_address

        try:
            ip_address(name.strip("[]"))
        except ValueError:
            return False
        return True
    if name[:4].lower() == "xn--" and not _is_decodable(name):
        return False
    return len(name) <= 253 and all(1 <= len(label) <= 63 for label in name.removesuffix(".").split("."))


def _is_decodable(name: str) -> bool:
    """Tell whether httpx can read an internationalized name: it does so when a request is made, and fails at some."""
    with forks_wait():
        import httpx

    try:
        return bool(httpx.URL(f"http://{name}").host)
    except (ValueError, httpx.InvalidURL):
        return False


def check_limits(*, max_data_bytes: int | None, max_batch_events: int | None) -> Limits:
    """Return the spec's limits, or those that were agreed for a dedicated cluster or another server."""
    options = {"max_data_bytes": max_data_bytes, "max_batch_events": max_batch_events}
    for option, value in options.items():
        if value is not None and (type(value) is not int or not 1 <= value < 2**31):
            raise ConfigurationError(option, "must be an int above 0 and below 2^31")
    return attrs.evolve(DEFAULT_LIMITS, **{option: value for option, value in options.items() if value is not None})


def check_timeout(timeout: object) -> httpx.Timeout | float:
    """Return the timeout as httpx takes it. There is no way to switch it off: a hung call would hold a worker."""
    if _is_seconds(timeout):
        return timeout
    loaded = sys.modules.get("httpx")  # whoever has a Timeout has imported it
    if loaded is None or not isinstance(timeout, loaded.Timeout):
        raise ConfigurationError("timeout", _SECONDS)
    parts = [part for part in cast("httpx.Timeout", timeout).as_dict().values() if part is not None]
    if not parts:
        raise ConfigurationError("timeout", "must limit something")
    if not all(_is_seconds(part) for part in parts):  # httpx takes anything, and fails when it is used
        raise ConfigurationError("timeout", _SECONDS)
    return cast("httpx.Timeout", timeout)


def _is_seconds(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value <= _MAX_SECONDS


def check_deadline(deadline: object) -> float:
    """Return the deadline in seconds, infinite for None."""
    if deadline is None:
        return math.inf
    if not isinstance(deadline, (int, float)) or isinstance(deadline, bool) or not deadline > 0:
        raise ConfigurationError("deadline", "must be a number of seconds above 0, or None")
    return math.inf if deadline > _MAX_SECONDS * 365 else deadline


def check_max_retries(max_retries: object) -> int:
    """Check the number of retries."""
    if not isinstance(max_retries, int) or isinstance(max_retries, bool) or max_retries < 0:
        raise ConfigurationError("max_retries", "must be an int, 0 or more")
    return max_retries


def check_flag(value: object, option: str) -> bool:
    """Check an option that is True or False."""
    if not isinstance(value, bool):
        raise ConfigurationError(option, "must be True or False")
    return value


def check_hook(hook: Hook | None, option: str) -> Hook | None:
    """Check a function that is called with each attempt."""
    if hook is None:
        return None
    with forks_wait():
        from inspect import iscoroutinefunction

    if not callable(hook) or iscoroutinefunction(hook):
        raise ConfigurationError(option, "must be a function that takes an Attempt and does not have to be awaited")
    return hook


def check_proxy(proxy: object) -> None:
    """Check a proxy, as far as this goes without loading httpx."""
    loaded = sys.modules.get("httpx")
    if proxy is None or (loaded is not None and isinstance(proxy, (loaded.URL, loaded.Proxy))):
        return
    if not isinstance(proxy, str):
        raise ConfigurationError("proxy", "must be a URL as str or httpx.URL, or an httpx.Proxy")
    with forks_wait():
        from urllib.parse import urlsplit

    try:
        parts = urlsplit(proxy)
        host = f"[{parts.hostname}]" if "[" in parts.netloc else parts.hostname or ""
        known = parts.scheme in ("http", "https", "socks5", "socks5h")
        good = known and _HOST.fullmatch(host) is not None and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ConfigurationError("proxy", "must be a URL such as http://proxy.example:3128")


# What frames the request, or would say that its body is not what the guard against plaintext has read.
_OWN_HEADERS = frozenset(
    {"host", "content-length", "content-type", "content-encoding", "transfer-encoding", "connection", "expect", "te"}
    | {"upgrade", "trailer", "proxy-authorization"}
)


def check_headers(headers: object) -> dict[str, str]:
    """Check the extra headers of `with_options`: names and values that cannot break a request apart."""
    if not isinstance(headers, Mapping):
        raise ConfigurationError("headers", "must be a mapping of str to str")
    checked: dict[str, str] = {}
    for name, value in cast("Mapping[object, object]", headers).items():
        if not isinstance(name, str) or not _TOKEN.fullmatch(name):
            raise ConfigurationError("headers", "must have header names of letters, digits and hyphens")
        if name.lower() in _OWN_HEADERS:
            raise ConfigurationError(f"headers[{name!r}]", "is set by the client itself")
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise ConfigurationError(f"headers[{name!r}]", "must be printable ASCII")
        checked[name.lower()] = value
    return checked


def may_be_added(name: str, value: str) -> bool:
    """Tell whether a header can be added to a request as it is sent."""
    try:
        check_headers({name: value})
    except ConfigurationError:
        return False
    return True


def check_tokens(tokens: object) -> dict[str, Secret]:
    """Check the extra tokens of a webhook call."""
    checked = _read_tokens(tokens)
    del tokens  # error trackers show the locals of the frames that an error passes
    if checked is None:
        raise InvalidArgumentError("tokens", "must be a mapping of keys to their secrets")
    return checked


def _read_tokens(tokens: object) -> dict[str, Secret] | None:
    if tokens is None:
        return {}
    if not isinstance(tokens, Mapping):
        return None
    checked: dict[str, Secret] = {}
    for key, secret in cast("Mapping[object, object]", tokens).items():
        if not _is_credential(key) or not _is_credential(secret):
            return None
        checked[plain_text(cast("str", key))] = Secret(plain_text(cast("str", secret)))
    return checked


def check_max_age(max_age: object) -> None:
    """Check a webhook's greatest age."""
    if max_age is None:
        return
    if not isinstance(max_age, (int, float)) or isinstance(max_age, bool) or not max_age >= 0:
        raise InvalidArgumentError("max_age", "must be a number of seconds, 0 or more, or None")


def check_http_client(client: object, kind: str, *, proxy: object, verify: object) -> None:
    """Refuse the other twin's httpx client, and options that a given client would leave without effect."""
    if client is not None:
        with forks_wait():
            import httpx

        if not isinstance(client, getattr(httpx, kind)):
            raise ConfigurationError("http_client", f"must be an httpx.{kind}")
        if proxy is not None or verify is not True:
            raise ConfigurationError("http_client", "already decides proxy and verify: give those to it instead")
    check_proxy(proxy)
    if not isinstance(verify, bool):
        with forks_wait():
            import ssl

        if not isinstance(verify, ssl.SSLContext):
            raise ConfigurationError("verify", "must be True, False or an ssl.SSLContext")
