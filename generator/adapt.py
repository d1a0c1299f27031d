"""The copy of the document that openapi-python-client's parser gets.

The spec stays honest OpenAPI 3.1; what the parser would misread is taken out of the copy here, and joined again from
the raw document in `join`. Each rule says which trap of version 0.29.1 it goes round.
"""

from __future__ import annotations

from collections.abc import Mapping

from .config import WEBHOOK_TAG
from .document import is_list, is_mapping
from .grammar import KEYWORDS, Child

WEBHOOK_PATH = "/~webhooks/"

# enum makes classes that refuse unknown values, title renames classes, default and format bring in other types,
# example and deprecated are dropped anyway, and the parser ignores a discriminator.
_DROPPED_FROM_SCHEMAS = {
    "enum",
    "title",
    "default",
    "format",
    "example",
    "examples",
    "deprecated",
    "discriminator",
    "contentSchema",
    "x-comma-list-items",
}

Json = dict[str, object]


def adapt(document: Mapping[str, object]) -> Json:
    """Return the parser's copy of the document."""
    copy = _object(document, "document")
    # The parser ignores webhooks; as paths their bodies are parsed like all others.
    webhooks = _members(copy.pop("webhooks", {}))
    paths = {**_members(copy["paths"])}
    for index, (name, item) in enumerate(webhooks.items()):
        webhook = {**_members(_members(item)["post"])}
        webhook.pop("parameters", None)
        webhook.pop("security", None)
        webhook |= {"tags": [WEBHOOK_TAG], "operationId": f"{WEBHOOK_TAG}.{name}", "responses": {}}
        paths[f"{WEBHOOK_PATH}{index}"] = {"post": webhook}
    copy["paths"] = paths
    # The parser ignores document-level security, and any security on an operation means a bearer token to it.
    copy.pop("security", None)
    return copy


def operation_name(operation_id: str) -> str:
    """Return the parser's operationId: it deletes a slash and turns a dot into an underscore."""
    return operation_id.replace("/", ".")


def _object(value: Mapping[str, object], kind: str) -> Json:
    if "$ref" in value:
        return {"$ref": value["$ref"]}
    keywords = KEYWORDS[kind]
    copy: Json = {}
    for name, child in value.items():
        if name.startswith("x-") or (kind == "schema" and name in _DROPPED_FROM_SCHEMAS):
            continue
        if kind == "schema" and name in ("allOf", "anyOf", "oneOf") and is_list(child):
            # A choice of `required` makes the object `Any`, and in an allOf it hides the rest.
            child = [member for member in child if not is_field_rule(member)]
            if not child:
                continue
        copy[name] = _child(child, keywords[name])
    if kind == "operation":
        copy["operationId"] = operation_name(str(value["operationId"]))
        # Errors are read from the raw document; the parser would refuse content types that nobody parses.
        successes = {status: answer for status, answer in _members(copy["responses"]).items() if status[:1] == "2"}
        copy["responses"] = successes
    if kind == "schema":
        _adapt_schema(copy)
    if kind == "components":
        schemas = _members(value.get("schemas", {}))
        free = {name: {"type": "object"} for name, schema in schemas.items() if is_free_object(_members(schema))}
        copy["schemas"] = {**_members(copy.get("schemas", {})), **free}
    return copy


def _child(value: object, kind: Child) -> object:
    match kind:
        case ("list", inner) if is_list(value):
            return [_object(item, inner) for item in value if is_mapping(item)]
        case ("map", inner) if is_mapping(value):
            return {name: _object(item, inner) for name, item in value.items() if is_mapping(item)}
        case "schema or flag" if is_mapping(value):
            return _object(value, "schema")
        case str() if kind in KEYWORDS and is_mapping(value):
            return _object(value, kind)
        case _:
            return value


def _adapt_schema(schema: Json) -> None:
    # A single reference in an allOf makes the parser take the referenced class and drop what stands beside it.
    parents = schema.get("allOf")
    if is_list(parents) and len(parents) == 1 and "properties" in schema:
        own: Json = {"type": "object", "properties": schema.pop("properties")}
        schema["allOf"] = [*parents, own]
    # An object without properties would become a class without fields. Components are put back by the caller.
    if is_free_object(schema):
        for keyword in ("type", "additionalProperties", "minProperties", "maxProperties"):
            schema.pop(keyword, None)


def is_free_object(schema: Mapping[str, object]) -> bool:
    """Tell whether a schema is an object that nothing is known about."""
    return (
        schema.get("type") == "object"
        and schema.get("additionalProperties", True) is True
        and not schema.keys() & {"properties", "allOf"}
    )


def _members(value: object) -> Mapping[str, object]:
    return value if is_mapping(value) else {}


def is_field_rule(schema: object) -> bool:
    """Tell whether a schema is `{required: [...]}`, or a choice of such: a rule over the fields of an object."""
    if not is_mapping(schema):
        return False
    if set(schema) == {"required"}:
        return True
    choices = schema.get("oneOf", schema.get("anyOf"))
    return len(schema) == 1 and is_list(choices) and all(is_field_rule(choice) for choice in choices)
