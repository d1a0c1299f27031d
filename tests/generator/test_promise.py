"""The promise: change the spec, run the generator, and it works, with no handwritten line.

A copy of the spec gets an operation under an existing tag, a new tag, new optional fields, a changed limit and a new
webhook event; promised.py then uses all of it through `Pusher` and `AsyncPusher`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
yaml: Any = YAML(typ="safe", pure=True)  # it is not typed


def changed_spec() -> dict[str, Any]:
    document: dict[str, Any] = yaml.load((ROOT / "spec" / "openapi.yaml").read_text("utf-8"))
    schemas, paths = document["components"]["schemas"], document["paths"]
    app_id, channel_name = ({"$ref": f"#/components/parameters/{name}"} for name in ("app_id", "channel_name"))

    def answers(schema: str, example: object) -> dict[str, Any]:
        content = {"schema": {"$ref": f"#/components/schemas/{schema}"}, "examples": {"one": {"value": example}}}
        errors = {status: {"$ref": "#/components/responses/NotFound"} for status in ("404",)}
        return {"200": {"description": "The answer.", "content": {"application/json": content}}, **errors}

    # 1. an operation under an existing tag
    limit = {"type": "integer", "minimum": 1, "maximum": 100}
    paths["/apps/{app_id}/channels/{channel_name}/history"] = {
        "parameters": [app_id, channel_name],
        "get": {
            "operationId": "channels/history",
            "tags": ["channels"],
            "summary": "List the last events.",
            "description": "Lists the last events of a channel.",
            "externalDocs": {"url": "https://example.org/history"},
            "parameters": [{"name": "limit", "in": "query", "description": "How many.", "schema": limit, "example": 5}],
            "responses": answers("History", {"events": [{"name": "e", "data": "d"}], "more": False}),
        },
    }
    string = {"type": "string", "description": "A text."}
    past = {"type": "object", "description": "An event.", "required": ["name", "data"]}
    schemas["PastEvent"] = {**past, "properties": {"name": string, "data": string}}
    schemas["History"] = {
        "type": "object",
        "description": "The last events.",
        "required": ["events"],
        "properties": {
            "events": {"type": "array", "items": {"$ref": "#/components/schemas/PastEvent"}, "description": "Them."},
            "more": {"type": "boolean", "description": "Whether there are more."},
        },
    }
    # 2. a new tag
    document["tags"].append({"name": "regions", "description": "Regions."})
    paths["/apps/{app_id}/regions"] = {
        "parameters": [app_id],
        "get": {
            "operationId": "regions/list",
            "tags": ["regions"],
            "summary": "List the regions.",
            "description": "Lists the regions.",
            "externalDocs": {"url": "https://example.org/regions"},
            "responses": answers("Regions", {"regions": ["eu"]}),
        },
    }
    closing: dict[str, Any] = {"schema": {"$ref": "#/components/schemas/CloseRegionRequest"}}
    closing["examples"] = {"one": {"value": {"name": "eu", "channel": "c", "data": "d"}}}
    paths["/apps/{app_id}/regions/close"] = {
        "parameters": [app_id],
        "post": {
            "operationId": "regions/close",
            "tags": ["regions"],
            "summary": "Close a region.",
            "description": "Closes a region with a last event.",
            "externalDocs": {"url": "https://example.org/regions"},
            "requestBody": {"required": True, "description": "It.", "content": {"application/json": closing}},
            "responses": answers("Regions", {"regions": []}),
        },
    }
    schemas["Regions"] = {
        "type": "object",
        "description": "Regions.",
        "required": ["regions"],
        "properties": {"regions": {"type": "array", "items": {"type": "string"}, "description": "Their names."}},
    }
    schemas["CloseRegionRequest"] = {
        "type": "object",
        "description": "What to close.",
        "required": ["name", "channel", "data"],
        "additionalProperties": False,
        "properties": {
            "name": string,
            "channel": {"$ref": "#/components/schemas/ChannelName"},
            "data": {"$ref": "#/components/schemas/EventData"},
        },
    }
    # 3. new optional fields, in a request and in an answer
    integer = {"type": "integer", "minimum": 0, "maximum": 9, "description": "How urgent it is."}
    schemas["TriggerRequest"]["properties"]["priority"] = integer
    schemas["TriggerResult"]["properties"]["accepted_at"] = {"type": "integer", "description": "When."}
    # 4. a changed limit
    schemas["TriggerRequest"]["properties"]["channels"]["maxItems"] = 3
    # 5. a new webhook event
    schemas["ChannelRenamed"] = {
        "type": "object",
        "description": "A channel has a new name.",
        "required": ["name", "channel", "old_channel"],
        "properties": {
            "name": {"type": "string", "const": "channel_renamed", "description": "The kind of event."},
            "channel": string,
            "old_channel": string,
        },
    }
    event = schemas["WebhookEvent"]
    event["oneOf"].append({"$ref": "#/components/schemas/ChannelRenamed"})
    event["discriminator"]["mapping"]["channel_renamed"] = "#/components/schemas/ChannelRenamed"
    return document


def test_a_changed_spec_works_with_no_handwritten_line(tmp_path: Path) -> None:
    spec, out = tmp_path / "changed.yaml", tmp_path / "out" / "pusher_channels_rest"
    with spec.open("w", encoding="utf-8") as file:
        yaml.dump(changed_spec(), file)
    command = [sys.executable, "-m", "generator", "--spec", str(spec), "--out", str(out)]
    generated = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert generated.returncode == 0, generated.stderr
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(out.parent), str(ROOT / "src")])}
    script = [sys.executable, str(Path(__file__).with_name("promised.py")), str(out)]
    used = subprocess.run(script, env=environment, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert used.returncode == 0, used.stderr
    assert used.stdout == "all promises kept\n"
