"""Specs that are refused, with the place and the reason. Among them are the traps that the parser walks into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from openapi_python_client.config import Config
from openapi_python_client.parser import GeneratorData
from openapi_python_client.parser.errors import GeneratorError

from .support import Change, Spec, operation, problem, schema


def at(*path: str, **values: object) -> Change:
    """Change members of what stands at a path of the spec."""

    def change(spec: Spec) -> None:
        for name in path:
            spec = spec[name]
        spec.update(values)

    return change


def component(name: str, **values: object) -> Change:
    return at("components", "schemas", name, **values)


def new_component(name: str, value: object) -> Change:
    return at("components", "schemas", **{name: value})


def of_operation(operation_id: str, **values: object) -> Change:
    return lambda spec: operation(spec, operation_id).update(values)


def without(operation_id: str, key: str) -> Change:
    return lambda spec: operation(spec, operation_id).pop(key)


def parameter(**values: object) -> Change:
    """Add a query parameter to items/list."""
    return lambda spec: operation(spec, "items/list")["parameters"].append({"name": "x", "in": "query", **values})


def body(operation_id: str, content: dict[str, object], **values: object) -> Change:
    return of_operation(operation_id, requestBody={"required": True, "content": content, **values})


def answer(status: str, content: object) -> Change:
    response: dict[str, object] = {"description": "x", "content": content}
    return lambda spec: operation(spec, "items/create")["responses"].update({status: response})


def copied(operation_id: str, path: str, **values: object) -> Change:
    """Copy an operation to another path."""

    def change(spec: Spec) -> None:
        copy: dict[str, Any] = {**operation(spec, operation_id), **values}
        spec["paths"][path] = {"parameters": [{"$ref": "#/components/parameters/app_id"}], "post": copy}

    return change


JSON = "application/json"
TEXT: dict[str, object] = {"type": "string"}
ANY_OBJECT: dict[str, object] = {"type": "object"}

REFUSED: dict[str, tuple[Change, str]] = {
    # keywords: the parser ignores each of these without a word
    "a mistyped keyword": (component("Tag", maxLenght=3), "#/components/schemas/Tag: the keyword maxLenght is unknown"),
    "not": (component("Tag", **{"not": TEXT}), "the keyword not is unknown"),
    "if": (component("Item", **{"if": ANY_OBJECT}), "the keyword if is unknown"),
    "dependentRequired": (component("Item", dependentRequired={}), "the keyword dependentRequired is unknown"),
    "patternProperties": (component("Item", patternProperties={}), "the keyword patternProperties is unknown"),
    "propertyNames": (component("Item", propertyNames={}), "the keyword propertyNames is unknown"),
    "readOnly": (component("Tag", readOnly=True), "the keyword readOnly is unknown"),
    "nullable of 3.0": (component("Tag", nullable=True), "the keyword nullable is unknown"),
    "prefixItems": (component("Tag", prefixItems=[]), "the keyword prefixItems is unknown"),
    "an unknown x- keyword": (component("Tag", **{"x-max-byte": 3}), "the keyword x-max-byte is unknown"),
    "a keyword of another type": (component("Tag", maxItems=3), "maxItems does not go with type 'string'"),
    "properties without a type": (
        new_component("New", {"properties": {"a": TEXT}}),
        "properties does not go with type None",
    ),
    "an unknown type": (component("Tag", type="str"), "the type 'str' is unknown"),
    "an unknown format": (component("Tag", format="date-time"), "the format 'date-time' is unknown"),
    "a limit of the wrong type": (component("Tag", maxLength="3"), "Tag/maxLength: must be a whole number"),
    "a negative limit": (component("Tag", maxLength=-3), "Tag/maxLength: must be a whole number, not negative"),
    "limits the wrong way round": (component("Tag", minLength=5), "minLength is larger than maxLength"),
    "a flag of the wrong type": (of_operation("items/list", deprecated="no"), "must be true or false"),
    "a number of the wrong type": (at("components", "schemas", "Part", "properties", "id", minimum="1"), "a number"),
    "texts of the wrong type": (component("Item", required="id"), "Item/required: must be an array of strings"),
    "a text of the wrong type": (at("info", title=3), "#/info/title: must be a string"),
    "a list of the wrong type": (at(servers={}), "#/servers: must be an array"),
    "a map of the wrong type": (at(paths=[]), "#/paths: must be an object"),
    "an object of the wrong type": (at(info="Mini"), "#/info: must be an object (info)"),
    "a missing member": (at(info={"title": "Mini"}), "#/info: version is missing (info)"),
    "no operationId": (without("items/list", "operationId"), "operationId is missing (operation)"),
    # what is on the network but in no signature
    "parameter content": (
        parameter(content={JSON: {"schema": TEXT}}),
        "the keyword content is unknown to the generator (parameter)",
    ),
    "a deep object": (parameter(schema=ANY_OBJECT, style="deepObject"), "the style deepObject is not supported"),
    "an object as parameter": (parameter(schema=ANY_OBJECT), "cannot be expressed in query"),
    "a header": (
        lambda spec: operation(spec, "items/list")["parameters"].append({"name": "x", "in": "header", "schema": TEXT}),
        "a parameter in header cannot be expressed",
    ),
    "a pipe delimited list": (
        parameter(schema={"type": "array", "items": TEXT}, style="pipeDelimited"),
        "the style pipeDelimited is not supported in query",
    ),
    "a comma list of numbers": (
        parameter(schema={"type": "array", "items": {"type": "integer"}}, explode=False),
        "the items of a comma list must be strings",
    ),
    "security of one operation": (of_operation("items/list", security=[]), "the keyword security is unknown"),
    "two parameters of one name": (
        parameter(name="limit", schema=TEXT),
        "Parameters MUST NOT contain duplicates",
    ),
    "a parameter that is not in the path": (
        lambda spec: spec["paths"]["/apps/{app_id}/items"]["parameters"].append(
            {"name": "other", "in": "path", "required": True, "schema": TEXT}
        ),
        "Path parameters do not match with path",
    ),
    "arguments of one name": (parameter(name="Prefix", schema=TEXT), "two arguments have the name prefix"),
    # bodies
    "an xml body": (body("items/create", {"application/xml": {"schema": TEXT}}), "Unsupported content type"),
    "a form": (
        body("items/create", {"application/x-www-form-urlencoded": {"schema": {"$ref": "#/components/schemas/Tree"}}}),
        "application/x-www-form-urlencoded is not supported",
    ),
    "two bodies": (
        body("items/create", {JSON: {"schema": TEXT}, "text/plain": {"schema": TEXT}}),
        "a request body must have one content type",
    ),
    "an optional body": (
        body("items/create", {JSON: {"schema": TEXT}}, required=False),
        "a request body must be required",
    ),
    "a raw body that is no string": (
        body("items/create", {JSON: {"schema": ANY_OBJECT, "x-raw-body": True}}),
        "a body with x-raw-body must be a string",
    ),
    "a GET with a body": (
        lambda spec: operation(spec, "items/list").update(
            requestBody={"required": True, "content": {JSON: {"schema": TEXT}}}
        ),
        "a GET or HEAD operation cannot have a body",
    ),
    # answers
    "no success": (
        of_operation("items/create", responses={"400": {"description": "x"}}),
        "the operation has no success",
    ),
    "successes of two types": (
        answer("202", {JSON: {"schema": {"$ref": "#/components/schemas/Leaf"}}}),
        "all successes of an operation must have the same type",
    ),
    "a success of two content types": (
        answer("200", {JSON: {"schema": TEXT}, "text/plain": {"schema": TEXT}}),
        "a success must have one content type",
    ),
    "an xml answer": (answer("200", {"application/xml": {"schema": TEXT}}), "Unsupported content_type application/xml"),
    "a status that is none": (answer("20", {}), "20 is no status"),
    # schemas
    "an inline union": (
        component("Tree", properties={"label": {"oneOf": [{"$ref": "#/components/schemas/Leaf"}, TEXT]}}),
        "a oneOf must be a component of its own with a discriminator",
    ),
    "any of objects": (
        component("Tree", properties={"label": {"anyOf": [{"$ref": "#/components/schemas/Leaf"}, TEXT]}}),
        "the schema cannot be expressed",
    ),
    "an object or list or null": (
        component(
            "Leaf", properties={"color": {"anyOf": [ANY_OBJECT, {"type": "array", "items": TEXT}, {"type": "null"}]}}
        ),
        "a choice that may be null must have one other member",
    ),
    "an array without items": (component("Leaf", properties={"color": {"type": "array"}}), "array must have items"),
    "a choice of two fields at once": (
        component("NewItem", allOf=[{"oneOf": [{"required": ["tag", "tags"]}, {"required": ["d"]}]}]),
        "members of the form required: [one]",
    ),
    "a choice of a required field": (
        component("NewItem", allOf=[{"oneOf": [{"required": ["name"]}, {"required": ["tag"]}]}]),
        "the choice must be between optional properties",
    ),
    "required without a property": (
        component("Leaf", required=["colour"]),
        "required names colour, which is no property",
    ),
    "a property in two parts of an allOf": (
        lambda spec: schema(spec, "Item")["properties"].update(name=TEXT),
        "the property name is already defined",
    ),
    "a pattern that Python reads in another way": (
        component("Tag", pattern=r"^\p{L}$"),
        "the pattern is not supported",
    ),
    "an enum of null": (component("Tag", enum=["a", None]), "Tag/enum/1: must be a string"),
    "an integer enum with a bool": (component("Sizes", enum=[1, True]), "Sizes/enum/1: must be an integer"),
    "a fraction as limit of an integer": (component("Sizes", minimum=0.5), "must be a whole number for an integer"),
    "a const that is no scalar": (component("Sizes", const=[1]), "Sizes"),
    "an alias": (
        new_component("Label", {"$ref": "#/components/schemas/Tag"}),
        "Label: a component that is only another name",
    ),
    "an array as component": (
        lambda spec: (
            schema(spec, "Item")["properties"].update(tags={"$ref": "#/components/schemas/Tags"}),
            spec["components"]["schemas"].update(Tags={"type": "array", "items": {"oneOf": [TEXT]}}),
        ),
        "Tags/items: a oneOf must be a component",
    ),
    # references
    "a reference to nothing": (
        component("Leaf", properties={"color": {"$ref": "#/components/schemas/X"}}),
        "leads nowhere",
    ),
    "a reference in a circle": (
        lambda spec: spec["components"]["schemas"].update(
            A={"$ref": "#/components/schemas/B"}, B={"$ref": "#/components/schemas/A"}
        ),
        "leads back to itself",
    ),
    "a reference to another file": (
        component("Leaf", properties={"color": {"$ref": "other.yaml#/Color"}}),
        "$ref must have the form #/components/schemas/<name>",
    ),
    "a reference to another kind": (
        component("Leaf", properties={"color": {"$ref": "#/components/responses/Failed"}}),
        "$ref must have the form #/components/schemas/<name>",
    ),
    "a rule beside a reference": (
        component("Leaf", properties={"color": {"$ref": "#/components/schemas/Tag", "maxLength": 2}}),
        "maxLength cannot stand beside $ref",
    ),
    "a reference where none can be": (at(info={"$ref": "#/components/examples/x"}), "a reference cannot stand here"),
    "an example that leads nowhere": (
        lambda spec: operation(spec, "items/create")["requestBody"]["content"][JSON].update(
            examples={"x": {"$ref": "#/components/examples/x"}}
        ),
        "leads nowhere",
    ),
    # our own keywords
    "x-limit without a limit": (component("Tag", **{"x-limit": "max_tag"}), "x-limit needs x-max-bytes or maxItems"),
    "x-limit that is no name": (component("Tag", **{"x-limit": "Max", "x-max-bytes": 3}), "must name a client option"),
    "x-limit with two values": (
        component("Tag", **{"x-limit": "max_tags", "x-max-bytes": 9}),
        "something else elsewhere",
    ),
    "x-pattern-description alone": (component("Tag", **{"x-pattern-description": "a"}), "needs pattern beside it"),
    "x-comma-list-items alone": (component("Tag", **{"x-comma-list-items": TEXT}), "needs x-comma-list beside it"),
    "x-comma-list as component": (component("Tag", **{"x-comma-list": True}), "x-comma-list"),
    "x-comma-list with a pattern": (
        lambda spec: schema(spec, "NewItem")["properties"]["colors"].update(pattern="^a$"),
        "pattern cannot stand beside x-comma-list",
    ),
    "x-encrypted in a request": (
        lambda spec: schema(spec, "NewItem")["properties"]["d"].update({"x-encrypted": True}),
        "x-encrypted is for what is received",
    ),
    "x-encrypted on a number": (
        lambda spec: schema(spec, "Part")["properties"]["id"].update({"x-encrypted": True}),
        "x-encrypted does not go with type 'integer'",
    ),
    "two encrypted properties": (
        lambda spec: schema(spec, "Message")["properties"].update(more={"type": "string", "x-encrypted": True}),
        "one property with x-encrypted",
    ),
    # tagged unions
    "a tagged union in an answer": (
        lambda spec: schema(spec, "Item")["properties"].update(change={"$ref": "#/components/schemas/WebhookChange"}),
        "a tagged union can be used in webhooks only",
    ),
    "a union without discriminator": (
        lambda spec: schema(spec, "WebhookChange").pop("discriminator"),
        "WebhookChange: discriminator is missing",
    ),
    "a member without const": (
        lambda spec: schema(spec, "Added")["properties"]["what"].pop("const"),
        "must have a required property what with a const string",
    ),
    "a member whose tag is optional": (component("Added", required=["item"]), "must have a required property what"),
    "two members with one tag": (
        lambda spec: (
            schema(spec, "Added")["properties"]["what"].update(const="message"),
            schema(spec, "WebhookChange")["discriminator"].pop("mapping"),
        ),
        "two members of WebhookChange have the what message",
    ),
    "a mapping to another member": (
        lambda spec: schema(spec, "WebhookChange")["discriminator"]["mapping"].update(
            added="#/components/schemas/Message"
        ),
        "added must lead to Added",
    ),
    "a mapping of nothing": (
        lambda spec: schema(spec, "WebhookChange")["discriminator"]["mapping"].update(x="#/components/schemas/Message"),
        "which is the what of no member",
    ),
    "a union of one": (lambda spec: schema(spec, "WebhookChange")["oneOf"].pop(), "two members or more"),
    "an inline member": (lambda spec: schema(spec, "WebhookChange")["oneOf"].append(ANY_OBJECT), "must be a component"),
    "a recursive union": (
        lambda spec: schema(spec, "Added")["properties"].update(inner={"$ref": "#/components/schemas/WebhookChange"}),
        "a member of a tagged union cannot use the union",
    ),
    "an event that refuses new fields": (
        component("Added", additionalProperties=False),
        "must accept further properties",
    ),
    "a webhook of another tag": (
        at("webhooks", "changes", "post", tags=["items"]),
        "the tag of a webhook must be webhooks, not items",
    ),
    "a webhook that is a text": (
        at("webhooks", "changes", "post", "requestBody", "content", JSON, schema=TEXT),
        "the body of a webhook must be an object",
    ),
    # names
    "a tag that is not the resource": (of_operation("items/list", tags=["notes"]), "must have the one tag items"),
    "two tags": (of_operation("items/list", tags=["items", "notes"]), "must have the one tag items"),
    "an undeclared tag": (of_operation("items/list", tags=["x"], operationId="x/list"), "the tag x is not declared"),
    "an operationId without a slash": (
        of_operation("items/list", operationId="list"),
        "must have the form resource/method",
    ),
    "an operationId in camel case": (of_operation("items/list", operationId="items/listAll"), "in snake_case"),
    "one operationId twice": (copied("items/create", "/apps/{app_id}/more"), "the operationId is taken"),
    "operationIds that the parser confuses": (
        copied("items/create", "/apps/{app_id}/more", operationId="items_create/x", tags=["items_create"]),
        "items_create",
    ),
    "a tag that is a verb of the client": (
        of_operation("items/list", operationId="trigger/x", tags=["trigger"]),
        "trigger",
    ),
    "the tag of webhooks": (
        of_operation("items/list", operationId="webhooks/x", tags=["webhooks"]),
        "the tag webhooks is a name that the client uses itself",
    ),
    "a keyword as method": (of_operation("items/list", operationId="items/import"), "the method name import is taken"),
    "a type as method": (of_operation("items/list", operationId="items/str"), "the method name str is taken"),
    "a component with a name of ours": (
        new_component("Request", {**ANY_OBJECT, "properties": {}}),
        "the name Request is",
    ),
    "a scalar with a name of ours": (new_component("String", TEXT), "the name check_string is made twice"),
    "two components of one Python name": (
        lambda spec: spec["components"]["schemas"].update(
            {"new-leaf": {**ANY_OBJECT, "properties": {}}, "NewLeaf": {**ANY_OBJECT, "properties": {}}}
        ),
        "duplicate models",
    ),
    "two scalars of one Python name": (
        lambda spec: spec["components"]["schemas"].update({"new-name": TEXT, "NewName": TEXT}),
        "check_new_name is made twice",
    ),
    # servers
    "no server": (at(servers=[]), "servers must not be empty"),
    "a server with a path": (at(servers=[{"url": "https://mini.example/v1"}]), "must be https://host, without a path"),
    "a plain text server": (at(servers=[{"url": "http://mini.example"}]), "must be https://host"),
    "an unknown variable": (at(servers=[{"url": "https://{a}.example"}]), "the variables do not match"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, tmp_path: Path) -> None:
    change, message = REFUSED[case]
    assert message in problem(change, tmp_path)


def test_all_unknown_keywords_are_reported_at_once(tmp_path: Path) -> None:
    def change(spec: Spec) -> None:
        schema(spec, "Tag")["one"] = 1
        schema(spec, "Item")["two"] = 2

    message = problem(change, tmp_path)
    assert len(message.splitlines()) == 2


def test_a_dropped_operation_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = GeneratorData.from_dict

    def dropping(data: dict[str, Any], *, config: Config) -> GeneratorData:
        result = read(data, config=config)
        assert isinstance(result, GeneratorData)
        collection = next(iter(result.endpoint_collections_by_tag.values()))
        del collection.endpoints[0]
        return result

    monkeypatch.setattr(GeneratorData, "from_dict", dropping)
    message = problem(lambda _: None, tmp_path)
    assert message == "#/paths/~1apps~1{app_id}~1items/get: openapi-python-client dropped the operation"


def test_a_document_that_the_parser_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(data: dict[str, Any], *, config: Config) -> GeneratorError:
        return GeneratorError(header="Failed", detail="it is\n broken")

    monkeypatch.setattr(GeneratorData, "from_dict", refusing)
    assert problem(lambda _: None, tmp_path) == "openapi-python-client: Failed it is broken"
