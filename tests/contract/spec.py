"""The API description as the judge of what goes over the wire."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import attrs
import httpx
from openapi_core import OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.testing import MockRequest, MockResponse
from ruamel.yaml import YAML
from werkzeug.datastructures import Headers

PATH = Path(__file__).parents[2] / "spec" / "openapi.yaml"
METHODS = ("get", "put", "post", "delete", "patch")
SIGNING_KEYS = {"auth_key", "auth_timestamp", "auth_version", "auth_signature", "body_md5"}


@attrs.frozen
class Operation:
    """An operation as the description has it."""

    id: str
    method: str
    path: str
    query_names: frozenset[str]
    server_url: str
    has_raw_body: bool
    path_examples: Mapping[str, str]
    query_examples: Mapping[str, str]
    body_examples: tuple[object, ...]

    def matches(self, method: str, path: str) -> bool:
        pattern = re.sub(r"\\\{[^}]+\\\}", "[^/]+", re.escape(self.path))
        return method == self.method and re.fullmatch(pattern, path) is not None


@functools.cache
def document() -> dict[str, Any]:
    # ruamel.yaml leaves the parameter of `load` without a type.
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(PATH)  # pyright: ignore[reportUnknownMemberType]
    return loaded


@functools.cache
def openapi() -> OpenAPI:
    return OpenAPI.from_dict(cast("Any", document()))


def resolve(node: Any) -> Any:
    """Return what a reference stands for."""
    while isinstance(node, dict) and "$ref" in node:
        target: Any = document()
        for key in str(cast("dict[str, Any]", node)["$ref"]).removeprefix("#/").split("/"):
            target = target[key]
        node = target
    return cast("Any", node)


@functools.cache
def operations() -> dict[str, Operation]:
    """Return all operations by their id."""
    return {operation.id: operation for operation in _operations()}


def _operations() -> Iterator[Operation]:
    for path, item in document()["paths"].items():
        for method in METHODS:
            if method not in item:
                continue
            raw = item[method]
            parameters = [resolve(each) for each in [*item.get("parameters", ()), *raw.get("parameters", ())]]
            examples = {place: _parameter_examples(parameters, place) for place in ("path", "query")}
            content = raw.get("requestBody", {}).get("content", {}).get("application/json", {})
            yield Operation(
                id=raw["operationId"],
                method=method,
                path=path,
                query_names=frozenset(each["name"] for each in parameters if each["in"] == "query"),
                server_url=_server_url(raw.get("servers") or item.get("servers") or document()["servers"]),
                has_raw_body=content.get("x-raw-body", False),
                path_examples=examples["path"],
                query_examples=examples["query"],
                body_examples=tuple(resolve(each)["value"] for each in content.get("examples", {}).values()),
            )


def _parameter_examples(parameters: list[Any], place: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for parameter in parameters:
        if parameter["in"] == place and "example" in parameter:
            value: str | list[str] = parameter["example"]
            found[parameter["name"]] = value if isinstance(value, str) else ",".join(value)
    return found


def _server_url(servers: list[Any]) -> str:
    url = str(servers[0]["url"])
    for name, variable in servers[0].get("variables", {}).items():
        url = url.replace(f"{{{name}}}", variable["default"])
    return url


def webhook_event_names() -> set[str]:
    """Return the names of all kinds of webhook events."""
    members = document()["components"]["schemas"]["WebhookEvent"]["oneOf"]
    return {resolve(member)["properties"]["name"]["const"] for member in members}


@attrs.frozen
class Exchange:
    """A request and its answer, as they were on the wire."""

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    body: bytes
    status: int
    answer_type: str
    answer: bytes

    @classmethod
    def of(cls, request: httpx.Request, response: httpx.Response) -> Exchange:
        """Keep them now: the client takes its signature off the request again."""
        return cls(
            method=request.method.lower(),
            url=request.url,
            headers=dict(request.headers),
            body=request.read(),
            status=response.status_code,
            answer_type=response.headers.get("content-type", "").partition(";")[0],
            answer=response.content,
        )


def check_exchange(exchange: Exchange) -> Operation:
    """Check a request and its answer against the description, and return the operation that they are of.

    A refused request is not checked itself: it may be refused because it is not as described.
    """
    path = exchange.url.raw_path.partition(b"?")[0].decode()
    operation = next((each for each in operations().values() if each.matches(exchange.method, path)), None)
    assert operation is not None, f"no operation has {exchange.method} {path}"
    request = MockRequest(
        operation.server_url,
        operation.method,
        path,
        args=dict(exchange.url.params),
        headers=dict(exchange.headers),
        data=json.dumps(exchange.body.decode()).encode() if operation.has_raw_body else exchange.body,
        content_type=exchange.headers.get("content-type", ""),
    )
    if exchange.status < 300:
        query = dict(exchange.url.params)
        assert set(query) <= operation.query_names | SIGNING_KEYS, query
        assert ("body_md5" in query) == bool(exchange.body)
        openapi().validate_request(request)
    response = MockResponse(exchange.answer, exchange.status, content_type=exchange.answer_type)
    openapi().validate_response(request, response)
    return operation


@attrs.define
class WebhookRequest:
    """A received webhook, as openapi-core wants to see it."""

    parameters: RequestParameters
    body: bytes
    content_type: str
    name: str = "channelsWebhook"
    method: str = "post"


def check_webhook(headers: Mapping[str, str], body: bytes) -> None:
    """Check a webhook's headers and body against the description."""
    parameters = RequestParameters(header=Headers(dict(headers)))
    openapi().validate_request(WebhookRequest(parameters, body, headers["content-type"]))
