"""Names that are taken, and what the handwritten layer cannot do without."""

from __future__ import annotations

import keyword
from collections import Counter

from .config import (
    ARGUMENT_NAMES,
    ARGUMENT_PREFIXES,
    CLASS_NAMES,
    CLIENT_NAMES,
    CORE_LIMITS,
    CORE_OPERATIONS,
    CORE_SCHEMAS,
    METHOD_NAMES,
    WEBHOOK_TAG,
)
from .errors import GenerationError, Problem
from .model import Api, ConstType, Operation
from .runtime import checks


def check_names(api: Api) -> None:
    """Refuse names that would hide one another, or something that the generated code uses itself."""
    problems: list[Problem] = []
    for resource in api.resources:
        where = resource.operations[0].pointer
        if resource.name in CLIENT_NAMES | {WEBHOOK_TAG} or keyword.iskeyword(resource.name):
            problems.append(Problem(where, f"the tag {resource.name} is a name that the client uses itself"))
    for operation in api.operations():
        if operation.method in METHOD_NAMES or keyword.iskeyword(operation.method):
            problems.append(Problem(operation.pointer, f"the method name {operation.method} is taken"))
        arguments = Counter(argument for argument in _arguments(operation))
        for name, count in arguments.items():
            if count > 1:
                problems.append(Problem(operation.pointer, f"two arguments have the name {name}"))
    for model in api.models:
        if model.checked and any(field.encrypted for field in model.fields):
            problems.append(Problem(model.pointer, "x-encrypted is for what is received, not for requests"))
        for name, count in Counter(field.name for field in model.fields).items():
            if count > 1:
                problems.append(Problem(model.pointer, f"two properties have the Python name {name}"))
    classes = [model.name for model in api.models]
    for union in api.unions:
        classes += [union.name, union.fallback]
    taken = [*CLASS_NAMES, *(f"{prefix}{item.class_name}" for item in api.resources for prefix in ("", "Async"))]
    modules = [model.module for model in api.models]
    functions = [scalar.function for scalar in api.scalars]
    for names in ([*classes, *taken], modules, [*functions, *checks.__all__]):
        for name, count in Counter(names).items():
            if count > 1:
                what = f"the name {name} is made twice, or is one that the generated package uses itself"
                problems.append(Problem("#/components/schemas", what))
    if problems:
        raise GenerationError(problems)


def check_core(api: Api) -> None:
    """Refuse a spec without what the handwritten layer imports."""
    schemas = {model.name for model in api.models} | {scalar.name for scalar in api.scalars}
    schemas |= {union.name for union in api.unions}
    missing = [
        *(f"the operation {name}" for name in CORE_OPERATIONS if name not in {op.id for op in api.operations()}),
        *(f"the schema {name}" for name in CORE_SCHEMAS if name not in schemas),
        *(f"the limit {name} (x-limit)" for name in CORE_LIMITS if name not in {limit.name for limit in api.limits}),
    ]
    if missing:
        raise GenerationError([Problem("#", f"{what} is missing: the SDK cannot do without it") for what in missing])


def argument_name(name: str) -> str:
    """Return the name of an argument, with an underscore if the generated functions use it themselves."""
    return f"{name}_" if name in ARGUMENT_NAMES or name.startswith(ARGUMENT_PREFIXES) else name


def _arguments(operation: Operation) -> list[str]:
    names = [parameter.name for parameter in (*operation.path_parameters, *operation.query_parameters)]
    if operation.body is None:
        return names
    if operation.body.kind != "object":
        return [*names, "body"]
    extra = ["additional_properties"] if operation.body.additional else []
    return [*names, *(field.name for field in operation.body.fields if not isinstance(field.type, ConstType)), *extra]
