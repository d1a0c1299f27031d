"""The API description as these tests read it: loaded once, with references resolved and examples found."""

import functools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend  # pyright: ignore[reportUnknownVariableType]  # it ships without types
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from ruamel.yaml import YAML

PATH = Path(__file__).parents[2] / "spec" / "openapi.yaml"
METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})
_URI = "urn:channels"


@functools.cache
def document() -> dict[str, Any]:
    # ruamel.yaml leaves the parameter of `load` without a type.
    loaded: dict[str, Any] = YAML(typ="safe", pure=True).load(PATH)  # pyright: ignore[reportUnknownMemberType]
    return loaded


def is_object(node: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(node, dict)


def is_list(node: object) -> TypeGuard[list[Any]]:
    return isinstance(node, list)


def resolve(node: dict[str, Any]) -> dict[str, Any]:
    """The object that a reference stands for; any other object is returned as it is."""
    while isinstance(node.get("$ref"), str):
        target: Any = document()
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        node = target
    return node


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["schemas"][name]
    return found


@dataclass(frozen=True)
class Operation:
    """An operation of a path, or of a webhook, with the parameters that its path shares."""

    method: str
    path: str
    raw: dict[str, Any]
    shared: tuple[dict[str, Any], ...]
    webhook: bool

    @property
    def id(self) -> str:
        return str(self.raw.get("operationId"))

    @property
    def parameters(self) -> list[dict[str, Any]]:
        return [resolve(each) for each in (*self.shared, *self.raw.get("parameters", ()))]

    @property
    def body(self) -> dict[str, Any] | None:
        """The media type object of the JSON request body."""
        if "requestBody" not in self.raw:
            return None
        content: dict[str, Any] = resolve(self.raw["requestBody"])["content"]
        assert list(content) == ["application/json"]
        media: dict[str, Any] = content["application/json"]
        return media

    @property
    def responses(self) -> dict[str, dict[str, Any]]:
        return {str(status): resolve(each) for status, each in self.raw["responses"].items()}


def _collect(paths: dict[str, Any], *, webhook: bool) -> Iterator[Operation]:
    for path, item in paths.items():
        for method in sorted(METHODS & item.keys()):
            yield Operation(method, path, item[method], tuple(item.get("parameters", ())), webhook)


OPERATIONS = tuple(_collect(document()["paths"], webhook=False))
WEBHOOKS = tuple(_collect(document()["webhooks"], webhook=True))
EVERYTHING = OPERATIONS + WEBHOOKS


def operation(operation_id: str) -> Operation:
    (found,) = (each for each in OPERATIONS if each.id == operation_id)
    return found


def walk(node: object, pointer: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every object of the document below `node`, with its JSON pointer."""
    if is_object(node):
        yield pointer, node
        for key, value in node.items():
            # An unquoted status such as 200 is a number in YAML.
            yield from walk(value, f"{pointer}/{str(key).replace('~', '~0').replace('/', '~1')}")
    elif is_list(node):
        for index, value in enumerate(node):
            yield from walk(value, f"{pointer}/{index}")


def walk_schemas(node: dict[str, Any], pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A schema and every schema inside it. References are not followed."""
    yield pointer, node
    for key in ("properties", "patternProperties", "$defs"):
        for name, value in node.get(key, {}).items():
            yield from walk_schemas(value, f"{pointer}/{key}/{name}")
    for key in ("allOf", "anyOf", "oneOf", "prefixItems"):
        for index, value in enumerate(node.get(key, ())):
            yield from walk_schemas(value, f"{pointer}/{key}/{index}")
    for key in ("items", "additionalProperties", "contentSchema", "contains", "not", "if", "then", "else"):
        if isinstance(node.get(key), dict):
            yield from walk_schemas(node[key], f"{pointer}/{key}")


def all_schemas() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of the document, components first, then those of parameters, headers and bodies."""
    for name, value in document()["components"]["schemas"].items():
        yield from walk_schemas(value, f"#/components/schemas/{name}")
    for pointer, node in walk(document()):
        holds_one = "/schemas/" not in pointer and not pointer.startswith("#/x-") and "/examples/" not in pointer
        if holds_one and isinstance(node.get("schema"), dict):
            yield from walk_schemas(node["schema"], f"{pointer}/schema")


def reachable(node: dict[str, Any], seen: set[str] | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The named components that a schema is made of, itself included if it is a reference."""
    seen = set() if seen is None else seen
    for _, part in walk_schemas(node, "#"):
        reference = part.get("$ref")
        if isinstance(reference, str) and reference not in seen:
            seen.add(reference)
            target = resolve(part)
            yield reference.rsplit("/", 1)[-1], target
            yield from reachable(target, seen)


def _max_bytes(_: object, limit: int, instance: object, __: object) -> Iterator[ValidationError]:
    if isinstance(instance, str) and len(instance.encode()) > limit:
        yield ValidationError(f"has more than {limit} bytes")


def _comma_list_items(_: object, items: dict[str, Any], instance: object, __: object) -> Iterator[ValidationError]:
    if isinstance(instance, str):
        for name in instance.split(","):
            yield from map(ValidationError, errors(items, name))


def _content_schema(_: object, inner: dict[str, Any], instance: object, __: object) -> Iterator[ValidationError]:
    if isinstance(instance, str):
        yield from map(ValidationError, errors(inner, json.loads(instance)))


# JSON Schema 2020-12 with our own rules, and with `contentSchema` as a rule instead of a note.
_OurValidator: type[Validator] = extend(  # type: ignore[no-untyped-call]  # as above
    Draft202012Validator,
    {"x-max-bytes": _max_bytes, "x-comma-list-items": _comma_list_items, "contentSchema": _content_schema},
)


@functools.cache
def _registry() -> Registry[Any]:
    empty: Registry[Any] = Registry()
    filled: Registry[Any] = empty.with_resource(_URI, DRAFT202012.create_resource(document()))
    return filled


def _absolute(node: Any) -> Any:
    """The schema with its references made absolute, because it is taken out of the document."""
    if is_object(node):
        return {
            key: f"{_URI}{value}" if key == "$ref" and value.startswith("#") else _absolute(value)
            for key, value in node.items()
        }
    return [_absolute(each) for each in node] if is_list(node) else node


def errors(target: dict[str, Any], instance: Any) -> list[str]:
    """What is wrong with a value by a schema of this document, which may be a reference."""
    validator = _OurValidator(_absolute(target), registry=_registry(), format_checker=FormatChecker())
    return [error.message for error in validator.iter_errors(instance)]


def values(holder: dict[str, Any]) -> list[Any]:
    """The example values of a parameter, a header or a media type object."""
    found = [resolve(each)["value"] for each in holder.get("examples", {}).values()]
    return [*found, holder["example"]] if "example" in holder else found
