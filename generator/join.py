"""Joins the parser's result with the raw document to what the templates get."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Iterable

from attrs import evolve
from openapi_python_client.parser.openapi import Endpoint

from .config import (
    APP_ID,
    ARGUMENT_NAMES,
    CLIENT_NAMES,
    CORE_LIMITS,
    CORE_OPERATIONS,
    CORE_SCHEMAS,
    FIELD_NAMES,
    METHOD_NAMES,
    STATUS_ERRORS,
    WEBHOOK_TAG,
)
from .document import Document, Node
from .errors import GenerationError, Problem
from .model import (
    Api,
    Body,
    ConstType,
    Field,
    FieldRule,
    JsonType,
    Limit,
    ListType,
    MapType,
    Model,
    ModelType,
    Operation,
    Parameter,
    Resource,
    Scalar,
    ScalarType,
    Server,
    StringType,
    TaggedUnion,
    TaggedUnionType,
    Type,
    nested,
)
from .parser import METHODS, Parsed
from .types import ModelSource, Types, is_scalar

_OPERATION_ID = re.compile(r"([a-z][a-z0-9]*(?:_[a-z0-9]+)*)/([a-z][a-z0-9]*(?:_[a-z0-9]+)*)")
_OPTION = re.compile(r"[a-z][a-z0-9_]*")
_JSON = "application/json"


def join(root: Node, parsed: Parsed, *, core: bool) -> Api:
    """Make the model of everything that is generated."""
    return _Joiner(Document(root), parsed).api(core=core)


class _Joiner:
    def __init__(self, document: Document, parsed: Parsed) -> None:
        self._document = document
        self._root = document.root
        self._parsed = parsed
        self._types = Types(document, parsed)
        self._unions: dict[str, TaggedUnion] = {}
        self._limits: dict[str, Limit] = {}

    def api(self, *, core: bool) -> Api:
        operations = self._operations()
        requests = [operation.body.type for operation in operations if operation.body]
        answers = [operation.result for operation in operations if operation.result]
        webhooks = self._webhooks()
        self._components()
        models = self._models()
        checked = self._reachable(requests, models)
        read = self._reachable([*answers, *webhooks], models)
        self._check_unions(self._reachable([*requests, *answers], models), [*requests, *answers], models)
        holders = {name for name in models if self._holds_limits(ModelType(name), models)}
        checked |= models.keys() - read
        many = self._items(models) - checked
        models = {
            name: evolve(
                model,
                checked=name in checked,
                holds_limits=name in holders and name in checked,
                many=name in many,
                late=frozenset(other for other in model.references if name in self._reachable_from(other, models)),
            )
            for name, model in models.items()
        }
        api = Api(
            title=self._root.child("info").text("title"),
            version=self._root.child("info").text("version"),
            docs_url=_docs_url(self._root),
            server=self._server(self._root),
            resources=self._resources(operations),
            models=tuple(models[name] for name in sorted(models)),
            scalars=tuple(self._scalars()),
            unions=tuple(self._unions[name] for name in sorted(self._unions)),
            limits=tuple(self._limits[name] for name in sorted(self._limits)),
        )
        self._check_names(api)
        if core:
            _check_core(api)
        return api

    # models

    def _components(self) -> None:
        """Give every component that is an object a class, used or not."""
        for name, node in self._root.child("components").members("schemas"):
            target, _ = self._types.target(node)
            if target.pointer != node.pointer or is_scalar(self._document, node):
                continue
            if "oneOf" in node and "type" not in node:
                self._union(name, node)
                continue
            parsed = self._parsed.models.get(self._parsed.component_class(name))
            if parsed is not None and (node.text("type") == "object" or "allOf" in node):
                self._types.build(parsed, node)
            elif node.mapping().get("type") != "array":
                raise node.fail("the schema cannot be expressed")

    def _models(self) -> dict[str, Model]:
        models: dict[str, Model] = {}
        while missing := [source for name, source in self._types.sources.items() if name not in models]:
            for source in missing:
                model = self._model(source)
                models[model.name] = model
        return models

    def _model(self, source: ModelSource) -> Model:
        parsed, node = source.parsed, source.node
        raw = self._types.properties(node)
        fields: list[Field] = []
        for prop in [*(parsed.required_properties or []), *(parsed.optional_properties or [])]:
            wire = prop.name.get_untrusted_value()
            if wire not in raw:
                raise node.fail(f"the parser found a property {wire} that is not there")
            fields.append(
                self._field(wire, str(prop.python_name), self._field_type(prop, raw[wire]), raw[wire], prop.required)
            )
        lost = raw.keys() - {field.wire for field in fields}
        if lost:
            raise node.fail(f"the parser dropped the properties {', '.join(sorted(lost))}")
        for name in node.texts("required"):
            if name not in raw:
                raise node.fail(f"required names {name}, which is no property")
        names = {field.wire: field.name for field in fields}
        rules: list[FieldRule] = []
        for exactly_one, wires, rule in self._types.field_rules(node):
            if any(wire not in names or next(f for f in fields if f.wire == wire).required for wire in wires):
                raise rule.fail("the choice must be between optional properties of the object")
            rules.append(FieldRule(exactly_one, tuple(names[wire] for wire in wires)))
        extra = node.get("additionalProperties")
        additional: Type | None = JsonType()
        if extra is not None and extra.value is False:
            additional = None
        elif extra is not None and extra.value is not True:
            if parsed.additional_properties is None:
                raise extra.fail("the parser dropped the type of the values")
            additional = self._types.build(parsed.additional_properties, extra)
        used = [kind for field in fields for kind in nested(field.type)]
        used += nested(additional) if additional else []
        return Model(
            name=str(parsed.class_info.name),
            module=str(parsed.class_info.module_name),
            pointer=node.pointer,
            description=node.text("description"),
            docs_url=_docs_url(node),
            fields=tuple(fields),
            additional=additional,
            rules=tuple(rules),
            min_fields=node.count("minProperties"),
            max_fields=node.count("maxProperties"),
            references=tuple(sorted({kind.model for kind in used if isinstance(kind, ModelType)})),
            unions=tuple(sorted({kind.union for kind in used if isinstance(kind, TaggedUnionType)})),
            examples=tuple(item.value for item in node.items("examples")),
        )

    def _field(self, wire: str, name: str, kind: Type, node: Node, required: bool) -> Field:
        target, _ = self._types.target(node)
        self._note_limits(kind, target)
        encrypted = node.flag("x-encrypted") or target.flag("x-encrypted")
        if encrypted and not (isinstance(kind, StringType) or is_scalar(self._document, target)):
            raise node.fail("x-encrypted is for strings")
        return Field(
            wire=wire,
            name=f"{name}_" if name in FIELD_NAMES else name,
            type=kind,
            required=required,
            description=_description(node, target),
            secret=target.mapping().get("format") == "password",
            encrypted=encrypted,
            deprecated=node.flag("deprecated"),
        )

    def _field_type(self, prop: object, node: Node) -> Type:
        target, _ = self._types.target(node)
        if "x-comma-list" not in target:
            return self._types.build(prop, node)  # type: ignore[arg-type]  # a Property is a PropertyProtocol
        for other in ("enum", "const", "minLength", "maxLength", "pattern", "x-max-bytes", "x-limit"):
            if other in target:
                raise target.fail(f"{other} cannot stand beside x-comma-list: put it into x-comma-list-items")
        items = target.get("x-comma-list-items") or Node({}, target.pointer)
        return self._types.comma_list(Node({}, target.pointer), items)

    def _note_limits(self, kind: Type, node: Node) -> None:
        """Collect the limits that client options replace."""
        for inner in nested(kind):
            if isinstance(inner, StringType) and inner.limit:
                self._add_limit(inner.limit, inner.max_bytes, "bytes (UTF-8)", node)
            elif isinstance(inner, ListType) and inner.limit:
                self._add_limit(inner.limit, inner.max_items, "items", node)

    def _add_limit(self, name: str, default: int | None, unit: str, node: Node) -> None:
        if not _OPTION.fullmatch(name) or keyword.iskeyword(name):
            raise node.fail(f"x-limit must name a client option in snake_case, not {name}")
        if default is None:
            raise node.fail(f"the limit of {name} is missing")
        limit = Limit(name, default, f"{default} {unit}")
        if self._limits.setdefault(name, limit) != limit:
            raise node.fail(f"the limit {name} is {limit.description} here and something else elsewhere")

    def _reachable(self, kinds: Iterable[Type], models: dict[str, Model]) -> set[str]:
        found: set[str] = set()
        for kind in kinds:
            for inner in nested(kind):
                if isinstance(inner, ModelType):
                    found |= {inner.model} | self._reachable_from(inner.model, models)
                elif isinstance(inner, TaggedUnionType):
                    for member in self._unions[inner.union].members.values():
                        found |= {member} | self._reachable_from(member, models)
        return found

    def _reachable_from(self, name: str, models: dict[str, Model]) -> set[str]:
        """Return the models that a model uses, itself only if it is recursive."""
        found: set[str] = set()
        waiting = list(self._uses(models[name]))
        while waiting:
            other = waiting.pop()
            if other not in found:
                found.add(other)
                waiting.extend(self._uses(models[other]))
        return found

    def _items(self, models: dict[str, Model]) -> set[str]:
        """Return the models that stand in a list or a map, or are one kind of such items."""
        kinds = [inner for model in models.values() for field in model.fields for inner in nested(field.type)]
        items = [
            kind.item if isinstance(kind, ListType) else kind.value
            for kind in kinds
            if isinstance(kind, (ListType, MapType))
        ]
        found = {inner.model for kind in items for inner in nested(kind) if isinstance(inner, ModelType)}
        return found | {name for union in self._unions.values() for name in union.members.values()}

    def _uses(self, model: Model) -> set[str]:
        members = (member for union in model.unions for member in self._unions[union].members.values())
        return {*model.references, *members}

    def _holds_limits(self, kind: Type, models: dict[str, Model]) -> bool:
        reachable = self._reachable([kind], models)
        kinds = [kind, *(field.type for name in reachable for field in models[name].fields)]
        return any(_has_limit(inner) for one in kinds for inner in nested(one))

    # unions

    def _webhooks(self) -> list[Type]:
        kinds: list[Type] = []
        for name, item in self._root.members("webhooks"):
            webhook = item.child("post")
            for tag in webhook.texts("tags"):
                if tag != WEBHOOK_TAG:
                    raise webhook.fail(f"the tag of a webhook must be {WEBHOOK_TAG}, not {tag}")
            media = self._document.resolve(webhook.child("requestBody")).child("content").child(_JSON)
            endpoint = self._parsed.endpoint(f"{WEBHOOK_TAG}/{name}")
            if len(endpoint.bodies) != 1:
                raise webhook.fail("openapi-python-client dropped the body")
            kind = self._types.build(endpoint.bodies[0].prop, media.child("schema"))
            if not isinstance(kind, (ModelType, TaggedUnionType)):
                raise media.fail("the body of a webhook must be an object with a class of its own")
            kinds.append(kind)
        return kinds

    def _union(self, name: str, node: Node) -> None:
        tag = node.child("discriminator").text("propertyName")
        members: dict[str, str] = {}
        for item in node.items("oneOf"):
            target, component = self._types.target(item)
            if not component:
                raise item.fail("a member of a tagged union must be a component")
            prop = self._types.properties(target).get(tag)
            value = self._types.target(prop)[0].mapping().get("const") if prop else None
            if not isinstance(value, str) or tag not in target.texts("required"):
                raise target.fail(f"a member of {name} must have a required property {tag} with a const string")
            if value in members:
                raise item.fail(f"two members of {name} have the {tag} {value}")
            members[value] = self._parsed.component_class(component)
            mapped = node.child("discriminator").get("mapping")
            if mapped is not None and mapped.text(value).rpartition("/")[2] != component:
                raise mapped.fail(f"{value} must lead to {component}")
        if len(members) < 2:
            raise node.fail("a tagged union must have two members or more")
        mapping = node.child("discriminator").get("mapping")
        for value, _ in mapping.members() if mapping else ():
            if value not in members:
                raise node.fail(f"the mapping of the discriminator has {value}, which is the {tag} of no member")
        self._unions[name] = TaggedUnion(
            name=name,
            tag=tag,
            tag_name=self._parsed.identifier(tag),
            decoder=f"decode_{self._parsed.identifier(name)}",
            fallback=f"Unknown{name.removeprefix('Webhook')}",
            description=node.text("description"),
            members=members,
        )

    def _check_unions(self, _: set[str], kinds: Iterable[Type], models: dict[str, Model]) -> None:
        reachable = self._reachable(kinds, models)
        used = {union for name in reachable for union in models[name].unions}
        for kind in kinds:
            used |= {inner.union for inner in nested(kind) if isinstance(inner, TaggedUnionType)}
        for name in sorted(used):
            node = self._document.component("schemas", name)
            raise node.fail("a tagged union can be used in webhooks only, not in requests and answers")

    # scalars

    def _scalars(self) -> list[Scalar]:
        scalars: list[Scalar] = []
        for name, node in self._root.child("components").members("schemas"):
            target, _ = self._types.target(node)
            if target.pointer != node.pointer or not is_scalar(self._document, node):
                continue
            if "x-comma-list" in node or "x-encrypted" in node:
                raise node.fail("x-comma-list and x-encrypted are for properties, not for components")
            kind: ScalarType = self._types.plain_scalar(node)
            self._note_limits(kind, node)
            scalars.append(
                Scalar(
                    name=name,
                    function=f"check_{self._parsed.identifier(name)}",
                    type=kind,
                    description=node.text("description"),
                    docs_url=_docs_url(node),
                    holds_limits=any(_has_limit(inner) for inner in nested(kind)),
                )
            )
        return scalars

    # operations

    def _operations(self) -> list[Operation]:
        operations: list[Operation] = []
        for path, item in self._root.members("paths"):
            for method in METHODS:
                node = item.get(method)
                if node is not None:
                    operations.append(self._operation(path, item, method, node))
        return operations

    def _operation(self, path: str, item: Node, method: str, node: Node) -> Operation:
        operation_id = node.text("operationId")
        found = _OPERATION_ID.fullmatch(operation_id)
        if not found:
            raise node.fail(f"the operationId {operation_id} must have the form resource/method, in snake_case")
        resource, name = found.groups()
        if node.texts("tags") != (resource,):
            raise node.fail(f"the operation {operation_id} must have the one tag {resource}")
        endpoint = self._parsed.endpoint(operation_id)
        parameters = self._parameters(item, node, endpoint)
        in_path = [parameter for where, parameter in parameters if where == "path"]
        app_id = next((parameter for parameter in in_path if parameter.wire == APP_ID), None)
        body = self._body(node, endpoint)
        result, is_text = self._result(node, endpoint)
        server_holder = next((holder for holder in (node, item) if "servers" in holder), self._root)
        operation = Operation(
            id=operation_id,
            resource=resource,
            method=name,
            http_method=method.upper(),
            path=path,
            summary=node.text("summary"),
            description=node.text("description"),
            docs_url=_docs_url(node),
            deprecated=node.flag("deprecated"),
            idempotent=method in ("get", "head") or node.flag("x-idempotent"),
            server=self._server(server_holder),
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
                parameter = self._document.resolve(reference)
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
            target, _ = self._types.target(schema)
            kind = self._types.build(prop, schema)
            style = parameter.text("style", "simple" if where == "path" else "form")
            if style != ("simple" if where == "path" else "form"):
                raise parameter.fail(f"the style {style} is not supported in {where}")
            explode = parameter.flag("explode", where == "query")
            if isinstance(kind, ListType) and where == "query" and is_scalar(self._document, target.child("items")):
                if not explode:
                    kind = self._types.comma_list(target, target.child("items"))
            elif not is_scalar(self._document, target):
                raise parameter.fail(f"a parameter of this type cannot be expressed in {where}")
            self._note_limits(kind, target)
            name = str(self._parsed.identifier(wire))
            required = parameter.flag("required")
            parameters.append(
                (
                    where,
                    Parameter(
                        wire=wire,
                        name=f"{name}_" if name in ARGUMENT_NAMES and wire != APP_ID else name,
                        type=kind,
                        required=required,
                        description=_description(parameter, target),
                        explode=explode,
                    ),
                )
            )
        return parameters

    def _body(self, node: Node, endpoint: Endpoint) -> Body | None:
        reference = node.get("requestBody")
        if reference is None:
            return None
        raw = self._document.resolve(reference)
        content = list(raw.members("content"))
        if len(content) != 1 or len(endpoint.bodies) != 1:
            raise raw.fail("a request body must have one content type")
        media_type, media = content[0]
        schema = media.child("schema")
        target, _ = self._types.target(schema)
        kind = self._types.build(endpoint.bodies[0].prop, schema)
        self._note_limits(kind, target)
        if not raw.flag("required"):
            raise raw.fail("a request body must be required")
        description = raw.text("description")
        if media.flag("x-raw-body"):
            if not isinstance(kind, (StringType,)) and not is_scalar(self._document, target):
                raise media.fail("a body with x-raw-body must be a string")
            return Body("raw", kind, description)
        if media_type != _JSON:
            raise media.fail(f"the content type {media_type} is not supported without x-raw-body")
        if not isinstance(kind, ModelType):
            return Body("value", kind, description)
        model = self._model(self._types.sources[kind.model])
        fields = tuple(
            evolve(field, name=f"{field.name}_") if field.name in ARGUMENT_NAMES else field for field in model.fields
        )
        takes_additional = model.additional is not None and "additionalProperties" in target
        return Body("object", kind, description, fields, takes_additional)

    def _result(self, node: Node, endpoint: Endpoint) -> tuple[Type | None, bool]:
        """Return what a success is read into; all successes of an operation have to agree."""
        found: list[tuple[Type | None, bool, Node]] = []
        parsed = {response.status_code.pattern: response for response in endpoint.responses}
        for status, reference in node.members("responses"):
            if not re.fullmatch(r"default|[1-5](?:[0-9]{2}|XX)", status):
                raise reference.fail(f"{status} is no status")
            if not status.startswith("2"):
                continue
            response = self._document.resolve(reference)
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
            found.append((self._types.build(parsed[status].prop, media.child("schema")), False, response))
        if not found:
            raise node.fail("the operation has no success (a response of 2xx)")
        for kind, is_text, response in found[1:]:
            if (kind, is_text) != found[0][:2]:
                raise response.fail("all successes of an operation must have the same type")
        return found[0][0], found[0][1]

    def _errors(self, node: Node) -> Iterable[tuple[str, str]]:
        for status, reference in node.members("responses"):
            name = STATUS_ERRORS.get(status, "" if status.startswith("2") else "APIStatusError")
            if name:
                code = "any other status" if status == "default" else status
                yield f"{name} ({code})", self._document.resolve(reference).text("description")

    def _server(self, holder: Node) -> Server:
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
        return Server(url, variables, node.text("x-client-option") or None, node.text("description"))

    def _resources(self, operations: list[Operation]) -> tuple[Resource, ...]:
        descriptions = {tag.text("name"): tag.text("description") for tag in self._root.items("tags")}
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

    # names

    def _check_names(self, api: Api) -> None:
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
            for name, count in Counter(field.name for field in model.fields).items():
                if count > 1:
                    problems.append(Problem(model.pointer, f"two properties have the Python name {name}"))
        classes = Counter(
            [*(model.name for model in api.models), *(union.name for union in api.unions)]
            + [union.fallback for union in api.unions]
        )
        modules = Counter(model.module for model in api.models)
        functions = Counter(scalar.function for scalar in api.scalars)
        for name, count in [*classes.items(), *modules.items(), *functions.items()]:
            if count > 1:
                problems.append(Problem("#/components/schemas", f"two components get the name {name}"))
        if problems:
            raise GenerationError(problems)


def _arguments(operation: Operation) -> list[str]:
    names = [parameter.name for parameter in (*operation.path_parameters, *operation.query_parameters)]
    if operation.body is None:
        return names
    if operation.body.kind != "object":
        return [*names, "body"]
    extra = ["additional_properties"] if operation.body.takes_additional else []
    return [*names, *(field.name for field in operation.body.fields if not isinstance(field.type, ConstType)), *extra]


def _has_limit(kind: Type) -> bool:
    return isinstance(kind, (StringType, ListType)) and kind.limit is not None


def _description(node: Node, target: Node) -> str:
    return node.text("description") or target.text("description")


def _docs_url(node: Node) -> str:
    docs = node.get("externalDocs")
    return docs.text("url") if docs else ""


def _check_core(api: Api) -> None:
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
