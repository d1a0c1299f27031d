"""The spec's examples as Python calls, for docstrings and the index of methods."""

from __future__ import annotations

from .document import is_list, is_mapping
from .model import (
    Api,
    ConstType,
    ListType,
    MapType,
    ModelType,
    Operation,
    Type,
    plain,
)

_WIDTH = 96


def call(api: Api, operation: Operation) -> list[str]:
    """Return the lines of a call with the values of the first example, or none if the spec has no example for it."""
    arguments: list[str] = []
    for parameter in operation.path_parameters:
        if parameter.example is None:
            return []
        arguments.append(_literal(parameter.example))
    for parameter in operation.query_parameters:
        if parameter.example is not None:
            arguments.append(f"{parameter.name}={_value(api, parameter.type, parameter.example)}")
        elif parameter.required:
            return []
    body = operation.body
    if body and body.kind == "object":
        if not is_mapping(body.example):
            return []
        for field in body.fields:
            if field.wire in body.example and not isinstance(field.type, ConstType):
                arguments.append(f"{field.name}={_value(api, field.type, body.example[field.wire])}")
    elif body:
        if body.example is None:
            return []
        arguments.append(f"body={_value(api, body.type, body.example)}")
    name = f"pusher.{operation.resource}.{operation.method}"
    line = f"{name}({', '.join(arguments)})"
    if len(line) <= _WIDTH:
        return [line]
    return [f"{name}(", *(f"    {argument}," for argument in arguments), ")"]


def _value(api: Api, kind: Type, value: object) -> str:
    kind = plain(kind)
    if isinstance(kind, ListType) and is_list(value):
        return f"[{', '.join(_value(api, kind.item, item) for item in value)}]"
    if isinstance(kind, MapType) and is_mapping(value):
        return f"{{{', '.join(f'{_literal(key)}: {_value(api, kind.value, item)}' for key, item in value.items())}}}"
    if isinstance(kind, ModelType) and is_mapping(value):
        fields = api.model(kind.model).fields
        parts = [
            f"{field.name}={_value(api, field.type, value[field.wire])}" for field in fields if field.wire in value
        ]
        return f"{kind.model}({', '.join(parts)})"
    return _literal(value)


def _literal(value: object) -> str:
    """Return a literal with double quotes, as the rest of the code has them."""
    if is_list(value):
        return f"[{', '.join(_literal(item) for item in value)}]"
    if is_mapping(value):
        return f"{{{', '.join(f'{_literal(key)}: {_literal(item)}' for key, item in value.items())}}}"
    text = repr(value)
    if isinstance(value, str) and text.startswith("'") and '"' not in text:
        return f'"{text[1:-1]}"'
    return text
