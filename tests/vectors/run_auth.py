"""Runners: channel authorization and user authentication."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from urllib.parse import urlencode

from pusher_channels import ChannelAuthorization, InvalidArgumentError, UserAuthentication

from .differences import Difference
from .keys import usable_key
from .support import Case, Session, compact, is_object, parsed, refused, sha256_hmac

_USER_ID = re.compile(r"[-a-zA-Z0-9_=@,.;]{1,200}", re.ASCII)


def _user(text: str) -> tuple[object, Callable[[object], str] | None]:
    """Return the user whose JSON text this is, and a ``json_encoder`` if the text is not how we would write it."""
    try:
        user = parsed(text)
    except json.JSONDecodeError:
        return text, None
    return user, None if compact(user) == text else _encoder(text)


def _encoder(text: str) -> Callable[[object], str]:
    def encode(_: object) -> str:
        return text

    return encode


def channel_auth(case: Case) -> None:
    """Private, encrypted and presence channels, given as arguments and as the form of the browser client."""
    inputs, expected = case.inputs, case.expected
    key, secret = inputs.text("key"), inputs.text("secret")
    socket_id, channel = inputs.text("socket_id"), inputs.text("channel")
    data = inputs.optional_text("channel_data")
    user, encoder = (None, None) if data is None else _user(data)
    assert expected["auth"] == f"{key}:{sha256_hmac(secret, expected.text('string_to_sign'))}"
    assert expected.get("channel_data") == data

    session = Session(
        case.twin, "3", key, secret, json_encoder=encoder, encryption_master_key_base64=usable_key(case, "encryption_")
    )

    def authorize(user: object) -> object:
        result = session.call("authorize_channel", socket_id, channel, user)
        assert isinstance(result, ChannelAuthorization)
        form = urlencode({"socket_id": socket_id, "channel_name": channel})
        assert session.call("authorize_channel_form", form.encode(), user) == result
        return result.to_dict()

    if not channel.startswith(("private-", "presence-")):
        case.differs(Difference.PUBLIC_CHANNEL)
        with refused(InvalidArgumentError, "channel_name", channel, secret, data):
            authorize(user)
        case.ignores("shared_secret")
    elif channel.startswith("private-") and user is not None:
        case.differs(Difference.USER_ON_PRIVATE)
        with refused(InvalidArgumentError, "user", secret, data):
            authorize(user)
        wanted = {"auth": f"{key}:{sha256_hmac(secret, f'{socket_id}:{channel}')}"}
        if "shared_secret" in expected:
            wanted["shared_secret"] = expected.text("shared_secret")
        assert authorize(None) == wanted
    elif channel.startswith("presence-") and not (is_object(user) and "user_id" in user):
        case.differs(Difference.PRESENCE_USER_ID)
        with refused(InvalidArgumentError, "user.user_id" if is_object(user) else "user", secret, data):
            authorize(user)
    else:
        names = ("auth", "channel_data", "shared_secret")
        assert authorize(user) == {name: expected[name] for name in names if name in expected}
    session.check_silent()


def user_auth(case: Case) -> None:
    """Users who sign in, given as arguments and with the form of the browser client."""
    inputs, expected = case.inputs, case.expected
    key, secret, socket_id = inputs.text("key"), inputs.text("secret"), inputs.text("socket_id")
    data = inputs.text("user_data")
    user, encoder = _user(data)
    assert expected["auth"] == f"{key}:{sha256_hmac(secret, expected.text('string_to_sign'))}"
    assert expected["user_data"] == data
    session = Session(case.twin, "3", key, secret, json_encoder=encoder)

    if not is_object(user):
        case.differs(Difference.USER_IS_A_MAPPING)
        with refused(InvalidArgumentError, "user", data, secret):
            session.call("authenticate_user", socket_id, user)
        # The same text from an encoder of the user's own: it decides the JSON, and has to make a user of it.
        session = Session(case.twin, "3", key, secret, json_encoder=_encoder(data))
        with refused(InvalidArgumentError, "user", data, secret):
            session.call("authenticate_user", socket_id, {"id": "1"})
        return
    if not (isinstance(user.get("id"), str) and _USER_ID.fullmatch(str(user["id"]))):
        case.differs(Difference.USER_ID_CHARACTERS)
        with refused(InvalidArgumentError, "user.id", user, secret):
            session.call("authenticate_user", socket_id, user)
        return
    result = session.call("authenticate_user", socket_id, user)
    assert isinstance(result, UserAuthentication)
    assert result.to_dict() == {"auth": expected["auth"], "user_data": expected["user_data"]}
    assert session.call("authenticate_user_form", urlencode({"socket_id": socket_id}), user) == result
    session.check_silent()
