"""Runners: what is sent for a call of each library's method."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping

import httpx
from attrs import field, frozen

from pusher_channels import Event, TriggerBatchResult, TriggerResult

from .differences import Difference
from .support import (
    APP_ID,
    KEY,
    SECRET,
    Answer,
    Case,
    Sent,
    Session,
    Setup,
    as_list,
    as_object,
    as_text,
    compact,
    is_object,
    parsed,
)

_BODIES = {"channelsinfo": '{"channels":{}}', "channelinfo": '{"occupied":true}', "usersinfo": '{"users":[]}'}


@frozen
class _Call:
    name: str
    arguments: list[object] = field(factory=list[object])
    options: dict[str, object] = field(factory=dict[str, object])


def _call(text: str) -> _Call:
    """Read ``TriggerWithParams``, or ``channels_info(prefix_filter='test')``."""
    tree = ast.parse(text, mode="eval").body
    if not isinstance(tree, ast.Call):
        return _Call(text.replace("_", "").lower())
    arguments: list[object] = [ast.literal_eval(argument) for argument in tree.args]
    options: dict[str, object] = {str(option.arg): ast.literal_eval(option.value) for option in tree.keywords}
    return _Call(ast.unparse(tree.func).replace("_", "").lower(), arguments, options)


def request_body(case: Case) -> None:
    """Method, path, query and body of each verb, and its result."""
    inputs, expected = case.inputs, case.expected
    if "config" in inputs:
        _check_base_url(case)
        return
    call = _call(inputs.text("call", "trigger"))
    answer = Answer(body=inputs.text("response_body", _BODIES.get(call.name, "{}")))
    session = Session(Setup(case.twin, answer), _app_id(case), KEY, SECRET, cluster=inputs.get("cluster"))
    if "batch" in call.name:
        result = _trigger_batch(case, session)
    elif call.name.startswith("trigger"):
        options = _options(case)
        channels = inputs.get("channels", inputs.get("channel", "channel"))
        result = session.call("trigger", channels, inputs.get("event", "event"), inputs.get("data", "data"), **options)
    elif call.name == "sendtouser":
        result = session.call("send_to_user", inputs["user_id"], inputs["event"], inputs["data"])
    elif call.name == "terminateuserconnections":
        result = session.call("users.terminate_connections", inputs["user_id"])
    else:
        result = _query(case, session, call)
    sent = session.sent()
    _check_target(case, sent)
    _check_body(case, sent)
    if "result" in expected:
        assert isinstance(result, (TriggerResult, TriggerBatchResult))
        _check_result(result, as_object(expected["result"]))


def _app_id(case: Case) -> str:
    """Return the app id: some vectors show it in the path only."""
    path = case.expected.get("path")
    found = re.match(r"/apps/([^/]+)/", path) if isinstance(path, str) else None
    app_id = case.inputs.text("app_id", found[1] if found else APP_ID)
    assert found is None or found[1] == app_id
    return app_id


def _options(case: Case) -> dict[str, object]:
    options = dict(as_object(case.inputs.get("params", {})))
    if case.inputs.get("socket_id") is not None:
        options["socket_id"] = case.inputs["socket_id"]
    if case.inputs.get("info") is not None:
        options["info"] = case.inputs["info"]
    return options


def _trigger_batch(case: Case, session: Session) -> object:
    given = case.inputs.get("events", case.inputs.get("batch"))
    rows = [{"channel": "channel", "name": "event", "data": "data"}] if given is None else as_list(given)
    events: list[Event] = []
    for row in map(as_object, rows):
        info = row.get("info")
        socket_id = row.get("socket_id")
        events.append(
            Event(
                as_text(row["channel"]),
                as_text(row["name"]),
                row["data"],
                socket_id=None if socket_id is None else as_text(socket_id),
                info=() if info is None else as_text(info),
            )
        )
    return session.call("trigger_batch", events)


def _query(case: Case, session: Session, call: _Call) -> object:
    options = dict(call.options)
    names = {"prefix_filter": "filter_by_prefix", "attributes": "info"}
    renamed = {names.get(name, name): value for name, value in options.items()}
    methods = {"channelsinfo": "channels.list", "channelinfo": "channels.get", "usersinfo": "channels.users"}
    if call.name not in methods:
        case.unknown()
    return session.call(methods[call.name], *call.arguments, **renamed)


def _check_target(case: Case, sent: Sent) -> None:
    expected = case.expected
    path = expected.get("path", expected.get("correct_path"))
    if "path_asserted_by_test" in expected:
        assert sent.path != expected["path_asserted_by_test"]
    if path is not None:
        assert sent.path == path
    assert sent.method == expected.get("method", sent.method)
    if "host" in expected:
        assert sent.url.host == expected["host"]
    assert sent.own_query == expected.get("query", sent.own_query)
    content_type = "application/json" if sent.method == "POST" else None
    assert sent.headers.get("content-type") == expected.get("content_type", content_type) == content_type


def _check_body(case: Case, sent: Sent) -> None:
    expected = case.expected
    if sent.method == "GET":
        assert sent.content == b""
        return
    assert sent.content == compact(sent.json).encode()
    wanted = expected.get("body_json", parsed(expected.text("body")) if "body" in expected else None)
    if wanted is not None:
        assert sent.json == _as_we_send(case, as_object(wanted))
    if "data_string" in expected:
        assert sent.json["data"] == expected["data_string"]
    if "body_json_keys" in expected:
        assert list(sent.json) == expected["body_json_keys"]
    if "per_event_keys" in expected:
        for event in map(as_object, as_list(sent.json["batch"])):
            assert sorted(event) == sorted(map(as_text, as_list(expected["per_event_keys"])))


def _as_we_send(case: Case, body: dict[str, object]) -> dict[str, object]:
    """Take out of another library's body what is a choice of its own."""
    body = dict(body)
    if "channel" in body:
        case.differs(Difference.ONE_CHANNEL_IN_A_LIST)
        body["channels"] = [body.pop("channel")]
    data, given = body.get("data"), case.inputs.get("data")
    if isinstance(given, str) and data == compact(given):
        case.differs(Difference.TEXT_AS_IT_IS)
        body["data"] = given
    elif is_object(given) and isinstance(data, str) and data != compact(given):
        case.differs(Difference.COMPACT_JSON)
        assert parsed(data) == given
        body["data"] = compact(given)
    return body


