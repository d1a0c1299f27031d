"""Which keywords may stand where in the spec. Anything else is refused, so that a typo or a rule that the generator
does not know is never silently ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .config import FORMATS
from .document import Document, Node, is_list, is_mapping
from .errors import GenerationError, Problem

TEXT, FLAG, COUNT, NUMBER, TEXTS, ANY = "text", "flag", "count", "number", "texts", "any"

Child = str | tuple[str, str]
"""A leaf, the kind of an object, or `("list" | "map", kind)`."""


def list_of(kind: str) -> Child:
    """Describe an array of such objects."""
    return ("list", kind)


def map_of(kind: str) -> Child:
    """Describe an object whose values are such objects."""
    return ("map", kind)


_EXAMPLES: dict[str, Child] = {"example": ANY, "examples": map_of("example")}

KEYWORDS: dict[str, dict[str, Child]] = {
    "document": {
        "openapi": TEXT,
        "jsonSchemaDialect": TEXT,
        "info": "info",
        "servers": list_of("server"),
        "tags": list_of("tag"),
        "security": ANY,
        "externalDocs": "external docs",
        "paths": map_of("path item"),
        "webhooks": map_of("webhook item"),
        "components": "components",
        "x-pusher-signing": ANY,
    },
    "info": {
        "title": TEXT,
        "version": TEXT,
        "summary": TEXT,
        "description": TEXT,
        "termsOfService": TEXT,
        "contact": ANY,
        "license": ANY,
    },
    "server": {"url": TEXT, "description": TEXT, "variables": map_of("server variable"), "x-client-option": TEXT},
    "server variable": {"default": TEXT, "description": TEXT, "enum": TEXTS},
    "tag": {"name": TEXT, "description": TEXT, "externalDocs": "external docs"},
    "external docs": {"url": TEXT, "description": TEXT},
    "path item": {
        "summary": TEXT,
        "description": TEXT,
        "servers": list_of("server"),
        "parameters": list_of("parameter"),
        **dict.fromkeys(("get", "put", "post", "delete", "head", "patch"), "operation"),
    },
    "webhook item": {"summary": TEXT, "description": TEXT, "post": "webhook"},
    "operation": {
        "operationId": TEXT,
        "tags": TEXTS,
        "summary": TEXT,
        "description": TEXT,
        "externalDocs": "external docs",
        "deprecated": FLAG,
        "servers": list_of("server"),
        "parameters": list_of("parameter"),
        "requestBody": "request body",
        "responses": map_of("response"),
        "x-idempotent": FLAG,
    },
    "webhook": {
        "operationId": TEXT,
        "tags": TEXTS,
        "summary": TEXT,
        "description": TEXT,
        "externalDocs": "external docs",
        "security": ANY,
        "parameters": list_of("webhook parameter"),
        "requestBody": "request body",
        "responses": map_of("response"),
    },
    "parameter": {
        "name": TEXT,
        "in": TEXT,
        "required": FLAG,
        "deprecated": FLAG,
        "description": TEXT,
        "schema": "schema",
        "style": TEXT,
        "explode": FLAG,
        "allowReserved": FLAG,
        **_EXAMPLES,
    },
    "webhook parameter": {
        "name": TEXT,
        "in": TEXT,
        "required": FLAG,
        "description": TEXT,
        "schema": "schema",
        **_EXAMPLES,
    },
    "request body": {"description": TEXT, "required": FLAG, "content": map_of("request media type")},
    "request media type": {"schema": "schema", "x-raw-body": FLAG, **_EXAMPLES},
    "response": {"description": TEXT, "content": map_of("media type"), "headers": ANY},
    "media type": {"schema": "schema", **_EXAMPLES},
    "example": {"summary": TEXT, "description": TEXT, "value": ANY},
    "components": {
        "schemas": map_of("schema"),
        "parameters": map_of("parameter"),
        "responses": map_of("response"),
        "requestBodies": map_of("request body"),
        "examples": map_of("example"),
        "securitySchemes": map_of("security scheme"),
    },
    "security scheme": {"type": TEXT, "in": TEXT, "name": TEXT, "description": TEXT, "scheme": TEXT},
    "discriminator": {"propertyName": TEXT, "mapping": ANY},
    "comma list items": {
        "type": TEXT,
        "enum": TEXTS,
        "minLength": COUNT,
        "maxLength": COUNT,
        "pattern": TEXT,
        "x-pattern-description": TEXT,
        "$ref": TEXT,
    },
    "schema": {
        "type": ANY,
        "title": TEXT,
        "description": TEXT,
        "externalDocs": "external docs",
        "deprecated": FLAG,
        "default": ANY,
        "example": ANY,
        "examples": ANY,
        "$comment": TEXT,
        "enum": ANY,
        "const": ANY,
        "format": TEXT,
        "contentMediaType": TEXT,
        "contentSchema": "schema",
        "minLength": COUNT,
        "maxLength": COUNT,
        "pattern": TEXT,
        "x-pattern-description": TEXT,
        "x-max-bytes": COUNT,
        "x-limit": TEXT,
        "x-comma-list": FLAG,
        "x-comma-list-items": "comma list items",
        "x-encrypted": FLAG,
        "minimum": NUMBER,
        "maximum": NUMBER,
        "exclusiveMinimum": NUMBER,
        "exclusiveMaximum": NUMBER,
        "multipleOf": NUMBER,
        "items": "schema",
        "minItems": COUNT,
        "maxItems": COUNT,
        "uniqueItems": FLAG,
        "properties": map_of("schema"),
        "required": TEXTS,
        "additionalProperties": "schema or flag",
        "minProperties": COUNT,
        "maxProperties": COUNT,
        "allOf": list_of("schema"),
        "anyOf": list_of("schema"),
        "oneOf": list_of("schema"),
        "discriminator": "discriminator",
    },
}
"""The keywords of each kind of object, and what stands under them."""

REQUIRED: dict[str, tuple[str, ...]] = {
    "document": ("openapi", "info", "servers", "paths", "components"),
    "info": ("title", "version"),
    "server": ("url",),
    "server variable": ("default",),
    "tag": ("name",),
    "external docs": ("url",),
    "operation": ("operationId", "tags", "summary", "responses"),
    "webhook item": ("post",),
    "webhook": ("requestBody",),
    "parameter": ("name", "in", "schema"),
    "webhook parameter": ("name", "in", "schema"),
    "request body": ("content",),
    "request media type": ("schema",),
    "response": ("description",),
    "example": ("value",),
    "discriminator": ("propertyName",),
}

ANNOTATIONS = frozenset(
    {"title", "description", "externalDocs", "deprecated", "default", "example", "examples", "$comment"}
)
"""Keywords of a schema that say nothing about the value."""

STRING_KEYWORDS = frozenset(
    {
        "enum",
        "const",
        "format",
        "contentMediaType",
        "contentSchema",
        "minLength",
        "maxLength",
        "pattern",
        "x-pattern-description",
        "x-max-bytes",
        "x-limit",
        "x-comma-list",
        "x-comma-list-items",
        "x-encrypted",
    }
)
NUMBER_KEYWORDS = frozenset(
    {"enum", "const", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
)
TYPE_KEYWORDS: dict[str, frozenset[str]] = {
    "string": STRING_KEYWORDS,
    "integer": NUMBER_KEYWORDS,
    "number": NUMBER_KEYWORDS - {"enum", "const", "exclusiveMinimum", "exclusiveMaximum"},
    "boolean": frozenset({"const"}),
    "array": frozenset({"items", "minItems", "maxItems", "uniqueItems", "x-limit"}),
    "object": frozenset(
        {
            "properties",
            "required",
            "additionalProperties",
            "minProperties",
            "maxProperties",
            "allOf",
            "oneOf",
            "anyOf",
        }
    ),
    "null": frozenset(),
}
"""Which keywords say something about which type. The rest of them would be ignored there by every validator."""


COMPONENTS = {
    "schema": "schemas",
    "comma list items": "schemas",
    "parameter": "parameters",
    "webhook parameter": "parameters",
    "response": "responses",
    "request body": "requestBodies",
    "example": "examples",
}
"""What may be a reference, and to which components."""


def check_keywords(root: Node) -> None:
    """Go through the whole document. All problems are reported at once."""
    problems = list(_object(root, "document"))
    problems += _references(Document(root), root)
    if problems:
        raise GenerationError(problems)


def _object(node: Node, kind: str) -> Iterator[Problem]:
    if not is_mapping(node.value):
        yield Problem(node.pointer, f"must be an object ({kind})")
        return
    if "$ref" in node.value:
        yield from _reference(node, kind)
        return
    keywords = KEYWORDS[kind]
    for name, child in node.members():
        if name not in keywords:
            yield Problem(node.pointer, f"the keyword {name} is unknown to the generator ({kind})")
        else:
            yield from _child(child, keywords[name])
    for name in REQUIRED.get(kind, ()):
        if name not in node.value:
            yield Problem(node.pointer, f"{name} is missing ({kind})")
    if kind == "schema":
        yield from _schema(node, node.value)


def _child(node: Node, kind: Child) -> Iterator[Problem]:
    value = node.value
    correct, what = True, ""
    match kind:
        case "any":
            pass
        case "text":
            correct, what = isinstance(value, str), "a string"
        case "flag":
            correct, what = isinstance(value, bool), "true or false"
        case "count":
            correct = isinstance(value, int) and not isinstance(value, bool) and value >= 0
            what = "a whole number, not negative"
        case "number":
            correct, what = isinstance(value, (int, float)) and not isinstance(value, bool), "a number"
        case "texts":
            correct = is_list(value) and all(isinstance(item, str) for item in value)
            what = "an array of strings"
        case "schema or flag":
            if not isinstance(value, bool):
                yield from _object(node, "schema")
        case str():
            yield from _object(node, kind)
        case ("list", inner):
            correct, what = is_list(value), "an array"
            for item in node.items() if correct else ():
                yield from _object(item, inner)
        case (_, inner):
            correct, what = is_mapping(value), "an object"
            for _, item in node.members() if correct else ():
                yield from _object(item, inner)
    if not correct:
        yield Problem(node.pointer, f"must be {what}")


def _reference(node: Node, kind: str) -> Iterator[Problem]:
    """A reference may stand beside a description, and for a schema beside other notes. Rules need an allOf."""
    allowed = {"$ref", "description", "summary"}
    if kind == "schema":
        allowed |= ANNOTATIONS | {"x-encrypted"}
    for name in node.mapping():
        if name not in allowed:
            yield Problem(node.pointer, f"{name} cannot stand beside $ref here")
    target = node.mapping()["$ref"]
    if kind not in COMPONENTS:
        yield Problem(node.pointer, f"a reference cannot stand here ({kind})")
    elif not isinstance(target, str) or not target.startswith(f"#/components/{COMPONENTS[kind]}/"):
        yield Problem(node.pointer, f"$ref must have the form #/components/{COMPONENTS[kind]}/<name>")


def _references(document: Document, node: Node) -> Iterator[Problem]:
    """Follow every reference."""
    if is_list(node.value):
        for item in node.items():
            yield from _references(document, item)
    elif is_mapping(node.value):
        if isinstance(node.value.get("$ref"), str):
            try:
                document.resolve(node)
            except GenerationError as error:
                yield from error.problems
        for name, member in node.members():
            if name not in ("value", "example", "default", "const"):  # data, in which $ref means nothing
                yield from _references(document, member)


def _schema(node: Node, schema: Mapping[str, object]) -> Iterator[Problem]:
    given = schema.get("type")
    types = given if is_list(given) else [given]
    allowed = set(ANNOTATIONS | {"type"})
    for name in types:
        if name is None:
            allowed |= {"allOf", "anyOf", "oneOf", "discriminator", "required", "const"}
        elif isinstance(name, str) and name in TYPE_KEYWORDS:
            allowed |= TYPE_KEYWORDS[name]
        else:
            yield Problem(node.pointer, f"the type {name!r} is unknown")
            return
    for keyword in schema:
        if keyword in KEYWORDS["schema"] and keyword not in allowed:
            yield Problem(node.pointer, f"{keyword} does not go with type {given!r} here")
    if "format" in schema and schema["format"] not in FORMATS:
        yield Problem(node.pointer, f"the format {schema['format']!r} is unknown to the generator")
    for keyword, other in (
        ("x-comma-list-items", "x-comma-list"),
        ("x-pattern-description", "pattern"),
        ("discriminator", "oneOf"),
    ):
        if keyword in schema and other not in schema:
            yield Problem(node.pointer, f"{keyword} needs {other} beside it")
    if "x-limit" in schema and not {"x-max-bytes", "maxItems"} & schema.keys():
        yield Problem(node.pointer, "x-limit needs x-max-bytes or maxItems beside it")
    for least, most in (("minLength", "maxLength"), ("minItems", "maxItems"), ("minimum", "maximum")):
        low, high = schema.get(least), schema.get(most)
        if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
            yield Problem(node.pointer, f"{least} is larger than {most}")
