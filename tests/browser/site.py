"""A customer's site: its page, pusher-js, and the auth endpoints, answered by this SDK."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from pusher_channels import Pusher
from tests.peers.harness import NODE_MODULES, missing

BUILDS = {"plain": "pusher.js", "with-encryption": "pusher-with-encryption.js"}


def pusher_js(build: str) -> Path:
    """A build of pusher-js for browsers. Skips, or fails in CI, if it is not installed."""
    path = NODE_MODULES / "pusher-js" / "dist" / "web" / BUILDS[build]
    if not path.is_file():
        missing("node_modules has no pusher-js: run `npm ci`")
    return path


def make_site(pusher: Pusher, build: str) -> Starlette:
    """Make the site. A page says in `who` as whom it is signed in: a real one has a session for that."""
    script = pusher_js(build)

    async def page(_: Request) -> Response:
        return FileResponse(Path(__file__).with_name("page.html"))

    async def library(_: Request) -> Response:
        return FileResponse(script)

    async def auth(request: Request) -> Response:
        body = await request.body()
        form = parse_qs(body.decode())
        presence = form["channel_name"][0].startswith("presence-")
        user = {"user_id": form["who"][0], "user_info": {"name": form["who"][0].upper()}} if presence else None
        return JSONResponse(pusher.authorize_channel_form(body, user).to_dict())

    async def user_auth(request: Request) -> Response:
        body = await request.body()
        return JSONResponse(pusher.authenticate_user_form(body, {"id": parse_qs(body.decode())["who"][0]}).to_dict())

    return Starlette(
        routes=[
            Route("/", page),
            Route("/pusher.js", library),
            Route("/auth", auth, methods=["POST"]),
            Route("/user-auth", user_auth, methods=["POST"]),
        ]
    )


@contextmanager
def serve(site: Starlette) -> Generator[str]:
    """Serve the site on a thread. Gives its URL."""
    config = uvicorn.Config(site, host="127.0.0.1", port=0, lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    try:
        while not server.started:
            thread.join(0.01)
            assert thread.is_alive(), "the site did not start"
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
