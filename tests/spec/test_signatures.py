"""Every signature, digest and key in the description is computed again, with the standard library alone."""

import base64
import hashlib
import hmac
import json
import re
from typing import Any

import pytest
from nacl.secret import SecretBox

from .document import OPERATIONS, WEBHOOKS, Operation, document, errors, operation, schema, values

SIGNING: dict[str, Any] = document()["x-pusher-signing"]
APP_ID: str = SIGNING["credentials"]["app_id"]
KEY: str = SIGNING["credentials"]["key"]
SECRET: bytes = SIGNING["credentials"]["secret"].encode()


def sign(text: str) -> str:
    return hmac.new(SECRET, text.encode(), hashlib.sha256).hexdigest()


def summary(example: dict[str, Any]) -> str:
    return str(example["summary"])


def compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


every_request = pytest.mark.parametrize("example", SIGNING["examples"], ids=summary)
every_answer = pytest.mark.parametrize("example", SIGNING["authExamples"], ids=summary)


@every_request
def test_request_signature(example: dict[str, Any]) -> None:
    query = example["query"] | {
        "auth_key": KEY,
        "auth_timestamp": str(example["timestamp"]),
        "auth_version": SIGNING["version"],
    }
    if example["body"] is None:
        assert example["body_md5"] is None
    else:
        md5 = hashlib.md5(example["body"].encode(), usedforsecurity=False).hexdigest()
        assert md5 == example["body_md5"]
        query["body_md5"] = md5
    canonical = "&".join(f"{name.lower()}={value}" for name, value in sorted(query.items()))
    text = f"{example['method']}\n{example['path']}\n{canonical}"
    assert text == example["string_to_sign"]
    assert sign(text) == example["signature"]


@every_request
def test_signed_request_is_one_of_the_operation(example: dict[str, Any]) -> None:
    signed = operation(example["operationId"])
    assert example["method"] == signed.method.upper()
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(signed.path))
    match = re.fullmatch(pattern, example["path"])
    assert match is not None
    assert match["app_id"] == APP_ID
    for parameter in signed.parameters:
        wire = (match.groupdict() | example["query"]).get(parameter["name"])
        if wire is None:
            assert not parameter["required"]
        else:
            value = wire.split(",") if parameter["schema"].get("type") == "array" else wire
            assert errors(parameter["schema"], value) == []
    assert example["query"].keys() <= {each["name"] for each in signed.parameters if each["in"] == "query"}
    assert not example["query"].keys() & set(SIGNING["reservedQueryParameters"])


@every_request
def test_signed_body_is_an_example_of_the_operation(example: dict[str, Any]) -> None:
    body = operation(example["operationId"]).body
    if body is None:
        assert example["body"] is None
    else:
        raw = body.get("x-raw-body", False)
        assert example["body"] in [value if raw else compact(value) for value in values(body)]


@pytest.mark.parametrize("each", OPERATIONS, ids=lambda each: str(each.id))
def test_every_operation_has_a_signed_example(each: Operation) -> None:
    assert each.id in {example["operationId"] for example in SIGNING["examples"]}


@every_answer
def test_authorization_signature(example: dict[str, Any]) -> None:
    answer = example["answer"]
    parts = (
        [example["socket_id"], "", "user", "", answer["user_data"]]
        if "user_data" in answer
        else [example["socket_id"], example["channel_name"], answer.get("channel_data")]
    )
    text = ":".join(part for part in parts if part is not None)
    assert text == example["string_to_sign"]
    assert sign(text) == example["signature"]
    assert answer["auth"] == f"{KEY}:{example['signature']}"


@every_answer
def test_answer_is_an_example_of_its_schema(example: dict[str, Any]) -> None:
    assert errors({"$ref": f"#/components/schemas/{example['schema']}"}, example["answer"]) == []
    assert example["answer"] in schema(example["schema"])["examples"]


def test_examples_of_the_schemas_are_signed() -> None:
    answers = [example["answer"] for example in SIGNING["authExamples"]]
    for name in ("ChannelAuthorization", "UserAuthentication"):
        assert all(example in answers for example in schema(name)["examples"])


@pytest.mark.parametrize(
    "example", [*SIGNING["authExamples"], *SIGNING["encryptionExamples"]], ids=lambda each: str(each["summary"])
)
def test_shared_secret(example: dict[str, Any]) -> None:
    if "master_key_base64" not in example:
        assert "shared_secret" not in example["answer"]
        return
    master_key = base64.b64decode(example["master_key_base64"], validate=True)
    digest = hashlib.sha256(example["channel_name"].encode() + master_key).digest()
    shown = example.get("shared_secret") or example["answer"]["shared_secret"]
    assert shown == base64.b64encode(digest).decode()


@pytest.mark.parametrize("example", SIGNING["encryptionExamples"], ids=summary)
def test_encrypted_data_opens(example: dict[str, Any]) -> None:
    box = SecretBox(base64.b64decode(example["shared_secret"]))
    nonce = base64.b64decode(example["answer"]["nonce"])
    ciphertext = base64.b64decode(example["answer"]["ciphertext"])
    assert box.decrypt(ciphertext, nonce).decode() == example["plaintext"]
    assert example["answer"] in schema(example["schema"])["examples"]
    sent = operation("events/trigger").body
    assert sent is not None
    assert compact(example["answer"]) in [value["data"] for value in values(sent)]


@pytest.mark.parametrize("example", SIGNING["webhookExamples"], ids=summary)
def test_webhook_signature(example: dict[str, Any]) -> None:
    assert sign(example["body"]) == example["signature"]
    (webhook,) = WEBHOOKS
    assert webhook.body is not None
    assert json.loads(example["body"]) in values(webhook.body)


def test_every_webhook_example_is_signed() -> None:
    (webhook,) = WEBHOOKS
    assert webhook.body is not None
    assert [compact(value) for value in values(webhook.body)] == [each["body"] for each in SIGNING["webhookExamples"]]


def test_webhook_header_examples_belong_to_the_first_body() -> None:
    (webhook,) = WEBHOOKS
    key, signature = (parameter["example"] for parameter in webhook.parameters)
    assert key == KEY
    assert signature == SIGNING["webhookExamples"][0]["signature"]


def test_documented_vector_is_the_published_one() -> None:
    first = SIGNING["examples"][0]
    assert first["body_md5"] == "ec365a775a4cd0599faeb73354201b6f"
    assert first["signature"] == "da454824c97ba181a32ccc17a72625ba02771f50b50e1e7430e47a1f3f457e6c"
