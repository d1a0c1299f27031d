"""Code for operations: signatures, requests, docstrings."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen

from . import examples
from .code import Code
from .docs import paragraphs, ruled, section, see, sentence
from .model import (
    Api,
    Body,
    CommaListType,
    ConstType,
    Field,
    ListType,
    ModelType,
    Operation,
    Resource,
    Type,
    nested,
    plain,
)


@frozen
class Argument:
    """An argument of a method."""

    name: str
    annotation: str
    default: str | None
    doc: str
    positional: bool = False


@frozen
class Methods:
    """What the templates of operations and resources ask for."""

    api: Api
    code: Code

    def result(self, operation: Operation) -> str:
        """Return the annotation of what a method returns."""
        if operation.result is None:
            return "str" if operation.result_is_text else "None"
        return self.code.annotation(operation.result, answer=True)

    def signature(self, operation: Operation, first: str = "", last: str = "") -> str:
        """Return the parameters of a method or function, between a first and a last one."""
        arguments = list(self._arguments(operation))
        parts = [first] if first else []
        parts += [f"{argument.name}: {argument.annotation}" for argument in arguments if argument.positional]
        keywords = [argument for argument in arguments if not argument.positional]
        if keywords or last:
            parts.append("*")
        for argument in keywords:
            default = "" if argument.default is None else f" = {argument.default}"
            parts.append(f"{argument.name}: {argument.annotation}{default}")
        return ", ".join([*parts, last] if last else parts)

    def pass_on(self, operation: Operation) -> str:
        """Return the arguments with which a method calls the function that makes its request."""
        parts = ["self._caller.app_id"]
        for argument in self._arguments(operation):
            parts.append(argument.name if argument.positional else f"{argument.name}={argument.name}")
        return ", ".join([*parts, "limits=self._caller.limits"])

    def models_of(self, resource: Resource) -> list[str]:
        """Return the models that the operations of a resource take and return."""
        kinds: list[Type] = []
        for operation in resource.operations:
            if operation.result:
                kinds.append(operation.result)
            if operation.body:
                kinds += [operation.body.type, *(field.type for field in operation.body.fields)]
        return sorted({inner.model for kind in kinds for inner in nested(kind) if isinstance(inner, ModelType)})

    def path(self, operation: Operation) -> str:
        """Return the expression for the path, its parameters checked and escaped."""
        parameters = {parameter.wire: parameter for parameter in operation.path_parameters}
        if operation.app_id:
            parameters[operation.app_id.wire] = operation.app_id
        parts: list[str] = []
        for index, text in enumerate(operation.path.replace("}", "{").split("{")):
            if index % 2 == 0:
                parts += [repr(text)] if text else []
                continue
            parameter = parameters[text]
            name = parameter.name
            check = self.code.check(parameter.type, name, repr(name), limits="limits")
            parts.append(f"encode_path({check}, {name!r})")
        return " + ".join(parts)

    def request_lines(self, operation: Operation) -> Iterator[str]:
        """Return the statements that make the query and the model of the body."""
        code = self.code
        if operation.query_parameters:
            yield "query_pairs: list[tuple[str, str]] = []"
        for parameter in operation.query_parameters:
            name, wire, kind = parameter.name, repr(parameter.wire), plain(parameter.type)
            check = code.check(kind, name, repr(name), limits="limits")
            if isinstance(kind, CommaListType):
                yield f"{name} = {check}"
                yield f"if {name}:"
                yield f'    query_pairs.append(({wire}, ",".join({name})))'
                continue
            indent = ""
            if not parameter.required:
                yield f"if {name} is not None:"
                indent = "    "
            if isinstance(kind, ListType):
                item = code.query(kind.item, "item")
                yield f"{indent}query_pairs.extend(({wire}, {item}) for item in {check})"
            else:
                yield f"{indent}query_pairs.append(({wire}, {code.query(kind, check)}))"
        body = operation.body
        if body and body.kind == "object":
            yield f"request_body = {self._body_model(body)}"

    def body_expression(self, operation: Operation) -> str:
        """Return the expression for the bytes of the body, or nothing."""
        body = operation.body
        if body is None:
            # A POST without a body is refused by some servers, and the signature is over what is sent.
            return 'b"{}"' if operation.http_method in ("POST", "PUT", "PATCH") else ""
        if body.kind == "object":
            return "encode_json(request_body.to_dict())"
        check = self.code.check(body.type, "body", '"body"', limits="limits")
        return f"{check}.encode()" if body.kind == "raw" else f"encode_json({self.code.write(body.type, check)})"

    def request_documentation(self, operation: Operation) -> list[str]:
        """Return the lines of the docstring of the function that makes the request."""
        lines = [f"Make the request of `{operation.id}`: {operation.summary[:1].lower()}{operation.summary[1:]}"]
        return [*lines, "", "Raises:", "    InvalidArgumentError: An argument breaks a rule."]

    def documentation(self, operation: Operation) -> list[str]:
        """Return the lines of a method's docstring."""
        lines = paragraphs(sentence(operation.summary), 112)
        if operation.description:
            lines += ["", *paragraphs(operation.description, 112)]
        lines += section("Args", [(argument.name, argument.doc) for argument in self._arguments(operation)], 112)
        raises = [("InvalidArgumentError", "An argument breaks a rule. Nothing was sent.")]
        raises += [(name, " ".join(text.split())) for name, text in operation.errors]
        raises.append(("APIConnectionError", "No complete answer came."))
        if operation.result is not None:
            raises.append(("ResponseDecodeError", "The answer is not what the API description says."))
        lines += section("Raises", raises, 112)
        example = self.example(operation)
        lines += ["", "Example:", *(f"    {line}" for line in example)] if example else []
        return [*lines, *see(operation.docs_url)]

    def example(self, operation: Operation) -> list[str]:
        """Return the lines of a call with the values of the spec's first example."""
        return examples.call(self.api, operation)

    def _arguments(self, operation: Operation) -> Iterator[Argument]:
        code = self.code
        for parameter in operation.path_parameters:
            doc = ruled(parameter.description, code.rule(parameter.type))
            yield Argument(parameter.name, code.annotation(parameter.type), None, doc, positional=True)
        entries = [(p.name, p.type, p.required, p.description) for p in operation.query_parameters]
        body = operation.body
        if body and body.kind == "object":
            entries += [(f.name, f.type, f.required, f.description) for f in body.fields if not _constant(f)]
        elif body:
            entries.append(("body", body.type, True, body.description))
        for name, kind, required, description in sorted(entries, key=lambda entry: not entry[2]):
            annotation, default = self._argument_type(kind, required)
            yield Argument(name, annotation, default, ruled(description, code.rule(kind)))
        if body and body.additional:
            annotation = f"Mapping[str, {code.annotation(body.additional)}] | None"
            doc = "Further fields that the API may take."
            yield Argument("additional_properties", annotation, "None", doc)

    def _argument_type(self, kind: Type, required: bool) -> tuple[str, str | None]:
        annotation = self.code.annotation(kind if required else plain(kind))
        if required:
            return annotation, None
        return (annotation, "()") if isinstance(kind, CommaListType) else (f"{annotation} | None", "None")

    def _body_model(self, body: Body) -> str:
        if not isinstance(body.type, ModelType):
            raise AssertionError("an object body is a model")
        model = self.api.model(body.type.model)
        names = {field.wire: field.name for field in model.fields}
        parts = [f"{names[field.wire]}={field.name}" for field in body.fields if not _constant(field)]
        parts += ["additional_properties=additional_properties or {}"] if body.additional else []
        parts += ["limits=limits"] if model.holds_limits else []
        return f"{model.name}({', '.join(parts)})"


def _constant(field: Field) -> bool:
    return isinstance(field.type, ConstType)