def _check_result(result: TriggerResult | TriggerBatchResult, wanted: Mapping[str, object]) -> None:
    """Counts that were not asked for are None, not 0."""
    for name, value in wanted.items():
        found: object = getattr(result, name)
        if value is None or not value:
            assert not found
        elif isinstance(result, TriggerResult) and result.channels is not None:
            assert list(result.channels) == list(as_object(value))
            for channel, counts in as_object(value).items():
                for count, number in as_object(counts).items():
                    assert getattr(result.channels[channel], count) == number
        else:
            assert isinstance(result, TriggerBatchResult)
            assert result.batch is not None
            for attributes, counts in zip(result.batch, as_list(value), strict=True):
                for count, number in as_object(counts).items():
                    assert getattr(attributes, count) == number


def _check_base_url(case: Case) -> None:
    config = as_object(case.inputs["config"])
    options = {name: config[name] for name in ("host", "port", "cluster") if name in config}
    key, secret = as_text(config["key"]), as_text(config["secret"])
    session = Session(case.twin, str(config["appId"]), key, secret, ssl=config.get("useTLS", False), **options)
    session.call("trigger", "channel", "event", "data")
    wanted = httpx.URL(case.expected.text("base_url"))
    if wanted.host == "api.pusherapp.com" and not options.get("host"):
        case.differs(Difference.DEFAULT_HOST)
        wanted = wanted.copy_with(host="api-mt1.pusher.com")
    assert httpx.URL(session.sent(key, secret).base_url) == wanted
