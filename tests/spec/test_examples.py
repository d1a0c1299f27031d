"""Every operation and webhook has examples, and every example is what its schema says."""

from typing import Any

import pytest

from .document import (
    EVERYTHING,
    OPERATIONS,
    Operation,
    all_schemas,
    document,
    errors,
    is_list,
    is_object,
    resolve,
    values,
    walk,
)


def ids(each: Operation) -> str:
    return each.id


def holders() -> list[tuple[str, dict[str, Any]]]:
    """Everything that has a schema and may have examples: parameters, headers and media types."""
    return [
        (pointer, node)
        for pointer, node in walk(document())
        if isinstance(node.get("schema"), dict) and not pointer.startswith(("#/x-", "#/components/schemas/"))
    ]


@pytest.mark.parametrize("each", EVERYTHING, ids=ids)
def test_operation_has_examples(each: Operation) -> None:
    for parameter in each.parameters:
        assert values(parameter), parameter["name"]
    if each.body is not None:
        assert values(each.body)
    for status, response in each.responses.items():
        for media in response.get("content", {}).values():
            assert values(media), status


def test_every_example_is_valid() -> None:
    checked = [(pointer, holder["schema"], value) for pointer, holder in holders() for value in values(holder)]
    assert checked
    for pointer, node, value in checked:
        assert errors(node, value) == [], pointer


def test_every_example_of_a_schema_is_valid() -> None:
    checked = [(pointer, node, value) for pointer, node in all_schemas() for value in node.get("examples", ())]
    assert checked
    for pointer, node, value in checked:
        assert errors(node, value) == [], pointer


def test_every_example_says_what_it_shows() -> None:
    for pointer, node in walk(document()):
        if "/examples/" in pointer and "value" in node and not pointer.startswith("#/x-"):
            assert resolve(node)["summary"], pointer


def test_examples_show_every_field_of_every_request() -> None:
    shown: dict[str, set[str]] = {}
    for each in OPERATIONS:
        if each.body is not None:
            for value in values(each.body):
                note(each.body["schema"], value, shown)
    for name, fields in shown.items():
        declared = document()["components"]["schemas"][name].get("properties", {}).keys()
        # The second payload of the same kind would show nothing new.
        assert declared - fields <= {"gcm"}, name


def note(node: dict[str, Any], value: object, shown: dict[str, set[str]]) -> None:
    """Remember which fields of which named object a value uses."""
    target = resolve(node)
    if is_object(value) and "$ref" in node:
        shown.setdefault(node["$ref"].rsplit("/", 1)[-1], set()).update(value)
        for key, inner in value.items():
            note(target["properties"][key], inner, shown)
    elif is_list(value) and "items" in target:
        for inner in value:
            note(target["items"], inner, shown)


def test_webhook_examples_show_every_kind_of_event() -> None:
    (webhook,) = (each for each in EVERYTHING if each.webhook)
    assert webhook.body is not None
    shown = {event["name"] for value in values(webhook.body) for event in value["events"]}
    assert shown == document()["components"]["schemas"]["WebhookEvent"]["discriminator"]["mapping"].keys()
