"""Channel authorization and user authentication: what the customer's own auth endpoints answer.

https://pusher.com/docs/channels/library_auth_reference/auth-signatures/
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from pusher_channels._encryption import KeyRing, is_encrypted
from pusher_channels._json import JsonEncoder, encode_json, is_object
from pusher_channels._secret import Secret
from pusher_channels.errors import InvalidArgumentError
from pusher_channels_rest import models  # not the classes, each of which is loaded when it is first named
from pusher_channels_rest.lazy import forks_wait
from pusher_channels_rest.reading import JSON_OBJECT
from pusher_channels_rest.scalars import check_channel_data, check_channel_name, check_socket_id

_MAX_FORM_FIELDS = 100


class Authorizer:
    """Signs for one app. Only a checked socket id and channel name reach the signature.

    The three texts that are signed differ by their colons alone, so a channel called ``:user::{...}`` would make the
    token of a user: the channel name's pattern, which has no colon, is what keeps them apart.
    """

    def __init__(self, key: str, secret: Secret, keys: KeyRing, json_encoder: JsonEncoder | None) -> None:
        self._key = key
        self._secret = secret
        self._keys = keys
        self._json_encoder = json_encoder

    def authorize_channel(
        self,
        socket_id: str,
        channel_name: str,
        user: models.PresenceUser | Mapping[str, object] | None,
        *,
        signed_in: bool,
    ) -> models.ChannelAuthorization:
        socket_id = check_socket_id(socket_id, "socket_id")
        channel_name = check_channel_name(channel_name, "channel_name")
        if not isinstance(signed_in, bool):  # pyright: ignore[reportUnnecessaryIsInstance]  "no" must not mean yes
            raise InvalidArgumentError("signed_in", "must be True or False")
        if channel_name.startswith("presence-"):
            if user is None and not signed_in:
                rule = "is needed for a presence channel, unless signed_in=True says that the connection has signed in"
                raise InvalidArgumentError("user", rule)
        elif not channel_name.startswith("private-"):
            rule = "must begin with private- or presence-: other channels need no authorization"
            raise InvalidArgumentError("channel_name", rule)
        elif user is not None:
            raise InvalidArgumentError("user", "is for presence channels only")
        shared_secret = self._keys.shared_secret(channel_name) if is_encrypted(channel_name) else None
        if user is None:
            auth = self._sign(f"{socket_id}:{channel_name}")
            return models.ChannelAuthorization.unchecked(auth=auth, shared_secret=shared_secret)
        channel_data = check_channel_data(self._user_json(user, models.PresenceUser), "user")
        auth = self._sign(f"{socket_id}:{channel_name}:{channel_data}")
        return models.ChannelAuthorization.unchecked(auth=auth, channel_data=channel_data)

    def authenticate_user(
        self, socket_id: str, user: models.SigninUser | Mapping[str, object]
    ) -> models.UserAuthentication:
        socket_id = check_socket_id(socket_id, "socket_id")
        user_data = self._user_json(user, models.SigninUser)
        return models.UserAuthentication.unchecked(
            auth=self._sign(f"{socket_id}::user::{user_data}"), user_data=user_data
        )

    def _sign(self, text: str) -> str:
        return f"{self._key}:{self._secret.sign(text.encode())}"

    def _user_json(self, user: object, model: type[models.PresenceUser | models.SigninUser]) -> str:
        """Return the user as JSON text, checked as that text says it: a mapping keeps its extra keys and order."""
        if self._json_encoder is None and type(user) is JSON_OBJECT and model.accepts(user):
            return encode_json(user, "user")
        rule = f"must be a mapping or a {model.__name__}"
        if isinstance(user, (str, bytes)):
            raise InvalidArgumentError("user", rule)
        text = encode_json(user, "user", self._json_encoder)
        try:
            fields: object = json.loads(text)
        except (ValueError, RecursionError):
            raise InvalidArgumentError("user", "json_encoder must return JSON") from None
        if not is_object(fields):
            raise InvalidArgumentError("user", rule)
        try:
            model.from_dict(fields)
        except InvalidArgumentError as error:
            raise error.under("user") from None
        return text


def parse_auth_form(body: bytes | str, *fields: str) -> list[str]:
    """Return the fields of the form that the browser client posts to an auth endpoint.

    Raises:
        InvalidArgumentError: The body is not such a form, or a field is missing or stands twice.
    """
    with forks_wait():
        from urllib.parse import parse_qsl

    try:
        text = body if isinstance(body, str) else body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_MAX_FORM_FIELDS, errors="strict")
    except (ValueError, AttributeError):
        rule = "must be an application/x-www-form-urlencoded form in UTF-8, as bytes or str"
        raise InvalidArgumentError("body", rule) from None
    values: list[str] = []
    for field in fields:
        found = [value for name, value in pairs if name == field]
        if len(found) != 1:
            raise InvalidArgumentError(field, "must stand in the form exactly once")
        values += found
    return values
