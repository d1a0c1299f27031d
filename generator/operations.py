"""Operations from the paths of the spec."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from attrs import evolve, frozen
from openapi_python_client.parser.openapi import Endpoint

from .config import APP_ID, STATUS_ERRORS, WEBHOOK_TAG
from .document import Document, Node
from .model import (
    Body,
    ListType,
    ModelType,
    NamedType,
    Operation,
    Parameter,
    Resource,
    Server,
    StringType,
    TaggedUnionType,
    Type,
)
from .names import argument_name
from .parser import METHODS, Parsed
from .schemas import Schemas
from .types import Types, description, docs_url, is_scalar

_OPERATION_ID = re.compile(r"([a-z][a-z0-9]*(?:_[a-z0-9]+)*)/([a-z][a-z0-9]*(?:_[a-z0-9]+)*)")
_JSON = "application/json"


@frozen
class Operations:
    """Makes the operations, and finds the bodies of webhooks."""

    document: Document
    parsed: Parsed
    types: Types
    schemas: Schemas

    def operations(self) -> list[Operation]:
        """Make all operations, in the order of the spec."""
        operations: list[Operation] = []
        for path, item in self.document.root.members("paths"):
            for method in METHODS:
                node = item.get(method)
                if node is not None:
                    operations.append(self._operation(path, item, method, node))
        return operations

    def webhooks(self) -> list[Type]:
        """Return the types of the bodies of webhooks."""
        kinds: list[Type] = []
        for name, item in self.document.root.members("webhooks"):
            webhook = item.child("post")
            for tag in webhook.texts("tags"):
                if tag != WEBHOOK_TAG:
                    raise webhook.fail(f"the tag of a webhook must be {WEBHOOK_TAG}, not {tag}")
            media = self.document.resolve(webhook.child("requestBody")).child("content").child(_JSON)
            endpoint = self.parsed.endpoint(f"{WEBHOOK_TAG}/{name}")
            if len(endpoint.bodies) != 1:
                raise webhook.fail("openapi-python-client dropped the body")
            kind = self.types.build(endpoint.bodies[0].prop, media.child("schema"))
            if not isinstance(kind, (ModelType, TaggedUnionType)):
                raise media.fail("the body of a webhook must be an object with a class of its own")
            kinds.append(kind)
        return kinds

    def resources(self, operations: list[Operation]) -> tuple[Resource, ...]:
        """Sort the operations by their tags."""
        descriptions = {tag.text("name"): tag.text("description") for tag in self.document.root.items("tags")}
        names = sorted({operation.resource for operation in operations})
        for operation in operations:
            if descriptions and operation.resource not in descriptions:
                where = Node(None, operation.pointer)
                raise where.fail(f"the tag {operation.resource} is not declared in the document's tags")
        return tuple(
            Resource(
                name=name,
                class_name="".join(part.capitalize() for part in name.split("_")) + "Resource",
                description=descriptions.get(name, ""),
                operations=tuple(operation for operation in operations if operation.resource == name),
            )
            for name in names
        )

    def server(self, holder: Node) -> Server:
        """Return the first server that the document, a path or an operation lists."""
        node = next(holder.items("servers"), None)
        if node is None:
            raise holder.fail("servers must not be empty")
        url = node.text("url")
        variables = tuple((name, variable.text("default")) for name, variable in node.members("variables"))
        names = re.findall(r"\{([^{}]*)\}", url)
        if Counter(names) != Counter(name for name, _ in variables):
            raise node.fail("the variables do not match those in the url")
        if not re.fullmatch(r"https://[^/?#\s]+", url):
            raise node.fail("the url must be https://host, without a path")
        return Server(url, variables, node.text("x-client-option") or None)

    def _operation(self, path: str, item: Node, method: str, node: Node) -> Operation:
        operation_id = node.text("operationId")
        found = _OPERATION_ID.fullmatch(operation_id)
        if not found:
            raise node.fail(f"the operationId {operation_id} must have the form resource/method, in snake_case")
        resource, name = found.groups()
        if node.texts("tags") != (resource,):
            raise node.fail(f"the operation {operation_id} must have the one tag {resource}")
        endpoint = self.parsed.endpoint(operation_id)
        parameters = self._parameters(item, node, endpoint)
        in_path = [parameter for where, parameter in parameters if where == "path"]
        app_id = next((parameter for parameter in in_path if parameter.wire == APP_ID), None)
        body = self._body(node, endpoint)
        result, is_text = self._result(node, endpoint)
        server_holder = next((holder for holder in (node, item) if "servers" in holder), self.document.root)
        operation = Operation(
            id=operation_id,
            resource=resource,
            method=name,
            http_method=method.upper(),
            path=path,
            summary=node.text("summary"),
            description=node.text("description"),
            docs_url=docs_url(node),
            deprecated=node.flag("deprecated"),
            idempotent=method in ("get", "head") or node.flag("x-idempotent"),
            server=self.server(server_holder),
            app_id=app_id,
            path_parameters=tuple(parameter for parameter in in_path if parameter is not app_id),
            query_parameters=tuple(parameter for where, parameter in parameters if where == "query"),
            body=body,
            result=result,
            result_is_text=is_text,
            errors=tuple(self._errors(node)),
            pointer=node.pointer,
        )
        if method in ("get", "head") and body:
            raise node.fail("a GET or HEAD operation cannot have a body")
        return operation

    def _parameters(self, item: Node, node: Node, endpoint: Endpoint) -> list[tuple[str, Parameter]]:
        raw: dict[tuple[str, str], Node] = {}
        for holder in (item, node):
            for reference in holder.items("parameters"):
                parameter = self.document.resolve(reference)
                raw[parameter.text("in"), parameter.text("name")] = parameter
        parsed = {("path", prop.name.get_untrusted_value()): prop for prop in endpoint.path_parameters}
        parsed |= {("query", prop.name.get_untrusted_value()): prop for prop in endpoint.query_parameters}
        parameters: list[tuple[str, Parameter]] = []
        for key in parsed:
            if key not in raw:
                raise node.fail(f"the parser found a parameter {key[1]} that is not there")
        for (where, wire), parameter in raw.items():
            if where not in ("path", "query"):
                raise parameter.fail(f"a parameter in {where} cannot be expressed")
            if (where, wire) not in parsed:
                raise parameter.fail("openapi-python-client dropped the parameter")
        for (where, wire), prop in parsed.items():
            parameter = raw[where, wire]
            schema = parameter.child("schema")
            target, _ = self.types.target(schema)
            kind = self.types.build(prop, schema)
            style = parameter.text("style", "simple" if where == "path" else "form")
            if style != ("simple" if where == "path" else "form"):
                raise parameter.fail(f"the style {style} is not supported in {where}")
            explode = parameter.flag("explode", where == "query")
            if isinstance(kind, ListType) and where == "query" and is_scalar(self.document, target.child("items")):
                if not explode:
                    kind = self.types.comma_list(target, target.child("items"))
            elif not is_scalar(self.document, target):
                raise parameter.fail(f"a parameter of this type cannot be expressed in {where}")
            self.types.note_limits(kind, target)
            name = str(self.parsed.identifier(wire))
            required = parameter.flag("required")
            parameters.append(
                (
                    where,
                    Parameter(
                        wire=wire,
                        name=name if (where, wire) == ("path", APP_ID) else argument_name(name),
                        type=kind,
                        required=required,
                        description=description(parameter, target),
                        explode=explode,
                        example=self._example(parameter),
                    ),
                )
            )
        return parameters

    def _body(self, node: Node, endpoint: Endpoint) -> Body | None:
        reference = node.get("requestBody")
        if reference is None:
            return None
        raw = self.document.resolve(reference)
        content = list(raw.members("content"))
        if len(content) != 1 or len(endpoint.bodies) != 1:
            raise raw.fail("a request body must have one content type")
        media_type, media = content[0]
        schema = media.child("schema")
        target, _ = self.types.target(schema)
        kind = self.types.build(endpoint.bodies[0].prop, schema)
        self.types.note_limits(kind, target)
        if not raw.flag("required"):
            raise raw.fail("a request body must be required")
        description = raw.text("description")
        example = self._example(media)
        if media.flag("x-raw-body"):
            if not isinstance(kind.inner if isinstance(kind, NamedType) else kind, StringType):
                raise media.fail("a body with x-raw-body must be a string")
            return Body("raw", kind, description, example)
        if media_type != _JSON:
            raise media.fail(f"the content type {media_type} is not supported without x-raw-body")
        if not isinstance(kind, ModelType):
            return Body("value", kind, description, example)
        model = self.schemas.model(self.types.sources[kind.model])
        fields = tuple(evolve(field, name=argument_name(field.name)) for field in model.fields)
        # Only a body that is meant to be open takes fields that the spec does not name.
        additional = model.additional if "additionalProperties" in target or not model.fields else None
        return Body("object", kind, description, example, fields, additional)

    def _example(self, node: Node) -> object:
        """Return the first example of a parameter or a body, or None."""
        for _, example in node.members("examples"):
            return self.document.resolve(example).child("value").value
        return node.mapping().get("example")

    def _result(self, node: Node, endpoint: Endpoint) -> tuple[Type | None, bool]:
        """Return what a success is read into; all successes of an operation have to agree."""
        found: list[tuple[Type | None, bool, Node]] = []
        parsed = {response.status_code.pattern: response for response in endpoint.responses}
        for status, reference in node.members("responses"):
            if not re.fullmatch(r"default|[1-5](?:[0-9]{2}|XX)", status):
                raise reference.fail(f"{status} is no status")
            if not status.startswith("2"):
                continue
            response = self.document.resolve(reference)
            content = list(response.members("content"))
            if not content:
                found.append((None, False, response))
                continue
            media_type, media = content[0]
            if len(content) > 1 or media_type not in (_JSON, "text/plain"):
                raise response.fail("a success must have one content type, application/json or text/plain")
            if media_type == "text/plain":
                found.append((None, True, response))
                continue
            if status not in parsed:
                raise response.fail("openapi-python-client dropped the response")
            found.append((self.types.build(parsed[status].prop, media.child("schema")), False, response))
        if not found:
            raise node.fail("the operation has no success (a response of 2xx)")
        for kind, is_text, response in found[1:]:
            if (kind, is_text) != found[0][:2]:
                raise response.fail("all successes of an operation must have the same type")
        return found[0][0], found[0][1]

    def _errors(self, node: Node) -> Iterator[tuple[str, str]]:
        for status, reference in node.members("responses"):
            name = STATUS_ERRORS.get(status, "" if status.startswith("2") else "APIStatusError")
            if name:
                code = "any other status" if status == "default" else status
                yield f"{name} ({code})", self.document.resolve(reference).text("description")
