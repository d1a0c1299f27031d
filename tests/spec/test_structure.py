"""The description is valid OpenAPI 3.1, complete, documented, and within what the generator can express."""

import re

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from .document import (
    EVERYTHING,
    OPERATIONS,
    WEBHOOKS,
    Operation,
    all_schemas,
    document,
    errors,
    operation,
    reachable,
    resolve,
    schema,
    walk,
)

# Pusher's documentation of the HTTP API, resource by resource.
DOCUMENTED = {
    "events/trigger": ("post", "/apps/{app_id}/events"),
    "events/trigger_batch": ("post", "/apps/{app_id}/batch_events"),
    "channels/list": ("get", "/apps/{app_id}/channels"),
    "channels/get": ("get", "/apps/{app_id}/channels/{channel_name}"),
    "channels/users": ("get", "/apps/{app_id}/channels/{channel_name}/users"),
    "users/terminate_connections": ("post", "/apps/{app_id}/users/{user_id}/terminate_connections"),
    "channels/stats": ("get", "/apps/{app_id}/channels/{channel_name}/stats"),
    "channels/trigger_event": ("post", "/apps/{app_id}/channels/{channel_name}/events"),
    "push_notifications/publish": ("post", "/server_api/v1/apps/{app_id}/notifications"),
}
DEPRECATED = {"channels/stats", "channels/trigger_event", "push_notifications/publish"}
CLUSTERS = ("mt1", "us2", "us3", "eu", "ap1", "ap2", "ap3", "ap4", "sa1")
EXTENSIONS = {
    "x-max-bytes",
    "x-limit",
    "x-comma-list",
    "x-comma-list-items",
    "x-idempotent",
    "x-pattern-description",
    "x-encrypted",
    "x-raw-body",
    "x-client-option",
    "x-pusher-signing",
}
SCHEMA_KEYWORDS = EXTENSIONS | {
    "$ref",
    "type",
    "description",
    "examples",
    "format",
    "const",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "items",
    "minItems",
    "maxItems",
    "properties",
    "required",
    "additionalProperties",
    "allOf",
    "anyOf",
    "oneOf",
    "discriminator",
    "contentMediaType",
    "contentSchema",
}


def ids(each: Operation) -> str:
    return each.id


every_operation = pytest.mark.parametrize("each", OPERATIONS, ids=ids)
every_operation_and_webhook = pytest.mark.parametrize("each", EVERYTHING, ids=ids)


