"""What the two clients share: their options and the local operations."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Generic, Self, TypeVar

import attrs

from pusher_channels import _config
from pusher_channels._encryption import KeyRing
from pusher_channels._json import JsonEncoder
from pusher_channels._pool import Pool
from pusher_channels._secret import Secret
from pusher_channels.errors import ConfigurationError
from pusher_channels_rest.lazy import forks_wait, once

if TYPE_CHECKING:
    import ssl as ssl_module

    import httpx

    from pusher_channels._attempts import Attempt
    from pusher_channels._authorization import Authorizer
    from pusher_channels._builder import RequestBuilder
    from pusher_channels._webhooks import Headers, Webhook, WebhookReader
    from pusher_channels_rest.models import ChannelAuthorization, PresenceUser, SigninUser, UserAuthentication

HttpClientT = TypeVar("HttpClientT")


@attrs.frozen(kw_only=True)
class _State(Generic[HttpClientT]):
    settings: _config.Settings
    pool: Pool[HttpClientT]
    keys: KeyRing
    json_encoder: JsonEncoder | None
    is_view: bool = False


class BaseClient(Generic[HttpClientT]):
    """All that the two clients share. Use `Pusher` or `AsyncPusher`."""

    _state: _State[HttpClientT]
    _http_client_kind: str
    """The name of the httpx class that ``http_client`` must be of."""

    def __init__(
        self,
        app_id: str,
        key: str,
        secret: str,
        *,
        cluster: str | None = None,
        host: str | None = None,
        port: int | None = None,
        ssl: bool = True,
        push_notification_host: str | None = None,
        timeout: float | httpx.Timeout = 5.0,
        deadline: float | None = 30.0,
        max_retries: int = 2,
        retry_unsafe: bool = False,
        encryption_master_key_base64: str | Sequence[str] | None = None,
        json_encoder: JsonEncoder | None = None,
        max_data_bytes: int | None = None,
        max_batch_events: int | None = None,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        verify: bool | ssl_module.SSLContext = True,
        http_client: HttpClientT | None = None,
        on_request: Callable[[Attempt], None] | None = None,
        on_response: Callable[[Attempt], None] | None = None,
    ) -> None:
        """Make a client. It connects when it is first used, and can be used from any thread.

        Args:
            app_id: The app's id, as the dashboard shows it.
            key: The app's key.
            secret: The app's secret. It is never shown or logged.
            cluster: The app's cluster, such as ``eu``. The default is ``mt1``.
            host: ``name[:port]`` of another server than the cluster's. It beats ``cluster``.
            port: The port, where it is not 443 (or 80 without ``ssl``).
            ssl: Whether to use https.
            push_notification_host: The host of the legacy push notifications, for `notify`.
            timeout: Seconds for one attempt of a call, from waiting for a connection to the last byte. A `Timeout` with
                parts limits those as well. Through httpx (with an ``http_client`` of your own, or a SOCKS or https
                proxy) `Pusher` limits the parts, not the whole.
            deadline: Seconds for a call with all its attempts and waits; None for no limit.
            max_retries: How often a call is tried again. Queries and `x-idempotent` operations are repeated after
                connection errors, timeouts, 429 and 5xx; publishing only if it was certainly not taken: no connection
                could be made, 429, or 503 with Retry-After.
            retry_unsafe: Repeat publishing like a query. An event may then arrive twice.
            encryption_master_key_base64: 32 bytes in base64, or several of them while keys are rotated: the first
                one encrypts, all of them decrypt.
            json_encoder: Turns event data and user objects into JSON text in place of the built-in rules.
            max_data_bytes: The most bytes of data in an event, if another limit than 10,240 was agreed.
            max_batch_events: The most events in a batch, if another limit than 10 was agreed.
            proxy: The URL of an HTTP proxy.
            verify: Whether to check the server's certificate, or an `ssl.SSLContext` with your own authorities.
            http_client: Your own httpx client, in place of ``proxy`` and ``verify``. It stays yours to close; its
                base_url, params, auth and cookies are not used.
            on_request: Called before each attempt.
            on_response: Called after each attempt, whatever came of it, unless it was cancelled or interrupted.

        Raises:
            ConfigurationError: An option cannot work. The error names it and never shows its value.
        """
        credentials = _config.check_credentials(app_id, key, Secret(secret))
        keys = KeyRing(encryption_master_key_base64)
        if json_encoder is not None and not callable(json_encoder):
            raise ConfigurationError("json_encoder", "must be callable")
        _config.check_http_client(http_client, type(self)._http_client_kind, proxy=proxy, verify=verify)
        settings = _config.Settings(
            credentials=credentials,
            hosts=_config.check_hosts(
                cluster=cluster, host=host, port=port, ssl=ssl, push_notification_host=push_notification_host
            ),
            limits=_config.check_limits(max_data_bytes=max_data_bytes, max_batch_events=max_batch_events),
            timeout=_config.check_timeout(timeout),
            deadline=_config.check_deadline(deadline),
            max_retries=_config.check_max_retries(max_retries),
            retry_unsafe=_config.check_flag(retry_unsafe, "retry_unsafe"),
            on_request=_config.check_hook(on_request, "on_request"),
            on_response=_config.check_hook(on_response, "on_response"),
            headers={},
            proxy=proxy,
            verify=verify,
        )
        self._state = _State(
            settings=settings,
            pool=Pool(http_client),
            keys=keys,
            json_encoder=json_encoder,
        )

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        cluster: str | None = None,
        host: str | None = None,
        port: int | None = None,
        ssl: bool | None = None,
        push_notification_host: str | None = None,
        timeout: float | httpx.Timeout = 5.0,
        deadline: float | None = 30.0,
        max_retries: int = 2,
        retry_unsafe: bool = False,
        encryption_master_key_base64: str | Sequence[str] | None = None,
        json_encoder: JsonEncoder | None = None,
        max_data_bytes: int | None = None,
        max_batch_events: int | None = None,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        verify: bool | ssl_module.SSLContext = True,
        http_client: HttpClientT | None = None,
        on_request: Callable[[Attempt], None] | None = None,
        on_response: Callable[[Attempt], None] | None = None,
    ) -> Self:
        """Make a client from ``https://KEY:SECRET@HOST[:PORT]/apps/APP_ID``.

        Key and secret may hold percent-escapes. The scheme decides ``ssl``. ``host``, ``port`` and ``ssl``, when
        given, replace what the URL says; a ``cluster`` is not used, since the URL has a host.

        Raises:
            ConfigurationError: The URL or an option cannot work. The error never shows the URL.
        """
        parts = _config.parse_url(url)
        return cls(
            parts.app_id,
            parts.key,
            parts.secret.reveal(),
            cluster=cluster,
            host=parts.host if host is None else host,
            port=parts.port if host is None and port is None else port,
            ssl=parts.ssl if ssl is None else ssl,
            push_notification_host=push_notification_host,
            timeout=timeout,
            deadline=deadline,
            max_retries=max_retries,
            retry_unsafe=retry_unsafe,
            encryption_master_key_base64=encryption_master_key_base64,
            json_encoder=json_encoder,
            max_data_bytes=max_data_bytes,
            max_batch_events=max_batch_events,
            proxy=proxy,
            verify=verify,
            http_client=http_client,
            on_request=on_request,
            on_response=on_response,
        )

    @classmethod
    def from_env(
        cls,
        name: str = "PUSHER_URL",
        *,
        cluster: str | None = None,
        host: str | None = None,
        port: int | None = None,
        ssl: bool | None = None,
        push_notification_host: str | None = None,
        timeout: float | httpx.Timeout = 5.0,
        deadline: float | None = 30.0,
        max_retries: int = 2,
        retry_unsafe: bool = False,
        encryption_master_key_base64: str | Sequence[str] | None = None,
        json_encoder: JsonEncoder | None = None,
        max_data_bytes: int | None = None,
        max_batch_events: int | None = None,
        proxy: str | httpx.URL | httpx.Proxy | None = None,
        verify: bool | ssl_module.SSLContext = True,
        http_client: HttpClientT | None = None,
        on_request: Callable[[Attempt], None] | None = None,
        on_response: Callable[[Attempt], None] | None = None,
    ) -> Self:
        """Make a client from the URL in the environment variable ``name``: see `from_url`.

        Raises:
            ConfigurationError: The variable is not set, or its URL or an option cannot work.
        """
        if not isinstance(name, str) or not name.isprintable():  # pyright: ignore[reportUnnecessaryIsInstance]
            raise ConfigurationError("name", "must be the name of an environment variable")
        url = Secret(os.environ.get(name, ""))
        if not url.reveal():
            raise ConfigurationError(name, "is not set in the environment")
        try:
            return cls.from_url(
                url.reveal(),
                cluster=cluster,
                host=host,
                port=port,
                ssl=ssl,
                push_notification_host=push_notification_host,
                timeout=timeout,
                deadline=deadline,
                max_retries=max_retries,
                retry_unsafe=retry_unsafe,
                encryption_master_key_base64=encryption_master_key_base64,
                json_encoder=json_encoder,
                max_data_bytes=max_data_bytes,
                max_batch_events=max_batch_events,
                proxy=proxy,
                verify=verify,
                http_client=http_client,
                on_request=on_request,
                on_response=on_response,
            )
        except ConfigurationError as error:
            if error.option != "url":
                raise
            raise ConfigurationError(name, error.rule) from None

    def with_options(
        self,
        *,
        timeout: float | httpx.Timeout | None = None,
        deadline: float | None = None,
        headers: Mapping[str, str] | None = None,
        max_retries: int | None = None,
        retry_unsafe: bool | None = None,
    ) -> Self:
        """Return a view of this client with other options, over the same connections.

        An option that is None stays as it is. Only this client closes the connections: closing a view does nothing.

        Args:
            timeout: Seconds for one attempt of a call.
            deadline: Seconds for a call with all its attempts and waits; ``math.inf`` for no limit.
            headers: Headers to send besides the client's own.
            max_retries: How often a call is tried again.
            retry_unsafe: Whether to repeat publishing even if the server may have taken it.

        Raises:
            ConfigurationError: An option cannot work.
        """
        settings = self._state.settings
        if timeout is not None:
            settings = attrs.evolve(settings, timeout=_config.check_timeout(timeout))
        if deadline is not None:
            settings = attrs.evolve(settings, deadline=_config.check_deadline(deadline))
        if headers is not None:
            settings = attrs.evolve(settings, headers={**settings.headers, **_config.check_headers(headers)})
        if max_retries is not None:
            settings = attrs.evolve(settings, max_retries=_config.check_max_retries(max_retries))
        if retry_unsafe is not None:
            settings = attrs.evolve(settings, retry_unsafe=_config.check_flag(retry_unsafe, "retry_unsafe"))
        view = object.__new__(type(self))
        view._state = attrs.evolve(self._state, settings=settings, is_view=True)
        return view

    def __copy__(self) -> Self:
        return self.with_options()

    def __reduce__(self) -> str:
        raise TypeError(f"a {type(self).__name__} is not to be pickled: make one where it is used")

    def __repr__(self) -> str:
        settings = self._state.settings
        return f"{type(self).__name__}(app_id={settings.credentials.app_id!r}, host={settings.hosts.api!r})"

    # Local operations: they compute, and never connect.

    def authorize_channel(
        self,
        socket_id: str,
        channel_name: str,
        user: PresenceUser | Mapping[str, object] | None = None,
        *,
        signed_in: bool = False,
    ) -> ChannelAuthorization:
        """Authorize a connection to subscribe to a private, presence or encrypted channel.

        Call it in your auth endpoint, once you know that the user may subscribe, and answer ``.to_dict()`` as JSON
        with status 200. https://pusher.com/docs/channels/server_api/authorizing-users/

        Args:
            socket_id: The connection, as the browser client sends it.
            channel_name: The channel, as the browser client sends it.
            user: For a presence channel: ``user_id`` (a str of at most 128 characters, or an int below 2^53) and an
                optional ``user_info`` object, at most 1,024 bytes of JSON in all. A mapping keeps its extra keys.
            signed_in: Allow a presence channel without ``user``: the connection's signed-in user stands in.

        Raises:
            InvalidArgumentError: An argument breaks its rule. Nothing was signed.
            ConfigurationError: The channel is encrypted and the client has no master key.
        """
        return self._authorizer.authorize_channel(socket_id, channel_name, user, signed_in=signed_in)

    def authorize_channel_form(
        self, body: bytes | str, user: PresenceUser | Mapping[str, object] | None = None, *, signed_in: bool = False
    ) -> ChannelAuthorization:
        """Do `authorize_channel` for the form that the browser client posts (``socket_id`` and ``channel_name``).

        Raises:
            InvalidArgumentError: The body is not such a form, or an argument breaks its rule.
            ConfigurationError: The channel is encrypted and the client has no master key.
        """
        with forks_wait():
            from pusher_channels._authorization import parse_auth_form

        socket_id, channel_name = parse_auth_form(body, "socket_id", "channel_name")
        return self.authorize_channel(socket_id, channel_name, user, signed_in=signed_in)

    def authenticate_user(self, socket_id: str, user: SigninUser | Mapping[str, object]) -> UserAuthentication:
        """Authenticate the user of a connection that signs in.

        Call it in your user-auth endpoint and answer ``.to_dict()`` as JSON with status 200.
        https://pusher.com/docs/channels/server_api/authenticating-users/

        Args:
            socket_id: The connection, as the browser client sends it.
            user: ``id`` (1 to 200 of the characters of channel names), an optional ``user_info`` object and an
                optional ``watchlist`` of at most 100 ids. A mapping keeps its extra keys.

        Raises:
            InvalidArgumentError: An argument breaks its rule. Nothing was signed.
        """
        return self._authorizer.authenticate_user(socket_id, user)

    def authenticate_user_form(self, body: bytes | str, user: SigninUser | Mapping[str, object]) -> UserAuthentication:
        """Do `authenticate_user` for the form that the browser client posts (``socket_id``).

        Raises:
            InvalidArgumentError: The body is not such a form, or an argument breaks its rule.
        """
        with forks_wait():
            from pusher_channels._authorization import parse_auth_form

        (socket_id,) = parse_auth_form(body, "socket_id")
        return self.authenticate_user(socket_id, user)

    def webhook(
        self,
        headers: Headers,
        body: bytes,
        *,
        tokens: Mapping[str, str] | None = None,
        max_age: float | None = 900,
    ) -> Webhook:
        """Verify a webhook and return its typed events.

        https://pusher.com/docs/channels/server_api/webhooks/

        Args:
            headers: The request's headers, their names in any case.
            body: The raw body, exactly as it came.
            tokens: More keys with their secrets that are accepted while the app's token is rotated.
            max_age: Seconds that the webhook may be old by the local clock (it may be 60 seconds ahead). A webhook is
                retried for 5 minutes. None accepts any time.

        Raises:
            WebhookError: The webhook is not to be trusted or not readable; its subclass says why.
            InvalidArgumentError: ``body`` is not bytes, or ``tokens`` or ``max_age`` cannot be.
        """
        accepted = _config.check_tokens(tokens)
        _config.check_max_age(max_age)
        return self._webhook_reader.read(headers, body, tokens=accepted, max_age=max_age, now=time.time())

    # Made when they are first used, as most programs need but one or two of them, and each loads what it needs.

    @once
    def _authorizer(self) -> Authorizer:
        from pusher_channels._authorization import Authorizer

        state, credentials = self._state, self._state.settings.credentials
        return Authorizer(credentials.key, credentials.secret, state.keys, state.json_encoder)

    @once
    def _webhook_reader(self) -> WebhookReader:
        from pusher_channels._webhooks import WebhookReader

        credentials = self._state.settings.credentials
        return WebhookReader(credentials.key, credentials.secret, self._state.keys)

    @once
    def _build(self) -> RequestBuilder:
        from pusher_channels._builder import RequestBuilder

        state = self._state
        return RequestBuilder(state.settings.credentials.app_id, state.settings.limits, state.keys, state.json_encoder)
