"""The signatures that clients present: for a subscription, and for signing in."""

from __future__ import annotations

import hmac

from pusher_channels.emulator.config import AppConfig


class InvalidAuthError(Exception):
    """The signature is not one of this app. The text is for the developer, as the hosted service words it."""


def check_subscription_auth(
    config: AppConfig, auth: object, *, socket_id: str, channel_name: str, channel_data: str | None
) -> None:
    """Check the ``auth`` of ``pusher:subscribe``.

    Raises:
        InvalidAuthError: It is missing, or is not for exactly this subscription.
    """
    signed = f"{socket_id}:{channel_name}" if channel_data is None else f"{socket_id}:{channel_name}:{channel_data}"
    key, _, signature = auth.partition(":") if isinstance(auth, str) else ("", "", "")
    if key != config.key:
        raise InvalidAuthError(f"Invalid key in subscription auth data: '{key}'")
    _check_signature(config, signed, signature)


def check_signin_auth(config: AppConfig, auth: object, *, socket_id: str, user_data: str) -> None:
    """Check the ``auth`` of ``pusher:signin``.

    Raises:
        InvalidAuthError: It is missing, or is not for exactly this user on this connection.
    """
    key, colon, signature = auth.partition(":") if isinstance(auth, str) else ("", "", "")
    if not colon:
        raise InvalidAuthError("Invalid format: auth must have the format key:signature")
    if key != config.key:
        raise InvalidAuthError(f"Invalid key in signin auth data: '{key}'")
    _check_signature(config, f"{socket_id}::user::{user_data}", signature)


def _check_signature(config: AppConfig, signed: str, signature: str) -> None:
    expected = hmac.digest(config.secret.encode(), signed.encode("utf-8", "surrogatepass"), "sha256").hex()
    if not hmac.compare_digest(expected.encode(), signature.encode("utf-8", "surrogatepass")):
        raise InvalidAuthError(f"Invalid signature: Expected HMAC SHA256 hex digest of {signed}, but got {signature}")
