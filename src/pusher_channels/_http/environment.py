"""What the environment and the options say of proxies and certificates, by httpx's rules."""

from __future__ import annotations

import os
import ssl
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING

from pusher_channels._http.messages import HttpProxy, Origin
from pusher_channels_rest.lazy import forks_wait

if TYPE_CHECKING:
    import httpx


class OtherProxy(Exception):  # noqa: N818  not an error: httpx knows what to do with it
    """The proxy is one for httpx: SOCKS, spoken to over TLS, or an object of httpx."""


def proxy_for(origin: Origin, option: str | httpx.URL | httpx.Proxy | None) -> HttpProxy | None:
    """Return the proxy to use for a server: the option's, or the environment's.

    Raises:
        OtherProxy: There is one, of another kind.
        ValueError: The URL is none.
    """
    url = _proxy_of_environment(origin) if option is None else option
    if url is None:
        return None
    if not isinstance(url, str) or not url.startswith("http://"):
        raise OtherProxy
    with forks_wait():
        from base64 import b64encode
        from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    headers: dict[str, str] = {}
    if parts.username is not None:
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {b64encode(credentials.encode()).decode()}"
    return HttpProxy(origin=Origin("http", parts.hostname or "", parts.port or 80), headers=headers)


def _proxy_of_environment(origin: Origin) -> str | None:
    asks_the_system = sys.platform in ("win32", "darwin")
    if not asks_the_system and not any(name.lower().endswith("_proxy") for name in os.environ):
        return None  # as nearly always: the import below costs as much as the rest of ours
    with forks_wait():
        from urllib.request import getproxies, proxy_bypass

    found = getproxies()
    url = found.get(origin.scheme) or found.get("all")
    # A proxy's loopback is not ours: Go's rule, too. (The local server must work where the company has a proxy.)
    here = f"{origin.host}:{origin.port}"
    if not url or proxy_bypass(origin.host) or proxy_bypass(here) or origin.is_loopback:
        return None
    return url if "://" in url else f"http://{url}"


def ssl_contexts(verify: bool | ssl.SSLContext) -> Callable[[], ssl.SSLContext]:
    """Return what gives the context for each TLS connection."""
    if isinstance(verify, ssl.SSLContext):
        return partial(_speaking_http_1, verify)  # each time: it may serve others, too
    # Once: other threads may be connecting with it.
    return cache(lambda: _speaking_http_1(_make_ssl_context(verify)))


def _speaking_http_1(context: ssl.SSLContext) -> ssl.SSLContext:
    context.set_alpn_protocols(["http/1.1"])
    return context


def _make_ssl_context(verify: bool) -> ssl.SSLContext:
    if verify:
        file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
        if not file and not folder:
            with forks_wait():
                import certifi

            file = certifi.where()
        context = ssl.create_default_context(cafile=file or None, capath=None if file else folder)
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
