"""The HTTP API over ASGI: routing, authentication, and the answers' form. `operations` says what each call does.

Success is JSON, an error is plain text that ends in a newline, as the hosted service answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from pusher_channels.emulator.app import App
from pusher_channels.emulator.controls import Controls, suffer
from pusher_channels.emulator.frames import to_json
from pusher_channels.emulator.operations import OPERATIONS, Answer, Call, Handler
from pusher_channels.emulator.request_auth import ApiError, SignedRequest, authenticate, check_body

Log = Callable[[str], None]

MAX_BODY_BYTES = 10 * 1024 * 1024
"""Far more than any operation takes: so that no client can fill the memory."""


def api_routes(apps: Mapping[str, App], controls: Controls, log: Log) -> list[Route]:
    """Make a route for each operation. ``apps`` are those that run, by key."""
    return [
        Route(operation.path, _endpoint(handler, apps, controls, log), methods=[operation.method])
        for operation, handler in OPERATIONS.items()
    ]


async def not_found(request: Request, _: Exception) -> Response:
    """Answer a path or method that no operation has."""
    return PlainTextResponse("404 NOT FOUND\n", 404)


def _endpoint(handler: Handler, apps: Mapping[str, App], controls: Controls, log: Log) -> Callable[[Request], object]:
    async def endpoint(request: Request) -> Response:
        line = f"{request.method} {request.scope['path']}"
        planned = controls.faults.take(request.scope["path"])
        if planned is not None:
            log(f"{line} fault: {planned.fault.value}")
            response = await suffer(planned, request)
            if response is not None:
                return response
        try:
            answer = await _serve(handler, apps, request, controls.time())
        except ClientDisconnect:
            return Response(status_code=400)  # to nobody
        except ApiError as error:
            log(f"{line} {error.status} {error.text}")
            for app in apps.values():
                # Not the key, which may be what is wrong.
                if app.config.app_id == request.path_params.get("app_id"):
                    app.feed.record("error", event=line, data=f"{error.status} {error.text}")
            return PlainTextResponse((error.text + "\n").encode("utf-8", "replace"), error.status)
        log(f"{line} {answer.status} {answer.note}".rstrip())
        if answer.body is None:
            return Response(status_code=answer.status)
        return Response(to_json(answer.body), answer.status, media_type="application/json")

    return endpoint


async def _serve(handler: Handler, apps: Mapping[str, App], request: Request, now: float) -> Answer:
    # The service's parser takes a ";" for a "&": values that have one must be escaped.
    query_string = request.scope["query_string"].decode("latin-1").replace(";", "&")
    query = parse_qsl(query_string, keep_blank_values=True)
    signed = SignedRequest(request.method, request.scope["raw_path"].decode("latin-1"), query)
    app = authenticate(apps, signed, now)
    body = await _read(request)
    check_body(signed, body)
    parameters = dict(request.path_params)
    if parameters.pop("app_id") != app.config.app_id:
        raise ApiError(400, "Token validated, but invalid for app undefined")
    if not app.config.enabled:
        raise ApiError(403, "Application disabled")
    return handler(app, Call(path=parameters, query=signed.own_values, body=body))


async def _read(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise ApiError(413, f"The request body exceeds the allowed maximum ({MAX_BODY_BYTES} bytes)")
    return bytes(body)