def test_is_valid_openapi_31() -> None:
    assert document()["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(document()).iter_errors()] == []


def test_every_reference_leads_somewhere() -> None:
    references = [node for _, node in walk(document()) if isinstance(node.get("$ref"), str)]
    assert references
    for node in references:
        assert resolve(node)


def test_describes_every_documented_operation() -> None:
    assert {each.id: (each.method, each.path) for each in OPERATIONS} == DOCUMENTED
    assert {each.id for each in OPERATIONS if each.raw.get("deprecated")} == DEPRECATED
    assert [(each.method, each.path) for each in WEBHOOKS] == [("post", "channelsWebhook")]


@every_operation_and_webhook
def test_operation_id_is_tag_and_method(each: Operation) -> None:
    (tag,) = each.raw["tags"]
    assert re.fullmatch(rf"{tag}/[a-z]+(_[a-z]+)*", each.id)


def test_operation_ids_are_unique() -> None:
    found = [each.id for each in EVERYTHING]
    assert len(found) == len(set(found))


def test_tags_are_declared_and_described() -> None:
    tags = {tag["name"]: tag["description"] for tag in document()["tags"]}
    assert set(tags) == {tag for each in EVERYTHING for tag in each.raw["tags"]}
    assert all(tags.values())


def test_info_names_license_and_contact() -> None:
    info = document()["info"]
    assert info["license"]["identifier"] == "MIT"
    assert info["contact"]["url"].startswith("https://")
    assert info["version"]
    assert info["summary"]
    assert info["description"]


@every_operation_and_webhook
def test_operation_is_documented(each: Operation) -> None:
    assert each.raw["summary"].endswith(".")
    assert each.raw["description"]
    assert each.raw["externalDocs"]["url"].startswith("https://pusher.com/docs/")
    for parameter in each.parameters:
        assert parameter["description"], parameter["name"]
    if each.body is not None:
        assert each.raw["requestBody"]["description"]
        assert each.raw["requestBody"]["required"] is True


def test_schemas_and_fields_are_described() -> None:
    for pointer, node in all_schemas():
        if re.search(r"/properties/\w+$|^#/components/schemas/\w+$", pointer):
            assert resolve(node).get("description"), pointer


@every_operation
def test_every_status_is_described(each: Operation) -> None:
    success = {status for status in each.responses if status.startswith("2")}
    large = {"413"} if each.id in {"events/trigger", "events/trigger_batch", "channels/trigger_event"} else set[str]()
    assert success == {"channels/trigger_event": {"202"}, "push_notifications/publish": {"200", "202"}}.get(
        each.id, {"200"}
    )
    assert each.responses.keys() - success == {"400", "401", "403", "404", "5XX", "default"} | large
    for response in each.responses.values():
        assert response["description"]


@every_operation
def test_success_is_json_and_errors_are_text(each: Operation) -> None:
    for status, response in each.responses.items():
        content = response.get("content", {})
        if each.id == "channels/trigger_event" and status == "202":
            assert content == {}
        elif status.startswith("2"):
            assert list(content) == ["application/json"]
            assert "$ref" in content["application/json"]["schema"]
        else:
            assert content["text/plain"]["schema"] == {"type": "string"}


@every_operation
def test_path_parameters_come_in_order_and_the_app_first(each: Operation) -> None:
    in_path = [parameter["name"] for parameter in each.parameters if parameter["in"] == "path"]
    assert in_path == re.findall(r"\{(\w+)\}", each.path)
    assert in_path[0] == "app_id"
    assert set(in_path) <= {"app_id", "channel_name", "user_id"}


@every_operation
def test_no_operation_takes_signing_parameters(each: Operation) -> None:
    reserved = set(document()["x-pusher-signing"]["reservedQueryParameters"])
    assert not reserved & {parameter["name"] for parameter in each.parameters}
    assert "security" not in each.raw


def test_signing_is_declared_once() -> None:
    (requirement,) = document()["security"]
    schemes = document()["components"]["securitySchemes"]
    assert set(requirement) == set(schemes) == {"auth_key", "auth_timestamp", "auth_version", "auth_signature"}
    for name, scheme in schemes.items():
        assert (scheme["type"], scheme["in"], scheme["name"]) == ("apiKey", "query", name)
    assert [each.raw["security"] for each in WEBHOOKS] == [[]]


def test_servers_are_open_to_any_cluster() -> None:
    (server,) = document()["servers"]
    cluster = server["variables"]["cluster"]
    assert server["url"] == "https://api-{cluster}.pusher.com"
    assert cluster["default"] == "mt1"
    assert "enum" not in cluster
    for name in CLUSTERS:
        assert re.search(rf"\b{name}\b", cluster["description"])


def test_only_push_notifications_have_a_host_of_their_own() -> None:
    (legacy,) = (each for each in OPERATIONS if "servers" in each.raw)
    (server,) = legacy.raw["servers"]
    assert legacy.id == "push_notifications/publish"
    assert server["url"] == "https://nativepush-cluster1.pusher.com"
    assert server["x-client-option"] == "push_notification_host"


def test_terminate_is_the_only_post_that_may_be_repeated() -> None:
    assert [each.id for each in OPERATIONS if each.raw.get("x-idempotent")] == ["users/terminate_connections"]


@pytest.mark.parametrize("operation_id", ["channels/list", "channels/get"])
def test_info_is_one_comma_list(operation_id: str) -> None:
    (info,) = (each for each in operation(operation_id).parameters if each["name"] == "info")
    assert (info["style"], info["explode"], info["allowReserved"]) == ("form", False, True)
    assert info["schema"]["type"] == "array"


@pytest.mark.parametrize("operation_id", ["channels/list", "channels/get"])
def test_info_of_queries_is_an_open_list(operation_id: str) -> None:
    names = next(each["schema"]["items"] for each in operation(operation_id).parameters if each["name"] == "info")
    assert errors(names, "connection_count") == []
    assert errors(names, "a,b") != []


@every_operation
def test_requests_are_closed(each: Operation) -> None:
    if each.body is None:
        return
    for name, target in reachable(each.body["schema"]):
        if target.get("type") == "object":
            assert target["additionalProperties"] is False, name


@every_operation
def test_answers_are_open_and_no_request_shares_them(each: Operation) -> None:
    sent = {name for other in OPERATIONS if other.body for name, _ in reachable(other.body["schema"])}
    for response in each.responses.values():
        for media in response.get("content", {}).values():
            for name, target in reachable(media["schema"]):
                assert name not in sent
                if target.get("type") == "object":
                    assert target["additionalProperties"] is True, name


def test_webhook_events_are_told_apart_by_name() -> None:
    union = schema("WebhookEvent")
    assert union["discriminator"]["propertyName"] == "name"
    mapping = union["discriminator"]["mapping"]
    assert [member["$ref"] for member in union["oneOf"]] == list(mapping.values())
    assert set(mapping) == {
        "channel_occupied",
        "channel_vacated",
        "cache_miss",
        "member_added",
        "member_removed",
        "client_event",
        "subscription_count",
    }
    for name, reference in mapping.items():
        member = resolve({"$ref": reference})
        assert member["properties"]["name"]["const"] == name
        assert {"name", "channel"} <= set(member["required"])
        assert member["additionalProperties"] is True


def test_webhook_has_the_two_signature_headers() -> None:
    (webhook,) = WEBHOOKS
    assert [(each["name"], each["in"], each["required"]) for each in webhook.parameters] == [
        ("X-Pusher-Key", "header", True),
        ("X-Pusher-Signature", "header", True),
    ]


def test_secrets_are_marked() -> None:
    marked = [pointer for pointer, node in all_schemas() if node.get("format") == "password"]
    assert marked == ["#/components/schemas/ChannelAuthorization/properties/shared_secret"]


# What follows keeps the document within what the generator can express without loss.


def test_only_known_extensions() -> None:
    found = {key for _, node in walk(document()) for key in node if key.startswith("x-")}
    assert found == EXTENSIONS


def test_schema_keywords_are_known() -> None:
    for pointer, node in all_schemas():
        assert node.keys() <= SCHEMA_KEYWORDS, pointer


def test_objects_with_fields_are_named_components() -> None:
    for pointer, node in all_schemas():
        if "properties" in node:
            assert re.fullmatch(r"#/components/schemas/[A-Z][A-Za-z]+", pointer)
            assert "d" not in node["properties"]
            assert set(node.get("required", ())) <= set(node["properties"])


def test_no_parameter_uses_content() -> None:
    for each in EVERYTHING:
        for parameter in each.parameters:
            assert "schema" in parameter
            assert "content" not in parameter


def test_every_byte_limit_is_on_a_string_and_every_option_on_a_limit() -> None:
    for pointer, node in all_schemas():
        if "x-max-bytes" in node:
            assert node["type"] == "string", pointer
        if "x-limit" in node:
            assert "maxItems" in node or "x-max-bytes" in node, pointer
        if "pattern" in node:
            assert node["x-pattern-description"], pointer


def test_every_component_is_used_or_describes_the_apps_own_server() -> None:
    references = {node["$ref"] for _, node in walk(document()) if isinstance(node.get("$ref"), str)}
    unused = {
        f"{kind}/{name}"
        for kind, components in document()["components"].items()
        for name in components
        if kind != "securitySchemes" and f"#/components/{kind}/{name}" not in references
    }
    assert unused == {"schemas/ChannelAuthorization", "schemas/UserAuthentication", "schemas/EncryptedData"}
