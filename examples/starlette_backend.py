"""The three endpoints that a backend has for Pusher Channels, with Starlette. The FastAPI ones look the same.

    PUSHER_URL=... uvicorn --factory examples.starlette_backend:make_example_app

- ``POST /pusher/auth``       may this user subscribe to this channel?
- ``POST /pusher/user-auth``  who is this user?
- ``POST /pusher/webhooks``   what happened on the channels?
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

import attrs
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from pusher_channels import Pusher, PusherError, Webhook, WebhookError


@attrs.frozen
class User:
    """A user of your application."""

    id: str
    name: str
    friends: tuple[str, ...] = ()

    def may_subscribe(self, channel_name: str) -> bool:
        """Decide by your own rules. Here: everything but other users' own channels."""
        return not channel_name.startswith("private-user-") or channel_name == f"private-user-{self.id}"


def make_app(
    pusher: Pusher, current_user: Callable[[Request], User | None], receive: Callable[[Webhook], None]
) -> Starlette:
    """Make the application.

    Args:
        pusher: The client. These endpoints only compute with it: there is nothing to await.
        current_user: Who sent the request: your session. None if nobody is logged in.
        receive: What to do with a webhook that is verified.
    """

    async def authorize_channel(request: Request) -> Response:
        user = current_user(request)
        body = await request.body()
        channel_name = parse_qs(body.decode("latin-1")).get("channel_name", [""])[0]
        if user is None or not user.may_subscribe(channel_name):
            return PlainTextResponse("Forbidden", 403)
        member = (
            {"user_id": user.id, "user_info": {"name": user.name}} if channel_name.startswith("presence-") else None
        )
        try:
            authorization = pusher.authorize_channel_form(body, member)
        except PusherError as error:
            return PlainTextResponse(str(error), 403)
        return JSONResponse(authorization.to_dict())

    async def authenticate_user(request: Request) -> Response:
        user = current_user(request)
        if user is None:
            return PlainTextResponse("Forbidden", 403)
        signin = {"id": user.id, "user_info": {"name": user.name}, "watchlist": user.friends}
        try:
            authentication = pusher.authenticate_user_form(await request.body(), signin)
        except PusherError as error:
            return PlainTextResponse(str(error), 403)
        return JSONResponse(authentication.to_dict())

    async def webhooks(request: Request) -> Response:
        try:
            webhook = pusher.webhook(request.headers, await request.body())
        except WebhookError as error:
            return PlainTextResponse(str(error), 401)
        receive(webhook)
        return PlainTextResponse("ok")

    return Starlette(
        routes=[
            Route("/pusher/auth", authorize_channel, methods=["POST"]),
            Route("/pusher/user-auth", authenticate_user, methods=["POST"]),
            Route("/pusher/webhooks", webhooks, methods=["POST"]),
        ]
    )


def make_example_app() -> Starlette:
    """Make an application to try: everybody is Ada, and webhooks are printed."""

    def receive(webhook: Webhook) -> None:
        for event in webhook.events:
            print(f"{webhook.time:%H:%M:%S} {event.name}", event)

    return make_app(Pusher.from_env(), lambda request: User("ada", "Ada"), receive)
