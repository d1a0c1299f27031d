"""Runs openapi-python-client's parser, and makes sure that it dropped nothing."""

from __future__ import annotations

import re
from pathlib import Path

import openapi_python_client
from attrs import frozen
from openapi_python_client.config import Config, ConfigFile, MetaType
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.errors import GeneratorError
from openapi_python_client.parser.openapi import Endpoint
from openapi_python_client.parser.properties import Class, ModelProperty
from openapi_python_client.strings import PythonIdentifier

from .adapt import adapt, operation_name
from .config import GENERATOR_PIN
from .document import Node
from .errors import GenerationError, Problem

METHODS = ("get", "put", "post", "delete", "head", "patch")


@frozen
class Parsed:
    """The parser's result, by name."""

    data: GeneratorData
    config: Config
    models: dict[str, ModelProperty]
    endpoints: dict[str, Endpoint]

    def component_class(self, component: str) -> str:
        """Return the class name that the parser gives to a component."""
        return str(Class.from_string(string=component, config=self.config).name)

    def endpoint(self, operation_id: str) -> Endpoint:
        """Return what the parser made of an operation."""
        return self.endpoints[_endpoint_name(operation_id)]

    def identifier(self, name: str) -> str:
        """Return the parser's Python name for a name of the spec."""
        return str(PythonIdentifier(name, self.config.field_prefix))


def parse(root: Node) -> Parsed:
    """Parse the adapted copy of the document."""
    if openapi_python_client.__version__ != GENERATOR_PIN:
        what = f"version {openapi_python_client.__version__} is installed, the generator is written for {GENERATOR_PIN}"
        raise GenerationError([Problem("openapi-python-client", what)])
    config = Config.from_sources(
        ConfigFile(post_hooks=[], content_type_overrides={"text/plain": "application/octet-stream"}),
        meta_type=MetaType.NONE,
        document_source=Path("spec"),
        file_encoding="utf-8",
        overwrite=False,
        output_path=None,
    )
    data = GeneratorData.from_dict(adapt(root.mapping()), config=config)
    if isinstance(data, GeneratorError):
        raise GenerationError([_problem(data)])
    errors: list[GeneratorError] = list(data.errors)
    for collection in data.endpoint_collections_by_tag.values():
        errors.extend(collection.parse_errors)
    if errors:
        raise GenerationError([_problem(error) for error in errors])
    endpoints = {
        str(endpoint.name): endpoint
        for collection in data.endpoint_collections_by_tag.values()
        for endpoint in collection.endpoints
    }
    _check_complete(root, endpoints)
    models = {str(model.class_info.name): model for model in data.models}
    return Parsed(data=data, config=config, models=models, endpoints=endpoints)


def _check_complete(root: Node, endpoints: dict[str, Endpoint]) -> None:
    """Refuse a document of which the parser dropped or merged an operation."""
    problems: list[Problem] = []
    names: dict[str, str] = {}
    for _, item in root.members("paths"):
        for method in METHODS:
            operation = item.get(method)
            if operation is None:
                continue
            name = _endpoint_name(operation.text("operationId"))
            if name in names:
                what = f"the operationId is taken, or too much like the one of {names[name]}"
                problems.append(Problem(operation.pointer, what))
            names.setdefault(name, operation.pointer)
            if name not in endpoints or endpoints[name].method != method:
                problems.append(Problem(operation.pointer, "openapi-python-client dropped the operation"))
    if problems:
        raise GenerationError(problems)


def _endpoint_name(operation_id: str) -> str:
    return str(PythonIdentifier(operation_name(operation_id), "field_"))


def _problem(error: GeneratorError) -> Problem:
    text = " ".join(" ".join(text.split()) for text in (error.header, error.detail) if text)
    # The parser prints some texts of the spec as objects with an address.
    return Problem("openapi-python-client", re.sub(r"<\S*UntrustedString object at \S+>", "(a text)", text))
